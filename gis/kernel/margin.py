"""How deep inside, or how far outside: the signed distance to the boundary that decides."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices, geometries
from gis.kernel.boundary import SEAM_M
from gis.kernel.measures import overlap
from gis.kernel.pairs import FEW_SUBJECTS, intersecting, ordered
from gis.kernel.threads import in_shares
from gis.kernel.zones import ZoneSet

__all__ = [
    "Margin",
    "depth_within",
    "depths_within",
    "gap_from_outside",
    "margin_inside",
    "side_of",
    "signed_margin",
]

TRACED_AT_ONCE = 64
"""So many lines are traced at first, then twice as many each time: every call has a cost of its own."""


NEIGHBOURS_M = 500.0
"""Metres. The width of the strips in which subjects are gone through."""


@dataclass(frozen=True, eq=False)
class Margin:
    """Signed distances of subjects to the boundary of the union of a zone set.

    Attributes
    ----------
    margin_m : float64[n]
        Metres: > 0 wholly inside, < 0 wholly outside, 0 where the subject crosses or touches the boundary;
        -inf when there is no zone, NaN for an empty subject.
    zone : int64[n]
        The zone whose outline is nearest; -1 when there is none.
    error_zone_accuracy_m : float64[n]
        That zone's accuracy; NaN when unknown or when there is no zone.
    segment : object[n]
        The piece of the union's boundary that is nearest, for subjects that are not wholly outside; None for
        the others, which are decided without the boundary of the union.
    on_boundary : bool[n]
        The subject merely touches: no more than a micrometre of it is inside.
    """

    margin_m: Floats
    zone: Indices
    error_zone_accuracy_m: Floats
    segment: Geometries
    on_boundary: Flags


def signed_margin(
    subjects: Any,
    zones: ZoneSet,
    *,
    met: tuple[Indices, Indices] | None = None,
    threads: int | None = None,
    check: bool = True,
) -> Margin:
    """The margin of each subject to the real boundary of the union of ``zones``.

    A seam between two zones is no boundary. From outside, the distance to the nearest zone is the distance to
    the union, so the union's boundary is only traced when a subject lies inside.

    Parameters
    ----------
    subjects : sequence of shapely geometries
        Metres in the plane of ``zones``; any kind.
    zones : ZoneSet
    met : tuple of int64[k], int64[k], optional
        The pairs of a subject and a zone that share a point, each once, where somebody has them.
    threads : int or None
        None = two.
    check : bool
        False skips the validity test of ``subjects``.

    Raises
    ------
    KernelInputError
        For a missing or invalid subject.
    """
    array = geometries(subjects, "subjects", check=check)
    filled = ~shapely.is_empty(array)
    nearest = _Nearest.unknown(len(array))
    nearest.margin_m[~filled] = np.nan
    s, z = intersecting(array, zones, threads=threads, check=False) if met is None else ordered(*met)
    if not len(s) and nearest.is_apart(array, zones, filled):
        return nearest.margin(zones, np.zeros(len(array), dtype=bool))
    nearest.margin_m[s], nearest.zone[s] = 0.0, z
    outside = np.setdiff1d(np.flatnonzero(filled), s)
    nearest.look_from_outside(array, zones, outside)
    beside = outside[nearest.margin_m[outside] >= -SEAM_M]
    in_gap = beside[shapely.get_dimensions(zones.geoms[nearest.zone[beside]]) == 2]
    in_polygon = s[shapely.get_dimensions(zones.geoms[z]) == 2]
    nearest.look_from_inside(array, zones, np.union1d(in_polygon, in_gap), SEAM_M, threads)
    touches = np.abs(nearest.margin_m) <= TOUCH_M
    touches[touches] = _mere_touch(array, zones, np.flatnonzero(touches), s, z)
    return nearest.margin(zones, touches)


def margin_inside(subject: BaseGeometry, zones: ZoneSet) -> Margin | None:
    """The margin of `signed_margin` of one subject that meets a polygon of ``zones``, where that is quick.

    None where the boundary of the union is not traced yet, or where the subject comes up to it.
    """
    if not zones.union.is_whole:
        return None
    boundary = zones.union.whole()
    line, gap = boundary.tree.query_nearest(subject, return_distance=True, all_matches=False)
    if not len(line) or gap[0] <= TOUCH_M:
        return None
    zone = boundary.owner[line[:1]]
    untouched = np.zeros(1, dtype=bool)
    return Margin(gap[:1], zone, zones.accuracy_m[zone], boundary.lines[line[:1]], untouched)


def gap_from_outside(subject: BaseGeometry, zones: ZoneSet) -> tuple[float, float]:
    """How far one subject, which meets no zone, is from the nearest, and that one's accuracy; metres.

    Infinite and NaN when there is no zone. It is the margin of `signed_margin` with its sign turned, unless
    the subject is in the gap of a seam: at less than `boundary.SEAM_M`.
    """
    if not len(zones.rim):
        return np.inf, np.nan
    line, gap = zones.rim.tree.query_nearest(subject, return_distance=True, all_matches=False)
    return float(gap[0]), float(zones.accuracy_m[zones.rim.owner[line[0]]])


def depths_within(subjects: Geometries, zones: ZoneSet, *, threads: int | None = None) -> Floats:
    """How deep each subject lies in the union of ``zones`` with all its parts; float64[n], metres.

    The margin of `signed_margin`, but 0 for a subject of which only some parts lie inside: its distance to
    the boundary says nothing of that where no part comes near it.
    """
    depth = signed_margin(subjects, zones, threads=threads, check=False).margin_m
    depth[_some_part_outside(subjects, zones, np.flatnonzero(depth > 0))] = 0.0
    return depth


def side_of(
    subject: BaseGeometry, zones: ZoneSet, *, inside_m: float = np.inf, outside_m: float = np.inf
) -> float | None:
    """How far one subject lies inside a set of at most one polygon as a whole, or outside (negative); metres.

    One place of each part tells on which side. None where it comes near an outline, or has parts on both.
    Where one place of the subject tells that all of it is deeper inside than ``inside_m``, or farther outside
    than ``outside_m``, no more is measured: it is at least as deep, or as far, as what is returned.
    """
    if len(zones) != 1 or not len(zones.outline) or shapely.get_dimensions(zones.geoms[0]) != 2:
        return None
    if min(inside_m, outside_m) < np.inf:
        x, y = shapely.get_coordinates(subject)[0].tolist()
        sure = _gap(shapely.Point(x, y), zones) - _extent(subject, x, y)
        if sure > max(SEAM_M, min(inside_m, outside_m)):
            is_held = _holds(zones, np.array([[x, y]]))[0]
            if sure > (inside_m if is_held else outside_m):
                return sure if is_held else -sure
    gap = _gap(subject, zones)
    if not gap > SEAM_M:
        return None
    parts = shapely.get_parts(subject)
    held = _holds(zones, np.array([shapely.get_coordinates(part)[0] for part in parts]))
    if held.any() and not held.all():
        return None
    return gap if held[0] else -gap


def depth_within(subject: BaseGeometry, zones: ZoneSet) -> float:
    """`depths_within` for one subject and a set of at most one polygon."""
    side = side_of(subject, zones)
    if side is not None:
        return side
    return float(depths_within(np.array([subject], dtype=object), zones, threads=1)[0])


def _gap(subject: BaseGeometry, zones: ZoneSet) -> float:
    """How far a subject is from the outline of some polygon; zero from that of an empty subject."""
    gap = zones.outline.tree.query_nearest(subject, return_distance=True, all_matches=False)[1]
    return float(gap[0]) if len(gap) else 0.0


def _extent(subject: BaseGeometry, x: float, y: float) -> float:
    """How far a subject goes at most from one of its places."""
    x0, y0, x1, y1 = subject.bounds
    return hypot(max(x - x0, x1 - x), max(y - y0, y1 - y))


def _holds(zones: ZoneSet, places: Floats) -> Flags:
    """Which places the only one of some zones holds."""
    with zones.copies.lend(np.arange(1)) as own:
        held: Flags = shapely.intersects_xy(own[0], places[:, 0], places[:, 1])
    return held


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The nearest boundary of each subject, filled in step by step."""

    margin_m: Floats
    zone: Indices
    segment: Geometries

    @classmethod
    def unknown(cls, count: int) -> _Nearest:
        none = np.full(count, None, dtype=object)
        return cls(np.full(count, -np.inf), np.full(count, -1, dtype=np.int64), none)

    def margin(self, zones: ZoneSet, touches: Flags) -> Margin:
        """What was found, with the accuracy of the zones that decide."""
        accuracy = np.full(len(self.zone), np.nan)
        known = self.zone >= 0
        accuracy[known] = zones.accuracy_m[self.zone[known]]
        return Margin(self.margin_m, self.zone, accuracy, self.segment, touches)

    def is_apart(self, array: Geometries, zones: ZoneSet, filled: Flags) -> bool:
        """Look from outside, when no subject meets a zone; whether none is in the gap of a seam either."""
        self.look_from_outside(array, zones, np.flatnonzero(filled))
        return bool((self.margin_m[filled] < -SEAM_M).all())

    def look_from_outside(self, array: Geometries, zones: ZoneSet, rows: Indices) -> None:
        """Take the nearest zone: from outside, its distance is that of the union."""
        if len(rows) and len(zones.rim):
            (_, line), gap = zones.rim.tree.query_nearest(
                array[rows], return_distance=True, all_matches=False
            )
            self.margin_m[rows], self.zone[rows] = -gap, zones.rim.owner[line]

    def look_from_inside(
        self, array: Geometries, zones: ZoneSet, rows: Indices, beyond_m: float, threads: int | None
    ) -> None:
        """Take the nearest line of the union's boundary.

        A subject outside every zone, but further than ``beyond_m`` from that boundary, is in the gap of a
        seam: it is inside the union.
        """
        if not len(rows):
            return
        gap, owner, line = _boundary_nearest_to(array[rows], zones, threads)
        within = (self.margin_m[rows] == 0.0) | (gap > beyond_m)
        rows = rows[within]
        self.margin_m[rows], self.zone[rows] = gap[within], owner[within]
        self.segment[rows] = line[within]


