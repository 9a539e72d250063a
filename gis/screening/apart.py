"""How far subjects are from the nearest zones: one alone from those of all its questions at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock
from typing import NamedTuple

import numpy as np
from shapely.geometry.base import BaseGeometry

from gis.kernel import gap_from_outside
from gis.kernel.gaps import Gaps
from gis.kernel.zones import ZoneSet
from gis.screening.inputs import PreparedLayer, Selection

__all__ = ["Apart", "Few", "Told"]

MOST_VERTICES = 8192
"""Zones with more vertices are not looked through: an index of their own finds the nearest sooner."""


class Told(NamedTuple):
    """What is nearest of some zones.

    Attributes
    ----------
    gap_m : float
        Distance to the nearest outline, line or point; so from inside a zone too.
    accuracy_m : float
        That of the zone; NaN where it is not known.
    zone : int
        The row of that zone among them.
    is_tied : bool
        Others are as near.
    is_sure : bool
        Whichever of those it is, the accuracy is the same.
    line : geometry
        What was measured to.
    """

    gap_m: float
    accuracy_m: float
    zone: int
    is_tied: bool
    is_sure: bool
    line: BaseGeometry


class Few:
    """Those of some sets of zones that are small enough to be looked through all at once."""

    def __init__(self, sets: Iterable[ZoneSet]) -> None:
        few = [zones for zones in sets if not zones.is_blank and int(zones.weight.sum()) <= MOST_VERTICES]
        self.sets = tuple(dict.fromkeys(few))
        self._accuracy_m = np.concatenate([np.empty(0), *(zones.accuracy_m for zones in self.sets)])
        count = np.array([len(zones) for zones in self.sets], dtype=np.int64)
        self._start = np.cumsum(count) - count
        self._is_even = np.array([len(zones.errors) == 1 for zones in self.sets], dtype=bool)
        self._lock = RLock()

    def told(self, subject: BaseGeometry) -> dict[ZoneSet, Told]:
        """What is nearest to a subject of each set."""
        if not self.sets:
            return {}
        found = self.gaps.nearest(subject)
        accuracy = self._accuracy_m[self._start + found.owner]
        columns = found.gap_m, accuracy, found.owner, found.is_tied, ~found.is_tied | self._is_even
        plain = [column.tolist() for column in columns]
        return dict(zip(self.sets, map(Told, *plain, found.line), strict=True))

    @property
    def gaps(self) -> Gaps:
        """Their outlines, made ready on first use."""
        with self._lock:
            return self._gaps

    @cached_property
    def _gaps(self) -> Gaps:
        return Gaps.among([zones.rim for zones in self.sets])


@dataclass(frozen=True, eq=False)
class Apart:
    """How far the subjects of one judgement are from zones; nothing is measured before it is asked for.

    Attributes
    ----------
    few : Few or None
        The zones that a subject alone is asked about; None where there are several subjects, or only verdicts
        are wanted, for which few have to be measured.
    """

    few: Few | None = None
    _told: list[dict[ZoneSet, Told]] = field(default_factory=list)
    _nearest: dict[tuple[str, int], tuple[float, int] | None] = field(default_factory=dict)
    _gaps: dict[tuple[int, int], tuple[ZoneSet, tuple[float, float]]] = field(default_factory=dict)
    _closest: dict[int, tuple[ZoneSet, tuple[float, int, BaseGeometry]]] = field(default_factory=dict)

    def gap(self, subject: BaseGeometry, row: int, selection: Selection) -> tuple[float, float]:
        """Distance in metres and accuracy of the zone nearest to a subject that no zone reaches.

        Of many zones mostly the nearest of the layer is one that is asked.
        """
        zones = selection.both
        told = (self._told[0] if self._told else self._among_few(subject)).get(zones)
        if told is not None and told.is_sure:
            return told.gap_m, told.accuracy_m
        nearest = self._nearest_of_layer(subject, row, selection.layer)
        if nearest is not None and selection.place[nearest[1]] >= 0:
            return nearest[0], float(selection.layer.every.accuracy_m[nearest[1]])
        key = id(zones), row
        if key not in self._gaps:
            self._gaps[key] = zones, gap_from_outside(subject, zones)
        return self._gaps[key][1]

    def nearest_zone(
        self, subject: BaseGeometry, zones: ZoneSet, meets: bool
    ) -> tuple[float, int, BaseGeometry]:
        """The zone nearest to a subject alone: its distance, its row, and the part of it that is nearest.

        ``zones`` are not blank; ``meets`` says whether the subject may meet any, where its distance is 0.
        """
        if id(zones) not in self._closest:
            told = None if meets else self._among_few(subject).get(zones)
            if told is None or told.is_tied:
                piece, gap = zones.tree.query_nearest(subject, return_distance=True, all_matches=False)
                part = int(piece[0])
                found = float(gap[0]), int(zones.pieces.owner[part]), zones.pieces.geoms[part]
            else:
                found = told.gap_m, told.zone, told.line
            self._closest[id(zones)] = zones, found
        return self._closest[id(zones)][1]

    def _among_few(self, subject: BaseGeometry) -> dict[ZoneSet, Told]:
        """What is nearest of each of the few; all are looked at at once."""
        if not self._told:
            self._told.append({} if self.few is None else self.few.told(subject))
        return self._told[0]

    def _nearest_of_layer(
        self, subject: BaseGeometry, row: int, layer: PreparedLayer
    ) -> tuple[float, int] | None:
        """Distance and row of the nearest zone of a layer; None when it has none."""
        key = layer.source.layer_id, row
        if key not in self._nearest:
            rim, found = layer.every.rim, None
            if len(rim):
                line, gap = rim.tree.query_nearest(subject, return_distance=True, all_matches=False)
                found = float(gap[0]), int(rim.owner[line[0]])
            self._nearest[key] = found
        return self._nearest[key]
