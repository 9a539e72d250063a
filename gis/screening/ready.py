"""What is ready for all single sites that one docket puts the same questions about."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from math import isnan
from threading import Lock

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import Geometries, Indices
from gis.screening.answered import Answered
from gis.screening.apart import Few
from gis.screening.asking import Ask
from gis.screening.docket import Docket
from gis.screening.filters import Flags
from gis.screening.ground import ASIDE_M, Answer, Missing
from gis.screening.hits import Hits
from gis.screening.inputs import PreparedLayer, Selection, Subjects
from layers.rulemodel import AreaShare, AreaShareOutside, CountGt, Disjoint, Predicate, UpstreamWithin

__all__ = ["Alike", "Ready", "Settling", "ready_of"]

_OTHER_WAYS = (Disjoint, AreaShareOutside, UpstreamWithin)
"""Predicates that are about lying in no zone, or not about the distance in a straight line."""


@dataclass(frozen=True, eq=False, slots=True)
class Settling:
    """What of a question about meeting zones, put to a site alone, is the same wherever the site is.

    Attributes
    ----------
    missing : dict of str to bool[1]
        What is missing where no coverage holds the site: coverage, and what its filter lacks.
    may_reach_any : bool
        Whether zones may count that no distance tells of: of no known error, or beyond where rules look.
    """

    put: Ask
    selection: Selection
    missing: Missing
    count: int
    has_zones: bool
    may_reach_any: bool

    @classmethod
    def of(cls, put: Ask, selection: Selection, farthest_m: float) -> Settling:
        """That of the question ``put`` to a layer of which no rule looks farther than ``farthest_m``."""
        lacking = [name for name, lacks in put.applicable.missing.items() if lacks[0]]
        return cls(
            put=put,
            selection=selection,
            missing=dict.fromkeys(("coverage", *lacking), np.ones(1, dtype=bool)),
            count=len(selection),
            has_zones=len(selection.both) > 0,
            may_reach_any=selection.both.has_boundless or put.predicate.reach_m > farthest_m,
        )


@dataclass(frozen=True, eq=False, slots=True)
class Alike:
    """Questions that have one answer, but for margins and attributes, wherever no zone is within reach.

    Attributes
    ----------
    reach_m : float
        How far they look.
    own : predicate or None
        Where what lies outside the coverage is not simply unknown.
    settlings : list of Settling
        At least one.
    """

    layer: PreparedLayer
    reach_m: float
    own: Predicate | None
    settlings: list[Settling]


@dataclass(frozen=True, eq=False)
class Ready:
    """What does not go by the site.

    Attributes
    ----------
    layers : tuple of str
    layer : int64[]
        Which of them each box is of.
    tree : shapely.STRtree
        Index of boxes of the pieces of all zones, grown as far as rules on their layer look.
    reach_m : mapping of str to float
        The farthest that any rule looks, by layer.
    deepest_m : float
        How far the coverage must hold at most what is around the site: distances that are assumed count too.
    alike : tuple of Alike
        The questions that are put to the site about meeting zones of ``layers``.
    clear : Answer
        That the site is clear and nothing was measured; cannot be written to.
    not_put : dict of Ask to Answered
        What comes of the questions about ``layers`` that are not put to the site.
    few : Few
        The zones of those that are put to the site.
    """

    layers: tuple[str, ...]
    layer: Indices
    tree: shapely.STRtree
    reach_m: Mapping[str, float]
    deepest_m: float
    alike: tuple[Alike, ...]
    clear: Answer
    not_put: dict[Ask, Answered]
    few: Few

    @cached_property
    def farthest_m(self) -> float:
        """The farthest that any rule looks."""
        return max(self.reach_m.values(), default=0.0)

    @classmethod
    def of(cls, layers: Mapping[str, PreparedLayer], docket: Docket, law_date: date) -> Ready:
        """For the questions of a docket on ``layers``; it is kept as long, so that ids stay theirs."""
        boxes, owner = [np.empty((0, 4))], [np.empty(0, dtype=np.int64)]
        for number, (name, layer) in enumerate(layers.items()):
            bounds = shapely.bounds(layer.every.pieces.geoms).reshape(-1, 4)
            farthest = docket.reach_m.get(name, 0.0) + float(np.nan_to_num(layer.error_m)) + ASIDE_M
            boxes.append(bounds[~np.isnan(bounds[:, 0])] + farthest * np.array([-1.0, -1.0, 1.0, 1.0]))
            owner.append(np.full(len(boxes[-1]), number, dtype=np.int64))
        grown: Geometries = np.asarray(shapely.box(*np.concatenate(boxes).T), dtype=object)
        tree, clear = shapely.STRtree(grown), _clear()
        selected = list(_selected(layers, docket, law_date))
        not_put = {
            put: Answered(clear, Hits.none(), len(selection))
            for put, asked, selection in selected
            if not len(asked) and _by_meeting(put)
        }
        put_to_it = [(put, selection) for put, asked, selection in selected if len(asked)]
        alike = _alike(put_to_it, docket)
        few = Few(selection.both for _, selection in put_to_it)
        deepest = max((put.predicate.reach_m for put, _ in put_to_it), default=0.0)
        reach, of = docket.reach_m, np.concatenate(owner)
        return cls(tuple(layers), of, tree, reach, deepest, alike, clear, not_put, few)

    def near(self, geometry: BaseGeometry, accuracy_m: float) -> frozenset[str]:
        """The layers with a zone that may be near a site of that accuracy in metres."""
        x0, y0, x1, y1 = geometry.bounds
        found = self.tree.query(
            shapely.box(x0 - accuracy_m, y0 - accuracy_m, x1 + accuracy_m, y1 + accuracy_m)
        )
        return frozenset(self.layers[number] for number in set(self.layer[found].tolist()))


def _selected(
    layers: Mapping[str, PreparedLayer], docket: Docket, law_date: date
) -> Iterator[tuple[Ask, Indices, Selection]]:
    """The questions about zones of ``layers``, to whom each is put, and the zones that it is about."""
    for entry in docket.entries:
        layer = None if entry.rule.zone_layer is None else layers.get(entry.rule.zone_layer)
        if layer is not None:
            yield from ((put, asked, layer.select(put.zone_where, law_date)) for put, asked in entry.asks)


def _by_meeting(put: Ask) -> bool:
    """Whether a question is about meeting zones within a distance in a straight line."""
    return not put.is_assumed and not isinstance(put.predicate, _OTHER_WAYS)


def _alike(put_to_it: Iterable[tuple[Ask, Selection]], docket: Docket) -> tuple[Alike, ...]:
    """Those questions that are about meeting zones."""
    found: dict[tuple[object, ...], Alike] = {}
    for put, selection in put_to_it:
        if not _by_meeting(put):
            continue
        layer, predicate = selection.layer, put.predicate
        name = layer.source.layer_id
        own = predicate if isinstance(predicate, (AreaShare, CountGt)) else None
        each = found.setdefault(
            (name, predicate.reach_m, own), Alike(layer, predicate.reach_m, own, settlings=[])
        )
        each.settlings.append(Settling.of(put, selection, docket.reach_m.get(name, 0.0)))
    return tuple(found.values())


def _clear() -> Answer:
    """That one subject is clear, as many may share it."""
    clear = Answer.blank(1)
    for column in (clear.code, clear.capped, clear.margin_m, clear.error_m, clear.on_boundary):
        column.flags.writeable = False
    return clear


_KEPT: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], Ready]] = OrderedDict()
_KEPT_SIZE = 8
_LOCK = Lock()


def ready_of(
    subjects: Subjects, fits: Flags, layers: Mapping[str, PreparedLayer], docket: Docket, law_date: date
) -> Ready | None:
    """What is ready, where there is one subject, a line or polygon of known accuracy; else None.

    Made once for a docket, which is of one day, and its layers, which are kept so that their ids stay theirs.
    """
    if len(subjects) != 1 or not fits[0] or isnan(subjects.accuracy_m[0]):
        return None
    if shapely.get_dimensions(subjects.geoms[0]) < 1:
        return None
    given = docket, *layers.values()
    key = tuple(map(id, given))
    with _LOCK:
        if key not in _KEPT:
            _KEPT[key] = given, Ready.of(layers, docket, law_date)
            while len(_KEPT) > _KEPT_SIZE:
                _KEPT.popitem(last=False)
        return _KEPT[key][1]
