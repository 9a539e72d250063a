import json
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from layers.model import DefinitionError, Layer
from layers.registry import SHIPPED, load_layers
from layers.rulemodel import capped
from layers.rulepacks import RulePack, load_packs, rulepack_schema
from layers.vocabulary import read_toml

PACK = SHIPPED / "rules" / "cn-zhejiang"
GROUPS = {
    "DW": 15, "RL": 8, "NR": 5, "HF": 6, "ZC": 9, "LS": 6, "RV": 8, "NS": 4, "SR": 7, "OF": 6, "ZD": 3,
    "PK": 2, "AQ": 1,
}  # fmt: skip
# What the list of rules cites, whether or not a rule does.
CITED = """
C66 C67 C1234 C60 C59 C105 C163 C164 C184 C207 C208 C1119 C249 C250 C275 C276 C277 C298 C301 C317 C318
C319 C320 C321 C1145 C1109 C329 C427 C445 C481 C1179 C566 C553 C766 C751 C749 C861 ZRBH N142 N142M TDF35
JBNT17 UGB ZJYY21 ZJYY22 ZJYY23 ZJYY24 ZJSW15 ZJSW36 JHSH24 JHSH13 JHSH16 ZJHD18 ZJHD25 ZJHD34 CJ26 FMQD
PWK35 XQ11 HJ22 GBT39499 HF82 GWLM GB3096 H45 GB3095Z
""".split()


@pytest.fixture(scope="module")
def layers() -> Mapping[str, Layer]:
    return load_layers()


