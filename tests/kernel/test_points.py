"""Verdicts of points, compared with first principles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import KernelInputError
from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, ZoneSet, classify_points, split
from tests.kernel.strategies import ACCURACIES, DISTANCES, zone_lists

SQUARE = shapely.box(0, 0, 10, 10)
quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)
GRID = np.stack(np.meshgrid(np.linspace(-3.3, 20.7, 9), np.linspace(-3.1, 20.9, 9)), axis=-1).reshape(-1, 2)


def expected(xy: Any, zones: Any, accuracy: Any, error: float, distance: float) -> tuple[int, float]:
    """Verdict of a point and how near it is to another verdict (metres)."""
    point, total = shapely.Point(xy), np.asarray(accuracy) + error
    union = shapely.union_all(zones)
    gap = shapely.distance(point, zones)
    own = np.where(gap == 0, shapely.distance(point, shapely.boundary(zones)), -gap) + distance
    sure = (own - total).max()
    if shapely.intersects(point, union):
        rims = [shapely.intersection(shapely.boundary(z), shapely.boundary(union)) for z in zones]
        away = np.array([shapely.distance(point, r) if not r.is_empty else np.inf for r in rims])
        sure = max(sure, (away + distance - total).min())
        possible = sure + 1.0 if sure > 0 else 1.0
    else:
        possible = (own + total).max()
    near = min(abs(sure), abs(possible))
    return (CONFLICT if sure > 0 else EDGE if possible >= 0 else CLEAR), float(near)


@quick
@given(zone_lists(), ACCURACIES, DISTANCES)
def test_verdicts_are_those_of_plain_distances(zones: Any, error: float, distance: float) -> None:
    geoms, accuracy = np.array(zones[0], dtype=object), zones[1]
    found = classify_points(GRID, error, ZoneSet.prepare(geoms, accuracy), distance)
    for xy, verdict, margin, total in zip(GRID, found.verdict, found.margin_m, found.error_m, strict=True):
        wanted, near = expected(xy, geoms, accuracy, error, distance)
        assert verdict == wanted or near < 1e-6, (xy, margin, total)
        told = CONFLICT if margin > total else EDGE if margin >= -total else CLEAR
        assert told == verdict or abs(abs(margin) - total) < 1e-6


@quick
@given(zone_lists(st.sampled_from([0.5, 3.0, np.nan])), st.sampled_from([0.0, 2.0, np.nan]), DISTANCES)
def test_a_point_and_a_tiny_square_around_it_get_the_same_verdict(
    zones: Any, error: float, distance: float
) -> None:
    prepared = ZoneSet.prepare(zones[0], zones[1])
    found = classify_points(GRID[::6], error, prepared, distance)
    for (x, y), verdict, margin, total in zip(
        GRID[::6], found.verdict, found.margin_m, found.error_m, strict=True
    ):
        if np.isnan(total) or abs(abs(margin) - total) > 0.05:
            site = shapely.box(x - 0.01, y - 0.01, x + 0.01, y + 0.01)
            assert split(site, error, prepared, distance).verdict == verdict


def test_a_company_placed_within_its_error_of_a_boundary_is_edge_never_conflict_or_clear() -> None:
    xy = [[10 + d, 5] for d in (-4.9, -2.0, 0.0, 2.0, 2.9)]
    found = classify_points(xy, 2.0, ZoneSet.prepare([SQUARE], 1.0))
    assert found.verdict.tolist() == [CONFLICT, EDGE, EDGE, EDGE, EDGE]
    assert found.on_boundary.tolist() == [False, False, True, False, False]


def test_the_very_boundary_is_edge_even_without_any_error() -> None:
    found = classify_points([[10, 5], [10, 10], [9.99, 5], [10.01, 5]], 0.0, ZoneSet.prepare([SQUARE], 0.0))
    assert found.verdict.tolist() == [EDGE, EDGE, CONFLICT, CLEAR]


def test_a_point_on_a_seam_is_as_deep_as_the_union_is() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.box(10, 0, 20, 10)], 4.0)
    found = classify_points([[10, 5]], 0.5, zones)
    assert found.verdict[0] == CONFLICT and found.margin_m[0] == 5


def test_a_distance_moves_the_limit_outwards() -> None:
    found = classify_points([[60, 5], [61, 5], [58.5, 5], [10, 5]], 0.0, ZoneSet.prepare([SQUARE], 0.5), 50.0)
    assert found.verdict.tolist() == [EDGE, CLEAR, CONFLICT, CONFLICT]
    assert found.margin_m.tolist() == [0, -1, 1.5, 50]


def test_point_zones_have_a_reach_but_no_inside() -> None:
    zones = ZoneSet.prepare([shapely.Point(0, 0)], 10.0)
    assert classify_points([[0, 0]], 1.0, zones).verdict[0] == EDGE
    assert classify_points([[0, 0], [30, 0], [200, 0]], 1.0, zones, 50.0).verdict.tolist() == [
        CONFLICT,
        CONFLICT,
        CLEAR,
    ]


def test_one_very_coarse_point_does_not_change_the_others() -> None:
    xy = np.r_[GRID, [[5.0, 5.0]]]
    error = np.r_[np.full(len(GRID), 0.5), 12_000.0]
    zones = ZoneSet.prepare([SQUARE, shapely.box(12, 0, 15, 3)], [1.0, 3.0])
    together, alone = classify_points(xy, error, zones), classify_points(GRID, 0.5, zones)
    assert together.verdict[:-1].tolist() == alone.verdict.tolist()
    assert together.verdict[-1] == EDGE


def test_unknown_accuracy_of_a_point_is_unknown_wherever_there_is_a_zone() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.Polygon()], 1.0)
    found = classify_points([[5, 5], [500, 5], [5, 5]], [np.nan, np.nan, 0.0], zones)
    assert found.verdict.tolist() == [UNKNOWN, UNKNOWN, CONFLICT]
    assert found.accuracy_unknown.tolist() == [True, True, False]
    assert found.margin_m.tolist() == [5, -490, 5]


def test_a_zone_of_unknown_accuracy_leaves_the_conflicts_of_the_others() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.box(20, 0, 30, 10)], [1.0, np.nan])
    found = classify_points([[5, 5], [25, 5], [100, 100]], 0.0, zones)
    assert found.verdict.tolist() == [CONFLICT, UNKNOWN, UNKNOWN]
    assert found.zone.tolist() == [0, 1, 1]


def test_without_zones_everything_is_clear_and_infinitely_far() -> None:
    for zones in (ZoneSet.prepare([], None), ZoneSet.prepare([shapely.Polygon()], None)):
        found = classify_points([[0, 0]], None, zones)
        assert (found.verdict[0], found.margin_m[0], found.zone[0]) == (CLEAR, -np.inf, -1)


def test_the_zone_named_is_the_one_given_also_past_an_empty_one() -> None:
    found = classify_points([[5, 5]], 1.0, ZoneSet.prepare([shapely.Polygon(), SQUARE], [np.nan, 1.0]))
    assert found.zone.tolist() == [1] and found.verdict.tolist() == [CONFLICT]


def test_no_points_give_no_verdicts() -> None:
    assert len(classify_points([], 1.0, ZoneSet.prepare([SQUARE], [1.0])).verdict) == 0


@pytest.mark.parametrize(
    ("xy", "accuracy", "distance", "complaint"),
    [
        ([[np.nan, 0]], 1.0, 0.0, r"xy\[0\] is not finite"),
        ([[0, 0, 0]], 1.0, 0.0, "wanted"),
        ([[0, 0]], -1.0, 0.0, r"accuracy_m\[0\] is -1"),
        ([[0, 0]], [1.0, 2.0], 0.0, "wanted"),
        ([[0, 0]], 1.0, -5.0, r"distance_m\[0\] is -5"),
    ],
)
def test_bad_numbers_are_refused(xy: Any, accuracy: Any, distance: float, complaint: str) -> None:
    with pytest.raises(KernelInputError, match=complaint):
        classify_points(xy, accuracy, ZoneSet.prepare([SQUARE], 1.0), distance)
