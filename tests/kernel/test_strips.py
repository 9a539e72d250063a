"""Strips: what they decide without asking is what GEOS says, on the outline's every turn too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from gis.kernel import ZoneSet, points_in_zones
from gis.kernel import strips as module
from gis.kernel.inside import points_in
from gis.kernel.prepared import PreparedCopies
from gis.kernel.strips import INSIDE, Strips
from tests.kernel import shapes


@pytest.fixture(scope="module")
def geoms() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(31)
    others = [
        shapely.Polygon(),
        shapely.MultiPolygon([shapely.box(0, 0, 900, 900), shapely.box(900, 900, 901, 901)]),
        shapely.GeometryCollection([shapely.box(0, 0, 500, 500), shapely.box(200, 0, 700, 500)]),
        shapely.LineString([(0, 0), (3000, 1)]),
        shapely.Point(100, 100),
    ]
    moved = shapely.transform(others, lambda xy: xy + np.array([shapes.EAST, shapes.NORTH]))
    return np.concatenate([shapes.zone_mix(rng, 3000.0)[::3], moved])


def places(rng: np.random.Generator, geoms: Any) -> Any:
    """Scattered, on every vertex, beside it, on the borders of columns, and far away."""
    corner = np.array([shapes.EAST, shapes.NORTH])
    vertices = shapely.get_coordinates(geoms)
    left = shapely.bounds(geoms)[:, 0]
    borders = np.nanmin(left) + module.COLUMN_M * rng.integers(0, 60, 3000)
    return np.concatenate(
        [
            corner + rng.uniform(-200, 3200, (20_000, 2)),
            vertices,
            vertices + rng.choice([-1e-9, 0.0, 1e-9, 1e-3], vertices.shape),
            np.column_stack([borders, shapes.NORTH + rng.uniform(0, 3000, 3000)]),
            corner + np.array([[-1e7, 0], [1e7, 0], [0, 1e7], [0, -1e7]]),
        ]
    )


def test_strips_change_no_pair(geoms: Any) -> None:
    xy = places(np.random.default_rng(32), geoms)
    with_strips = points_in(xy, geoms, PreparedCopies(geoms), 2, Strips.of(geoms))
    without = points_in(xy, geoms, PreparedCopies(geoms), 2)
    assert all(np.array_equal(one, other) for one, other in zip(with_strips, without, strict=True))
    point, zone = np.meshgrid(np.arange(0, len(xy), 97), np.arange(len(geoms)))
    asked = shapely.intersects_xy(geoms[zone.ravel()], xy[point.ravel(), 0], xy[point.ravel(), 1])
    found = set(zip(*(column.tolist() for column in with_strips), strict=True))
    every = zip(point.ravel().tolist(), zone.ravel().tolist(), strict=True)
    assert [pair in found for pair in every] == asked.tolist()


def test_most_of_a_wide_zone_is_decided_by_its_strips() -> None:
    zone = shapes.blob(np.random.default_rng(33), shapes.EAST, shapes.NORTH, 5000.0, 4000, holes=3)
    strips = Strips.of(np.array([zone], dtype=object))
    inside = np.flatnonzero(strips.above == INSIDE)
    sure = float((strips.bottom[inside + 1] - strips.top[inside]).sum() * strips.width_m)
    assert 0.9 * zone.area < sure < zone.area


def test_a_steep_edge_across_a_border_of_columns_is_outline_on_both_sides() -> None:
    at = module.COLUMN_M
    leaning = shapely.Polygon([(0, 0), (at - 1e-7, 0), (at + 1e-7, 5000), (0, 5000)])
    zones = ZoneSet.prepare([leaning], 0.0)
    y = np.linspace(1, 4999, 4001)
    x = at + np.random.default_rng(34).uniform(-2e-7, 2e-7, len(y))
    assert zones.strips(len(y)) is not None
    found = points_in_zones(np.column_stack([x, y]), zones)[0]
    assert found.tolist() == np.flatnonzero(shapely.intersects_xy(leaning, x, y)).tolist()


def test_strips_are_made_when_enough_is_asked() -> None:
    zones = ZoneSet.prepare([shapely.box(0, 0, 10, 10).segmentize(0.1)], 0.0)
    assert zones.strips(1) is None
    made = zones.strips(100)
    assert made is not None and zones.strips(1) is made


def test_no_zone_has_no_strips() -> None:
    none = np.array([shapely.Polygon()], dtype=object)
    assert len(Strips.of(none).row) == len(Strips.of(none[:0]).row) == 0
    assert len(points_in(np.zeros((3, 2)), none, PreparedCopies(none), 1, Strips.of(none))[0]) == 0
