"""Rules asked of many points at once."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, PointVerdicts, classify_points
from gis.kernel.arrays import Floats
from gis.screening.counting import count_codes
from gis.screening.filters import Flags
from gis.screening.ground import Answer, Codes, Missing, Question, note_missing
from gis.screening.inputs import Selection
from layers.rulemodel import CountGt

__all__ = ["ask_points"]

_TURNED = np.array([CONFLICT, EDGE, UNKNOWN, CLEAR], dtype=np.int8)
"""Verdict codes when being outside is the conflict, by the code for being inside."""


def ask_points(xy: Floats, accuracy_m: Floats, question: Question) -> Answer:
    """Answer one question for each point; the semantics are those of `gis.screening.ground`.

    An area share is, for a point, whether it is inside (or outside).

    Parameters
    ----------
    xy : float64[k, 2]
        Metres in the measuring plane.
    accuracy_m : float64[k]
        Bounds of error in metres, NaN = unknown.
    question : Question
    """
    answer = Answer.blank(len(xy))
    answer.code[:] = _zone_codes(xy, accuracy_m, question, question.selection, answer)
    answer.capped[:] = _rests_on_indicative(xy, accuracy_m, question, answer.code)
    _apply_coverage(xy, accuracy_m, question, answer)
    return answer


def _zone_codes(
    xy: Floats, accuracy_m: Floats, question: Question, selection: Selection, answer: Answer | None = None
) -> Codes:
    """Verdict codes by the zones alone, whatever the coverage; the facts and names go into ``answer``."""
    if isinstance(question.predicate, CountGt):
        points = np.asarray(shapely.points(xy), dtype=object).reshape(-1)
        return count_codes(points, accuracy_m, question, selection, answer.missing if answer else {})
    found = classify_points(xy, accuracy_m, selection.yes, question.reach_m, threads=question.threads)
    code = _TURNED[found.verdict] if question.seeks_absence else found.verdict.copy()
    missing: Missing = {}
    note_missing(missing, question.zone_accuracy_name, (code == UNKNOWN) & ~np.isnan(accuracy_m), len(xy))
    if len(selection.maybe):
        _apply_maybe(xy, accuracy_m, question, selection, code, missing)
    code[np.isnan(accuracy_m)] = UNKNOWN
    note_missing(missing, "accuracy_m", np.isnan(accuracy_m), len(xy))
    if answer is not None:
        _keep_facts(found, answer)
        answer.missing.update(missing)
    return code


def _apply_maybe(
    xy: Floats, accuracy_m: Floats, question: Question, selection: Selection, code: Codes, missing: Missing
) -> None:
    """Make unknown what zones that only may count would change."""
    settled = CLEAR if question.seeks_absence else CONFLICT
    rows = np.flatnonzero(code != settled)
    found = classify_points(
        xy[rows], accuracy_m[rows], selection.maybe, question.reach_m, threads=question.threads
    )
    hit = found.verdict != CLEAR
    code[rows[hit]] = UNKNOWN
    zone = np.where(hit, np.append(selection.maybe_index, -1)[found.zone], -1)
    for name, lacks in question.lacking(zone).items():
        note_missing(missing, name, rows[lacks], len(xy))
    unbounded = hit & found.accuracy_unknown & ~np.isnan(accuracy_m[rows])
    note_missing(missing, question.zone_accuracy_name, rows[unbounded], len(xy))


def _keep_facts(found: PointVerdicts, answer: Answer) -> None:
    measured = np.isfinite(found.margin_m)
    answer.margin_m[measured] = found.margin_m[measured]
    answer.error_m[measured] = found.error_m[measured]
    answer.on_boundary[:] = found.on_boundary


def _rests_on_indicative(xy: Floats, accuracy_m: Floats, question: Question, code: Codes) -> Flags:
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
    official = _zone_codes(xy[rows], accuracy_m[rows], question, question.selection.official)
    capped = np.zeros(len(code), dtype=bool)
    capped[rows] = official < code[rows]
    return capped


def _apply_coverage(xy: Floats, accuracy_m: Floats, question: Question, answer: Answer) -> None:
    settled = CLEAR if question.seeks_absence else CONFLICT
    rows = np.flatnonzero(answer.code != settled)
    reach = np.nan_to_num(accuracy_m[rows]) + question.reach_m
    held = classify_points(xy[rows], reach, question.layer.coverage, threads=question.threads)
    bare = rows[held.verdict != CONFLICT]
    answer.code[bare] = UNKNOWN
    note_missing(answer.missing, "coverage", bare, len(xy))
