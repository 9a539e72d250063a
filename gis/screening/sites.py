"""Rules asked of lines and polygons: which part of a site gets which verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, Parts, combine, split, throughout
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.boundary import SEAM_M
from gis.kernel.slivers import DUST
from gis.kernel.zones import ZoneSet
from gis.screening import corners
from gis.screening.counting import count_codes
from gis.screening.division import demoted, met_as_unknown, settled_only, turned, worst
from gis.screening.filters import Flags
from gis.screening.ground import TURNED, Answer, Lie, Missing, Pairs, Question, near_pairs, note_missing
from gis.screening.inputs import Selection
from layers.rulemodel import AreaShare, AreaShareOutside, CountGt, Disjoint, DWithin, Intersects

__all__ = ["ask_sites", "beyond_zones"]


@dataclass(frozen=True, eq=False)
class _Site:
    """One line or polygon; ``depth_m`` is how deep it lies in the coverage, negative for outside.

    ``covered`` when it surely lies in the coverage with all that it may reach. ``row`` names it among all.
    """

    geometry: BaseGeometry
    accuracy_m: float
    covered: bool
    depth_m: float
    row: int


def ask_sites(
    geoms: Geometries, accuracy_m: Floats, depth_m: Floats, question: Question, rows: Indices, far: Flags
) -> Answer:
    """Answer one question for each line or polygon; the semantics are those of `gis.screening.ground`.

    "intersects" and "dwithin" go by places: the parts of the site that are in conflict, and the verdict of
    the worst of them. An area share compares the sum of such parts with its threshold: conflict when the
    conflict part alone exceeds it, unknown or edge when these parts together may, else clear. "disjoint"
    and "count_gt" are about the site as a whole. Where the verdict is milder than the worst part (a sliver
    under a threshold), that part takes the verdict, so that verdict and parts agree.

    Zones are looked up by index first: a site that no zone can reach, and that is covered, is clear without
    any overlay.

    Parameters
    ----------
    geoms : object[k]
        Valid, not empty; metres in the measuring plane.
    accuracy_m : float64[k]
        Bounds of error in metres, NaN = unknown.
    depth_m : float64[k]
        How deep each site lies in the layer's coverage as a whole; not positive where it crosses the rim.
    question : Question
    rows : int64[k]
        Which subjects they are: what is the same for many rules is found once for each.
    far : bool[k]
        Sites that are known to be beyond the reach of any zone of the layer.
    """
    if len(geoms) == 1 and not np.isnan(accuracy_m[0]):
        error, depth = float(accuracy_m[0]), float(depth_m[0])
        alone = _Site(geoms[0], error, depth > error + question.reach_m, depth, int(rows[0]))
        return _ask_beyond(alone, question) if far[0] else _ask_near(alone, question)
    answer = Answer.blank(len(geoms))
    known = ~np.isnan(accuracy_m)
    covered = depth_m > np.where(known, accuracy_m, 0.0) + question.reach_m
    met = ~known | question.seeks_absence
    asked = ~far & ~met
    if asked.any():
        met[asked] = _may_be_met(geoms[asked], accuracy_m[asked], rows[asked], question)
    settled = ~met
    for row in np.flatnonzero(met | ~covered):
        site = _Site(
            geoms[row], float(accuracy_m[row]), bool(covered[row]), float(depth_m[row]), int(rows[row])
        )
        if settled[row]:
            _write(answer, int(row), site, _beyond_zones(site, question), question)
            continue
        _put(answer, int(row), site, question)
    _measure(geoms, accuracy_m, rows, question, answer)
    return answer


def _put(answer: Answer, row: int, site: _Site, question: Question) -> None:
    """Ask about one site that a zone may reach, and write what was found."""
    by_zones, found = _by_corners(site, question) or _by_places(site, question)
    _write(answer, row, site, found, question)
    answer.capped[row] = _rests_on_indicative(site, question, by_zones)


def _ask_near(site: _Site, question: Question) -> Answer:
    """The same for one site of known accuracy that some zone of the layer may reach."""
    answer = Answer.blank(1)
    may_be_any = question.seeks_absence or question.selection.both.has_boundless
    if may_be_any or len(_near_pairs(site, question)[1]):
        _put(answer, 0, site, question)
    elif not site.covered:
        _write(answer, 0, site, _beyond_zones(site, question), question)
    if answer.code[0] != CLEAR:
        _measure(*_as_arrays(site), question, answer)
    return answer


def _as_arrays(site: _Site) -> tuple[Geometries, Floats, Indices]:
    """Geometry, error and row, for what is asked about many sites."""
    one = np.empty(1, dtype=object)
    one[0] = site.geometry
    return one, np.array([site.accuracy_m]), np.array([site.row], dtype=np.int64)


def _near_pairs(site: _Site, question: Question) -> Pairs:
    """The zones that may be within the distance of a site, and how far they are."""
    return question.found.near_pairs(*_as_arrays(site), question)


def _by_places(site: _Site, question: Question) -> tuple[Lie, Lie]:
    """How a site lies to the zones, and what the coverage leaves of that."""
    by_zones = _by_zones(site, question, question.selection)
    return by_zones, by_zones if site.covered else _with_coverage(site, by_zones, question)


def _by_corners(site: _Site, question: Question) -> tuple[Lie, Lie] | None:
    """The same where only the verdict is wanted and corners show a conflict; its parts are not divided.

    None where they do not tell.
    """
    predicate, selection = question.predicate, question.selection
    if question.found.facts or not isinstance(predicate, (Intersects, DWithin)) or np.isnan(site.accuracy_m):
        return None
    bare = not len(question.layer.coverage) or site.depth_m < -site.accuracy_m - question.reach_m - TOUCH_M
    if selection.both.has_boundless or not (site.covered or bare):
        return None
    _, near, gap = _near_pairs(site, question)
    if (near >= len(selection.yes)).any():
        return None
    by_zones = Lie(CONFLICT, question.found.whole(site.geometry, site.row, CONFLICT))
    asked = question.layer, selection.yes_index, selection.yes
    if question.found.is_within(site.geometry, site.accuracy_m, site.row, asked, question.reach_m):
        return by_zones, by_zones
    place = site.geometry, site.accuracy_m, selection.yes
    if not corners.conflicts(*place, near, gap, question.reach_m):
        return None
    if bare and not corners.reaches_beyond(*place, question.reach_m):
        return None
    return by_zones, replace(by_zones, names=frozenset({"coverage"})) if bare else by_zones


def _ask_beyond(site: _Site, question: Question) -> Answer:
    """The same for one site that no zone of the layer can reach: most questions are of this kind."""
    answer = Answer.blank(1)
    if site.covered and not question.seeks_absence:
        return answer
    found = _outside_all(site, question) if question.seeks_absence else _beyond_zones(site, question)
    _write(answer, 0, site, found, question)
    if question.seeks_absence:
        answer.capped[0] = question.selection.has_indicative
    if answer.code[0] != CLEAR and question.found.facts:
        gap, error = question.found.apart.gap(site.geometry, site.row, question.selection)
        if SEAM_M < gap < np.inf:
            answer.margin_m[0], answer.error_m[0] = question.reach_m - gap, site.accuracy_m + error
        else:
            _measure(*_as_arrays(site), question, answer)
    return answer


def beyond_zones(
    geometry: BaseGeometry, accuracy_m: float, depth_m: float, question: Question
) -> tuple[int, Parts, tuple[str, ...]]:
    """Verdict, parts and what is missing of one site that no zone reaches and no coverage surely holds.

    The question is about meeting zones: "intersects", "dwithin", a share of the area inside, a count.
    """
    found = _beyond_zones(_Site(geometry, accuracy_m, False, depth_m, 0), question)
    code = _passed(found.code, found.parts, question)
    return code, demoted(geometry, found.parts, code), tuple(sorted(found.names))


def _write(answer: Answer, row: int, site: _Site, found: Lie, question: Question) -> None:
    """Write the verdict of the rule: turned round where absence is the conflict, and by its threshold."""
    code, parts = found.code, found.parts
    if question.seeks_absence:
        parts = question.found.once(turned, site.geometry, parts)
        code = int(TURNED[code]) if isinstance(question.predicate, Disjoint) else parts.verdict
    code = _passed(code, parts, question)
    answer.code[row] = code
    if code == CLEAR:
        return
    answer.parts[row] = question.found.once(demoted, site.geometry, parts, code)
    for name in sorted(found.names):
        note_missing(answer.missing, name, [row], len(answer.code))


def _passed(code: int, parts: Parts, question: Question) -> int:
    """The verdict code after the threshold of an area share."""
    threshold = _threshold(parts, question)
    if threshold is None:
        return code
    conflict, unknown, edge, _ = parts.amounts
    if conflict > threshold:
        return CONFLICT
    if conflict + unknown + edge > threshold:
        return UNKNOWN if unknown > 0 else EDGE
    return CLEAR


def _threshold(parts: Parts, question: Question) -> float | None:
    """The area in m2 that the parts must exceed, for a rule about a share of an area; None for others."""
    if not isinstance(question.predicate, (AreaShare, AreaShareOutside)):
        return None
    geoms = [parts.conflict, parts.unknown, parts.edge, parts.clear]
    if shapely.get_dimensions(geoms)[parts.sizes > 0].max(initial=0) < 2:
        return None
    match question.predicate:
        case AreaShare(min_share=share, min_area_m2=area):
            return float(max(share * parts.sizes.sum(), area))
        case AreaShareOutside(min_share=share):
            return float(share * parts.sizes.sum())


def _may_be_met(geoms: Geometries, accuracy_m: Floats, rows: Indices, question: Question) -> Flags:
    """Which sites a zone may reach; a zone without known accuracy may reach any. bool[k]."""
    zones = question.selection.both
    met = np.full(len(geoms), zones.has_boundless)
    met[question.found.near_pairs(geoms, accuracy_m, rows, question)[0]] = True
    return met


def _by_zones(site: _Site, question: Question, selection: Selection) -> Lie:
    """How a site lies to the zones alone, whatever the coverage."""
    if isinstance(question.predicate, CountGt):
        return _counted(site, question, selection)
    if np.isnan(site.accuracy_m):
        return Lie(UNKNOWN, throughout(site.geometry, UNKNOWN), frozenset({"accuracy_m"}))
    found = _divided(site, question, selection)
    if isinstance(question.predicate, Disjoint):
        return Lie(found.code, throughout(site.geometry, found.code), found.names)
    return found


def _counted(site: _Site, question: Question, selection: Selection) -> Lie:
    missing: Missing = {}
    one, error = np.array([site.geometry], dtype=object), np.array([site.accuracy_m])
    code = int(count_codes(one, error, question, selection, missing)[0])
    return Lie(code, throughout(site.geometry, code), frozenset(missing))


def _divided(site: _Site, question: Question, selection: Selection) -> Lie:
    """The verdict by places: what the zones make a conflict or edge, and what maybe zones make unknown."""
    parts = _split(site, question, selection.yes_index, selection.yes)
    names = {question.zone_accuracy_name} if parts.amounts[1] > 0 else set()
    code = parts.verdict
    if not len(selection.maybe):
        return Lie(code, parts, frozenset(names))
    maybe = _split(site, question, selection.maybe_index, selection.maybe)
    if maybe.verdict == CLEAR:
        return Lie(code, parts, frozenset(names))
    names |= _names_of_maybe(site, maybe, question, selection)
    once = question.found.once
    parts = once(worst, site.geometry, parts, once(met_as_unknown, site.geometry, maybe))
    return Lie(max(code, UNKNOWN), parts, frozenset(names))


def _split(site: _Site, question: Question, index: Indices, zones: ZoneSet) -> Parts:
    asked = question.layer, index, zones
    return question.found.split(site.geometry, site.accuracy_m, site.row, asked, question.reach_m)


def _names_of_maybe(site: _Site, found: Parts, question: Question, selection: Selection) -> set[str]:
    """What the maybe zones that reach a site lack."""
    one, error = np.array([site.geometry], dtype=object), np.array([site.accuracy_m])
    _, zones, _ = near_pairs(one, error, selection.maybe, question.reach_m)
    names = set()
    if found.amounts[1] > 0:
        names.add(question.zone_accuracy_name)
        zones = np.union1d(zones, np.flatnonzero(np.isnan(selection.maybe.accuracy_m)))
    lacking = question.lacking(selection.maybe_index[zones])
    return names | {name for name, lacks in lacking.items() if lacks.any()}


def _rests_on_indicative(site: _Site, question: Question, by_zones: Lie) -> bool:
    """Whether official zones alone would give a milder verdict; see `gis.screening.points`."""
    indicative = question.selection.is_indicative
    if not question.selection.has_indicative:
        return False
    if question.seeks_absence:
        return by_zones.code != CONFLICT
    if by_zones.code == CLEAR or indicative.all():
        return by_zones.code != CLEAR
    passed = _passed(by_zones.code, by_zones.parts, question)
    if not np.isnan(site.accuracy_m):
        reaching = _reaching(site, question)
        if not (indicative & reaching).any():
            return False
        if not (~indicative & reaching).any():
            return passed > CLEAR
    official = _by_zones(site, question, question.selection.official)
    return _passed(official.code, official.parts, question) < passed


def _reaching(site: _Site, question: Question) -> Flags:
    """Which zones of the selection may reach a site of known accuracy; the others change nothing there."""
    zones = question.selection.both
    reaching = np.isnan(zones.accuracy_m)
    reaching[_near_pairs(site, question)[1]] = True
    return reaching


def _beyond_zones(site: _Site, question: Question) -> Lie:
    """The verdict on a site that no zone of the layer reaches: the same for all rules that look as far."""
    counted = isinstance(question.predicate, CountGt)
    key = question.layer.coverage_key, question.reach_m, site.row, counted
    if key not in question.found.beyond:
        bare = None if site.covered else _bare(site, question)
        if bare is None or bare.amounts[1] == 0:
            found = Lie(CLEAR, question.found.whole(site.geometry, site.row, CLEAR))
        else:
            parts = question.found.whole(site.geometry, site.row, UNKNOWN) if counted else bare
            found = Lie(UNKNOWN, parts, frozenset({"coverage"}))
        question.found.beyond[key] = found
    return question.found.beyond[key]


def _outside_all(site: _Site, question: Question) -> Lie:
    """How a site that no zone reaches lies to them, for a rule about lying in none."""
    found = Lie(CLEAR, question.found.whole(site.geometry, site.row, CLEAR))
    return found if site.covered else _with_coverage(site, found, question)


def _with_coverage(site: _Site, found: Lie, question: Question) -> Lie:
    """The verdict where the layer's coverage does not surely hold the whole site."""
    if found.code == CONFLICT and isinstance(question.predicate, (CountGt, Disjoint)):
        return found
    bare, once = _bare(site, question), question.found.once
    as_a_whole = isinstance(question.predicate, (CountGt, Disjoint))
    if bare is question.found.whole(site.geometry, site.row, UNKNOWN) and not as_a_whole:
        # Then what is left open is all that is no conflict, and that shows in the outcome.
        parts = once(worst, site.geometry, found.parts, bare)
        if parts.amounts[1] == 0:
            return found
    else:
        open_ = once(worst, site.geometry, once(settled_only, site.geometry, found.parts), bare)
        if open_.amounts[1] == 0:
            return found
        parts = (
            question.found.whole(site.geometry, site.row, UNKNOWN)
            if as_a_whole
            else once(worst, site.geometry, found.parts, bare)
        )
    return Lie(max(found.code, UNKNOWN), parts, found.names | {"coverage"})


