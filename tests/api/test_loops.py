"""Processes on one socket come by its connections in turns."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

from api.loops import SharingLoop

CLIENTS = 10


def left_for_others(loop: asyncio.AbstractEventLoop) -> int:
    """How many of the connections that wait the loop leaves in the queue when it begins with the first."""
    with ExitStack() as held:
        listening = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        begun = loop.create_future()

        class Served(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                transport.close()
                if not begun.done():
                    begun.set_result(None)

        async def serve() -> None:
            server = await loop.create_server(Served, sock=listening.dup(), backlog=100)
            for _ in range(CLIENTS):
                held.enter_context(socket.create_connection(listening.getsockname()))
            await begun
            loop.remove_reader(server.sockets[0])
            for _ in range(20):  # what was taken is served and closed
                await asyncio.sleep(0)
            server.close()

        loop.run_until_complete(serve())
        loop.close()
        listening.setblocking(False)
        count = 0
        while True:
            try:
                held.enter_context(listening.accept()[0])
            except BlockingIOError:
                return count
            count += 1


def test_a_loop_takes_one_connection_at_a_time() -> None:
    assert left_for_others(SharingLoop()) >= CLIENTS / 2
    assert left_for_others(asyncio.SelectorEventLoop()) == 0  # which is why
