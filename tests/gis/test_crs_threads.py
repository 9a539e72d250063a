"""One cached transformation serves all threads of the API at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gis.crs import LONLAT, transformation

JINHUA = (118.9, 28.3, 121.1, 29.9)
BRITAIN = (-3.0, 51.0, 0.0, 53.0)


@pytest.mark.parametrize(
    ("source", "extent", "first"),
    [(4549, JINHUA, (450_000.0, 3_150_000.0)), (27700, BRITAIN, (400_000.0, 200_000.0))],
)
def test_eight_threads_get_what_one_thread_gets(
    source: int, extent: tuple[float, float, float, float], first: tuple[float, float]
) -> None:
    to_lonlat = transformation(source, LONLAT, extent)
    places = np.array(first) + np.random.default_rng(7).random((500, 2)) * 100_000
    expected = to_lonlat.xy(places)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: to_lonlat.xy(places), range(800)))
    assert all(np.array_equal(answer, expected) for answer in answers)
