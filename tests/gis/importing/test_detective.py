"""The detective: each kind of frame found by evidence, and the question asked when there is not enough."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import orjson
import pytest
import shapely

from gis.importing.detective import Evidence, Proposal
from gis.importing.detective import propose as propose_with
from gis.importing.detective.frames import catalogue
from gis.importing.reading.spool import Reading
from gis.settings import MapDefinition
from tests.gis.importing.places import (
    DISTRICT,
    Points,
    codes,
    counties,
    evidence,
    in_frame,
    known_at,
    map_of_places,
    reading_of,
    seats,
    spread,
)

MODERN = [f.name for f in catalogue(DISTRICT) if f.old_datum is None]
OLD = [f.name for f in catalogue(DISTRICT) if f.old_datum is not None]


@pytest.fixture(scope="module")
def definition() -> MapDefinition:
    return map_of_places()


def propose(reading: Reading, held: Evidence, definition: MapDefinition) -> Proposal:
    return propose_with(reading, definition, held)


def ranking(proposal: Proposal, group: int = 0) -> list[str]:
    return [c.crs for c in proposal.groups[group].candidates]


# --- registered positions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("swapped", ["", " swapped"])
@pytest.mark.parametrize("frame", MODERN)
def test_registered_positions_find_every_frame(frame: str, swapped: str, definition: MapDefinition) -> None:
    lonlat = spread(12)
    noisy = lonlat + np.random.default_rng(1).normal(0, 8e-5, lonlat.shape)  # the register is some 10 m off
    reading = reading_of(in_frame(lonlat, frame + swapped), {"code": codes(12)})
    found = propose(reading, evidence(known_at(noisy)), definition)
    assert found.winner == frame + swapped
    best = found.groups[0].candidates[0]
    assert best.score > 0.8
    assert "12 registered codes" in best.evidence[1][1]
    assert best.centre == pytest.approx(tuple(np.median(lonlat, axis=0)), abs=1e-6)


@pytest.mark.parametrize("frame", OLD)
def test_an_old_datum_is_never_a_winner_and_says_that_it_needs_parameters(
    frame: str, definition: MapDefinition
) -> None:
    lonlat = spread(12)
    local = lonlat + np.array(
        [60 / 97_000, -55 / 110_900]
    )  # what the old frame's own degrees are off by, say
    reading = reading_of(in_frame(local, frame), {"code": codes(12)})
    found = propose(reading, evidence(known_at(lonlat)), definition)
    assert found.winner is None
    held = {c.crs: c for c in found.groups[0].candidates}
    assert held[frame].as_dict()["needs_parameters"]["en"] in ("Beijing 1954", "Xian 1980")
    modern = next(c for name, c in held.items() if name in MODERN)
    assert held[frame].score > modern.score


def test_a_few_pairs_with_scatter_decide_nothing(definition: MapDefinition) -> None:
    lonlat = spread(4)
    elsewhere = lonlat + np.array([[0.02, 0], [-0.02, 0.01], [0.0, -0.02], [0.01, 0.02]])
    reading = reading_of(in_frame(lonlat, "GCJ-02"), {"code": codes(4)})
    assert propose(reading, evidence(known_at(elsewhere)), definition).winner is None


def test_a_register_too_coarse_for_the_question_decides_nothing(definition: MapDefinition) -> None:
    lonlat = spread(12)
    reading = reading_of(in_frame(lonlat, "GCJ-02"), {"code": codes(12)})
    assert propose(reading, evidence(known_at(lonlat, accuracy_m=3000.0)), definition).winner is None


# --- ambiguous files must ask -------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", MODERN)
def test_the_extent_alone_never_decides(frame: str, definition: MapDefinition) -> None:
    reading = reading_of(in_frame(spread(12), frame))
    found = propose(reading, evidence(), definition)
    assert found.winner is None
    assert frame in ranking(found)
    assert found.groups[0].candidates[0].inside == 1.0
    assert "please confirm" in found.sentence[1]


def test_degrees_without_a_frame_are_ranked_plain_then_shifted(definition: MapDefinition) -> None:
    found = propose(reading_of(spread(12).round(6)), evidence(), definition)
    assert ranking(found) == ["CRS84", "GCJ-02", "BD-09", "EPSG:4610", "EPSG:4214"]
    assert found.declared is None
    assert found.declared_fits is None


def test_a_file_without_geometry_has_no_groups(definition: MapDefinition) -> None:
    for reading in (reading_of([None, None]), reading_of([]), reading_of([shapely.Point()])):
        found = propose(reading, evidence(), definition)
        assert found.groups == []
        assert found.winner is None
        assert orjson.dumps(found.as_dict())


def test_numbers_that_mean_nothing_are_said_to_mean_nothing(definition: MapDefinition) -> None:
    found = propose(reading_of(np.array([[1e9, -4e9], [2e9, 7e9]])), evidence(), definition)
    assert found.groups[0].candidates == []
    assert "no common reference system" in found.sentence[1]


# --- what is declared ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "x", "y", "declared"),
    [
        ("geojson", None, None, "CRS84"),
        ("kml", None, None, "CRS84"),
        ("csv", "lon", "lat", "CRS84"),
        ("csv", "经度", "纬度", "CRS84"),
        ("xlsx", " Longitude", "LATITUDE", "CRS84"),
        ("csv", "lon_wgs84", "lat_wgs84", "CRS84"),
        ("csv", "经度(CGCS2000)", "纬度(CGCS2000)", "CRS84"),
        ("csv", "WGS84_lng", "WGS84_lat", "CRS84"),
        ("csv", "x", "y", None),
        ("csv", "X坐标", "Y坐标", None),
        ("csv", "lon_gcj02", "lat_gcj02", None),
        ("csv", "bd_lng", "bd_lat", None),
        ("dxf", None, None, None),
    ],
)
def test_what_a_file_says_without_words(
    format: str, x: str | None, y: str | None, declared: str | None, definition: MapDefinition
) -> None:
    reading = reading_of(spread(5), format=format, x=x, y=y)
    found = propose(reading, evidence(), definition)
    assert found.declared == declared
    assert found.declared_fits is (None if declared is None else True)


def test_a_column_named_after_a_web_map_puts_its_datum_first(definition: MapDefinition) -> None:
    for x, y, frame in (("lon_gcj02", "lat_gcj02", "GCJ-02"), ("百度经度", "百度纬度", "BD-09")):
        found = propose(reading_of(spread(9), format="csv", x=x, y=y), evidence(), definition)
        assert ranking(found)[0] == frame
        assert x in found.groups[0].candidates[0].evidence[-1][0]


@pytest.mark.parametrize(
    ("declared", "true"),
    [
        ("EPSG:4549", "EPSG:4528"),
        ("EPSG:4547", "EPSG:4549"),
        ("CRS84", "CRS84 swapped"),
        ("EPSG:4326", "EPSG:4549"),
    ],
)
def test_a_declared_frame_that_lands_elsewhere_does_not_fit(
    declared: str, true: str, definition: MapDefinition
) -> None:
    found = propose(reading_of(in_frame(spread(9), true), crs=declared), evidence(), definition)
    assert found.declared_fits is False
    assert ranking(found)[0] == true
    assert declared in ranking(found)


def test_a_shift_under_a_declared_frame_is_found_by_registered_codes(definition: MapDefinition) -> None:
    lonlat = spread(12)
    reading = reading_of(in_frame(lonlat, "BD-09"), {"code": codes(12)}, format="geojson")
    found = propose(reading, evidence(known_at(lonlat)), definition)
    assert (found.declared, found.declared_fits, found.winner) == ("CRS84", False, "BD-09")
    assert "BD-09" in found.sentence[0]


# --- shapes and stated places -------------------------------------------------------------------------------


def moved(shapes: list[shapely.Geometry], frame: str) -> list[shapely.Geometry]:
    return [shapely.transform(shape, lambda xy: in_frame(xy, frame)) for shape in shapes]


@pytest.mark.parametrize("frame", ["GCJ-02", "BD-09", "EPSG:32650", "EPSG:3857", "GCJ-02 swapped"])
def test_counties_are_known_by_their_shape(frame: str, definition: MapDefinition) -> None:
    areas = counties()
    # Another maker's drawing: coarser, and cut where the lines are.
    drawn = moved([shapely.simplify(a.shape, 0.004) for a in areas], frame)
    reading = reading_of(drawn, {"NAME": [a.name for a in areas], "pop": list(range(9))})
    found = propose(reading, evidence(), definition)
    assert found.winner == frame
    assert "9 of the same name as areas here" in found.groups[0].candidates[0].evidence[1][1]


def test_shapes_drawn_to_a_hundred_metres_do_not_tell_an_old_datum_from_the_new(
    definition: MapDefinition,
) -> None:
    areas = counties()
    reading = reading_of(moved([a.shape for a in areas], "EPSG:4549"), {"name": [a.name for a in areas]})
    found = propose(reading, evidence(), definition)
    assert ranking(found)[0] == "EPSG:4549"
    assert set(ranking(found)) == {"EPSG:4549", "EPSG:2385", "EPSG:2437"}
    assert found.winner is None


def test_shifted_counties_under_a_declared_frame_do_not_fit(definition: MapDefinition) -> None:
    areas = counties()
    drawn = moved([shapely.simplify(a.shape, 0.002) for a in areas], "GCJ-02")
    reading = reading_of(drawn, {"adcode": [a.code for a in areas]}, format="geojson", crs="OGC:CRS84")
    found = propose(reading, evidence(), definition)
    assert (found.declared_fits, found.winner) == (False, "GCJ-02")
    straight = reading_of([a.shape for a in areas], {"adcode": [a.code for a in areas]}, format="geojson")
    assert propose(straight, evidence(), definition).declared_fits is True


def townships_of(county: str) -> tuple[list[shapely.Geometry], list[str]]:
    """A county divided among its seats: each piece is nearest to its own."""
    area = next(a.shape for a in counties() if a.name == county)
    mine = [s for s in seats() if s.county == county]
    cells = shapely.voronoi_polygons(
        shapely.multipoints([(s.lon, s.lat) for s in mine]), extend_to=area
    ).geoms
    found = {
        s.name: shapely.intersection(cell, area)
        for s in mine
        for cell in cells
        if shapely.contains_xy(cell, s.lon, s.lat)
    }
    return list(found.values()), list(found)


@pytest.mark.parametrize("frame", ["EPSG:32650", "GCJ-02", "BD-09"])
def test_townships_are_known_by_the_county_they_make_up(frame: str, definition: MapDefinition) -> None:
    shapes, names = townships_of("金东区")
    reading = reading_of(moved(shapes, frame), {"name": names}, format="geojson")
    found = propose(reading, evidence(), definition)
    assert found.winner == frame
    assert found.declared_fits is False


def stars(n: int) -> tuple[list[shapely.Geometry], list[str]]:
    """Three counties drawn as stars of ``n`` crossing edges, as a hostile file may hold them."""
    turns = np.arange(n + 1) * (2 * np.pi * (n // 2 - 1) / n)
    shapes, names = [], []
    for area in counties()[:3]:
        ring = np.column_stack(
            [area.shape.centroid.x + 0.05 * np.cos(turns), area.shape.centroid.y + 0.05 * np.sin(turns)]
        )
        ring[-1] = ring[0]
        shapes.append(shapely.Polygon(ring))
        names.append(area.name)
    return shapes, names


def test_shapes_that_nobody_should_mend_are_compared_by_their_centres_alone(
    definition: MapDefinition,
) -> None:
    shapes, names = stars(996)
    assert not shapely.is_valid(shapes).any()
    best = propose(reading_of(shapes, {"name": names}), evidence(), definition).groups[0].candidates[0]
    assert best.evidence[1][1].startswith("3 of the same name as areas here")
    assert "overlap" not in best.evidence[1][1]


def test_a_hostile_shape_takes_no_time(definition: MapDefinition) -> None:
    shapes, names = stars(50_000)
    reading = reading_of(shapes, {"name": names})
    started = time.process_time()
    assert propose(reading, evidence(), definition).groups[0].candidates[0].inside == 1.0
    assert time.process_time() - started < 10.0


def test_shapes_of_very_many_vertices_are_thinned_first(definition: MapDefinition) -> None:
    areas = counties()
    heavy = [shapely.segmentize(a.shape, shapely.length(a.shape) / 60_000) for a in areas]
    assert shapely.get_num_coordinates(heavy).min() > 60_000
    reading = reading_of(moved(heavy, "GCJ-02"), {"name": [a.name for a in areas]})
    started = time.process_time()
    found = propose(reading, evidence(), definition)
    assert time.process_time() - started < 10.0
    assert found.winner == "GCJ-02"
    assert float(found.groups[0].candidates[0].evidence[1][1].partition("overlap ")[2][:5]) > 0.97


def test_rows_that_name_their_county_are_held_against_it(definition: MapDefinition) -> None:
    yongkang = next(a.shape for a in counties() if a.name == "永康市")
    inside = np.array([(p.x, p.y) for p in shapely.get_parts(shapely.centroid(shapely.get_parts(yongkang)))])
    points = np.repeat(inside[:1], 6, axis=0) + np.linspace(0, 0.01, 6)[:, None]
    right = {"地址": [f"浙江省金华市永康市丽州路{i}号" for i in range(6)]}
    wrong = {"地址": [f"浙江省金华市兰溪市丹溪大道{i}号" for i in range(6)]}
    scores = []
    for columns in (right, wrong):
        best = propose(reading_of(points, columns), evidence(), definition).groups[0].candidates[0]
        scores.append(best.score)
        assert "6 rows name their county (column '地址')" in best.evidence[1][1]
    assert scores[0] > 0.9
    assert scores[1] < 0.3


@pytest.mark.parametrize("column", [["永康"] * 6, ["330784"] * 6, ["330784100"] * 6, [330784] * 6])
def test_a_county_is_stated_by_short_name_or_code_too(
    column: list[object], definition: MapDefinition
) -> None:
    best = propose(reading_of(spread(6), {"v": column}), evidence(), definition).groups[0].candidates[0]
    assert "6 rows name their county (column 'v')" in best.evidence[1][1]


def test_a_second_position_in_the_row_says_what_the_first_one_is(definition: MapDefinition) -> None:
    lonlat = spread(9)
    columns = {"lon_wgs84": lonlat[:, 0].tolist(), "lat_wgs84": [str(v) for v in lonlat[:, 1]]}
    reading = reading_of(in_frame(lonlat, "BD-09"), columns, format="csv", x="lon", y="lat")
    found = propose(reading, evidence(), definition)
    assert ranking(found)[0] == "BD-09"
    assert found.declared_fits is False
    assert found.winner is None  # it only says what somebody took the first one for


# --- groups of rows -----------------------------------------------------------------------------------------


def rows_of(found: Proposal) -> dict[str, list[int]]:
    return {g.candidates[0].crs: g.rows.tolist() for g in found.groups}


def test_rows_in_two_zones_make_two_groups(definition: MapDefinition) -> None:
    lonlat = spread(20)
    xy = np.vstack([in_frame(lonlat[:12], "EPSG:4528"), in_frame(lonlat[12:], "EPSG:4549")])
    found = propose(reading_of(xy), evidence(), definition)
    assert rows_of(found) == {"EPSG:4528": list(range(12)), "EPSG:4549": list(range(12, 20))}
    assert "12 rows look like EPSG:4528" in found.sentence[1]


def test_a_few_swapped_rows_are_a_group_of_their_own(definition: MapDefinition) -> None:
    points = spread(5000)
    for i in (7, 4000):
        points[i] = points[i, ::-1]
    found = propose(reading_of(points), evidence(), definition)
    assert rows_of(found)["CRS84 swapped"] == [7, 4000]
    assert len(found.groups[0].rows) == 4998


def half_shifted(n: int) -> tuple[Points, Points]:
    lonlat = spread(n)
    return lonlat, np.vstack([in_frame(lonlat[: n // 2], "GCJ-02"), lonlat[n // 2 :]])


def test_a_half_shifted_file_is_told_apart_by_its_codes(definition: MapDefinition) -> None:
    lonlat, points = half_shifted(40)
    found = propose(
        reading_of(points, {"code": codes(40)}, format="geojson"), evidence(known_at(lonlat)), definition
    )
    assert [g.winner for g in found.groups] == ["GCJ-02", "CRS84"]
    assert rows_of(found) == {"GCJ-02": list(range(20)), "CRS84": list(range(20, 40))}
    assert found.winner is None


def test_rows_between_known_ones_follow_their_run_and_no_others(definition: MapDefinition) -> None:
    lonlat, points = half_shifted(40)
    known = known_at(lonlat[::4], codes(40)[::4])  # every fourth row is registered
    found = propose(reading_of(points, {"code": codes(40)}), evidence(known), definition)
    held = {g.winner: g.rows.tolist() for g in found.groups}
    assert held["GCJ-02"] == list(range(17))
    assert held["CRS84"] == list(range(20, 37))
    assert held[None] == [17, 18, 19, 37, 38, 39]  # between the kinds, and after the last known row


def test_interleaved_rows_of_unknown_place_are_left_open(definition: MapDefinition) -> None:
    lonlat = spread(40)
    points = lonlat.copy()
    points[::2] = in_frame(lonlat[::2], "BD-09")
    known = known_at(lonlat[:20], codes(40)[:20])
    found = propose(reading_of(points, {"code": codes(40)}), evidence(known), definition)
    held = {g.winner: g.rows.tolist() for g in found.groups}
    assert held == {
        "BD-09": list(range(0, 20, 2)),
        "CRS84": list(range(1, 20, 2)),
        None: list(range(20, 40)),
    }


# --- the form and the speed ---------------------------------------------------------------------------------


def test_the_proposal_can_be_shown_anywhere(definition: MapDefinition) -> None:
    lonlat = spread(100)
    reading = reading_of(in_frame(lonlat, "EPSG:4549"), {"code": codes(100)})
    shown = orjson.loads(orjson.dumps(propose(reading, evidence(known_at(lonlat)), definition).as_dict()))
    assert set(shown) == {"groups", "declared", "declared_fits", "winner", "sentence", "sampled", "total"}
    group = shown["groups"][0]
    assert (group["number"], group["rows"], group["first_row"], group["last_row"]) == (1, 100, 1, 100)
    best = group["candidates"][0]
    assert best["crs"] == shown["winner"] == "EPSG:4549"
    west, south, east, north = best["bbox"]
    assert west <= best["centre"][0] <= east
    assert south <= best["centre"][1] <= north
    assert len(best["sample"]) == 25
    assert all(e["zh"] and e["en"] for c in group["candidates"] for e in c["evidence"])
    assert [c["score"] for c in group["candidates"]] == sorted(
        (c["score"] for c in group["candidates"]), reverse=True
    )


def test_a_file_of_very_many_columns_of_text_takes_no_time(definition: MapDefinition) -> None:
    points = spread(800)
    for k, name in enumerate(MODERN[1:]):  # rows of every kind, so that there are many groups
        points[k::60] = in_frame(points[k::60], name)
    columns: dict[str, Sequence[object]] = {f"t{i}": ["浙江省金华市" * 800] * 800 for i in range(5)}
    columns |= {f"c{i}": codes(800) for i in range(400)}
    reading = reading_of(points, columns)
    started = time.process_time()
    found = propose(reading, evidence(known_at(points, codes(800))), definition)
    assert time.process_time() - started < 10.0
    assert len(found.groups) > 8


def test_degrees_minutes_and_seconds_are_no_web_map(definition: MapDefinition) -> None:
    plain, dms = reading_of(spread(9)), reading_of(spread(9), unit="dms")
    scores = [
        {c.crs: c.score for c in propose(r, evidence(), definition).groups[0].candidates}
        for r in (plain, dms)
    ]
    assert scores[1]["CRS84"] == scores[0]["CRS84"]
    assert scores[1]["GCJ-02"] < scores[0]["GCJ-02"] - 0.1
    assert ranking(propose(dms, evidence(), definition))[0] == "CRS84"


def test_a_group_that_nothing_fits_shows_a_few_candidates_and_the_declared_one(
    definition: MapDefinition,
) -> None:
    away = in_frame(np.array([[113.2, 23.1], [113.3, 23.0]]), "EPSG:2434")
    found = propose(reading_of(away, crs="EPSG:2434"), evidence(), definition)
    assert len(found.groups[0].candidates) <= 9
    assert "EPSG:2434" in ranking(found)
    assert found.declared_fits is None


@pytest.mark.long
def test_a_million_points_are_judged_in_a_second(definition: MapDefinition) -> None:
    points = spread(1_000_000)
    points[123_456] = points[123_456, ::-1]
    columns = {"code": codes(1_000_000), "county": ["永康市"] * 1_000_000}
    reading = reading_of(points, columns, crs="EPSG:4490", format="gpkg")
    held = evidence(known_at(points[::50], codes(1_000_000)[::50]))
    started = time.process_time()  # of this process: other work on the machine does not count
    found = propose(reading, held, definition)
    assert time.process_time() - started < 10.0
    assert rows_of(found)["CRS84 swapped"] == [123_456]
