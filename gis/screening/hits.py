"""The zones behind a finding, with the facts of each pair: overlap, share, distance, bearing, margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Self

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CONFLICT, EDGE, UNKNOWN, overlap, sharing, size, witness
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.near import lines_to_zones
from gis.kernel.zones import ZoneSet
from gis.screening.counting import surely_met
from gis.screening.filters import Flags
from gis.screening.ground import Answer, Codes, Question

__all__ = ["Hits", "drawable", "find_hits"]

_SEEN_M = 0.02  # longer than the diagonal of the last digit of a degree


@dataclass(eq=False, slots=True)
class Hits:
    """Pairs of subject and zone that a rule's findings rest on, one entry a pair, sorted by subject and zone.

    Attributes
    ----------
    subject, zone : int64[k]
        Rows of the subjects and of the zone layer.
    code : int8[k]
        Verdict of this zone by itself; that of the finding is the worst of all.
    is_indicative : bool[k]
    overlap : float64[k]
        m2 of a polygon, m of a line, 0 of a point.
    share : float64[k]
        Overlap by size of the subject; NaN for points.
    distance_m : float64[k]
        Between subject and zone in the measuring plane; 0 where they meet.
    bearing_deg : float64[k]
        From the subject to the zone's nearest place, clockwise from grid north; NaN where they
        meet or touch.
    margin_m : float64[k]
        How far within the rule's limit (positive) the subject's nearest place is.
    error_m : float64[k]
        Combined error of the pair; NaN when an accuracy is not known.
    limit_m : float64[k]
        The rule's distance for the pair; NaN where the subject would have to state it.
    on_boundary : bool[k]
        The subject merely touches the limit.
    witness : object[k]
        What to draw: the shared geometry, or the shortest line from subject to zone.
    dimension : int64[k]
        Of the subject: 0 point, 1 line, 2 polygon; says what ``overlap`` is.
    along_m : float64[k]
        Along the river from subject down to zone; NaN where no network was followed or none leads there.
    reach : int64[k]
        Row, in the network's layer, of the reach that the zone is on; -1 where no network was followed.
    """

    subject: Indices
    zone: Indices
    code: Codes
    is_indicative: Flags
    overlap: Floats
    share: Floats
    distance_m: Floats
    bearing_deg: Floats
    margin_m: Floats
    error_m: Floats
    limit_m: Floats
    on_boundary: Flags
    witness: Geometries
    dimension: Indices
    along_m: Floats
    reach: Indices

    @classmethod
    @cache
    def none(cls) -> Self:
        """No pairs; the same object each time, for most questions find none."""
        whole, real, object_ = np.empty(0, np.int64), np.empty(0), np.empty(0, object)
        flag = np.empty(0, bool)
        code = np.empty(0, np.int8)
        facts = (real, real, real, real, real, real, real)
        return cls(whole, whole, code, flag, *facts, flag, object_, whole, real, whole)

    @classmethod
    def joined(cls, several: Sequence[Hits]) -> Self:
        """The pairs of several, one after the other."""
        names = [entry.name for entry in fields(cls)]
        return cls(*(np.concatenate([getattr(hits, name) for hits in several]) for name in names))

    def take(self, places: Indices) -> Self:
        """Some of the pairs, in the order of ``places``."""
        return type(self)(*(getattr(self, entry.name)[places] for entry in fields(self)))

    def coded(self, code: Codes) -> Self:
        """The same pairs with other verdicts."""
        return type(self)(
            self.subject, self.zone, code, self.is_indicative, self.overlap, self.share, self.distance_m,
            self.bearing_deg, self.margin_m, self.error_m, self.limit_m, self.on_boundary, self.witness,
            self.dimension, self.along_m, self.reach,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.subject)

    def of(self, subject: int) -> Indices:
        """Return the places of the pairs of one subject."""
        if not len(self):
            return self.subject
        first, last = self.subject.searchsorted([subject, subject + 1])
        return np.arange(first, last)


def find_hits(
    geoms: Geometries, accuracy_m: Floats, rows: Indices, question: Question, answer: Answer
) -> Hits:
    """Return the pairs behind the findings of ``rows``: each zone that may be within the rule's distance.

    For a rule about lying in no zone, a subject that no zone reaches is paired with the nearest one; where
    the distance is assumed, every subject is paired with the nearest one only.

    Parameters
    ----------
    geoms : object[n]
        All subjects, metres in the measuring plane.
    accuracy_m : float64[n]
    rows : int64[]
        The subjects with a finding: valid, not empty, not clear.
    question : Question
    answer : Answer
        Over all n subjects.
    """
    s, z, gap = _pairs(geoms, accuracy_m, rows, question, question.selection.both)
    if not len(s):
        return Hits.none()
    if len(geoms) == 1 and shapely.get_dimensions(geoms[0]) > 0:
        return _measured_alone(geoms, accuracy_m, z, gap, question, answer)
    return _measured(geoms, accuracy_m, s, z, gap, question, answer)


def _pairs(
    geoms: Geometries, accuracy_m: Floats, rows: Indices, question: Question, zones: ZoneSet
) -> tuple[Indices, Indices, Floats]:
    nearest_only = question.is_assumed
    asked = rows[:0] if nearest_only else rows
    s, z, gap = question.found.near_pairs(geoms[asked], accuracy_m[asked], asked, question)
    s = asked[s]
    if not (question.seeks_absence or nearest_only) or not len(zones.pieces):
        return s, z, gap
    if len(geoms) == 1:
        return (s, z, gap) if len(s) else _nearest_alone(geoms, accuracy_m, rows, question)
    alone = np.setdiff1d(rows, s)
    if len(alone):
        (at, piece), far = zones.tree.query_nearest(geoms[alone], return_distance=True, all_matches=False)
        s, z = np.concatenate([s, alone[at]]), np.concatenate([z, zones.pieces.owner[piece]])
        gap = np.concatenate([gap, far])
        order = np.lexsort((z, s))
        s, z, gap = s[order], z[order], gap[order]
    return s, z, gap


def _nearest_alone(
    geoms: Geometries, accuracy_m: Floats, rows: Indices, question: Question
) -> tuple[Indices, Indices, Floats]:
    """The pair of a single subject with the nearest zone.

    The line to it is drawn from the part of the zone that it was found by.
    """
    far, z, part = question.found.nearest_zone(geoms, accuracy_m, question.selection)
    if far > TOUCH_M:
        known, zone = _known(question), int(question.selection.both_index[z])
        if zone not in known:
            known[zone] = shapely.shortest_line(geoms[0], part), 0.0
    return rows, np.array([z]), np.array([far])


def _measured(
    geoms: Geometries,
    accuracy_m: Floats,
    s: Indices,
    z: Indices,
    gap: Floats,
    question: Question,
    answer: Answer,
) -> Hits:
    """The facts of pairs; ``z`` are places in the selection's zones."""
    zones = question.selection.both
    dimension = np.asarray(shapely.get_dimensions(geoms[s]), dtype=np.int64)
    amount, whole = np.zeros(len(s)), size(geoms[s])
    extended = np.flatnonzero((dimension > 0) & (gap == 0))
    amount[extended] = _of_pairs(overlap, geoms, zones, s[extended], z[extended], question)
    margin = np.where(gap > 0, question.reach_m - gap, answer.margin_m[s])
    if question.is_assumed:
        margin[:] = np.nan
    shown, direction = _drawn(geoms, s, z, gap, question)
    return Hits(
        subject=s,
        zone=question.selection.both_index[z],
        code=_codes(geoms, accuracy_m, s, z, gap, question, answer),
        is_indicative=question.selection.is_indicative[z],
        overlap=amount,
        share=np.divide(amount, whole, out=np.full(len(s), np.nan), where=whole > 0),
        distance_m=gap,
        bearing_deg=direction,
        margin_m=margin,
        error_m=accuracy_m[s] + zones.accuracy_m[z],
        limit_m=np.full(len(s), np.nan if question.is_assumed else question.reach_m),
        on_boundary=np.where(gap > 0, np.abs(margin) <= TOUCH_M, answer.on_boundary[s]),
        witness=shown,
        dimension=dimension,
        along_m=np.full(len(s), np.nan),
        reach=np.full(len(s), -1, dtype=np.int64),
    )


