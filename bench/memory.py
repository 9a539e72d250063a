"""How much memory processes use, and have used at most."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["memory_mb", "processes", "show_memory"]


def processes() -> Iterator[int]:
    """The processes that come from this one, but for the database's, which went its own way."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass  # it has ended
    below = {os.getpid()}
    while new := {process for process, parent in parents.items() if parent in below} - below:
        below |= new
    yield from below - {os.getpid()}


def memory_mb(process: int, name: str) -> float:
    """What Linux calls ``name`` (VmRSS: now, VmHWM: at most) of a process, in MiB; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":")), 0.0)


def show_memory(name: str, rows: list[Any]) -> None:
    """Print a table of rows with seconds, and memory before and at most."""
    table = Table(title=name)
    for column in ("what", "s", "MB sent", "memory before, MB", "peak MB"):
        table.add_column(column, justify="left" if column == "what" else "right", no_wrap=True)
    for row in rows:
        p = row.params
        table.add_row(
            row.system, f"{row.median:.1f}", f"{p['MB']:.0f}", f"{p['before_mb']:.0f}", f"{p['peak_mb']:.0f}"
        )
    Console(width=100).print(table)
