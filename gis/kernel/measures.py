"""How much, how far and in which direction: measures of single pairs (subject, zone)."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import Flags, Floats, Geometries, Indices, geometries
from gis.kernel.cutting import cut
from gis.kernel.frame import Frame, near
from gis.kernel.nearest import nearest_piece, rows_by_zone
from gis.kernel.shared import NOISE, shared_area
from gis.kernel.strips import INSIDE
from gis.kernel.threads import each_zone, in_shares
from gis.kernel.zones import POINTS_A_SUBJECT, ZoneSet

__all__ = ["bearing", "distance", "overlap", "sharing", "size", "size_of", "witness"]

PREPARE_RATIO = 300
"""Preparing a zone pays when it has fewer than this many vertices for each line that asks."""

SUBJECT_VERTICES = 2048
"""Subjects of more vertices are cut like zones: each of their edges would be held against each piece."""


def size(geoms: Any) -> Floats:
    """Area in m2 of polygons, length in m of lines, 0 of points; float64[n]. Empty gives 0."""
    array = np.asarray(geoms, dtype=object).reshape(-1)
    return np.where(shapely.get_dimensions(array) == 2, shapely.area(array), _line_length(array))


def size_of(geom: BaseGeometry) -> float:
    """The `size` of one geometry."""
    dimension = shapely.get_dimensions(geom)
    return float(geom.area if dimension == 2 else geom.length if dimension == 1 else 0.0)


def _line_length(array: Geometries) -> Floats:
    return np.where(shapely.get_dimensions(array) == 1, shapely.length(array), 0.0)


def overlap(
    subjects: Any,
    zones: ZoneSet,
    s: ArrayLike,
    z: ArrayLike,
    *,
    threads: int | None = None,
    check: bool = True,
) -> Floats:
    """How much of each subject lies in the zone: m2 for a polygon, m for a line, 0 for a point.

    Subjects that the zone's strips, or for lines a predicate, show wholly inside have their own size. Other
    areas are summed up over the edges around (:mod:`gis.kernel.shared`); lines are intersected with the
    pieces that they touch.

    Parameters
    ----------
    subjects : sequence of shapely geometries
        Metres in the plane of ``zones``. Each is of one kind (no mixed collections). Empty gives 0.
    zones : ZoneSet
    s, z : int[k]
        Indices of the pairs, such as :func:`gis.kernel.pairs.intersecting` gives.
    threads : int or None
        None = two.
    check : bool
        False skips the validity test of ``subjects``.

    Returns
    -------
    float64[k]
        Pairs that do not meet give 0. An area is told from none, and from all of the subject, by a
        1,000,000,000,000th of the subject's bounding box.

    Raises
    ------
    KernelInputError
        For a missing or invalid subject.
    """
    array = geometries(subjects, "subjects", check=check)
    pair_s, pair_z = np.asarray(s, dtype=np.int64), np.asarray(z, dtype=np.int64)
    area = shapely.get_dimensions(array)[pair_s] == 2
    inside = _inside(array, zones, pair_s, pair_z)
    rest = np.flatnonzero(~inside & ~area)
    inside[rest] = _lines_inside(array, zones, pair_s[rest], pair_z[rest], threads)
    result = np.where(inside, size(array)[pair_s], 0.0)
    rest = np.flatnonzero(~inside & area)
    result[rest] = _areas(array, zones, pair_s[rest], pair_z[rest], threads)
    rest = np.flatnonzero(~inside & ~area)
    result[rest] = _lengths(array, zones, pair_s[rest], pair_z[rest], threads)
    return result


def _inside(subjects: Geometries, zones: ZoneSet, s: Indices, z: Indices) -> Flags:
    """For which pairs the strips show that the subject is wholly inside."""
    inside = np.zeros(len(s), dtype=bool)
    strips = zones.strips(len(s) * POINTS_A_SUBJECT)
    if strips is not None:
        filled = np.flatnonzero(~shapely.is_empty(subjects)[s])
        inside[filled] = strips.hold(shapely.bounds(subjects)[s[filled]], z[filled]) == INSIDE
    return inside


def _lines_inside(subjects: Geometries, zones: ZoneSet, s: Indices, z: Indices, threads: int | None) -> Flags:
    """Which pairs are surely such that the line is wholly inside; a zone that few ask is not prepared."""
    inside = np.zeros(len(s), dtype=bool)
    worth = zones.weight[z] <= PREPARE_RATIO * np.bincount(z, minlength=len(zones))[z]
    asked = np.flatnonzero(worth)
    asked = asked[np.argsort(z[asked], kind="stable")]

    def properly(subject: Indices, zone: Indices) -> Flags:
        names, of = np.unique(zone, return_inverse=True)
        with zones.copies.lend(names) as own:
            return np.asarray(shapely.contains_properly(own[of], subjects[subject]), dtype=bool)

    inside[asked] = in_shares(properly, s[asked], z[asked], group=z[asked], threads=threads)
    return inside


def _areas(subjects: Geometries, zones: ZoneSet, s: Indices, z: Indices, threads: int | None) -> Floats:
    """The area that each pair shares: the sum over the pieces of the zone whose boxes the subject's meets."""
    if not len(s):
        return np.empty(0)
    asked, place = np.unique(s, return_inverse=True)
    parts = cut(subjects[asked], SUBJECT_VERTICES, check=False)
    row, piece = zones.tree.query(parts.geoms)
    # Most pieces that a subject's box meets are of zones that it is not asked with.
    pairs = place * len(zones) + z
    order = np.argsort(pairs, kind="stable")
    found = parts.owner[row] * len(zones) + zones.pieces.owner[piece]
    at = np.minimum(np.searchsorted(pairs[order], found), len(order) - 1)
    wanted = np.flatnonzero(pairs[order][at] == found)
    for geoms, index in ((parts.geoms, row), (zones.pieces.geoms, piece)):
        wanted = wanted[shapely.get_dimensions(geoms[index[wanted]]) == 2]
    # By piece, as a share of the work looks up the outlines of its pieces once.
    wanted = wanted[np.argsort(piece[wanted], kind="stable")]
    pair, row, piece = order[at[wanted]], row[wanted], piece[wanted]

    def areas(row: Indices, piece: Indices) -> Floats:
        (ones, i), (others, j) = np.unique(row, return_inverse=True), np.unique(piece, return_inverse=True)
        return shared_area(parts.geoms[ones], zones.pieces.geoms[others], i, j)

    shared = in_shares(areas, row, piece, threads=threads)
    amount = np.asarray(np.bincount(pair, shared, minlength=len(s)), dtype=np.float64)
    return _same_for_twins(_within_noise(amount, subjects[asked], place), pairs, order)


