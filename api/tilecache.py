"""Tiles from memory: without route, without transaction, and never stale."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.cache import Answer, AnswerCache
from gis.errors import OneMapError

__all__ = ["TileCache", "Together"]

Stamps = Mapping[str, object]

_TILE = re.compile(r"^/collections/([a-z][a-z0-9_]*)/tiles/[A-Za-z0-9]+/\d+/\d+/\d+$")
# Whoever says who they are may see other rows than the public does.
_CREDENTIALS = frozenset({b"authorization", b"cookie", b"x-api-key"})
_OF_304 = frozenset({b"etag", b"cache-control", b"vary", b"content-location", b"date", b"expires"})


class Together:
    """Asks ``ask``, in a thread, once for all who come while nobody has begun to ask.

    Each is answered by an asking that began after they came.
    """

    def __init__(self, ask: Callable[[], Stamps]) -> None:
        self._ask = ask
        self._running: asyncio.Future[Any] | None = None
        self._next: asyncio.Future[Stamps] | None = None

    async def __call__(self) -> Stamps:
        """What ``ask`` says now; raises what it raises."""
        if self._next is None or self._next.get_loop() is not asyncio.get_running_loop():
            self._next = asyncio.ensure_future(self._turn(self._running))
        return await asyncio.shield(self._next)

    async def _turn(self, before: asyncio.Future[Any] | None) -> Stamps:
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await run_in_threadpool(self._ask)


class TileCache:
    """Answers a tile from memory when the layer's content is what the tile was made from, else passes it on.

    Only the public's tiles are kept, and given to nobody who shows a credential: that is for `api.identity`
    to judge. ``given`` is told the layer of each tile from memory. ``limit_bytes`` 0 keeps nothing.
    """

    def __init__(
        self, app: ASGIApp, ask: Callable[[], Stamps], given: Callable[[str], None], limit_bytes: int
    ) -> None:
        self.app = app
        self._given = given
        self.answers = AnswerCache(limit_bytes)
        self._now = Together(ask)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on and keep the answer."""
        named = self._name(scope)
        stamps = None if named is None else await self._stamps()
        if named is None or stamps is None:
            await self.app(scope, receive, send)
            return
        layer, name, held = named
        stamp = stamps.get(layer)
        answer = self.answers.find(name, stamp)
        if answer is not None:
            self._given(layer)
            await _give(answer, held, send)
        else:
            await self._pass_on(scope, receive, send, name, stamp)

    async def _stamps(self) -> Stamps | None:
        """What names the content now; None when the database cannot say, which the route then tells."""
        try:
            return await self._now()
        except OneMapError:
            return None

    def _name(self, scope: Scope) -> tuple[str, tuple[object, ...], bytes] | None:
        """Layer, name of the answer and If-None-Match; None for what is not kept."""
        if scope["type"] != "http" or scope["method"] != "GET" or not self.answers.limit_bytes:
            return None
        tile = _TILE.match(scope["path"])
        if tile is None:
            return None
        headers = dict(scope["headers"])
        if not _CREDENTIALS.isdisjoint(headers) or b"text/html" in headers.get(b"accept", b""):
            return None  # a page has a tag of its own
        gzipped = b"gzip" in headers.get(b"accept-encoding", b"")
        name = (scope["path"], scope["query_string"], headers.get(b"origin"), gzipped)
        return tile[1], name, headers.get(b"if-none-match", b"")

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, name: tuple[object, ...], stamp: object
    ) -> None:
        """Let the route answer; a whole answer is kept under the stamp that held before it was made."""
        start: Message = {}
        body = bytearray()

        async def listen(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                body.extend(message.get("body", b""))
                if start["status"] in (200, 204) and not message.get("more_body", False):
                    headers = tuple((key.lower(), value) for key, value in start["headers"])
                    self.answers.keep(name, Answer(stamp, start["status"], headers, bytes(body)))
            await send(message)

        await self.app(scope, receive, listen)


async def _give(answer: Answer, held: bytes, send: Callable[[Message], Awaitable[None]]) -> None:
    tag = answer.header(b"etag")
    known = {entry.strip() for entry in held.split(b",")}
    if tag is not None and (tag in known or tag.removeprefix(b"W/") in known):
        headers = [(name, value) for name, value in answer.headers if name in _OF_304]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})
