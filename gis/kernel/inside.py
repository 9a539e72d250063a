"""Which points lie in which polygons: the quickest question, asked of whole zones."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel.arrays import Floats, Geometries, Indices
from gis.kernel.prepared import PreparedCopies
from gis.kernel.threads import each_zone

__all__ = ["points_in"]


def points_in(
    xy: Floats, geoms: Geometries, copies: PreparedCopies, threads: int | None = None
) -> tuple[Indices, Indices]:
    """All pairs (point, geometry) where the point lies in the geometry or on its edge.

    Points are sorted by easting once, so that each geometry sees only the run of points within its box, and
    no point object is made. Within that run they are asked in order of northing: neighbours walk the same
    part of the geometry's index, which is then still in the processor's cache.

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
    order = np.argsort(xy[:, 0], kind="stable")
    x, y = np.ascontiguousarray(xy[order, 0]), np.ascontiguousarray(xy[order, 1])
    boxes = np.asarray(shapely.bounds(geoms), dtype=np.float64).reshape(-1, 4)
    start = np.searchsorted(x, boxes[:, 0], side="left")
    stop = np.searchsorted(x, boxes[:, 2], side="right")

    def inside(zone: int) -> Indices:
        window = y[start[zone] : stop[zone]]
        near = np.flatnonzero((window >= boxes[zone, 1]) & (window <= boxes[zone, 3])) + start[zone]
        near = near[np.argsort(y[near])]
        if len(near):
            with copies.lend(zone) as own:
                near = near[shapely.intersects_xy(own, x[near], y[near])]
        found: Indices = np.sort(order[near])
        return found

    asked = np.flatnonzero(stop > start)
    hits = each_zone(inside, asked, (stop - start)[asked], threads)
    zone = np.repeat(asked, [len(h) for h in hits]).astype(np.int64)
    return np.concatenate([np.empty(0, dtype=np.int64), *hits]).astype(np.int64), zone
