"""What differs between two outlines, against what the overlay of GEOS says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import shapely

from gis.screening.near import Places
from gis.screening.redrawn import differing_lines

RING = shapely.buffer(shapely.Point(0, 0), 1_000.0, quad_segs=32)
SIDE = RING.length / (shapely.get_num_coordinates(RING) - 1) + 1e-6
BITE = shapely.buffer(shapely.Point(900, 300), 200.0)
HOLE = shapely.buffer(shapely.Point(-300, -300), 100.0)


@pytest.mark.parametrize("edit", [shapely.difference, shapely.union])
@pytest.mark.parametrize(
    "piece", [BITE, HOLE, shapely.Point(990, 0).buffer(30)], ids=["bite", "hole", "small"]
)
def test_near_what_differs_is_who_is_near_the_symmetric_difference(
    edit: Callable[..., shapely.Geometry], piece: shapely.Geometry
) -> None:
    after = edit(shapely.reverse(RING), piece)
    lines = differing_lines(RING, after)
    assert lines is not None
    rng = np.random.default_rng(7)
    points = np.asarray(shapely.points(rng.uniform(-1_300, 1_300, (6_000, 2))))
    metres = rng.uniform(0, 300, len(points))
    places = Places(np.array([lines], dtype=object), {0: (RING, after)})
    changed = shapely.symmetric_difference(RING, after)
    away = shapely.distance(points, changed)
    near = places.near(0, points, metres)
    if changed.is_empty:
        assert lines.is_empty and not near.any()
    else:
        assert near.sum() > 20
        assert near[away <= metres + 1.0 - 1e-6].all()
        assert not near[away > metres + 1.0 + SIDE].any()  # a side that is cut differs as a whole


def test_where_most_differs_both_polygons_are_looked_at() -> None:
    assert differing_lines(RING, shapely.affinity.translate(RING, 1.0, 0.0)) is None


def test_other_starts_and_turns_of_rings_are_no_difference() -> None:
    xy = shapely.get_coordinates(RING)[:-1]
    turned = shapely.Polygon(np.roll(xy, 5, axis=0)[::-1])
    lines = differing_lines(RING, shapely.MultiPolygon([turned]))
    assert lines is not None and lines.is_empty
