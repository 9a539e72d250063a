"""Rows of a layer read from the store, and their GeoJSON.

Coordinates leave the store through the explicitly chosen transformation, all geometries of a page at once;
the database is never asked to transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    Row,
    Select,
    func,
    null,
    select,
)

from gis import tables
from gis.axes import CRS84, NamedCrs
from gis.crs import transformation
from gis.errors import NotFound
from gis.features.digits import rounded
from gis.features.query import ItemQuery, condition, property_fields
from gis.features.sorting import in_order, sort_columns
from gis.filters import column_of
from gis.revisions import alive, shown
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = [
    "Feature",
    "features_of",
    "item",
    "read_rows",
    "row_geometries",
    "select_items",
    "select_rows",
    "shaped",
]

Feature = dict[str, Any]


def item(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    uid: str,
    *,
    rev: int,
    crs: NamedCrs = CRS84,
    properties: Sequence[str] | None = None,
    geometry: bool = True,
) -> Feature:
    """The feature ``uid`` as it was at revision ``rev``; NotFound when it did not live then."""
    table = shown(layer, definition.district.storage_crs, rev)
    statement = select_rows(layer, table, properties, geometry=geometry)
    rows: Sequence[Row[Any]] = []
    if "\0" not in uid:
        rows = conn.execute(statement.where(alive(table, rev), table.c.uid == uid)).all()
    if not rows:
        raise NotFound(
            f"{layer.id} has no item {uid[:120]!r} at revision {rev}.",
            f"图层 {layer.id} 在修订 {rev} 时没有“{uid[:120]}”。",
        )
    return shaped(definition, layer, rows, crs, properties, geometry=geometry)[0]


def read_rows(
    conn: Connection, definition: MapDefinition, layer: Layer, rev: int, crs: int
) -> tuple[list[Row[Any]], NDArray[np.object_] | None]:
    """All rows of ``layer`` at ``rev`` in order, and their geometries in EPSG:``crs`` (None: a register)."""
    table = shown(layer, definition.district.storage_crs, rev)
    statement = select_rows(layer, table).where(alive(table, rev)).order_by(table.c.row_id)
    rows = list(conn.execute(statement).all())
    return rows, row_geometries(definition, rows, crs) if layer.has_geometry else None


def select_items(definition: MapDefinition, layer: Layer, query: ItemQuery) -> Select[Any]:
    """The statement for the rows that ``query`` chooses, in order: row_id, id, the properties, geom as WKB.

    Places of pages are left aside, and so is the query's CRS: geometry is in the storage CRS.

    Raises
    ------
    QueryError
        For a property the layer does not have, a value that its type cannot read, a filter that does not fit.
    """
    table = shown(layer, definition.district.storage_crs, query.rev)
    columns = sort_columns(layer, table, query.sort)
    statement = (
        select_rows(layer, table, query.properties, geometry=query.geometry)
        .where(condition(definition, layer, table, query, query.rev))
        .order_by(*in_order(columns, query.sort, table.c.row_id, back=False))
    )
    return statement.limit(query.limit).offset(query.offset or None)


def select_rows(
    layer: Layer,
    table: FromClause,
    properties: Sequence[str] | None = None,
    *,
    geometry: bool = True,
    extra: Sequence[ColumnElement[Any]] = (),
) -> Select[Any]:
    """row_id, id (the uid), the properties in order, ``extra``, and geom as WKB (null: none, or unwanted)."""
    s = tables.sources
    shape: ColumnElement[Any] = null()
    if layer.has_geometry and geometry:
        shape = func.ST_AsBinary(table.c.geom, type_=LargeBinary)
    columns = [column_of(table, name).label(name) for name in property_fields(layer, properties)]
    return select(table.c.row_id, table.c.uid.label("id"), *columns, *extra, shape.label("geom")).join_from(
        table, s, table.c.source_id == s.c.source_id
    )


def shaped(
    definition: MapDefinition,
    layer: Layer,
    rows: Sequence[Row[Any]],
    crs: NamedCrs,
    properties: Sequence[str] | None = None,
    *,
    geometry: bool = True,
) -> list[Feature]:
    """GeoJSON features of ``rows`` as `select_rows` gives them, in ``crs``."""
    shapes = None
    if layer.has_geometry and geometry and rows:
        shapes = row_geometries(definition, rows, crs.epsg)
    return features_of(layer, rows, shapes, crs, properties)


def features_of(
    layer: Layer,
    rows: Sequence[Row[Any]],
    geometry: NDArray[np.object_] | None,
    crs: NamedCrs = CRS84,
    properties: Sequence[str] | None = None,
) -> list[Feature]:
    """GeoJSON features of rows as `select_rows` gives them; geometry in ``crs``, x,y; None for none.

    A geometry is a ready piece of JSON text; `orjson.dumps` puts it in.
    """
    texts: NDArray[np.object_] = np.full(len(rows), None, dtype=object)
    if geometry is not None:
        written = rounded(geometry, crs.epsg)
        if crs.swapped:
            written = np.asarray(shapely.transform(written, lambda xy: xy[:, ::-1]))
        texts = np.asarray(shapely.to_geojson(written), dtype=object)
    names = list(property_fields(layer, properties))
    end = 2 + len(names)
    found = []
    for row, text in zip(rows, texts, strict=True):
        values: dict[str, Any] = dict(zip(names, row[2:end], strict=True))
        shape = None if text is None else orjson.Fragment(text)
        found.append({"type": "Feature", "id": row.id, "geometry": shape, "properties": values})
    return found


def row_geometries(definition: MapDefinition, rows: Sequence[Row[Any]], crs: int) -> NDArray[np.object_]:
    """The rows' geometries in EPSG:``crs``, x,y order."""
    district = definition.district
    stored = shapely.from_wkb(np.array([row.geom for row in rows], dtype=object))
    return transformation(district.storage_crs, crs, district.extent).geometries(stored)
