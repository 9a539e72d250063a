"""Rows of a layer from the store, through a cursor of the server, so many at a time as memory likes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, CursorResult, Row, Select, func, select

from gis.cql2 import computing
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


@contextmanager
def stored_content(
    conn: Connection, definition: MapDefinition, layer: Layer, query: ItemQuery, crs: int
) -> Iterator[Content]:
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
    placed = layer.has_geometry and query.geometry
    if placed and crs == LONLAT and _keeps_numbers(used, definition):
        facts["frame"] = f"EPSG:{storage}"
    rows = _Rows(conn, statement, used if placed else None)
    content = Content(
        name=layer.id,
        columns=_columns(layer, query),
        key="uid",
        geometry=layer.geometry if placed else None,
        crs=f"EPSG:{crs}" if placed else None,
        batches=rows,
        layer=layer,
        facts=facts,
        count=lambda: conn.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0,
    )
    try:
        yield content
    finally:
        rows.close()


def _columns(layer: Layer, query: ItemQuery) -> tuple[Column, ...]:
    fields = {field.name: field for field in layer.fields}
    found = []
    for name, kind in property_fields(layer, query.properties).items():
        if name in fields:
            field = fields[name]
            found.append(Column(name, kind, field.title.zh, field.title.en, field.unit))
        else:
            found.append(Column(name, kind, *_ROW_TITLES[name]))
    return tuple(found)


class _Rows:
    """The rows in order, as often as they are asked for; a batch holds about 16 MB, but at least a row.

    A writer that gives up leaves its rows half read, and who knows when they are collected; so the cursor is
    closed here, before the connection goes to somebody else.
    """

    def __init__(self, conn: Connection, statement: Select[Any], used: Transformation | None) -> None:
        self._conn, self._statement, self._used = conn, statement, used
        self._result: CursorResult[Any] | None = None

    def close(self) -> None:
        """End the reading that is under way."""
        if self._result is not None:
            self._result.close()
            self._result = None

    def __call__(self) -> Iterator[Batch]:
        self.close()
        with computing():
            self._result = self._conn.execute(self._statement, execution_options={"stream_results": True})
        return self._batches(self._result)

    def _batches(self, result: CursorResult[Any]) -> Iterator[Batch]:
        size = _FIRST_ROWS
        while rows := _fetched(result, size):
            columns = list(zip(*rows, strict=True))[2:]
            wkb = columns.pop()
            geometry = None
            held = _ROW_BYTES * len(rows)
            if self._used is not None:
                held += sum(len(shape) for shape in wkb if shape is not None)
                geometry = self._used.geometries(shapely.from_wkb(np.array(wkb, dtype=object)))
            yield Batch(columns, geometry)
            size = max(1, min(size * 8, _MOST_ROWS, _BATCH_BYTES * len(rows) // held))


def _fetched(result: CursorResult[Any], size: int) -> Sequence[Row[Any]]:
    with computing():
        return result.fetchmany(size)


def _keeps_numbers(used: Transformation, definition: MapDefinition) -> bool:
    """Whether the operation leaves all numbers alone: frames that agree, as CGCS2000 and WGS 84 do."""
    west, south, east, north = definition.district.extent
    places = np.array([(west, south), (east, north), (west / 3, south / 3)], dtype=float)
    return used.transformer is not None and bool(np.array_equal(used.xy(places), places))
