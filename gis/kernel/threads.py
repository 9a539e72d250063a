"""Work on zones, shared out over threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from gis.kernel.arrays import Indices

__all__ = ["THREADS", "each_zone", "in_shares"]

T = TypeVar("T")

WORTH_SHARING = 20_000
"""Below so many vertices or points a second thread costs more than it saves."""

VERTICES_A_ROW = 16
"""What a row of an array that is shared out counts for."""

SHARES_A_THREAD = 4
"""More shares than threads, as some take longer."""

THREADS = 2
"""How many threads work unless told otherwise. GEOS releases the GIL, so they run side by side."""


def each_zone(work: Callable[[int], T], zones: Indices, weight: Indices, threads: int | None) -> list[T]:
    """``work(zone)`` for every zone, heaviest first; the results in the order of ``zones``.

    ``weight`` is the work of each zone, counted in vertices or points. Little work, and that of a single
    zone, stays in the caller's thread.

    A zone is given to exactly one thread, and what that thread prepares never leaves it: two threads that use
    one prepared geometry crash the process.
    """
    workers = THREADS if threads is None else max(int(threads), 1)
    if workers == 1 or len(zones) <= 1 or int(weight.sum()) < WORTH_SHARING:
        return [work(int(zone)) for zone in zones]
    order = np.argsort(-weight, kind="stable")
    with ThreadPoolExecutor(workers) as pool:
        heavy_first = list(pool.map(work, (int(z) for z in zones[order])))
    results: list[T] = [heavy_first[0]] * len(zones)
    for place, result in zip(order, heavy_first, strict=True):
        results[place] = result
    return results


def in_shares(
    work: Callable[..., Any], *arrays: Any, group: Indices | None = None, threads: int | None = None
) -> Any:
    """``work(*arrays)`` done on contiguous shares of the arrays by several threads, joined in order.

    Rows of one ``group`` (sorted) stay in one share, so that no two threads use the same prepared geometry.
    Without groups, ``work`` must use geometry that nobody has prepared.
    """
    count = len(arrays[0])
    workers = THREADS if threads is None else max(int(threads), 1)
    if workers == 1 or count * VERTICES_A_ROW < WORTH_SHARING:
        return work(*arrays)
    cuts = np.linspace(0, count, workers * SHARES_A_THREAD + 1).astype(np.int64)
    if group is not None:
        cuts[1:-1] = np.searchsorted(group, group[cuts[1:-1]])
    spans = [slice(a, b) for a, b in itertools.pairwise(cuts) if b > a]
    with ThreadPoolExecutor(workers) as pool:
        shares = pool.map(lambda span: work(*(array[span] for array in arrays)), spans)
        return np.concatenate(list(shares))
