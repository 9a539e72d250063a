"""Vector tiles of a layer (MVT 2.1, WebMercatorQuad), made by PostGIS from the prepared web geometry.

What stands at one place is one feature with its number ``n``, at every zoom; a tile with very many rows is
summed on a grid. So bytes stay small, and no row hides under another without the map saying so. Attributes:

    uid, label          of a single row; a summed feature has neither
    <style.by>          the class to draw; of several the first in the order of the legend, so that the
                        gravest shows where the legend lists it first
    n                   how many rows stand here
    is_indicative, is_demonstration     true when any of them is
    bbox                only where n > 1: "west,south,east,north" in degrees, as ``items?bbox=`` takes it
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    Numeric,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    collate,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis import tables
from gis.cql2 import Filter, computing, filter_condition
from gis.crs import WEB_MERCATOR
from gis.errors import NotFound
from gis.filters import property_condition
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["MAX_ZOOM", "Tile", "rendering_hash", "tile_at", "vector_tile"]

MAX_ZOOM = 22
# Changes with every change of what tiles hold, so that no cache serves an old one.
_RENDERING = "3"
_EXTENT = 4096
_BUFFER = 128  # units of the tile's own grid: 8 of 256 pixels, as wide as a symbol at its rim
_CELLS = 64  # a side; the buffer is a whole number of cells, so neighbours sum alike along their seam
_SUM_FROM_ROWS = 4000
_PIXELS = 256
# From here on the tile's own grid (1/16 pixel) is all the simplification there is, so that a map may magnify.
_EXACT_FROM_ZOOM = 14
_RADIUS_M = 6378137.0
_WORLD_M = 2 * math.pi * _RADIUS_M

Expression = ColumnElement[Any]


@dataclass(frozen=True)
class Tile:
    """A tile of the WebMercatorQuad: zoom ``z``, column ``x`` from the west, row ``y`` from the north."""

    z: int
    x: int
    y: int

    @property
    def side_m(self) -> float:
        """The side in units of EPSG:3857."""
        return _WORLD_M / (1 << self.z)

    @property
    def pixel_m(self) -> float:
        """A pixel of a 256 pixel tile in units of EPSG:3857."""
        return self.side_m / _PIXELS

    def envelope(self, margin_m: float = 0.0) -> Expression:
        """The tile's square in EPSG:3857, wider by ``margin_m`` on each side."""
        west, north = self.x * self.side_m - _WORLD_M / 2, _WORLD_M / 2 - self.y * self.side_m
        south, east = north - self.side_m, west + self.side_m
        return func.ST_MakeEnvelope(
            west - margin_m, south - margin_m, east + margin_m, north + margin_m, WEB_MERCATOR
        )


def tile_at(z: int, y: int, x: int) -> Tile:
    """The tile in row ``y`` and column ``x``; NotFound when the tile matrix set has none there."""
    if not (0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z):
        raise NotFound(
            f"WebMercatorQuad has no tile {z}/{y}/{x}.",
            f"WebMercatorQuad 中没有瓦片 {z}/{y}/{x}。",
            remedy_en=f"Zoom is 0 to {MAX_ZOOM}; row and column are 0 to 2^zoom - 1.",
            remedy_zh=f"级别为 0 至 {MAX_ZOOM}；行列号为 0 至 2^级别 - 1。",
        )
    return Tile(z, x, y)


