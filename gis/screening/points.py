"""Rules asked of many points at once."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel import CLEAR, CONFLICT, UNKNOWN, PointVerdicts, ZoneSet, classify_points, points_in_zones
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.screening.counting import count_codes
from gis.screening.filters import Flags
from gis.screening.ground import TURNED, Answer, Codes, Missing, Question, note_missing
from gis.screening.inputs import Selection
from layers.rulemodel import CountGt

__all__ = ["ask_points"]


def ask_points(points: Geometries, accuracy_m: Floats, depth_m: Floats, question: Question) -> Answer:
    """Answer one question for each point; the semantics are those of `gis.screening.ground`.

    An area share is, for a point, whether it is inside (or outside).

    Parameters
    ----------
    points : object[k]
        Metres in the measuring plane.
    accuracy_m : float64[k]
        Bounds of error in metres, NaN = unknown.
    depth_m : float64[k]
        How deep each point lies in the layer's coverage; negative outside.
    question : Question
    """
    answer = Answer.blank(len(points))
    answer.code[:] = _zone_codes(points, accuracy_m, question, question.selection, answer)
    answer.capped[:] = _rests_on_indicative(points, accuracy_m, question, answer.code)
    _apply_coverage(accuracy_m, depth_m, question, answer)
    return answer


def _zone_codes(
    points: Geometries,
    accuracy_m: Floats,
    question: Question,
    selection: Selection,
    answer: Answer | None = None,
) -> Codes:
    """Verdict codes by the zones alone, whatever the coverage; the facts and names go into ``answer``."""
    if isinstance(question.predicate, CountGt):
        return count_codes(points, accuracy_m, question, selection, answer.missing if answer else {})
    found = _classified(points, accuracy_m, selection.yes, question)
    code = TURNED[found.verdict] if question.seeks_absence else found.verdict.copy()
    missing: Missing = {}
    note_missing(missing, question.zone_accuracy_name, (code == UNKNOWN) & ~np.isnan(accuracy_m), len(code))
    if len(selection.maybe):
        _apply_maybe(points, accuracy_m, question, selection, code, missing)
    code[np.isnan(accuracy_m)] = UNKNOWN
    note_missing(missing, "accuracy_m", np.isnan(accuracy_m), len(code))
    if answer is not None:
        _keep_facts(found, answer)
        answer.missing.update(missing)
    return code


def _apply_maybe(
    points: Geometries,
    accuracy_m: Floats,
    question: Question,
    selection: Selection,
    code: Codes,
    missing: Missing,
) -> None:
    """Make unknown what zones that only may count would change."""
    settled = CLEAR if question.seeks_absence else CONFLICT
    rows = np.flatnonzero(code != settled)
    found = _classified(points[rows], accuracy_m[rows], selection.maybe, question)
    hit = found.verdict != CLEAR
    code[rows[hit]] = UNKNOWN
    zone = np.where(hit, np.append(selection.maybe_index, -1)[found.zone], -1)
    for name, lacks in question.lacking(zone).items():
        note_missing(missing, name, rows[lacks], len(code))
    unbounded = hit & found.accuracy_unknown & ~np.isnan(accuracy_m[rows])
    note_missing(missing, question.zone_accuracy_name, rows[unbounded], len(code))


def _keep_facts(found: PointVerdicts, answer: Answer) -> None:
    measured = np.isfinite(found.margin_m)
    answer.margin_m[measured] = found.margin_m[measured]
    answer.error_m[measured] = found.error_m[measured]
    answer.on_boundary[:] = found.on_boundary


def _rests_on_indicative(points: Geometries, accuracy_m: Floats, question: Question, code: Codes) -> Flags:
    """Whether official zones alone would give a milder verdict.

    Absence from official zones alone would say too much: one indicative zone leaves it open.
    """
    indicative = question.selection.is_indicative
    if not indicative.any():
        return np.zeros(len(code), dtype=bool)
    if question.seeks_absence:
        return code > CLEAR
    rows = np.flatnonzero(code > CLEAR)
    if indicative.all():
        return code > CLEAR
    official = _zone_codes(points[rows], accuracy_m[rows], question, question.selection.official)
    capped = np.zeros(len(code), dtype=bool)
    capped[rows] = official < code[rows]
    return capped


def _apply_coverage(accuracy_m: Floats, depth_m: Floats, question: Question, answer: Answer) -> None:
    settled = CLEAR if question.seeks_absence else CONFLICT
    bare = (answer.code != settled) & ~(depth_m > np.nan_to_num(accuracy_m) + question.reach_m)
    answer.code[bare] = UNKNOWN
    note_missing(answer.missing, "coverage", bare, len(bare))


def _classified(points: Geometries, accuracy_m: Floats, zones: ZoneSet, question: Question) -> PointVerdicts:
    """Classify points, measuring only those that a zone may reach: the others are clear at any distance."""
    count, reach, xy = len(points), question.reach_m, shapely.get_coordinates(points)
    held = points_in_zones(xy, zones, threads=question.threads)
    near = _may_be_reached(points, accuracy_m, zones, reach, held[0])
    place = np.searchsorted(near, held[0])
    found = classify_points(
        xy[near], accuracy_m[near], zones, reach, held=(place, held[1]), threads=question.threads
    )
    far = UNKNOWN if np.isnan(zones.accuracy_m).any() else CLEAR
    verdict, zone = np.full(count, far, dtype=np.int8), np.full(count, -1, dtype=np.int64)
    unknown, touches = np.full(count, far == UNKNOWN), np.zeros(count, dtype=bool)
    margin, error = np.full(count, -np.inf), np.full(count, np.nan)
    verdict[near], unknown[near], zone[near] = found.verdict, found.accuracy_unknown, found.zone
    margin[near], error[near], touches[near] = found.margin_m, found.error_m, found.on_boundary
    return PointVerdicts(verdict, unknown, margin, error, touches, zone)


def _may_be_reached(
    points: Geometries, accuracy_m: Floats, zones: ZoneSet, reach_m: float, held: Indices
) -> Indices:
    """Which points a zone may reach, given the errors and those that zones hold; int64[], sorted."""
    if not len(zones.rim):
        return np.empty(0, dtype=np.int64)
    limit = reach_m + np.nan_to_num(accuracy_m) + np.nan_to_num(zones.accuracy_m).max() + TOUCH_M
    near = limit > COARSE_M
    near[held] = True
    doubtful = np.flatnonzero(~near)
    hit = zones.rim.tree.query(points[doubtful], predicate="dwithin", distance=limit[doubtful])[0]
    near[doubtful[hit]] = True
    return np.flatnonzero(near)


COARSE_M = 2000.0
"""Metres. A point looked for so far around has more lines of zones near it than the search would save."""
