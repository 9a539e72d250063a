"""One line or polygon by itself: what no zone can reach is settled in plain numbers, without arrays.

A single site is asked some sixty questions, and most of them are about layers that have nothing near it. Then
only the coverage has a say, whatever the rule: the answer is one of a few, made once and shared. What a zone
may reach, and all that is not about meeting zones, goes the way of many subjects (`gis.screening.case`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import inf

import numpy as np
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, UNKNOWN, Parts, depth_within, side_of
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.boundary import SEAM_M
from gis.screening.answered import Answered
from gis.screening.asking import Ask
from gis.screening.ground import ASIDE_M, Answer, Found, Question
from gis.screening.hits import Hits
from gis.screening.inputs import PreparedLayer, Subjects
from gis.screening.ready import Alike, Ready, Settling
from gis.screening.sites import beyond_zones

__all__ = ["Alone"]

_NO = np.zeros(1, dtype=bool)
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
    ready : Ready
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
    near: frozenset[str]
    within: dict[bytes, bool] = field(default_factory=dict)
    _far: dict[str, bool] = field(default_factory=dict)
    _depth: dict[bytes, float] = field(default_factory=dict)
    _bares: dict[tuple[object, ...], Parts | None] = field(default_factory=dict)

    @classmethod
    def of(cls, subjects: Subjects, ready: Ready, found: Found) -> Alone:
        """The one subject, for which ``ready`` was made."""
        geometry, accuracy = subjects.geoms[0], float(subjects.accuracy_m[0])
        return cls(subjects, geometry, accuracy, ready, found, ready.near(geometry, accuracy))

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
        question = Question(settling.put.predicate, settling.selection, found=self.found)
        return len(self.found.near_pairs(*self._asked, question)[0]) > 0

    @cached_property
    def _asked(self) -> tuple[Geometries, Floats, Indices]:
        return self.subjects.geoms, self.subjects.accuracy_m.astype(np.float64), np.zeros(1, dtype=np.int64)

    def depth(self, layer: PreparedLayer) -> float:
        """How deep the site lies in the layer's coverage, metres; negative outside.

        Farther than any question looks it is a bound: nothing more is measured.
        """
        key = layer.coverage_key
        if key not in self._depth:
            beside = self.accuracy_m + ASIDE_M
            farthest, deepest = self.ready.farthest_m + beside, self.ready.deepest_m + beside
            apart = _apart_m(self.geometry.bounds, layer.coverage.bounds)
            side = (
                -inf
                if apart > farthest
                else side_of(self.geometry, layer.coverage, inside_m=deepest, outside_m=farthest)
            )
            if side is not None:
                self.within[key] = side > 0
            self._depth[key] = depth_within(self.geometry, layer.coverage) if side is None else side
        return self._depth[key]

    @cached_property
    def settled(self) -> dict[Ask, Answered]:
        """What was found of the questions where only the coverage has a say.

        It tells what attributes leave open.
        """
        found = self.ready.not_put.copy()
        for alike in self.ready.alike:
            beyond = alike.settlings
            if not self.far(alike.layer):
                beyond = [each for each in beyond if not self._may_meet(each)]
            if beyond:
                self._settle(alike, beyond, found)
        return found

    def _settle(self, alike: Alike, beyond: list[Settling], found: dict[Ask, Answered]) -> None:
        """Write the answers to those of ``alike`` of which no zone can reach the site."""
        bare, none = self._bare(alike, beyond[0]), Hits.none()
        if bare is None:
            found.update({each.put: Answered(self.ready.clear, none, each.count) for each in beyond})
            return
        parts = {0: bare}
        for each in beyond:
            margin = self._margin(each, alike.reach_m)
            if margin is not None:
                answer = Answer(_UNKNOWN, each.missing, _NO, *margin, _NO, parts)
                found[each.put] = Answered(answer, none, each.count)

    def _bare(self, alike: Alike, one: Settling) -> Parts | None:
        """What of a site beyond all zones is unknown for want of coverage; None where it is clear."""
        depth, reach = self.depth(alike.layer), self.accuracy_m + alike.reach_m
        if depth > reach:
            return None
        key = alike.layer.coverage_key, alike.reach_m, alike.own
        if key not in self._bares:
            everywhere = depth < -reach - TOUCH_M and alike.own is None
            self._bares[key] = (
                self.found.whole(self.geometry, 0, UNKNOWN) if everywhere else self._bare_of(one, depth)
            )
        return self._bares[key]

    def _bare_of(self, one: Settling, depth_m: float) -> Parts | None:
        """The same where some of it may be covered, or what is not covered is not simply unknown."""
        question = Question(one.put.predicate, one.selection, found=self.found)
        code, parts, _ = beyond_zones(self.geometry, self.accuracy_m, depth_m, question)
        return None if code == CLEAR else parts

    def _margin(self, settling: Settling, reach_m: float) -> tuple[Floats, Floats] | None:
        """How far the site lies within the limit of the nearest zone, and the error; NaN where not wanted.

        None where it must be measured otherwise: it may lie in the gap of a seam.
        """
        if not self.found.facts or not settling.has_zones:
            return _NONE, _NONE
        gap, error = self.found.apart.gap(self.geometry, 0, settling.selection)
        if not SEAM_M < gap < inf:
            return None
        return np.array([reach_m - gap]), np.array([self.accuracy_m + error])


def _apart_m(box: tuple[float, float, float, float], boxes: Floats) -> float:
    """How far a box is at least from each of others, which are none or one; infinite from none."""
    if not len(boxes):
        return np.inf
    x0, y0, x1, y1 = boxes[0].tolist()
    return float(max(x0 - box[2], box[0] - x1, y0 - box[3], box[1] - y1))
