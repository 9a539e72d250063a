"""Transformations are named, accurate and never ballpark."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from gis.crs import ellipsoidal_area_m2, parse_crs, transformation
from gis.errors import CrsError

JINHUA = (118.9, 28.3, 121.1, 29.9)
BRITAIN = (-6.0, 50.0, 2.0, 56.0)


def test_published_check_values_of_the_gauss_kruger_plane() -> None:
    to_plane = transformation(4490, 4549, JINHUA)
    xy = to_plane.xy(np.array([[120.047, 28.888], [119.87, 29.18]]))
    assert xy == pytest.approx(np.array([[504584.557, 3196856.730], [487354.944, 3229227.023]]), abs=0.001)
    assert to_plane.accuracy_m == 0.0


@given(st.floats(119, 121), st.floats(28.4, 29.8))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_there_and_back_is_within_a_micrometre(lon: float, lat: float) -> None:
    there, back = transformation(4490, 4549, JINHUA), transformation(4549, 4490, JINHUA)
    again = back.xy(there.xy(np.array([[lon, lat]])))[0]
    assert Geod(ellps="GRS80").inv(lon, lat, *again)[2] < 1e-6


def test_cgcs2000_to_wgs84_keeps_coordinates_and_states_a_bound() -> None:
    null = transformation(4490, 4326, JINHUA)
    assert null.xy(np.array([[120.0, 29.0]])) == pytest.approx(np.array([[120.0, 29.0]]), abs=1e-9)
    assert null.accuracy_m == 1.0


def test_a_real_datum_shift_lands_within_five_metres_of_the_published_point() -> None:
    # Ordnance Survey, "A guide to coordinate systems in Great Britain", Caister Water Tower:
    # E 651409.903 N 313177.270 on the National Grid; ETRS89 52°39'28.8282" N 1°42'57.8663" E.
    lon, lat = 1 + 42 / 60 + 57.8663 / 3600, 52 + 39 / 60 + 28.8282 / 3600
    x, y = transformation(27700, 4326, BRITAIN).xy(np.array([[651409.903, 313177.270]]))[0]
    assert Geod(ellps="GRS80").inv(lon, lat, x, y)[2] < 5.0


@pytest.mark.parametrize(
    ("source", "target", "extent"), [(27700, 4490, BRITAIN), (2437, 4490, JINHUA), (2385, 4549, JINHUA)]
)
def test_a_ballpark_transformation_is_refused(
    source: int, target: int, extent: tuple[float, float, float, float]
) -> None:
    with pytest.raises(CrsError, match="ballpark"):
        transformation(source, target, extent)


def test_an_unknown_crs_is_named_with_the_remedy() -> None:
    with pytest.raises(CrsError, match="'EPSG:999999'") as caught:
        parse_crs("EPSG:999999")
    assert "EPSG:4490" in caught.value.text("zh")


def test_ellipsoidal_area_agrees_with_karney_and_ignores_ring_direction() -> None:
    box = shapely.box(119.9, 28.9, 120.0, 29.0)
    expected = abs(Geod(ellps="GRS80").geometry_area_perimeter(box)[0])
    assert ellipsoidal_area_m2(box, 4490, JINHUA) == pytest.approx(expected, rel=1e-9)
    assert ellipsoidal_area_m2(box.reverse(), 4490, JINHUA) == pytest.approx(expected, rel=1e-9)
    hole = shapely.box(119.9, 28.9, 120.0, 29.0) - shapely.box(119.94, 28.94, 119.96, 28.96)
    assert ellipsoidal_area_m2(hole, 4490, JINHUA) < expected
    assert ellipsoidal_area_m2(shapely.Point(120, 29), 4490, JINHUA) == 0.0
