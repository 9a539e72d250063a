"""The register says who the data come from; the health card says whether they keep what they promise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from gis.db import connect
from gis.errors import NotFound, QueryError
from gis.health import HealthCard, cards
from gis.importing import ImportResult
from gis.revisions import head, revert
from gis.rhythms import parse_rhythm, rhythm_span, rhythm_words
from gis.settings import MapDefinition
from gis.sources import list_sources, promise, provenance, set_source, show_source
from gis.tables import table_for

Load = Callable[..., ImportResult]
ROWS = "code,name,kind,lon,lat\n1,甲,dug,120.01,28.9\n2,乙,bored,120.02,28.9\n"
SQUARE = '"POLYGON((120.0 28.9,120.01 28.9,120.01 28.91,120.0 28.91,120.0 28.9))"'
# The whole west of the district: longitudes 118.5 to 120 of 118.5 to 121.5.
WEST = 'wkt\n"POLYGON((100 20,120 20,120 40,100 40,100 20))"\n'


@pytest.mark.parametrize(
    ("given", "kept", "days", "zh"),
    [
        ("monthly", "P1M", 30.4, "每月"),
        ("每年", "P1Y", 365.2, "每年"),
        ("pt6h", "PT6H", 0.25, "每 6 小时"),
        ("P1DT12H", "P1DT12H", 1.5, "每 1 天 12 小时"),
        ("P2W", "P2W", 14, "每 2 周"),
    ],
)
def test_a_rhythm_is_a_duration_in_words(given: str, kept: str, days: float, zh: str) -> None:
    assert parse_rhythm(given) == kept
    span = rhythm_span(kept)
    assert span is not None and span / timedelta(days=1) == pytest.approx(days, abs=0.1)
    assert rhythm_words(kept).zh == zh


@pytest.mark.parametrize("wrong", ["", "P", "PT", "P1", "often", "PT1S", "P1H", "-P1D", "P1.5D"])
def test_what_is_no_rhythm_is_refused(wrong: str) -> None:
    with pytest.raises(QueryError, match="is not a rhythm"):
        parse_rhythm(wrong)


def test_irregular_is_a_promise_without_a_length() -> None:
    assert parse_rhythm("不定期") == "irregular" and rhythm_span("irregular") is None
    assert rhythm_words("irregular").en == "irregular"


def test_the_register_keeps_what_is_stated(store: Engine, small_map: MapDefinition, load: Load) -> None:
    load("wells", ROWS)
    stated = {"title_zh": "水利局水井", "bureau": "水利局", "contact": "李工 0579", "rhythm": "每月",
              "accuracy_m": 5.0}  # fmt: skip
    with connect(store, write=True) as conn:
        set_source(conn, "survey", stated)
        set_source(conn, "survey", {"contact": ""})
        promise(conn, "survey", small_map.layers["wells"], expected_rows=2)
        promise(conn, "survey", small_map.layers["wells"], rhythm="yearly")
    with connect(store) as conn:
        found = show_source(conn, small_map, "survey")
    assert (found.title_zh, found.title_en, found.bureau) == ("水利局水井", "survey", "水利局")
    assert (found.contact, found.rhythm, found.accuracy_m) == (None, "P1M", 5.0)
    (wells,) = found.layers
    assert (wells.layer, wells.rows, wells.expected_rows, wells.rhythm) == ("wells", 2, 2, "P1Y")
    assert wells.confirmed_at is not None and not wells.has_coverage


def test_an_unknown_source_is_refused_unless_it_shall_be_made(
    store: Engine, small_map: MapDefinition
) -> None:
    with connect(store, write=True) as conn:
        with pytest.raises(NotFound, match="There is no source 'nobody'"):
            set_source(conn, "nobody", {"bureau": "局"})
        with pytest.raises(NotFound):
            promise(conn, "nobody", small_map.layers["wells"], expected_rows=1)
        set_source(conn, "somebody", {"bureau": "局"}, create=True)
        with pytest.raises(QueryError):
            set_source(conn, "somebody", {"accuracy_m": -1.0})
        assert [s.name for s in list_sources(conn, small_map)] == ["somebody"]


def test_a_row_knows_its_source_and_its_run(store: Engine, small_map: MapDefinition, load: Load) -> None:
    first = load("wells", ROWS)
    load("wells", ROWS.replace("乙", "丙"), source="other")
    wells = small_map.layers["wells"]
    with connect(store) as conn:
        one, two = (provenance(conn, small_map, wells, uid) for uid in "12")
        before = provenance(conn, small_map, wells, "2", rev=first.change.rev)
        with pytest.raises(NotFound):
            provenance(conn, small_map, wells, "3")
    assert (before.source, before.file, before.rev) == ("survey", "wells-survey.csv", first.change.rev)
    assert (two.source, two.file, two.kind) == ("other", "wells-other.csv", "import")
    assert one.source in ("survey", "other") and before.run_id is not None and two.run_id != before.run_id


def test_a_reverted_row_comes_from_the_revert(store: Engine, small_map: MapDefinition, load: Load) -> None:
    load("wells", ROWS)
    load("wells", ROWS.replace("乙", "丙"))
    wells = small_map.layers["wells"]
    with connect(store, write=True) as conn:
        revert(conn, head(conn), [table_for(wells, 4490)], who="me")
    with connect(store) as conn:
        found = provenance(conn, small_map, wells, "2")
    assert (found.kind, found.who, found.run_id, found.file) == ("revert", "me", None, None)


# --- health -----------------------------------------------------------------------------------------------


def card(store: Engine, small_map: MapDefinition, layer: str, **at: object) -> HealthCard:
    with connect(store) as conn:
        (found,) = cards(conn, small_map, only=layer, now=datetime.now(UTC) + timedelta(**at))  # type: ignore[arg-type]
    return found


def codes(found: HealthCard) -> list[str]:
    return [reason.code for reason in found.reasons]


def stated(store: Engine, rhythm: str = "P1M", **more: object) -> None:
    with connect(store, write=True) as conn:
        set_source(conn, "survey", {"rhythm": rhythm, **more}, create=True)


def test_without_data_and_without_promise_nothing_is_green(
    store: Engine, small_map: MapDefinition, load: Load
) -> None:
    found = card(store, small_map, "wells")
    assert (found.state, codes(found), found.rows) == ("grey", ["empty"], 0)
    load("wells", ROWS)
    found = card(store, small_map, "wells")
    assert (found.state, codes(found), found.rows) == ("grey", ["rhythm_unknown"], 2)
    assert found.reasons[0].en == "survey promises no update rhythm"


def test_age_is_held_against_the_promised_rhythm(store: Engine, small_map: MapDefinition, load: Load) -> None:
    load("wells", ROWS)
    stated(store)
    expected = {0: ("green", ["as_promised"]), 32: ("green", ["as_promised"]), 40: ("amber", ["late"]),
                70: ("red", ["overdue"])}  # fmt: skip
    for days, (state, reasons) in expected.items():
        found = card(store, small_map, "wells", days=days)
        assert (found.state, codes(found)) == (state, reasons), days
        assert found.confirmed_at is not None
        assert found.due_at == found.confirmed_at + (rhythm_span("P1M") or timedelta())
    stated(store, "irregular")
    assert card(store, small_map, "wells", days=4000).state == "green"


def test_a_run_without_change_confirms(store: Engine, small_map: MapDefinition, load: Load) -> None:
    load("wells", ROWS)
    stated(store)
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE core.import_runs SET at = at - interval '40 days'"))
    assert card(store, small_map, "wells").state == "amber"
    assert load("wells", ROWS).change.rev is None
    assert card(store, small_map, "wells").state == "green"


def test_rows_are_held_against_the_expected(store: Engine, small_map: MapDefinition, load: Load) -> None:
    load("wells", ROWS)
    stated(store)
    cases = {2: ("green", "as_promised"), 3: ("amber", "few_rows"), 5: ("red", "hardly_any_rows"),
             1: ("amber", "many_rows")}  # fmt: skip
    for expected, (state, code) in cases.items():
        with connect(store, write=True) as conn:
            promise(conn, "survey", small_map.layers["wells"], expected_rows=expected)
        found = card(store, small_map, "wells")
        assert (found.state, codes(found), found.expected_rows) == (state, [code], expected)


def test_refused_rows_stay_open_until_they_are_mended(
    store: Engine, small_map: MapDefinition, load: Load
) -> None:
    stated(store)
    load("wells", ROWS + "3,丁,nonsense,120.01,28.9\n")
    found = card(store, small_map, "wells")
    assert (found.state, codes(found), found.open_rejects) == ("amber", ["rejects"], 1)
    load("wells", ROWS + "3,丁,dug,120.01,28.9\n")
    assert card(store, small_map, "wells").state == "green"


def test_unknown_accuracy_is_amber_and_known_is_told(
    store: Engine, small_map: MapDefinition, load: Load
) -> None:
    stated(store)
    load("wells", "code,kind,lon,lat,accuracy_m\n1,dug,120,28.9,3\n2,dug,120.1,28.9,50\n3,dug,120.2,28.9,4\n")
    found = card(store, small_map, "wells")
    assert (found.accuracy.worst_m, found.accuracy.typical_m, found.accuracy.unknown_share) == (50, 4, 0)
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE layer.wells SET accuracy_m = NULL WHERE uid = '2'"))
        conn.execute(text("UPDATE core.revisions SET at = at + interval '1 second'"))  # forget what is kept
    found = card(store, small_map, "wells")
    assert codes(found) == ["accuracy_unknown"] and found.accuracy.unknown_share == pytest.approx(1 / 3)
    assert found.reasons[0].zh == "33% 的位置精度未知"


def test_a_zone_layer_wants_a_coverage(
    store: Engine, small_map: MapDefinition, load: Load, tmp_path: Path
) -> None:
    stated(store)
    load("pads", f"code,strict,wkt\nA,true,{SQUARE}\n")
    found = card(store, small_map, "pads")
    assert ("coverage_missing" in codes(found), found.coverage_share) == (True, None)
    (tmp_path / "west.csv").write_text(WEST, encoding="utf-8")
    load("pads", f"code,strict,wkt\nA,true,{SQUARE}\n", coverage=tmp_path / "west.csv")
    found = card(store, small_map, "pads")
    assert found.state == "green"
    # 1.5 of 3 degrees: half, but for the curvature of the parallels, which is the same on both sides.
    assert found.coverage_share == pytest.approx(0.5, abs=1e-4)


def test_the_worst_reason_decides_and_each_source_answers_for_itself(
    store: Engine, small_map: MapDefinition, load: Load
) -> None:
    load("wells", ROWS)
    load("wells", "code,kind,lon,lat\n9,dug,120.3,28.9\n", source="other")
    stated(store)
    found = card(store, small_map, "wells", days=90)
    assert found.state == "red" and codes(found) == ["overdue", "rhythm_unknown"]
    assert [(s.name, s.rows) for s in found.sources] == [("survey", 2), ("other", 1)]
