"""Values come into the layer's terms; each change is told once, with what stood there."""

from __future__ import annotations

import itertools
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.importing.mapping.columns import Column, Remark
from gis.importing.mapping.dates import AmbiguousDate, read_date, read_datetime
from gis.importing.mapping.quantities import Conversion, number_of
from gis.importing.mapping.values import read_values
from layers.headings import load_units
from layers.model import CodeValue, Field, FieldFormat, FieldType, Text
from layers.registry import load_layers

TITLE = Text(zh="字段", en="Field")
LAYERS = load_layers()


def field(kind: FieldType, *, form: FieldFormat | None = None, unit: str | None = None) -> Field:
    values = (
        CodeValue(code="key", zh="重点管理", en="Key management", aliases=("重点",)),
        CodeValue(code="2", zh="登记", en="Registered"),
    )
    return Field(
        name="field", title=TITLE, type=kind, format=form, unit=unit, values=values if kind == "enum" else ()
    )


def read(
    kind: FieldType,
    values: list[object] | pa.Array,
    *,
    form: FieldFormat | None = None,
    unit: str | None = None,
    stated: str | None = None,
    key: bool = False,
) -> Column:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    conversion = Conversion.between(load_units()[stated], unit) if stated and unit else None
    return read_values(field(kind, form=form, unit=unit), array, key=key, unit=conversion)


def pairs(column: Column) -> list[tuple[object, str | None]]:
    """The values, each with the code of its remark."""
    codes = {remark.position: remark.code for remark in column.remarks}
    assert len(codes) == len(column.remarks), "one remark a value"
    return [(value, codes.get(i)) for i, value in enumerate(column.values.to_pylist())]


# ---- text and codes


def test_names_are_trimmed_and_otherwise_left_alone() -> None:
    names = ["  甲（乙）公司　", "ＡＢＣ厂", "", " ", None, "A  B", "𠮷㐂", "=1+1", "12.0"]
    assert pairs(read("text", names)) == [
        ("甲（乙）公司", None), ("ＡＢＣ厂", None), (None, None), (None, None), (None, None), ("A  B", None),
        ("𠮷㐂", None), ("=1+1", None), ("12.0", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "written", "read_as"),
    [
        ("uscc", "９１３３０７８４７０４２２２６８１ｎ", "91330784704222681N"),
        ("uscc", "9133 0784 7042 2268 1N", "91330784704222681N"),
        ("uscc", "91330784-704222681-n", "91330784704222681N"),
        ("permit_code", "91130200699229617x001p", "91130200699229617X001P"),
        ("outfall_code", "dw 001", "DW001"),
        ("industry_code", "c3311", "C3311"),
        ("industry_code", "3311.0", "3311"),
        ("adcode", "330784.0", "330784"),
        ("adcode", "３３０７８４", "330784"),
    ],
)
def test_codes_are_written_in_the_form_of_their_standard(
    form: FieldFormat, written: str, read_as: str
) -> None:
    found = read("text", [read_as, written, None], form=form)
    assert found.values.to_pylist() == [read_as, read_as, None]
    assert found.remarks == [Remark(1, "value_normalised", read_as, written)]


def test_a_day_of_a_workbook_is_a_day_also_as_text() -> None:
    days = pa.array([datetime(2024, 3, 5), None])
    assert read("text", days).values.to_pylist() == ["2024-03-05", None]
    assert str(read("text", pa.array([datetime(2024, 3, 5, 8, 30)])).values[0]).startswith("2024-03-05 08:30")


def test_a_code_that_is_wrong_is_left_for_the_checks() -> None:
    assert pairs(read("text", ["无", "待补充"], form="uscc")) == [("无", None), ("待补充", None)]


def test_a_key_of_latin_letters_is_half_width_and_one_of_words_is_left() -> None:
    found = read("text", ["ＨＺ４１０", "浙（2021）１号", "HZ 1", "hz1"], key=True)
    assert pairs(found) == [
        ("HZ410", "value_normalised"), ("浙（2021）１号", None), ("HZ 1", None), ("hz1", None)
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["3.3010E+11", "3.3e+17", "9E+12"])
def test_a_code_in_exponent_form_has_lost_its_digits(text: str) -> None:
    for found in (read("text", ["1", text], key=True), read("text", ["330784", text], form="adcode")):
        assert found.remarks == [Remark(1, "code_mangled", text, text, "error")]
        assert found.values.to_pylist()[1] is None


