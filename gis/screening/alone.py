"""One line or polygon by itself: what no zone can reach is settled in plain numbers, without arrays.

A single site is asked some sixty questions, and most of them are about layers that have nothing near it. Then
only the coverage has a say, whatever the rule: the answer is one of a few, made once and shared. What a zone
may reach, and all that is not about meeting zones, goes the way of many subjects (`gis.screening.case`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from math import isnan
from threading import Lock

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, UNKNOWN, Parts, depth_within
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.boundary import SEAM_M
from gis.screening.asking import Ask
from gis.screening.docket import Docket
from gis.screening.ground import ASIDE_M, Answer, Found, Question
from gis.screening.inputs import PreparedLayer, Selection, Subjects
from gis.screening.sites import beyond_zones
from layers.rulemodel import AreaShare, AreaShareOutside, CountGt, Disjoint, Predicate, UpstreamWithin

__all__ = ["Alone", "alone_of"]

_OTHER_WAYS = (Disjoint, AreaShareOutside, UpstreamWithin)
"""Predicates that are about lying in no zone, or not about the distance in a straight line."""
_YES, _NO = np.ones(1, dtype=bool), np.zeros(1, dtype=bool)
_UNKNOWN = np.array([UNKNOWN], dtype=np.int8)
_NONE = np.full(1, np.nan)
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Alone:
    """One site with a usable geometry and a known accuracy, and what has been found of it.

    Attributes
    ----------
    subjects : Subjects
        The one.
    geometry : line or polygon
        Its own, metres in the measuring plane.
    accuracy_m : float
    ready : Ready
    clear : Answer
        That it is clear and nothing was measured.
    near : frozenset of str
        The layers of which a zone's box is within reach; the others are far away.
    """

    subjects: Subjects
    geometry: BaseGeometry
    accuracy_m: float
    ready: Ready
    found: Found
    clear: Answer
    near: frozenset[str]
    _far: dict[str, bool] = field(default_factory=dict)
    _depth: dict[bytes, float] = field(default_factory=dict)
    _bare: dict[tuple[object, ...], tuple[int, Parts, tuple[str, ...]]] = field(default_factory=dict)
    _answers: dict[tuple[object, ...], Answer] = field(default_factory=dict)

    def far(self, layer: PreparedLayer) -> bool:
        """Whether surely no zone of a layer can be within the distance of any rule, given the errors."""
        name = layer.source.layer_id
        if name not in self._far:
            self._far[name] = self._is_far(layer, self.ready.reach_m.get(name, 0.0))
        return self._far[name]

    def _is_far(self, layer: PreparedLayer, reach_m: float) -> bool:
        if np.isnan(layer.error_m):
            return False
        if layer.source.layer_id not in self.near:
            return True
        farthest = reach_m + layer.error_m + self.accuracy_m + TOUCH_M
        return not len(layer.every.tree.query(self.geometry, predicate="dwithin", distance=farthest))

    def _may_meet(self, settling: Settling) -> bool:
        """Whether a zone that the question is about may be within its distance."""
        if settling.may_reach_any:
            return True
        question = Question(settling.predicate, settling.selection, found=self.found)
        return len(self.found.near_pairs(*self._asked, question)[0]) > 0

    @cached_property
    def _asked(self) -> tuple[Geometries, Floats, Indices]:
        return self.subjects.geoms, self.subjects.accuracy_m.astype(np.float64), np.zeros(1, dtype=np.int64)

    def depth(self, layer: PreparedLayer) -> float:
        """How deep the site lies in the layer's coverage, metres; negative outside.

        Farther outside than any rule looks is not measured: -inf.
        """
        key = layer.coverage_key
        if key not in self._depth:
            farthest = self.ready.farthest_m + self.accuracy_m + ASIDE_M
            apart = _apart_m(self.geometry.bounds, layer.coverage.bounds)
            depth = -np.inf if apart > farthest else depth_within(self.geometry, layer.coverage)
            self._depth[key] = depth
        return self._depth[key]

    def settled(self, put: Ask, layer: PreparedLayer, law_date: date) -> tuple[Answer, int] | None:
        """The answer where only the coverage has a say, and how many zones were asked about; else None.

        It tells what attributes leave open. Many questions share it, so nobody writes to it.
        """
        settling = self.ready.settling(put, layer, law_date)
        if not settling.by_meeting:
            return None
        far = self._far.get(settling.name)
        if far is None:
            far = self.far(layer)
        if not far and self._may_meet(settling):
            return None
        answer = self._beyond(settling)
        return None if answer is None else (answer, settling.count)

    def _beyond(self, settling: Settling) -> Answer | None:
        """The answer to a question of which no zone can reach the site."""
        layer, reach = settling.layer, settling.reach_m
        depth = self._depth.get(layer.coverage_key)
        if depth is None:
            depth = self.depth(layer)
        if depth > self.accuracy_m + reach:
            return self.clear
        margin, error = self._margin(settling)
        if margin is None:
            return None
        bare = layer.coverage_key, reach, settling.own
        if bare not in self._bare:
            self._bare[bare] = self._uncovered(settling, depth)
        code, parts, names = self._bare[bare]
        if code == CLEAR:
            return self.clear
        key = bare, margin, error, settling.lacking
        if key not in self._answers:
            missing = dict.fromkeys((*names, *settling.lacking), _YES)
            far = (_NONE, _NONE) if isnan(margin) else (np.array([margin]), np.array([error]))
            self._answers[key] = Answer(_UNKNOWN, missing, _NO, *far, _NO, {0: parts})
        return self._answers[key]

    def _uncovered(self, settling: Settling, depth_m: float) -> tuple[int, Parts, tuple[str, ...]]:
        """Verdict, parts and what is missing of a site that no zone reaches and no coverage surely holds."""
        everywhere = depth_m < -self.accuracy_m - settling.reach_m - TOUCH_M
        if everywhere and settling.own is None:
            return UNKNOWN, self.found.whole(self.geometry, 0, UNKNOWN), ("coverage",)
        question = Question(settling.predicate, settling.selection, found=self.found)
        return beyond_zones(self.geometry, self.accuracy_m, depth_m, question)

    def _margin(self, settling: Settling) -> tuple[float | None, float]:
        """How far the site lies within the limit of the nearest zone, and the error; NaN where not wanted.

        None where it must be measured otherwise: it may lie in the gap of a seam.
        """
        if not self.found.facts or not settling.has_zones:
            return _NAN, _NAN
        gap, error = self.found.gap(self.geometry, 0, settling.selection)
        if not SEAM_M < gap < np.inf:
            return None, _NAN
        return settling.reach_m - gap, self.accuracy_m + error


def _apart_m(box: tuple[float, float, float, float], boxes: Floats) -> float:
    """How far a box is at least from each of others, which are none or one; infinite from none."""
    if not len(boxes):
        return np.inf
    x0, y0, x1, y1 = boxes[0].tolist()
    return float(max(x0 - box[2], box[0] - x1, y0 - box[3], box[1] - y1))


@dataclass(frozen=True, eq=False)
class Settling:
    """What of a question to a site alone is the same wherever the site is.

    Attributes
    ----------
    by_meeting : bool
        Whether it is about meeting zones within a distance in a straight line.
    own : predicate or None
        Where what lies outside the coverage is not simply unknown.
    lacking : tuple of str
        The attributes that its filter leaves open.
    may_reach_any : bool
        Whether zones may count that no distance tells of: of no known error, or beyond where rules look.
    """

    predicate: Predicate
    selection: Selection
    layer: PreparedLayer
    name: str
    reach_m: float
    by_meeting: bool
    own: Predicate | None
    lacking: tuple[str, ...]
    count: int
    has_zones: bool
    may_reach_any: bool

    @classmethod
    def of(cls, put: Ask, layer: PreparedLayer, law_date: date, farthest_m: float) -> Settling:
        """That of the question ``put`` to a layer of which no rule looks farther than ``farthest_m``."""
        selection, predicate = layer.select(put.zone_where, law_date), put.predicate
        return cls(
            predicate=predicate,
            selection=selection,
            layer=layer,
            name=layer.source.layer_id,
            reach_m=predicate.reach_m,
            by_meeting=not put.is_assumed and not isinstance(predicate, _OTHER_WAYS),
            own=predicate if isinstance(predicate, (AreaShare, CountGt)) else None,
            lacking=tuple(name for name, lacks in put.applicable.missing.items() if lacks[0]),
            count=len(selection),
            has_zones=len(selection.both) > 0,
            may_reach_any=selection.both.has_boundless or predicate.reach_m > farthest_m,
        )


@dataclass(frozen=True, eq=False)
class Ready:
    """What is ready for all sites that one docket puts the same questions about.

    That is an index of boxes of the pieces of all zones, grown as far as rules on their layer look; and of
    each question what does not go by the site.
    """

    layers: tuple[str, ...]
    layer: Indices
    tree: shapely.STRtree
    reach_m: Mapping[str, float]
    _settling: dict[int, Settling] = field(default_factory=dict)

    @cached_property
    def farthest_m(self) -> float:
        """The farthest that any rule looks."""
        return max(self.reach_m.values(), default=0.0)

    @classmethod
    def of(cls, layers: Mapping[str, PreparedLayer], reach_m: Mapping[str, float]) -> Ready:
        """For questions on ``layers`` by rules that look as far as ``reach_m`` tells by layer."""
        boxes, owner = [np.empty((0, 4))], [np.empty(0, dtype=np.int64)]
        for number, (name, layer) in enumerate(layers.items()):
            bounds = shapely.bounds(layer.every.pieces.geoms).reshape(-1, 4)
            farthest = reach_m.get(name, 0.0) + float(np.nan_to_num(layer.error_m)) + ASIDE_M
            boxes.append(bounds[~np.isnan(bounds[:, 0])] + farthest * np.array([-1.0, -1.0, 1.0, 1.0]))
            owner.append(np.full(len(boxes[-1]), number, dtype=np.int64))
        grown: Geometries = np.asarray(shapely.box(*np.concatenate(boxes).T), dtype=object)
        tree = shapely.STRtree(grown)
        return cls(tuple(layers), np.concatenate(owner), tree, reach_m)

    def settling(self, put: Ask, layer: PreparedLayer, law_date: date) -> Settling:
        """What is ready of a question of the docket, which is kept and with it the question."""
        found = self._settling.get(id(put))
        if found is None:
            farthest = self.reach_m.get(layer.source.layer_id, 0.0)
            found = self._settling[id(put)] = Settling.of(put, layer, law_date, farthest)
        return found

    def near(self, geometry: BaseGeometry, accuracy_m: float) -> frozenset[str]:
        """The layers with a zone that may be near a site of that accuracy in metres."""
        x0, y0, x1, y1 = geometry.bounds
        found = self.tree.query(
            shapely.box(x0 - accuracy_m, y0 - accuracy_m, x1 + accuracy_m, y1 + accuracy_m)
        )
        return frozenset(self.layers[number] for number in np.unique(self.layer[found]))


_KEPT: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], Ready]] = OrderedDict()
_KEPT_SIZE = 8
_LOCK = Lock()


def _ready(layers: Mapping[str, PreparedLayer], docket: Docket) -> Ready:
    """Made once for a docket and its layers, which are kept so that their ids stay theirs."""
    given = docket, *layers.values()
    key = tuple(map(id, given))
    with _LOCK:
        if key not in _KEPT:
            _KEPT[key] = given, Ready.of(layers, docket.reach_m)
            while len(_KEPT) > _KEPT_SIZE:
                _KEPT.popitem(last=False)
        return _KEPT[key][1]


def alone_of(
    subjects: Subjects,
    fits: bool,
    layers: Mapping[str, PreparedLayer],
    docket: Docket,
    found: Found,
    clear: Answer,
) -> Alone | None:
    """The one subject, where it is one that `Alone` is about: a line or polygon of known accuracy.

    ``layers`` are those that rules ask it about.
    """
    accuracy, geometry = float(subjects.accuracy_m[0]), subjects.geoms[0]
    if not fits or isnan(accuracy) or shapely.get_dimensions(geometry) < 1:
        return None
    ready = _ready(layers, docket)
    return Alone(subjects, geometry, accuracy, ready, found, clear, ready.near(geometry, accuracy))
