"""One line or polygon by itself: what no zone can reach is settled in plain numbers, without arrays.

A single site is asked some sixty questions, and most of them are about layers that have nothing near it. Then
only the coverage has a say, whatever the rule: the answer is one of a few, made once and shared. What a zone
may reach, and all that is not about meeting zones, goes the way of many subjects (`gis.screening.case`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import isnan

import numpy as np
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, UNKNOWN, Parts, depth_within, side_of
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.boundary import SEAM_M
from gis.screening.asking import Ask
from gis.screening.ground import ASIDE_M, Answer, Found, Question
from gis.screening.inputs import PreparedLayer, Subjects
from gis.screening.ready import Ready, Settling
from gis.screening.sites import beyond_zones

__all__ = ["Alone"]

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
    within : dict of bytes to bool
        Whether the site lies in a coverage or outside, by the coverage's key, where its outline is surely
        elsewhere.
    """

    subjects: Subjects
    geometry: BaseGeometry
    accuracy_m: float
    ready: Ready
    found: Found
    clear: Answer
    near: frozenset[str]
    within: dict[bytes, bool] = field(default_factory=dict)
    _far: dict[str, bool] = field(default_factory=dict)
    _depth: dict[bytes, float] = field(default_factory=dict)
    _bare: dict[tuple[object, ...], tuple[int, Parts, tuple[str, ...]]] = field(default_factory=dict)
    _answers: dict[tuple[object, ...], Answer] = field(default_factory=dict)

    @classmethod
    def of(cls, subjects: Subjects, ready: Ready, found: Found, clear: Answer) -> Alone:
        """The one subject, for which ``ready`` was made."""
        geometry, accuracy = subjects.geoms[0], float(subjects.accuracy_m[0])
        return cls(subjects, geometry, accuracy, ready, found, clear, ready.near(geometry, accuracy))

    def far(self, layer: PreparedLayer) -> bool:
        """Whether surely no zone of a layer can be within the distance of any rule, given the errors."""
        name = layer.source.layer_id
        if name not in self._far:
            self._far[name] = self._is_far(layer)
        return self._far[name]

    def _is_far(self, layer: PreparedLayer) -> bool:
        """Boxes tell most; else the zones near it, which rules ask for anyway."""
        if np.isnan(layer.error_m):
            return False
        if layer.source.layer_id not in self.near:
            return True
        return not len(self.found.near_zones(*self._asked[:2], 0, layer)[0])

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
            side = -np.inf if apart > farthest else side_of(self.geometry, layer.coverage)
            if side is not None:
                self.within[key] = side > 0
            self._depth[key] = depth_within(self.geometry, layer.coverage) if side is None else side
        return self._depth[key]

    def settled(self, put: Ask) -> tuple[Answer, int] | None:
        """The answer where only the coverage has a say, and how many zones were asked about; else None.

        It tells what attributes leave open. Many questions share it, so nobody writes to it.
        """
        settling = self.ready.settling.get(id(put))
        if settling is None or not settling.by_meeting:
            return None
        if not settling.is_put:
            return self.clear, settling.count
        far = self._far.get(settling.name)
        if far is None:
            far = self.far(settling.layer)
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
        gap, error = self.found.apart.gap(self.geometry, 0, settling.selection)
        if not SEAM_M < gap < np.inf:
            return None, _NAN
        return settling.reach_m - gap, self.accuracy_m + error


def _apart_m(box: tuple[float, float, float, float], boxes: Floats) -> float:
    """How far a box is at least from each of others, which are none or one; infinite from none."""
    if not len(boxes):
        return np.inf
    x0, y0, x1, y1 = boxes[0].tolist()
    return float(max(x0 - box[2], box[0] - x1, y0 - box[3], box[1] - y1))