def test_codes_that_only_look_like_it_are_kept() -> None:
    assert pairs(read("text", ["3E10", "A+B", "1e5"], key=True)) == [
        ("3E10", None),
        ("A+B", None),
        ("1e5", None),
    ]


def test_whole_numbers_become_codes_with_all_their_digits() -> None:
    assert read("text", pa.array([330100000000000001, 2**62])).values.to_pylist() == [
        "330100000000000001", str(2**62)
    ]  # fmt: skip
    assert read("text", pa.array([330784.0, None, float("nan")]), key=True).values.to_pylist() == [
        "330784", None, None
    ]  # fmt: skip
    found = read("text", pa.array([1e17, 5.0]), key=True)
    assert [(r.position, r.code, r.severity) for r in found.remarks] == [(0, "code_mangled", "error")]


# ---- words


def test_words_of_a_code_list_become_codes() -> None:
    words = [
        "key", "KEY", "重点管理", " 重点 ", "key management", "2", "2.0", "登记", "key 重点管理", "2-登记",
        "重点 登记", "无", None,
    ]  # fmt: skip
    assert pairs(read("enum", words)) == [
        ("key", None), ("key", "value_normalised"), ("key", "code_translated"), ("key", "code_translated"),
        ("key", "code_translated"), ("2", None), ("2", "value_normalised"), ("2", "code_translated"),
        ("key", "code_translated"), ("2", "code_translated"), ("重点 登记", None), ("无", None), (None, None),
    ]  # fmt: skip
    assert pairs(read("enum", pa.array([2, 3]))) == [("2", None), ("3", None)]
    assert pairs(read("enum", pa.array([2.0, None]))) == [("2", None), (None, None)]


def test_every_label_of_every_shipped_list_leads_to_its_code() -> None:
    for layer in LAYERS.values():
        for f in layer.fields:
            labels = [value.zh for value in f.code_list]
            if f.type == "enum" and len(set(labels)) == len(labels):
                read_as = read_values(f, pa.array(labels)).values.to_pylist()
                assert read_as == [value.code for value in f.code_list], (layer.id, f.name)


def test_yes_and_no_in_their_usual_form_need_no_remark() -> None:
    assert pairs(read("boolean", ["是", "否", "true", "0", "Y", None, "1.0"])) == [
        (True, None), (False, None), (True, None), (False, None), (True, None), (None, None), (True, None)
    ]  # fmt: skip
    assert pairs(read("boolean", ["有", "无", "√", "×", "１"])) == [
        (True, "value_normalised"), (False, "value_normalised"), (True, "value_normalised"),
        (False, "value_normalised"), (True, "value_normalised"),
    ]  # fmt: skip
    assert read("boolean", pa.array([True, None])).values.to_pylist() == [True, None]
    assert read("boolean", pa.array([1, 0])).values.to_pylist() == [True, False]


def test_a_word_that_cannot_be_read_makes_the_column_text_and_stays() -> None:
    assert pairs(read("boolean", ["是", "不详", "无"])) == [
        ("true", None), ("不详", None), ("false", "value_normalised")
    ]  # fmt: skip


# ---- dates


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-05", "2024年3月5日", "2024年03月05号", "2024/3/5", "2024.3.5", "20240305",
        "２０２４年３月５日", "2024-3-5", "2024 年 3 月 5 日", "二〇二四年三月五日", "45356",
        "2024-03-05 00:00:00",
        "2024-03-05T00:00:00", "2024/3/5 8:30", "2024年3月5日 8时30分",
    ],
)  # fmt: skip
def test_a_day_is_read_in_every_usual_form(text: str) -> None:
    assert read_date(text) == date(2024, 3, 5)


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2024年13月1日", "2024", "202403", "2024年3月", "3月5日", "明天", "5.3.24", "12345678"],
)
def test_what_is_no_day_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):
        read_date(text)


def test_days_and_months_that_may_be_either_way_round_are_refused() -> None:
    with pytest.raises(AmbiguousDate):
        read_date("03/05/2024")
    assert read_date("25/12/2024") == read_date("12/25/2024") == date(2024, 12, 25)
    found = read("date", ["2024-03-05", "03/05/2024"])
    assert found.values.to_pylist() == [date(2024, 3, 5), None]
    assert found.remarks == [Remark(1, "date_ambiguous", None, "03/05/2024", "error")]


