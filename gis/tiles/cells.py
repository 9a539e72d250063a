"""Points summed on the grid of each zoom, so that a tile of a million rows reads some thousand sums.

A cell of one zoom is exactly four of the next, so each zoom is summed from the finer one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    cast,
    column,
    exists,
    func,
    not_,
    select,
    union,
)

from gis import tables
from gis.crs import WEB_MERCATOR
from gis.tiles.matrix import BUFFER, EXTENT, Tile, square
from gis.tiles.sums import CELLS, bbox_of, cell_features, points_summed
from layers.model import Layer

__all__ = [
    "MOST_TOUCHED",
    "cell_numbers",
    "cell_of",
    "cell_size",
    "cells_of",
    "mended_cells",
    "touched_cells",
]

MOST_TOUCHED = 2000
"""With more cells to be summed anew, the whole tile is drawn from its rows."""

_MARGIN = BUFFER * CELLS // EXTENT


def cell_size(z: int) -> float:
    """The side of a cell at zoom ``z`` in units of EPSG:3857."""
    return Tile(z, 0, 0).side / CELLS


def cell_of(place: ColumnElement[Any], size: float) -> ColumnElement[int]:
    """The column or row of the cell in which a coordinate lies."""
    return cast(func.floor(place / size), Integer)


def cell_numbers(tile: Tile) -> dict[str, Any]:
    """The values of the parameters of `cells_of`: columns and rows of cells in the tile and its buffer.

    Cells are counted from the middle of the world to the east and north.
    """
    west = (2 * tile.x - 2**tile.z) * CELLS // 2
    south = (2**tile.z - 2 * tile.y - 2) * CELLS // 2
    return {
        "cell_columns": list(range(west - _MARGIN, west + CELLS + _MARGIN)),
        "cell_south": south - _MARGIN,
        "cell_north": south + CELLS + _MARGIN - 1,
    }


def _around(layer: Layer, z: int) -> ColumnElement[bool]:
    c = tables.tile_cells.c
    columns = bindparam("cell_columns", type_=ARRAY(Integer))
    south, north = bindparam("cell_south", type_=Integer), bindparam("cell_north", type_=Integer)
    return and_(c.layer == layer.id, c.z == z, c.gx == func.any(columns), c.gy.between(south, north))


def touched_cells(table: FromClause, z: int) -> Select[Any]:
    """Cells of the tile in which rows came or went after revision ``since`` up to ``until`` (parameters)."""
    web, size = table.c.geom_web, cell_size(z)
    since, until = bindparam("since", type_=BigInteger), bindparam("until", type_=BigInteger)
    came = and_(table.c.rev_from > since, table.c.rev_from <= until)
    # The first condition says nothing new; with it the index of revisions serves.
    went = and_(table.c.rev_from <= until, table.c.rev_to > since, table.c.rev_to <= until)
    square_of_tile = web.op("&&")(square("web", WEB_MERCATOR))
    gx, gy = cell_of(func.ST_X(web), size), cell_of(func.ST_Y(web), size)
    found = [select(gx.label("gx"), gy.label("gy")).where(each, square_of_tile) for each in (came, went)]
    return select(union(*found).subquery()).limit(MOST_TOUCHED + 1)


def mended_cells(
    layer: Layer, table: FromClause, tile: Tile, lives: ColumnElement[bool]
) -> list[Select[Any]]:
    """The features of `cells_of`, but for cells in the parameters ``touched_x`` and ``touched_y``.

    Those are summed from the rows for which ``lives`` holds.
    """
    c, web, size = tables.tile_cells.c, table.c.geom_web, cell_size(tile.z)
    lists = [bindparam(name, type_=ARRAY(Integer)) for name in ("touched_x", "touched_y")]
    spot = (
        func.unnest(*lists).table_valued(column("gx", Integer), column("gy", Integer)).render_derived("spot")
    )
    kept = cells_of(layer, tile).where(not_(exists().where(spot.c.gx == c.gx, spot.c.gy == c.gy)))
    ends = [spot.c.gx * size, spot.c.gy * size, (spot.c.gx + 1) * size, (spot.c.gy + 1) * size]
    gx, gy = cell_of(func.ST_X(web), size), cell_of(func.ST_Y(web), size)
    near = web.op("&&")(func.ST_MakeEnvelope(*ends, WEB_MERCATOR))
    condition = and_(lives, near, gx == spot.c.gx, gy == spot.c.gy)
    anew = points_summed(layer, table, spot.c.gx, spot.c.gy, condition).subquery("anew").c
    return [kept, cell_features(layer, tile, anew, bbox_of(anew))]


def cells_of(layer: Layer, tile: Tile) -> Select[Any]:
    """One feature a cell, exactly as a sum over the rows would have it."""
    c = tables.tile_cells.c
    return cell_features(layer, tile, c, c.bbox).where(_around(layer, tile.z))
