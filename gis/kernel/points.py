"""Verdicts of many points at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices, accuracies, coordinates
from gis.kernel.boundary import outlines
from gis.kernel.margin import signed_margin
from gis.kernel.nearest import rows_by_zone
from gis.kernel.pairs import within
from gis.kernel.threads import each_zone
from gis.kernel.verdicts import CLEAR, CONFLICT, EDGE, UNKNOWN
from gis.kernel.zones import ZoneSet

__all__ = ["PointVerdicts", "classify_points"]


Pairs = tuple[Indices, Indices]
"""Of a point and a zone each."""


@dataclass(frozen=True, eq=False)
class PointVerdicts:
    """What :func:`classify_points` found, one entry a point.

    Attributes
    ----------
    verdict : int8[n]
        CLEAR, EDGE, UNKNOWN or CONFLICT of :mod:`gis.kernel.verdicts`.
    accuracy_unknown : bool[n]
        The verdict is UNKNOWN because an accuracy is not known.
    margin_m : float64[n]
        How far inside (> 0) or outside (< 0) the zones grown by ``distance_m`` the point lies, to the
        boundary that decides; -inf without zones.
    error_m : float64[n]
        Point accuracy plus accuracy of the zone that decides; NaN when either is unknown.
    on_boundary : bool[n]
        The point is on the very boundary (within a micrometre).
    zone : int64[n]
        The zone that decides, -1 without zones.
    """

    verdict: NDArray[np.int8]
    accuracy_unknown: Flags
    margin_m: Floats
    error_m: Floats
    on_boundary: Flags
    zone: Indices


def classify_points(
    xy: ArrayLike,
    accuracy_m: ArrayLike | None,
    zones: ZoneSet,
    distance_m: float = 0.0,
    *,
    held: Pairs | None = None,
    threads: int | None = None,
) -> PointVerdicts:
    """Whether each point is within ``distance_m`` of the zones, given how well both are placed.

    A point is a CONFLICT when it is inside by more than the combined error (point accuracy plus zone
    accuracy, both bounds), CLEAR when it is outside by more, EDGE between; the very boundary is EDGE. With
    zones of different accuracy the boundary that decides is the one with the least distance beyond its own
    error, so a coarse zone further off is not masked by a fine one near by; a point safely inside one zone
    stays a CONFLICT whatever the others allow. A point of unknown accuracy is UNKNOWN when there is any zone.
    A zone of unknown accuracy makes UNKNOWN what the other zones do not make a CONFLICT.

    Parameters
    ----------
    xy : float64[n, 2]
        Eastings and northings in metres, in the plane of ``zones``.
    accuracy_m : float, float[n] or None
        Bound of each point's error in metres; NaN or None = unknown.
    zones : ZoneSet
    distance_m : float
        Zones are taken as grown by so many metres, not negative.
    held : tuple of int64[k], int64[k], optional
        The pairs that `gis.kernel.pairs.points_in_zones` found of them, where somebody has them.
    threads : int or None
        None = two.

    Raises
    ------
    KernelInputError
        When a coordinate is not finite, an accuracy or the distance is negative.
    """
    points = coordinates(xy)
    error = accuracies(accuracy_m, len(points))
    reach = float(accuracies(distance_m, 1, "distance_m")[0])
    present = np.flatnonzero(~shapely.is_empty(zones.geoms))
    filled = zones.take(present)
    known = np.flatnonzero(~np.isnan(filled.accuracy_m))
    held = _held_by(held, present, len(zones))
    facts = _judge(points, error, filled, reach, held, threads)
    if len(known) < len(filled):
        sure = filled.take(known), reach, _held_by(held, known, len(filled)), threads
        facts = _sure_or_unknown(facts, _judge(points, error, *sure), known)
    verdict = np.where(np.isnan(error) & (facts.zone >= 0), UNKNOWN, facts.verdict).astype(np.int8)
    zone = np.append(present, -1)[facts.zone]
    return PointVerdicts(verdict, verdict == UNKNOWN, facts.margin_m, facts.error_m, facts.on_boundary, zone)


def _held_by(held: Pairs | None, zones: Indices, count: int) -> Pairs | None:
    """The pairs with some of ``count`` zones, numbered as they are among those."""
    if held is None or len(zones) == count:
        return held
    place = np.full(count, -1)
    place[zones] = np.arange(len(zones))
    known = place[held[1]] >= 0
    return held[0][known], place[held[1]][known]


def _sure_or_unknown(every: PointVerdicts, sure: PointVerdicts, names: Indices) -> PointVerdicts:
    """The conflicts of the zones of known accuracy; unknown, with the facts of all zones, elsewhere."""
    conflict = sure.verdict == CONFLICT
    return PointVerdicts(
        np.where(conflict, CONFLICT, UNKNOWN).astype(np.int8),
        ~conflict,
        np.where(conflict, sure.margin_m, every.margin_m),
        np.where(conflict, sure.error_m, every.error_m),
        np.where(conflict, sure.on_boundary, every.on_boundary),
        np.where(conflict, np.append(names, -1)[sure.zone], every.zone),
    )


def _judge(
    xy: Floats, error: Floats, zones: ZoneSet, reach: float, held: Pairs | None, threads: int | None
) -> PointVerdicts:
    """Verdicts without regard to unknown accuracies, which come out as error NaN."""
    points = np.asarray(shapely.points(xy), dtype=object).reshape(-1)
    nearest = signed_margin(points, zones, met=held, threads=threads, check=False)
    facts = _Facts(nearest.margin_m + reach, error + nearest.error_zone_accuracy_m, nearest.zone)
    if len(np.unique(zones.accuracy_m[~np.isnan(zones.accuracy_m)])) > 1:
        _replace_by_deciding(facts, points, error, zones, reach, nearest.margin_m > 0, threads)
    touches = np.abs(facts.lead) <= TOUCH_M
    conflict = (facts.lead > facts.error) & ~touches
    verdict = np.where(conflict, CONFLICT, np.where(touches | (facts.lead >= -facts.error), EDGE, CLEAR))
    return PointVerdicts(
        verdict.astype(np.int8), np.isnan(facts.error), facts.lead, facts.error, touches, facts.zone
    )


@dataclass(frozen=True, eq=False)
class _Facts:
    """Rows of signed distance to a limit, combined error and zone: one a point, or candidates for them."""

    lead: Floats
    error: Floats
    zone: Indices

    def put(self, points: Indices, rows: Indices, source: _Facts) -> None:
        """Overwrite the entries of ``points`` by the ``rows`` of ``source``."""
        self.lead[points], self.error[points] = source.lead[rows], source.error[rows]
        self.zone[points] = source.zone[rows]


def _replace_by_deciding(
    facts: _Facts,
    points: Geometries,
    error: Floats,
    zones: ZoneSet,
    reach: float,
    inside: Flags,
    threads: int | None,
) -> None:
    """Put the boundary that decides in place of the nearest one, where zones differ in accuracy."""
    of, pairs = _zone_candidates(points, error, zones, reach, threads)
    outside = ~inside[of]
    facts.put(*_best(np.where(outside, pairs.lead + pairs.error, -np.inf), of), pairs)
    line_of, lines = _line_candidates(points, error, zones, reach, np.flatnonzero(inside))
    facts.put(*_best(lines.error - lines.lead, line_of), lines)
    doubtful = ~(facts.lead > facts.error)
    safe = doubtful[of] & (pairs.lead > pairs.error)
    facts.put(*_best(np.where(safe, pairs.lead - pairs.error, -np.inf), of), pairs)


def _best(key: Floats, of: Indices) -> tuple[Indices, Indices]:
    """The points that have a row of finite key, and for each the row whose key is greatest."""
    rows = np.flatnonzero(np.isfinite(key))
    rows = rows[np.lexsort((-key[rows], of[rows]))]
    points, first = np.unique(of[rows], return_index=True)
    return points, rows[first]


def _zone_candidates(
    points: Geometries, error: Floats, zones: ZoneSet, reach: float, threads: int | None
) -> tuple[Indices, _Facts]:
    """For every zone that may matter to a point: how far within its limit the point is."""
    errors = np.nan_to_num(error)
    found = []
    # Points of like error are asked together, so that one coarse point does not widen the search for all.
    band = np.ceil(np.log2(errors + 1.0))
    for value in np.unique(band):
        rows = np.flatnonzero(band == value)
        widest = reach + np.nan_to_num(zones.accuracy_m) + errors[rows].max()
        p, z, gap = within(points[rows], zones, widest, threads=threads, check=False)
        found.append((rows[p], z, gap))
    of, zone, gap = (np.concatenate(column) for column in zip(*found, strict=True)) if found else _NOTHING
    lead = reach - gap
    met = np.flatnonzero(gap == 0)
    lead[met] += _depth_in_own_zone(points, zones, of[met], zone[met], threads)
    return of, _Facts(lead, error[of] + zones.accuracy_m[zone], zone)


_NOTHING = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))


def _depth_in_own_zone(
    points: Geometries, zones: ZoneSet, of: Indices, zone: Indices, threads: int | None
) -> Floats:
    """Distance from each point to the outline of the zone it lies in; 0 for zones without an area."""
    depth = np.zeros(len(of))
    names, rows = rows_by_zone(zone)
    rows_of = dict(zip(names.tolist(), rows, strict=True))

    def measure(name: int) -> None:
        runs, _ = outlines(zones.geoms[name : name + 1])
        if len(runs):
            mine = rows_of[name]
            tree = shapely.STRtree(runs)
            depth[mine] = tree.query_nearest(points[of[mine]], return_distance=True, all_matches=False)[1]

    each_zone(measure, names, zones.weight[names], threads)
    return depth


def _line_candidates(
    points: Geometries, error: Floats, zones: ZoneSet, reach: float, inside: Indices
) -> tuple[Indices, _Facts]:
    """For the points ``inside`` the union: every part of its boundary whose own error may reach the point."""
    if not len(inside):
        return _NOTHING[0], _Facts(_NOTHING[2], _NOTHING[2], _NOTHING[1])
    boundary = zones.union.whole()
    widest = np.maximum(np.nan_to_num(error[inside]) + np.nanmax(zones.accuracy_m) - reach, 0.0)
    row, line = boundary.tree.query(points[inside], predicate="dwithin", distance=widest)
    of, owner = inside[row], boundary.owner[line]
    lead = reach + shapely.distance(points[of], boundary.lines[line])
    return of, _Facts(lead, error[of] + zones.accuracy_m[owner], owner)
