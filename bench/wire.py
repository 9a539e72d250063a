"""Many small requests over a few connections, with as little work of our own as Python allows."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from rich.console import Console
from rich.table import Table

__all__ = ["Run", "ask_all", "show_rates"]


@dataclass(frozen=True)
class Run:
    """What a run of requests took: milliseconds and bytes of each, and seconds in all."""

    ms: np.ndarray
    sizes: np.ndarray
    seconds: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return len(self.ms) / self.seconds

    def params(self) -> dict[str, float]:
        """Figures for the table."""
        p50, p99 = np.percentile(self.ms, [50, 99])
        return {
            "requests": len(self.ms), "p50": float(p50), "p99": float(p99), "max": float(self.ms.max()),
            "kB": float(self.sizes.mean() / 1000), "max_kB": float(self.sizes.max() / 1000),
        }  # fmt: skip


def ask_all(
    address: str, paths: Sequence[str], connections: int, headers: Mapping[str, str] | None = None
) -> Run:
    """GET each of ``paths`` once, over ``connections`` that are kept; every answer must be 200 or 204.

    Compressed answers are uncompressed, which checks them; the sizes are what went over the wire.
    """
    return asyncio.run(_ask_all(address, paths, connections, headers or {}))


async def _ask_all(address: str, paths: Sequence[str], connections: int, headers: Mapping[str, str]) -> Run:
    host = urlsplit(address).netloc
    told = "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **headers}.items())
    waiting = iter(range(len(paths)))
    ms, sizes = np.zeros(len(paths)), np.zeros(len(paths))

    async def work() -> None:
        reader, writer = await asyncio.open_connection(*host.split(":"))
        for i in waiting:
            start = time.perf_counter()
            writer.write(f"GET {paths[i]} HTTP/1.1\r\n{told}\r\n".encode())
            sizes[i] = await _answer(reader, paths[i])
            ms[i] = (time.perf_counter() - start) * 1000
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return Run(ms, sizes, time.perf_counter() - begun)


async def _answer(reader: asyncio.StreamReader, path: str) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if status == 204:
        return 0
    stated = head.partition(b"\r\ncontent-length:")[2]
    length = int(stated.split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    assert status == 200, (path, status, body[:500])
    if b"\r\ncontent-encoding: gzip" in head:
        gzip.decompress(body)
    return length


def show_rates(name: str, rows: list[Any]) -> None:
    """Print a table of rows whose medians are requests a second, with `Run.params`."""
    table = Table(title=name)
    for column in ("system", "a second", "p50 ms", "p99", "slowest", "kB each", "largest", "prepared s"):
        table.add_column(column, justify="left" if column == "system" else "right", no_wrap=True)
    for row in rows:
        p = row.params
        table.add_row(
            row.system, f"{row.median:.1f}", f"{p['p50']:.1f}", f"{p['p99']:.1f}", f"{p['max']:.1f}",
            f"{p['kB']:.1f}", f"{p['max_kB']:.0f}", f"{p['prepared_s']:.2f}" if "prepared_s" in p else "",
        )  # fmt: skip
    Console(width=100).print(table)
