"""How many requests are worked on at once, and what becomes of those whose sender has gone."""

from __future__ import annotations

import asyncio

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Overloaded, refuse
from api.metrics import IN_FLIGHT, REFUSED
from gis.bounds import InUse, in_use

__all__ = ["Admission", "Disconnects"]

ALWAYS = ("/healthz", "/metrics")
_RETRY_AFTER_S = 1


class Admission:
    """Lets ``most`` requests in at once; the next is told at once to come again, it never queues.

    Fewer than the threads that routes run in, so that one is left for the question whether the service is
    well.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 503 with Retry-After."""
        if scope["type"] != "http" or scope["path"].startswith(ALWAYS):
            await self.app(scope, receive, send)
            return
        if self._inside >= self.most:
            REFUSED.labels("busy").inc()
            error = Overloaded(
                "The service works on as many requests as it can.",
                "服务正忙，已达到同时处理请求数的上限。",
                remedy_en="Wait as Retry-After says.",
                remedy_zh="请按 Retry-After 等待后重试。",
            )
            await refuse(error, scope, receive, send, retry_after_s=_RETRY_AFTER_S)
            return
        self._inside += 1
        IN_FLIGHT.inc()
        try:
            await self.app(scope, receive, send)
        finally:
            self._inside -= 1
            IN_FLIGHT.dec()


class Disconnects:
    """Ends the statements of a request whose sender has gone, or whose time at shutdown is over.

    Bodies that come in pieces are left to the routes that read them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and watch its sender."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        first = await receive()
        if first["type"] == "http.disconnect":
            return
        mine = InUse()
        token = in_use.set(mine)
        pending = [first]
        watcher: asyncio.Task[Message] | None = None

        async def handed_on() -> Message:
            if pending:
                return pending.pop()
            if watcher is None:
                return await receive()
            return await asyncio.shield(watcher)

        answered = False

        async def noted(message: Message) -> None:
            nonlocal answered
            # A server tells of a sender who has the whole answer as of one who has gone.
            answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        if not first.get("more_body", False):
            watcher = asyncio.create_task(_gone(receive))
            watcher.add_done_callback(lambda task: None if answered else _cancel(task, mine))
        try:
            await self.app(scope, handed_on, noted)
        except asyncio.CancelledError:
            mine.cancel()  # the server ends: within a second
            raise
        finally:
            if watcher is not None:
                watcher.cancel()
            in_use.reset(token)


async def _gone(receive: Receive) -> Message:
    """The message that the sender has gone."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return message


_cancelling: set[asyncio.Task[None]] = set()


def _cancel(watcher: asyncio.Task[Message], mine: InUse) -> None:
    if watcher.cancelled() or watcher.exception() is not None:
        return
    task = asyncio.get_running_loop().create_task(to_thread.run_sync(mine.cancel))
    _cancelling.add(task)
    task.add_done_callback(_cancelling.discard)
