"""What is asked of the ground for one judgement, each thing once however many rules ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely

from gis.kernel import CLEAR, UNKNOWN, depths_within, throughout
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.screening.alone import Alone
from gis.screening.answered import Answered
from gis.screening.asking import Ask
from gis.screening.assumed import ask_assumed
from gis.screening.docket import Docket
from gis.screening.filters import Flags
from gis.screening.ground import FEW, Answer, Found, Question, near_pairs, note_missing
from gis.screening.hits import Hits, find_hits
from gis.screening.inputs import PreparedLayer, Subjects
from gis.screening.points import ask_points
from gis.screening.ready import Ready
from gis.screening.sites import ask_sites
from layers.rulemodel import Predicate, UpstreamWithin

if TYPE_CHECKING:
    from gis.screening.upstream import Traced

__all__ = ["Case", "ask", "fill", "follow", "hits_of"]


@dataclass(frozen=True, eq=False)
class Case:
    """What stays the same from rule to rule; ``layers`` are the zones that rules ask about, by id.

    ``ready`` is there for a subject alone that may take the short way.
    """

    subjects: Subjects
    fits: Flags
    law_date: date
    threads: int | None
    docket: Docket
    layers: Mapping[str, PreparedLayer]
    ready: Ready | None
    found: Found = field(default_factory=Found)
    answers: dict[tuple[int, Predicate, bool, bytes], Answer] = field(default_factory=dict)
    hits: dict[tuple[int, Predicate, bool, int], tuple[Answer, Hits]] = field(default_factory=dict)
    _depths: dict[bytes, Floats] = field(default_factory=dict)
    _far: dict[str, Flags] = field(default_factory=dict)
    _settled: dict[tuple[str, float], Flags] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.subjects)

    @cached_property
    def clear(self) -> Answer:
        """That all subjects are clear and nothing was measured; the same object each time."""
        return Answer.blank(len(self)) if self.ready is None else self.ready.clear

    @cached_property
    def alone(self) -> Alone | None:
        """The subject, where it is the only one and may take the short way."""
        return None if self.ready is None else Alone.of(self.subjects, self.ready, self.found)

    @cached_property
    def settled(self) -> Mapping[Ask, Answered]:
        """What was found before any question was put to the ground; see `Alone.settled`."""
        return {} if self.alone is None else self.alone.settled

    @cached_property
    def points(self) -> Flags:
        """Which subjects are points with a usable geometry."""
        return np.asarray(self.fits & (shapely.get_type_id(self.subjects.geoms) == 0))

    def depth(self, layer: PreparedLayer) -> Floats:
        """How deep each subject lies in the layer's coverage, metres; measured once for each coverage."""
        key = layer.coverage_key
        if self.alone is not None and key not in self._depths:
            self._depths[key] = np.array([self.alone.depth(layer)])
        if key not in self._depths:
            depth = np.full(len(self), -np.inf)
            usable = self.subjects.geoms[self.fits]
            depth[self.fits] = depths_within(usable, layer.coverage, threads=self.threads)
            self._depths[key] = depth
        return self._depths[key]

    def far(self, layer: PreparedLayer) -> Flags:
        """Which subjects no zone of the layer can reach, whatever the rule; asked only when they are few.

        Most rules have nothing near a single site, and finding that out once for a layer is enough.
        """
        name = layer.source.layer_id
        if name not in self._far:
            far = np.zeros(len(self), dtype=bool)
            if self.alone is not None:
                far[0] = self.alone.far(layer)
            elif len(self) <= FEW and not np.isnan(layer.error_m):
                geoms, accuracy = self.subjects.geoms[self.fits], self.subjects.accuracy_m[self.fits]
                far[self.fits] = _beyond(geoms, accuracy, layer, self.docket.reach_m.get(name, 0.0))
            self._far[name] = far
        return self._far[name]

    def is_beyond(self, question: Question) -> bool:
        """Whether there is one subject and only the coverage has a say: no zone can reach it."""
        if len(self) != 1 or question.seeks_absence or question.is_assumed:
            return False
        return not np.isnan(self.subjects.accuracy_m[0]) and bool(self.far(question.layer)[0])

    def is_settled(self, question: Question, rows: Indices) -> bool:
        """Whether all ``rows`` are clear without being asked: covered, and no zone can reach them."""
        if isinstance(question.predicate, UpstreamWithin):  # along a river, from where it was moved to it
            return False
        if not len(rows):
            return True
        if question.seeks_absence or question.is_assumed or len(self) > FEW or self.alone is not None:
            return False  # of a subject alone `Alone` has told the same
        key = question.layer.source.layer_id, question.reach_m
        if key not in self._settled:
            reach = self.subjects.accuracy_m + question.reach_m  # NaN, not known, settles nothing
            self._settled[key] = self.far(question.layer) & (self.depth(question.layer) > reach)
        return bool(self._settled[key][rows].all())


