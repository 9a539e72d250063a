"""Which points are near which zones, and how far from them: the same question asked of very many points."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.inside import in_boxes, points_in
from gis.kernel.threads import in_shares
from gis.kernel.zones import ZoneSet

__all__ = ["lines_to_zones", "points_near"]


def points_near(
    points: Geometries, zones: ZoneSet, reach_m: Floats, threads: int | None = None
) -> tuple[Indices, Indices, Floats]:
    """All pairs (point, zone) no further apart than the zone's reach, with their distance.

    Points in a zone are found first, for they need no distance. The others in its box grown by the reach are
    asked of an index of its outline, which one thread at a time has for its own.

    Parameters
    ----------
    points : object[n]
        Points in metres of the plane of ``zones``, none empty.
    zones : ZoneSet
    reach_m : float64[len(zones)]
    threads : int or None
        None = :data:`gis.kernel.threads.THREADS`.

    Returns
    -------
    tuple of int64[k], int64[k], float64[k]
        Point index, zone index and distance in metres (0 in the zone), sorted by point and then by zone.
    """
    xy = shapely.get_coordinates(points)
    p, z = points_in(xy, zones.geoms, zones.copies, threads, zones.strips(len(xy)))
    q, near, gap = _outside(points, xy, zones, reach_m, (p, z), threads)
    pairs = np.concatenate([p * len(zones) + z, q * len(zones) + near])
    order = np.argsort(pairs)
    point, zone = np.divmod(pairs[order], max(len(zones), 1))
    return point, zone, np.concatenate([np.zeros(len(p)), gap])[order]


def _outside(
    points: Geometries,
    xy: Floats,
    zones: ZoneSet,
    reach_m: Floats,
    inside: tuple[Indices, Indices],
    threads: int | None,
) -> tuple[Indices, Indices, Floats]:
    """The pairs within reach that are not among ``inside``, and their distance."""
    if not len(xy) or not len(zones):
        return inside[0][:0], inside[1][:0], np.empty(0)
    grown = zones.bounds + (reach_m[:, None] + TOUCH_M) * np.array([-1, -1, 1, 1])
    p, z = in_boxes(xy, grown)
    # Both lists have each pair once: what is in one of them only is what is not inside.
    taken = np.zeros(len(p), dtype=bool)
    order = np.argsort(z * len(xy) + p)
    key = (z * len(xy) + p)[order]
    taken[order[np.searchsorted(key, inside[1] * len(xy) + inside[0])]] = True
    p, z = p[~taken], z[~taken]

    def away(of: Indices, zone: Indices) -> Floats:
        asked, place = np.unique(zone, return_inverse=True)
        with zones.rims.lend(asked) as own:
            return np.asarray(shapely.length(shapely.shortest_line(own[place], points[of])))

    gap = in_shares(away, p, z, group=z, threads=threads)
    kept = gap <= reach_m[z]
    doubt = np.flatnonzero(np.abs(gap - reach_m[z]) <= TOUCH_M)
    kept[doubt] = [
        shapely.dwithin(points[i], zones.geoms[j], reach_m[j])
        for i, j in zip(p[doubt], z[doubt], strict=True)
    ]
    return p[kept], z[kept], gap[kept]


def lines_to_zones(
    points: Geometries, zones: ZoneSet, s: Indices, z: Indices, threads: int | None = None
) -> Geometries:
    """The shortest line from points[s[i]] to the zone z[i], which does not hold it; object[k], metres.

    It is measured to the outline as it is: where many points are asked, cutting the zones is saved.
    """
    order = np.argsort(z, kind="stable")

    def drawn(of: Indices, zone: Indices) -> Geometries:
        asked, place = np.unique(zone, return_inverse=True)
        with zones.rims.lend(asked) as own:
            return np.asarray(shapely.reverse(shapely.shortest_line(own[place], points[of])), dtype=object)

    lines = np.empty(len(s), dtype=object)
    lines[order] = in_shares(drawn, s[order], z[order], group=z[order], threads=threads)
    return lines
