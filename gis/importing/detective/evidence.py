"""What the store knows that a file's coordinates can be held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import shapely
from sqlalchemy import Connection

from gis.importing.reading.spool import Reading
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Area", "Evidence", "Known", "Seat", "load_evidence"]

Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class Area:
    """A county or township with its polygon in degrees; ``accuracy_m`` None is unknown."""

    name: str
    code: str | None
    shape: shapely.Geometry
    accuracy_m: float | None


@dataclass(frozen=True)
class Seat:
    """A township known by the position of its seat, degrees."""

    name: str
    county: str | None
    code: str | None
    lon: float
    lat: float


@dataclass(frozen=True)
class Known:
    """Registered positions of the target layer: the file's ``column`` holds the uids of ``places``.

    ``places`` maps a uid to (lon, lat) in degrees; ``accuracy_m`` is the median of what the rows state.
    """

    column: str
    places: Mapping[str, tuple[float, float]]
    accuracy_m: float | None


@dataclass(frozen=True)
class Evidence:
    """The district's extent in degrees, its areas and seats, and registered positions, as far as there are any."""

    extent: Extent
    areas: tuple[Area, ...] = ()
    seats: tuple[Seat, ...] = ()
    known: Known | None = None
    parents: Mapping[str, str] = field(default_factory=dict)


def load_evidence(
    conn: Connection, definition: MapDefinition, layer: Layer | None = None, reading: Reading | None = None
) -> Evidence:
    """What the store holds now; with ``layer`` and ``reading`` also the positions of codes in the file."""
    return Evidence(definition.bounds_lonlat)