def _measured_alone(
    geoms: Geometries, accuracy_m: Floats, z: Indices, gap: Floats, question: Question, answer: Answer
) -> Hits:
    """The facts of pairs of one line or polygon: the same in plain numbers, for a few pairs are the most."""
    selection, reach, site = question.selection, question.reach_m, geoms[0]
    count, gaps, own_touch = len(z), gap.tolist(), bool(answer.on_boundary[0])
    whole, inside = question.found.size(site), float(answer.margin_m[0])
    lines, amounts = _shared_alone(geoms, z, gaps, question)
    margin, bearing, touch = [], [], []
    for line, away in zip(lines, gaps, strict=True):
        depth = _NAN if question.is_assumed else reach - away if away > 0 else inside
        margin.append(depth)
        bearing.append(_bearing(line) if away > TOUCH_M else _NAN)
        touch.append(abs(depth) <= TOUCH_M if away > 0 else own_touch)
    shown = np.empty(count, dtype=object)
    shown[:] = [_drawable(line) for line in lines]
    return Hits(
        subject=np.zeros(count, dtype=np.int64),
        zone=selection.both_index[z],
        code=_codes_alone(geoms, accuracy_m, z, gap, question, answer),
        is_indicative=selection.is_indicative[z],
        overlap=np.array(amounts),
        share=np.array([amount / whole if whole > 0 else _NAN for amount in amounts]),
        distance_m=gap,
        bearing_deg=np.array(bearing),
        margin_m=np.array(margin),
        error_m=accuracy_m[0] + selection.both.accuracy_m[z],
        limit_m=np.array([_NAN if question.is_assumed else reach] * count),
        on_boundary=np.array(touch),
        witness=shown,
        dimension=np.array([shapely.get_dimensions(site)] * count, dtype=np.int64),
        along_m=np.array([_NAN] * count),
        reach=np.array([-1] * count, dtype=np.int64),
    )


