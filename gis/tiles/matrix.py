"""Tile matrix sets: how the tiles of each zoom lie in the plane of their CRS (OGC 17-083r4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Double, bindparam, func

from gis.crs import LONLAT, WEB_MERCATOR
from gis.errors import NotFound

__all__ = [
    "BUFFER",
    "EXTENT",
    "MATRIX_SETS",
    "MAX_ZOOM",
    "QUAD",
    "RADIUS_M",
    "MatrixSet",
    "Tile",
    "matrix_set",
    "square",
    "tile_at",
]

MAX_ZOOM = 22
EXTENT = 4096
"""Units to a tile's side, in which vector tiles count."""

BUFFER = 128
"""Such units around a tile that are drawn too: 8 of 256 pixels, as wide as a symbol at its rim."""

RADIUS_M = 6378137.0
_WORLD_M = 2 * math.pi * RADIUS_M
_METRES_A_DEGREE = math.pi * RADIUS_M / 180
_PIXELS = 256
_PIXEL_M = 0.00028  # of a screen, as OGC counts scales
_REGISTER = "http://www.opengis.net/def/tilematrixset/OGC/1.0/"

Expression = ColumnElement[Any]


@dataclass(frozen=True)
class MatrixSet:
    """Square tiles from the north-west corner, each zoom twice as fine as the one before.

    ``side`` is that of a tile at zoom 0 in units of the CRS, whether or not zoom 0 is in the set; ``srid`` is
    what PostGIS computes in, x,y order: EPSG:3857, or degrees.
    """

    id: str
    title: str
    crs: str
    axes: tuple[str, str]
    srid: int
    west: float
    north: float
    side: float
    zooms: range
    columns_at_0: float
    rows_at_0: float
    uri: str | None = None
    scale_set: str | None = None
    description: str | None = None

    @property
    def swapped(self) -> bool:
        """Whether the CRS has its axes as lat, lon."""
        return self.axes == ("Lat", "Lon")

    def columns(self, z: int) -> int:
        """How many tiles lie side by side at zoom ``z``."""
        return int(self.columns_at_0 * 2**z)

    def rows(self, z: int) -> int:
        """How many tiles lie one above the other at zoom ``z``."""
        return int(self.rows_at_0 * 2**z)

    def definition(self) -> dict[str, Any]:
        """The set as OGC 17-083r4 writes it in JSON."""
        optional = {"uri": self.uri, "wellKnownScaleSet": self.scale_set, "description": self.description}
        return {
            "id": self.id,
            "title": self.title,
            **{key: value for key, value in optional.items() if value},
            "crs": self.crs,
            "orderedAxes": list(self.axes),
            "tileMatrices": [self._matrix(z) for z in self.zooms],
        }

    def _matrix(self, z: int) -> dict[str, Any]:
        cell = self.side / 2**z / _PIXELS
        metres = 1.0 if self.srid == WEB_MERCATOR else _METRES_A_DEGREE
        corner = [self.north, self.west] if self.swapped else [self.west, self.north]
        return {
            "id": str(z),
            "scaleDenominator": cell * metres / _PIXEL_M,
            "cellSize": cell,
            "cornerOfOrigin": "topLeft",
            "pointOfOrigin": corner,
            "tileWidth": _PIXELS,
            "tileHeight": _PIXELS,
            "matrixWidth": self.columns(z),
            "matrixHeight": self.rows(z),
        }

    def limits(
        self, box: tuple[float, float, float, float], first: int = 0, last: int = MAX_ZOOM
    ) -> list[dict[str, Any]]:
        """For each zoom which rows and columns meet ``box``: west, south, east, north in degrees."""
        west, south, east, north = self.in_plane(box)
        found = []
        for z in self.zooms:
            if not first <= z <= last:
                continue
            side, columns, rows = self.side / 2**z, self.columns(z), self.rows(z)
            found.append({
                "tileMatrix": str(z),
                "minTileRow": _within((self.north - north) / side, rows),
                "maxTileRow": _within((self.north - south) / side, rows),
                "minTileCol": _within((west - self.west) / side, columns),
                "maxTileCol": _within((east - self.west) / side, columns),
            })  # fmt: skip
        return found

    def in_plane(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """``box`` of degrees in the plane of the tiles, x,y order; cut to what Web Mercator reaches."""
        if self.srid != WEB_MERCATOR:
            return box
        west, south, east, north = box
        return _x(west), _y(south), _x(east), _y(north)


def _within(place: float, count: int) -> int:
    return min(max(math.floor(place), 0), count - 1)


def _x(longitude: float) -> float:
    return math.radians(longitude) * RADIUS_M


def _degrees_x(x: float) -> float:
    return math.degrees(x / RADIUS_M)


def _degrees_y(y: float) -> float:
    return math.degrees(math.atan(math.sinh(y / RADIUS_M)))


def _y(latitude: float) -> float:
    """The formula of EPSG method 1024; beyond the square that the web's map is cut to, its rim."""
    bounded = max(min(latitude, 85.051128779806604), -85.051128779806604)
    return math.asinh(math.tan(math.radians(bounded))) * RADIUS_M


QUAD = MatrixSet(
    "WebMercatorQuad", "Web Mercator, as most web maps have it", "http://www.opengis.net/def/crs/EPSG/0/3857",
    ("X", "Y"), WEB_MERCATOR, -_WORLD_M / 2, _WORLD_M / 2, _WORLD_M, range(MAX_ZOOM + 1), 1, 1,
    _REGISTER + "WebMercatorQuad", "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
)  # fmt: skip
_CRS84 = MatrixSet(
    "WorldCRS84Quad", "Longitude and latitude", "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
    ("Lon", "Lat"), LONLAT, -180.0, 90.0, 180.0, range(MAX_ZOOM + 1), 2, 1,
    _REGISTER + "WorldCRS84Quad", "http://www.opengis.net/def/wkss/OGC/1.0/GoogleCRS84Quad",
)  # fmt: skip
_TIANDITU = MatrixSet(
    "TiandituC", "天地图经纬度（c） / Tianditu, longitude and latitude (c)",
    "http://www.opengis.net/def/crs/EPSG/0/4490", ("Lat", "Lon"), LONLAT, -180.0, 90.0, 360.0, range(1, 19),
    1, 0.5,
    description="The matrix set c of Tianditu in CGCS2000, from level 1 on. Tianditu's own capabilities "
    "count scales at 96 dots an inch (295829355.45 at level 1); the scales here are OGC's.",
)  # fmt: skip

MATRIX_SETS: Mapping[str, MatrixSet] = {each.id: each for each in (QUAD, _CRS84, _TIANDITU)}


def matrix_set(name: str) -> MatrixSet:
    """The set called ``name``; NotFound when there is none."""
    if name not in MATRIX_SETS:
        raise NotFound(
            f"There are no tiles in {name[:80]!r}.",
            f"没有“{name[:80]}”瓦片方案。",
            remedy_en=f"Tile matrix sets: {', '.join(MATRIX_SETS)}.",
            remedy_zh=f"瓦片方案：{'、'.join(MATRIX_SETS)}。",
        )
    return MATRIX_SETS[name]


@dataclass(frozen=True)
class Tile:
    """A tile of a matrix set: zoom ``z``, column ``x`` from the west, row ``y`` from the north."""

    z: int
    x: int
    y: int
    matrix: MatrixSet = QUAD

    @property
    def side(self) -> float:
        """The side in units of the CRS."""
        return self.matrix.side / (1 << self.z)

    @property
    def pixel(self) -> float:
        """A pixel of a 256 pixel tile in units of the CRS."""
        return self.side / _PIXELS

    @property
    def is_web(self) -> bool:
        """Whether it is one of the WebMercatorQuad, in which prepared levels are kept."""
        return self.matrix is QUAD

    def box(self, margin: float = 0.0) -> tuple[float, float, float, float]:
        """West, south, east and north in units of the CRS, ``margin`` further out on each side."""
        west, north = self.matrix.west + self.x * self.side, self.matrix.north - self.y * self.side
        return west - margin, north - self.side - margin, west + self.side + margin, north + margin

    @property
    def numbers(self) -> dict[str, float | int]:
        """The values of the parameters that `square`, `web_square` and others leave open in a statement."""
        found: dict[str, float | int] = {"tile_x": self.x, "tile_y": self.y}
        for name, margin in _SQUARES.items():
            west, south, east, north = self.box(margin * self.side)
            ends = [west, south, east, north]
            if name == "web" and not self.is_web:
                ends = [_x(west), _y(south), _x(east), _y(north)]
            found |= {f"{name}_{side}": end for side, end in zip(_SIDES, ends, strict=True)}
        west, south, east, north = (found[f"web_{side}"] for side in _SIDES)
        degrees = _degrees_x(west), _degrees_y(south), _degrees_x(east), _degrees_y(north)
        wider = (-_WIDER_DEG, -_WIDER_DEG, _WIDER_DEG, _WIDER_DEG)
        found |= {f"degrees_{s}": d + w for s, d, w in zip(_SIDES, degrees, wider, strict=True)}
        return found


_SIDES = ("west", "south", "east", "north")
# How far each square that statements name reaches beyond the tile, in sides of it.
_SQUARES = {"tile": 0.0, "more": 0.25, "web": BUFFER / EXTENT}
# What a formula there and back may lose, many times over.
_WIDER_DEG = 1e-9


def square(name: Literal["tile", "more", "web", "degrees"], srid: int) -> Expression:
    """A square around any tile: its own, one that is larger in its plane, or its buffered one in EPSG:3857.

    "degrees" is a hair wider than the last, in degrees as `gis.crs.has_web_degrees` has them.

    The numbers are parameters that `Tile.numbers` gives, so that one statement serves all tiles.
    """
    return func.ST_MakeEnvelope(*(bindparam(f"{name}_{side}", type_=Double) for side in _SIDES), srid)


def tile_at(z: int, y: int, x: int, matrix: MatrixSet = QUAD) -> Tile:
    """The tile in row ``y`` and column ``x``; NotFound when the tile matrix set has none there."""
    first, last = matrix.zooms[0], matrix.zooms[-1]
    if not (z in matrix.zooms and 0 <= x < matrix.columns(z) and 0 <= y < matrix.rows(z)):
        raise NotFound(
            f"{matrix.id} has no tile {z}/{y}/{x}.",
            f"{matrix.id} 中没有瓦片 {z}/{y}/{x}。",
            remedy_en=f"Zoom is {first} to {last}; row and column are within the tile matrix of the zoom.",
            remedy_zh=f"级别为 {first} 至 {last}；行列号不超出该级别的瓦片矩阵。",
        )
    return Tile(z, x, y, matrix)
