"""What is put together in a tile: rows at one place, in one cell of a grid, and shapes too small to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Numeric,
    Select,
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

from gis.tiles.levels import codes
from gis.tiles.matrix import BUFFER, EXTENT, RADIUS_M, Tile, square
from layers.model import Layer

__all__ = ["CELLS", "DECIMALS_CELL", "SUM_FROM_ROWS", "box_text", "class_of", "first_rank", "in_tile", "places", "small_shapes"]

CELLS = 64
"""Cells to a tile's side; the buffer is a whole number of cells, so neighbours sum alike along their seam."""

SUM_FROM_ROWS = 4000
"""A tile with more rows is summed."""

_DECIMALS_PLACE = 7
DECIMALS_CELL = 5
"""Of a degree, of the box around what a cell holds."""

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
    middle = func.ST_Point(
        (func.min(x) + func.max(x)) / 2, (func.min(y) + func.max(y)) / 2, tile.matrix.srid
    )
    decimals = _DECIMALS_PLACE if cells is None else DECIMALS_CELL
    return _summed(rows, layer, tile, middle, decimals).where(rows.c.place.is_not(None)).group_by(*groups)


def small_shapes(rows: CTE, layer: Layer, tile: Tile, cells: int) -> Select[Any]:
    """One box a cell of the grid around the small shapes that have their middle there: an area, or its outline."""
    cell = tile.side / cells
    groups = [func.floor(func.ST_X(rows.c.middle) / cell), func.floor(func.ST_Y(rows.c.middle) / cell)]
    rim = tile.pixel / 4  # what is smaller vanishes in the tile's grid
    box = func.ST_Expand(func.ST_SetSRID(cast_box(func.ST_Extent(rows.c.box)), tile.matrix.srid), rim)
    drawn = func.ST_ExteriorRing(box) if "Line" in layer.geometry else box
    summed = _summed(rows, layer, tile, drawn, DECIMALS_CELL)
    return summed.where(rows.c.middle.is_not(None)).group_by(*groups)


def cast_box(box: Expression) -> Expression:
    """The rectangle of a box2d."""
    return func.ST_Envelope(func.geometry(box))


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
        return cast(null(), Text)
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
        longitude(west) - margin, latitude(south) - margin, longitude(east) + margin, latitude(north) + margin,
    ]  # fmt: skip
    return func.concat_ws(",", *(func.round(cast(corner, Numeric), decimals) for corner in corners))