def _within_noise(amount: Floats, subjects: Geometries, s: Indices) -> Floats:
    """Areas that rounding may have kept from being none or all of the subject are that."""
    x0, y0, x1, y1 = shapely.bounds(subjects).T
    whole, noise = shapely.area(subjects)[s], (NOISE * (x1 - x0) * (y1 - y0))[s]
    return np.where(amount <= noise, 0.0, np.where(amount >= whole - noise, whole, amount))


def _same_for_twins(amount: Floats, pairs: Indices, order: Indices) -> Floats:
    """A pair that is asked twice has been measured once, at its first place in ``order``."""
    first = order[np.searchsorted(pairs[order], pairs)]
    return np.asarray(amount[first])


def _lengths(subjects: Geometries, zones: ZoneSet, s: Indices, z: Indices, threads: int | None) -> Floats:
    """The length that each pair shares, zone by zone."""
    result = np.zeros(len(s))
    names, rows = rows_by_zone(z)
    rows_of = dict(zip(names.tolist(), rows, strict=True))

    def measure(zone: int) -> None:
        mine = rows_of[zone]
        row, shared = _shared_pieces(subjects[s[mine]], zones, zone)
        result[mine] = _summed(shared, row, subjects[s[mine]])

    each_zone(measure, names, zones.weight[names], threads)
    return result


def _shared_pieces(subjects: Geometries, zones: ZoneSet, zone: int) -> tuple[Indices, Geometries]:
    """What each subject shares with each piece of the zone it touches, shifted, and the subject's row."""
    pieces = zones.pieces.geoms[zones.piece_start[zone] : zones.piece_start[zone + 1]]
    row, piece = shapely.STRtree(pieces).query(subjects, predicate="intersects")
    asked, touched = np.unique(row), np.unique(piece)
    boxes = np.concatenate([shapely.bounds(subjects[asked]), shapely.bounds(pieces[touched])])
    frame = Frame.around(boxes)
    ours, theirs = frame.into(subjects[asked]), frame.into(pieces[touched])
    shared = frame.common(ours[np.searchsorted(asked, row)], theirs[np.searchsorted(touched, piece)])
    return row.astype(np.int64), np.asarray(shared, dtype=object)


def _summed(shared: Geometries, row: Indices, subjects: Geometries) -> Floats:
    count, dimension = len(subjects), shapely.get_dimensions(subjects)
    area = np.bincount(row, shapely.area(shared), minlength=count)
    if not (dimension == 1).any():
        return np.asarray(area)
    return np.where(dimension == 1, _length_once(shared, row, count), area)


def _length_once(shared: Geometries, row: Indices, count: int) -> Floats:
    """Length of all that each row shares; what runs along a cut is shared with two pieces and counts once."""
    parts, index = shapely.get_parts(shared, return_index=True)
    line = shapely.get_type_id(parts) == 1
    parts, of = parts[line], row[index[line]]
    order = np.argsort(of, kind="stable")
    names, place = np.unique(of[order], return_inverse=True)
    if not len(names):
        return np.zeros(count)
    merged = shapely.node(shapely.multilinestrings(parts[order], indices=place))
    return np.asarray(np.bincount(names, shapely.length(merged), minlength=count))


