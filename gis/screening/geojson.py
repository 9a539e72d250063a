"""Geometry as GeoJSON text, written straight from its coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import shapely
from orjson import Fragment

__all__ = ["geojson"]

_NAMES = {0: "Point", 1: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon"}


def geojson(geometry: shapely.Geometry) -> Fragment:
    """A geometry (two-dimensional, any kind, may be empty) as GeoJSON in its own coordinates, x,y order."""
    kind = int(shapely.get_type_id(geometry))
    if kind not in _NAMES or shapely.is_empty(geometry):
        return Fragment(orjson.dumps(orjson.loads(shapely.to_geojson(geometry))))
    told = {"type": _NAMES[kind], "coordinates": _COORDINATES[kind](geometry)}
    return Fragment(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))


def _line(line: shapely.Geometry) -> Any:
    return shapely.get_coordinates(line)


def _polygon(polygon: shapely.Geometry) -> list[Any]:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(polygon)]


_COORDINATES: dict[int, Callable[[shapely.Geometry], Any]] = {
    0: lambda point: shapely.get_coordinates(point)[0],
    1: _line,
    3: _polygon,
    4: _line,
    5: lambda lines: [_line(line) for line in shapely.get_parts(lines)],
    6: lambda polygons: [_polygon(polygon) for polygon in shapely.get_parts(polygons)],
}
"""The coordinates by kind of geometry, nested as GeoJSON has them."""
