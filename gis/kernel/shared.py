"""How much area pairs of polygons share."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel.arrays import Flags, Floats, Geometries, Indices
from gis.kernel.frame import Frame
from gis.kernel.strips import ranges

__all__ = ["shared_area"]

CLOSE_M = 1e-3
"""Outlines of which a vertex is closer to the other's are overlaid on a grid, three times as slowly."""


def shared_area(one: Geometries, other: Geometries) -> Floats:
    """The area in m2 that each pair of polygons shares; float64[k], 0 where they do not meet.

    A floating-point overlay goes wrong where edges coincide but for rounding (see :mod:`gis.kernel.frame`).
    Then an end of one is next to the other, so pairs where no vertex is close to the other's outline are
    overlaid as they are, the others near the origin on a grid.
    """
    area = np.zeros(len(one))
    close = _close(one, other)
    apart = np.flatnonzero(~close)
    area[apart] = shapely.area(shapely.intersection(one[apart], other[apart]))
    if close.any():
        origin = np.floor(shapely.bounds(one[close])[:, :2])
        ours, theirs = _moved(one[close], origin), _moved(other[close], origin)
        frame = Frame.around(np.concatenate([shapely.bounds(ours), shapely.bounds(theirs)]))
        area[close] = shapely.area(frame.common(ours, theirs))
    return area


def _moved(geoms: Geometries, origin: Floats) -> Geometries:
    """Each geometry with its own origin subtracted: whole metres, which loses no digit."""
    xy, row = shapely.get_coordinates(geoms, return_index=True)
    return np.asarray(shapely.set_coordinates(geoms.copy(), xy - origin[row]), dtype=object)


def _close(one: Geometries, other: Geometries) -> Flags:
    """Whether a vertex of one of the two is close to the outline of the other."""
    grown = shapely.bounds(one) + CLOSE_M * np.array([-1, -1, 1, 1])
    theirs, row = _edges_in(other, grown)
    ours, of = _edges_in(one, shapely.bounds(other) + CLOSE_M * np.array([-1, -1, 1, 1]))
    first = np.searchsorted(of, np.arange(len(one) + 1))
    their, our = ranges(first[row], first[row + 1])
    met = np.flatnonzero(_boxes_meet(_box(theirs)[:, their], _box(ours)[:, our]))
    a, b = theirs[their[met]], ours[our[met]]
    ends = (_near(a[:, 0], b), _near(a[:, 1], b), _near(b[:, 0], a), _near(b[:, 1], a))
    close = np.zeros(len(one), dtype=bool)
    close[row[their[met[np.logical_or.reduce(ends)]]]] = True
    return close


def _box(edges: Floats) -> Floats:
    """The bounding box of each edge, by column: float64[4, k]."""
    return np.concatenate([edges.min(axis=1).T - CLOSE_M, edges.max(axis=1).T + CLOSE_M])


def _boxes_meet(one: Floats, other: Floats) -> Flags:
    return np.asarray(
        (one[0] <= other[2]) & (other[0] <= one[2]) & (one[1] <= other[3]) & (other[1] <= one[3])
    )


def _near(point: Floats, edge: Floats) -> Flags:
    """Whether each point float64[k, 2] is close to its edge float64[k, 2, 2]."""
    along, to = edge[:, 1] - edge[:, 0], point - edge[:, 0]
    length = np.maximum((along * along).sum(axis=1), np.finfo(float).tiny)
    share = np.clip((to * along).sum(axis=1) / length, 0.0, 1.0)
    away = to - share[:, None] * along
    return np.asarray((away * away).sum(axis=1) <= CLOSE_M * CLOSE_M)


def _edges_in(geoms: Geometries, boxes: Floats) -> tuple[Floats, Indices]:
    """The edges float64[j, 2, 2] of polygons that meet the box of their row, and the row of each, sorted."""
    parts, row = shapely.get_parts(geoms, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    start = np.flatnonzero(ring[1:] == ring[:-1])
    at = row[part[ring[start]]]
    x0, y0, x1, y1 = boxes.T
    x, y = xy.T
    meets = (
        (np.maximum(x[start], x[start + 1]) >= x0[at])
        & (np.minimum(x[start], x[start + 1]) <= x1[at])
        & (np.maximum(y[start], y[start + 1]) >= y0[at])
        & (np.minimum(y[start], y[start + 1]) <= y1[at])
    )
    start, at = start[meets], at[meets]
    return np.stack([xy[start], xy[start + 1]], axis=1), at.astype(np.int64)
