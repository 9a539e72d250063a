"""The verdict on a site whose corners tell enough, where nobody asks how much of it: no overlay is made.

One corner that surely lies within the rule's distance of a zone makes a conflict. Whether any of the site is
not part of it matters only where the coverage is at stake; one corner that surely lies beyond all zones shows
that. Both are held to five centimetres, more than what limits are drawn to.
"""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import Floats, Geometries, Indices
from gis.kernel.zones import ZoneSet
from gis.screening.counting import CLEARLY_M

__all__ = ["conflicts", "reaches_beyond"]


def conflicts(
    site: BaseGeometry, accuracy_m: float, zones: ZoneSet, near: Indices, gap_m: Floats, reach_m: float
) -> bool:
    """Whether a place of ``site`` surely lies within ``reach_m`` of a zone; False tells nothing.

    Parameters
    ----------
    site : line or polygon
        Metres in the plane of ``zones``.
    accuracy_m : float
        Bound of its error.
    zones : ZoneSet
        Each of known accuracy.
    near : int64[k]
        Those that are near the site.
    gap_m : float64[k]
        How far from it they are.
    """
    spare = reach_m - (accuracy_m + zones.accuracy_m[near]) - CLEARLY_M
    if (gap_m <= spare).any():
        return True
    met = near[(gap_m == 0) & (spare < 0) & (shapely.get_dimensions(zones.geoms[near]) == 2)]
    return len(met) > 0 and _is_deep(site, accuracy_m - reach_m + CLEARLY_M, zones, met)


def _is_deep(site: BaseGeometry, depth_m: float, zones: ZoneSet, met: Indices) -> bool:
    """Whether a corner lies in one of the zones ``met``, deeper than ``depth_m`` and its error."""
    xy = shapely.get_coordinates(site)
    with zones.copies.lend(met) as own:
        place, corner = np.nonzero(shapely.intersects_xy(own[:, None], xy[None, :, 0], xy[None, :, 1]))
    if not len(corner):
        return False
    depth = depth_m + zones.accuracy_m[met]
    asked = np.unique(corner)
    at, line = zones.outline.tree.query(
        shapely.points(xy[asked]), predicate="dwithin", distance=float(depth.max())
    )
    of = np.searchsorted(met, zones.outline.owner[line])
    of[of == len(met)] = 0
    own_line = met[of] == zones.outline.owner[line]
    close = own_line & (
        shapely.distance(shapely.points(xy[asked[at]]), zones.outline.lines[line]) <= depth[of]
    )
    shallow = {*zip(of[close].tolist(), asked[at[close]].tolist(), strict=True)}
    return any(pair not in shallow for pair in zip(place.tolist(), corner.tolist(), strict=True))


def reaches_beyond(site: BaseGeometry, accuracy_m: float, zones: ZoneSet, reach_m: float) -> bool:
    """Whether one of the outermost corners surely lies farther than ``reach_m`` from every zone.

    False tells nothing. Parameters as for `conflicts`.
    """
    outermost = _outermost(site)
    farthest = reach_m + accuracy_m + zones.widest_m + CLEARLY_M
    near = np.zeros(len(outermost), dtype=bool)
    near[zones.tree.query(outermost, predicate="dwithin", distance=farthest)[0]] = True
    return not bool(near.all())


def _outermost(site: BaseGeometry) -> Geometries:
    """The corners farthest west, east, south and north."""
    xy = shapely.get_coordinates(site)
    places = [*xy.argmin(axis=0).tolist(), *xy.argmax(axis=0).tolist()]
    return np.asarray(shapely.points(xy[places]), dtype=object)
