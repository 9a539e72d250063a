"""What the store knows that a file's coordinates can be held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import shapely
from sqlalchemy import Connection, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.crs import LONLAT, transformation
from gis.importing.detective.attributes import MOST_COLUMNS, spread_rows, taken, texts
from gis.importing.reading.spool import Reading
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Area", "Evidence", "Known", "Seat", "load_evidence"]

Extent = tuple[float, float, float, float]

# More areas than any district has; a wrong definition must not fill the memory.
_MOST_AREAS = 20_000
# Rows whose codes are looked up. Every row of a small file, so that a few deviating rows are found.
_LOOKED_UP = 20_000
_LONGEST_CODE = 100


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

    ``places`` maps a uid to (lon, lat) in degrees, the middle of the box for a line or polygon;
    ``accuracy_m`` is the median of what the rows state, None when they state nothing.
    """

    column: str
    places: Mapping[str, tuple[float, float]]
    accuracy_m: float | None

    def place(self, value: str) -> tuple[float, float] | None:
        """The registered position of a code as it is written in the file."""
        return self.places.get(value) or self.places.get(value.upper())


@dataclass(frozen=True)
class Evidence:
    """The district's extent in degrees, its areas and seats, and registered positions, where there are any.

    ``parents`` maps a township's name to its county's, for names that are unique.
    """

    extent: Extent
    areas: tuple[Area, ...] = ()
    seats: tuple[Seat, ...] = ()
    known: Known | None = None
    parents: Mapping[str, str] = field(default_factory=dict)


def load_evidence(
    conn: Connection, definition: MapDefinition, layer: Layer | None = None, reading: Reading | None = None
) -> Evidence:
    """What the store holds now; with ``layer`` and ``reading`` also the positions of codes in the file.

    Areas and seats come from the context layers whose label is the name of a county or township, parents
    from those and from the registers beside them. Positions in degrees.
    """
    areas: list[Area] = []
    seats: list[Seat] = []
    for held in definition.layers.values():
        if held.role != "context" or held.names.label not in (held.names.county, held.names.township):
            continue
        for name, county, code, shape, accuracy in _named_places(conn, definition, held):
            if isinstance(shape, shapely.Point):
                seats.append(Seat(name, county, code, shape.x, shape.y))
            else:
                areas.append(Area(name, code, shape, accuracy))
    known = _known(conn, definition, layer, reading) if layer is not None and reading is not None else None
    parents = _parents(conn, definition, seats)
    return Evidence(definition.bounds_lonlat, tuple(areas), tuple(seats), known, parents)


def _named_places(
    conn: Connection, definition: MapDefinition, layer: Layer
) -> Iterator[tuple[str, str | None, str | None, shapely.Geometry, float | None]]:
    table = tables.table_for(layer, definition.district.storage_crs)
    code = next((f.name for f in layer.fields if f.format == "adcode"), None)
    county = layer.names.county if layer.names.county != layer.names.label else None
    columns = [
        table.c[layer.names.label].label("name"),
        func.ST_AsBinary(table.c.geom).label("wkb"),
        table.c.accuracy_m,
        *([table.c[code].label("code")] if code else []),
        *([table.c[county].label("county")] if county else []),
    ]
    rows = conn.execute(select(*columns).where(table.c.rev_to.is_(None)).limit(_MOST_AREAS)).mappings().all()
    shapes = shapely.from_wkb([bytes(row["wkb"]) if row["wkb"] is not None else None for row in rows])
    back = transformation(definition.district.storage_crs, LONLAT, definition.district.extent)
    for row, shape in zip(rows, back.geometries(np.asarray(shapes, dtype=object)), strict=True):
        if row["name"] and shape is not None and not shape.is_empty:
            yield row["name"], row.get("county"), row.get("code"), shape, row["accuracy_m"]


def _parents(conn: Connection, definition: MapDefinition, seats: list[Seat]) -> dict[str, str]:
    """County by township name; a name that two counties have is left out."""
    found: dict[str, set[str]] = {}
    for seat in seats:
        if seat.county:
            found.setdefault(seat.name, set()).add(seat.county)
    for layer in definition.layers.values():
        county, label = layer.names.county, layer.names.label
        if layer.role != "register" or county is None or not any(f.format == "adcode" for f in layer.fields):
            continue
        table = tables.table_for(layer, definition.district.storage_crs)
        rows = select(table.c[label], table.c[county]).where(table.c.rev_to.is_(None)).limit(_MOST_AREAS)
        for name, parent in conn.execute(rows):
            if name and parent and name != parent:
                found.setdefault(name, set()).add(parent)
    return {name: next(iter(counties)) for name, counties in found.items() if len(counties) == 1}


def _known(conn: Connection, definition: MapDefinition, layer: Layer, reading: Reading) -> Known | None:
    """The column of the file that holds most uids of the layer, and their registered positions."""
    if not layer.has_geometry or len(layer.key) != 1 or not reading.header.rows:
        return None
    table = tables.table_for(layer, definition.district.storage_crs)
    current = table.c.rev_to.is_(None)
    if conn.scalar(select(table.c.row_id).where(current).limit(1)) is None:
        return None
    sample = taken(reading, spread_rows(np.arange(reading.header.rows), _LOOKED_UP))
    columns = {name: _codes(sample.column(name)) for name in reading.header.columns[:MOST_COLUMNS]}
    asked = sorted({code for codes in columns.values() for code in codes})
    if not asked:
        return None
    middle = func.ST_Centroid(func.ST_Envelope(table.c.geom))
    rows = conn.execute(
        select(table.c.uid, func.ST_X(middle), func.ST_Y(middle), table.c.accuracy_m)
        .where(current)
        .where(table.c.uid == any_(literal(asked, ARRAY(Text))))
    ).all()
    rows = [row for row in rows if row[1] is not None]
    if not rows:
        return None
    back = transformation(definition.district.storage_crs, LONLAT, definition.district.extent)
    lonlat = back.xy(np.array([(row[1], row[2]) for row in rows]))
    places = {row[0]: (float(p[0]), float(p[1])) for row, p in zip(rows, lonlat, strict=True)}
    hits = Counter({name: len(codes & places.keys()) for name, codes in columns.items()})
    stated = [float(row[3]) for row in rows if row[3] is not None]
    return Known(hits.most_common(1)[0][0], places, float(np.median(stated)) if stated else None)


def _codes(column: pa.ChunkedArray) -> set[str]:
    """Values that may be uids, as they stand and in capitals; none for a column of few different values."""
    values = [v for v in texts(column) if v and len(v) <= _LONGEST_CODE]
    distinct = set(values)
    if 2 * len(distinct) < len(values):
        return set()
    return distinct | {v.upper() for v in distinct}
