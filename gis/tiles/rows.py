"""The rows of a tile: what each says, and its shape in the tile's plane, prepared or made on the spot."""

from __future__ import annotations

import math
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
    union_all,
)

from gis import tables
from gis.crs import WEB_MERCATOR
from gis.tiles.matrix import Tile, square
from gis.tiles.shapes import EXACT_FROM_ZOOM
from layers.model import Layer

__all__ = ["FEATURE", "covering", "fenced", "has_places", "inside", "tile_rows"]

FEATURE = ("uid", "label", "class", "n", "is_indicative", "is_demonstration", "bbox", "geom")
"""The columns of what becomes a feature, in order."""

_SAID = ("uid", "label", "class", "is_indicative", "is_demonstration")
_ENDS = ("west", "south", "east", "north")
_SMALL_AS_POINT = 2.0  # pixels; in a mixed layer a smaller shape is drawn as a point rather than lost
_FINEST_TOLERANCE = 0.5  # pixels
_WEB_A_DEGREE = math.pi * 6378137.0 / 180

Expression = ColumnElement[Any]


def has_places(layer: Layer) -> bool:
    """Whether a layer holds points, alone or among others; else it holds lines or areas only."""
    return layer.geometry in ("Point", "Geometry")


def covering(z: int) -> int:
    """What stands for zoom ``z`` in `core.tile_shapes` where a shape covers the cell wholly."""
    return -1 - z


def fenced(statement: Select[Any], name: str) -> FromClause:
    """The statement as a part that PostgreSQL works out once, not again for each mention of its columns."""
    return statement.offset(literal_column("0")).subquery(name)


def inside(layer: Layer, table: FromClause) -> ColumnElement[bool]:
    """The condition that a row's box meets the tile and its buffer."""
    met: ColumnElement[bool] = table.c.geom_web.op("&&")(square("web", WEB_MERCATOR))
    storage_crs = _srid(table)
    if tables.has_web_index(layer, storage_crs):
        return met
    return and_(table.c.geom.op("&&")(square("degrees", storage_crs)), met)


def _srid(table: FromClause) -> int:
    kind = table.c["geom"].type
    assert isinstance(kind, Geometry)
    return int(kind.srid)


def tile_rows(
    layer: Layer, table: FromClause, tile: Tile, condition: ColumnElement[bool],
    *, shapes: bool, small: float, tolerance: float,
) -> CTE:  # fmt: skip
    """The rows that lie in the tile and meet ``condition``.

    Each has ``shape`` (drawn by itself), or ``place`` (the point that stands for it), or ``middle`` and
    ``box`` (smaller than ``small`` pixels) in the plane of the tile; the others are null. west, south, east
    and north are its box in EPSG:3857. ``shapes``: prepared ones may be used.
    """
    parts = [_live(layer, table, tile, condition, tolerance, shapes)]
    if shapes:
        parts.append(_prepared(layer, table, tile, condition))
    return _sorted_out(layer, fenced(select(union_all(*parts).subquery()), "found"), tile, small)


def _said(layer: Layer, table: FromClause) -> list[Expression]:
    s = tables.sources
    by = table.c[layer.style.by] if layer.style and layer.style.by else cast(null(), Text)
    label = cast(table.c[layer.names.label], Text)
    values = (table.c.uid, label, by, table.c.is_indicative, s.c.is_demonstration)
    return [value.label(name) for value, name in zip(values, _SAID, strict=True)]


def _live(
    layer: Layer,
    table: FromClause,
    tile: Tile,
    condition: ColumnElement[bool],
    tolerance: float,
    prepared: bool,
) -> Select[Any]:
    """Rows whose shape is made from the row itself, simplified where the map is not magnified."""
    s, p = tables.sources, tables.tile_rows
    where = [condition, inside(layer, table)]
    if prepared:
        where.append(not_(exists().where(p.c.layer == layer.id, p.c.row_id == table.c.row_id)))
    chosen = select(*_said(layer, table), table.c.geom_web.label("web"))
    rows = fenced(chosen.join_from(table, s, table.c.source_id == s.c.source_id).where(*where), "live")
    web = rows.c.web
    shape: Expression = web if tile.is_web else func.ST_Transform(web, tile.matrix.srid)
    if layer.geometry != "Point" and (tile.z < EXACT_FROM_ZOOM or tolerance > _FINEST_TOLERANCE):
        shape = func.ST_Simplify(shape, tile.pixel * tolerance, true())
    ends = (func.ST_XMin(web), func.ST_YMin(web), func.ST_XMax(web), func.ST_YMax(web))
    boxed = [cast(end, Double).label(name) for end, name in zip(ends, _ENDS, strict=True)]
    return select(*(rows.c[name] for name in _SAID), shape.label("shape"), *boxed)


