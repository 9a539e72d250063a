"""Sentences say where, how much and how sure, in both languages."""

from __future__ import annotations

import pytest

from gis.screening.sentences import Met, missing_names, say
from layers.model import Text
from layers.registry import load_layers
from layers.rulemodel import Rule
from layers.rulepacks import load_packs

RULES = {rule.id: rule for pack in load_packs((), load_layers()).values() for rule in pack.rules}
NEAR = Met("杨溪", None, None, None, 340.0, 45.0, limit_m=500.0)
WITHIN = Met("杨溪", None, None, None, 0.0, None)


def _say(rule: Rule, verdict: str, met: Met | None, **facts: object) -> Text:
    given = {"margin_m": None, "error_m": None, "on_boundary": False, "missing": (), **facts}
    return say(rule, verdict, met, **given)  # type: ignore[arg-type]


def test_a_near_zone_is_told_with_direction_limit_and_its_nature() -> None:
    said = _say(RULES["DW-13"], "conflict", NEAR, margin_m=160.0, error_m=20.0)
    assert (
        said.en
        == "Lies 340 m north-east of “杨溪” (limit 500 m, operational, not statutory). Position error 20 m."
    )
    assert said.zh == "位于“杨溪”东北侧 340 m（限值 500 m，运营参数，非法定）。定位误差 20 m。"


def test_a_point_inside_is_told_with_its_depth() -> None:
    said = _say(RULES["DW-01"], "conflict", WITHIN, margin_m=14.2, error_m=10.0)
    assert said.en == "Lies inside “杨溪”, 14 m from its boundary. Position error 10 m."


def test_an_edge_calls_for_a_survey_with_both_numbers() -> None:
    said = _say(RULES["DW-01"], "edge", WITHIN, margin_m=14.2, error_m=20.0)
    assert said.en.endswith(
        "It is 14 m from the deciding limit, within the position error of 20 m: survey needed."
    )
    assert said.zh.endswith("距判定界线 14 m，不超过定位误差 20 m：需现场测量。")


def test_a_mere_touch_is_left_to_a_person() -> None:
    said = _say(RULES["DW-01"], "edge", WITHIN, margin_m=0.0, error_m=0.0, on_boundary=True)
    assert said.en == "Lies on the boundary of “杨溪”. It merely touches the boundary; a person must decide."


def test_an_overlap_is_told_in_square_metres_and_share() -> None:
    met = Met("杨溪", 1234.4, None, 0.123, 0.0, None, more=2)
    assert (
        _say(RULES["LS-01"], "conflict", met).en
        == "Overlaps “杨溪” and 2 more by 1,234 m² (12.3% of the site)."
    )


def test_what_is_missing_is_named_in_words() -> None:
    names = missing_names(["discharges_pollutants", "water_source_zones.accuracy_m", "coverage"], {})
    said = _say(RULES["DW-06"], "unknown", WITHIN, margin_m=5.0, missing=names)
    assert said.zh.endswith("缺少：discharges_pollutants、定位精度、图层覆盖范围，无法判断。")


@pytest.mark.parametrize(
    ("distance", "words"), [(0.01, "<0.1 m"), (3.14, "3.1 m"), (999.6, "1,000 m"), (12_345.0, "12.3 km")]
)
def test_lengths_are_rounded_to_what_matters(distance: float, words: str) -> None:
    met = Met("甲", None, None, None, distance, None)
    assert f"Lies {words} from" in _say(RULES["DW-13"], "conflict", met).en


def test_lying_outside_is_told_by_share() -> None:
    assert _say(RULES["LS-05"], "conflict", None, outside_share=0.25).zh == "地块有 25.0% 位于区域之外。"