_NAN = float("nan")


def _bearing(line: BaseGeometry) -> float:
    """Degrees clockwise from north of a line with two ends."""
    (x0, y0), (x1, y1) = shapely.get_coordinates(line).tolist()
    return math.degrees(math.atan2(x1 - x0, y1 - y0)) % 360.0


def _drawable(shown: BaseGeometry) -> BaseGeometry:
    """One witness as `drawable` has it."""
    if shown.geom_type != "LineString" or shown.length >= _SEEN_M:
        return shown
    return shapely.Point(shapely.get_coordinates(shown)[0])


def _direction(lines: Geometries) -> Floats:
    """Degrees clockwise from north of lines with two ends."""
    ends = shapely.get_coordinates(lines).reshape(-1, 2, 2)
    east, north = (ends[:, 1] - ends[:, 0]).T
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0)


def _drawn(
    geoms: Geometries, s: Indices, z: Indices, gap: Floats, question: Question
) -> tuple[Geometries, Floats]:
    """Witness and bearing of pairs; a point that a zone holds is its own witness, and most pairs are such."""
    zones = question.selection.both
    shown, direction = geoms[s].copy(), np.full(len(s), np.nan)
    dots = shapely.get_type_id(geoms[s]) == 0
    beside = np.flatnonzero(dots & (gap > 0))
    shown[beside] = lines_to_zones(geoms, zones, s[beside], z[beside], question.threads)
    asked = np.flatnonzero(~dots)
    shown[asked] = _of_pairs(witness, geoms, zones, s[asked], z[asked], question)
    apart = np.flatnonzero(gap > TOUCH_M)
    direction[apart] = _direction(shown[apart])
    return drawable(shown), direction


def drawable(shown: Geometries) -> Geometries:
    """Witnesses, a line that nobody would see as the point that it starts from.

    Items are written with some centimetre, and a line without length is no valid geometry (OGC 06-103r4).
    """
    lines = np.flatnonzero(shapely.get_type_id(shown) == 1)
    short = lines[shapely.length(shown[lines]) < _SEEN_M]
    shown[short] = shapely.get_point(shown[short], 0)
    return shown


def _of_pairs(
    measure: Callable[..., Any], geoms: Geometries, zones: ZoneSet, s: Indices, z: Indices, question: Question
) -> Any:
    """A measure of the kernel for some pairs, given only the subjects in them."""
    if not len(s):
        return np.empty(0, dtype=object if measure is witness else np.float64)
    rows, place = np.unique(s, return_inverse=True)
    return measure(geoms[rows], zones, place, z, threads=question.threads, check=False)


def _known(question: Question) -> dict[int, tuple[BaseGeometry, float]]:
    """What a site alone shares with zones of a layer, or the line to them, and how much; by their rows."""
    return question.found.measured.setdefault((question.layer.source.layer_id, sharing.__name__), {})


def _shared_alone(
    geoms: Geometries, z: Indices, gaps: list[float], question: Question
) -> tuple[list[BaseGeometry], list[float]]:
    """Witness and overlap of one site with each zone: several rules meet it in the same, measured once."""
    selection, known, site = question.selection, _known(question), geoms[0]
    around = question.found.arounds.get((question.layer.source.layer_id, 0))
    zones = selection.both_index[z].tolist()
    new = [pair for pair in zip(z.tolist(), zones, gaps, strict=True) if pair[1] not in known]
    apart = [(place, zone) for place, zone, away in new if away > 0]
    if apart:
        places = np.array([place for place, _ in apart])
        lines = witness(geoms, selection.both, np.zeros_like(places), places, check=False)
        known.update((zone, (line, 0.0)) for (_, zone), line in zip(apart, lines, strict=True))
    for place, zone, _ in [pair for pair in new if pair[2] == 0]:
        if around is not None and site.geom_type == "Polygon" and around.is_deep_in(zone, TOUCH_M):
            known[zone] = site, question.found.size(site)
        else:
            known[zone] = sharing(site, selection.both, place)
    found = [known[zone] for zone in zones]
    return [line for line, _ in found], [amount for _, amount in found]


