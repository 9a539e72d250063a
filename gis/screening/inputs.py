"""What the judge is given: subjects and zone layers as arrays, and zone layers made ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
import shapely

from gis.kernel.arrays import Floats, Geometries, Indices
from gis.kernel.zones import ZoneSet
from gis.screening.filters import Attributes, Column, FilterResult, Flags, evaluate
from layers.rulemodel import Where
from layers.waters import NetworkReading

if TYPE_CHECKING:
    from gis.kernel.network import Network

__all__ = ["PreparedLayer", "Selection", "Subjects", "ZoneLayer", "screenable"]


@dataclass(frozen=True, eq=False)
class ZoneLayer:
    """The zones of one layer that are in force, in the measuring plane.

    Attributes
    ----------
    layer_id : str
    uids, names : object[n]
        What findings call a zone; a name may be None.
    geoms : object[n]
        Valid geometries in metres, x,y order; empty ones are never met.
    accuracy_m : float64[n]
        Bound of each outline's error in metres; NaN = unknown.
    is_indicative : bool[n]
        Zones that are no official delimitation.
    attributes : mapping of str to object[n]
        None where missing.
    coverage : geometry or None
        The polygon within which the layer is complete; None = never stated, which counts as nowhere.
    network : NetworkReading or None
        How its lines make a river network; None for other layers.
    """

    layer_id: str
    uids: Column
    names: Column
    geoms: Geometries
    accuracy_m: Floats
    is_indicative: Flags
    attributes: Mapping[str, Column]
    coverage: shapely.Geometry | None
    network: NetworkReading | None = None


@dataclass(frozen=True, eq=False)
class Subjects:
    """What is judged, in the measuring plane.

    Attributes
    ----------
    layer_id : str
        A layer, or "parcel" for a drawn site.
    kinds : frozenset of str
        The subjects of rules that these answer to: layer ids and "parcel". A drawn new project answers to
        ``{"projects", "parcel"}``.
    uids : object[n]
    geoms : object[n]
        Points, lines or polygons in metres, x,y order, kinds may be mixed. What is missing, empty, invalid
        or of another kind gets the verdict unknown with "geometry" missing.
    accuracy_m : float64[n]
        Bound of each position's error in metres; NaN = unknown.
    attributes : mapping of str to object[n]
        None where missing.
    """

    layer_id: str
    kinds: frozenset[str]
    uids: Column
    geoms: Geometries
    accuracy_m: Floats
    attributes: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.geoms)


@dataclass(frozen=True, eq=False)
class Selection:
    """The zones of a layer that pass a zone filter, and those that may.

    Attributes
    ----------
    yes, maybe : ZoneSet
        Zones known to pass; zones for which the filter cannot be decided.
    yes_index, maybe_index : int64[]
        Their rows in the layer.
    lacking : FilterResult
        Over all zones of the layer: which attributes the maybe zones lack.
    """

    layer: PreparedLayer = field(repr=False)
    yes: ZoneSet
    yes_index: Indices
    maybe: ZoneSet
    maybe_index: Indices
    lacking: FilterResult

    def __len__(self) -> int:
        return len(self.yes) + len(self.maybe)

    @cached_property
    def both(self) -> ZoneSet:
        """The yes zones and the maybe zones, in the order of ``both_index``."""
        return self.layer.zones(self.both_index) if len(self.maybe) else self.yes

    @cached_property
    def both_index(self) -> Indices:
        """Rows of the layer."""
        return np.concatenate([self.yes_index, self.maybe_index])

    @cached_property
    def place(self) -> Indices:
        """For each row of the layer its place in ``both``, -1 for a zone that is not in it."""
        place = np.full(len(self.layer.every), -1, dtype=np.int64)
        place[self.both_index] = np.arange(len(self.both_index))
        return place

    @cached_property
    def is_indicative(self) -> Flags:
        """Per zone of ``both``."""
        return self.layer.source.is_indicative[self.both_index]

    @cached_property
    def has_indicative(self) -> bool:
        """Whether any zone of ``both`` is."""
        return bool(self.is_indicative.any())

    @cached_property
    def official(self) -> Selection:
        """The same without indicative zones."""
        indicative = self.layer.source.is_indicative
        yes, maybe = (rows[~indicative[rows]] for rows in (self.yes_index, self.maybe_index))
        return Selection(self.layer, self.layer.zones(yes), yes, self.layer.zones(maybe), maybe, self.lacking)


_ASKED_SIZE = 256


class PreparedLayer:
    """A zone layer with its indexes. Keep it as long as the layer stands, use it from any thread.

    ``every`` are all its zones; ``coverage_key`` names the outline of the coverage: layers that are complete
    in the same place share it.

    Raises KernelInputError for an invalid zone or coverage (names index and reason).
    """

    def __init__(self, source: ZoneLayer) -> None:
        self.source = source
        self.attributes = Attributes(source.attributes, len(source.geoms))
        self.every = ZoneSet.prepare(source.geoms, source.accuracy_m)
        self._sets: dict[bytes, ZoneSet] = {}
        self._selections: dict[bytes, Selection] = {}
        self._asked: dict[tuple[int, date], tuple[Where, Selection]] = {}
        self._lock = RLock()
        self._network: Network | None = None
        outline = [] if source.coverage is None else [source.coverage]
        self.coverage = ZoneSet.prepare(outline, 0.0)
        self.coverage_key = b"" if source.coverage is None else shapely.to_wkb(source.coverage)

    @property
    def network(self) -> Network | None:
        """The river network its lines make, built on first use; None where the layer is none."""
        reading = self.source.network
        if reading is None:
            return None
        from gis.kernel.network import AGAINST, NOT_KNOWN, WITH, build_network

        with self._lock:
            if self._network is None:
                flow = np.full(len(self.source.geoms), WITH)
                if reading.flow is not None and reading.flow in self.source.attributes:
                    stated = self.source.attributes[reading.flow]
                    flow[stated == "against"], flow[stated == "unknown"] = AGAINST, NOT_KNOWN
                self._network = build_network(
                    self._followed(reading),
                    flow=flow,
                    accuracy_m=self.source.accuracy_m,
                    join_m=reading.join_m,
                )
            return self._network

    def _followed(self, reading: NetworkReading) -> Geometries:
        """The lines, empty where they are too coarse to follow."""
        geoms = self.source.geoms.copy()
        if reading.max_error_m is not None:
            geoms[~(self.source.accuracy_m <= reading.max_error_m)] = shapely.LineString()
        return geoms

    @cached_property
    def error_m(self) -> float:
        """The largest error of any zone in metres; NaN where one is not known."""
        return float(self.every.accuracy_m.max(initial=0.0))

    def zones(self, rows: Indices) -> ZoneSet:
        """Return the zones at ``rows`` as a set of their own; the same rows give the same set."""
        with self._lock:
            key = rows.tobytes()
            if key not in self._sets:
                self._sets[key] = self.every.take(rows)
            return self._sets[key]

    def select(self, where: Where, law_date: date) -> Selection:
        """Return the zones that pass ``where`` and those that may; equal answers give the same selection."""
        # The filter itself is kept with the entry, so that its id cannot be given to another one meanwhile.
        asked = id(where), law_date
        with self._lock:
            if asked in self._asked:
                return self._asked[asked][1]
        found = evaluate(where, self.attributes, law_date)
        with self._lock:
            key = np.packbits(found.yes).tobytes() + b"|" + np.packbits(found.unknown).tobytes()
            if key not in self._selections:
                yes, maybe = np.flatnonzero(found.yes), np.flatnonzero(found.unknown)
                self._selections[key] = Selection(self, self.zones(yes), yes, self.zones(maybe), maybe, found)
            while len(self._asked) >= _ASKED_SIZE:
                del self._asked[next(iter(self._asked))]
            self._asked[asked] = where, self._selections[key]
            return self._selections[key]

    def trace(self) -> None:
        """Trace the boundaries of all selections that were asked for, so that no question has to."""
        with self._lock:
            selections = list(self._selections.values())
        self.coverage.union.whole()
        for selection in selections:
            selection.both.union.whole()


def screenable(geoms: Geometries) -> Flags:
    """Tell which geometries can be judged: valid, not empty, and points, lines or polygons (bool[n])."""
    fits = np.array(shapely.is_geometry(geoms), dtype=bool)
    fits[fits] = shapely.get_type_id(geoms[fits]) < _COLLECTION
    fits[fits] = ~shapely.is_empty(geoms[fits]) & shapely.is_valid(geoms[fits])
    return fits


_COLLECTION = 7
"""The type of a GeometryCollection; those before it are points, lines and polygons."""
