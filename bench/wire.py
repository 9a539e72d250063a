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

_HEAD_BYTES = 2**16


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
    address: str,
    paths: Sequence[str],
    connections: int,
    headers: Mapping[str, str] | None = None,
    bodies: Sequence[bytes] | None = None,
) -> Run:
    """GET each of ``paths`` once, over ``connections`` that are kept; every answer must be 200 or 204.

    With ``bodies``, one of them is POSTed to each path, as JSON. Compressed answers are uncompressed, which
    checks them; the sizes are what went over the wire.
    """
    host = urlsplit(address).netloc
    messages = _messages(paths, {"Host": host, **(headers or {})}, bodies)
    return asyncio.run(_ask_all(host, messages, connections))


def _messages(paths: Sequence[str], told: Mapping[str, str], bodies: Sequence[bytes] | None) -> list[bytes]:
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    if bodies is None:
        return [f"GET {path} HTTP/1.1\r\n{head}\r\n".encode() for path in paths]
    head += "Content-Type: application/json\r\n"
    return [
        f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for path, body in zip(paths, bodies, strict=True)
    ]


async def _ask_all(host: str, messages: Sequence[bytes], connections: int) -> Run:
    name, port = host.split(":")
    questions = _Questions(messages)
    begun = time.perf_counter()
    loop = asyncio.get_running_loop()
    asking = [
        await loop.create_connection(lambda: _Asking(questions), name, port) for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in asking))
    return Run(questions.ms, questions.sizes, time.perf_counter() - begun)


class _Questions:
    """What all connections ask together, and what came of it."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = messages
        self.waiting = iter(range(len(messages)))
        self.ms, self.sizes = np.zeros(len(messages)), np.zeros(len(messages))


class _Asking(asyncio.BufferedProtocol):
    """One connection, on which one question follows another; answers are read into one buffer."""

    def __init__(self, questions: _Questions) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._questions = questions
        self._buffer = bytearray(_HEAD_BYTES)
        self._number, self._begun = 0, 0.0
        self._filled, self._head, self._until = 0, b"", 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # the one it is
        self._transport = transport
        self._next()

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        try:
            if not self._until:
                self._read_head()
            if self._until and self._filled >= self._until:
                self._end()
        except Exception as error:  # which the loop would only log
            self._transport.abort()
            if not self.done.done():
                self.done.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("closed before the answer was there"))

    def _next(self) -> None:
        number = next(self._questions.waiting, None)
        if number is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._number, self._begun = number, time.perf_counter()
        self._filled, self._until = 0, 0
        self._transport.write(self._questions.messages[number])

    def _read_head(self) -> None:
        at = self._buffer.find(b"\r\n\r\n", 0, self._filled)
        if at < 0:
            return
        self._head = bytes(self._buffer[:at]).lower()
        stated = self._head.partition(b"\r\ncontent-length:")[2]
        self._until = at + 4 + int(stated.split(b"\r\n", 1)[0] or 0)
        if self._until > len(self._buffer):  # a new one, since the loop still holds the old
            larger = bytearray(self._until)
            larger[: self._filled] = self._buffer[: self._filled]
            self._buffer = larger

    def _end(self) -> None:
        body = memoryview(self._buffer)[len(self._head) + 4 : self._until]
        status = int(self._head.split(b" ", 2)[1])
        assert status in (200, 204), (self._questions.messages[self._number], status, bytes(body[:500]))
        if b"\r\ncontent-encoding: gzip" in self._head:
            gzip.decompress(body)
        self._questions.sizes[self._number] = len(body)
        self._questions.ms[self._number] = (time.perf_counter() - self._begun) * 1000
        self._next()


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
