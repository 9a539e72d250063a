"""Work on zones, shared out over threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from gis.kernel.arrays import Indices

__all__ = ["THREADS", "each_zone", "in_halves"]

T = TypeVar("T")

WORTH_SHARING = 20_000
"""Below so many vertices or points a second thread costs more than it saves."""

THREADS = 2
"""How many threads work unless told otherwise. GEOS releases the GIL, so they run side by side."""


def each_zone(work: Callable[[int], T], zones: Indices, weight: Indices, threads: int | None) -> list[T]:
    """``work(zone)`` for every zone, heaviest first; the results in the order of ``zones``.

    ``weight`` is the work of each zone, counted in vertices or points. Little work stays in the caller's
    thread.

    A zone is given to exactly one thread, and what that thread prepares never leaves it: two threads that use
    one prepared geometry crash the process.
    """
    workers = THREADS if threads is None else max(int(threads), 1)
    if workers == 1 or int(weight.sum()) < WORTH_SHARING:
        return [work(int(zone)) for zone in zones]
    order = np.argsort(-weight, kind="stable")
    with ThreadPoolExecutor(workers) as pool:
        heavy_first = list(pool.map(work, (int(z) for z in zones[order])))
    results: list[T] = [heavy_first[0]] * len(zones)
    for place, result in zip(order, heavy_first, strict=True):
        results[place] = result
    return results


def in_halves(work: Callable[..., Any], *arrays: Any, threads: int | None = None) -> Any:
    """``work(*arrays)`` done on a contiguous share of the arrays in each thread; the results joined in order.

    For elementwise functions of geometries that nobody has prepared.
    """
    workers = THREADS if threads is None else max(int(threads), 1)
    if workers == 1 or len(arrays[0]) * 16 < WORTH_SHARING:
        return work(*arrays)
    with ThreadPoolExecutor(workers) as pool:
        shares = zip(*(np.array_split(array, workers) for array in arrays), strict=True)
        return np.concatenate(list(pool.map(lambda share: work(*share), shares)))
