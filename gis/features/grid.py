"""The grid that orders points in a box: bands from south to north, in each the cells from west to east.

A cell's side is a power of two of the storage CRS's unit, so that which cell a coordinate lies in is computed
without rounding, and a whole cell inside a box holds nothing outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from sqlalchemy import ColumnElement, FromClause, Integer, case, cast, func

from gis.crs import is_geographic
from gis.features.query import ItemQuery
from gis.filters import bbox_sides
from layers.district import District
from layers.model import Layer

__all__ = ["NOWHERE", "PLACELESS", "Box", "box_of", "cell_columns", "in_grid_order"]

PLACELESS = 2**31 - 1
"""The band of rows without a geometry: behind all others."""
NOWHERE = PLACELESS - 1
"""The band of rows whose geometry is empty, which no box holds."""
_SIDE_DEG, _SIDE_M = 2.0**-8, 2.0**9  # some 400 m, and 512 m


@dataclass(frozen=True)
class Box:
    """A rectangle in the storage CRS, its sides included, and the cells that its sides lie in."""

    west: float
    south: float
    east: float
    north: float
    first_gx: int
    first_gy: int
    last_gx: int
    last_gy: int


def cell_columns(table: FromClause, storage_crs: int) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The band and the cell of each row of a layer of points."""
    geom, side = table.c.geom, _side(storage_crs)

    def cell(place: ColumnElement[float]) -> ColumnElement[int]:
        return cast(func.floor(place / side), Integer)

    x, y = func.ST_X(geom), func.ST_Y(geom)
    band = case((geom.is_(None), PLACELESS), (y.is_(None), NOWHERE), else_=cell(y))
    return band, func.coalesce(cell(x), 0)


def box_of(query: ItemQuery, district: District) -> Box | None:
    """The box of ``query`` in the storage CRS; None where it is none there. Raises as `bbox_sides`."""
    assert query.bbox is not None
    sides = bbox_sides(query.bbox, district)
    if sides is None:
        return None
    side = _side(district.storage_crs)
    return Box(*sides, *(floor(place / side) for place in sides))


def in_grid_order(layer: Layer, query: ItemQuery) -> bool:
    """Whether rows come in the order of the grid: points in a box, when nothing else is asked of them."""
    plain = not (query.sort or query.filters or query.filter is not None or query.interval is not None)
    return plain and query.bbox is not None and layer.geometry == "Point"


def _side(storage_crs: int) -> float:
    return _SIDE_DEG if is_geographic(storage_crs) else _SIDE_M
