"""What is left of an area by covers taken away one by one is what their union leaves."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from gis.kernel.frame import Body, Frame
from gis.kernel.reach import Grown
from tests.kernel import shapes


@pytest.mark.parametrize("radius", [0.5, 25.0, 200.0])
def test_an_area_is_divided_by_covers_as_by_their_union(radius: float) -> None:
    rng = np.random.default_rng(51)
    drawn = 0
    for _ in range(20):
        area = shapes.blob(rng, 0.0, 0.0, float(rng.uniform(20, 200)), 30)
        frame = Frame.around(shapely.bounds([area]), stored=True)
        ends = rng.uniform(-300, 300, (12, 1, 2)) + rng.uniform(-40, 40, (12, 2, 2))
        lines = np.asarray(shapely.linestrings(ends), dtype=object)
        covers = [Grown(lines[[i]], radius, over=bool(i % 2)) for i in range(len(lines))]
        held, left = frame.divided(area, [Body(shapely.box(-20, -20, 0, 0)), *covers])
        drawn += sum("area" in cover.__dict__ for cover in covers)
        union = shapely.union_all([shapely.box(-20, -20, 0, 0), *(cover.area for cover in covers)])
        assert shapely.symmetric_difference(held, area & union).area == pytest.approx(0, abs=1e-6)
        assert shapely.symmetric_difference(left, area - union).area == pytest.approx(0, abs=1e-6)
    assert drawn < 20 * len(covers)


def test_covers_are_asked_for_until_nothing_is_left() -> None:
    area, frame = shapely.box(0, 0, 10, 10), Frame(np.zeros(2), 2.0**-40)
    asked = (Body(shapely.box(0, 0, width, 10)) for width in (4, 20, 30))
    held, left = frame.divided(area, asked)
    assert held.equals(area) and left.is_empty
    assert [cover.area.bounds[2] for cover in asked] == [30]


def test_an_area_that_no_cover_reaches_is_left_as_it_is() -> None:
    area, frame = shapely.box(0, 0, 10, 10), Frame(np.zeros(2), 2.0**-40)
    held, left = frame.divided(area, [Body(shapely.box(20, 0, 30, 10)), Body(shapely.Polygon())])
    assert held.is_empty and left is area


def test_a_frame_is_laid_around_the_boxes_that_are_some() -> None:
    nothing = shapely.bounds(shapely.Polygon())
    boxes = np.array(
        [nothing, [500_000.0, 3_200_000.5, 500_090.0, 3_200_030.0], [500_010, 3_200_000, 500_020, 3_200_200]]
    )
    frame = Frame.around(boxes)
    assert frame.origin.tolist() == [500_045.0, 3_200_100.0]
    # A half width of 100 m and a metre more needs 7 bits before the point.
    assert frame.grid_m == 2.0 ** (7 - 47)
    assert Frame.around(boxes, stored=True).grid_m == np.spacing(3_200_200.0)
    for none in (np.empty((0, 4)), nothing[None]):
        assert Frame.around(none).origin.tolist() == [0.0, 0.0]
