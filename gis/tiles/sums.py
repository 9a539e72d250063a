"""What a tile puts together: rows at one place, in one cell of a grid, and shapes too small to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Numeric,
    Select,
    SmallInteger,
    Text,
    case,
    cast,
    collate,
    func,
    literal,
    null,
    select,
    true,
)

from gis import tables
from gis.crs import WEB_MERCATOR
from gis.tiles.levels import codes
from gis.tiles.matrix import BUFFER, EXTENT, RADIUS_M, Tile, square
from layers.model import Layer

__all__ = [
    "CELLS",
    "SUM_FROM_ROWS",
    "bbox_of",
    "cell_features",
    "cells_on_the_spot",
    "class_of",
    "in_tile",
    "places",
    "points_summed",
    "small_shapes",
]

CELLS = 64
"""Cells to a tile's side; the buffer is a whole number of cells, so neighbours sum alike along their seam."""

SUM_FROM_ROWS = 4000
"""A tile with more rows is summed."""

_DECIMALS_PLACE, _DECIMALS_CELL = 7, 5

Expression = ColumnElement[Any]


def in_tile(shape: Expression, tile: Tile) -> Expression:
    """The shape in the tile's own grid, cut at its buffer; null where nothing of it is there."""
    return func.ST_AsMVTGeom(shape, square("tile", tile.matrix.srid), EXTENT, BUFFER, true())


def places(rows: CTE, layer: Layer, tile: Tile, cells: int | None) -> Select[Any]:
    """One feature a place, or one a cell of the grid, in the middle of what it holds."""
    x, y = func.ST_X(rows.c.place), func.ST_Y(rows.c.place)
    groups: Sequence[Expression] = [rows.c.place]
    if cells is not None:
        cell = tile.side / cells
        groups = [func.floor(x / cell), func.floor(y / cell)]
    middle = func.ST_Point((func.min(x) + func.max(x)) / 2, (func.min(y) + func.max(y)) / 2, tile.matrix.srid)
    decimals = _DECIMALS_PLACE if cells is None else _DECIMALS_CELL
    return _summed(rows, layer, tile, middle, decimals).where(rows.c.place.is_not(None)).group_by(*groups)


def small_shapes(rows: CTE, layer: Layer, tile: Tile, cells: int) -> Select[Any]:
    """One box a cell of the grid around the small shapes with their middle there: an area, or its outline."""
    cell = tile.side / cells
    groups = [func.floor(func.ST_X(rows.c.middle) / cell), func.floor(func.ST_Y(rows.c.middle) / cell)]
    rim = tile.pixel / 4  # what is smaller vanishes in the tile's grid
    box = func.ST_Expand(func.ST_SetSRID(cast_box(func.ST_Extent(rows.c.box)), tile.matrix.srid), rim)
    drawn = func.ST_ExteriorRing(box) if "Line" in layer.geometry else box
    summed = _summed(rows, layer, tile, drawn, _DECIMALS_CELL)
    return summed.where(rows.c.middle.is_not(None)).group_by(*groups)


def cast_box(box: Expression) -> Expression:
    """The rectangle of a box2d."""
    return func.ST_Envelope(func.geometry(box))


def points_summed(
    layer: Layer, table: FromClause, gx: Expression, gy: Expression, condition: ColumnElement[bool]
) -> Select[Any]:
    """The points of ``table`` that meet ``condition`` in groups by ``gx`` and ``gy``.

    gx, gy, n, uid and label (of a single row), rank, is_indicative, is_demonstration, and west, south, east,
    north in EPSG:3857.
    """
    s, web, n = tables.sources, table.c.geom_web, func.count()
    marked = func.array(select(s.c.source_id).where(s.c.is_demonstration).scalar_subquery())
    label = cast(table.c[layer.names.label], Text)
    by = table.c[layer.style.by] if layer.style and layer.style.by else null()
    return (
        select(
            gx.label("gx"),
            gy.label("gy"),
            n.label("n"),
            case((n == 1, func.min(collate(table.c.uid, "C")))).label("uid"),
            case((n == 1, func.min(collate(label, "C")))).label("label"),
            first_rank(by, layer).label("rank"),
            func.bool_or(table.c.is_indicative).label("is_indicative"),
            func.bool_or(table.c.source_id == func.any(marked)).label("is_demonstration"),
            func.min(func.ST_X(web)).label("west"),
            func.min(func.ST_Y(web)).label("south"),
            func.max(func.ST_X(web)).label("east"),
            func.max(func.ST_Y(web)).label("north"),
        )
        .where(condition, web.is_not(None))
        .group_by(gx, gy)
    )