def _bare(site: _Site, question: Question) -> Parts:
    """What of a site is not surely covered, as unknown; the rest clear. Rounding along the rim is nothing."""
    coverage = question.layer.coverage
    reach = question.reach_m + (0.0 if np.isnan(site.accuracy_m) else site.accuracy_m)
    if not len(coverage) or site.depth_m < -reach - TOUCH_M:
        return question.found.whole(site.geometry, site.row, UNKNOWN)
    key = question.layer.coverage_key, reach, site.row
    if key not in question.found.bare:
        question.found.bare[key] = _bare_of(site, coverage, reach)
    return question.found.bare[key]


def _bare_of(site: _Site, coverage: ZoneSet, reach: float) -> Parts:
    held = split(site.geometry, reach, coverage, outside=True, check=False)
    rounding = DUST if shapely.get_dimensions(site.geometry) == 2 else TOUCH_M
    if held.sizes[0] + held.sizes[2] <= rounding:
        return combine(site.geometry, [])
    return met_as_unknown(site.geometry, held)


def _measure(
    geoms: Geometries, accuracy_m: Floats, subjects: Indices, question: Question, answer: Answer
) -> None:
    """Write margin, error and touch of the sites that are not clear."""
    rows = np.flatnonzero(answer.code > CLEAR)
    zones = question.selection.both
    if not len(rows) or not len(zones) or not question.found.facts:
        return
    found = question.found.margin(geoms[rows], accuracy_m[rows], subjects[rows], question)
    measured = np.isfinite(found.margin_m)
    margin = found.margin_m + question.reach_m
    answer.margin_m[rows[measured]] = margin[measured]
    answer.error_m[rows] = accuracy_m[rows] + found.error_zone_accuracy_m
    touches = found.on_boundary if question.reach_m == 0 else np.abs(margin) <= TOUCH_M
    answer.on_boundary[rows] = touches
