"""How deep inside or how far outside, to the boundary that is real."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from gis.kernel import ZoneSet, signed_margin
from gis.kernel.boundary import SEAM_M
from tests.kernel import shapes

SQUARE = shapely.box(0, 0, 10, 10)
NEIGHBOUR = shapely.box(10, 0, 20, 10)


def margin(geom: shapely.Geometry, *zones: shapely.Geometry) -> float:
    return float(signed_margin([geom], ZoneSet.prepare(zones, 1.0)).margin_m[0])


def test_inside_is_positive_outside_negative_and_crossing_zero() -> None:
    assert margin(shapely.Point(3, 5), SQUARE) == 3
    assert margin(shapely.Point(14, 5), SQUARE) == -4
    assert margin(shapely.box(2, 2, 8, 8), SQUARE) == 2
    assert margin(shapely.box(2, 2, 18, 8), SQUARE) == 0
    assert margin(shapely.LineString([(12, 0), (12, 10)]), SQUARE) == -2


def test_a_seam_is_no_boundary() -> None:
    assert margin(shapely.Point(10, 4), SQUARE, NEIGHBOUR) == 4
    assert margin(shapely.box(8, 3, 12, 7), SQUARE, NEIGHBOUR) == 3


def test_a_seam_with_vertices_of_one_side_only_is_none_either() -> None:
    turn = shapely.affinity.rotate
    west = turn(SQUARE, 31.7, origin=(0, 0))
    east = turn(NEIGHBOUR.segmentize(0.7), 31.7, origin=(0, 0))
    place = turn(shapely.Point(10.0, 4.9), 31.7, origin=(0, 0))
    assert not shapely.union(west, east).boundary.equals(
        turn(shapely.box(0, 0, 20, 10), 31.7, origin=(0, 0)).boundary
    )
    assert margin(place, west, east) == pytest.approx(4.9, abs=1e-6)


def test_a_gap_wider_than_a_seam_is_a_boundary() -> None:
    assert margin(shapely.Point(10, 4), SQUARE, shapely.box(10 + SEAM_M / 2, 0, 20, 10)) == 4
    assert margin(shapely.Point(9, 4), SQUARE, shapely.box(10 + 2 * SEAM_M, 0, 20, 10)) == 1


def test_part_of_an_edge_shared_leaves_the_rest_a_boundary() -> None:
    low = shapely.box(10, 0, 20, 5)
    assert margin(shapely.Point(9, 9), SQUARE, low) == 1
    assert margin(shapely.Point(9, 2), SQUARE, low) == 2


def test_a_hole_filled_by_another_zone_is_no_boundary_and_an_empty_one_is() -> None:
    frame = shapely.box(0, 0, 30, 30) - SQUARE.buffer(0)
    framed = shapely.Polygon(shapely.box(-20, -20, 30, 30).exterior, [SQUARE.exterior])
    assert margin(shapely.Point(5, 5), framed, SQUARE) == 25
    assert margin(shapely.Point(5, 5), framed) == -5
    assert margin(shapely.Point(12, 5), framed) == 2
    assert frame.area == 800


def test_zones_one_in_another_and_twins_count_once() -> None:
    assert margin(shapely.Point(5, 5), SQUARE, shapely.box(4, 4, 6, 6)) == 5
    assert margin(shapely.Point(2, 5), SQUARE, SQUARE) == 2
    assert margin(shapely.Point(1, 5), SQUARE, shapely.box(0, 0, 5, 10)) == 1


def test_a_line_or_point_inside_a_zone_is_no_boundary_of_it() -> None:
    assert (
        margin(shapely.Point(5, 5), SQUARE, shapely.LineString([(5, 0), (5, 10)]), shapely.Point(5, 5)) == 5
    )


def test_a_subject_that_holds_a_point_zone_is_at_its_boundary() -> None:
    assert margin(SQUARE, shapely.Point(5, 5)) == 0
    assert margin(SQUARE, shapely.Point(14, 5)) == -4


def test_a_mere_touch_is_on_the_boundary_and_an_overlap_is_not() -> None:
    subjects = [
        NEIGHBOUR,
        shapely.box(10, 10, 20, 20),
        shapely.box(9, 0, 20, 10),
        shapely.Point(10, 5),
        shapely.Point(9, 5),
    ]
    found = signed_margin(subjects, ZoneSet.prepare([SQUARE], 1.0))
    assert found.on_boundary.tolist() == [True, True, False, True, False]
    assert found.margin_m.tolist() == [0, 0, 0, 0, 1]


def test_the_accuracy_told_is_that_of_the_zone_whose_outline_is_nearest() -> None:
    zones = ZoneSet.prepare([SQUARE, NEIGHBOUR], [1.0, np.nan])
    found = signed_margin(shapely.points([(2, 5), (18, 5), (-3, 5), (24, 5)]), zones)
    assert found.error_zone_accuracy_m == pytest.approx([1, np.nan, 1, np.nan], nan_ok=True)
    assert found.zone.tolist() == [0, 1, 0, 1]


def test_few_subjects_traced_locally_get_the_margin_of_many() -> None:
    rng = np.random.default_rng(11)
    geoms = shapes.zone_mix(rng, 3000.0)[::6]
    points = shapely.points(np.array([shapes.EAST, shapes.NORTH]) + rng.uniform(0, 3000, (40, 2)))
    many = signed_margin(points, ZoneSet.prepare(geoms, 1.0)).margin_m
    local = [ZoneSet.prepare(geoms, 1.0) for _ in points]
    few = np.array([signed_margin([p], zones).margin_m[0] for p, zones in zip(points, local, strict=True)])
    assert np.abs(many - few).max() < 1e-9 and (many > 0).sum() > 5
    assert not any(zones.union.is_whole for zones in local)


def test_the_boundary_is_as_long_as_that_of_the_union() -> None:
    geoms = shapes.zone_mix(np.random.default_rng(12), 4000.0)
    boundary = ZoneSet.prepare(geoms, 1.0).union.whole()
    union = shapely.union_all(geoms)
    twice = shapely.line_merge(shapely.union_all(boundary.lines))
    assert twice.length == pytest.approx(union.length, abs=0.05)
    assert shapely.hausdorff_distance(twice, union.boundary) < 2 * SEAM_M


def test_an_empty_subject_has_no_margin_and_no_zone_is_infinitely_far() -> None:
    found = signed_margin([shapely.Point(), shapely.Point(0, 0)], ZoneSet.prepare([shapely.Polygon()], 1.0))
    assert np.isnan(found.margin_m[0]) and found.margin_m[1] == -np.inf
    assert found.zone.tolist() == [-1, -1]
