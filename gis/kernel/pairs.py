"""Which subjects meet which zones."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike

from gis.errors import KernelInputError
from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices, coordinates, geometries
from gis.kernel.inside import points_in
from gis.kernel.near import points_near
from gis.kernel.nearest import nearest_piece
from gis.kernel.strips import OUTLINE, OUTSIDE
from gis.kernel.threads import each_zone, in_shares
from gis.kernel.zones import POINTS_A_SUBJECT, ZoneSet

__all__ = ["intersecting", "ordered", "points_in_zones", "within"]

FEW_SUBJECTS = 32


def points_in_zones(xy: ArrayLike, zones: ZoneSet, *, threads: int | None = None) -> tuple[Indices, Indices]:
    """All pairs (point, zone) where the zone covers the point; a point on the zone's edge counts.

    Parameters
    ----------
    xy : float64[n, 2]
        Eastings and northings in metres, in the plane of ``zones``. n may be 0.
    zones : ZoneSet
    threads : int or None
        None = two.

    Returns
    -------
    tuple of int64[k], int64[k]
        Point index and zone index, sorted by zone and then by point.

    Raises
    ------
    KernelInputError
        When a coordinate is not finite or the shape is not (n, 2).

    Examples
    --------
    >>> zones = ZoneSet.prepare([shapely.box(0, 0, 10, 10)], 1.0)
    >>> points_in_zones([[5, 5], [10, 10], [11, 5]], zones)
    (array([0, 1]), array([0, 0]))
    """
    array = coordinates(xy)
    return points_in(array, zones.geoms, zones.copies, threads, zones.strips(len(array)))


def intersecting(
    subjects: Any, zones: ZoneSet, *, threads: int | None = None, check: bool = True
) -> tuple[Indices, Indices]:
    """All pairs (subject, zone) that share at least one point; a mere touch counts.

    Parameters
    ----------
    subjects : sequence of shapely geometries
        Metres in the plane of ``zones``; any kind. Empty ones meet nothing.
    zones : ZoneSet
    threads : int or None
        None = two.
    check : bool
        False skips the validity test of ``subjects``.

    Returns
    -------
    tuple of int64[k], int64[k]
        Subject index and zone index, sorted by subject and then by zone.

    Raises
    ------
    KernelInputError
        For a missing or invalid subject.
    """
    array = geometries(subjects, "subjects", check=check)
    if not len(array):  # nothing is cut for nobody
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if len(array) <= FEW_SUBJECTS:
        return _few_intersecting(array, zones)
    if _all_points(array):
        return ordered(*points_in_zones(shapely.get_coordinates(array), zones, threads=threads))
    z, s = shapely.STRtree(array).query(shapely.box(*zones.bounds.T))
    strips = zones.strips(len(array) * POINTS_A_SUBJECT)
    if strips is None:
        doubtful = np.ones(len(s), dtype=bool)
    else:
        state = strips.hold(shapely.bounds(array)[s], z)
        doubtful, s, z = (column[state != OUTSIDE] for column in (state == OUTLINE, s, z))
    met = ~doubtful
    met[doubtful] = _meet(array, zones, s[doubtful], z[doubtful], threads)
    return ordered(s[met].astype(np.int64), z[met])


def _meet(subjects: Geometries, zones: ZoneSet, s: Indices, z: Indices, threads: int | None) -> Flags:
    """Whether each pair shares a point; ``z`` is sorted."""

    def meet(subject: Indices, zone: Indices) -> Flags:
        asked, of = np.unique(zone, return_inverse=True)
        with zones.copies.lend(asked) as own:
            return np.asarray(shapely.intersects(own[of], subjects[subject]), dtype=bool)

    return np.asarray(in_shares(meet, s, z, group=z, threads=threads), dtype=bool)


def _all_points(subjects: Geometries) -> bool:
    return bool((shapely.get_type_id(subjects) == 0).all() and not shapely.is_empty(subjects).any())


def _few_intersecting(subjects: Geometries, zones: ZoneSet) -> tuple[Indices, Indices]:
    """Pieces find the candidates, the whole zone decides: a piece may be off by a rounding step at a cut."""
    subject, piece = zones.tree.query(subjects)
    if not len(subject):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    pairs = np.unique(np.stack([subject, zones.pieces.owner[piece]], axis=1), axis=0).reshape(-1, 2)
    s, z = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    meets = shapely.intersects(subjects[s], zones.geoms[z])
    return s[meets], z[meets]


def _by_subject(hits: list[Any], asked: Indices) -> tuple[Indices, Indices]:
    zone = np.repeat(asked, [len(h) for h in hits])
    return ordered(np.concatenate([np.empty(0, dtype=np.int64), *hits]).astype(np.int64), zone)


def ordered(subject: Indices, zone: Indices) -> tuple[Indices, Indices]:
    """The pairs sorted by subject and then by zone."""
    order = np.lexsort((zone, subject))
    return subject[order], zone[order].astype(np.int64)


def within(
    subjects: Any, zones: ZoneSet, distance_m: ArrayLike, *, threads: int | None = None, check: bool = True
) -> tuple[Indices, Indices, Floats]:
    """All pairs (subject, zone) no further apart than ``distance_m``, with their distance.

    Parameters
    ----------
    subjects : sequence of shapely geometries
        Metres in the plane of ``zones``; any kind. Empty ones are near nothing.
    zones : ZoneSet
    distance_m : float or float[len(zones)]
        Finite and not negative; one bound for all zones or one for each.
    threads : int or None
        None = two.
    check : bool
        False skips the validity test of ``subjects``.

    Returns
    -------
    tuple of int64[k], int64[k], float64[k]
        Subject index, zone index and plane distance in metres (0 where they meet), sorted by subject and
        zone.

    Raises
    ------
    KernelInputError
        For an invalid subject or a distance that is negative or not finite.
    """
    array = geometries(subjects, "subjects", check=check)
    reach = np.broadcast_to(np.asarray(distance_m, dtype=np.float64), (len(zones),))
    if not (np.isfinite(reach) & (reach >= 0)).all():
        raise KernelInputError("distance_m must be finite and not negative.", "distance_m 应为有限非负数。")
    if len(array) <= FEW_SUBJECTS:
        return _few_within(array, zones, reach)
    if _all_points(array):
        return points_near(array, zones, reach, threads)
    tree = shapely.STRtree(array)
    asked = np.flatnonzero(~np.isnan(zones.bounds[:, 0]))
    hits = each_zone(
        lambda z: tree.query(zones.geoms[z], "dwithin", float(reach[z])), asked, zones.weight[asked], threads
    )
    s, z = _by_subject(hits, asked)
    return s, z, nearest_piece(array, zones, s, z, threads=threads)[1]


def _few_within(subjects: Geometries, zones: ZoneSet, reach: Floats) -> tuple[Indices, Indices, Floats]:
    """The rim gives the distances; whole zones decide what is within a micrometre of the reach."""
    farthest = float(reach.max(initial=0.0)) + TOUCH_M
    row, line = zones.rim.tree.query(subjects, predicate="dwithin", distance=farthest)
    gap = shapely.distance(subjects[row], zones.rim.lines[line])
    met_s, met_z = _few_intersecting(subjects, zones)
    s, z = np.concatenate([row, met_s]), np.concatenate([zones.rim.owner[line], met_z])
    pairs, place = np.unique(np.stack([s, z]), axis=1, return_inverse=True)
    nearest = np.full(pairs.shape[1], np.inf)
    np.minimum.at(nearest, place.reshape(-1), np.concatenate([gap, np.zeros(len(met_s))]))
    s, z = pairs.astype(np.int64)
    kept = nearest <= reach[z]
    doubt = np.abs(nearest - reach[z]) <= TOUCH_M
    kept[doubt] = shapely.dwithin(subjects[s[doubt]], zones.geoms[z[doubt]], reach[z[doubt]])
    return s[kept], z[kept], nearest[kept]
