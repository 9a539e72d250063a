"""Rules asked of lines and polygons: which part of a site gets which verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, Parts, combine, signed_margin, split
from gis.kernel.arrays import TOUCH_M, Floats, Geometries
from gis.screening.counting import count_codes
from gis.screening.division import demoted, met_as_unknown, regrouped, whole
from gis.screening.filters import Flags
from gis.screening.ground import Answer, Question, near_pairs, note_missing
from gis.screening.inputs import Selection
from layers.rulemodel import AreaShare, AreaShareOutside, CountGt, Disjoint

__all__ = ["ask_sites"]


@dataclass(frozen=True, eq=False)
class _Site:
    """One line or polygon; ``covered`` when it surely lies in the coverage with all that it may reach."""

    geometry: BaseGeometry
    accuracy_m: float
    covered: bool


@dataclass(frozen=True, eq=False)
class _Verdict:
    """The verdict of one site, its parts as found, and the names behind an unknown."""

    code: int
    parts: Parts
    names: frozenset[str] = field(default_factory=frozenset)


def ask_sites(geoms: Geometries, accuracy_m: Floats, depth_m: Floats, question: Question) -> Answer:
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
    """
    answer = Answer.blank(len(geoms))
    covered = depth_m > np.nan_to_num(accuracy_m) + question.reach_m
    counts = _counts(geoms, accuracy_m, question, answer)
    asked = _may_be_met(geoms, accuracy_m, question) | ~covered | np.isnan(accuracy_m)
    for row in np.flatnonzero(asked | question.seeks_absence):
        site = _Site(geoms[row], float(accuracy_m[row]), bool(covered[row]))
        by_zones = _by_zones(site, question, question.selection, counts, int(row))
        answer.capped[row] = _rests_on_indicative(site, question, by_zones)
        _write(answer, int(row), by_zones if site.covered else _with_coverage(site, by_zones, question))
    _measure(geoms, accuracy_m, question, answer)
    return answer


def _write(answer: Answer, row: int, verdict: _Verdict) -> None:
    answer.code[row] = verdict.code
    if verdict.code == CLEAR:
        return
    answer.parts[row] = demoted(verdict.parts, verdict.code)
    for name in sorted(verdict.names):
        note_missing(answer.missing, name, np.array([row]), len(answer.code))


def _may_be_met(geoms: Geometries, accuracy_m: Floats, question: Question) -> Flags:
    """Which sites a zone may reach; a zone without known accuracy may reach any. bool[k]."""
    zones = question.selection.both
    met = np.full(len(geoms), bool(np.isnan(zones.accuracy_m).any()))
    met[near_pairs(geoms, accuracy_m, zones, question.reach_m, question.threads)[0]] = True
    return met


def _by_zones(
    site: _Site, question: Question, selection: Selection, counts: Answer | None, row: int
) -> _Verdict:
    """The verdict of a site by the zones alone, whatever the coverage."""
    if counts is not None and selection is question.selection:
        names = frozenset(name for name, lacks in counts.missing.items() if lacks[row])
        return _Verdict(int(counts.code[row]), whole(site.geometry, int(counts.code[row])), names)
    if np.isnan(site.accuracy_m):
        return _Verdict(UNKNOWN, whole(site.geometry, UNKNOWN), frozenset({"accuracy_m"}))
    if isinstance(question.predicate, CountGt):
        one = np.array([site.geometry], dtype=object)
        code = int(count_codes(one, np.array([site.accuracy_m]), question, selection, {})[0])
        return _Verdict(code, whole(site.geometry, code))
    if isinstance(question.predicate, Disjoint):
        return _disjoint(site, question, selection)
    return _divided(site, question, selection)


def _counts(geoms: Geometries, accuracy_m: Floats, question: Question, answer: Answer) -> Answer | None:
    """The answer of a counting rule, found for all sites at once; None for other rules."""
    if not isinstance(question.predicate, CountGt):
        return None
    counts = Answer.blank(len(answer.code))
    counts.code[:] = count_codes(geoms, accuracy_m, question, question.selection, counts.missing)
    return counts


def _disjoint(site: _Site, question: Question, selection: Selection) -> _Verdict:
    """Conflict when the whole site is farther than the error from all zones, clear when part is inside."""
    found = split(site.geometry, site.accuracy_m, selection.yes, check=False)
    names = {question.zone_accuracy_name} if found.sizes[1] > 0 else set()
    if found.sizes[0] > 0:
        code, names = CLEAR, set()
    else:
        code = UNKNOWN if names else EDGE if found.verdict == EDGE else CONFLICT
        maybe = _maybe_met(site, question, selection)
        if maybe is not None:
            code, names = UNKNOWN, names | maybe[1]
    return _Verdict(code, whole(site.geometry, code), frozenset(names))


def _maybe_met(site: _Site, question: Question, selection: Selection) -> tuple[Parts, set[str]] | None:
    """What zones that only may count would make of a site, with the attributes they lack; None if nothing."""
    if not len(selection.maybe):
        return None
    found = split(site.geometry, site.accuracy_m, selection.maybe, question.reach_m, check=False)
    if found.verdict == CLEAR:
        return None
    names = {question.zone_accuracy_name} if found.sizes[1] > 0 else set()
    one, error = np.array([site.geometry], dtype=object), np.array([site.accuracy_m])
    _, zones, _ = near_pairs(one, error, selection.maybe, question.reach_m)
    if found.sizes[1] > 0:
        zones = np.union1d(zones, np.flatnonzero(np.isnan(selection.maybe.accuracy_m)))
    for name, lacks in question.lacking(selection.maybe_index[zones]).items():
        names |= {name} if lacks.any() else set()
    return found, names


