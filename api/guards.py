"""What every request passes before it reaches a route, and what every answer carries."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import MisdirectedHost, Overloaded, TooLarge, TooSlow, Unsupported, refuse
from gis.errors import OneMapError, QueryError

PATIENCE_S = 30.0
LEAST_BYTES_S = 10_000
MOST_HELD = 256 * 2**20

__all__ = ["BodyGuard", "HostGuard", "SecurityHeaders", "TextGuard", "is_known_host", "replayed"]


class HostGuard:
    """Refuses a Host that is neither loopback nor configured: else any page could rebind its name to us."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if scope["type"] == "http" and not is_known_host(Headers(scope=scope).get("host", ""), self.hosts):
            error = MisdirectedHost(
                "This service does not answer under this host name.",
                "本服务不以该主机名提供服务。",
                remedy_en="Add the name to ONEMAP_HOSTS.",
                remedy_zh="请将该名称加入 ONEMAP_HOSTS。",
            )
            await refuse(error, scope, receive, send)
            return
        await self.app(scope, receive, send)


@lru_cache(maxsize=256)
def is_known_host(host: str, hosts: frozenset[str]) -> bool:
    """Whether a Host header (with or without port) is a loopback name or one of ``hosts`` (lower case)."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost" or name in hosts or host.strip().lower() in hosts:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class BodyGuard:
    """Reads a request's body up to a limit before anything parses it; 413 beyond, 415 when compressed.

    A body that comes slower than some 10 kB/s is not waited for (408), and all that are being read hold no
    more than `MOST_HELD` together (503). A path of ``streams`` gets its body piece by piece instead, up to
    the limit named there.
    """

    def __init__(
        self, app: ASGIApp, limit_bytes: int, streams: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.app = app
        self.limit_bytes = limit_bytes
        self.streams = dict(streams)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, or answer 413 or 415."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if headers.get("content-encoding", "identity").lower() != "identity":
            compressed = Unsupported("A compressed body is not read.", "不接受压缩的请求体。")
            await refuse(compressed, scope, receive, send)
            return
        stated = headers.get("content-length", "0")
        streamed = self.streams.get(scope["path"])
        limit = streamed or self.limit_bytes
        if stated.isdigit() and int(stated) > limit:
            await refuse(_too_large(limit), scope, receive, send)
        elif streamed:
            try:
                await self.app(scope, _counted(receive, limit), send)
            except TooLarge as error:  # before any route has begun to read; a route's own refusals end there
                await refuse(error, scope, receive, send)
        else:
            try:
                body = await self._read(receive)
            except OneMapError as error:
                await refuse(error, scope, receive, send)
                return
            if body is not None:
                await self.app(scope, replayed(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when its sender has gone. Raises TooLarge, TooSlow or Overloaded."""
        body, receive = bytearray(), _counted(receive, self.limit_bytes)
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                came = message.get("body", b"")
                body += came
                self._held += len(came)
                if self._held > MOST_HELD:
                    raise Overloaded("Too many bodies are being read.", "正在读取的请求体过多。")
                if not message.get("more_body", False):
                    return bytes(body)
        finally:
            self._held -= len(body)


def _too_large(limit: int) -> TooLarge:
    words = f"{limit // 2**20} MiB"
    return TooLarge(
        f"The body is larger than {words}.",
        f"请求体超过 {words}。",
        remedy_en="Send less at once, or use the command line on the server.",
        remedy_zh="请减小一次提交的数据量，或在服务器上使用命令行。",
    )


def _counted(receive: Receive, limit: int) -> Receive:
    """A receive that raises, to whoever reads, TooLarge after ``limit`` bytes and TooSlow when they tarry."""
    came, begun = 0, time.monotonic()

    async def count() -> Message:
        nonlocal came
        left = PATIENCE_S + came / LEAST_BYTES_S - (time.monotonic() - begun)
        try:
            message = await asyncio.wait_for(receive(), max(left, 0.001))
        except TimeoutError:
            raise TooSlow("The body did not come in time.", "请求体未能及时传完。") from None
        came += len(message.get("body", b""))
        if came > limit:
            raise _too_large(limit)
        return message

    return count


def replayed(body: bytes, receive: Receive) -> Receive:
    """A receive that gives ``body`` once and then what really comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class TextGuard:
    """Refuses a query that is not UTF-8 or has a NUL: what was meant cannot be told, or is in no row."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400."""
        if scope["type"] == "http" and not _is_text(scope.get("query_string", b"")):
            wrong = QueryError(
                "The parameters of the address are not in UTF-8, or have a NUL.",
                "地址中的参数不是 UTF-8 编码，或含有空字符。",
                remedy_en="Write other characters than ASCII percent-encoded in UTF-8.",
                remedy_zh="请将非 ASCII 字符按 UTF-8 作百分号编码。",
            )
            await refuse(wrong, scope, receive, send)
            return
        await self.app(scope, receive, send)


def _is_text(query: bytes) -> bool:
    try:
        return "\0" not in (unquote_to_bytes(query) if b"%" in query else query).decode()
    except UnicodeDecodeError:
        return False


class SecurityHeaders:
    """Adds ``headers`` to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app = app
        self.headers = dict(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the answer's headers."""

        async def send_complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_complete)
