"""How many zones a subject meets: surely, and possibly."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, split
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
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
    s, z, gap = near_pairs(geoms, accuracy_m, selection.both, 0.0, question.threads)
    maybe = z >= len(selection.yes)
    boundless = np.isnan(selection.both.accuracy_m)
    listed = boundless[z]
    possible = np.bincount(s[~listed], minlength=count) + np.count_nonzero(boundless)
    asked = (possible > n)[s] & ~maybe & ~listed
    sure = np.zeros(len(s), dtype=bool)
    sure[asked] = surely_met(geoms, accuracy_m, selection.both, s[asked], z[asked], gap[asked])
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


def surely_met(
    geoms: Geometries, accuracy_m: Floats, zones: ZoneSet, s: Indices, z: Indices, gap: Floats
) -> Flags:
    """Whether subject s[i] surely meets zone z[i] by itself: part of it lies deeper inside than the error.

    ``gap`` is the distance of each pair. An accuracy that is not known is no bound, so nothing is sure.
    """
    sure = np.zeros(len(s), dtype=bool)
    met = np.flatnonzero((gap == 0) & ~np.isnan(accuracy_m[s] + zones.accuracy_m[z]))
    sure[met] = _deep_inside(geoms, accuracy_m, zones, s[met], z[met])
    for pair in met[~sure[met] & (shapely.get_type_id(geoms[s[met]]) != 0)]:
        site, error, alone = geoms[s[pair]], float(accuracy_m[s[pair]]), zones.alone(int(z[pair]))
        sure[pair] = (
            has_deep_corner(site, error, alone) or split(site, error, alone, check=False).sizes[0] > 0
        )
    return sure


def has_deep_corner(site: BaseGeometry, error_m: float, zones: ZoneSet) -> bool:
    """Whether a corner of a line or polygon lies inside one zone by clearly more than the error of both.

    Then it surely is in conflict there, and nothing need be overlaid to know that. Each accuracy is known.
    """
    corners = shapely.get_coordinates(site)
    with zones.copies.lend(np.arange(1)) as own:
        corners = corners[shapely.intersects_xy(own[0], corners[:, 0], corners[:, 1])]
    if not len(corners) or shapely.get_dimensions(zones.geoms[0]) < 2:
        return False
    depth = error_m + float(zones.accuracy_m[0]) + CLEARLY_M
    near = zones.outline.tree.query(shapely.points(corners), predicate="dwithin", distance=depth)[0]
    return len(np.unique(near)) < len(corners)


CLEARLY_M = 0.05
"""Metres. What lies deeper by so much has more than a sliver around it that does too; and it is more than
limits are off that are drawn with arcs (`gis.kernel.reach`)."""


def _deep_inside(geoms: Geometries, accuracy_m: Floats, zones: ZoneSet, s: Indices, z: Indices) -> Flags:
    """Whether each subject is farther from its zone's own outline than the error, given that it meets it."""
    rows, place = np.unique(s, return_inverse=True)
    widest = accuracy_m[rows] + np.nanmax(zones.accuracy_m, initial=0.0) + TOUCH_M
    at, line = zones.outline.tree.query(geoms[rows], predicate="dwithin", distance=widest)
    owner = zones.outline.owner[line]
    gap = shapely.distance(geoms[rows[at]], zones.outline.lines[line])
    close = gap <= np.maximum(accuracy_m[rows[at]] + zones.accuracy_m[owner], TOUCH_M)
    doubtful = np.unique(at[close] * len(zones) + owner[close])
    inside = shapely.get_dimensions(zones.geoms[z]) == 2
    return np.asarray(inside & ~np.isin(place * len(zones) + z, doubtful))
