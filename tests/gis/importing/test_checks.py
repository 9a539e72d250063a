"""Whole columns are read and checked as single values are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from stdnum.cn import uscc

from gis.importing.checks import check_field, check_rows
from gis.importing.forms import FORMATS, mismatched, misshapen
from gis.importing.issues import Issue
from gis.importing.shapes import promoted, sort_out
from gis.importing.values import array_of, typed
from gis.settings import MapDefinition
from layers.model import Field, Text

TITLE = Text(zh="值", en="Value")


def one_by_one(kind: str, value: Any) -> Any:
    """What a value means, said in the plainest way."""
    text = str(value).strip()
    if kind == "integer":
        number = float(text)
        if not number.is_integer():
            raise ValueError(text)
        return int(number) if not text.lstrip("+-").isdigit() else int(text)
    if kind == "number":
        number = float(text)
        if not np.isfinite(number):
            raise ValueError(text)
        return number
    if kind == "date":
        return pd.Timestamp(text).date()
    words = {
        "true": True,
        "1": True,
        "yes": True,
        "是": True,
        "false": False,
        "0": False,
        "no": False,
        "否": False,
    }
    return words[text.lower()]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", ["1", "-5", "+7", " 8 ", "1.0", "1.5", "1e3", "１２", "x", "", None, "9" * 25]),
        (
            "number",
            ["1.5", "-0.25", "+3", ".5", "5.", "1e-3", "1E5", "inf", "nan", "深", "１.５", "", None, "1_0"],
        ),
        ("number", [1.5, float("nan"), float("inf"), None]),
        ("integer", [1.0, 2.5, None]),
        ("date", ["2024-02-29", "2023-02-29", "2024/3/4", "20240506", "never", "", None]),
        ("boolean", ["是", "否", "YES", "no", "1", "0", "maybe", None]),
    ],
)
def test_a_column_is_read_as_its_values_are(kind: str, values: list[Any]) -> None:
    found, unreadable = typed(kind, array_of(values))
    for value, got, unread in zip(values, found.to_pylist(), unreadable, strict=True):
        missing = value is None or value != value or str(value).strip() == ""
        try:
            wanted = None if missing else one_by_one(kind, value)
        except (ValueError, KeyError):
            assert got is None and unread, value
            continue
        if isinstance(wanted, int) and not -(2**63) <= wanted < 2**63:
            assert got is None and unread, value
        else:
            assert (got, bool(unread)) == (wanted, False), value


def test_times_are_kept_as_moments() -> None:
    found, unreadable = typed("datetime", pa.array(["2024-01-02T03:04:05+08:00", "2024-01-02 03:04", "x"]))
    first, second, third = found.to_pylist()
    assert first.isoformat() == "2024-01-01T19:04:05+00:00"
    assert second.isoformat() == "2024-01-02T03:04:00+00:00"
    assert (third, unreadable.tolist()) == (None, [False, False, True])
    native = typed("date", pa.array([datetime(2024, 1, 1, 23)], pa.timestamp("ms", tz="Asia/Shanghai")))
    assert native[0].to_pylist() == [date(2024, 1, 2)]


def test_credit_codes_are_judged_as_the_standard_library_does() -> None:
    rng = np.random.default_rng(11)
    alphabet = np.array(list("0123456789ABCDEFGHJKLMNPQRTUWXY"))
    bodies = ["".join(rng.choice(alphabet[:10], 8)) + "".join(rng.choice(alphabet, 9)) for _ in range(400)]
    codes = [body + uscc.calc_check_digit(body) for body in bodies[:200]] + [
        body + "0" for body in bodies[200:]
    ]
    codes += ["91330784MA2ABCDE", "", "x" * 18, codes[0].lower(), f"{codes[1][:9]} {codes[1][9:]}", "９" * 18]
    assert misshapen(pa.array(codes), "uscc").tolist() == [not uscc.is_valid(code) for code in codes]


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"uscc"}))
def test_forms_are_judged_as_their_patterns_are(form: str) -> None:
    words = [
        "330784",
        "330784100",
        "3307841001",
        "C3311",
        "C33",
        "U01",
        "331",
        "DW001",
        "DA12",
        "YS123",
        "ＤＷ001",
    ]
    words += ["91330784MA2ABCDE1X001P", "91330784MA2ABCDE1X001p", "３３０７８４", "DW001\n", ""]
    test = FORMATS[form][1]
    assert misshapen(pa.array(words), form).tolist() == [not test(word) for word in words]


@pytest.mark.parametrize(
    "pattern", [r"P[0-9]{8}", r"\d{3}", r"\D+", r"[^\d]+", r"(?i)abc", r"(?:a|b)+", r"a(?=b)b", r"x$", r"\w+"]
)
def test_patterns_match_as_python_matches_them(pattern: str) -> None:
    import re

    words = ["P00000001", "P0000000", "123", "１２３", "abc", "ABC", "ab", "x", "x\n", "村", "", "a b"]
    wanted = [re.fullmatch(pattern, word) is None for word in words]
    assert mismatched(pa.array(words), pattern).tolist() == wanted


def test_each_value_has_its_first_fault() -> None:
    field = Field(name="depth", title=TITLE, type="number", min=0, max=10, required=True)
    issues: list[Issue] = []
    values = check_field(field, pd.Series(["5", None, "-1", "11", "x"]), issues)
    assert values.tolist() == [5.0, None, -1.0, 11.0, None]
    assert {(i.row, i.code, i.value) for i in issues} == {
        (1, "required_missing", None), (2, "out_of_range", "-1"), (3, "out_of_range", "11"),
        (4, "wrong_type", "x"),
    }  # fmt: skip


def test_accepted_and_refused_rows_add_up(small_map: MapDefinition) -> None:
    rng = np.random.default_rng(5)
    depths = rng.choice(["1", "-1", "x", ""], 500)
    frame = pd.DataFrame({"code": [str(i) for i in range(500)], "depth": depths, "geom": None})
    frame["geom"] = list(shapely.points(np.tile([120.0, 29.0], (500, 1))))
    checked = check_rows(small_map.layers["wells"], frame)
    assert len(checked.rows) + len(checked.refused) == 500
    assert checked.refused == set(np.flatnonzero((depths == "-1") | (depths == "x")).tolist())


@pytest.mark.parametrize(
    ("wanted", "given", "outcome"),
    [
        ("MultiPolygon", "POLYGON((0 0,1 0,1 1,0 0))", "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))"),
        ("MultiLineString", "LINESTRING(0 0,1 1)", "MULTILINESTRING ((0 0, 1 1))"),
        ("MultiPoint", "POINT(1 2)", "MULTIPOINT ((1 2))"),
        ("Point", "MULTIPOINT((1 2))", "POINT (1 2)"),
        ("LineString", "MULTILINESTRING((0 0,1 1))", "LINESTRING (0 0, 1 1)"),
        ("Point", "MULTIPOINT((1 2),(3 4))", None),
        ("Polygon", "POINT(1 2)", None),
    ],
)
def test_single_and_multi_are_made_what_the_layer_holds(wanted: str, given: str, outcome: str | None) -> None:
    shapes = np.array([shapely.from_wkt(given), None], dtype=object)
    found = promoted(shapes, wanted)
    assert (found[0].wkt if found[0] is not None else None, found[1]) == (outcome, None)


def test_each_geometry_has_one_fault(small_map: MapDefinition) -> None:
    layer = small_map.layers["pads"]
    texts = ["POLYGON EMPTY", "POINT(1 2)", "POLYGON((0 0,1 1,2 2,0 0))", "POLYGON((0 0,1 1,1 0,0 1,0 0))"]
    shapes = np.array([None, *shapely.from_wkt(texts)], dtype=object)
    found = sort_out(layer, shapes)
    assert {code: np.flatnonzero(flags).tolist() for code, flags in found.faults.items() if flags.any()} == {
        "geometry_missing": [0], "geometry_empty": [1], "geometry_type": [2], "zero_area": [3],
    }  # fmt: skip
    assert np.flatnonzero(found.invalid).tolist() == [4]
