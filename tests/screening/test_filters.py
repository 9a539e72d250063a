import itertools
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from gis.screening.filters import Attributes, FilterResult, evaluate
from layers.rulemodel import Bounds, Prefix, StatedNone, Where

DAY = date(2026, 9, 1)


def result(where: Where, **columns: list[Any]) -> FilterResult:
    count = len(next(iter(columns.values())))
    arrays = {name: np.array([*values, None], dtype=object)[:-1] for name, values in columns.items()}
    return evaluate(where, Attributes(arrays, count), DAY)


def letters(found: FilterResult) -> str:
    return "".join("y" if y else "n" if n else "u" for y, n in zip(found.yes, found.no, strict=True))


def bounds(**keys: Any) -> Bounds:
    return Bounds.model_validate({{"least": ">=", "above": ">", "most": "<="}[k]: v for k, v in keys.items()})


def test_a_scalar_means_equality_and_a_missing_value_is_unknown() -> None:
    assert letters(result({"grade": "1"}, grade=["1", "2", None, float("nan")])) == "ynuu"


def test_a_list_means_any_of() -> None:
    assert letters(result({"kind": ("new", "expand")}, kind=["new", "rebuild", "expand", None])) == "ynyu"


def test_true_is_not_one_and_false_is_not_zero() -> None:
    assert letters(result({"a": True}, a=[1, 1])) == "nn"
    assert letters(result({"a": 0}, a=[False, None])) == "nu"
    assert letters(result({"a": False}, a=[np.bool_(False), np.bool_(True)])) == "yn"


def test_a_prefix_compares_the_beginning() -> None:
    found = result(
        {"industry_code": Prefix(prefix=("A03", "03"))}, industry_code=["A0313", "0313", "C303", None]
    )
    assert letters(found) == "yynu"


def test_bounds_take_in_their_ends_and_the_law_date() -> None:
    deadline = [date(2026, 8, 31), DAY, datetime(2026, 9, 1, 12), date(2027, 1, 1), None]
    assert letters(result({"deadline": bounds(least="law_date")}, deadline=deadline)) == "nyyyu"
    assert letters(result({"deadline": bounds(most="law_date")}, deadline=deadline)) == "yyynu"
    assert letters(result({"size": bounds(least=1, most=2)}, size=[0.9, 1, 1.5, 2.0, 2.1])) == "nyyyn"


def test_a_strict_bound_leaves_its_end_out() -> None:
    assert letters(result({"size": bounds(above=0)}, size=[0, 0.1, -1.0, None])) == "nynu"


def test_only_a_stated_none_is_none() -> None:
    none = {"a": StatedNone(none=True)}
    assert letters(result(none, a=["none", " 无 ", "None", "浙环〔2024〕1号", "", None])) == "yyynnu"
    assert letters(result(none, a=[0, 0.0, 12.5, float("nan")])) == "yynu"
    assert letters(result(none, a=[False, None])) == "nu"


def test_an_empty_filter_holds_for_every_row() -> None:
    assert letters(evaluate({}, Attributes({}, 3), DAY)) == "yyy"


def test_an_absent_column_is_missing_in_every_row() -> None:
    found = evaluate({"kind": "new"}, Attributes({}, 2), DAY)
    assert letters(found) == "uu"
    assert found.names(1) == ("kind",)


def test_one_known_failure_settles_a_row_whatever_is_missing() -> None:
    found = result({"kind": "new", "soil": True}, kind=["rebuild", "new"], soil=[None, None])
    assert letters(found) == "nu"
    assert found.names(0) == ()
    assert found.names(1) == ("soil",)


def test_all_missing_attributes_are_named_in_the_order_of_the_filter() -> None:
    found = result({"b": 1, "a": 2, "c": 3}, a=[None], b=[None], c=[3])
    assert found.names(0) == ("b", "a")


def test_a_conjunction_follows_kleene_for_all_combinations() -> None:
    rows = list(itertools.product([True, False, None], repeat=3))
    columns = {name: [row[i] for row in rows] for i, name in enumerate("abc")}
    found = letters(result({"a": True, "b": True, "c": True}, **columns))
    wanted = ["n" if False in row else "u" if None in row else "y" for row in rows]
    assert found == "".join(wanted)


def test_the_three_answers_part_the_rows() -> None:
    found = result({"a": ("x",)}, a=["x", "y", None] * 5)
    assert (found.yes.astype(int) + found.no + found.unknown == 1).all()


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="'a' has 2 rows, wanted 3"):
        Attributes({"a": np.array(["x", "y"], dtype=object)}, 3)


def test_no_rows_give_no_answers() -> None:
    found = evaluate({"a": 1}, Attributes({"a": np.empty(0, dtype=object)}, 0), DAY)
    assert len(found.yes) == 0
