"""Where rows land: the frame taken, the files refused, the rows that do not go with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from pyproj import Geod

from gis.importing.detective import Evidence
from gis.importing.detective.points import shapes_of
from gis.importing.issues import FILE, Issue, issue_words, told
from gis.importing.placing import PlaceRefused, Placing, decide, storage_extent
from gis.importing.reading.spool import GEOM, ROW, Reading
from gis.settings import MapDefinition
from layers.district import load_district
from layers.registry import load_layers
from tests.gis.importing.places import (
    DISTRICT,
    Points,
    codes,
    counties,
    evidence,
    in_frame,
    known_at,
    reading_of,
    spread,
)


@pytest.fixture(scope="module")
def definition() -> MapDefinition:
    layers = load_layers([Path(__file__).parents[2] / "outside"])
    return MapDefinition(
        load_district(), {name: layers[name] for name in ("wells", "pads", "admin_codes")}, {}
    )


def place(
    definition: MapDefinition,
    reading: Reading,
    crs: str = "auto",
    held: Evidence | None = None,
    layer: str = "wells",
    by_group: Mapping[int, str] | None = None,
    **options: Any,
) -> tuple[Placing, Points, list[Issue]]:
    """The placing, the middle of each row where it landed (NaN: refused), and the issues of the rows."""
    held = evidence(places=False) if held is None else held
    placing = decide(definition, definition.layers[layer], reading, crs, held, by_group, **options)
    shapes: list[Any] = []
    issues: list[Issue] = []
    for batch in reading.batches():
        found, told_here = placing.apply(np.asarray(batch.column(ROW)), shapes_of(batch.column(GEOM)))
        shapes += list(found)
        issues += told_here
    bounds = shapely.bounds(np.array(shapes, dtype=object))
    return placing, (bounds[:, :2] + bounds[:, 2:]) / 2, issues


def refusal(definition: MapDefinition, reading: Reading, crs: str = "auto", **options: Any) -> PlaceRefused:
    with pytest.raises(PlaceRefused) as caught:
        place(definition, reading, crs, **options)
    return caught.value


def metres(a: Points, b: Points) -> float:
    return float(np.max(Geod(ellps="GRS80").inv(a[:, 0], a[:, 1], b[:, 0], b[:, 1])[2]))


# --- the frame that is taken --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "accuracy_m", "off_m"),
    [
        ("EPSG:4490", 0.0, 0.0), ("CRS84", 1.0, 1e-6), ("EPSG:4549", 0.0, 1e-4), ("EPSG:4528", 0.0, 1e-4),
        ("EPSG:4498", 0.0, 1e-4), ("EPSG:32650", 1.0, 1e-4), ("EPSG:3857", 1.0, 1e-4), ("GCJ-02", 6.0, 0.01),
        ("BD-09", 6.0, 0.01), ("EPSG:4549 swapped", 0.0, 1e-4), ("CRS84 swapped", 1.0, 1e-6),
        ("GCJ-02 swapped", 6.0, 0.01),
    ],
)  # fmt: skip
def test_a_named_frame_lands_where_it_should(
    frame: str, accuracy_m: float, off_m: float, definition: MapDefinition
) -> None:
    lonlat = spread(30)
    # "EPSG:4490" is degrees, which the file holds in any case
    given = in_frame(lonlat, frame if "4490" not in frame else "CRS84")
    placing, landed, issues = place(definition, reading_of(given), frame)
    assert metres(landed, lonlat) <= off_m
    assert (placing.crs, placing.accuracy_m) == (frame, accuracy_m)
    assert placing.operation
    shifted = frame.startswith(("GCJ", "BD"))
    assert [i.code for i in issues] == (["datum_shifted"] * 30 if shifted else [])


def test_the_published_check_values_land_in_the_storage_crs(definition: MapDefinition) -> None:
    points = np.array([[504584.557, 3196856.730], [487354.944, 3229227.023]])
    wanted = np.array([[120.047, 28.888], [119.87, 29.18]])
    assert metres(place(definition, reading_of(points, crs="EPSG:4549"))[1], wanted) < 0.002
    points[:, 0] += 40_000_000
    assert metres(place(definition, reading_of(points, crs="EPSG:4528"))[1], wanted) < 0.002


def test_what_the_file_states_is_taken_by_auto(definition: MapDefinition) -> None:
    lonlat = spread(9)
    for reading in (
        reading_of(in_frame(lonlat, "EPSG:4549"), crs="EPSG:4549"),
        reading_of(in_frame(lonlat, "EPSG:3857"), crs="urn:ogc:def:crs:EPSG::3857", format="geojson"),
        reading_of(lonlat, format="geojson"),
        reading_of(lonlat, format="kml"),
        reading_of(lonlat, format="csv", x="经度", y="纬度"),
    ):
        placing, landed, issues = place(definition, reading)
        assert metres(landed, lonlat) < 1e-3
        assert issues == placing.issues == []


def test_a_frame_without_a_code_can_be_chosen_as_it_is_shown(definition: MapDefinition) -> None:
    lonlat = spread(9)
    town = "+proj=tmerc +lon_0=119.5 +x_0=500000 +ellps=GRS80"
    wkt = (
        pyproj.CRS.from_proj4(town)
        .to_wkt("WKT1_ESRI")
        .replace("D_Unknown_based_on_GRS_1980_ellipsoid", "D_China_2000")
    )
    xy = np.column_stack(pyproj.Transformer.from_pipeline(town).transform(*lonlat.T))
    reading = reading_of(xy, crs=wkt)
    placing, landed, _ = place(definition, reading)
    assert metres(landed, lonlat) < 1e-3
    assert placing.accuracy_m == 0.0
    assert placing.crs is not None
    assert metres(place(definition, reading, placing.crs)[1], lonlat) < 1e-3
    turned = reading_of(xy[:, ::-1], crs=wkt)
    assert refusal(definition, turned).reason == "axes_swapped"
    assert metres(place(definition, turned, f"{placing.crs} swapped")[1], lonlat) < 1e-3


def test_a_shift_is_undone_only_when_it_is_named_and_every_row_says_so(definition: MapDefinition) -> None:
    lonlat = spread(5)
    given = in_frame(lonlat, "BD-09")
    _, landed, issues = place(definition, reading_of(given, format="geojson"), "BD-09")
    assert metres(landed, lonlat) < 0.01
    assert {(i.code, i.severity, i.value) for i in issues} == {("datum_shifted", "repair", "BD-09")}
    before = shapely.from_wkb([bytes.fromhex(i.original or "") for i in issues])
    assert np.array_equal(np.column_stack([shapely.get_x(before), shapely.get_y(before)]), given)
    _, left, nothing = place(definition, reading_of(given, format="geojson"))
    assert metres(left, given) < 1e-6
    assert nothing == []


def test_polygons_are_moved_vertex_by_vertex_and_z_is_dropped(definition: MapDefinition) -> None:
    areas = [a.shape for a in counties()]
    drawn = [shapely.transform(shape, lambda xy: in_frame(xy, "EPSG:4528")) for shape in areas]
    reading = reading_of(drawn, crs="EPSG:4528")
    placing, _, issues = place(definition, reading, layer="pads")
    batch = next(reading.batches())
    shapes = shapely.force_3d(shapes_of(batch.column(GEOM)), 5.0)
    found, _ = placing.apply(np.asarray(batch.column(ROW)), shapes)
    assert issues == []
    assert not shapely.has_z(found).any()
    assert shapely.get_num_coordinates(found).tolist() == shapely.get_num_coordinates(areas).tolist()
    assert shapely.equals_exact(found, np.array(areas), 1e-8).all()


def test_missing_and_empty_geometry_pass_and_need_no_frame(definition: MapDefinition) -> None:
    reading = reading_of([None, shapely.Point(), None])
    placing, _, issues = place(definition, reading)
    assert (placing.crs, placing.operation, placing.accuracy_m, issues) == (None, None, 0.0, [])
    mixed = reading_of([shapely.Point(120, 29), None, shapely.Point()])
    placing, landed, issues = place(definition, mixed, "EPSG:4490")
    assert issues == []
    assert landed[0] == pytest.approx((120, 29))
    batch = next(mixed.batches())
    found, _ = placing.apply(np.array([1, 2]), shapes_of(batch.column(GEOM))[1:])
    assert found[0] is None
    assert found[1].is_empty
    points = reading_of([shapely.Point(120, 29), shapely.Point()])
    placing, landed, issues = place(definition, points, "CRS84")  # is moved, other than EPSG:4490
    assert issues == [] and landed[0] == pytest.approx((120, 29)) and np.isnan(landed[1]).all()


def test_a_register_has_no_place(definition: MapDefinition) -> None:
    placing = decide(definition, definition.layers["admin_codes"], reading_of(spread(2)), "auto", evidence())
    assert (placing.crs, placing.proposal) == (None, None)


# --- files that are refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["CRS84", "EPSG:4549", "EPSG:4528", "CRS84 swapped", "EPSG:3857"])
def test_without_a_frame_the_question_is_asked_with_the_ranked_answers(
    frame: str, definition: MapDefinition
) -> None:
    error = refusal(definition, reading_of(in_frame(spread(12), frame)))
    assert error.reason == "crs_missing"
    assert frame in error.text("zh")
    assert frame in error.text("en")
    assert error.proposal is not None
    assert error.proposal.groups[0].candidates[0].crs == frame


@pytest.mark.parametrize("name", ["EPSG:999999", "http://10.0.0.1/crs.wkt", "我们的坐标系"])
def test_an_unknown_frame_is_named(name: str, definition: MapDefinition) -> None:
    for error in (
        refusal(definition, reading_of(spread(3), crs=name)),
        refusal(definition, reading_of(spread(3)), name),
        refusal(definition, reading_of([None]), name),
        refusal(definition, reading_of(spread(3)), by_group={1: name}),
    ):
        assert error.reason == "crs_unknown"
        assert name in error.text("zh")


@pytest.mark.parametrize(
    ("crs", "datum", "offer"),
    [
        ("EPSG:2437", "1954 年北京坐标系", "EPSG:4549"),
        ("EPSG:2416", "1954 年北京坐标系", "EPSG:4528"),
        ("EPSG:21421", "1954 年北京坐标系", "EPSG:4499"),
        ("EPSG:4214", "1954 年北京坐标系", "EPSG:4490"),
        ("EPSG:2385", "1980 西安坐标系", "EPSG:4549"),
        ("EPSG:4610", "1980 西安坐标系", "EPSG:4490"),
    ],
)
def test_an_old_datum_needs_parameters(crs: str, datum: str, offer: str, definition: MapDefinition) -> None:
    given = in_frame(spread(6), crs)
    for error in (
        refusal(definition, reading_of(given, crs=crs)),
        refusal(definition, reading_of(given), crs),
    ):
        assert error.reason == "datum_needs_parameters"
        assert datum in error.text("zh")
        assert offer in error.text("zh")
        assert "参数" in error.text("zh")


def test_a_foreign_frame_without_a_known_way_is_refused_too(definition: MapDefinition) -> None:
    error = refusal(definition, reading_of(np.array([[651409.9, 313177.3]]), crs="EPSG:27700"))
    assert error.reason == "datum_needs_parameters"
    assert "EPSG:27700" in error.text("en")


@pytest.mark.parametrize(
    ("stated", "true", "reason"),
    [
        ("CRS84", "CRS84 swapped", "axes_swapped"),
        ("EPSG:4549", "EPSG:4549 swapped", "axes_swapped"),
        ("EPSG:4528", "EPSG:4528 swapped", "axes_swapped"),
        ("EPSG:4549 swapped", "EPSG:4549", "axes_swapped"),
        ("EPSG:4549", "EPSG:4528", "zone_prefix"),
        ("EPSG:4528", "EPSG:4549", "zone_prefix"),
        ("EPSG:4548", "EPSG:4527", "zone_prefix"),
        ("EPSG:4548", "EPSG:4498", "zone_prefix"),
        ("EPSG:4547", "EPSG:4549", "crs_wrong"),
        ("CRS84", "EPSG:4549", "crs_wrong"),
        ("CRS84", "EPSG:3857", "crs_wrong"),
        ("EPSG:4549", "CRS84", "crs_wrong"),
    ],
)
@pytest.mark.parametrize("outside", ["refuse", "keep"])
def test_a_wrong_frame_is_refused_with_the_right_one(
    stated: str, true: str, reason: str, outside: str, definition: MapDefinition
) -> None:
    given = in_frame(spread(12), true)
    # One row that falls right by chance saves nobody.
    given = np.vstack([given, in_frame(spread(1, seed=3), stated)])
    for crs, reading in ((stated, reading_of(given)), ("auto", reading_of(given, crs=stated))):
        error = refusal(definition, reading, crs, outside=outside)
        assert error.reason == reason
        assert true in error.text("zh")
        assert true in error.text("en")


def test_impossible_numbers_are_told_row_by_row(definition: MapDefinition) -> None:
    for crs, points in (("EPSG:4490", [[200.0, 95.0]] * 5), ("CRS84 swapped", [[95.0, 30.0]] * 5)):
        _, _, issues = place(definition, reading_of(np.array(points)), crs)
        assert [i.code for i in issues] == ["coordinate_out_of_range"] * 5


def test_data_of_elsewhere_are_refused_or_kept_as_asked(definition: MapDefinition) -> None:
    away = np.array([[113.1, 23.2], [113.3, 23.0], [113.2, 23.1]])
    assert refusal(definition, reading_of(away, crs="EPSG:4490")).reason == "outside_district"
    placing, landed, issues = place(definition, reading_of(away, crs="EPSG:4490"), outside="keep")
    assert [(i.code, i.severity) for i in issues] == [("outside_extent", "warning")] * 3
    assert landed == pytest.approx(away)
    assert placing.issues == []


# --- rows that do not go with the rest ----------------------------------------------------------------------


def test_odd_rows_of_a_good_file_are_refused_one_by_one(definition: MapDefinition) -> None:
    points = spread(12)
    points[3] = points[3, ::-1]
    points[5], points[6], points[7] = (200.0, 95.0), (119.9, -95.0), (113.2, 23.1)
    points[8] = in_frame(points[8:9], "EPSG:4549")[0]
    _, landed, issues = place(definition, reading_of(points, crs="EPSG:4490"))
    assert [(i.row, i.code, i.severity) for i in sorted(issues, key=lambda i: i.row)] == [
        (3, "axes_swapped", "error"),
        (5, "coordinate_out_of_range", "error"),
        (6, "coordinate_out_of_range", "error"),
        (7, "outside_extent", "error"),
        (8, "coordinate_out_of_range", "error"),
    ]
    assert "200 95" in (next(i for i in issues if i.row == 5).value or "")
    assert np.flatnonzero(np.isnan(landed[:, 0])).tolist() == [3, 5, 6, 7, 8]


@pytest.mark.parametrize("frame", ["CRS84", "EPSG:4549", "EPSG:4528"])
def test_swapped_rows_are_never_swapped_back_silently(frame: str, definition: MapDefinition) -> None:
    points = in_frame(spread(12), frame)
    points[10:] = points[10:, ::-1]
    _, landed, issues = place(definition, reading_of(points), frame)
    assert {i.row: i.code for i in issues} == {10: "axes_swapped", 11: "axes_swapped"}
    assert np.isnan(landed[10:]).all()


def test_a_row_of_another_zone_names_the_frame_that_fits_it(definition: MapDefinition) -> None:
    lonlat = spread(12)
    points = in_frame(lonlat, "EPSG:4528")
    points[2] = in_frame(lonlat[2:3], "EPSG:4549")[0]
    points[4] = lonlat[4]
    placing, _, issues = place(definition, reading_of(points, crs="EPSG:4528"))
    found = {i.row: (i.code, (i.value or "").partition(" → ")[2]) for i in issues}
    assert found == {2: ("other_crs", "EPSG:4549"), 4: ("other_crs", "CRS84")}
    assert [i.code for i in placing.issues] == ["crs_mixed"]


def test_rows_beyond_the_district_are_errors_or_warnings_as_asked(definition: MapDefinition) -> None:
    points = spread(12)
    points[4] = (122.5, 29.0)
    for outside, severity in (("refuse", "error"), ("keep", "warning")):
        _, landed, issues = place(definition, reading_of(points, crs="EPSG:4490"), outside=outside)
        assert [(i.row, i.code, i.severity) for i in issues] == [(4, "outside_extent", severity)]
        assert np.isnan(landed[4, 0]) == (severity == "error")


def test_a_shape_that_only_reaches_into_the_district_is_inside(definition: MapDefinition) -> None:
    box = shapely.box(110, 20, 119, 29)
    _, _, issues = place(
        definition, reading_of([box] + [a.shape for a in counties()], crs="EPSG:4490"), layer="pads"
    )
    assert issues == []


def test_a_polygon_over_the_antimeridian_is_refused(definition: MapDefinition) -> None:
    wide = shapely.Polygon([(179.9, 29), (-179.9, 29), (-179.9, 29.1), (179.9, 29.1)])
    shapes = [shapely.box(120, 29, 120.1, 29.1)] * 3 + [wide]
    _, _, issues = place(definition, reading_of(shapes, format="geojson"), layer="pads")
    assert [(i.row, i.code) for i in issues] == [(3, "antimeridian")]


def test_a_coordinate_that_is_no_number_is_left_to_the_geometry_checks(definition: MapDefinition) -> None:
    points = spread(4)
    points[1] = (np.nan, 29.0)
    shapes = list(shapely.points(points))
    shapes[2] = shapely.Point(np.inf, 29.0)
    reading = reading_of(shapes, crs="EPSG:4490")
    placing, _, issues = place(definition, reading)
    assert issues == []
    found, _ = placing.apply(np.arange(4), np.array(shapes, dtype=object))
    assert found[2] is not None


# --- groups, winners, doubts --------------------------------------------------------------------------------


def test_two_groups_are_placed_each_in_its_own_frame(definition: MapDefinition) -> None:
    lonlat = spread(20)
    xy = np.vstack([in_frame(lonlat[:12], "EPSG:4528"), in_frame(lonlat[12:], "EPSG:4549")])
    placing, landed, issues = place(definition, reading_of(xy), by_group={1: "EPSG:4528", 2: "EPSG:4549"})
    assert metres(landed, lonlat) < 1e-3
    assert issues == placing.issues == []
    assert placing.crs == "EPSG:4528; EPSG:4549"
    assert refusal(definition, reading_of(xy), by_group={1: "EPSG:4528"}).reason == "crs_missing"
    assert refusal(definition, reading_of(xy), by_group={3: "EPSG:4528"}).reason == "crs_group_unknown"


def test_a_clear_winner_is_taken_by_auto_and_said(definition: MapDefinition) -> None:
    lonlat = spread(12)
    reading = reading_of(in_frame(lonlat, "GCJ-02"), {"code": codes(12)})
    placing, landed, issues = place(definition, reading, held=evidence(known_at(lonlat)))
    assert metres(landed, lonlat) < 0.01
    assert placing.crs == "GCJ-02"
    assert [(i.row, i.code, i.value) for i in placing.issues] == [(FILE, "crs_chosen", "GCJ-02 × 12")]
    assert {i.code for i in issues} == {"datum_shifted"}


def test_each_group_with_a_clear_winner_gets_its_own(definition: MapDefinition) -> None:
    lonlat = spread(40)
    points = np.vstack([in_frame(lonlat[:20], "GCJ-02"), lonlat[20:]])
    reading = reading_of(points, {"code": codes(40)})
    placing, landed, issues = place(definition, reading, held=evidence(known_at(lonlat)))
    assert metres(landed, lonlat) < 0.01
    assert sorted(i.row for i in issues) == list(range(20))
    assert [i.value for i in placing.issues] == ["GCJ-02 × 20", "CRS84 × 20"]


@pytest.mark.parametrize("datum", ["GCJ-02", "BD-09"])
def test_registered_codes_betray_a_shift_that_nobody_declared(datum: str, definition: MapDefinition) -> None:
    lonlat = spread(12)
    given = in_frame(lonlat, datum)
    reading = reading_of(given, {"code": codes(12)}, format="geojson")
    placing, landed, issues = place(definition, reading, held=evidence(known_at(lonlat)))
    assert metres(landed, given) < 1e-6  # taken as stated, not moved silently
    assert issues == []
    doubts = [i for i in placing.issues if i.code == "crs_doubtful"]
    assert len(doubts) == 1
    assert (doubts[0].row, doubts[0].severity) == (FILE, "warning")
    assert f"< {datum}" in (doubts[0].value or "")
    suspected = [i for i in placing.issues if i.code == "datum_suspected"]
    assert [i.row for i in suspected] == list(range(12))
    for issue in suspected:
        distance, _, name = (issue.value or "").partition(" m → ")
        assert name == datum
        assert 300 <= float(distance) <= 1500


def test_an_honest_move_of_a_registered_thing_raises_no_suspicion(definition: MapDefinition) -> None:
    lonlat = spread(12)
    given = lonlat.copy()
    given[3] += (-0.0045, 0.0042)  # 640 m, but not the way a web map shifts
    given[4] += (0.00002, 0.00001)
    reading = reading_of(given, {"code": codes(12)}, format="geojson")
    placing, _, _ = place(definition, reading, held=evidence(known_at(lonlat)))
    assert placing.issues == []


def test_the_users_word_is_taken_and_doubted(definition: MapDefinition) -> None:
    lonlat = spread(12)
    reading = reading_of(lonlat, {"code": codes(12)})
    placing, _, _ = place(definition, reading, "GCJ-02", held=evidence(known_at(lonlat)))
    assert placing.crs == "GCJ-02"
    assert [i.code for i in placing.issues] == ["crs_doubtful"]


# --- the words ----------------------------------------------------------------------------------------------


def test_every_code_has_words_and_the_severity_it_is_used_with(definition: MapDefinition) -> None:
    words = issue_words()
    for code, severity in (
        ("crs_missing", "file"), ("crs_unknown", "file"), ("crs_wrong", "file"), ("zone_prefix", "file"),
        ("outside_district", "file"), ("datum_needs_parameters", "file"), ("axes_swapped", "error"),
        ("other_crs", "error"), ("coordinate_out_of_range", "error"), ("antimeridian", "error"),
        ("datum_shifted", "repair"), ("crs_doubtful", "warning"), ("crs_chosen", "warning"),
        ("crs_mixed", "warning"), ("datum_suspected", "warning"), ("outside_extent", "warning"),
    ):  # fmt: skip
        assert words[code].severity == severity
    zh, en, *_ = told("datum_suspected", value="555 m → GCJ-02")
    assert "555 m" in zh
    assert "registered position" in en
    assert "looks like GCJ-02/BD-09" in en


def test_the_storage_extent_holds_the_district(definition: MapDefinition) -> None:
    assert storage_extent(definition) == pytest.approx(DISTRICT, abs=1e-6)
