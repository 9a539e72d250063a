"""A site out of a file."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from gis.errors import ImportRefused, ScreeningError
from gis.siteinput import site_from_file

SQUARE = shapely.box(120, 29, 120.1, 29.1)


def test_all_shapes_of_a_file_are_one_site(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    halves = [shapely.box(120, 29, 120.05, 29.1), shapely.box(120.05, 29, 120.1, 29.1)]
    gpd.GeoDataFrame(geometry=halves, crs=4490).to_file(path)
    site, crs = site_from_file(path)
    assert crs == "EPSG:4490"
    assert shapely.equals(site, SQUARE)


def test_geojson_is_in_degrees_unless_it_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(shapely.to_geojson(SQUARE), encoding="utf-8")
    site, crs = site_from_file(path)
    assert crs == "EPSG:4326"
    assert shapely.equals(site, SQUARE)


def test_half_a_site_is_no_site(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    bad = '{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[120]}}'
    good = f'{{"type":"Feature","properties":{{}},"geometry":{shapely.to_geojson(SQUARE)}}}'
    path.write_text(f'{{"type":"FeatureCollection","features":[{good},{bad}]}}', encoding="utf-8")
    with pytest.raises(ScreeningError, match="row 2"):
        site_from_file(path)


def test_what_is_no_map_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ImportRefused):
        site_from_file(path)
    path.write_text("code,name\n1,a\n")
    with pytest.raises((ScreeningError, ImportRefused)):
        site_from_file(path)