def _prepared(layer: Layer, table: FromClause, tile: Tile, condition: ColumnElement[bool]) -> Select[Any]:
    """Rows whose piece for this tile has been cut, or which cover it, or a tile above it, wholly."""
    s, p, t = tables.sources, tables.tile_rows, tables.tile_shapes
    z = min(tile.z, EXACT_FROM_ZOOM)
    x, y = bindparam("tile_x", type_=Integer), bindparam("tile_y", type_=Integer)

    def cell(key: int, zoom: int) -> ColumnElement[bool]:
        up = tile.z - zoom
        return and_(t.c.z == key, t.c.cx == x.op(">>")(up), t.c.cy == y.op(">>")(up))

    cells = [cell(z, z), *(cell(covering(zoom), zoom) for zoom in range(z + 1))]
    pieces = select(t.c.row_id, t.c.geom).where(or_(*(and_(t.c.layer == layer.id, each) for each in cells)))
    piece = fenced(pieces, "piece")
    return (
        select(
            *_said(layer, table),
            func.coalesce(piece.c.geom, square("more", WEB_MERCATOR)).label("shape"),
            *(p.c[name] for name in _ENDS),
        )
        .join_from(piece, p, and_(p.c.layer == layer.id, p.c.row_id == piece.c.row_id))
        .join(table, table.c.row_id == piece.c.row_id)
        .join(s, table.c.source_id == s.c.source_id)
        .where(condition)
    )


def _sorted_out(layer: Layer, found: FromClause, tile: Tile, small: float) -> CTE:
    """Each row as a shape, a place or a small one."""
    shape, said = found.c.shape, [found.c[name] for name in (*_SAID, *_ENDS)]
    none = cast(null(), shape.type)
    if layer.geometry == "Point":
        return select(*said, none.label("shape"), shape.label("place")).cte("rows")
    middle = _in_plane(
        func.ST_Point((found.c.west + found.c.east) / 2, (found.c.south + found.c.north) / 2, WEB_MERCATOR),
        tile,
    )
    if has_places(layer):
        point = func.GeometryType(shape) == "POINT"
        little = _is_small(found, tile, max(small, _SMALL_AS_POINT))
        place = case((point, shape), (little, middle), else_=none)
        alone = case((not_(or_(point, little)), shape), else_=none)
        return select(*said, alone.label("shape"), place.label("place")).cte("rows")
    little = _is_small(found, tile, small)
    box = _in_plane(func.ST_MakeEnvelope(*(found.c[name] for name in _ENDS), WEB_MERCATOR), tile)
    return select(
        *said,
        case((not_(little), shape), else_=none).label("shape"),
        case((little, middle), else_=none).label("middle"),
        case((little, box), else_=none).label("box"),
    ).cte("rows")


def _in_plane(geom: Expression, tile: Tile) -> Expression:
    """``geom``, in EPSG:3857, in the plane of the tile.

    From Web Mercator to degrees is a formula without datum (EPSG method 1024), so there is no operation to
    choose and PostGIS may do it.
    """
    return geom if tile.is_web else func.ST_Transform(geom, tile.matrix.srid)


def _is_small(found: FromClause, tile: Tile, pixels: float) -> ColumnElement[bool]:
    if math.isinf(pixels):
        return true()
    # Boxes are kept in EPSG:3857; a pixel of a set in degrees is told there as wide as it is.
    limit = pixels * (tile.pixel if tile.is_web else tile.pixel * _WEB_A_DEGREE)
    return and_(found.c.east - found.c.west < limit, found.c.north - found.c.south < limit)