def _boundary_nearest_to(
    subjects: Geometries, zones: ZoneSet, threads: int | None
) -> tuple[Floats, Indices, Geometries]:
    """Distance, zone and line of the union's boundary nearest to each subject."""
    if len(subjects) <= FEW_SUBJECTS and not zones.union.is_whole:
        found = [_nearest_traced_here(subject, zones) for subject in subjects]
        gaps, owners, lines = zip(*found, strict=True)
        return np.array(gaps), np.array(owners, dtype=np.int64), np.array(lines, dtype=object)
    boundary = zones.union.whole()

    def nearest(some: Geometries) -> Floats:
        (_, line), gap = boundary.tree.query_nearest(some, return_distance=True, all_matches=False)
        return np.column_stack([line, gap])

    order = _by_neighbours(subjects)
    nearby = np.empty((len(subjects), 2))
    nearby[order] = in_shares(nearest, subjects[order], threads=threads)
    line = nearby[:, 0].astype(np.int64)
    return nearby[:, 1], boundary.owner[line], boundary.lines[line]


def _by_neighbours(subjects: Geometries) -> Indices:
    """An order in which most are near the one before: the same part of an index is looked at for both."""
    x, y = shapely.bounds(subjects)[:, :2].T
    return np.lexsort((y, np.floor(x / NEIGHBOURS_M)))


