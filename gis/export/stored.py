"""Rows of a layer from the store, through a cursor of the server, so many at a time as memory likes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from sqlalchemy import Connection, Select

from gis.crs import LONLAT, Transformation, transformation
from gis.export.content import Batch, Column, Content
from gis.features import ItemQuery, property_fields, select_items
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["stored_content"]

_BATCH_BYTES = 16 * 2**20
_FIRST_ROWS, _MOST_ROWS = 64, 20_000
_ROW_BYTES = 400  # about what the attributes of a row take

# What a row has besides the fields of its layer: zh, en, unit.
_ROW_TITLES: dict[str, tuple[str, str, str | None]] = {
    "uid": ("标识", "Identifier", None),
    "accuracy_m": ("位置误差上限", "Bound of the position error", "m"),
    "is_indicative": ("仅为示意", "Indicative", None),
    "is_demonstration": ("演示数据", "Demonstration", None),
    "source": ("来源", "Source", None),
    "valid_from": ("生效日期", "In force from", None),
    "valid_to": ("失效日期", "In force to", None),
    "rev_from": ("数据修订", "Data revision", None),
}


def stored_content(
    conn: Connection, definition: MapDefinition, layer: Layer, query: ItemQuery, crs: int
) -> Content:
    """The rows of ``layer`` that ``query`` chooses, geometry in EPSG:``crs``, x,y.

    Raises
    ------
    QueryError
        For a property the layer does not have, or a value that its type cannot read.
    CrsError
        When no trustworthy transformation leads to the CRS.
    """
    storage = definition.district.storage_crs
    used = transformation(storage, crs, definition.district.extent)
    statement = select_items(definition, layer, query)
    facts: dict[str, object] = {"layer": layer.id, "revision": query.rev}
    if layer.has_geometry and crs == LONLAT and _keeps_numbers(used, definition):
        facts["frame"] = f"EPSG:{storage}"
    return Content(
        name=layer.id,
        columns=_columns(layer),
        key="uid",
        geometry=layer.geometry if layer.has_geometry else None,
        crs=f"EPSG:{crs}" if layer.has_geometry else None,
        batches=lambda: _batches(conn, statement, layer, used),
        layer=layer,
        facts=facts,
    )


def _columns(layer: Layer) -> tuple[Column, ...]:
    fields = {field.name: field for field in layer.fields}
    found = []
    for name, kind in property_fields(layer).items():
        if name in fields:
            field = fields[name]
            found.append(Column(name, kind, field.title.zh, field.title.en, field.unit))
        else:
            found.append(Column(name, kind, *_ROW_TITLES[name]))
    return tuple(found)


def _batches(
    conn: Connection, statement: Select[tuple[object, ...]], layer: Layer, used: Transformation
) -> Iterator[Batch]:
    """The rows in order; a batch holds about 16 MB, one row where that is larger."""
    size = _FIRST_ROWS
    with conn.execute(statement, execution_options={"stream_results": True}) as result:
        while rows := result.fetchmany(size):
            columns = list(zip(*rows, strict=True))[1:]
            wkb = columns.pop()
            geometry = None
            held = _ROW_BYTES * len(rows)
            if layer.has_geometry:
                held += sum(len(shape) for shape in wkb if shape is not None)
                geometry = used.geometries(shapely.from_wkb(np.array(wkb, dtype=object)))
            yield Batch(columns, geometry)
            size = max(1, min(size * 8, _MOST_ROWS, _BATCH_BYTES * len(rows) // held))


def _keeps_numbers(used: Transformation, definition: MapDefinition) -> bool:
    """Whether the operation leaves all numbers alone: frames that agree, as CGCS2000 and WGS 84 do."""
    west, south, east, north = definition.district.extent
    places = np.array([(west, south), (east, north), (west / 3, south / 3)], dtype=float)
    return used.transformer is not None and bool(np.array_equal(used.xy(places), places))