def _beyond(geoms: Geometries, accuracy_m: Floats, layer: PreparedLayer, reach_m: float) -> Flags:
    """Which of a few subjects no zone of a layer can be within ``reach_m`` of; bool[k]."""
    apart = np.ones(len(geoms), dtype=bool)
    farthest = reach_m + layer.error_m + float(np.fmax(accuracy_m, 0.0).max(initial=0.0)) + TOUCH_M
    if len(layer.every.tree.query(geoms, predicate="dwithin", distance=farthest)[0]):
        apart[near_pairs(geoms, accuracy_m, layer.every, reach_m)[0]] = False
    return apart


def ask(question: Question, case: Case, rows: Indices) -> Answer:
    """Put the question to the subjects at ``rows``, unless another rule has put it to them already.

    Without facts all zones of a layer are alike for a site that none of them reaches.
    """
    alike = not case.found.facts and case.is_beyond(question)
    of = question.layer if alike else question.selection
    key = id(of), question.predicate, question.is_assumed, rows.tobytes()
    if key not in case.answers:
        case.answers[key] = _asked(question, case, rows)
    return case.answers[key]


def _asked(question: Question, case: Case, rows: Indices) -> Answer:
    """Points are asked about all at once, lines and polygons one by one."""
    if question.is_assumed:
        return ask_assumed(case.subjects, case.fits, case.depth(question.layer), question, rows)
    geoms, accuracy = case.subjects.geoms[rows], case.subjects.accuracy_m[rows].astype(np.float64)
    depth = case.depth(question.layer)[rows]
    fits, point = case.fits[rows], case.points[rows]
    dots, sites = np.flatnonzero(point), np.flatnonzero(fits & ~point)
    if len(dots) == len(rows):
        return ask_points(geoms, accuracy, depth, question)
    if len(sites) == len(rows):
        return ask_sites(geoms, accuracy, depth, question, rows, case.far(question.layer)[rows])
    answer = Answer.blank(len(rows))
    if len(dots):
        answer.put(dots, ask_points(geoms[dots], accuracy[dots], depth[dots], question))
    if len(sites):
        far = case.far(question.layer)[rows[sites]]
        found = ask_sites(geoms[sites], accuracy[sites], depth[sites], question, rows[sites], far)
        answer.put(sites, found)
    answer.code[~fits] = UNKNOWN
    note_missing(answer.missing, "geometry", ~fits, len(rows))
    return answer


def follow(question: Question, case: Case, rows: Indices, rivers: PreparedLayer | None) -> Traced:
    """Ask along the river network those of ``rows`` that are on it."""
    # Graphs take a while to import, and few rules follow rivers.
    from gis.screening.upstream import trace

    depth = case.depth(question.layer)
    along = depth if rivers is None else case.depth(rivers)
    return trace(case.subjects, rows[case.fits[rows]], depth, rivers, along, question)


def fill(answer: Answer, rows: Indices, code: int, case: Case) -> None:
    """Give subjects one verdict throughout: no ground has a say."""
    answer.code[rows] = code
    for row in rows[case.fits[rows]]:
        geometry = case.subjects.geoms[row]
        if shapely.get_type_id(geometry) != 0:
            answer.parts[int(row)] = throughout(geometry, code)


def hits_of(question: Question | None, case: Case, answer: Answer, rows: Indices) -> Hits:
    """The zones behind the findings on the subjects at ``rows``; shared, so nobody writes to it."""
    if question is None or not case.found.facts:
        return Hits.none()
    far, by_reach = case.far(question.layer), not question.seeks_absence and not question.is_assumed
    if by_reach and far.all():
        return Hits.none()
    if len(case) == 1:
        return _hits_of_one(question, case, answer, rows)
    asked = np.zeros(len(case), dtype=bool)
    asked[rows] = (answer.code > CLEAR)[rows] & case.fits[rows]
    if by_reach:
        asked &= ~far
    rows = np.flatnonzero(asked)
    if not len(rows):
        return Hits.none()
    return find_hits(case.subjects.geoms, case.subjects.accuracy_m, rows, question, answer)


def _hits_of_one(question: Question, case: Case, answer: Answer, rows: Indices) -> Hits:
    """The same for one subject, which is found once for equal questions."""
    if not len(rows) or answer.code[0] == CLEAR or not case.fits[0]:
        return Hits.none()
    key = id(question.selection), question.predicate, question.is_assumed, id(answer)
    if key not in case.hits:
        found = find_hits(case.subjects.geoms, case.subjects.accuracy_m, rows, question, answer)
        case.hits[key] = answer, found
    return case.hits[key][1]
