"""How long single requests take, when several are under way at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

__all__ = ["figures", "latency", "show_latency"]


def latency(
    ask: Callable[[int], None], requests: int, *, warm_up: int, concurrency: int
) -> tuple[float, dict[str, Any]]:
    """The `figures` of ``requests`` requests; ``ask(i)`` makes request i and waits for its answer."""

    def timed(i: int) -> float:
        start = time.perf_counter()
        ask(i)
        return time.perf_counter() - start

    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(ask, range(warm_up)))
        start = time.perf_counter()
        took = np.array(list(pool.map(timed, range(requests)))) * 1000
        whole = time.perf_counter() - start
    return figures(took, whole, 0.0, concurrency)


def figures(took: np.ndarray, whole_s: float, cpu_s: float, concurrency: int) -> tuple[float, dict[str, Any]]:
    """Median of requests that ``took`` ms, percentiles, throughput, processor time (0: not known)."""
    p50, p90, p99 = (float(value) for value in np.percentile(took, [50, 90, 99]))
    return p50, {
        "requests": len(took), "concurrency": concurrency, "p90": p90, "p99": p99, "min": float(took.min()),
        "max": float(took.max()), "per_s": len(took) / whole_s, "cpu_ms": 1000 * cpu_s / len(took),
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