@given(st.dates(min_value=date(1950, 1, 1), max_value=date(2099, 12, 31)))
def test_every_form_of_a_day_is_the_same_day(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    forms = [
        day.isoformat(), f"{day.year}年{day.month}月{day.day}日", f"{day.year}/{day.month}/{day.day}",
        f"{day:%Y%m%d}", str(serial), f"{day} 00:00:00",
    ]  # fmt: skip
    assert {read_date(form) for form in forms} == {day}
    for native in (pa.array([serial]), pa.array([float(serial)]), pa.array([int(f"{day:%Y%m%d}")])):
        assert read("date", native).values.to_pylist() == [day]


def test_only_what_is_not_iso_is_remarked() -> None:
    texts = ["2024-03-05", "2024/3/5", None, "2024-03-05 00:00:00", "2024-03-05 08:00", "改天"]
    assert pairs(read("date", texts)) == [
        ("2024-03-05", None), ("2024-03-05", "date_read"), (None, None), ("2024-03-05", None),
        ("2024-03-05", "date_read"), ("改天", None),
    ]  # fmt: skip
    assert pairs(read("date", pa.array([date(2024, 3, 5), None]))) == [(date(2024, 3, 5), None), (None, None)]
    assert pairs(read("date", pa.array([datetime(2024, 3, 5), datetime(2024, 3, 6)]))) == [
        (date(2024, 3, 5), None), (date(2024, 3, 6), None)
    ]  # fmt: skip
    assert pairs(read("date", pa.array([datetime(2024, 3, 5, 8)]))) == [(date(2024, 3, 5), "date_read")]
    assert pairs(read("date", pa.array([2024]))) == [("2024", None)]


def test_moments_are_read_to_the_second() -> None:
    moment = datetime(2024, 3, 5, 8, 30, 15)
    for text in (
        "2024-03-05 08:30:15",
        "2024/3/5 8:30:15",
        "2024年3月5日8时30分15秒",
        "2024年3月5日 08:30:15",
    ):
        assert read_datetime(text) == moment
    assert pairs(read("datetime", ["2024/3/5 8:30:15", "2024-03-05T08:30:15"])) == [
        ("2024-03-05T08:30:15", "date_read"), ("2024-03-05T08:30:15", None)
    ]  # fmt: skip
    assert read("datetime", ["2024-03-05 08:30:15"]).values.to_pylist() == [moment]


# ---- numbers and units


@pytest.mark.parametrize(
    ("text", "number", "remark"),
    [
        ("12.5", 12.5, None),
        ("-3", -3.0, None),
        ("1.5e3", 1500.0, None),
        ("１２．５", 12.5, "value_normalised"),
        ("1,234,567.5", 1234567.5, "value_normalised"),
        ("200 m", 200.0, "value_normalised"),
        ("200米", 200.0, "value_normalised"),
        ("0.2km", 200.0, "unit_converted"),
        ("1.2 千米", 1200.0, "unit_converted"),
    ],
)
def test_numbers_are_read_in_every_usual_form(text: str, number: float, remark: str | None) -> None:
    found = read("number", ["1", text], unit="m")
    assert found.values.type == pa.float64()
    assert pairs(found) == [(1.0, None), (number, remark)]
    assert [r.original for r in found.remarks] == ([text] if remark else [])


@pytest.mark.parametrize(
    "text",
    [
        "<0.5",
        "约3",
        "3-5",
        "1,5",
        "0,155",
        "10²",
        "①",
        "12 mg/L",
        "12 坪",
        "nan",
        "inf",
        "1e999",
        "未检出",
        "12,34",
    ],
)
def test_what_is_no_number_stays_for_the_checks(text: str) -> None:
    assert pairs(read("number", ["1", text], unit="m")) == [("1", None), (text, None)]


def test_integers_keep_every_digit() -> None:
    assert read("integer", ["123456789012345678", None]).values.to_pylist() == [123456789012345678, None]
    found = read("integer", ["12.0", "7"])
    assert (found.values.type, found.values.to_pylist(), found.remarks) == (pa.int64(), [12, 7], [])
    assert read("integer", ["1.5", "7"]).values.to_pylist() == [1.5, 7.0]
    assert read("integer", pa.array([3.0, None])).values.to_pylist() == [3, None]


def test_the_heading_converts_and_a_cells_own_unit_comes_first() -> None:
    found = read("number", ["2", "3 亩", None, "１", "0.5公顷"], unit="亩", stated="ha")
    assert found.values.to_pylist() == [30.0, 3.0, None, 15.0, 7.5]
    assert [(r.position, r.code, r.original) for r in found.remarks] == [
        (0, "unit_converted", "2"), (1, "value_normalised", "3 亩"), (3, "unit_converted", "１"),
        (4, "unit_converted", "0.5公顷"),
    ]  # fmt: skip
    assert "ha → 亩" in str(found.remarks[0].value)
    assert read("number", pa.array([2, None]), unit="亩", stated="ha").values.to_pylist() == [30.0, None]
    mixed = read("number", ["2", "不详"], unit="亩", stated="ha")
    assert pairs(mixed) == [("30.0", "unit_converted"), ("不详", None)]


def test_a_unit_of_another_kind_is_never_converted() -> None:
    assert number_of("3 kg/d", "t/a") is None
    assert number_of("3 m", None) is None
    with pytest.raises(ValueError, match="mass a day"):
        Conversion.between(load_units()["kg/d"], "t/a")


def test_there_and_back_is_the_same_number() -> None:
    units = {unit.id: unit for unit in load_units().values()}.values()
    values = np.array([1e-6, 0.1, 1.0, 3.3, 1e9])
    for first, second in itertools.permutations(units, 2):
        if first.dimension == second.dimension:
            assert first.to(second) * second.to(first) == 1
            there = Conversion.between(first, second.id).apply(values)
            assert Conversion.between(second, first.id).apply(there) == pytest.approx(values, rel=1e-14)


# ---- all kinds

KINDS: list[tuple[FieldType, FieldFormat | None, bool]] = [
    ("text", None, False), ("text", None, True), ("text", "uscc", False), ("text", "adcode", False),
    ("enum", None, False), ("boolean", None, False), ("date", None, False), ("datetime", None, False),
    ("number", None, False), ("integer", None, False),
]  # fmt: skip
WORDS = st.sampled_from(
    ["是", "无", "重点管理", "key", "2", "2.0", "2024年3月5日", "2024-03-05 08:00", "20240305", "１２,３",
     "1,234", "12.50", " a ", "Ａ１", "9133078470422268 1n", "3.3E+11", "03/05/2024", "<5", ""]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.lists(WORDS | st.none() | st.text(max_size=12), max_size=8))
def test_what_was_read_is_read_the_same_again(
    kind: tuple[FieldType, FieldFormat | None, bool], words: list[str | None]
) -> None:
    name, form, key = kind
    once = read(name, pa.array(words, pa.string()), form=form, key=key)
    again = read(name, once.values, form=form, key=key)
    assert again.values.equals(once.values) or again.values.to_pylist() == once.values.to_pylist()
    assert again.remarks == []
    assert len(once.values) == len(words)
    for remark in once.remarks:
        assert remark.original == str(words[remark.position]).strip()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), st.lists(WORDS | st.none(), min_size=1, max_size=8))
def test_a_value_is_read_the_same_in_any_company(
    kind: tuple[FieldType, FieldFormat | None, bool], words: list[str | None]
) -> None:
    name, form, key = kind
    whole = read(name, pa.array(words, pa.string()), form=form, key=key)
    remarked = {remark.position: (remark.code, remark.value) for remark in whole.remarks}
    for i, word in enumerate(words):
        alone = read(name, pa.array([word], pa.string()), form=form, key=key)
        assert [(r.code, r.value) for r in alone.remarks] == ([remarked[i]] if i in remarked else [])


@pytest.mark.parametrize("kind", ["text", "enum", "boolean", "date", "datetime", "number", "integer"])
@pytest.mark.parametrize(
    "array",
    [
        pa.array([], pa.string()),
        pa.array([None, None], pa.string()),
        pa.nulls(2),
        pa.array([None], pa.float64()),
    ],
)
def test_empty_columns_stay_empty(kind: FieldType, array: pa.Array) -> None:
    found = read_values(field(kind), array)
    assert found.values.null_count == len(found.values) == len(array)
    assert found.remarks == []
