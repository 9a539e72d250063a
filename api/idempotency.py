"""``Idempotency-Key``: a request that is sent twice under one key is done once.

As draft-ietf-httpapi-idempotency-key has it: the same key with the same request gets the answer that was
given, marked ``Idempotency-Replayed``; with another request 422; while the first is under way 409. A key is
its sender's own (`api.senders.sender_of`), so nobody is given what another account was told. Answers are
kept for a day, refusals too; what failed on our side, was refused for its number or the lack of an account,
opens a session, holds what is shown once (``request.state.told_once``) or is larger than `MOST_BYTES` is not
kept and may be tried again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from anyio import to_thread
from sqlalchemy import Engine
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import KeyInUse, KeyReused, refuse
from api.senders import sender_of
from gis.answers import Kept, claim, keep, release
from gis.errors import OneMapError, QueryError

__all__ = ["Idempotency"]

MOST_BYTES = 8 * 2**20
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
# Headers that make another request of the same address and body.
_MEANS = ("content-crs", "if-match")
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})')


class Idempotency:
    """Does each change with an ``Idempotency-Key`` once; the bodies of ``streams`` (paths) come in pieces."""

    def __init__(self, app: ASGIApp, engine: Engine, streams: Iterable[str] = ()) -> None:
        self.app = app
        self.engine = engine
        self.streams = frozenset(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, once."""
        writes = scope["type"] == "http" and scope["method"] in _WRITES
        given = Headers(scope=scope).get("idempotency-key") if writes else None
        if given is None:
            await self.app(scope, receive, send)
            return
        key = given.strip().removeprefix('"').removesuffix('"')
        if not _KEY.fullmatch(key):
            wrong = QueryError(
                "An Idempotency-Key has 1 to 255 printable characters.",
                "Idempotency-Key 应为 1 至 255 个可打印字符。",
            )
            await refuse(wrong, scope, receive, send)
            return
        await self._once(key, scope, receive, send)

    async def _once(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        who, asked = sender_of(scope), _Asked(scope)
        streamed = scope["path"] in self.streams
        if not streamed:
            receive = await asked.read(receive)
        digest = None if streamed else asked.digest()
        try:
            held = await to_thread.run_sync(claim, self.engine, who, key, digest)
        except OneMapError as error:  # the store is away or busy: nothing has been done
            await refuse(error, scope, receive, send)
            return
        if held is None:
            await self._first(who, key, asked, scope, receive, send)
            return
        if held.status is None:
            await refuse(KeyInUse(key), scope, receive, send)
            return
        if streamed:
            await asked.drain(receive)
        if held.request != asked.digest():
            await refuse(KeyReused(key), scope, receive, send)
            return
        await _again(held, send)

    async def _first(
        self, who: str, key: str, asked: _Asked, scope: Scope, receive: Receive, send: Send
    ) -> None:
        answer = _Answer()

        async def note(message: Message) -> None:
            answer.note(message)
            await send(message)

        try:
            await self.app(scope, asked.listening(receive), note)
        finally:
            told_once = scope.get("state", {}).get("told_once", False)
            kept = None if told_once else answer.kept(asked.digest())
            if kept is None:
                await to_thread.run_sync(release, self.engine, who, key)
            else:
                await to_thread.run_sync(keep, self.engine, who, key, kept)


class _Asked:
    """What a request asks, as a hash; the boundary of a multipart body, drawn anew each time, left out."""

    def __init__(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "")
        found = _BOUNDARY.search(kind) if kind.startswith("multipart/") else None
        self._boundary = found[1].encode("latin-1") if found else b""
        self._rest = b""
        self._hash = hashlib.sha256()
        query = scope.get("query_string", b"").decode("latin-1")
        meant = (headers.get(name, "") for name in _MEANS)
        for part in (scope["method"], scope["path"], query, kind.partition(";")[0], *meant):
            self._hash.update(part.encode() + b"\0")

    def add(self, block: bytes) -> None:
        """More of the body."""
        if not self._boundary:
            self._hash.update(block)
            return
        joined = (self._rest + block).replace(self._boundary, b"")
        cut = max(0, len(joined) - len(self._boundary) + 1)
        self._hash.update(joined[:cut])
        self._rest = joined[cut:]

    def digest(self) -> bytes:
        """The hash of all that came."""
        whole = self._hash.copy()
        whole.update(self._rest)
        return whole.digest()

    async def read(self, receive: Receive) -> Receive:
        """Take in a body that has been read already; a receive that gives it again."""
        message = await receive()
        self.add(message.get("body", b""))
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return message

        self._read = True
        return again

    async def drain(self, receive: Receive) -> None:
        """Take in a body that nobody else will read."""
        while True:
            message = await receive()
            self.add(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return

    _read = False

    def listening(self, receive: Receive) -> Receive:
        """A receive that takes in what passes, unless that was done before."""
        if self._read:
            return receive

        async def listen() -> Message:
            message = await receive()
            self.add(message.get("body", b""))
            return message

        return listen


class _Answer:
    """An answer as it goes by."""

    def __init__(self) -> None:
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._whole = False

    def note(self, message: Message) -> None:
        """One message of it."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in message["headers"]]
        elif message["type"] == "http.response.body" and len(self._body) <= MOST_BYTES:
            self._body += message.get("body", b"")
            self._whole = not message.get("more_body", False)

    def kept(self, request: bytes) -> Kept | None:
        """The answer to keep; None when it is none that would be given again."""
        stays = self._whole and self._status < 500 and self._status not in (401, 409, 429)
        if any(name.lower() == "set-cookie" for name, _ in self._headers):
            return None  # a session is nobody's to be given again
        fits = len(self._body) <= MOST_BYTES
        return Kept(request, self._status, self._headers, bytes(self._body)) if stays and fits else None


async def _again(held: Kept, send: Send) -> None:
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in held.headers]
    headers.append((b"idempotency-replayed", b"true"))
    await send({"type": "http.response.start", "status": held.status, "headers": headers})
    await send({"type": "http.response.body", "body": held.body})
