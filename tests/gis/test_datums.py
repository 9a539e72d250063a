"""GCJ-02 and BD-09: the published vectors, and there and back to less than a centimetre."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Geod

from gis import datums
from gis.datums import CHINA, bd09_to_wgs84, gcj02_to_wgs84, wgs84_to_bd09, wgs84_to_gcj02

Lonlat = NDArray[np.float64]
Convert = Callable[[Lonlat], Lonlat]

DISTRICT = (118.5, 28.0, 121.5, 30.2)
PAIRS = [
    pytest.param(wgs84_to_gcj02, gcj02_to_wgs84, id="GCJ-02"),
    pytest.param(wgs84_to_bd09, bd09_to_wgs84, id="BD-09"),
]


def metres(a: Lonlat, b: Lonlat) -> Lonlat:
    return np.asarray(Geod(ellps="GRS80").inv(a[:, 0], a[:, 1], b[:, 0], b[:, 1])[2])


def spread(seed: int, n: int, box: tuple[float, float, float, float] = DISTRICT) -> Lonlat:
    west, south, east, north = box
    return np.random.default_rng(seed).uniform((west, south), (east, north), (n, 2))


# Test vectors of eviltransform (lat, lng there) and of coordtransform's test/app.js.
@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
        ((116.404, 39.915), (116.41024449916938, 39.91640428150164)),
    ],
)
def test_the_published_vectors_of_gcj02_hold_to_the_last_digit(
    wgs: tuple[float, float], gcj: tuple[float, float]
) -> None:
    # One unit in the last place of a double is 1.4e-14 here: the platform's sine may differ by that much.
    assert wgs84_to_gcj02(np.array([wgs]))[0] == pytest.approx(gcj, rel=0, abs=3e-14)
    assert metres(gcj02_to_wgs84(np.array([gcj])), np.array([wgs]))[0] < 1e-4


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("_first_from_gcj02", (116.39775550083061, 39.91359571849836)),
        ("_gcj02_to_bd09", (116.41036949371029, 39.92133699351021)),
        ("_first_from_bd09", (116.39762729119315, 39.90865673957631)),
    ],
)
def test_the_published_steps_of_coordtransform_hold_to_the_last_digit(
    step: str, expected: tuple[float, float]
) -> None:
    given = np.array([[116.404, 39.915]])
    assert getattr(datums, step)(given)[0] == pytest.approx(expected, rel=0, abs=3e-14)


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_there_and_back_is_far_below_a_centimetre_on_a_grid_and_at_random(
    there: Convert, back: Convert
) -> None:
    lon, lat = np.meshgrid(np.linspace(118.5, 121.5, 121), np.linspace(28.0, 30.2, 89))
    for points in (np.column_stack([lon.ravel(), lat.ravel()]), spread(1, 20_000)):
        assert metres(back(there(points)), points).max() < 1e-5
        assert metres(there(back(points)), points).max() < 1e-5


@pytest.mark.parametrize(("there", "back"), PAIRS)
@given(lon=st.floats(73.5, 136.5), lat=st.floats(2.0, 54.5))
def test_there_and_back_holds_all_over_china(there: Convert, back: Convert, lon: float, lat: float) -> None:
    point = np.array([[lon, lat]])
    assert metres(back(there(point)), point)[0] < 0.001


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_the_kink_at_105_east_and_35_north_is_no_obstacle(there: Convert, back: Convert) -> None:
    steps = np.concatenate([[0.0], 10.0 ** np.arange(-16, 0, 0.5)])
    around = np.concatenate([-steps, steps])
    for points in (
        np.column_stack([105.0 + around, np.full(len(around), 31.7)]),
        np.column_stack([np.full(len(around), 112.3), 35.0 + around]),
    ):
        assert metres(back(there(points)), points).max() < 0.001
        assert metres(there(back(points)), points).max() < 0.001


def test_the_one_step_inverse_would_not_have_been_enough() -> None:
    wgs = spread(2, 5_000)
    gcj = wgs84_to_gcj02(wgs)
    assert 0.5 < metres(datums._first_from_gcj02(gcj), wgs).max() < 3.0


def test_yongkang_moves_555_and_1139_metres_to_the_south_east() -> None:
    yongkang = np.array([[120.047, 28.888]])
    assert metres(wgs84_to_gcj02(yongkang), yongkang)[0] == pytest.approx(555, abs=1)
    assert metres(wgs84_to_bd09(yongkang), yongkang)[0] == pytest.approx(1139, abs=1)
    east, north = (wgs84_to_gcj02(yongkang) - yongkang)[0]
    assert east > 0 > north


@pytest.mark.parametrize("convert", [wgs84_to_gcj02, gcj02_to_wgs84, wgs84_to_bd09, bd09_to_wgs84])
def test_outside_china_and_where_not_finite_nothing_moves(convert: Convert) -> None:
    west, south, east, _ = CHINA
    outside = np.array(
        [
            [-0.1, 51.5],
            [139.7, 35.7],
            [west - 1e-9, 30],
            [east + 1e-9, 30],
            [100, south - 1e-9],
            [100, 56],
            [np.nan, 30.0],
            [120.0, np.inf],
            [np.nan, np.nan],
        ]
    )  # fmt: skip
    assert np.array_equal(convert(outside), outside, equal_nan=True)
    assert convert(np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("convert", [wgs84_to_gcj02, gcj02_to_wgs84, wgs84_to_bd09, bd09_to_wgs84])
def test_each_row_is_converted_by_itself_and_the_input_is_left_alone(convert: Convert) -> None:
    points = np.vstack([spread(3, 70_000), [[0.0, 0.0], [120.047, 28.888]]])  # more than two chunks
    kept = points.copy()
    together = convert(points)
    assert np.array_equal(points, kept)
    for i in (0, 32_767, 32_768, 69_999, 70_000, 70_001):
        assert convert(points[i : i + 1])[0] == pytest.approx(together[i], rel=0, abs=1e-11)
