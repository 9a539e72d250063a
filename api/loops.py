"""The event loop of a process that serves beside others on one socket, and who of them takes a connection.

A process that has more connections than another comes late to the next: then those who have fewer have taken
it, unless they are dead or busy, which it learns from finding it still there. So a client's connections are
shared evenly, none waits long, and nobody has to be asked. Who took the last one comes a little late too: a
client that closes its connections and opens others at once is there before each process has noticed the end
of its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import mmap
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["SHARES", "SharedProtocol", "Shares", "SharingLoop", "make_shares"]

log = logging.getLogger("onemap")

SHARES = "ONEMAP_SHARES"
"""The file in which the processes of one service say how many connections each has."""

_LATE_S, _LEAST_LATE_S = 0.02, 0.005
_LOOK_S = 0.001
_REST_S = 1.0
_COUNT = struct.Struct("=i")


def make_shares(path: Path, processes: int) -> None:
    """Write the file for so many processes, none of which has a connection."""
    path.write_bytes(bytes((1 + processes) * _COUNT.size))


class Shares:
    """How many connections this process has, and the others that share in the file at ``path``.

    The file begins with the place of who took the last connection. A process has the first place behind that
    which nobody holds; the system takes it from one that dies. What a dead one had counts until its place is
    taken: whoever is behind it comes late, no more.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._counts = mmap.mmap(self._file, 0)
        self._places = range(_COUNT.size, len(self._counts), _COUNT.size)
        self._own = next((place for place in self._places if self._free(place)), None)
        self.hold(0)

    def _free(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, _COUNT.size, place)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the place back."""
        self._counts.close()
        os.close(self._file)

    def hold(self, connections: int) -> None:
        """Tell the others how many this process has now."""
        if self._own is not None:
            _COUNT.pack_into(self._counts, self._own, connections)

    def take(self) -> None:
        """Tell the others that this process took a connection."""
        if self._own is not None:
            _COUNT.pack_into(self._counts, 0, self._own)

    def took_last(self) -> bool:
        """Whether nobody else has taken one since, where there are others."""
        return len(self._places) > 1 and self._own == _COUNT.unpack_from(self._counts, 0)[0]

    def is_ahead(self) -> bool:
        """Whether this process has more connections than another."""
        if self._own is None:
            return False
        counts = {place: _COUNT.unpack_from(self._counts, place)[0] for place in self._places}
        return bool(counts[self._own] > min(counts.values()))


class _Door:
    """Takes connections from a listening socket one by one, late where it is the turn of others."""

    def __init__(
        self,
        loop: SharingLoop,
        listening: socket.socket,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        self._loop, self._listening, self._protocol_factory = loop, listening, protocol_factory
        self._task = loop.create_task(self._serve())

    def close(self) -> None:
        """Take no more."""
        self._task.cancel()
        self._loop.remove_reader(self._listening)

    async def wait_closed(self) -> None:
        """Return at once: a connection that was taken is its protocol's."""

    async def _serve(self) -> None:
        late_s = _LATE_S
        while True:
            await self._knock()
            ahead = await self._others_first(late_s)
            try:
                connection, _ = self._listening.accept()
                self._loop.shares.take()
                await self._loop.connect_accepted_socket(self._protocol_factory, connection)
                late_s = (
                    max(late_s / 2, _LEAST_LATE_S) if ahead else _LATE_S
                )  # nobody else comes: not so long
            except (BlockingIOError, InterruptedError, ConnectionError):
                late_s = _LATE_S  # another process has taken it, or it has gone
            except OSError as error:  # no more files may be open, above all
                log.error("no connection can be taken: %s", error)
                await asyncio.sleep(_REST_S)

    async def _others_first(self, late_s: float) -> bool:
        """Wait while it is the turn of others, ``late_s`` at most; whether this process is ahead then."""
        shares, since = self._loop.shares, self._loop.time()
        while (waited := self._loop.time() - since) < late_s:
            # Looked at anew each time: what has ended on both sides is counted meanwhile.
            if not shares.is_ahead() and not (shares.took_last() and waited < _LEAST_LATE_S):
                return False
            await asyncio.sleep(_LOOK_S)
        return shares.is_ahead()

    async def _knock(self) -> None:
        """Wait until there is a connection."""
        knocked = asyncio.Event()
        self._loop.add_reader(self._listening, knocked.set)
        try:
            await knocked.wait()
        finally:
            self._loop.remove_reader(self._listening)


class SharingLoop(uvloop.Loop):
    """The loop of a process that serves a socket beside others; `SHARES` names the file of their counts."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = Shares(Path(os.environ[SHARES]))

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        """As `asyncio.loop.create_server`, of whose parameters ``sock`` and ``backlog`` are heeded."""
        listening: socket.socket = kwargs["sock"]
        listening.setblocking(False)
        listening.listen(kwargs["backlog"])
        return _Door(self, listening, protocol_factory)


class SharedProtocol(HttpToolsProtocol):
    """HTTP on a connection, of which the other processes are told."""

    loop: SharingLoop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """The connection has come."""
        super().connection_made(transport)
        self.loop.shares.hold(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has gone."""
        super().connection_lost(exc)
        self.loop.shares.hold(len(self.connections))