def _nearest_traced_here(subject: BaseGeometry, zones: ZoneSet) -> tuple[float, int, BaseGeometry | None]:
    """Distance, zone and line of the union's boundary nearest to a subject, traced outwards from there."""
    outline = zones.outline
    radius = 2.0 * float(outline.tree.query_nearest(subject, return_distance=True)[1][0]) + 1.0
    looked = 0
    best: tuple[float, int, BaseGeometry | None] = (np.inf, -1, None)
    while True:
        near = outline.tree.query(subject, predicate="dwithin", distance=radius)
        away = shapely.distance(subject, outline.lines[near])
        near = near[np.argsort(away, kind="stable")]
        away = np.append(np.sort(away), radius)
        while looked < len(near) and best[0] > away[looked]:
            following = near[looked : looked + max(looked, TRACED_AT_ONCE)]
            looked += len(following)
            best = min(best, _nearest_among(subject, *zones.union.among(following)), key=lambda b: b[0])
        if best[0] <= away[looked] or looked == len(outline):
            return best
        radius *= 2.0


def _nearest_among(
    subject: BaseGeometry, lines: Geometries, owner: Indices
) -> tuple[float, int, BaseGeometry | None]:
    gap = shapely.distance(subject, lines)
    i = int(np.argmin(gap)) if len(gap) else -1
    return (float(gap[i]), int(owner[i]), lines[i]) if len(gap) else (np.inf, -1, None)


def _some_part_outside(array: Geometries, zones: ZoneSet, rows: Indices) -> Indices:
    """Those of ``rows`` of which a part meets no zone, while another is inside."""
    rows = rows[shapely.get_num_geometries(array[rows]) > 1]
    parts, of = shapely.get_parts(array[rows], return_index=True)
    outside = np.ones(len(parts), dtype=bool)
    if len(parts):
        outside[intersecting(parts, zones, check=False)[0]] = False
    return rows[np.unique(of[outside])]


def _mere_touch(array: Geometries, zones: ZoneSet, rows: Indices, s: Indices, z: Indices) -> Flags:
    """Whether no more than a micrometre of each subject is inside any zone; points always."""
    met = np.isin(s, rows)
    shared = np.zeros(len(array))
    np.maximum.at(shared, s[met], overlap(array, zones, s[met], z[met], check=False))
    allowed = np.where(shapely.get_dimensions(array) == 2, TOUCH_M * shapely.length(array), TOUCH_M)
    return np.asarray(shared[rows] <= allowed[rows])