def distance(
    subjects: Any,
    zones: ZoneSet,
    s: ArrayLike,
    z: ArrayLike,
    *,
    threads: int | None = None,
    check: bool = True,
) -> Floats:
    """Plane distance of each pair (s[i], z[i]) in metres, float64[k]; 0 where they meet.

    Raises KernelInputError for an invalid subject, and for a pair that names an empty geometry.
    """
    array = geometries(subjects, "subjects", check=check)
    return nearest_piece(array, zones, np.asarray(s, np.int64), np.asarray(z, np.int64), threads=threads)[1]


def bearing(
    subjects: Any,
    zones: ZoneSet,
    s: ArrayLike,
    z: ArrayLike,
    *,
    threads: int | None = None,
    check: bool = True,
) -> Floats:
    """Direction from each subject to the nearest point of its zone, in degrees clockwise from grid north.

    float64[k] in [0, 360); NaN where they meet, as there is no direction. Raises as :func:`distance` does.
    """
    array = geometries(subjects, "subjects", check=check)
    line = _shortest(array, zones, np.asarray(s, np.int64), np.asarray(z, np.int64), threads)
    ends = shapely.get_coordinates(line).reshape(-1, 2, 2)
    east, north = (ends[:, 1] - ends[:, 0]).T
    degrees = np.degrees(np.arctan2(east, north)) % 360.0
    return np.where((east == 0) & (north == 0), np.nan, degrees)


def _shortest(
    subjects: Geometries, zones: ZoneSet, s: Indices, z: Indices, threads: int | None = None
) -> Geometries:
    piece, _ = nearest_piece(subjects, zones, s, z, threads=threads)
    return np.asarray(shapely.shortest_line(subjects[s], zones.pieces.geoms[piece]), dtype=object)


def witness(
    subjects: Any,
    zones: ZoneSet,
    s: ArrayLike,
    z: ArrayLike,
    *,
    threads: int | None = None,
    check: bool = True,
) -> Geometries:
    """What shows each pair on a map: the geometry shared where they meet, else the shortest line.

    object[k]; the line runs from the subject to the zone. Where rounding leaves neither (a point 1e-11 m
    off an edge) it is the nearest point. Raises as :func:`distance` does.
    """
    array = geometries(subjects, "subjects", check=check)
    pair_s, pair_z = np.asarray(s, np.int64), np.asarray(z, np.int64)
    line = _shortest(array, zones, pair_s, pair_z, threads)
    result, meets = line.copy(), shapely.length(line) == 0
    result[meets] = [
        _shared(array[s_], zones, int(z_))[0] for s_, z_ in zip(pair_s[meets], pair_z[meets], strict=True)
    ]
    lost = shapely.is_empty(result)
    result[lost] = shapely.get_point(line[lost], 0)
    return result


def sharing(subject: BaseGeometry, zones: ZoneSet, zone: int) -> tuple[BaseGeometry, float]:
    """`witness` and `overlap` of one subject and a zone that it meets; of a single polygon by one overlay.

    Parameters
    ----------
    subject : line or polygon, or a multiple of one kind
        Valid, not empty; metres in the plane of ``zones``.
    zones : ZoneSet
    zone : int
        Its place there.

    Returns
    -------
    tuple of geometry, float
        What they share, and its size in m2 for a polygon, m for a line.
    """
    found, area = _shared(subject, zones, zone)
    one = np.array([subject], dtype=object)
    if subject.geom_type != "Polygon":
        area = float(overlap(one, zones, [0], [zone], check=False)[0])
    elif found is not subject:
        area = float(_within_noise(np.array([area]), one, np.zeros(1, dtype=np.int64))[0])
    if found.is_empty:
        found = witness(one, zones, [0], [zone], check=False)[0]
    return found, area


def _held_parts(subject: BaseGeometry, zones: ZoneSet, zone: int) -> BaseGeometry:
    """The parts of a subject that lie wholly inside a zone, whose outline it does not meet."""
    parts = shapely.get_parts(subject)
    if len(parts) == 1:
        return subject
    part, piece = zones.tree.query(parts, predicate="intersects")
    held = np.unique(part[zones.pieces.owner[piece] == zone])
    if len(held) == len(parts):
        return subject
    collected = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)
    several: BaseGeometry = collected[int(shapely.get_dimensions(subject))](parts[held])
    return several


def _shared(subject: BaseGeometry, zones: ZoneSet, zone: int) -> tuple[BaseGeometry, float]:
    """What a subject shares with a zone that it meets, and the area of that in m2.

    Of a large zone only what lies around is looked at.
    """
    met = zones.rim.tree.query(subject, predicate="intersects")
    if not (zones.rim.owner[met] == zone).any():
        held = _held_parts(subject, zones, zone)
        return held, held.area
    bodies = zones.geoms[[zone]]
    if zones.weight[zone] > zones.max_vertices:
        piece = zones.tree.query(subject)
        bodies = zones.pieces.geoms[piece[zones.pieces.owner[piece] == zone]]
    frame = Frame.around(shapely.bounds([subject, *bodies]))
    place = frame.into(subject)
    local = near(frame.into(bodies), place)
    body = local[0] if len(local) == 1 else frame.together(local)
    found: BaseGeometry = frame.common(place, body)
    return shapely.transform(found, lambda xy: xy + frame.origin), found.area
