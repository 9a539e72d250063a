"""Measuring systems in turns, and showing what came out."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

__all__ = ["Row", "in_turns", "show", "timed", "write"]


@dataclass(frozen=True)
class Row:
    """One system's figure: median, spread and number of runs, in ``unit``."""

    bench: str
    system: str
    median: float
    unit: str
    runs: int
    params: dict[str, Any]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that ``work`` takes, and its result; rubbish is collected before, not while."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        result = work()
        return time.perf_counter() - start, result
    finally:
        gc.enable()


def in_turns(
    bench: str, systems: Mapping[str, Callable[[], int]], params: Mapping[str, Mapping[str, Any]], runs: int
) -> list[Row]:
    """Run each system once to warm up and then ``runs`` times, taking turns, so that noise hits all alike.

    A system returns how many pairs it found; all must agree, else AssertionError names who does not.
    """
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    found: dict[str, int] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task(bench, total=len(systems) * (runs + 1))
        for turn in range(runs + 1):
            for name, work in systems.items():
                progress.update(task, description=f"{bench}: {name}")
                took, found[name] = timed(work)
                if turn:
                    seconds[name].append(took)
                progress.advance(task)
    assert len(set(found.values())) == 1, f"the systems disagree on the pairs: {found}"
    return [
        Row(
            bench, name, statistics.median(times), "s", runs,
            {**params.get(name, {}), "pairs": found[name], "min": min(times), "max": max(times)},
        )
        for name, times in seconds.items()
    ]  # fmt: skip


def show(name: str, rows: list[Row]) -> None:
    """Print a table with the ratio to onemap's own row."""
    own = next(row.median for row in rows if row.system == "onemap")
    table = Table(title=name)
    for column in ("system", "median s", "fastest", "slowest", "ratio", "pairs", "prepared in s"):
        table.add_column(column, justify="left" if column == "system" else "right", no_wrap=True)
    for row in sorted(rows, key=lambda row: row.median):
        p = row.params
        table.add_row(
            row.system, f"{row.median:.3f}", f"{p['min']:.3f}", f"{p['max']:.3f}", f"{row.median / own:.1f}",
            f"{p['pairs']:,}", f"{p.get('prepared_s', 0):.2f}",
        )  # fmt: skip
    Console(width=100).print(table)


def write(rows: list[Row], path: Path) -> None:
    """Write all rows as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
