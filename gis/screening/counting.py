"""How many zones a subject meets: surely, and possibly."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, classify_points, split
from gis.kernel.arrays import Floats, Geometries, Indices
from gis.kernel.zones import ZoneSet
from gis.screening.filters import Flags
from gis.screening.ground import Codes, Missing, Question, near_pairs, note_missing
from gis.screening.inputs import Selection
from layers.rulemodel import CountGt

__all__ = ["count_codes", "surely_met"]


def count_codes(
    geoms: Geometries, accuracy_m: Floats, question: Question, selection: Selection, missing: Missing
) -> Codes:
    """Verdict codes of a count_gt rule by the zones alone; ``missing`` takes the names behind an unknown.

    Zones count, never their pieces or parts. More than n surely met is a conflict. More than n possibly met
    is unknown when zones that only may count, or whose accuracy is not known, are among them, else edge.
    """
    assert isinstance(question.predicate, CountGt)
    n, count = question.predicate.n, len(geoms)
    s, z, _ = near_pairs(geoms, accuracy_m, selection.both, 0.0, question.threads)
    maybe = z >= len(selection.yes)
    boundless = np.isnan(selection.both.accuracy_m)
    listed = boundless[z]
    possible = np.bincount(s[~listed], minlength=count) + np.count_nonzero(boundless)
    asked = (possible > n)[s] & ~maybe & ~listed
    sure = np.zeros(len(s), dtype=bool)
    sure[asked] = surely_met(geoms, accuracy_m, selection.both, s[asked], z[asked])
    code = np.where(possible > n, EDGE, CLEAR).astype(np.int8)
    open_ = (possible > n) & (np.bincount(s[maybe], minlength=count) > 0)
    code[open_ | ((possible > n) & boundless.any())] = UNKNOWN
    settled = np.bincount(s[sure], minlength=count) > n
    code[settled] = CONFLICT
    code[np.isnan(accuracy_m)] = UNKNOWN
    _name(missing, question, selection, (s[maybe], z[maybe]), open_ & ~settled, count)
    boundless_rows = (code == UNKNOWN) & boundless.any() & ~np.isnan(accuracy_m)
    note_missing(missing, question.zone_accuracy_name, boundless_rows, count)
    note_missing(missing, "accuracy_m", np.isnan(accuracy_m), count)
    return code


def _name(
    missing: Missing,
    question: Question,
    selection: Selection,
    pairs: tuple[Indices, Indices],
    rows: Flags,
    count: int,
) -> None:
    """List the attributes that the maybe zones near ``rows`` lack."""
    s, z = pairs
    for name, lacks in question.lacking(selection.maybe_index[z - len(selection.yes)]).items():
        note_missing(missing, name, s[lacks & rows[s]], count)


def surely_met(geoms: Geometries, accuracy_m: Floats, zones: ZoneSet, s: Indices, z: Indices) -> Flags:
    """Whether subject s[i] surely meets zone z[i] by itself: part of it lies deeper inside than the error.

    An accuracy that is not known is no bound, so nothing is sure. bool[k].
    """
    sure = np.zeros(len(s), dtype=bool)
    for zone in np.unique(z):
        alone = zones.take(np.array([zone]))
        mine = np.flatnonzero(z == zone)
        point = shapely.get_type_id(geoms[s[mine]]) == 0
        dots, sites = mine[point], mine[~point]
        xy = shapely.get_coordinates(geoms[s[dots]])
        sure[dots] = classify_points(xy, accuracy_m[s[dots]], alone).verdict == CONFLICT
        sure[sites] = [
            split(geoms[row], accuracy_m[row], alone, check=False).sizes[0] > 0 for row in s[sites]
        ]
    return sure
