"""A layer, its rule and its data come from a folder; a district lies anywhere. No line of code knows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mapbox_vector_tile
import pytest
import shapely
from fastapi.testclient import TestClient
from pyproj import Geod, Transformer
from sqlalchemy import text

from api.app import create_app
from gis import tables
from gis.db import connect
from gis.revisions import head, revert
from gis.screening.answer import screen
from gis.screening.conflicts import judged_up_to, refresh, summary, totals
from gis.screening.request import ScreenRequest
from gis.tiles import tile_at, vector_tile
from tests.system.conftest import OpenMap

PAD = 'code,strict,wkt\nA,true,"POLYGON((120.0 28.9,120.01 28.9,120.01 28.91,120.0 28.91,120.0 28.9))"\n'
WELLS = (
    "code,name,kind,depth,lon,lat\n"
    "IN,里,dug,3,120.005,28.905\nOUT,外,dug,3,120.05,28.905\nRIM,边,dug,3,120.01,28.905\n"
)
COVERAGE = 'wkt\n"POLYGON((119.5 28.5,120.5 28.5,120.5 29.3,119.5 29.3,119.5 28.5))"\n'


@pytest.fixture
def wells(open_map: Callable[[Path], OpenMap], jinhua_with_wells: Path) -> OpenMap:
    """Three wells and a pad in the shipped district, not judged yet."""
    opened = open_map(jinhua_with_wells)
    coverage = opened.folder / "coverage.csv"
    coverage.write_text(COVERAGE, encoding="utf-8")
    opened.load("pads", "pads.csv", PAD, crs="EPSG:4490", coverage=coverage)
    opened.load("wells", "wells.csv", WELLS, crs="EPSG:4490")
    return opened


def _conflicts(opened: OpenMap, rev: int | None = None) -> dict[str, tuple[str, str]]:
    alive = "rev_to IS NULL" if rev is None else f"rev_from <= {rev} AND (rev_to IS NULL OR rev_to > {rev})"
    with connect(opened.engine) as conn:
        rows = conn.execute(text(f"SELECT subject_uid, verdict, severity FROM layer.conflicts WHERE {alive}"))
        return {row.subject_uid: (row.verdict, row.severity) for row in rows}


def test_a_layer_from_a_folder_has_table_view_and_conflicts(wells: OpenMap) -> None:
    refresh(wells.engine, wells.definition)
    assert _conflicts(wells) == {"IN": ("conflict", "prohibited"), "RIM": ("edge", "prohibited")}
    with connect(wells.engine) as conn:
        found = totals(conn, wells.definition).by_rule
        assert found == {("WL-01", "conflict", "prohibited"): 1, ("WL-01", "edge", "prohibited"): 1}
        assert conn.scalar(text("SELECT count(*) FROM now.wells WHERE source = 'survey'")) == 3


def test_a_conflict_names_the_revision_and_the_rule_it_was_judged_by(wells: OpenMap) -> None:
    refresh(wells.engine, wells.definition)
    rule = wells.definition.packs["wells"].rule("WL-01")
    with connect(wells.engine) as conn:
        row = conn.execute(text("SELECT judged_rev, rule_hash, article FROM now.conflicts LIMIT 1")).one()
    assert tuple(row) == (2, rule.hash, "测试规章第1条")


def test_a_coarsely_placed_subject_is_edge_once_never_conflict_or_clear(wells: OpenMap) -> None:
    township = "code,name,kind,depth,lon,lat\nFAR,乡,dug,3,120.05,28.905\nMID,镇,dug,3,120.005,28.905\n"
    wells.load("wells", "coarse.csv", township, crs="EPSG:4490", accuracy_m=12_000.0, source="plan")
    refresh(wells.engine, wells.definition)
    found = _conflicts(wells)
    assert (found["FAR"], found["MID"]) == (("edge", "prohibited"), ("edge", "prohibited"))
    with connect(wells.engine) as conn:
        rows = conn.execute(
            text("SELECT uid, zone_uid, missing FROM now.conflicts WHERE subject_uid = 'FAR'")
        ).all()
    assert [tuple(row) for row in rows] == [("wells/FAR||edge", None, "accuracy_m")]


def test_a_layer_from_a_folder_is_drawn(wells: OpenMap) -> None:
    layer = wells.definition.layers["wells"]
    with connect(wells.engine) as conn:
        data = vector_tile(conn, wells.definition, layer, tile_at(10, 426, 853))
    decoded = mapbox_vector_tile.decode(data)
    assert {f["properties"]["uid"] for f in decoded["wells"]["features"]} == {"IN", "OUT", "RIM"}


def test_a_layer_from_a_folder_is_served_with_items_and_legend(wells: OpenMap) -> None:
    refresh(wells.engine, wells.definition)
    client = TestClient(
        create_app(wells.settings, wells.definition, wells.engine), base_url="http://localhost"
    )
    items = client.get("/collections/wells/items", params={"kind": "dug"}).json()
    assert items["numberMatched"] == 3
    assert {f["properties"]["name"] for f in items["features"]} == {"里", "外", "边"}
    told = next(one for one in client.get("/app/config").json()["layers"] if one["id"] == "wells")
    assert [(row["value"], row["colour"], row["shape"]) for row in told["legend"]][:2] == [
        ("dug", "#2266aa", "circle"),
        ("bored", "#aa6622", "square"),
    ]
    assert (
        client.get("/collections/conflicts/items", params={"subject_uid": "IN"}).json()["numberMatched"] == 1
    )


def test_a_second_refresh_writes_nothing_and_lag_is_told(wells: OpenMap) -> None:
    first = refresh(wells.engine, wells.definition)
    assert refresh(wells.engine, wells.definition).change.rev is None
    wells.load("wells", "more.csv", WELLS.replace("OUT,外", "NEW,新"), crs="EPSG:4490")
    with connect(wells.engine) as conn:
        newest = head(conn)
        assert (judged_up_to(conn, wells.definition, newest).judged_revision, newest) == (first.change.rev, 4)
        assert judged_up_to(conn, wells.definition, newest).lagging
        assert not judged_up_to(conn, wells.definition, first.change.rev or 0).lagging
        assert summary(conn, wells.definition, newest)["lagging"] is True
    refresh(wells.engine, wells.definition)
    with connect(wells.engine) as conn:
        assert not judged_up_to(conn, wells.definition, head(conn)).lagging


def test_after_a_revert_rows_tiles_and_conflicts_are_as_before(wells: OpenMap) -> None:
    refresh(wells.engine, wells.definition)
    layer = wells.definition.layers["wells"]

    def seen() -> tuple[object, ...]:
        with connect(wells.engine) as conn:
            rows = conn.execute(
                text("SELECT uid, name, depth, ST_AsText(geom) FROM now.wells ORDER BY uid")
            ).all()
            drawn = mapbox_vector_tile.decode(
                vector_tile(conn, wells.definition, layer, tile_at(10, 426, 853))
            )
        return [tuple(row) for row in rows], drawn, _conflicts(wells)

    before = seen()
    moved = wells.load(
        "wells", "moved.csv", WELLS.replace("120.05", "120.004").replace("外", "移"), crs="EPSG:4490"
    )
    refresh(wells.engine, wells.definition)
    after = seen()
    assert set(after[2]) == {"IN", "OUT", "RIM"} and after != before
    with connect(wells.engine, write=True) as conn:
        crs = wells.definition.district.storage_crs
        layers = [tables.table_for(one, crs) for one in wells.definition.layers.values()]
        revert(conn, moved.change.rev or 0, layers, who="test")
    refresh(wells.engine, wells.definition)
    assert seen() == before
    assert _conflicts(wells, 3) == before[2]
    assert set(_conflicts(wells, 5)) == {"IN", "OUT", "RIM"}


def test_screening_splits_a_parcel_and_never_calls_the_uncovered_clear(wells: OpenMap) -> None:
    inside_and_out = shapely.box(120.009, 28.904, 120.012, 28.906)
    answer = screen(wells.engine, wells.definition, ScreenRequest(inside_and_out, accuracy_m=2.0))
    theme = next(t for t in answer["themes"] if t["id"] == "WL")
    assert (answer["verdict"], theme["verdict"], theme["severity"]) == ("conflict", "conflict", "prohibited")
    shares = {name: part["share"] for name, part in theme["parts"].items()}
    assert shares["conflict"] == pytest.approx(1 / 3, abs=0.02)
    assert 0 < shares["edge"] < 0.05 and shares["unknown"] == 0
    assert sum(part["area_m2"] for part in theme["parts"].values()) == pytest.approx(
        answer["site"]["area_m2"], rel=1e-9
    )
    beyond = screen(wells.engine, wells.definition, ScreenRequest(shapely.box(120.8, 28.9, 120.801, 28.901)))
    away = next(t for t in beyond["themes"] if t["id"] == "WL")
    assert (away["verdict"], away["findings"][0]["missing"][0]["name"]) == ("unknown", "coverage")


def test_a_whole_other_district_lives_in_its_own_frames(open_map: Callable[[Path], OpenMap]) -> None:
    opened = open_map(Path(__file__).parents[1] / "outside" / "districts" / "norfolk.toml")
    # The Caister water tower of "A guide to coordinate systems in Great Britain": National Grid and ETRS89.
    east, north = 651409.903, 313177.270
    lon, lat = 1 + 42 / 60 + 57.8663 / 3600, 52 + 39 / 60 + 28.8282 / 3600
    result = opened.load(
        "wells", "tower.csv", f"code,name,x,y\nT,Caister,{east},{north}\n", crs="EPSG:27700", accuracy_m=3.0
    )
    assert "OSGB36 to WGS 84" in str(result.transformation)
    with connect(opened.engine) as conn:
        x, y, bound = conn.execute(text("SELECT ST_X(geom), ST_Y(geom), accuracy_m FROM now.wells")).one()
    assert Geod(ellps="WGS84").inv(lon, lat, x, y)[2] < 5.0
    assert bound == 5.0
    to_grid = Transformer.from_crs(4326, 27700, always_xy=True)
    ring = [
        to_grid.transform(lon + dx, lat + dy)
        for dx, dy in ((-0.01, -0.01), (0.01, -0.01), (0.01, 0.01), (-0.01, 0.01))
    ]
    wkt = shapely.Polygon(ring).wkt
    opened.load("pads", "pad.csv", f'code,wkt\nP,"{wkt}"\n', crs="EPSG:27700")
    refresh(opened.engine, opened.definition)
    assert _conflicts(opened) == {"T": ("conflict", "prohibited")}
    answer = screen(opened.engine, opened.definition, ScreenRequest(shapely.Point(x, y)))
    assert answer["verdict"] == "conflict"
    assert answer["themes"][0]["findings"][0]["zones"][0]["margin_m"] > 400
