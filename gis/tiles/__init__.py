"""Map tiles: how they lie, what vector tiles hold, and the levels that are prepared for them."""

from gis.tiles.drawing import MAX_BYTES, holds_rows, map_tile, vector_tile
from gis.tiles.levels import rendering_hash
from gis.tiles.matrix import MATRIX_SETS, MAX_ZOOM, QUAD, MatrixSet, Tile, matrix_set, tile_at
from gis.tiles.newest import Newest
from gis.tiles.prepare import Prepared, prepare_tiles

__all__ = [
    "MATRIX_SETS",
    "MAX_BYTES",
    "MAX_ZOOM",
    "QUAD",
    "MatrixSet",
    "Newest",
    "Prepared",
    "Tile",
    "holds_rows",
    "map_tile",
    "matrix_set",
    "prepare_tiles",
    "rendering_hash",
    "tile_at",
    "vector_tile",
]
