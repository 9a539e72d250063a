"""What only rounding left goes where it belongs; what it is no part of stays as it is."""

from __future__ import annotations

import shapely

from gis.kernel.slivers import without_slivers

NONE = shapely.Polygon()


def test_a_sliver_of_conflict_is_edge_and_dust_is_nothing() -> None:
    sliver, dust = shapely.box(0, 0, 1e-8, 10), shapely.box(20, 0, 20 + 1e-11, 1)
    conflict, unknown, edge, clear = without_slivers(
        [shapely.MultiPolygon([sliver, dust]), NONE, NONE, shapely.box(0, 0, 10, 10)]
    )
    assert conflict.is_empty and unknown.is_empty
    assert edge.equals(sliver)
    assert clear.area == 100.0


def test_other_slivers_join_a_verdict_that_the_site_has() -> None:
    sliver, body = shapely.box(5, 0, 5 + 1e-8, 5), shapely.box(0, 0, 5, 5)
    conflict, unknown, edge, clear = without_slivers([body, NONE, sliver, NONE])
    assert unknown.is_empty and edge.is_empty and clear.is_empty
    assert conflict.area > 25.0 and conflict.bounds[2] == 5 + 1e-8


def test_parts_without_slivers_and_a_site_that_is_one_are_left_alone() -> None:
    solid = [shapely.box(i, 0, i + 1, 1) for i in range(4)]
    assert all(one is other for one, other in zip(without_slivers(solid), solid, strict=True))
    thin = [shapely.box(0, 0, 1e-9, 5), NONE, NONE, NONE]
    assert without_slivers(thin) == thin
