"""Small awkward geometry for property tests: lattice shapes that touch, rough shapes, slivers."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from hypothesis import strategies as st
from shapely import affinity

from tests.kernel import shapes

LATTICE = st.integers(0, 12)
ACCURACIES = st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0, 25.0])
DISTANCES = st.sampled_from([0.0, 0.0, 1.0, 2.0, 7.5])


@st.composite
def boxes(draw: st.DrawFn) -> Any:
    x, y, w, h = draw(LATTICE), draw(LATTICE), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    return shapely.box(x, y, x + w, y + h)


@st.composite
def frames(draw: st.DrawFn) -> Any:
    outer = draw(boxes()).buffer(2, join_style="mitre")
    return outer.difference(outer.buffer(-1, join_style="mitre"))


@st.composite
def wedges(draw: st.DrawFn) -> Any:
    x, y = draw(LATTICE), draw(LATTICE)
    thin = draw(st.sampled_from([0.001, 0.1, 3.0]))
    wedge = shapely.Polygon([(x, y), (x + 12, y + 1), (x + 12, y + 1 + thin)])
    return affinity.rotate(wedge, draw(st.integers(0, 11)) * 30, origin=(x, y))


@st.composite
def rough(draw: st.DrawFn) -> Any:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    blob = shapes.blob(rng, 0, 0, rng.uniform(2, 6), int(rng.integers(8, 40)), int(rng.choice([0, 1, 2])))
    return affinity.translate(blob, draw(LATTICE), draw(LATTICE))


@st.composite
def multiples(draw: st.DrawFn) -> Any:
    return shapely.union_all([draw(boxes()), draw(boxes()), draw(rough())])


POLYGONS = st.one_of(boxes(), frames(), wedges(), rough(), multiples()).filter(
    lambda g: g.is_valid and g.area > 0
)


@st.composite
def walks(draw: st.DrawFn) -> Any:
    xy = draw(st.lists(st.tuples(LATTICE, LATTICE), min_size=2, max_size=5, unique=True))
    line = shapely.LineString(xy)
    return line if line.is_simple else shapely.LineString(xy[:2])


LINES = st.one_of(walks(), rough().map(lambda g: g.exterior))
SITES = st.one_of(POLYGONS, POLYGONS, LINES)


@st.composite
def zone_lists(draw: st.DrawFn, accuracies: Any = ACCURACIES) -> tuple[list[Any], list[float]]:
    """One to four polygons with their accuracies, at times with a seam between two, or one of them twice."""
    zones = draw(st.lists(POLYGONS, min_size=1, max_size=4))
    if draw(st.booleans()):
        _, y0, x1, y1 = zones[0].bounds
        zones += [shapely.box(x1, y0, x1 + 3, y1)] if draw(st.booleans()) else [zones[0]]
    return zones, [draw(accuracies) for _ in zones]


def placed(geom: Any) -> Any:
    """The geometry moved to where plane coordinates are large."""
    return shapely.transform(geom, lambda xy: xy + np.array([shapes.EAST, shapes.NORTH]))
