"""Measuring systems in turns, comparing what they answer, and showing what came out."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.latency import show_latency
from bench.memory import show_memory
from bench.wire import show_rates

__all__ = ["Answer", "Limit", "Row", "in_turns", "judged", "show", "timed", "write"]

RUNS, FEW_RUNS = 7, 3
"""Turns of each system, and of a peer that is behind the fastest one and so decides nothing."""

BEHIND = 1.3
"""So many times the fastest peer's first run is behind."""

LONG_S = 60.0
"""A peer that takes longer has no turn but its first run."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A full list of pairs: subject int64[k] and zone int64[k] in any order, perhaps a measure float64[k]."""

    subject: NDArray[Any]
    zone: NDArray[Any]
    measure: NDArray[Any] | None = None

    def by_pair(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """One number for each pair, ascending, and its measure (0 without one)."""
        key = self.subject.astype(np.int64) << 32 | self.zone.astype(np.int64)
        order = np.argsort(key)
        measure = np.zeros(len(key)) if self.measure is None else self.measure.astype(np.float64)
        return key[order], measure[order]


@dataclass(frozen=True)
class Row:
    """One system's figure: median, spread and number of runs, in ``unit``."""

    bench: str
    system: str
    median: float
    unit: str
    runs: int
    params: dict[str, Any]


@dataclass(frozen=True)
class Limit:
    """What onemap's median may be at most, as a share of that of the fastest of ``peers``."""

    share: float
    peers: tuple[str, ...]


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
    bench: str,
    systems: Mapping[str, Callable[[], Answer]],
    params: Mapping[str, Mapping[str, Any]],
    *,
    tolerance: tuple[float, float] = (0.0, 0.0),
    apart: Sequence[str] = (),
) -> list[Row]:
    """Run each system once to warm up and compare, and then `RUNS` times, in turns: noise hits all alike.

    The first system is onemap; the first answer of every other one, but for those ``apart``, is held against
    its. ``tolerance`` is the relative and the absolute difference of a measure that is none; a pair that one
    system alone has is counted in the row. A peer that is `BEHIND` the fastest one is run `FEW_RUNS` times.
    """
    own = next(iter(systems))
    first, differences = {}, {}
    found: dict[str, int] = {}
    reference: Answer | None = None
    for name, work in systems.items():
        first[name], answer = timed(work)
        if reference is None:
            reference = answer
        found[name] = len(answer.zone)
        differences[name] = {} if name in apart else _differences(reference, answer, tolerance)
        print(f"{bench}: first run of {name}: {first[name]:.2f} s, {found[name]:,} pairs", flush=True)
    best = min(seconds for name, seconds in first.items() if name != own and name not in apart)
    turns = {n: RUNS if n in (own, *apart) else _turns(first[n], best) for n in systems}
    times = {name: [first[name]] if turns[name] == 1 else [] for name in systems}
    for turn in range(RUNS):
        for name, work in systems.items():
            if 1 < turns[name] and turn < turns[name]:
                took, answer = timed(work)
                assert len(answer.zone) == found[name], f"{name} finds other pairs every time"
                times[name].append(took)
                del answer
        print(f"{bench}: turn {turn + 1} of {RUNS}", flush=True)
    return [
        Row(
            bench, name, statistics.median(seconds), "s", len(seconds),
            {**params.get(name, {}), "pairs": found[name], **differences[name],
             "first": first[name], "min": min(seconds), "max": max(seconds)},
        )
        for name, seconds in times.items()
    ]  # fmt: skip


def _turns(seconds: float, best: float) -> int:
    if seconds > LONG_S and seconds > best:
        return 1
    return FEW_RUNS if seconds > BEHIND * best else RUNS


def _differences(own: Answer, other: Answer, tolerance: tuple[float, float]) -> dict[str, Any]:
    """How many pairs only one of two systems has, and how far measures of the others differ."""
    ours, our_measure = own.by_pair()
    theirs, their_measure = other.by_pair()
    _, one, two = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    off = np.abs(our_measure[one] - their_measure[two])
    relative, absolute = tolerance
    far = off > np.maximum(absolute, relative * np.abs(their_measure[two]))
    missing, more = len(ours) - len(one), len(theirs) - len(one)
    return {
        "pairs_missing": missing,
        "pairs_more": more,
        "largest_missing": float(np.delete(our_measure, one).max(initial=0.0)),
        "largest_difference": float(off.max(initial=0.0)),
        "measures_off": int(far.sum()),
    }


def judged(rows: list[Row], limits: Sequence[Limit]) -> list[str]:
    """Sentences that hold onemap's median against each limit."""
    median = {row.system: row.median for row in rows}
    told = []
    for limit in limits:
        fastest = min((name for name in limit.peers if name in median), key=median.__getitem__)
        share = median["onemap"] / median[fastest]
        told.append(
            f"{share:.3f} of {fastest}, wanted at most {limit.share}: "
            f"{'held' if share <= limit.share else 'MISSED'}"
        )
    return told


def show(name: str, rows: list[Row]) -> None:
    """Print a table with the ratio to onemap's own row."""
    if rows[0].unit == "ms":
        return show_latency(name, rows)
    if rows[0].unit == "requests/s":
        return show_rates(name, rows)
    if "peak_mb" in rows[0].params:
        return show_memory(name, rows)
    own = next(row.median for row in rows if row.system == "onemap")
    table = Table(title=name)
    for column in (
        "system",
        "median s",
        "fastest",
        "slowest",
        "runs",
        "ratio",
        "pairs",
        "differ",
        "prepared s",
    ):
        table.add_column(column, justify="left" if column == "system" else "right", no_wrap=True)
    for row in sorted(rows, key=lambda row: row.median):
        p = row.params
        differ = sum(p.get(key, 0) for key in ("pairs_missing", "pairs_more", "measures_off"))
        table.add_row(
            row.system, f"{row.median:.3f}", f"{p['min']:.3f}", f"{p['max']:.3f}", f"{row.runs}",
            f"{row.median / own:.2f}", f"{p['pairs']:,}", f"{differ:,}", f"{p.get('prepared_s', 0):.2f}",
        )  # fmt: skip
    console = Console(width=110)
    console.print(table)
    for sentence in rows[0].params.get("judged", []):
        console.print(f"  {sentence}", highlight=False)


def write(rows: list[Row], path: Path) -> None:
    """Write all rows as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
