"""Which subjects meet which zones: the order of answers and the awkward inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

import gis.kernel
from gis.errors import KernelInputError
from gis.kernel import ZoneSet, intersecting, points_in_zones, within

SQUARE = shapely.box(0, 0, 10, 10)
BOW = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


def zones() -> ZoneSet:
    return ZoneSet.prepare([SQUARE, shapely.Polygon(), shapely.box(5, 0, 20, 10)], 1.0)


def test_points_come_sorted_by_zone_and_then_by_point() -> None:
    point, zone = points_in_zones([[19, 1], [7, 5], [1, 9], [6, 1]], zones())
    assert list(zip(zone.tolist(), point.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (0, 3),
        (2, 0),
        (2, 1),
        (2, 3),
    ]


def test_a_point_on_edge_or_vertex_is_in_its_zone_and_one_in_a_hole_is_not() -> None:
    holed = shapely.Polygon(SQUARE.exterior, [shapely.box(4, 4, 6, 6).exterior])
    xy = [[0, 0], [10, 3], [5, 5], [4, 5], [4, 4], [10.0000001, 3]]
    assert points_in_zones(xy, ZoneSet.prepare([holed], 1.0))[0].tolist() == [0, 1, 3, 4]


def test_intersecting_comes_sorted_by_subject_and_counts_a_touch() -> None:
    subjects = [
        shapely.box(10, 0, 12, 3),
        shapely.Polygon(),
        shapely.Point(7, 7),
        shapely.LineString([(0, 10), (-5, 15)]),
    ]
    s, z = intersecting(subjects, zones())
    assert list(zip(s.tolist(), z.tolist(), strict=True)) == [(0, 0), (0, 2), (2, 0), (2, 2), (3, 0)]


def test_within_takes_one_reach_for_all_or_one_for_each_zone() -> None:
    places = shapely.points([(-3, 5), (24, 5)])
    assert [a.tolist() for a in within(places, zones(), 3.0)] == [[0], [0], [3.0]]
    assert [a.tolist() for a in within(places, zones(), [0.0, 99.0, 4.0])] == [[1], [2], [4.0]]


@pytest.mark.parametrize("distance", [-1.0, np.nan, np.inf])
def test_a_reach_that_is_no_distance_is_refused(distance: float) -> None:
    with pytest.raises(KernelInputError, match="distance_m"):
        within([SQUARE], zones(), distance)


def test_nothing_asked_gives_nothing() -> None:
    empty = ZoneSet.prepare([], None)
    for found in (points_in_zones([], zones()), points_in_zones([[1, 1]], empty), intersecting([], zones())):
        assert [len(column) for column in found] == [0, 0]
    assert [len(column) for column in within([SQUARE], empty, 5.0)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: ZoneSet.prepare([SQUARE, BOW], 1.0), "zones"),
        (lambda: intersecting([SQUARE, BOW], zones()), "subjects"),
        (lambda: within([SQUARE, BOW], zones(), 1.0), "subjects"),
    ],
)
def test_an_invalid_geometry_is_refused_by_index_and_reason(call: Any, name: str) -> None:
    with pytest.raises(KernelInputError, match=rf"{name}\[1\] is invalid: Self-intersection"):
        call()


def test_a_missing_geometry_and_a_negative_accuracy_are_refused() -> None:
    with pytest.raises(KernelInputError, match=r"zones\[0\] is not a geometry"):
        ZoneSet.prepare([None], 1.0)
    with pytest.raises(KernelInputError, match=r"accuracy_m\[1\]"):
        ZoneSet.prepare([SQUARE, SQUARE], [0.0, -0.1])


def test_heights_are_left_out() -> None:
    high = shapely.Polygon([(0, 0, 99), (10, 0, 99), (10, 10, 99)])
    assert not shapely.has_z(ZoneSet.prepare([high], 1.0).geoms).any()


def test_some_zones_taken_answer_like_a_set_of_their_own() -> None:
    every = zones()
    assert len(every.pieces) == 2
    taken = every.take([2, 0])
    assert points_in_zones([[19, 1]], taken)[1].tolist() == [0]
    assert taken.pieces.owner.tolist() == [0, 1]
    assert every.take(np.array([True, False, False])).bounds.tolist() == [[0, 0, 10, 10]]


def test_the_public_names_are_these() -> None:
    assert sorted(gis.kernel.__all__) == sorted(
        "CLEAR CONFLICT EDGE UNKNOWN Margin Parts Pieces PointVerdicts ZoneSet bearing classify_points "
        "combine cut depth_within depths_within distance gap_from_outside intersecting margin_inside overlap "
        "points_in_zones reassigned sharing side_of signed_margin size size_of split throughout "
        "uncovered within witness".split()
    )
