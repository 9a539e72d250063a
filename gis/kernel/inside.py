"""Which points lie in which polygons: the quickest question, asked of whole zones."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel.arrays import Flags, Floats, Geometries, Indices
from gis.kernel.prepared import PreparedCopies
from gis.kernel.threads import in_shares

__all__ = ["points_in"]

MOST_COLUMNS = 4096
"""Points are sorted into so many columns of the plane at most."""

SLACK_M = 1e-3
"""Boxes are widened by this: the sort key of a point carries its northing to a tenth of a micrometre only."""


def points_in(
    xy: Floats, geoms: Geometries, copies: PreparedCopies, threads: int | None = None
) -> tuple[Indices, Indices]:
    """All pairs (point, geometry) where the point lies in the geometry or on its edge.

    Points are sorted by column and northing once; a geometry's candidates are then a run in each column that
    its box meets, and no point object is made. Candidates stay in that order, so that neighbours walk the
    same part of the geometry's index while it is in the processor's cache. Threads share the geometries out.

    Parameters
    ----------
    xy : float64[n, 2]
        Metres.
    geoms : object[m]
        Valid geometries in the same plane; empty ones hold no point.
    copies : PreparedCopies
        Of ``geoms``.
    threads : int or None
        None = :data:`gis.kernel.threads.THREADS`.

    Returns
    -------
    tuple of int64[k], int64[k]
        Point index and geometry index, sorted by geometry and then by point.
    """
    if not len(xy) or not len(geoms):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    boxes = np.asarray(shapely.bounds(geoms), dtype=np.float64).reshape(-1, 4)
    point, zone = _in_boxes(xy, boxes)

    def inside(points: Indices, zones: Indices) -> Flags:
        asked, of = np.unique(zones, return_inverse=True)
        with copies.lend(asked) as own:
            hit: Flags = shapely.intersects_xy(own[of], xy[points, 0], xy[points, 1])
        return hit

    hits = in_shares(inside, point, zone, group=zone, threads=threads)
    point, zone = point[hits], zone[hits]
    order = np.argsort(zone * len(xy) + point)
    return point[order], zone[order]


def _in_boxes(xy: Floats, boxes: Floats) -> tuple[Indices, Indices]:
    """All pairs (point, box) where the box, perhaps a trifle widened, holds the point; sorted by box."""
    filled = np.flatnonzero(~np.isnan(boxes[:, 0]))
    x0, y0, x1, y1 = boxes[filled].T
    left, low = xy.min(axis=0)
    across, tall = np.ptp(xy, axis=0)
    typical = float(np.median(x1 - x0)) if len(filled) else 0.0
    width, height = max(typical, across / MOST_COLUMNS, 1.0), tall + 4 * SLACK_M
    key = np.floor((xy[:, 0] - left) / width) * height + (xy[:, 1] - low)
    order = np.argsort(key)
    columns = np.floor(across / width) + 1
    first = np.clip(np.floor((x0 - left) / width), 0, columns).astype(np.int64)
    last = np.clip(np.floor((x1 - left) / width), -1, columns - 1).astype(np.int64)
    box, column = _ranges(first, last + 1)
    bottom = np.clip(y0 - low - SLACK_M, -SLACK_M, height - SLACK_M)
    top = np.clip(y1 - low + SLACK_M, -SLACK_M, height - SLACK_M)
    start = np.searchsorted(key[order], column * height + bottom[box])
    stop = np.searchsorted(key[order], column * height + top[box], side="right")
    run, place = _ranges(start, stop)
    point, zone = order[place], box[run]
    near = (xy[point, 0] >= x0[zone]) & (xy[point, 0] <= x1[zone])
    return point[near].astype(np.int64), filled[zone[near]].astype(np.int64)


def _ranges(start: Indices, stop: Indices) -> tuple[Indices, Indices]:
    """Every number of every range [start[i], stop[i]), and the i it is from."""
    count = np.maximum(stop - start, 0)
    of = np.repeat(np.arange(len(count)), count)
    offset = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    return of, np.repeat(start, count) + offset
