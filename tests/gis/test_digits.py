"""Coordinates are written with few digits, and with more where a shape would break."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import transformation
from gis.features import rounded

EXTENT = (118.5, 28.0, 121.5, 30.2)
UNIT = 1e-7  # the last digit in degrees
ORIGIN = np.array([120.0, 29.0])


def written(shape: shapely.Geometry, crs: int = 4490) -> shapely.Geometry:
    return rounded(np.array([shape], dtype=object), crs)[0]


def in_units(wkt: str) -> shapely.Geometry:
    """A shape told in units of the last digit, around a place in the district."""
    return shapely.transform(shapely.from_wkt(wkt), lambda xy: ORIGIN + xy * UNIT)


@pytest.mark.parametrize(
    "wkt",
    [
        "LINESTRING(0 0, 0.3 0.2)",  # to be a line without length
        "MULTILINESTRING((0 0, 0.3 0.2), (5 5, 90 90))",
        "POLYGON((0 0, 100 0, 50 0.4, 0 0))",  # flat
        "POLYGON((0 0, 0.4 0, 0.4 0.4, 0 0.4, 0 0))",  # smaller than a digit
        "POLYGON((0 0, 100 0, 100 100, 50 0.3, 0 100, 0 0))",  # a notch down to its base
        "POLYGON((0 0, 100 0, 100 100, 0 100, 0 0), (10 0.4, 90 0.4, 50 50, 10 0.4))",  # a hole along the rim
        "MULTIPOLYGON(((0 0, 50 0, 50 50, 0 0)), ((50.3 0, 99 0, 99 50, 50.3 50, 50.3 0)))",  # a gap
        "GEOMETRYCOLLECTION(POINT(0 0), LINESTRING(5 5, 5.2 5.2))",
        "POLYGON((0 0, 100 0.0001, 50 0.00004, 0 0))",  # four digits more are not enough
    ],
)
def test_what_the_usual_digits_would_break_has_more(wkt: str) -> None:
    shape = in_units(wkt)
    assert shapely.is_valid(shape) and not shapely.is_valid(shapely.transform(shape, lambda xy: xy.round(7)))
    told = written(shape)
    assert shapely.is_valid(told) and told.geom_type == shape.geom_type
    assert shapely.hausdorff_distance(told, shape) <= UNIT / 100
    assert np.ptp(shapely.get_coordinates(told), axis=0).any()


def test_what_stays_valid_has_the_usual_digits() -> None:
    shapes = [in_units("POLYGON((0.2 0, 100 0.3, 50 50, 0.2 0))"), in_units("LINESTRING(0.1 0.1, 7.6 7.6)"),
              in_units("POINT(0.4 0.4)"), shapely.Polygon(), None]  # fmt: skip
    told = rounded(np.array(shapes, dtype=object), 4490)
    for before, after in zip(shapes, told, strict=True):
        assert (before is None) == (after is None)
        plain = shapely.get_coordinates(before).round(7)
        assert (shapely.get_coordinates(after) == plain).all()
    assert list(rounded(told, 4490)[:3]) == list(told[:3])


@pytest.mark.parametrize(
    ("wkt", "mended"),
    [
        ("LINESTRING(0 0, 0 0)", "POINT(0 0)"),
        ("MULTILINESTRING((0 0, 0 0), (5 5, 90 90))", "MULTILINESTRING((5 5, 90 90))"),
        (
            "GEOMETRYCOLLECTION(POINT(9 9), LINESTRING(0 0, 0 0))",
            "GEOMETRYCOLLECTION(POINT(0 0), POINT(9 9))",
        ),
        ("POLYGON((0 0, 100 0, 100 100, 0 0, 0 0))", "POLYGON((0 0, 100 0, 100 100, 0 0))"),
    ],
)
def test_what_was_not_valid_is_mended(wkt: str, mended: str) -> None:
    told, wanted = written(in_units(wkt)), in_units(mended)
    assert shapely.is_valid(told) and told.geom_type == wanted.geom_type
    assert shapely.hausdorff_distance(told, wanted) < UNIT


@pytest.mark.parametrize("crs", [3857, 4549])
def test_a_ring_that_a_transformation_bends_is_cut(crs: int) -> None:
    """A hole touches a long rim at a place that lies beside the straight rim of another system."""
    shape = shapely.Polygon(
        [(119, 29), (121, 29), (121, 29.5), (119, 29.5)], [[(120, 29), (120.2, 29.2), (119.8, 29.2)]]
    )
    moved = transformation(4490, crs, EXTENT).geometries(np.array([shape], dtype=object))
    assert shapely.is_valid(shape)
    told = rounded(moved, crs)[0]
    assert shapely.is_valid(told) and told.geom_type == "Polygon"
    assert told.area == pytest.approx(moved[0].area, rel=1e-2)
    if crs == 4549:
        assert not shapely.is_valid(moved[0])


def test_what_lies_at_infinity_is_left_alone() -> None:
    lost = shapely.LineString([(np.inf, np.inf), (np.inf, np.inf)])
    assert written(lost).geom_type == "LineString"


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 4, 6, 12]), st.sampled_from([1.0, 4.0, 30.0]))
def test_any_valid_shape_is_written_as_a_valid_one(seed: int, corners: int, size: float) -> None:
    """Stars of a few digits, whose corners fall together and whose sides cross when they are rounded."""
    rng = np.random.default_rng(seed)
    angle, reach = np.sort(rng.uniform(0, 2 * np.pi, corners)), rng.uniform(0.01, size, corners)
    ring = ORIGIN + np.column_stack([reach * np.cos(angle), reach * np.sin(angle)]) * UNIT
    for shape in (shapely.Polygon(ring), shapely.LineString(ring)):
        if not shapely.is_valid(shape):
            continue
        told = written(shape)
        assert shapely.is_valid(shapely.from_geojson(shapely.to_geojson(told)))
        assert told.geom_type == shape.geom_type
        assert shapely.hausdorff_distance(told, shape) <= UNIT