def _divided(site: _Site, question: Question, selection: Selection) -> _Verdict:
    """The verdict by places: parts in conflict, unknown, edge and clear."""
    outside = question.seeks_absence
    parts = split(
        site.geometry, site.accuracy_m, selection.yes, question.reach_m, outside=outside, check=False
    )
    names = {question.zone_accuracy_name} if parts.sizes[1] > 0 else set()
    maybe = _maybe_met(site, question, selection)
    least = CLEAR
    if maybe is not None:
        least, names = UNKNOWN, names | maybe[1]
        parts = (
            _open_outside(site, selection, parts, maybe[0])
            if outside
            else combine(site.geometry, [parts, met_as_unknown(maybe[0])])
        )
    return _judged(parts, least, names, question)


def _open_outside(site: _Site, selection: Selection, parts: Parts, maybe: Parts) -> Parts:
    """Make unknown the places outside all zones that zones which only may count would cover."""
    surely = split(site.geometry, site.accuracy_m, selection.both, outside=True, check=False)
    covered = met_as_unknown(maybe).unknown
    lying_out = shapely.union_all([parts.conflict, parts.edge])
    pieces = [
        (CONFLICT, surely.conflict),
        (UNKNOWN, parts.unknown),
        (UNKNOWN, shapely.intersection(covered, lying_out)),
        (EDGE, parts.edge),
    ]
    return regrouped(site.geometry, pieces, parts)


def _judged(parts: Parts, least: int, names: set[str], question: Question) -> _Verdict:
    """The verdict of a divided site; without a threshold it is at least ``least``."""
    threshold = _threshold(parts, question)
    conflict, unknown, edge, _ = parts.sizes
    if threshold is None:
        code = max(parts.verdict, least)
    elif conflict > threshold:
        code = CONFLICT
    elif conflict + unknown + edge > threshold:
        code = UNKNOWN if unknown > 0 else EDGE
    else:
        code = CLEAR
    return _Verdict(code, parts, frozenset(names))


def _threshold(parts: Parts, question: Question) -> float | None:
    """The area in m2 that the parts must exceed, for a rule about a share of an area; None for others."""
    if shapely.get_dimensions([parts.conflict, parts.unknown, parts.edge, parts.clear]).max() < 2:
        return None
    match question.predicate:
        case AreaShare(min_share=share, min_area_m2=area):
            return float(max(share * parts.sizes.sum(), area))
        case AreaShareOutside(min_share=share):
            return float(share * parts.sizes.sum())
        case _:
            return None


def _rests_on_indicative(site: _Site, question: Question, by_zones: _Verdict) -> bool:
    """Whether official zones alone would give a milder verdict; see `gis.screening.points`."""
    indicative = question.selection.is_indicative
    if by_zones.code == CLEAR or not indicative.any():
        return False
    if question.seeks_absence or indicative.all():
        return True
    return _by_zones(site, question, question.selection.official, None, 0).code < by_zones.code


def _with_coverage(site: _Site, verdict: _Verdict, question: Question) -> _Verdict:
    """The verdict where the layer's coverage does not surely hold the whole site."""
    if isinstance(question.predicate, (CountGt, Disjoint)):
        if verdict.code == (CLEAR if question.seeks_absence else CONFLICT):
            return verdict
        return _Verdict(UNKNOWN, whole(site.geometry, UNKNOWN), verdict.names | {"coverage"})
    bare = _bare(site, question)
    if bare.sizes[1] == 0:
        return verdict
    if question.seeks_absence:
        lying_out = shapely.union_all([verdict.parts.conflict, verdict.parts.edge])
        pieces = [
            (CONFLICT, shapely.intersection(verdict.parts.conflict, bare.clear)),
            (UNKNOWN, verdict.parts.unknown),
            (UNKNOWN, shapely.intersection(lying_out, bare.unknown)),
            (EDGE, verdict.parts.edge),
        ]
        parts = regrouped(site.geometry, pieces, verdict.parts)
    else:
        parts = combine(site.geometry, [verdict.parts, bare])
    least = verdict.code if verdict.code != CONFLICT else CLEAR
    matters = bool(shapely.relate_pattern(parts.unknown, bare.unknown, "T********"))
    return _judged(parts, least, set(verdict.names) | ({"coverage"} if matters else set()), question)


def _bare(site: _Site, question: Question) -> Parts:
    """What of a site is not surely covered, as unknown; the rest clear. Rounding along the rim is nothing."""
    coverage = question.layer.coverage
    if not len(coverage):
        return whole(site.geometry, UNKNOWN)
    reach = float(np.nan_to_num(site.accuracy_m)) + question.reach_m
    held = split(site.geometry, reach, coverage, outside=True, check=False)
    if held.sizes[0] + held.sizes[2] <= TOUCH_M * max(shapely.length(site.geometry), 1.0):
        return combine(site.geometry, [])
    return met_as_unknown(held)


def _measure(geoms: Geometries, accuracy_m: Floats, question: Question, answer: Answer) -> None:
    """Write margin, error and touch of the sites that are not clear."""
    rows = np.flatnonzero(answer.code > CLEAR)
    zones = question.selection.both
    if not len(rows) or not len(zones):
        return
    found = signed_margin(geoms[rows], zones, threads=question.threads, check=False)
    measured = np.isfinite(found.margin_m)
    margin = found.margin_m + question.reach_m
    answer.margin_m[rows[measured]] = margin[measured]
    answer.error_m[rows] = accuracy_m[rows] + found.error_zone_accuracy_m
    touches = found.on_boundary if question.reach_m == 0 else np.abs(margin) <= TOUCH_M
    answer.on_boundary[rows] = touches