def bbox_of(summed: Any) -> Expression:
    """The text of a cell's box, from its columns; null for a single row."""
    ends = [summed.west, summed.south, summed.east, summed.north]
    return case((summed.n > 1, box_text(ends, _DECIMALS_CELL)))


def cells_on_the_spot(layer: Layer, table: FromClause, tile: Tile, condition: Any, cells: int) -> Select[Any]:
    """One feature a cell of the grid of a tile, from the points themselves."""
    web, cell = table.c.geom_web, tile.side / cells
    at = web if tile.is_web else func.ST_Transform(web, tile.matrix.srid)
    gx, gy = func.floor(func.ST_X(at) / cell), func.floor(func.ST_Y(at) / cell)
    found = points_summed(layer, table, gx, gy, condition).subquery("summed").c
    return cell_features(layer, tile, found, bbox_of(found))


def cell_features(layer: Layer, tile: Tile, cells: Any, bbox: Expression) -> Select[Any]:
    """Sums as features, each in the middle of what it holds."""
    middle: Expression = func.ST_Point(
        (cells.west + cells.east) / 2, (cells.south + cells.north) / 2, WEB_MERCATOR
    )
    if not tile.is_web:
        middle = func.ST_Transform(middle, tile.matrix.srid)
    return select(
        cells.uid,
        cells.label,
        class_of(cells.rank, layer).label("class"),
        cells.n,
        cells.is_indicative,
        cells.is_demonstration,
        bbox.label("bbox"),
        in_tile(middle, tile).label("geom"),
    )


def _summed(rows: CTE, layer: Layer, tile: Tile, drawn: Expression, decimals: int) -> Select[Any]:
    n = func.count()
    ends = [func.min(rows.c.west), func.min(rows.c.south), func.max(rows.c.east), func.max(rows.c.north)]
    return select(
        # Only ever the least of one, so the quick order of bytes will do.
        case((n == 1, func.min(collate(rows.c.uid, "C")))).label("uid"),
        case((n == 1, func.min(collate(rows.c.label, "C")))).label("label"),
        class_of(first_rank(rows.c["class"], layer), layer).label("class"),
        n.label("n"),
        func.bool_or(rows.c.is_indicative).label("is_indicative"),
        func.bool_or(rows.c.is_demonstration).label("is_demonstration"),
        case((n > 1, box_text(ends, decimals))).label("bbox"),
        in_tile(drawn, tile).label("geom"),
    )


def first_rank(value: Expression, layer: Layer) -> Expression:
    """Of the classes in a group the place in the legend of the first; null when it has none."""
    listed = codes(layer)
    if not listed:
        return cast(null(), SmallInteger)
    return func.min(case({code: place for place, code in enumerate(listed)}, value=value))


def class_of(rank: Expression, layer: Layer) -> Expression:
    """The class at a place of the legend."""
    listed = codes(layer)
    return case(dict(enumerate(listed)), value=rank) if listed else cast(null(), Text)


def box_text(ends: Sequence[Expression], decimals: int) -> Expression:
    """West, south, east and north in degrees of a box in EPSG:3857, joined by commas.

    Each is moved outwards by one of the last decimal, so that the box holds its rows.

    From Web Mercator to degrees is a formula without datum (EPSG method 1024), nothing to choose.
    """
    west, south, east, north = ends

    def longitude(x: Expression) -> Expression:
        return func.degrees(x / RADIUS_M)

    def latitude(y: Expression) -> Expression:
        return func.degrees(func.atan(func.sinh(y / RADIUS_M)))

    margin = literal(10.0**-decimals)
    corners = [
        longitude(west) - margin,
        latitude(south) - margin,
        longitude(east) + margin,
        latitude(north) + margin,
    ]
    return func.concat_ws(",", *(func.round(cast(corner, Numeric), decimals) for corner in corners))
