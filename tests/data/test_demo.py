"""The demonstration data: complete, honest about places, marked where made up, the same bytes each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from pyproj import Transformer
from stdnum.cn import uscc

from gis.importing.checks import check_rows
from gis.importing.reading import GEOM, read_file
from gis.kernel.downstream import downstream
from gis.kernel.network import build_network
from gis.kernel.places import find_places
from layers.district import load_district
from layers.registry import load_layers

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "data"
MANIFEST = tomllib.loads((DATA / "demo.toml").read_text(encoding="utf-8"))
LOADS: list[dict[str, Any]] = MANIFEST["loads"]
SOURCES: dict[str, dict[str, Any]] = {source["name"]: source for source in MANIFEST["sources"]}
LAYERS = load_layers()
TO_METRES = Transformer.from_crs(4490, 4549, always_xy=True)
MADE_UP = [load for load in LOADS if SOURCES[load["source"]]["is_demonstration"]]
ZONES = [load for load in MADE_UP if LAYERS[load["layer"]].role == "zone"]


def metres(geometry: Any) -> Any:
    return shapely.transform(geometry, lambda x, y: TO_METRES.transform(x, y), interleaved=False)


def rows(file: str) -> pd.DataFrame:
    """The columns of a data file, and its geometry in degrees under "geom"."""
    return _rows(file).copy()


@cache
def _rows(file: str) -> pd.DataFrame:
    with read_file(DATA / file) as reading:
        assert reading.issues == []
        table = pa.Table.from_batches(list(reading.batches()))
        header = reading.header
        places = {header.x, header.y, header.wkt}
        frame: pd.DataFrame = table.select([c for c in header.columns if c not in places]).to_pandas()
    frame["geom"] = shapely.from_wkb(table.column(GEOM).to_numpy())
    return frame


def name(load: dict[str, Any]) -> str:
    return str(load["file"])


@pytest.mark.parametrize("load", LOADS, ids=name)
def test_every_row_of_a_file_is_accepted_by_its_layer(load: dict[str, Any]) -> None:
    layer = LAYERS[load["layer"]]
    frame = rows(load["file"])
    checked = check_rows(layer, frame)
    assert checked.issues == []
    assert len(checked.rows) == len(frame) > 0
    known = {field.name for field in layer.fields}
    known |= {"id", "geom", "accuracy_m", "is_indicative", "valid_to"}
    assert set(frame.columns) <= known


@pytest.mark.parametrize("load", LOADS, ids=name)
def test_a_load_names_a_source_and_where_it_has_places_a_frame(load: dict[str, Any]) -> None:
    source = SOURCES[load["source"]]
    assert {"title", "licence", "attribution", "is_demonstration"} <= set(source)
    assert ("crs" in load) == LAYERS[load["layer"]].has_geometry


def test_every_file_is_loaded_or_a_coverage_or_a_raster_and_named_in_the_table_of_origins() -> None:
    used = {load["file"] for load in LOADS} | {load["coverage"] for load in LOADS if "coverage" in load}
    used |= {raster.file.name for raster in load_district().rasters}
    found = {path.name for kind in ("*.geojson", "*.csv", "*.tif") for path in DATA.glob(kind)}
    assert found == used
    table = (DATA / "README.md").read_text(encoding="utf-8")
    assert [file for file in used if Path(file).stem not in table] == []


def test_the_data_stay_small() -> None:
    files = [path for path in DATA.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 4_000_000


def test_the_plan_is_complete() -> None:
    projects = rows("plan_projects.geojson")
    assert len(rows("plan_parks.geojson")) == 27
    assert len(projects) == 57
    assert projects["plan_seq"].nunique() == 56
    assert set(projects["plan_seq"]) == set(range(1, 57))
    assert projects["investment"].sum() == pytest.approx(338.97)
    assert len(rows("plan_companies.geojson")) == 100
    assert len(rows("plan_platforms.csv")) == 6
    assert Counter(rows("plan_structure.csv")["kind"]) == {"corridor": 1, "belt": 2, "core": 2, "parks": 1}
    assert len(rows("power_plants.geojson")) == 65


def test_plan_companies_keep_the_plans_townships() -> None:
    assert Counter(rows("plan_companies.geojson")["township"]) == {
        "孝顺镇": 23, "鞋塘办事处": 17, "江东镇": 16, "傅村镇": 11, "东孝街道": 9, "岭下镇": 7, "曹宅镇": 7,
        "塘雅镇": 4, "赤松镇": 3, "多湖街道": 2, "澧浦镇": 1,
    }  # fmt: skip


@pytest.mark.parametrize("file", ["plan_companies.geojson", "plan_parks.geojson", "plan_projects.geojson"])
def test_a_thing_of_the_plan_stands_at_its_townships_seat_with_a_bound_and_says_so(file: str) -> None:
    seats = {row.name: row.geom for row in rows("townships.csv").itertuples(index=False)}
    seats["鞋塘办事处"] = seats["孝顺镇"]
    placed = rows(file)
    at_seat = placed[placed["township"].isin(seats)]
    assert len(at_seat) > 0
    for row in at_seat.itertuples():
        assert shapely.distance(row.geom, seats[row.township]) < 2e-6
        assert row.accuracy_m == 12_000
        assert "乡镇级定位，仅示意" in row.position_note
        assert ("鞋塘办事处" == row.township) == ("不是法定乡级区划" in row.position_note)


@pytest.mark.parametrize("file", ["plan_companies.geojson", "plan_parks.geojson", "plan_projects.geojson"])
def test_a_thing_without_a_seat_has_a_bound_that_reaches_every_corner_of_the_county(file: str) -> None:
    counties = rows("counties.geojson").set_index("name")["geom"]
    corners = shapely.points(shapely.get_coordinates(metres(counties["金东区"])))
    placed = rows(file)
    rest = placed[~placed["township"].isin([*rows("townships.csv")["name"], "鞋塘办事处"])]
    assert len(rest) > 0
    for row in rest.itertuples():
        assert shapely.distance(metres(row.geom), corners).max() < row.accuracy_m < 20_000
        assert "县级定位，仅示意" in row.position_note


def test_no_credit_code_is_invented_for_a_real_company() -> None:
    assert "uscc" not in rows("plan_companies.geojson").columns


def test_made_up_credit_codes_are_well_formed_and_of_the_synthetic_range() -> None:
    codes = rows("demo_enterprises.geojson")["uscc"].dropna()
    assert 60 <= len(codes) <= 100
    assert all(uscc.is_valid(code) and code[8:10] == "99" for code in codes)
    assert codes.is_unique


def test_outfalls_lie_as_far_up_the_river_as_their_cases_say() -> None:
    """The makers measure along merged lines; the network, over its graph, finds the same."""
    cases = tomllib.loads((DATA / "making" / "cases.toml").read_text(encoding="utf-8"))["placed"]["outfalls"]
    net = build_network(metres(rows("demo_rivers.geojson")["geom"].to_numpy()), accuracy_m=0.0)
    outfalls = metres(rows("demo_outfalls.geojson").sort_values("outfall_id")["geom"].to_numpy())
    intakes = rows("demo_water_intakes.geojson").set_index("name")["geom"]
    checked = 0
    for case, outfall in zip(cases, outfalls, strict=False):
        if case["at"] != "upstream":
            continue
        intake = metres(intakes[f"演示水源地{case['intake']}取水口 (demo)"])
        places = find_places(net, np.array([outfall, intake], dtype=object), np.zeros(2), 5.0)
        up_first = (0, 1) if case["metres"] > 0 else (1, 0)
        pairs = np.array([up_first[0]]), np.array([up_first[1]])
        found = downstream(net, places, places, pairs, 1e6)
        # Places in the files are rounded to about 0.1 m.
        assert found.nearest[0] == pytest.approx(abs(case["metres"]), abs=2.0)
        checked += 1
    assert checked == 15


@pytest.mark.parametrize("load", ZONES, ids=name)
def test_a_made_up_zone_is_indicative_named_as_such_and_has_no_approval(load: dict[str, Any]) -> None:
    frame = rows(load["file"])
    assert frame["is_indicative"].all()
    assert frame["name"].str.startswith("演示").all()
    assert frame["name"].str.contains("demo").all()
    assert frame["note"].str.contains("演示数据").all()
    assert frame["accuracy_m"].between(10, 100).all()
    assert "approval_doc" not in frame.columns
    assert "coverage" in load
    counties = shapely.union_all(rows("counties.geojson")["geom"])
    assert all(counties.buffer(1e-5).covers(geometry) for geometry in frame["geom"])


@pytest.mark.parametrize("load", [x for x in MADE_UP if LAYERS[x["layer"]].role == "subject"], ids=name)
def test_a_made_up_subject_is_synthetic_and_named_as_such(load: dict[str, Any]) -> None:
    frame = rows(load["file"])
    assert frame["is_synthetic"].astype(bool).all()
    assert frame["name"].str.startswith("演示").all()
    assert frame["accuracy_m"].between(10, 30).all()


def test_the_waste_plant_whose_name_and_place_disagree_is_kept_and_said() -> None:
    plants = rows("power_plants.geojson").set_index("name")
    plant = plants.loc["Yongkang Waste Incineration"]
    assert (plant["geom"].x, plant["geom"].y) == (119.8944, 28.7586)
    assert plant["county"] == "武义县"
    assert "按来源保留" in plant["note"]
    assert plants["note"].notna().sum() == 1


def test_control_units_meet_without_overlap_and_leave_one_gap() -> None:
    units = metres(rows("demo_control_units.geojson")["geom"].to_numpy())
    counties = rows("counties.geojson").set_index("name")["geom"]
    area = shapely.union_all(metres(counties[["永康市", "金东区"]].to_numpy()))
    assert shapely.area(units).sum() == pytest.approx(shapely.union_all(units).area, abs=1)
    gaps = shapely.get_parts(area.difference(shapely.union_all(units)))
    assert [round(gap.area / 1e6, 1) for gap in gaps if gap.area > 1000] == [1.3]


# group: (zone file, what its zones are, subject file, what the subject is)
HITS = {
    "DW": ("water_source_zones", {"grade": "1"}, "enterprises", {"water_supply_related": False}),
    "RL": ("eco_redlines", {"is_core_reserve": False}, "projects", {"redline_activity_class": "none"}),
    "NR": ("nature_reserves", {"control": "core"}, "enterprises", {"is_synthetic": True}),
    "HF": (
        "fuel_ban_zones",
        {"fuel_category": "III"},
        "pollution_sources",
        {"fuel_banned_in_category": True},
    ),
    "ZC": ("control_units", {"unit_class": "priority"}, "projects", {"industry_tier": "tier3"}),
    "LS": ("basic_farmland", {}, "projects", {"soil_polluting": True}),
    "RV": ("shoreline_zones", {"shore_class": "protection"}, "projects", {}),
    "NS": ("noise_sensitive_areas", {}, "projects", {"industrial_noise": True}),
    "SR": ("residential_buildings", {}, "enterprises", {"oil_fume": True}),
    "OF": ("water_function_zones", {"attains": False}, "outfalls", {"kind": "new"}),
    "ZD": ("zero_discharge_areas", {}, "outfalls", {"dry_weather_flow": True}),
    "PK": ("parks", {}, "projects", {"industry_tier": "tier2"}),
    "AQ": ("air_function_zones", {"air_class": "1"}, "enterprises", {"emits_air": True}),
}


def _those(frame: pd.DataFrame, where: dict[str, Any]) -> pd.DataFrame:
    for column, value in where.items():
        frame = frame[frame[column].eq(value)]
    return frame


@pytest.mark.parametrize("group", HITS)
def test_each_screening_group_meets_a_subject_well_inside_and_one_well_outside(group: str) -> None:
    zone_layer, zone_where, subject_layer, subject_where = HITS[group]
    zones = _those(rows(f"demo_{zone_layer}.geojson"), zone_where)
    subjects = rows(f"demo_{subject_layer}.geojson")
    area = shapely.union_all(metres(zones["geom"].to_numpy()))
    error = subjects["accuracy_m"] + zones["accuracy_m"].max()
    points = metres(subjects["geom"].to_numpy())
    inside = shapely.covers(area, points) & (shapely.distance(area.boundary, points) > error)
    outside = shapely.distance(area, points) > error
    assert len(_those(subjects[inside], subject_where)) > 0
    assert outside.sum() > 0


def _open_data() -> Path | None:
    """The folder of the open data: as the environment says, or beside the repository."""
    named = os.environ.get("ONEMAP_OPEN_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data" / "open"
    return folder if folder.is_dir() else None


@pytest.mark.skipif(_open_data() is None, reason="the open data are not at hand: set ONEMAP_OPEN_DATA")
def test_the_script_makes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, DATA / "make_demo.py", str(_open_data()), "--out", tmp_path], check=True, timeout=60
    )
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(p.name for k in ("*.geojson", "*.csv", "*.tif") for p in DATA.glob(k))
    assert [n for n in made if (tmp_path / n).read_bytes() != (DATA / n).read_bytes()] == []


def test_the_script_says_what_it_needs(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, DATA / "make_demo.py", tmp_path / "nowhere"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2
    assert "ONEMAP_OPEN_DATA" in run.stderr


def test_geojson_files_keep_to_the_standard_order_of_rings_and_axes() -> None:
    for load in LOADS:
        if not load["file"].endswith(".geojson"):
            continue
        text = json.loads((DATA / load["file"]).read_text(encoding="utf-8"))
        assert "crs" not in text
        for geometry in rows(load["file"])["geom"]:
            west, south, east, north = geometry.bounds
            assert 117 < west <= east < 124
            assert 26 < south <= north < 32
            assert all(p.exterior.is_ccw for p in shapely.get_parts(geometry) if p.geom_type == "Polygon")
