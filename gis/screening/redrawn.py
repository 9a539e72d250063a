"""Where a zone is another, when nothing of it changed but its outline: most edits move a part of one."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["differing_lines"]

Segments = NDArray[np.float64]
"""float64[n, 4]: both ends of each, the one farther to the west first, or to the south."""


def differing_lines(one: shapely.Geometry, other: shapely.Geometry) -> shapely.Geometry | None:
    """The segments of the outlines of two polygons that only one of them has, as one geometry.

    What lies in one of the polygons only is bounded by them: whoever is far from all of them, and in both
    polygons or in neither, is as far from the one outline as from the other, unless that is farther away.

    Parameters
    ----------
    one, other : Polygon or MultiPolygon
        In the same plane. Segments are compared by the bits of their ends.

    Returns
    -------
    MultiLineString or None
        Empty for equal outlines; None where most of a polygon's segments differ, so that to look at both
        polygons costs less.
    """
    places, others = shapely.get_coordinates(one), shapely.get_coordinates(other)
    sample = places[:: len(places) // _SAMPLE + 1]
    if np.isin(sample, others).all(axis=1).sum() < len(sample) / 2:
        return None
    first, second = _segments(one), _segments(other)
    here, there = _only_in(first, second), _only_in(second, first)
    if here.sum() > len(first) / 2 or there.sum() > len(second) / 2:
        return None
    ends = np.concatenate([first[here], second[there]]).reshape(-1, 2, 2)
    return shapely.MultiLineString(list(ends))


_SAMPLE = 500


def _segments(polygon: shapely.Geometry) -> Segments:
    rings = shapely.get_rings(shapely.get_parts(polygon))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    goes_on = ring[1:] == ring[:-1]
    start, end = xy[:-1][goes_on], xy[1:][goes_on]
    turned = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    start[turned], end[turned] = end[turned], start[turned].copy()
    return np.concatenate([start, end], axis=1)


_FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64
)


def _only_in(these: Segments, those: Segments) -> NDArray[np.bool_]:
    """Which of ``these`` are not among ``those``; where hashes of different ones are equal, perhaps more."""
    if not len(those):
        return np.ones(len(these), dtype=bool)
    mine, theirs = (np.bitwise_xor.reduce(s.view(np.uint64) * _FACTORS, axis=1) for s in (these, those))
    order = np.argsort(theirs, kind="stable")
    found = order[np.minimum(np.searchsorted(theirs[order], mine), len(order) - 1)]
    return np.asarray((these.view(np.uint64) != those[found].view(np.uint64)).any(axis=1))
