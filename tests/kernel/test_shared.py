"""Areas that pairs of polygons share: as they are where outlines cross, on a grid where they run together."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from gis.kernel import ZoneSet, intersecting, overlap
from gis.kernel.shared import _close, shared_area
from gis.kernel.strips import INSIDE, OUTLINE, OUTSIDE, Strips
from tests.kernel import shapes


def array(*geoms: shapely.Geometry) -> np.ndarray:
    return np.array(geoms, dtype=object)


def test_outlines_that_run_together_are_close_and_those_that_cross_are_not() -> None:
    one = shapely.box(0, 0, 10, 10)
    others = array(
        shapely.box(5, 5, 15, 15),
        shapely.box(10 + 1e-9, 2, 15, 8),
        shapely.box(5, 10 - 5e-4, 6, 20),
        shapely.Polygon([(-5, 5), (15, 4), (15, 6)]),
        shapely.box(100, 100, 101, 101),
    )
    ones = np.full(len(others), one)
    assert _close(ones, others).tolist() == [False, True, True, False, False]
    assert shared_area(ones, others) == pytest.approx(shapely.area(shapely.intersection(ones, others)))


def test_areas_of_many_are_those_of_each_zone_whole() -> None:
    rng = np.random.default_rng(41)
    zones = shapes.zone_mix(rng, 3000.0)[::5]
    subjects = array(*shapes.blobs(rng, 120, 3000.0, 150.0, 40), *shapes.tiles(rng, 120, 3000.0, 100.0))
    prepared = ZoneSet.prepare(zones, 0.0, max_vertices=32)
    assert prepared.strips(10**6) is not None
    s, z = intersecting(subjects, prepared)
    assert set(zip(s.tolist(), z.tolist(), strict=True)) == {
        (int(a), int(b)) for b, a in shapely.STRtree(subjects).query(zones, "intersects").T
    }
    area = overlap(subjects, prepared, s, z)
    whole = shapely.area(shapely.intersection(subjects[s], zones[z], grid_size=2.0**-20))
    assert np.abs(area - whole).max() < 0.01
    twice = overlap(subjects, prepared, np.r_[s, s[::-1]], np.r_[z, z[::-1]])
    assert (twice == np.r_[area, area[::-1]]).all()


def test_a_box_is_held_inside_outside_or_not_known() -> None:
    zone = shapely.Polygon(shapely.box(0, 0, 1000, 1000).exterior, [shapely.box(400, 400, 600, 600).exterior])
    strips = Strips.of(array(zone))
    boxes = np.array(
        [
            [150, 50, 350, 350],
            [510, 450, 590, 550],
            [350, 450, 450, 550],
            [990, 5, 1010, 9],
            [2000, 0, 2001, 1],
        ],
        dtype=float,
    )
    held = strips.hold(boxes, np.zeros(len(boxes), dtype=np.int64))
    assert held.tolist() == [INSIDE, OUTSIDE, OUTLINE, OUTLINE, OUTLINE]