def rendering_hash(layer: Layer) -> str:
    """A short hash of what, besides the rows, decides about the layer's tiles."""
    parts = [_RENDERING, layer.id, layer.geometry, layer.names.label, str(layer.zoom.min), *_codes(layer)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _codes(layer: Layer) -> list[str]:
    """The values of the classifying field in the order of the legend."""
    return [entry.value for entry in layer.style.classes] if layer.style else []


def vector_tile(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    tile: Tile,
    rev: int | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
    filter: Filter | None = None,
) -> bytes:
    """The tile's bytes at revision ``rev`` (None: now); empty when the layer shows nothing there.

    ``filters`` keeps rows whose property equals one of the values, ``filter`` those for which it is true, as
    for items. A tile is made from one
    level above the layer's first zoom on, for maps that draw tiles at twice their size.

    Features and attributes come in an order that depends on the content only.

    Raises
    ------
    NotFound
        When the layer is a register without geometry.
    QueryError
        For a filter on an unknown property, or a value that cannot be read.
    """
    if not layer.has_geometry:
        raise NotFound(
            f"{layer.id} is a register without geometry; it has no tiles.",
            f"{layer.id} 是没有几何的名录，没有瓦片。",
        )
    if tile.z < layer.zoom.min - 1:
        return b""
    table = tables.table_for(layer, definition.district.storage_crs)
    wide = tile.envelope(tile.side_m * _BUFFER / _EXTENT)
    kept = [property_condition(layer, table, name, values) for name, values in (filters or {}).items()]
    if filter is not None:
        kept.append(filter_condition(filter, layer, table, definition.district))
    inside = and_(alive(table, rev), table.c.geom_web.op("&&")(wide), *kept)
    rows = _rows(layer, table, tile, inside)
    parts = [_shapes(rows, tile)] if layer.geometry != "Point" else []
    if layer.geometry in ("Point", "Geometry"):
        summed = _holds_many(conn, table, inside)
        parts.append(_places(rows, tile, _codes(layer), summed=summed))
    with computing():
        return _encoded(conn, layer, parts)


def _holds_many(conn: Connection, table: Table, inside: ColumnElement[bool]) -> bool:
    s = tables.sources
    joined = select(literal(1)).join_from(table, s, table.c.source_id == s.c.source_id)
    some = joined.where(inside).limit(_SUM_FROM_ROWS + 1).subquery()
    return (conn.scalar(select(func.count()).select_from(some)) or 0) > _SUM_FROM_ROWS


def _rows(layer: Layer, table: Table, tile: Tile, inside: ColumnElement[bool]) -> CTE:
    """The tile's rows; ``place`` is the point that stands for a row, null where its shape is drawn."""
    s = tables.sources
    by = table.c[layer.style.by] if layer.style and layer.style.by else cast(null(), Text)
    return (
        select(
            table.c.uid,
            cast(table.c[layer.names.label], Text).label("label"),
            by.label("class"),
            table.c.is_indicative,
            s.c.is_demonstration,
            table.c.geom_web.label("shape"),
            _place(layer, table.c.geom_web, tile).label("place"),
        )
        .join_from(table, s, table.c.source_id == s.c.source_id)
        .where(inside)
        .cte("rows")
    )


def _place(layer: Layer, shape: Expression, tile: Tile) -> Expression:
    if layer.geometry == "Point":
        return shape
    if layer.geometry != "Geometry":
        return null()
    # In a mixed layer a shape too small to be seen (2 pixels) is drawn as a point rather than lost.
    small = and_(
        func.ST_XMax(shape) - func.ST_XMin(shape) < 2 * tile.pixel_m,
        func.ST_YMax(shape) - func.ST_YMin(shape) < 2 * tile.pixel_m,
    )
    return case(
        (func.GeometryType(shape) == "POINT", shape), (small, func.ST_PointOnSurface(shape)), else_=null()
    )


def _places(rows: CTE, tile: Tile, codes: list[str], *, summed: bool) -> Select[Any]:
    """One feature a place, or with ``summed`` one a cell of the grid, in the middle of what it holds."""
    x, y = func.ST_X(rows.c.place), func.ST_Y(rows.c.place)
    cell = tile.side_m / _CELLS
    groups = [func.floor(x / cell), func.floor(y / cell)] if summed else [rows.c.place]
    n = func.count()
    middle = func.ST_Point((func.min(x) + func.max(x)) / 2, (func.min(y) + func.max(y)) / 2, WEB_MERCATOR)
    return (
        select(
            # Only ever the least of one, so the quick order of bytes will do.
            case((n == 1, func.min(collate(rows.c.uid, "C")))).label("uid"),
            case((n == 1, func.min(collate(rows.c.label, "C")))).label("label"),
            _first_class(rows.c["class"], codes).label("class"),
            n.label("n"),
            func.bool_or(rows.c.is_indicative).label("is_indicative"),
            func.bool_or(rows.c.is_demonstration).label("is_demonstration"),
            case((n > 1, _box_text(rows.c.shape, decimals=5 if summed else 7))).label("bbox"),
            _in_tile(middle, tile).label("geom"),
        )
        .where(rows.c.place.is_not(None))
        .group_by(*groups)
    )


def _first_class(value: Expression, codes: list[str]) -> Expression:
    """Of the classes in a group the first of the legend; null when it has none."""
    if not codes:
        return cast(null(), Text)
    rank = case({code: place for place, code in enumerate(codes)}, value=value)
    return case(dict(enumerate(codes)), value=func.min(rank))


def _shapes(rows: CTE, tile: Tile) -> Select[Any]:
    """Lines and areas one by one, simplified to half a pixel where the map is not magnified."""
    shape: Expression = rows.c.shape
    if tile.z < _EXACT_FROM_ZOOM:
        shape = func.ST_Simplify(shape, tile.pixel_m / 2, true())
    return select(
        rows.c.uid,
        rows.c.label,
        rows.c["class"],
        literal(1).label("n"),
        rows.c.is_indicative,
        rows.c.is_demonstration,
        cast(null(), Text).label("bbox"),
        _in_tile(shape, tile).label("geom"),
    ).where(rows.c.place.is_(None))


def _in_tile(shape: Expression, tile: Tile) -> Expression:
    return func.ST_AsMVTGeom(shape, tile.envelope(), _EXTENT, _BUFFER, true())


def _box_text(shape: Expression, *, decimals: int) -> Expression:
    """West, south, east and north in degrees around all shapes of a group, joined by commas.

    Each is moved outwards by one of the last decimal, so that the box holds its rows.

    From Web Mercator to degrees is a formula without datum (EPSG method 1024), nothing to choose.
    """
    west, east = func.min(func.ST_XMin(shape)), func.max(func.ST_XMax(shape))
    south, north = func.min(func.ST_YMin(shape)), func.max(func.ST_YMax(shape))

    def longitude(x: Expression) -> Expression:
        return func.degrees(x / _RADIUS_M)

    def latitude(y: Expression) -> Expression:
        return func.degrees(func.atan(func.sinh(y / _RADIUS_M)))

    margin = 10.0**-decimals
    corners = [
        longitude(west) - margin,
        latitude(south) - margin,
        longitude(east) + margin,
        latitude(north) + margin,
    ]
    return func.concat_ws(",", *(func.round(cast(corner, Numeric), decimals) for corner in corners))


def _encoded(conn: Connection, layer: Layer, parts: list[Select[Any]]) -> bytes:
    found: FromClause = union_all(*parts).subquery("found")
    by = layer.style.by if layer.style and layer.style.by else "class"
    columns = [found.c["class"].label(by) if c.name == "class" else c for c in found.c]
    features = select(*columns).where(found.c.geom.is_not(None)).subquery("features")
    order: Expression = aggregate_order_by(
        literal_column("'geom'"), features.c.uid.nulls_last(), features.c.bbox
    )
    mvt = func.ST_AsMVT(literal_column("features"), layer.id, _EXTENT, order)
    return bytes(conn.scalar(select(mvt).select_from(features)) or b"")
