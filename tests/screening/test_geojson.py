"""Geometry in records is written from coordinates; GEOS writes the same."""

from __future__ import annotations

import orjson
import pytest
import shapely

from gis.crs import transformation
from gis.screening.geojson import geojson

RING = shapely.box(119.1, 29.0, 119.3, 29.25).exterior
HOLE = shapely.box(119.15, 29.05, 1e2 + 19.2, 29.1 + 1e-13).exterior


SHAPES = [
    shapely.Point(119.123456789012345, -1e-7),
    shapely.LineString([(0, 0.1), (1e-9, 180), (-180, 1 / 3)]),
    shapely.Polygon(RING, [HOLE]),
    shapely.MultiPoint([(0, 0), (1, 2.5)]),
    shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3.5)]]),
    shapely.MultiPolygon([shapely.Polygon(RING, [HOLE]), shapely.box(0, 0, 1, 1)]),
    shapely.GeometryCollection([shapely.Point(1, 2), shapely.box(0, 0, 1, 1)]),
    shapely.Point(),
    shapely.Polygon(),
    shapely.MultiPolygon(),
]


@pytest.mark.parametrize("geometry", SHAPES, ids=lambda geometry: geometry.geom_type)
def test_it_is_what_geos_writes(geometry: shapely.Geometry) -> None:
    (text,) = geojson([geometry])
    assert text == orjson.dumps(orjson.loads(shapely.to_geojson(geometry)))


def test_many_are_brought_elsewhere_at_once() -> None:
    used = transformation(4549, 4326, (119, 28, 121, 30))
    moved = shapely.transform(SHAPES, lambda xy: xy * [1e3, 1e4] + [4e5, 3e6])
    texts = geojson(list(moved), used.xy)
    wanted = [orjson.dumps(orjson.loads(text)) for text in shapely.to_geojson(used.geometries(moved))]
    assert texts == wanted and geojson([]) == []
