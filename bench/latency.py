"""How long single requests take, when several are under way at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

__all__ = ["latency", "show_latency"]


def latency(
    ask: Callable[[int], None], requests: int, *, warm_up: int, concurrency: int, cpu_s: Callable[[], float]
) -> tuple[float, dict[str, Any]]:
    """Median milliseconds of ``requests`` requests, and percentiles, throughput and processor time of each.

    ``ask(i)`` makes request i and waits for its answer; ``cpu_s()`` is the time the service has used so far.
    """

    def timed(i: int) -> float:
        start = time.perf_counter()
        ask(i)
        return time.perf_counter() - start

    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(ask, range(warm_up)))
        before, start = cpu_s(), time.perf_counter()
        took = np.array(list(pool.map(timed, range(requests)))) * 1000
        whole, cpu = time.perf_counter() - start, cpu_s() - before
    p50, p90, p99 = (float(value) for value in np.percentile(took, [50, 90, 99]))
    return p50, {
        "requests": requests, "concurrency": concurrency, "p90": p90, "p99": p99, "min": float(took.min()),
        "max": float(took.max()), "per_s": requests / whole, "cpu_ms": 1000 * cpu / requests,
    }  # fmt: skip


def show_latency(name: str, rows: list[Any]) -> None:
    """Print a table of rows whose medians are milliseconds."""
    table = Table(title=name)
    for column in ("system", "p50 ms", "p90", "p99", "slowest", "a second", "CPU ms each"):
        table.add_column(column, justify="left" if column == "system" else "right", no_wrap=True)
    for row in rows:
        p = row.params
        table.add_row(
            row.system, f"{row.median:.1f}", f"{p['p90']:.1f}", f"{p['p99']:.1f}", f"{p['max']:.1f}",
            f"{p['per_s']:.0f}", f"{p['cpu_ms']:.1f}" if p["cpu_ms"] else "",
        )  # fmt: skip
    Console(width=100).print(table)
