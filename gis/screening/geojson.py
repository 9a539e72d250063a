"""Geometries as GeoJSON text, written straight from their coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

__all__ = ["as_they_are", "geojson"]

Coordinates = NDArray[np.float64]

_NAMES = {0: "Point", 1: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon"}


def as_they_are(coordinates: Coordinates) -> Coordinates:
    """What moves no coordinates."""
    return coordinates


def geojson(
    geometries: Sequence[shapely.Geometry], xy: Callable[[Coordinates], Coordinates] = as_they_are
) -> list[bytes]:
    """Each of ``geometries`` (any kind, may be empty; Z is dropped) as GeoJSON, x,y order.

    ``xy`` brings an (n, 2) array of their coordinates, all at once, into those that are written.
    """
    every = np.array(geometries, dtype=object)
    whole, kinds = shapely.get_coordinates(every), shapely.get_type_id(every).tolist()
    moved = np.ascontiguousarray(xy(whole)) if len(whole) else whole
    own = _pieces(moved, shapely.get_num_coordinates(every))
    return [_text(*each) for each in zip(geometries, kinds, own, strict=True)]


def _text(geometry: shapely.Geometry, kind: int, coordinates: Coordinates) -> bytes:
    if kind not in _NAMES or not len(coordinates):
        moved = shapely.set_coordinates(shapely.force_2d(geometry), coordinates)
        return orjson.dumps(orjson.loads(shapely.to_geojson(moved)))
    told = {"type": _NAMES[kind], "coordinates": _NESTED[kind](geometry, coordinates)}
    return orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)


def _polygon(polygon: shapely.Geometry, coordinates: Coordinates) -> list[Coordinates]:
    if not shapely.get_num_interior_rings(polygon):
        return [coordinates]
    return list(_pieces(coordinates, shapely.get_num_coordinates(shapely.get_rings(polygon))))


def _parts(geometry: shapely.Geometry, coordinates: Coordinates) -> Iterator[tuple[Any, Coordinates]]:
    parts = shapely.get_parts(geometry)
    return zip(parts, _pieces(coordinates, shapely.get_num_coordinates(parts)), strict=True)


def _pieces(coordinates: Coordinates, sizes: NDArray[np.integer[Any]]) -> Iterator[Coordinates]:
    """``coordinates`` in pieces of these sizes, one after the other."""
    for start, stop in pairwise([0, *np.cumsum(sizes).tolist()]):
        yield coordinates[start:stop]


_NESTED: dict[int, Callable[[shapely.Geometry, Coordinates], Any]] = {
    0: lambda _, own: own[0],
    1: lambda _, own: own,
    3: _polygon,
    4: lambda _, own: own,
    5: lambda lines, own: [each for _, each in _parts(lines, own)],
    6: lambda polygons, own: [_polygon(*part) for part in _parts(polygons, own)],
}
"""The coordinates by kind of geometry, nested as GeoJSON has them."""
