"""Processor time of this process and of a server's sessions: what a crowded machine does not change much."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from bench.report import timed

__all__ = ["Spent", "spent_on"]


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, of this process (all threads), of the server's sessions; the load beside them."""

    clock_s: float
    process_s: float
    server_s: float
    load: float

    def __str__(self) -> str:
        return (
            f"{self.clock_s:.2f} s (process {self.process_s:.2f}, server {self.server_s:.2f}, "
            f"load {self.load:.1f})"
        )


def spent_on(engine: Engine, work: Callable[[], Any]) -> tuple[Spent, Any]:
    """What ``work`` takes, and its result. Sessions of ``engine`` stay in its pool, so none is lost."""

    def worked() -> tuple[float, Any]:
        begin, found = time.process_time(), work()
        return time.process_time() - begin, found

    before = _sessions(engine)
    clock, (process, result) = timed(worked)  # which collects rubbish first: no part of the work
    server = sum(seconds - before.get(pid, 0.0) for pid, seconds in _sessions(engine).items())
    return Spent(clock, process, server, os.getloadavg()[0]), result


def _sessions(engine: Engine) -> dict[int, float]:
    """Processor seconds of each session so far; none where the system does not tell (only Linux does)."""
    with engine.connect() as conn:
        pids = conn.scalars(text("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"))
        stats = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
        return {pid: _seconds(stat.read_text()) for pid, stat in stats.items() if stat.exists()}


def _seconds(stat: str) -> float:
    # The name in parentheses may hold spaces; user and system time are fields 14 and 15 (proc(5)).
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
