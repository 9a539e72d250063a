"""Large shapes simplified for each zoom and cut by its tiles, so that a tile reads only its own part.

A cell is a tile of the WebMercatorQuad with a margin of twice the buffer that tiles are drawn with, so no cut
edge is ever drawn. A cell that lies wholly inside a shape is kept once, at the coarsest zoom where that
holds; it then covers all tiles within.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.tiles.matrix import BUFFER, EXTENT, QUAD, Tile

__all__ = ["EXACT_FROM_ZOOM", "Piece", "cut_shapes"]

EXACT_FROM_ZOOM = 14
"""From here on the tile's own grid (1/16 pixel) is all the simplification, so that a map may magnify."""

_MARGIN = 2 * BUFFER / EXTENT
_WHOLE = 1 - 1e-12  # of the area of a cell
_STARTS = 16  # cells of the first cut, at most

Cell = tuple[int, int, int]


@dataclass(frozen=True)
class Piece:
    """What of shape number ``owner`` lies in a cell (EPSG:3857); None where it covers it."""

    owner: int
    z: int
    x: int
    y: int
    geom: Any


def cut_shapes(shapes: NDArray[np.object_], first: int, *, threads: int = 2) -> list[Piece]:
    """All pieces of ``shapes`` (lines or areas, EPSG:3857) for zooms from ``first`` to `EXACT_FROM_ZOOM`.

    Below the last zoom a shape is simplified to half a pixel, so that it stays valid and never vanishes: each
    zoom from the next finer one, so no line is further off than a pixel in all. Empty shapes give nothing.
    """
    with ThreadPoolExecutor(threads) as pool:
        cuts = pool.map(lambda i: list(_cut(i, shapes[i], first)), range(len(shapes)))
        return [piece for pieces in cuts for piece in pieces]


def _cut(owner: int, shape: Any, first: int) -> Iterator[Piece]:
    if shape is None or shape.is_empty:
        return
    covered: set[Cell] = set()
    for cell, geom in _descend(shape, EXACT_FROM_ZOOM, covered, find_covered=True):
        yield Piece(owner, *cell, geom)
    for z, x, y in covered:
        yield Piece(owner, z, x, y, None)
    level = shape
    for z in range(EXACT_FROM_ZOOM - 1, first - 1, -1):
        level = shapely.simplify(level, Tile(z, 0, 0).pixel / 2, preserve_topology=True)
        for cell, geom in _descend(level, z, covered, find_covered=False):
            yield Piece(owner, *cell, geom)


def _descend(shape: Any, zoom: int, covered: set[Cell], *, find_covered: bool) -> Iterator[tuple[Cell, Any]]:
    """The parts of ``shape`` in the cells of ``zoom``, leaving out what is covered; found by halving."""
    areal = shapely.get_dimensions(shape) == 2
    waiting = [(cell, shape) for cell in _start(shape.bounds, zoom)]
    while waiting:
        cell, whole = waiting.pop()
        if cell in covered:
            continue
        west, south, east, north = box = Tile(cell[0], cell[1], cell[2]).box(_margin(cell[0]))
        part = _clean(shapely.clip_by_rect(whole, *box), areal=areal)
        if part is None:
            continue
        if find_covered and areal and part.area >= (east - west) * (north - south) * _WHOLE:
            covered.add(cell)
        elif cell[0] == zoom:
            yield cell, part
        else:
            z, x, y = cell[0] + 1, 2 * cell[1], 2 * cell[2]
            waiting += [((z, x + i, y + j), part) for i in (0, 1) for j in (0, 1)]


def _margin(z: int) -> float:
    return Tile(z, 0, 0).side * _MARGIN


def _clean(part: Any, *, areal: bool) -> Any | None:
    """The lines or areas of a clipped shape; a touch leaves less than that."""
    if part.is_empty:
        return None
    if part.geom_type != "GeometryCollection" and (shapely.get_dimensions(part) == 2) == areal:
        return part
    parts = [each for each in shapely.get_parts(part) if (shapely.get_dimensions(each) == 2) == areal]
    if not parts:
        return None
    return shapely.multipolygons(parts) if areal else shapely.multilinestrings(parts)


def _start(bounds: tuple[float, float, float, float], zoom: int) -> list[Cell]:
    """The cells around ``bounds`` at the finest zoom, not beyond ``zoom``, at which they are few."""
    for z in range(zoom, -1, -1):
        side, margin = Tile(z, 0, 0).side, _margin(z)
        west, south, east, north = bounds
        columns = _span((west - margin - QUAD.west) / side, (east + margin - QUAD.west) / side, 2**z)
        rows = _span((QUAD.north - north - margin) / side, (QUAD.north - south + margin) / side, 2**z)
        if len(columns) * len(rows) <= _STARTS or z == 0:
            return [(z, x, y) for x in columns for y in rows]
    raise AssertionError("zoom 0 always ends the search")


def _span(low: float, high: float, count: int) -> range:
    return range(max(math.floor(low), 0), min(math.floor(high), count - 1) + 1)