@pytest.fixture(scope="module")
def pack(layers: Mapping[str, Layer]) -> RulePack:
    return load_packs([], layers)["cn-zhejiang"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the shipped pack under other ids."""
    folder = tmp_path / "rules" / "other"
    shutil.copytree(PACK, folder)
    for path in [*folder.glob("*.toml"), *folder.glob("fixtures/*.toml")]:
        text = path.read_text().replace('id = "cn-zhejiang"', 'id = "other"')
        for group in GROUPS:
            text = text.replace(f'"{group}-', f'"X{group}-')
        path.write_text(text)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def articles(pack: RulePack, rule: str, law_date: date) -> list[str]:
    return [r.citation("zh") for r in pack.cite(pack.rule(rule).legal, law_date)]


def test_the_groups_have_their_80_rules_in_group_order(pack: RulePack) -> None:
    counts: dict[str, int] = {}
    for rule in pack.rules:
        counts[rule.group] = counts.get(rule.group, 0) + 1
        assert rule.id.startswith(rule.group + "-")
    assert sum(counts.values()) == 80
    assert list(counts.items()) == list(GROUPS.items())
    assert {rule.id for rule in pack.rules if not rule.enabled} == {"RV-05", "RV-06", "RV-07"}


def test_every_article_that_the_rules_may_cite_is_there_with_its_dates(pack: RulePack) -> None:
    assert len(CITED) == 66
    assert set(CITED) <= set(pack.references)
    undated = [r.key for r in pack.references.values() if not r.dates_confirmed]
    assert all("待核对" in pack.references[key].dates_source.zh for key in undated)


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("NS-01", "噪声污染防治法第35条", "生态环境法典第566条"),
        ("SR-05", "大气污染防治法第81条", "生态环境法典第250条"),
        ("OF-05", "水污染防治法第22条", "生态环境法典第163条"),
        ("OF-06", "水污染防治法第23条", "生态环境法典第184条"),
        ("RV-01", "河道管理条例第24条", "生态环境法典第751条"),
    ],
)
def test_a_new_group_is_cited_the_law_of_its_day(pack: RulePack, rule: str, before: str, after: str) -> None:
    old, new = articles(pack, rule, date(2026, 8, 14)), articles(pack, rule, date(2026, 8, 15))
    assert before in old and after not in old
    assert after in new and before not in new


def test_the_air_standard_changed_before_the_code(pack: RulePack) -> None:
    assert [r.key for r in pack.cite(["GB3095Z"], date(2026, 2, 28))] == ["GB3095Z-2012"]
    assert [r.key for r in pack.cite(["GB3095Z"], date(2026, 3, 1))] == ["GB3095Z"]


def test_a_project_of_2024_is_cited_the_law_of_2024(pack: RulePack) -> None:
    assert "水污染防治法第66条" in articles(pack, "DW-05", date(2024, 6, 1))
    assert "生态环境法典第320条" not in articles(pack, "DW-05", date(2024, 6, 1))


def test_a_project_of_september_2026_is_cited_the_code(pack: RulePack) -> None:
    assert "生态环境法典第320条" in articles(pack, "DW-05", date(2026, 9, 1))
    assert "水污染防治法第66条" not in articles(pack, "DW-05", date(2026, 9, 1))


@pytest.mark.parametrize("key", ["C318", "C207", "C427", "C481", "C60"])
def test_the_code_takes_over_from_one_day_to_the_next(pack: RulePack, key: str) -> None:
    before = pack.cite([key], date(2026, 8, 14))
    after = pack.cite([key], date(2026, 8, 15))
    assert [r.key for r in after] == [key]
    assert [r.key for r in before] == list(pack.references[key].replaces)


def test_nature_reserves_are_cited_the_regulations_of_their_day(pack: RulePack) -> None:
    assert articles(pack, "NR-01", date(2026, 3, 14)) == [f"自然保护区条例第{n}条" for n in (18, 27, 32)]
    assert articles(pack, "NR-01", date(2026, 3, 15)) == ["自然保护区条例第26–27条"]
    assert articles(pack, "NR-01", date(2026, 8, 15)) == ["自然保护区条例第26–27条", "生态环境法典第861条"]


def test_an_article_without_predecessor_is_no_law_before_its_day(pack: RulePack) -> None:
    assert articles(pack, "ZC-08", date(2026, 8, 14)) == []
    assert not pack.has_basis(pack.rule("ZC-08").legal, date(2026, 8, 14))
    assert pack.has_basis(pack.rule("ZC-08").legal, date(2026, 8, 15))


def test_a_step_of_procedure_is_no_legal_basis_for_a_ban(pack: RulePack) -> None:
    rule, law_date = pack.rule("ZC-01"), date(2024, 6, 1)
    assert [r.key for r in pack.cite(rule.legal, law_date)] == ["JSXM11-2017"]
    assert not pack.has_basis(rule.legal, law_date)


def test_a_rule_that_rests_on_a_penalty_clause_only_has_that_as_its_basis(pack: RulePack) -> None:
    assert pack.has_basis(pack.rule("RL-07").legal, date(2026, 9, 1))
    assert not pack.has_basis(pack.rule("RL-07").legal, date(2024, 6, 1))


def test_a_law_cited_through_two_keys_is_cited_once(pack: RulePack) -> None:
    keys = [r.key for r in pack.cite(["C861", "ZRBH"], date(2024, 6, 1))]
    assert keys == ["ZRBH18-1994", "ZRBH27-1994", "ZRBH32-1994"]


def test_dates_from_memory_are_marked_unconfirmed(pack: RulePack) -> None:
    confirmed = {r.law.zh for r in pack.references.values() if r.dates_confirmed}
    decree = "入河排污口监督管理办法（生态环境部令第35号）"
    assert confirmed == {"生态环境法典", "自然保护区条例", decree, "GB 3095-2026 环境空气质量标准"}
    assert not pack.references["SW66-2017"].dates_confirmed
    assert pack.references["SW66-2017"].valid_to == date(2026, 8, 14)


def test_citations_read_in_both_languages(pack: RulePack) -> None:
    assert pack.references["C320"].citation("en") == "Ecological and Environmental Code, article 320"
    assert pack.references["N142"].citation("zh").endswith("142号）一（一）")
    assert pack.references["N142"].citation("en").endswith("142), section 1(1)")
    assert pack.references["UGB"].citation("zh").endswith("193号）")
    english = [r.citation("en") + r.text.en + r.law.en for r in pack.references.values()]
    assert all(text.isascii() or "–" in text for text in english)


def test_no_operational_distance_is_more_severe_than_review(pack: RulePack) -> None:
    operational = [rule for rule in pack.rules if rule.predicate.is_statutory is False]
    assert {rule.id for rule in operational} == {
        "DW-13", "DW-14", "RL-08", "NR-05", "LS-06", "RV-07", "SR-02", "SR-04", "OF-01", "OF-02", "OF-04",
    }  # fmt: skip
    assert all(capped(rule.severity) == rule.severity for rule in operational)


def test_a_cap_never_makes_a_severity_worse() -> None:
    assert [capped(s) for s in ("prohibited", "restricted", "review", "notice")] == [
        "review",
        "review",
        "review",
        "notice",
    ]


def test_every_rule_has_a_hit_and_a_clear_fixture(pack: RulePack) -> None:
    verdicts: dict[str, set[str]] = {rule.id: set() for rule in pack.rules}
    for fixture in pack.fixtures:
        verdicts[fixture.rule].add(fixture.expect.verdict)
    assert {rule for rule, seen in verdicts.items() if not {"conflict", "clear"} <= seen} == set()
    assert {rule for rule, seen in verdicts.items() if not {"edge", "unknown"} & seen} == set()


def test_the_json_schema_is_current_and_fits_every_shipped_file() -> None:
    stored = json.loads((SHIPPED / "rulepack.schema.json").read_text(encoding="utf-8"))
    assert stored == rulepack_schema()
    validator = jsonschema.Draft202012Validator(stored, format_checker=jsonschema.FormatChecker())
    for path in PACK.rglob("*.toml"):
        raw = json.loads(json.dumps(read_toml(path), default=str))
        assert list(validator.iter_errors(raw)) == [], path.name


def test_the_json_schema_refuses_a_misspelt_key() -> None:
    raw = read_toml(PACK / "pack.toml")
    raw["titel"] = raw.pop("title")
    assert list(jsonschema.Draft202012Validator(rulepack_schema()).iter_errors(raw))


def test_a_pack_from_an_outside_folder_is_loaded_beside_the_shipped_one(
    copy: Path, layers: Mapping[str, Layer]
) -> None:
    packs = load_packs([copy], layers)
    assert set(packs) == {"cn-zhejiang", "other"}
    assert packs["other"].rule("XDW-05").zone_layer == "water_source_zones"


def test_the_hash_of_a_rule_follows_its_law_and_its_tables_and_nothing_else(
    copy: Path, layers: Mapping[str, Layer]
) -> None:
    folder = copy / "rules" / "other"
    before = load_packs([copy], layers)["other"]
    edit(folder / "legal" / "water-pollution-law.toml", "2026-08-14", "2026-08-13")
    edit(folder / "tables.toml", "煤焦油", "煤焦油等")
    after = load_packs([copy], layers)["other"]
    changed = {r.id for r in before.rules if after.rule(r.id).hash != r.hash}
    assert {"XDW-05", "XHF-01"} <= changed
    assert not {"XRL-03", "XZC-01", "XHF-04"} & changed
    assert before.hash != after.hash


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("DW.toml", '"water_source_zones"', '"water_zones"', "water_source_zones"),
        ("DW.toml", "grade = [", "grad = [", "grade"),
        ("DW.toml", '["1", "2"]', '["1", "3"]', "'3' does not exist"),
        ("DW.toml", '"C318"', '"C3180"', "C318"),
        ("DW.toml", '"outfalls"', '"outfall"', "outfalls"),
        ("DW.toml", "water_supply_related = false", 'water_supply_related = "no"', "boolean"),
        ("DW.toml", 'op = "intersects"', 'op = "touches"', "touches"),
        ("DW.toml", 'op = "intersects"', 'op = "attribute"', "has no zones"),
        ("DW.toml", "distance_m = 500", 'attribute = "grade"', "distance_m"),
        ("RL.toml", "{is_core_reserve = false}", "{is_core_reserve = {none = true}}", "None is no value"),
        (
            "DW.toml", '{op = "dwithin", distance_m = 500,',
            '{op = "dwithin_stated", attribute = "eia_protection_distance_m", at_most_m = 90000,', "field",
        ),
        (
            "RL.toml", '{op = "dwithin", distance_m = 100,',
            '{op = "dwithin_stated", attribute = "eia_protection_distance_m", at_most_m = 500,', "beyond",
        ),
        (
            "DW.toml", '{op = "dwithin", distance_m = 500,',
            '{op = "dwithin_by", attribute = "grade", distances_m = {1 = 100}, ', "sets the distance",
        ),
        ("DW.toml", 'group = "DW"', 'group = "WD"', "Group 'WD'"),
        ("DW.toml", 'id = "XDW-02"', 'id = "XDW-01"', "exists already"),
        ("DW.toml", "distance_m = 500", "distance_m = -1", "greater than or equal"),
        ("HF.toml", '"law_date"', '"today"', "today"),
        ("HF.toml", 'tables = ["fuel_catalogue"]', 'tables = ["fuels"]', "fuel"),
        ("LS.toml", 'review"\nlegal = ["C427"]', 'prohibited"\nlegal = ["C427"]', "no law states"),
        ("legal/eco-code.toml", '["SW66-2017"]', '["SW66-2008"]', "SW66-2017"),
        ("legal/soil-law.toml", "valid_from = 2019-01-01", "valid_from = 2027-01-01", "not older"),
        ("tables.toml", 'legal = ["GWLM"]', 'legal = ["GWL"]', "GWLM"),
        ("fixtures/DW-01-07.toml", 'rule = "XDW-01"', 'rule = "XDW-99"', "XDW-99"),
    ],
)  # fmt: skip
def test_a_wrong_pack_is_refused_with_the_file_and_the_remedy(
    copy: Path, layers: Mapping[str, Layer], file: str, old: str, new: str, says: str
) -> None:
    edit(copy / "rules" / "other" / file, old, new)
    with pytest.raises(DefinitionError) as refused:
        load_packs([copy], layers)
    assert file.rsplit("/")[0].removesuffix(".toml") in str(refused.value.path)
    assert says in str(refused.value)
    assert refused.value.remedy


def test_a_rule_id_of_another_pack_is_refused(copy: Path, layers: Mapping[str, Layer]) -> None:
    edit(copy / "rules" / "other" / "NR.toml", 'id = "XNR-01"', 'id = "NR-01"')
    for path in (copy / "rules" / "other" / "fixtures").glob("*.toml"):
        path.unlink()
    with pytest.raises(DefinitionError, match="NR-01 is in pack 'cn-zhejiang'"):
        load_packs([copy], layers)


DISTRICT = """
[[access_lists.rows]]
code = "U7-plating"
confidence = "S"
zh = "电镀"
en = "Plating"
zone = {unit_code = "U7"}
subject = {industry_code = {prefix = ["C336"]}}
[heavy_polluters]
replace = true
complete = true
rows = [{code = "1", confidence = "S", zh = "纸", en = "x", subject = {industry_code = {prefix = ["C22"]}}}]
"""


@pytest.fixture
def district(tmp_path: Path) -> Path:
    """A folder of a district with rows of its own for two tables of the shipped pack."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "cn-zhejiang.toml").write_text(DISTRICT, encoding="utf-8")
    return tmp_path


def test_a_district_adds_rows_to_a_table_or_replaces_them(
    district: Path, pack: RulePack, layers: Mapping[str, Layer]
) -> None:
    own = load_packs([district], layers)["cn-zhejiang"]
    rows = [row.code for row in own.tables["access_lists"].rows]
    assert rows == [*(row.code for row in pack.tables["access_lists"].rows), "U7-plating"]
    heavy = own.tables["heavy_polluters"]
    assert ([row.code for row in heavy.rows], heavy.complete) == (["1"], True)
    assert own.tables["fuel_catalogue"] == pack.tables["fuel_catalogue"]
    changed = {rule.id for rule in pack.rules if own.rule(rule.id).hash != rule.hash}
    assert (changed, own.hash == pack.hash) == ({"ZC-01", "DW-08"}, False)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[[access_lists.rows]]", "[[access_list.rows]]", "access_lists"),
        ("unit_code", "unit_no", "unit_no"),
        ("industry_code", "trade", "trade"),
        ('code = "U7-plating"', 'code = "urban-tier3"', "a code twice"),
        ("rows = [{", 'legal = ["C1"]\nrows = [{', "C1"),
        ("rows = [{", "row = [{", "row"),
    ],
)  # fmt: skip
def test_a_wrong_table_of_a_district_is_refused(
    district: Path, layers: Mapping[str, Layer], old: str, new: str, says: str
) -> None:
    edit(district / "tables" / "cn-zhejiang.toml", old, new)
    with pytest.raises(DefinitionError, match=says):
        load_packs([district], layers)


def test_the_ten_permitted_activities_are_those_of_the_table(pack: RulePack) -> None:
    codes = tuple(row.code for row in pack.tables["limited_activities"].rows)
    assert pack.rule("RL-03").subject_where == {"redline_activity_class": codes}
    assert len(codes) == 10
