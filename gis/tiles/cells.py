"""Points summed on the grid of each zoom, so that a tile of a million rows reads some thousand sums.

A cell of one zoom is exactly four of the next, so each zoom is summed from the finer one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Integer, Select, and_, bindparam, func

from gis import tables
from gis.tiles.matrix import BUFFER, EXTENT, Tile
from gis.tiles.sums import CELLS, cell_features
from layers.model import Layer

__all__ = ["cell_numbers", "cell_size", "cells_of"]

_MARGIN = BUFFER * CELLS // EXTENT


def cell_size(z: int) -> float:
    """The side of a cell at zoom ``z`` in units of EPSG:3857."""
    return Tile(z, 0, 0).side / CELLS


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


def cells_of(layer: Layer, tile: Tile) -> Select[Any]:
    """One feature a cell, exactly as a sum over the rows would have it."""
    c = tables.tile_cells.c
    return cell_features(layer, tile, c, c.bbox).where(_around(layer, tile.z))