def _codes(
    geoms: Geometries,
    accuracy_m: Floats,
    s: Indices,
    z: Indices,
    gap: Floats,
    question: Question,
    answer: Answer,
) -> Codes:
    """The verdict of each pair by itself, never worse than that of the finding."""
    zones = question.selection.both
    code = answer.code[s].copy()
    if question.seeks_absence:
        return code
    sure = gap + accuracy_m[s] + zones.accuracy_m[z] < question.reach_m
    if question.reach_m == 0:
        sure = _surely_inside(geoms, accuracy_m, s, z, gap, question, answer)
    code[~sure & (code == CONFLICT)] = EDGE
    doubtful = (z >= len(question.selection.yes)) | np.isnan(accuracy_m[s] + zones.accuracy_m[z])
    code[doubtful] = UNKNOWN
    return code


def _codes_alone(
    geoms: Geometries, accuracy_m: Floats, z: Indices, gap: Floats, question: Question, answer: Answer
) -> Codes:
    """The same for one subject."""
    selection, code = question.selection, int(answer.code[0])
    if question.seeks_absence:
        return np.full(len(z), code, dtype=np.int8)
    own, reach = float(accuracy_m[0]), question.reach_m
    theirs = selection.both.accuracy_m[z].tolist()
    if code != CONFLICT:
        sure = [True] * len(z)
    elif reach == 0:
        sure = _surely_met_alone(geoms, accuracy_m, z, gap, question)
    else:
        sure = [away + own + error < reach for away, error in zip(gap.tolist(), theirs, strict=True)]
    codes = [code if certain else EDGE for certain in sure]
    known = len(selection.yes)
    for place, (zone, error) in enumerate(zip(z.tolist(), theirs, strict=True)):
        if zone >= known or np.isnan(own + error):
            codes[place] = UNKNOWN
    return np.array(codes, dtype=np.int8)


def _surely_met_alone(
    geoms: Geometries, accuracy_m: Floats, z: Indices, gap: Floats, question: Question
) -> list[bool]:
    """`_surely_inside` for one subject that is in conflict."""
    met = np.flatnonzero(gap == 0)
    sure = [False] * len(z)
    if len(met) > 1:
        one = np.zeros(len(met), dtype=np.int64)
        found = _surely_met(geoms, accuracy_m, one, z[met], gap[met], question).tolist()
    else:
        found = [True] * len(met)
    # Where no zone alone is one, at a seam, all that are met are.
    for place, certain in zip(met.tolist(), found, strict=True):
        sure[place] = certain or not any(found)
    return sure


def _surely_inside(
    geoms: Geometries,
    accuracy_m: Floats,
    s: Indices,
    z: Indices,
    gap: Floats,
    question: Question,
    answer: Answer,
) -> Flags:
    """Whether each pair is a conflict by itself; where no zone alone is, at a seam, all it meets are."""
    conflict = (answer.code[s] == CONFLICT) & (gap == 0)
    met = np.bincount(s[conflict], minlength=len(geoms))
    sure = conflict & (met[s] == 1)
    asked = np.flatnonzero(conflict & (met[s] > 1))
    sure[asked] = _surely_met(geoms, accuracy_m, s[asked], z[asked], gap[asked], question)
    seam = conflict & (np.bincount(s[sure], minlength=len(geoms))[s] == 0)
    return np.asarray(sure | seam)


def _surely_met(
    geoms: Geometries, accuracy_m: Floats, s: Indices, z: Indices, gap: Floats, question: Question
) -> Flags:
    """Whether each pair surely meets; found once for a zone that several rules ask a site alone about."""
    if len(geoms) > 1 or not len(z):
        return surely_met(geoms, accuracy_m, question.selection.both, s, z, gap)
    known = question.found.measured.setdefault((question.layer.source.layer_id, surely_met.__name__), {})
    zone = question.selection.both_index[z]
    around, own = question.found.around(geoms[0], float(accuracy_m[0]), 0, question.layer), accuracy_m[0]
    for of in zone.tolist():
        error = own + question.layer.every.accuracy_m[of]
        if of not in known and not np.isnan(error) and around.is_deep_in(of, max(error, TOUCH_M)):
            known[of] = True
    new = np.array([place for place, of in enumerate(zone.tolist()) if of not in known], dtype=np.int64)
    if len(new):
        found = surely_met(geoms, accuracy_m, question.layer.every, s[new], zone[new], gap[new])
        known.update(zip(zone[new].tolist(), found.tolist(), strict=True))
    return np.array([known[of] for of in zone.tolist()], dtype=bool)
