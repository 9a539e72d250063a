"""What the ground says of one rule: the question put to each subject, and its answer in verdict codes.

Semantics, for the signed distance sd of a place to the union of the zones (negative inside), the combined
error e (accuracy of the subject plus that of the zone that decides: a sum, because both are bounds) and the
distance d of the rule (0 for "intersects"):

* conflict when sd + e < d, clear when sd - e > d, else edge. A mere touch (sd = d with e = 0) is edge:
  whether it counts is a matter of the law's wording, so a person decides.
* "disjoint", "not_dwithin" and "area_share_outside" turn it round: lying in no zone (or not within d of one)
  is the conflict.
* A zone for which the filter cannot be decided ("maybe" zone) makes unknown what it would make a conflict
  or edge.
* Coverage says where a layer is complete, so only there does the absence of a zone mean anything. Where a
  rule is about meeting zones, a place that is not a conflict and not surely covered is unknown; where it is
  about meeting none, it is the conflict that needs coverage, and a place surely inside a zone is clear
  anywhere. Surely covered is a place whose surroundings, as far as its error and the distance of the rule
  reach, lie within the coverage.
* An accuracy that is not known has no bound: a subject without one is unknown, and a zone without one makes
  unknown whatever the other zones do not settle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.kernel import (
    CLEAR,
    CONFLICT,
    EDGE,
    UNKNOWN,
    Margin,
    Parts,
    margin_inside,
    signed_margin,
    size_of,
    split,
    throughout,
)
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.pairs import within
from gis.kernel.zones import ZoneSet
from gis.screening.apart import Apart
from gis.screening.around import Around
from gis.screening.filters import Flags
from gis.screening.inputs import PreparedLayer, Selection
from layers.rulemodel import AreaShareOutside, Disjoint, Predicate

__all__ = [
    "FEW",
    "TURNED",
    "Answer",
    "Codes",
    "Found",
    "Lie",
    "Missing",
    "Pairs",
    "Question",
    "near_pairs",
    "note_missing",
]

TURNED = np.array([CONFLICT, EDGE, UNKNOWN, CLEAR], dtype=np.int8)
"""The verdict code when lying outside is the conflict, by the code when lying inside is."""

Codes = NDArray[np.int8]
Missing = dict[str, Flags]
Zones = tuple[PreparedLayer, Indices, ZoneSet]
"""Some zones of a layer, by their rows and as a set."""
Pairs = tuple[Indices, Indices, Floats]
"""Subject, zone and distance in metres of each pair."""


@dataclass(frozen=True, eq=False)
class Lie:
    """How a site lies to the zones, as if meeting them were the conflict, and the names behind an unknown."""

    code: int
    parts: Parts
    names: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, eq=False)
class Found:
    """What has been found of the subjects of one judgement, for the rules that ask it again.

    Attributes
    ----------
    facts : bool
        Whether zones and margins are wanted, beyond the verdicts.
    reach_m : mapping of str to float
        The farthest that any rule looks, by layer.
    apart : Apart
        How far a subject is from the nearest zones.
    bare : dict
        What of a subject no coverage holds, by the coverage's key, the reach in metres and the subject's row.
    wholes : dict
        The parts of a subject that is of one verdict throughout, by its row and the verdict.
    beyond : dict
        How a subject beyond all zones lies, by the same and whether zones are counted.
    arounds : dict
        The zones around one subject, by the layer and the subject's row.
    pairs : dict
        Those of them that a question is about, by its selection (which its layer keeps), reach and subject.
    divided : dict
        A subject divided by zones, by the layer, which of its zones are near, and what else has a say.
    measured : dict
        What one subject alone shares with zones: by layer and measure, then by the zone's row in the layer.
    margins : dict
        Signed margins, by the zones asked (which are kept, so that an id stays theirs) and the rows.
    shared : dict
        Those of one subject that its near zones decide, by the layer, its row and those zones.
    sizes : dict
        Of subjects, by their id.
    worked : dict
        What came of divisions that were worked on, by what was done and to which.
    """

    facts: bool = True
    reach_m: Mapping[str, float] = field(default_factory=dict)
    apart: Apart = field(default_factory=Apart)
    bare: dict[tuple[bytes, float, int], Parts] = field(default_factory=dict)
    wholes: dict[tuple[int, int], Parts] = field(default_factory=dict)
    beyond: dict[tuple[bytes, float, int, bool], Lie] = field(default_factory=dict)
    arounds: dict[tuple[str, int], Around] = field(default_factory=dict)
    pairs: dict[tuple[int, float, int], Pairs] = field(default_factory=dict)
    boxed: dict[tuple[str, int], Indices] = field(default_factory=dict)
    divided: dict[tuple[object, ...], Parts] = field(default_factory=dict)
    measured: dict[tuple[str, str], dict[int, Any]] = field(default_factory=dict)
    margins: dict[tuple[int, bytes], tuple[ZoneSet, Margin]] = field(default_factory=dict)
    shared: dict[tuple[str, int, bytes], Margin] = field(default_factory=dict)
    sizes: dict[int, tuple[BaseGeometry, float]] = field(default_factory=dict)
    worked: dict[tuple[object, ...], Parts] = field(default_factory=dict)

    def whole(self, geometry: BaseGeometry, row: int, code: int) -> Parts:
        """The parts of a subject that is of one verdict throughout; the same object each time."""
        if (row, code) not in self.wholes:
            self.wholes[row, code] = throughout(geometry, code)
        return self.wholes[row, code]

    def once(self, work: Callable[..., Parts], site: BaseGeometry, *given: Any) -> Parts:
        """What ``work`` makes of a site and its divisions, made once for the same ones."""
        key = work, *given
        if key not in self.worked:
            self.worked[key] = work(site, *given)
        return self.worked[key]

    def size(self, geometry: BaseGeometry) -> float:
        """m2 of a polygon, m of a line."""
        if id(geometry) not in self.sizes:
            self.sizes[id(geometry)] = geometry, size_of(geometry)
        return self.sizes[id(geometry)][1]

    def near_pairs(self, geoms: Geometries, accuracy_m: Floats, rows: Indices, question: Question) -> Pairs:
        """The pairs of `near_pairs` with the zones that a question is about.

        For a subject that is asked about alone they are picked from those with all zones of the layer.
        """
        selection, layer = question.selection, question.layer
        farthest = self.reach_m.get(layer.source.layer_id, -np.inf)
        if len(rows) != 1 or not question.reach_m <= farthest:
            return near_pairs(geoms, accuracy_m, selection.both, question.reach_m, question.threads)
        key = id(selection), question.reach_m, int(rows[0])
        if key not in self.pairs:
            zone, gap = self.near_zones(geoms, accuracy_m, key[2], layer)
            limit = question.reach_m + float(np.fmax(accuracy_m[0], 0.0)) + TOUCH_M
            columns = selection.place[zone], gap, layer.every.error_m[zone]
            told = zip(*(column.tolist() for column in columns), strict=True)
            close = sorted((z, away) for z, away, error in told if z >= 0 and away <= limit + error)
            z, away = zip(*close, strict=True) if close else ((), ())
            self.pairs[key] = np.zeros(len(close), np.int64), np.array(z, np.int64), np.array(away, float)
        return self.pairs[key]

    def near_zones(
        self, geoms: Geometries, accuracy_m: Floats, row: int, layer: PreparedLayer
    ) -> tuple[Indices, Floats]:
        """The zones of a layer that any rule may find near one subject, in order, and their distance."""
        return self.around(geoms[0], float(accuracy_m[0]), row, layer).near

    def around(self, subject: BaseGeometry, accuracy_m: float, row: int, layer: PreparedLayer) -> Around:
        """The zones of a layer around one subject, as far as any rule looks."""
        key = layer.source.layer_id, row
        if key not in self.arounds:
            farthest = self.reach_m.get(layer.source.layer_id, 0.0)
            known = 0.0 if np.isnan(accuracy_m) else accuracy_m
            self.arounds[key] = Around(subject, known, layer.every, farthest)
        return self.arounds[key]

    def is_within(
        self, geometry: BaseGeometry, accuracy_m: float, row: int, zones: Zones, reach_m: float
    ) -> bool:
        """Whether a subject surely lies, as a whole, within the distance of a zone that holds it."""
        layer, index, _ = zones
        around = self.around(geometry, accuracy_m, row, layer)
        for zone in around.met:
            error = float(layer.every.accuracy_m[zone])
            depth = max(accuracy_m + error - reach_m, 0.0) + TOUCH_M
            if not np.isnan(error) and around.is_deep_in(zone, depth) and _holds(index, zone):
                return True
        return False

    def split(
        self, geometry: BaseGeometry, accuracy_m: float, row: int, zones: Zones, reach_m: float
    ) -> Parts:
        """A subject divided by some zones of a layer (see `gis.kernel.split`), found once for equal ones.

        Zones are equal for a subject when the same are near its box: the others have no say, but for their
        errors, of which the coarsest widens the search.
        """
        layer, index, chosen = zones
        farthest = self.reach_m.get(layer.source.layer_id, -np.inf)
        if not reach_m <= farthest or np.isnan(accuracy_m):
            return split(geometry, accuracy_m, chosen, reach_m, check=False)
        if self.is_within(geometry, accuracy_m, row, zones, reach_m):
            return self.whole(geometry, row, CONFLICT)
        near = self._near_box(geometry, accuracy_m, row, layer, farthest)
        present = _common(near, index)
        if not len(present) and not chosen.has_boundless:
            return self.whole(geometry, row, CLEAR)
        key = layer.source.layer_id, row, reach_m, chosen.errors.tobytes(), present.tobytes()
        if key not in self.divided:
            self.divided[key] = split(geometry, accuracy_m, chosen, reach_m, check=False)
        return self.divided[key]

    def _near_box(
        self, geometry: BaseGeometry, accuracy_m: float, row: int, layer: PreparedLayer, reach_m: float
    ) -> Indices:
        """The zones of a layer near the box of a subject, and a little farther than any rule looks."""
        key = layer.source.layer_id, row
        if key not in self.boxed:
            box = shapely.box(*geometry.bounds)
            farthest = reach_m + layer.every.widest_m + accuracy_m
            found = layer.every.tree.query(box, predicate="dwithin", distance=farthest + ASIDE_M)
            self.boxed[key] = np.unique(layer.every.pieces.owner[found])
        return self.boxed[key]

    def margin(self, geoms: Geometries, accuracy_m: Floats, rows: Indices, question: Question) -> Margin:
        """The signed margin of the subjects ``rows`` to the zones of a question; of no use are its zones."""
        zones = question.selection.both
        key = id(zones), rows.tobytes()
        if key not in self.margins:
            alone = len(rows) == 1 and not np.isnan(accuracy_m[0])
            told = (
                self._margin_of_one(geoms, accuracy_m, int(rows[0]), question)
                if alone
                else signed_margin(geoms, zones, threads=question.threads, check=False)
            )
            self.margins[key] = zones, told
        return self.margins[key][1]

    def _margin_of_one(self, geoms: Geometries, accuracy_m: Floats, row: int, question: Question) -> Margin:
        """The same of one subject, found once for selections that have the same zones near it.

        What is farther than those has no say in a margin that is less than how far they reach; nor is it of
        any account which of several equally near decides, when they are of one accuracy.
        """
        layer, selection = question.layer, question.selection
        name = layer.source.layer_id
        zone = self.near_zones(geoms, accuracy_m, row, layer)[0]
        present = zone[selection.place[zone] >= 0]
        alike = len(present) > 0 and len(set(layer.every.accuracy_m[present].tolist())) == 1
        key = name, row, present.tobytes()
        if alike and key in self.shared:
            return self.shared[key]
        told = None
        if not self.around(geoms[0], float(accuracy_m[0]), row, layer).met.isdisjoint(present.tolist()):
            told = margin_inside(geoms[0], selection.both)
        if told is None:
            told = signed_margin(geoms, selection.both, threads=question.threads, check=False)
        if alike and abs(told.margin_m[0]) < self.reach_m.get(name, 0.0) + accuracy_m[0]:
            self.shared[key] = told
        return told

    def nearest_zone(
        self, geoms: Geometries, accuracy_m: Floats, selection: Selection
    ) -> tuple[float, int, BaseGeometry]:
        """What `Apart.nearest_zone` tells of a subject alone."""
        meets = bool((self.near_zones(geoms, accuracy_m, 0, selection.layer)[1] == 0.0).any())
        return self.apart.nearest_zone(geoms[0], selection.both, meets)


@dataclass(eq=False, slots=True)
class Question:
    """One rule's predicate, put to the zones it is about.

    ``found`` holds what several rules ask of the same subjects. ``is_assumed``: the distance is the largest
    possible one, because the subjects do not state theirs.
    """

    predicate: Predicate
    selection: Selection
    threads: int | None = None
    found: Found = field(default_factory=lambda: Found())
    is_assumed: bool = False

    @property
    def layer(self) -> PreparedLayer:
        """The layer of the zones."""
        return self.selection.layer

    @property
    def reach_m(self) -> float:
        """The distance of the rule in metres."""
        return self.predicate.reach_m

    @property
    def seeks_absence(self) -> bool:
        """Whether lying in no zone is the conflict."""
        return isinstance(self.predicate, (Disjoint, AreaShareOutside))

    @property
    def zone_accuracy_name(self) -> str:
        """What a finding lists as missing for a zone whose accuracy is not known."""
        return f"{self.layer.source.layer_id}.accuracy_m"

    def lacking(self, rows: Indices) -> Missing:
        """Tell which attributes of the filter zones lack, by name; ``rows`` of the layer, -1 for no zone."""
        prefix = self.layer.source.layer_id
        lacking = self.selection.lacking.missing
        return {f"{prefix}.{name}": lacks[rows] & (rows >= 0) for name, lacks in lacking.items()}


@dataclass(eq=False, slots=True)
class Answer:
    """What the ground says of k subjects.

    Attributes
    ----------
    code : int8[k]
        Verdict codes of `gis.kernel.verdicts`.
    missing : dict of str to bool[k]
        By name, the unknown rows that lack it, at least one.
    capped : bool[k]
        The verdict rests on indicative zones: official zones alone would not give it.
    margin_m, error_m : float64[k]
        Distance of the subject's nearest place to the limit that decides, positive within; the combined
        error. NaN where there is none.
    on_boundary : bool[k]
        The subject merely touches the limit.
    parts : dict of int to Parts
        For lines and polygons that are not clear, by row.
    """

    code: Codes
    missing: Missing
    capped: Flags
    margin_m: Floats
    error_m: Floats
    on_boundary: Flags
    parts: dict[int, Parts] = field(default_factory=dict)

    @classmethod
    def blank(cls, count: int) -> Answer:
        """All clear, nothing measured."""
        margin, error = np.empty(count), np.empty(count)
        margin.fill(np.nan)
        error.fill(np.nan)
        code = np.zeros(count, dtype=np.int8)
        code.fill(CLEAR)
        return cls(code, {}, np.zeros(count, dtype=bool), margin, error, np.zeros(count, dtype=bool))

    def over(self, rows: Indices, count: int) -> Answer:
        """Spread over ``count`` subjects, of which these are ``rows``; the others are clear."""
        if len(rows) == count:
            return self
        whole = Answer.blank(count)
        whole.put(rows, self)
        return whole

    def copy(self) -> Answer:
        """A copy that may be written to."""
        return Answer(
            self.code.copy(), dict(self.missing), self.capped.copy(), self.margin_m.copy(),
            self.error_m.copy(), self.on_boundary.copy(), dict(self.parts),
        )  # fmt: skip

    def put(self, rows: Indices, other: Answer) -> None:
        """Write the answer of some rows."""
        for name in ("code", "capped", "margin_m", "error_m", "on_boundary"):
            getattr(self, name)[rows] = getattr(other, name)
        for name, lacks in other.missing.items():
            note_missing(self.missing, name, rows[lacks], len(self.code))
        self.parts.update({int(rows[row]): parts for row, parts in other.parts.items()})


def _holds(index: Indices, row: int) -> bool:
    """Whether a sorted list holds a row."""
    place = int(np.searchsorted(index, row))
    return place < len(index) and int(index[place]) == row


def _common(one: Indices, other: Indices) -> Indices:
    """What two sorted lists have in common."""
    if not len(other):
        return other
    place = np.minimum(np.searchsorted(other, one), len(other) - 1)
    return np.asarray(one[other[place] == one])


def note_missing(missing: Missing, name: str, rows: Indices | Flags | list[int], count: int) -> None:
    """Add ``name`` to what ``rows`` lack; no rows add nothing."""
    marked = np.zeros(count, dtype=bool)
    marked[rows] = True
    if marked.any():
        missing[name] = missing[name] | marked if name in missing else marked


def near_pairs(
    geoms: Geometries, accuracy_m: Floats, zones: ZoneSet, reach_m: float, threads: int | None = None
) -> Pairs:
    """All pairs (subject, zone) that may be within ``reach_m``, given their errors, with their distance.

    An unknown accuracy counts as zero here. Sorted by subject, then zone; metres of the measuring plane.
    """
    own, theirs = np.fmax(accuracy_m, 0.0), np.fmax(zones.accuracy_m, 0.0)
    found: list[tuple[Indices, Indices, Floats]] = []
    # Subjects of like error are asked together, so that one coarse one does not widen the search for all.
    band = np.ceil(np.log2(own + 1.0))
    for value in np.unique(band):
        rows = np.flatnonzero(band == value)
        limit = reach_m + theirs + own[rows].max() + TOUCH_M
        if len(rows) <= FEW:
            s, z, gap = _near_few(geoms[rows], zones, limit)
        else:
            s, z, gap = within(geoms[rows], zones, limit, threads=threads, check=False)
        found.append((rows[s], z, gap))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    s, z, gap = (np.concatenate(column) for column in zip(*found, strict=True))
    close = gap <= reach_m + own[s] + theirs[z] + TOUCH_M
    s, z, gap = s[close], z[close], gap[close]
    order = np.lexsort((z, s))
    return s[order], z[order], gap[order]


ASIDE_M = 1.0
"""Metres. Zones that are this much farther than a rule looks still count as near, for what rounding moves."""

FEW = 32
"""So few subjects look for the pieces near them; more are looked for by each zone."""


def _near_few(geoms: Geometries, zones: ZoneSet, limit: Floats) -> tuple[Indices, Indices, Floats]:
    """All pairs within the limit of their zone, by the index of pieces, with their distance.

    Along a cut a piece may be off by a rounding step, so whether a pair meets is asked of the whole zone.
    """
    widest = float(limit.max(initial=0.0))
    at, piece = zones.tree.query(geoms, predicate="dwithin", distance=widest)
    if not len(at):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    each = shapely.distance(geoms[at], zones.pieces.geoms[piece])
    pair, place = np.unique(at * len(zones) + zones.pieces.owner[piece], return_inverse=True)
    gap = np.full(len(pair), np.inf)
    np.minimum.at(gap, place, each)
    s, z = np.divmod(pair, max(len(zones), 1))
    touching = np.flatnonzero(gap <= TOUCH_M)
    met = shapely.intersects(geoms[s[touching]], zones.geoms[z[touching]])
    gap[touching[met]] = 0.0
    return s, z, gap
