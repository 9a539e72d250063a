"""One line or polygon by itself: what no zone can reach is settled in plain numbers, without arrays.

A single site is asked some sixty questions, and most of them are about layers that have nothing near it. Then
only the coverage has a say, whatever the rule: the answer is one of a few, made once and shared. What a zone
may reach, and all that is not about meeting zones, goes the way of many subjects (`gis.screening.case`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, UNKNOWN, Parts, depth_within
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.boundary import SEAM_M
from gis.screening.filters import FilterResult
from gis.screening.ground import ASIDE_M, Answer, Found, Question
from gis.screening.inputs import PreparedLayer, Subjects
from gis.screening.sites import beyond_zones
from layers.rulemodel import AreaShare, AreaShareOutside, CountGt, Disjoint, UpstreamWithin

__all__ = ["Alone", "alone_of"]

_OTHER_WAYS = (Disjoint, AreaShareOutside, UpstreamWithin)
"""Predicates that are about lying in no zone, or not about the distance in a straight line."""
_YES, _NO = np.ones(1, dtype=bool), np.zeros(1, dtype=bool)
_UNKNOWN = np.array([UNKNOWN], dtype=np.int8)
_NONE = np.full(1, np.nan)


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
    reach_m : mapping of str to float
        The farthest that any rule looks, by layer.
    clear : Answer
        That it is clear and nothing was measured.
    near : frozenset of str
        The layers of which a zone's box is within reach; the others are far away.
    """

    subjects: Subjects
    geometry: BaseGeometry
    accuracy_m: float
    reach_m: Mapping[str, float]
    found: Found
    clear: Answer
    near: frozenset[str]
    _far: dict[str, bool] = field(default_factory=dict)
    _depth: dict[bytes, float] = field(default_factory=dict)
    _gap: dict[str, tuple[float, int]] = field(default_factory=dict)
    _bare: dict[tuple[object, ...], tuple[int, Parts, tuple[str, ...]]] = field(default_factory=dict)
    _answers: dict[tuple[object, ...], Answer] = field(default_factory=dict)

    def far(self, layer: PreparedLayer) -> bool:
        """Whether surely no zone of a layer can be within the distance of any rule, given the errors."""
        name = layer.source.layer_id
        if name not in self._far:
            self._far[name] = self._is_far(layer, self.reach_m.get(name, 0.0))
        return self._far[name]

    def _is_far(self, layer: PreparedLayer, reach_m: float) -> bool:
        if np.isnan(layer.error_m):
            return False
        if layer.source.layer_id not in self.near:
            return True
        farthest = reach_m + layer.error_m + self.accuracy_m + TOUCH_M
        return not len(layer.every.tree.query(self.geometry, predicate="dwithin", distance=farthest))

    def _may_meet(self, question: Question) -> bool:
        """Whether a zone that the question is about may be within its distance."""
        if question.selection.both.has_boundless or question.reach_m > self.reach_m.get(
            question.layer.source.layer_id, 0.0
        ):
            return True
        return len(self.found.near_pairs(*self._asked, question)[0]) > 0

    @cached_property
    def _asked(self) -> tuple[Geometries, Floats, Indices]:
        return self.subjects.geoms, self.subjects.accuracy_m.astype(np.float64), np.zeros(1, dtype=np.int64)

    def depth(self, layer: PreparedLayer) -> float:
        """How deep the site lies in the layer's coverage, metres; negative outside."""
        key = layer.coverage_key
        if key not in self._depth:
            self._depth[key] = depth_within(self.geometry, layer.coverage)
        return self._depth[key]

    def answer(self, question: Question, applicable: FilterResult) -> Answer | None:
        """The answer where only the coverage has a say, with what attributes leave open; None elsewhere.

        Many questions share it, so nobody writes to it.
        """
        if question.is_assumed or isinstance(question.predicate, _OTHER_WAYS):
            return None
        layer, reach = question.layer, question.reach_m
        if not self.far(layer) and self._may_meet(question):
            return None
        if self.depth(layer) > self.accuracy_m + reach:
            return self.clear
        margin, error = self._margin(question)
        if margin is None:
            return None
        predicate = question.predicate
        own = predicate if isinstance(predicate, (AreaShare, CountGt)) else None
        bare = layer.coverage_key, reach, own
        if bare not in self._bare:
            self._bare[bare] = beyond_zones(self.geometry, self.accuracy_m, self.depth(layer), question)
        code, parts, names = self._bare[bare]
        if code == CLEAR:
            return self.clear
        lacking = tuple(name for name, lacks in applicable.missing.items() if lacks[0])
        key = bare, margin, error, lacking
        if key not in self._answers:
            missing = dict.fromkeys((*names, *lacking), _YES)
            far = (_NONE, _NONE) if np.isnan(margin) else (np.array([margin]), np.array([error]))
            self._answers[key] = Answer(_UNKNOWN, missing, _NO, *far, _NO, {0: parts})
        return self._answers[key]

    def _margin(self, question: Question) -> tuple[float | None, float]:
        """How far the site lies within the limit of the nearest zone, and the error; NaN where not wanted.

        None where it must be measured otherwise: it may lie in the gap of a seam.
        """
        zones = question.selection.both
        if not self.found.facts or not len(zones):
            return np.nan, np.nan
        gap, error = self.nearest(question)
        if not SEAM_M < gap < np.inf:
            return None, np.nan
        return question.reach_m - gap, self.accuracy_m + error

    def nearest(self, question: Question) -> tuple[float, float]:
        """Distance and accuracy of the nearest zone, of a site that meets none.

        Mostly the nearest of the layer is one that is asked.
        """
        layer = question.layer
        name = layer.source.layer_id
        if name not in self._gap:
            rim = layer.every.rim
            if not len(rim):
                return np.inf, np.nan
            line, near = rim.tree.query_nearest(self.geometry, return_distance=True, all_matches=False)
            self._gap[name] = float(near[0]), int(rim.owner[line[0]])
        gap, owner = self._gap[name]
        if question.selection.place[owner] >= 0:
            return gap, float(layer.every.accuracy_m[owner])
        return self.found.gap(self.geometry, 0, question.selection.both)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Boxes of the pieces of all zones, grown as far as rules on their layer look: one index."""

    layers: tuple[str, ...]
    layer: Indices
    tree: shapely.STRtree

    @classmethod
    def of(cls, layers: Mapping[str, PreparedLayer], reach_m: Mapping[str, float]) -> Surroundings:
        """The surroundings in ``layers`` for rules that look as far as ``reach_m`` tells by layer."""
        boxes, owner = [np.empty((0, 4))], [np.empty(0, dtype=np.int64)]
        for number, (name, layer) in enumerate(layers.items()):
            bounds = shapely.bounds(layer.every.pieces.geoms).reshape(-1, 4)
            farthest = reach_m.get(name, 0.0) + float(np.nan_to_num(layer.error_m)) + ASIDE_M
            boxes.append(bounds[~np.isnan(bounds[:, 0])] + farthest * np.array([-1.0, -1.0, 1.0, 1.0]))
            owner.append(np.full(len(boxes[-1]), number, dtype=np.int64))
        grown: Geometries = np.asarray(shapely.box(*np.concatenate(boxes).T), dtype=object)
        tree = shapely.STRtree(grown)
        return cls(tuple(layers), np.concatenate(owner), tree)

    def near(self, geometry: BaseGeometry, accuracy_m: float) -> frozenset[str]:
        """The layers with a zone that may be near a site of that accuracy in metres."""
        x0, y0, x1, y1 = geometry.bounds
        found = self.tree.query(
            shapely.box(x0 - accuracy_m, y0 - accuracy_m, x1 + accuracy_m, y1 + accuracy_m)
        )
        return frozenset(self.layers[number] for number in np.unique(self.layer[found]))


_KEPT: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], Surroundings]] = OrderedDict()
_KEPT_SIZE = 8
_LOCK = Lock()


def _surroundings(layers: Mapping[str, PreparedLayer], reach_m: Mapping[str, float]) -> Surroundings:
    """Made once for the layers and reaches of a docket, which are kept so that their ids stay theirs."""
    given = reach_m, *layers.values()
    key = tuple(map(id, given))
    with _LOCK:
        if key not in _KEPT:
            _KEPT[key] = given, Surroundings.of(layers, reach_m)
            while len(_KEPT) > _KEPT_SIZE:
                _KEPT.popitem(last=False)
        return _KEPT[key][1]


def alone_of(
    subjects: Subjects,
    fits: bool,
    layers: Mapping[str, PreparedLayer],
    reach_m: Mapping[str, float],
    found: Found,
    clear: Answer,
) -> Alone | None:
    """The one subject, where it is one that `Alone` is about: a line or polygon of known accuracy.

    ``layers`` are those that rules ask it about.
    """
    accuracy, geometry = float(subjects.accuracy_m[0]), subjects.geoms[0]
    if not fits or np.isnan(accuracy) or shapely.get_dimensions(geometry) < 1:
        return None
    near = _surroundings(layers, reach_m).near(geometry, accuracy)
    return Alone(subjects, geometry, accuracy, reach_m, found, clear, near)
