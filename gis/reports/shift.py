"""The smallest shift that takes a site out of all it conflicts with, looked for within a stated distance.

Places are tried ring by ring outwards: at each distance, in 72 directions at once, the kernel tells which of
them come near no zone that could make a conflict or a doubt. On the first ring that has such a place the
distance is halved down to a few centimetres and the direction turned to the best. The place that is found is
then judged anew by all rules; only what that judgement confirms is told. A gap that is narrower than the
ring's step may be passed over, so the shift is the smallest of those tried, not a proven minimum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, ZoneSet
from gis.kernel.arrays import Floats, Geometries
from gis.screening.answer import Examined
from gis.screening.ground import near_pairs
from gis.screening.inputs import Subjects
from gis.screening.judge import judge
from gis.screening.judgement import Judgement, RuleOutcome
from layers.predicates import AreaShareOutside, Attribute, Disjoint

__all__ = ["SEARCH_M", "Shift", "is_wanted", "smallest_shift"]

SEARCH_M = 500.0
"""How far a shift is looked for, in metres."""

_STEP_M = 10.0
_DIRECTIONS = 72
# A site of more vertices is tried by a simpler outline around it, because each place costs in proportion.
_MANY_VERTICES, _AROUND_M = 1_000, 1.0
_HALVINGS = 8
_TURNS = np.radians(np.arange(-2.5, 2.51, 0.5))
# Rounded up to this, so that the shift told on paper still clears.
_ROUND_M = 0.1
# The search leaves out what only the judge knows; so many places are put before it.
_VERIFIED = 4


@dataclass(frozen=True)
class Shift:
    """One way out: ``dx_m`` east and ``dy_m`` north in the measuring plane, and what then remains.

    ``verdict`` is that of the moved site; ``open_rules`` are those that stay unknown there.
    """

    dx_m: float
    dy_m: float
    distance_m: float
    bearing_deg: float
    verdict: str
    open_rules: tuple[str, ...]
    geometry: shapely.Geometry


@dataclass(frozen=True, eq=False)
class _Obstacle:
    """Zones that the site must not come nearer to than ``reach_m`` and the errors of both."""

    zones: ZoneSet
    reach_m: float

    def free(self, geoms: Geometries, accuracy_m: float) -> NDArray[np.bool_]:
        met, _, _ = near_pairs(geoms, np.full(len(geoms), accuracy_m), self.zones, self.reach_m)
        free = np.ones(len(geoms), dtype=bool)
        free[met] = False
        return free


@dataclass(frozen=True, eq=False)
class _Home:
    """Zones within which the site must lie, with its error."""

    area: shapely.Geometry

    def free(self, geoms: Geometries, accuracy_m: float) -> NDArray[np.bool_]:
        grown = shapely.buffer(geoms, accuracy_m) if accuracy_m > 0 else geoms
        return np.asarray(shapely.covers(self.area, grown), dtype=bool)


def is_wanted(examined: Examined) -> bool:
    """Whether there is anything to get clear of: a conflict, or a doubt that comes from the place."""
    return any(int(o.answer.code[0]) in (CONFLICT, EDGE) for o in examined.judgement.outcomes)


def smallest_shift(examined: Examined, search_m: float = SEARCH_M, *, threads: int = 2) -> Shift | None:
    """The smallest shift found that leaves no conflict, no edge and no new unknown; None within ``search_m``.

    Where attributes alone make a conflict, no shift helps.

    Parameters
    ----------
    examined : Examined
        The site where it is; see `is_wanted`.
    search_m : float
        How far to look, metres in the measuring plane.
    """
    if any(
        o.answer.code[0] == CONFLICT and isinstance(o.rule.predicate, Attribute)
        for o in examined.judgement.outcomes
    ):
        return None
    walls = _walls(examined, search_m)
    before = examined.judgement
    for dx, dy in _candidates(examined, walls, search_m):
        (moved,) = _moved(examined.site.plane, np.array([[dx, dy]]))
        after = _judged_at(examined, moved, threads)
        if _clears(before, after):
            open_rules = tuple(o.rule.id for o in after.outcomes if o.answer.code[0] == UNKNOWN)
            return Shift(
                dx_m=dx, dy_m=dy, distance_m=math.hypot(dx, dy),
                bearing_deg=math.degrees(math.atan2(dx, dy)) % 360.0,
                verdict=after.verdict(0), open_rules=open_rules, geometry=moved,
            )  # fmt: skip
    return None


def _judged_at(examined: Examined, geometry: shapely.Geometry, threads: int) -> Judgement:
    was = examined.site.subjects
    there = Subjects(
        layer_id=was.layer_id, kinds=was.kinds, uids=was.uids, geoms=np.array([geometry], dtype=object),
        accuracy_m=was.accuracy_m, attributes=was.attributes,
    )  # fmt: skip
    snapshot, packs = examined.snapshot, examined.definition.packs.values()
    return judge(
        there, snapshot.prepared, packs, snapshot.law_date, no_access=snapshot.no_access, threads=threads
    )


def _clears(before: Judgement, after: Judgement) -> bool:
    """Whether nothing is worse, and nothing in conflict or in doubt by its place."""
    for was, now in zip(before.outcomes, after.outcomes, strict=True):
        code = int(now.answer.code[0])
        if code in (CONFLICT, EDGE) or (code == UNKNOWN and was.answer.code[0] == CLEAR):
            return False
    return True


def _walls(examined: Examined, search_m: float) -> list[_Obstacle | _Home]:
    """What the rules that are about this site ask of a place, as far as it matters within ``search_m``."""
    site, reached = examined.site, float(examined.site.accuracy_m) + search_m
    reach: dict[int, tuple[ZoneSet, float]] = {}
    homes: dict[tuple[int, float], _Home] = {}
    for outcome in examined.judgement.outcomes:
        zones = _zones_of(outcome, examined)
        if zones is None:
            continue
        if isinstance(outcome.rule.predicate, (Disjoint, AreaShareOutside)):
            far = outcome.rule.predicate.reach_m
            homes.setdefault((id(zones), far), _Home(_joined(zones, site.plane, reached, far)))
            continue
        known = reach.get(id(zones), (zones, 0.0))[1]
        reach[id(zones)] = zones, max(known, outcome.rule.predicate.reach_m)
    walls: list[_Obstacle | _Home] = list(homes.values())
    for zones, far in reach.values():
        one = np.array([site.plane], dtype=object)
        _, near, _ = near_pairs(one, np.array([reached]), zones, far)
        if len(near):
            walls.append(_Obstacle(zones.take(np.unique(near)), far))
    return walls


def _zones_of(outcome: RuleOutcome, examined: Examined) -> ZoneSet | None:
    """The zones of one rule that a place must keep to; None where the rule asks nothing of it.

    What is unknown already may stay so, hence only zones that surely count bar the way to it.
    """
    if outcome.layer is None or outcome.applicable.no[0] or outcome.exempt[0] >= 0:
        return None
    code = int(outcome.answer.code[0])
    if code == UNKNOWN and not outcome.applicable.yes[0]:
        return None
    selection = outcome.layer.select(outcome.rule.zone_where, examined.snapshot.law_date)
    seeks_absence = isinstance(outcome.rule.predicate, (Disjoint, AreaShareOutside))
    if seeks_absence:
        return None if code == UNKNOWN else selection.yes
    return selection.both if code == CLEAR else selection.yes


def _joined(zones: ZoneSet, site: shapely.Geometry, reach_m: float, grow_m: float) -> shapely.Geometry:
    """All that lies within ``grow_m`` of zones, as far as the site can be moved."""
    around = shapely.box(*shapely.buffer(site, reach_m + grow_m).bounds)
    near = shapely.intersection(zones.geoms[shapely.intersects(zones.geoms, around)], around)
    grown = shapely.buffer(near, grow_m) if grow_m > 0 else near
    area: shapely.Geometry = shapely.union_all(grown)
    shapely.prepare(area)
    return area


def _candidates(
    examined: Examined, walls: list[_Obstacle | _Home], search_m: float
) -> Iterator[tuple[float, float]]:
    """Shifts (east, north) worth judging, the smallest first; at most `_VERIFIED`."""
    site, accuracy = _outlined(examined.site.plane), float(examined.site.accuracy_m)
    directions = np.radians(np.arange(0.0, 360.0, 360.0 / _DIRECTIONS))
    tried = 0
    for far in np.arange(_STEP_M, search_m + _STEP_M / 2, _STEP_M):
        free = directions[_free(site, accuracy, walls, directions, np.full(len(directions), far))]
        if not len(free):
            continue
        found = _refined(site, accuracy, walls, free, float(far))
        for distance, direction in found[: _VERIFIED - tried]:
            yield _rounded(distance, direction)
            tried += 1
        if tried >= _VERIFIED:
            return


def _outlined(site: shapely.Geometry) -> shapely.Geometry:
    """The site itself, or something simpler that holds all of it."""
    if int(shapely.get_num_coordinates(site)) <= _MANY_VERTICES:
        return site
    thinned = shapely.simplify(site, _AROUND_M)
    around = shapely.buffer(thinned, _AROUND_M, cap_style="square", join_style="mitre")
    if int(shapely.get_num_coordinates(around)) <= _MANY_VERTICES:
        return around
    return shapely.convex_hull(site)


def _refined(
    site: shapely.Geometry, accuracy: float, walls: list[_Obstacle | _Home], free: Floats, far: float
) -> list[tuple[float, float]]:
    """The free directions with the least distance on each, the best of them turned a little; least first."""
    least = _halved(site, accuracy, walls, free, np.full(len(free), far - _STEP_M), np.full(len(free), far))
    best = int(np.argmin(least))
    turned = free[best] + _TURNS
    reach = np.full(len(turned), least[best])
    kept = _free(site, accuracy, walls, turned, reach)
    near = _halved(site, accuracy, walls, turned[kept], reach[kept] - _STEP_M, reach[kept])
    every = [*zip(near.tolist(), turned[kept].tolist(), strict=True)]
    every += zip(least.tolist(), free.tolist(), strict=True)
    return sorted(every)


def _halved(
    site: shapely.Geometry,
    accuracy: float,
    walls: list[_Obstacle | _Home],
    directions: Floats,
    low: Floats,
    high: Floats,
) -> Floats:
    """The least free distance on each direction between ``low`` and ``high``, which is free."""
    low, high = np.maximum(low, 0.0), high.copy()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        free = _free(site, accuracy, walls, directions, middle)
        high[free], low[~free] = middle[free], middle[~free]
    return high


def _free(
    site: shapely.Geometry,
    accuracy: float,
    walls: list[_Obstacle | _Home],
    directions: Floats,
    distances: Floats,
) -> NDArray[np.bool_]:
    """Which of the moved sites keep to all walls. Directions in radians, clockwise from grid north."""
    by = np.column_stack([np.sin(directions), np.cos(directions)]) * distances[:, None]
    moved = _moved(site, by)
    free = np.ones(len(moved), dtype=bool)
    for wall in walls:
        left = np.flatnonzero(free)
        if not len(left):
            break
        free[left] = wall.free(moved[left], accuracy)
    return free


def _moved(site: shapely.Geometry, by: Floats) -> Geometries:
    """Copies of ``site``, each moved by one row of ``by``."""
    copies = np.empty(len(by), dtype=object)
    copies[:] = site
    count = int(shapely.get_num_coordinates(site))
    return np.asarray(shapely.transform(copies, lambda xy: xy + np.repeat(by, count, axis=0)), dtype=object)


def _rounded(distance: float, direction: float) -> tuple[float, float]:
    """East and north in whole decimetres, each away from zero."""
    east, north = math.sin(direction) * distance, math.cos(direction) * distance
    return tuple(  # type: ignore[return-value]  # it has two entries
        round(math.copysign(math.ceil(abs(part) / _ROUND_M - 1e-6) * _ROUND_M, part), 1)
        for part in (east, north)
    )
