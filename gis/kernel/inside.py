"""Which points lie in which polygons: the quickest question, asked of whole zones."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel.arrays import Flags, Floats, Geometries, Indices
from gis.kernel.prepared import PreparedCopies
from gis.kernel.strips import INSIDE, SLACK_M, Strips, ranges
from gis.kernel.threads import in_shares

__all__ = ["in_boxes", "points_in"]

MOST_COLUMNS = 4096
"""Points are sorted into so many columns of the plane at most."""


def points_in(
    xy: Floats,
    geoms: Geometries,
    copies: PreparedCopies,
    threads: int | None = None,
    strips: Strips | None = None,
) -> tuple[Indices, Indices]:
    """All pairs (point, geometry) where the point lies in the geometry or on its edge.

    Points are sorted by column and northing once. With ``strips`` a geometry's inside is then a run of points
    in each column, which is taken as it is, and only points in the spans of its outline are asked one by one;
    without, all points in its box are. No point object is made. Candidates stay in that order, so that
    neighbours walk the same part of the geometry's index while it is in the processor's cache. Threads share
    the geometries out.

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
    strips : Strips or None
        Of ``geoms``; worth their making when there are many points.

    Returns
    -------
    tuple of int64[k], int64[k]
        Point index and geometry index, sorted by geometry and then by point.
    """
    if not len(xy) or not len(geoms):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if strips is None:
        boxes = np.asarray(shapely.bounds(geoms), dtype=np.float64).reshape(-1, 4)
        sure, doubtful = np.empty(0, dtype=np.int64), in_boxes(xy, boxes)
    else:
        sure, doubtful = _by_strips(xy, strips)
    point, zone = doubtful

    def inside(points: Indices, zones: Indices) -> Flags:
        asked, of = np.unique(zones, return_inverse=True)
        with copies.lend(asked) as own:
            hit: Flags = shapely.intersects_xy(own[of], xy[points, 0], xy[points, 1])
        return hit

    hits = in_shares(inside, point, zone, group=zone, threads=threads)
    pairs = np.sort(np.concatenate([sure, zone[hits] * len(xy) + point[hits]]))
    zone = pairs // len(xy)
    return pairs - zone * len(xy), zone


def _by_strips(xy: Floats, strips: Strips) -> tuple[Indices, tuple[Indices, Indices]]:
    """The pairs that are surely inside, as ``zone * n + point``, and those to be asked, sorted by zone."""
    column, y = strips.column(xy[:, 0]), xy[:, 1] - strips.low
    key = column * strips.height_m + y
    away = (column < 0) | (column >= strips.columns) | (y < 0) | (y > strips.height_m - 8 * SLACK_M)
    key[away] = np.inf
    order = np.argsort(key)
    key = key[order]
    zone, at = np.divmod(strips.row, strips.columns)
    start = np.searchsorted(key, at * strips.height_m + strips.bottom)
    stop = np.searchsorted(key, at * strips.height_m + strips.top, side="right")
    run, place = ranges(start, stop)
    # An inside is closed above by a span of the same row, so there is a next one.
    filled = np.flatnonzero(strips.above == INSIDE)
    of, within = ranges(stop[filled], start[np.minimum(filled + 1, len(start) - 1)])
    return zone[filled][of] * len(xy) + order[within], (order[place], zone[run])


def in_boxes(xy: Floats, boxes: Floats) -> tuple[Indices, Indices]:
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
    box, column = ranges(first, last + 1)
    bottom = np.clip(y0 - low - SLACK_M, -SLACK_M, height - SLACK_M)
    top = np.clip(y1 - low + SLACK_M, -SLACK_M, height - SLACK_M)
    start = np.searchsorted(key[order], column * height + bottom[box])
    stop = np.searchsorted(key[order], column * height + top[box], side="right")
    run, place = ranges(start, stop)
    point, zone = order[place], box[run]
    near = (xy[point, 0] >= x0[zone]) & (xy[point, 0] <= x1[zone])
    return point[near].astype(np.int64), filled[zone[near]].astype(np.int64)
