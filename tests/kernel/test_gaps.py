"""What is told of several sets at once is what measuring to each of their lines tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.kernel import ZoneSet, gap_from_outside
from gis.kernel.gaps import Gaps
from tests.kernel import shapes
from tests.kernel.strategies import LATTICE, POLYGONS, SITES, walks

POINTS = st.builds(shapely.Point, LATTICE, LATTICE)
ZONES = st.lists(st.one_of(POLYGONS, walks(), POINTS), min_size=1, max_size=4)


@given(st.lists(ZONES, min_size=1, max_size=4), st.one_of(SITES, POINTS))
def test_gaps_are_those_to_each_line_of_each_set(sets: list[list[Any]], subject: Any) -> None:
    rims = [ZoneSet.prepare(zones, 0.0).rim for zones in sets]
    found = Gaps.among(rims).nearest(subject)
    for place, rim in enumerate(rims):
        each = shapely.distance(subject, rim.lines)
        nearest = set(rim.owner[each == each.min()].tolist())
        assert found.gap_m[place] == each.min()
        assert found.owner[place] in nearest
        assert found.is_tied[place] == (len(nearest) > 1)
        assert shapely.distance(subject, found.line[place]) == each.min()


def test_far_from_all_sets_hardly_more_is_measured_to_than_the_nearest_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In metres as large as those of a plane are, where rounding has its say, with zones of several sets."""
    measured: list[int] = []
    measure = Gaps._measured

    def counted(gaps: Gaps, subject: Any, near: Any) -> Any:
        measured.append(len(near))
        return measure(gaps, subject, near)

    monkeypatch.setattr(Gaps, "_measured", counted)
    rng = np.random.default_rng(50)
    zones = ZoneSet.prepare(shapes.blobs(rng, 40, 20_000.0, 900.0, 300), rng.uniform(0, 30, 40))
    sets = [zones, *(zones.take(np.sort(rng.choice(40, 8, replace=False))) for _ in range(9))]
    gaps, nearest = Gaps.among([each.rim for each in sets]), 0
    assert len(gaps.lines) == len(zones.rim)
    for east, north in np.array([shapes.EAST, shapes.NORTH]) + rng.uniform(-20_000, 40_000, (20, 2)):
        site = shapes.blob(rng, east, north, 60.0, 40)
        found = gaps.nearest(site)
        for place, each in enumerate(sets):
            assert (found.gap_m[place], each.accuracy_m[found.owner[place]]) == gap_from_outside(site, each)
            outlines = shapely.union_all(shapely.boundary(each.geoms))
            assert found.gap_m[place] == pytest.approx(shapely.distance(site, outlines), abs=1e-6)
        nearest += len(set(found.line))
    assert sum(measured[1::2]) < 2 * nearest < len(gaps.line) / 4
