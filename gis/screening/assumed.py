"""Subjects that do not state the distance of a rule: whether any zone is near enough to matter."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel import UNKNOWN
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.screening.filters import Flags
from gis.screening.ground import Answer, Found, Question, near_pairs, note_missing
from gis.screening.inputs import Selection, Subjects

__all__ = ["ask_assumed"]


def ask_assumed(
    subjects: Subjects, fits: Flags, depth_m: Floats, question: Question, rows: Indices
) -> Answer:
    """Unknown where a zone may lie within the largest possible distance or coverage ends there, else clear.

    The verdict is that of the whole subject: how much of it lies within a distance that nobody stated has no
    answer. The caller adds the name of the distance to what is missing.

    Parameters
    ----------
    subjects : Subjects
        All n, metres in the measuring plane.
    fits : bool[n]
        Which have a usable geometry.
    depth_m : float64[n]
        How deep each lies in the layer's coverage; negative outside.
    question : Question
    rows : int64[k]
        The subjects that are asked.

    Returns
    -------
    Answer
        Over the k rows.
    """
    geoms, accuracy = subjects.geoms[rows], subjects.accuracy_m[rows].astype(np.float64)
    usable, count = fits[rows], len(rows)
    answer = Answer.blank(count)
    limit = np.fmax(accuracy, 0.0) + question.reach_m
    near, bare = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    placed = np.flatnonzero(usable)
    selection = question.selection
    asked = geoms[placed], accuracy[placed], question.reach_m, question.found
    near[placed] = _may_be_near(*asked, selection) | np.isnan(accuracy[placed])
    if selection.has_indicative:
        answer.capped[placed] = near[placed] & ~_may_be_near(*asked, selection.official)
    bare[placed] = ~(depth_m[rows][placed] > limit[placed])
    answer.code[near | bare | ~usable] = UNKNOWN
    note_missing(answer.missing, "geometry", ~usable, count)
    note_missing(answer.missing, "accuracy_m", usable & np.isnan(accuracy), count)
    note_missing(answer.missing, "coverage", bare, count)
    for row in np.flatnonzero((near | bare) & (shapely.get_dimensions(geoms) > 0)):
        answer.parts[int(row)] = question.found.whole(geoms[row], int(rows[row]), UNKNOWN)
    return answer


def _may_be_near(
    geoms: Geometries, accuracy_m: Floats, reach_m: float, found: Found, selection: Selection
) -> Flags:
    """Which places a zone may lie within ``reach_m`` of, given their errors and those of the zones."""
    zones, limit = selection.both, np.fmax(accuracy_m, 0.0) + reach_m
    if len(zones.errors) and np.isnan(zones.errors[-1]):
        return np.ones(len(geoms), dtype=bool)
    near = np.zeros(len(geoms), dtype=bool)
    if not len(zones.pieces) or not len(geoms):
        return near
    if found.apart.few is not None:  # it is asked for again
        gap_m = found.nearest_zone(geoms, accuracy_m, selection)[0]
        if gap_m - float(limit[0]) - TOUCH_M > zones.widest_m:
            return near
        at, gap = np.zeros(1, dtype=np.int64), np.array([gap_m])
    else:
        (at, _), gap = zones.tree.query_nearest(geoms, return_distance=True, all_matches=False)
    beyond = gap - limit[at] - TOUCH_M
    near[at] = beyond <= zones.accuracy_m.min()
    # The nearest zone settles most; only between the finest and the coarsest error each has its own say.
    open_ = at[~near[at] & (beyond <= zones.accuracy_m.max())]
    if len(open_):
        near[open_[near_pairs(geoms[open_], limit[open_], zones, 0.0)[0]]] = True
    return near
