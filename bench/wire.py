"""Many small requests over a few connections, with as little work of our own as Python allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

__all__ = ["Run", "ask_all"]


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


def ask_all(address: str, paths: Sequence[str], connections: int) -> Run:
    """GET each of ``paths`` once, over ``connections`` that are kept; every answer must be 200 or 204."""
    return asyncio.run(_ask_all(address, paths, connections))


async def _ask_all(address: str, paths: Sequence[str], connections: int) -> Run:
    host = urlsplit(address).netloc
    waiting = iter(range(len(paths)))
    ms, sizes = np.zeros(len(paths)), np.zeros(len(paths))

    async def work() -> None:
        reader, writer = await asyncio.open_connection(*host.split(":"))
        for i in waiting:
            start = time.perf_counter()
            writer.write(f"GET {paths[i]} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
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
    return length
