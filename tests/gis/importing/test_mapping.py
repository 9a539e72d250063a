"""Columns find their fields by name where that is beyond doubt; everything else is asked, never guessed."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from gis.db import connect
from gis.errors import ImportRefused
from gis.importing import ImportResult
from gis.importing.issues import FILE, Issue, issue_words
from gis.importing.mapping import FieldProposal, load_saved, plan, propose, save
from gis.importing.mapping.wording import targets
from gis.importing.reading.spool import Reading
from layers.headings import fold, load_headings, load_units, unit_key
from layers.model import Layer
from layers.registry import load_layers
from tests.gis.importing.tables import table_of

Load = Callable[..., ImportResult]
LAYERS = load_layers()
ENTERPRISES, OUTFALLS, PARKS = LAYERS["enterprises"], LAYERS["outfalls"], LAYERS["parks"]

# A table as offices send it: stars for what must be filled in, remarks in brackets, widths and spaces mixed.
MESSY = {
    "序号": ["1", "2", "3"],
    "*企业编号（必填）": ["E-1", "E-2", "E-3"],
    " 单位名称 ": ["甲公司", "乙公司", "丙公司"],
    "统一社会信用代码（18位）": ["91330784704222681N", None, "91330000142924161N"],
    "行业类别": ["金属制品业", "化工", None],
    "国民经济行业代码": ["C3311", "C2614", "C33"],
    "排污许可管理类别": ["重点管理", "简化管理", "登记管理"],
    "所在乡镇（街道）": ["孝顺镇", "傅村镇", "孝顺镇"],
    "所属县（市、区）": ["金东区", "金东区", "金东区"],
    "生产经营场所地址": ["孝顺镇正涵北街1号", "傅村镇华丰路2号", None],
    "是否在营（是/否）": ["是", "否", "是"],
    "建成日期（年/月/日）": ["2019年3月5日", "2020/1/2", "2021-05-06"],
    "环评防护距离（米）": ["100", "50", None],
    "法人电话": ["1", "2", "3"],
}  # fmt: skip


def mapped(layer: Layer, reading: Reading, given: dict[str, str] | None = None) -> dict[str, str]:
    return dict(plan(layer, reading, given).mapping)


def offered(proposals: list[FieldProposal]) -> dict[str, str | None]:
    return {p.field: p.column for p in proposals if p.column is not None}


def test_a_messy_table_of_enterprises_is_mapped_without_asking() -> None:
    found = plan(ENTERPRISES, table_of(MESSY))
    assert dict(found.mapping) == {
        "ent_id": "*企业编号（必填）",
        "name": " 单位名称 ",
        "uscc": "统一社会信用代码（18位）",
        "industry_name": "行业类别",
        "industry_code": "国民经济行业代码",
        "permit_class": "排污许可管理类别",
        "township": "所在乡镇（街道）",
        "county": "所属县（市、区）",
        "address": "生产经营场所地址",
        "in_operation": "是否在营（是/否）",
        "built_on": "建成日期（年/月/日）",
        "eia_protection_distance_m": "环评防护距离（米）",
    }
    assert found.unmapped == ("序号", "法人电话")
    assert found.conversions == {}


def test_a_messy_table_of_outfalls_is_mapped_and_read() -> None:
    reading = table_of(
        {
            "入河排污口编码": ["ＯＦ－１", "OF-2"],
            "排污口名称": ["甲口", "乙口"],
            "企业名称": ["甲公司", "乙公司"],
            "排放口编号": ["dw001", "DW 002"],
            "设置性质": ["已建", "新设"],
            "排放去向": ["地表水体", "land"],
            "设计排放规模（万m³/d）": ["1.5", "２"],
            "同意日期": ["20240305", "2024.3.6"],
            "是否登记": ["√", "否"],
        }
    )
    found = plan(OUTFALLS, reading, {"registered": "是否登记"})
    assert found.unmapped == ("企业名称",)
    assert found.as_dict()["conversions"] == {"flow_m3_d": {"from": "万m³/d", "to": "m³/d"}}
    (batch,) = reading.batches()
    values, issues = found.apply(batch)
    assert {name: array.to_pylist() for name, array in values.items() if name != "approved_on"} == {
        "outfall_id": ["OF-1", "OF-2"],
        "name": ["甲口", "乙口"],
        "outfall_code": ["DW001", "DW002"],
        "kind": ["existing", "new"],
        "discharge_to": ["surface_water", "land"],
        "flow_m3_d": [15000.0, 20000.0],
        "registered": [True, False],
    }
    assert [str(day) for day in values["approved_on"].to_pylist()] == ["2024-03-05", "2024-03-06"]
    assert sorted((i.row, i.field, i.code, i.original) for i in issues) == [
        (0, "approved_on", "date_read", "20240305"),
        (0, "discharge_to", "code_translated", "地表水体"),
        (0, "flow_m3_d", "unit_converted", "1.5"),
        (0, "kind", "code_translated", "已建"),
        (0, "outfall_code", "value_normalised", "dw001"),
        (0, "outfall_id", "value_normalised", "ＯＦ－１"),
        (0, "registered", "value_normalised", "√"),
        (1, "approved_on", "date_read", "2024.3.6"),
        (1, "flow_m3_d", "unit_converted", "２"),
        (1, "kind", "code_translated", "新设"),
        (1, "outfall_code", "value_normalised", "DW 002"),
    ]
    assert {i.severity for i in issues} == {"repair"}


def test_what_the_importer_says_comes_before_what_was_saved_and_before_names() -> None:
    reading = table_of({"企业编号": ["1"], "名称": ["甲"], "简称": ["乙"], "别名": ["丙"]})
    assert mapped(ENTERPRISES, reading)["name"] == "名称"
    assert plan(ENTERPRISES, reading, saved={"name": "简称"}).mapping["name"] == "简称"
    assert plan(ENTERPRISES, reading, {"name": "别名"}, {"name": "简称"}).mapping["name"] == "别名"


def test_an_empty_column_leaves_a_field_out() -> None:
    reading = table_of({"ent_id": ["1"], "name": ["甲"], "note": ["乙"]})
    assert "note" not in mapped(ENTERPRISES, reading, {"note": ""})
    assert "note" not in plan(ENTERPRISES, reading, saved={"note": ""}).mapping


def test_a_column_or_field_that_does_not_exist_is_named() -> None:
    reading = table_of({"ent_id": ["1"], "name": ["甲"]})
    with pytest.raises(ImportRefused, match=r"has no column nom; it has ent_id, name") as caught:
        plan(ENTERPRISES, reading, {"name": "nom"})
    assert caught.value.reason == "mapped_column_missing"
    with pytest.raises(ImportRefused, match="has no field nombre; it has ent_id") as caught:
        plan(ENTERPRISES, reading, {"nombre": "name"})
    assert caught.value.reason == "mapped_field_unknown"


def test_a_required_field_without_a_column_refuses_the_file_and_names_the_likeliest() -> None:
    reading = table_of({"企业编号（内部）": ["E1", "E2"], "名称": ["甲", "乙"]})
    with pytest.raises(ImportRefused) as caught:
        plan(ENTERPRISES, reading)
    assert caught.value.reason == "required_column_missing"
    assert "--map ent_id=企业编号（内部）" in caught.value.text("zh")
    assert mapped(ENTERPRISES, reading, {"ent_id": "企业编号（内部）"})["ent_id"] == "企业编号（内部）"


def test_two_columns_for_one_field_are_asked_about_unless_they_say_the_same() -> None:
    two = {"ent_id": ["1", "2"], "name": ["甲", "乙"], "名称": ["甲", "丙"]}
    with pytest.raises(ImportRefused, match="name / 名称") as caught:
        plan(ENTERPRISES, table_of(two))
    assert caught.value.reason == "column_ambiguous"
    assert mapped(ENTERPRISES, table_of(two), {"name": "名称"})["name"] == "名称"
    assert plan(ENTERPRISES, table_of(two), saved={"name": "名称"}).mapping["name"] == "名称"
    same = {**two, "名称": [" 甲 ", "乙"]}
    assert mapped(ENTERPRISES, table_of(same))["name"] == "name"
    names = [str(i) for i in range(40_000)]
    late = {"ent_id": names, "name": names, "名称": [*names[:-1], "丙"]}
    with pytest.raises(ImportRefused, match="name / 名称"):
        plan(ENTERPRISES, table_of(late))


def test_the_layers_own_word_comes_before_the_vocabulary() -> None:
    reading = table_of({"ent_id": ["1"], "name": ["甲"], "乡镇": ["甲"], "乡镇（街道）": ["乙"]})
    assert mapped(ENTERPRISES, reading)["township"] == "乡镇（街道）"


def test_system_fields_are_ignored_and_told() -> None:
    wanted = {"uid": ["x"], "rev_from": [1], "role": ["admin"], "Approved": [True]}
    reading = table_of({"ent_id": ["1"], "name": ["甲"], **wanted})
    found = plan(ENTERPRISES, reading)
    assert set(found.mapping) == {"ent_id", "name"}
    assert [(n.row, n.value, n.severity) for n in found.notes if n.code == "system_column_ignored"] == [
        (FILE, "uid, rev_from, role, Approved", "warning")
    ]
    assert not {"uid", "role", "Approved"} & {p.column for p in propose(ENTERPRISES, reading)}


def test_what_a_row_states_of_itself_is_taken() -> None:
    reading = table_of({"ent_id": ["1"], "name": ["甲"], "定位精度（km）": ["0.5"], "is_indicative": ["是"]})
    found = plan(ENTERPRISES, reading)
    (batch,) = reading.batches()
    values, issues = found.apply(batch)
    assert values["accuracy_m"].to_pylist() == [500.0]
    assert values["is_indicative"].to_pylist() == [True]
    assert [i.code for i in issues] == ["unit_converted"]


def test_a_column_that_the_geometry_came_from_is_no_attribute() -> None:
    reading = table_of({"ent_id": ["1"], "name": ["甲"], "经度": ["120"], "纬度": ["29"]}, x="经度", y="纬度")
    assert plan(ENTERPRISES, reading).unmapped == ()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("占地面积", None),
        ("占地面积（亩）", None),
        ("占地面积(公顷)", "ha"),
        ("占地面积 单位：平方公里", "km²"),
        ("area_ha", "ha"),
        ("area_mu", None),
        ("占地面积/万平方米", "万m²"),
    ],
)
def test_the_unit_of_the_heading_decides_the_conversion(column: str, expected: str | None) -> None:
    found = plan(PARKS, table_of({"park_id": ["1"], "name": ["甲"], column: ["1"]}))
    assert found.mapping["area_mu"] == column
    assert found.as_dict()["conversions"] == ({"area_mu": {"from": expected, "to": "亩"}} if expected else {})


@pytest.mark.parametrize("column", ["占地面积（坪）", "占地面积（mg/L）", "占地面积 单位：畈"])
def test_a_unit_that_does_not_convert_is_never_taken_by_itself(column: str) -> None:
    reading = table_of({"park_id": ["1"], "name": ["甲"], column: ["1"]})
    assert "area_mu" not in mapped(PARKS, reading)
    told = plan(PARKS, reading, {"area_mu": column})
    assert [n.code for n in told.notes] == ["unit_unknown"]


def test_a_shapefiles_cut_names_are_known() -> None:
    reading = table_of(
        {"ent_id": ["1"], "name": ["甲"], "industry_c": ["C33"], "permit_cla": ["key"]}, format="shapefile"
    )
    assert mapped(ENTERPRISES, reading)["industry_code"] == "industry_c"
    assert mapped(ENTERPRISES, reading)["permit_class"] == "permit_cla"
    other = table_of({"ent_id": ["1"], "name": ["甲"], "industry_c": ["C33"]})
    assert "industry_code" not in mapped(ENTERPRISES, other)


def test_likeness_is_offered_and_not_applied() -> None:
    reading = table_of(
        {
            "ent_id": ["1", "2", "3", "4"],
            "name": ["甲", "乙", "丙", "丁"],
            "代码一": ["91330784704222681N", "91330000142924161N", "913307020000000018", None],
            "管理级": ["重点", "简化", "登记", "重点管理"],
            "所属镇": ["孝顺镇", "傅村镇", "曹宅镇", "东孝街道"],
        }
    )
    found = plan(ENTERPRISES, reading)
    assert set(found.mapping) == {"ent_id", "name"}
    offers = {o.field: o.column for o in found.offers}
    assert offers["permit_class"] == "管理级"
    assert offers["township"] == "所属镇"
    assert all(0.5 <= o.score < 0.97 and not o.certain and o.why_zh and o.why_en for o in found.offers)
    assert {n.value for n in found.notes if n.code == "column_offered"} == set(offers.values())


def test_values_speak_where_the_name_does_not() -> None:
    good = ["91330784704222681N", "91330000142924161N", "91110000802100433B", "91330200144056844T"]
    reading = table_of(
        {"ent_id": list("1234"), "name": list("甲乙丙丁"), "字段7": good, "字段8": list("abcd")}
    )
    found = {p.field: p for p in propose(ENTERPRISES, reading)}
    assert found["uscc"].column == "字段7"
    assert "100%" in found["uscc"].why_zh
    assert not found["uscc"].certain


def test_the_proposal_shows_codes_units_and_the_second_best() -> None:
    reading = table_of(
        {
            "ent_id": ["1", "2"],
            "name": ["甲", "乙"],
            "permit_class": ["重点", "不明"],
            "环评防护距离（千米）": ["1", "2"],
            "环评距离": ["1", "2"],
        }
    )
    found = {p.field: p for p in propose(ENTERPRISES, reading)}
    assert found["permit_class"].code_table == {"重点": "key", "不明": None}
    distance = found["eia_protection_distance_m"]
    assert (distance.column, distance.unit_from, distance.certain) == ("环评防护距离（千米）", "km", True)
    assert [column for column, _ in distance.others] == ["环评距离"]
    assert distance.as_dict()["field"] == "eia_protection_distance_m"


IN_ORDER = {
    "企业编号": ["1", "2"],
    "名称": ["甲", "乙"],
    "所属镇街道": ["孝顺镇", "傅村镇"],
    "镇": ["孝顺镇", "傅村镇"],
    "管理类": ["重点", "简化"],
    "类": ["重点", "简化"],
    "编号": ["1", "2"],
    "role": ["a", "b"],
}


@settings(max_examples=25, deadline=None)
@given(st.permutations(list(IN_ORDER)))
def test_the_order_of_columns_changes_nothing(order: list[str]) -> None:
    shuffled = table_of({name: IN_ORDER[name] for name in order})
    found, expected = plan(ENTERPRISES, shuffled), plan(ENTERPRISES, table_of(IN_ORDER))
    assert found.mapping == expected.mapping
    assert found.offers == expected.offers
    assert sorted(found.unmapped) == sorted(expected.unmapped)


NAME_PARTS = st.sampled_from(
    [
        "面积",
        "（亩）",
        "(",
        "）",
        "_",
        "/",
        "单位：",
        "公顷",
        "*",
        " ",
        "企业",
        "编号",
        "名称",
        "id",
        "\0row",
        "必填",
        "m³/d",
        "　",
    ]
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(NAME_PARTS | st.text(max_size=3), max_size=5).map("".join), max_size=6, unique=True))
def test_no_name_of_a_column_is_a_surprise(names: list[str]) -> None:
    reading = table_of({"ent_id": ["1"], "name": ["甲"], **{name: ["x"] for name in names}})
    given = {"ent_id": "ent_id", "name": "name"}
    found = plan(ENTERPRISES, reading, given)
    assert set(found.mapping.values()) | set(found.unmapped) == {"ent_id", "name", *names}
    assert len(set(found.mapping.values())) == len(found.mapping)
    (batch,) = reading.batches()
    assert found.apply(batch)[0].keys() == found.mapping.keys()


@pytest.mark.parametrize("layer", LAYERS.values(), ids=lambda layer: layer.id)
def test_every_layer_knows_its_own_names_and_titles(layer: Layer) -> None:
    by_name = table_of({f.name: ["x"] for f in layer.fields})
    assert mapped(layer, by_name) == {f.name: f.name for f in layer.fields}
    titles = {fold(f.title.zh): f for f in layer.fields}
    if len(titles) == len(layer.fields):
        by_title = table_of({f.title.zh: ["x"] for f in layer.fields})
        assert mapped(layer, by_title) == {f.name: f.title.zh for f in layer.fields}


def test_the_vocabulary_hangs_together() -> None:
    fields = {t.name for layer in LAYERS.values() for t in targets(layer)}
    for meaning in load_headings().meanings:
        assert set(meaning.fields) <= fields | {"code"}
        assert not {fold(n) for n in meaning.names} & {fold(h) for h in meaning.hints}
    assert load_units()["公顷"].to(load_units()["亩"]) == 15
    with pytest.raises(ValueError, match="mass a day"):
        load_units()["kg/d"].to(load_units()["t/a"])
    units = {field.unit for layer in LAYERS.values() for field in layer.fields if field.unit}
    assert {unit_key(unit) for unit in units} <= load_units().keys()


def test_every_finding_has_words() -> None:
    used = {
        "mapped_field_unknown", "mapped_column_missing", "required_column_missing", "column_ambiguous",
        "saved_column_gone", "system_column_ignored", "column_offered", "unit_unknown", "value_normalised",
        "code_translated", "date_read", "unit_converted", "date_ambiguous", "code_mangled",
    }  # fmt: skip
    assert used <= issue_words().keys()


def test_a_saved_mapping_is_used_and_a_column_that_is_gone_is_told(store: Engine) -> None:
    with connect(store, write=True) as conn:
        for name in ("survey", "other"):
            conn.execute(
                text("INSERT INTO core.sources (name, title_zh, title_en) VALUES (:n, :n, :n)"), {"n": name}
            )
        number = conn.scalar(text("SELECT source_id FROM core.sources WHERE name = 'survey'"))
        save(conn, number, "enterprises", {"ent_id": "号", "name": "厂名"}, "clerk")
        save(conn, number, "enterprises", {"ent_id": "号", "name": "厂名", "note": "说"}, "clerk")
    with connect(store) as conn:
        saved = load_saved(conn, "survey", "enterprises")
        assert (
            load_saved(conn, number, "enterprises") == saved == {"ent_id": "号", "name": "厂名", "note": "说"}
        )
        assert load_saved(conn, "other", "enterprises") == load_saved(conn, "survey", "outfalls") == {}
    found = plan(ENTERPRISES, table_of({"号": ["1"], "厂名": ["甲"], "备注": ["乙"]}), saved=saved)
    assert dict(found.mapping) == {"ent_id": "号", "name": "厂名", "note": "备注"}
    assert found.notes == (Issue(FILE, "note", "说", "saved_column_gone", "warning"),)


def test_a_million_rows_that_need_nothing_cost_little() -> None:
    n = 1_000_000
    numbers = pa.array(np.arange(n))
    texts = numbers.cast(pa.string())

    def turns(*words: str) -> pa.Array:
        return pa.array(words).take(pa.array(np.arange(n) % len(words)))

    reading = table_of(
        {
            "ent_id": texts,
            "name": turns("甲乙丙丁有限公司"),
            "industry_code": turns("C3311"),
            "permit_class": turns("key", "simplified"),
            "in_operation": turns("true", "false"),
            "built_on": turns("2024-03-05", "2024-03-06"),
            "plan_target": texts,
            "plan_seq": numbers,
        },
        batch_rows=65_536,
    )
    begun = time.process_time()
    found = plan(ENTERPRISES, reading)
    changed = sum(len(found.apply(batch)[1]) for batch in reading.batches())
    assert changed == 0
    assert time.process_time() - begun < 10.0


def test_an_import_keeps_its_mapping_for_the_sources_next_file(load: Load, store: Engine) -> None:
    given = {"code": "井号", "name": "叫什么"}
    load("wells", "井号,叫什么,类型,深度（厘米）,经度,纬度\n1,甲,大口井,150,120,29\n", mapping=given)
    load("wells", "井号,叫什么,类型,深度（厘米）,经度,纬度\n2,乙,管井,250,120,29\n")
    with connect(store) as conn:
        rows = conn.execute(text("SELECT code, name, kind, depth FROM layer.wells ORDER BY code")).all()
        told = conn.execute(
            text("SELECT field, value, code, severity, original FROM core.rejects ORDER BY reject_id")
        ).all()
    assert [tuple(row) for row in rows] == [("1", "甲", "dug", 1.5), ("2", "乙", "bored", 2.5)]
    assert sorted(tuple(row) for row in told) == [
        ("depth", "1.5 m（cm → m）", "unit_converted", "repair", "150"),
        ("depth", "2.5 m（cm → m）", "unit_converted", "repair", "250"),
        ("kind", "bored", "code_translated", "repair", "管井"),
        ("kind", "dug", "code_translated", "repair", "大口井"),
    ]
