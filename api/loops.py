"""The event loop of a process that serves beside others on one socket."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["SharingLoop"]


class SharingLoop(asyncio.SelectorEventLoop):
    """Accepts connections one by one, so that processes on one socket come by them in turns.

    The loop of the library takes all that wait when it is told of one: then one process has all connections
    of a client, and another none.
    """

    async def create_server(self, *args: Any, backlog: int = 100, **kwargs: Any) -> asyncio.Server:
        """As `asyncio.loop.create_server`; ``backlog`` is how many connections may wait."""
        server = await super().create_server(*args, backlog=1, **kwargs)
        if (listening := kwargs.get("sock")) is not None:
            listening.listen(backlog)
        return server
