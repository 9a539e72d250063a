"""Asks the service for JSON where a browser asks for a page, and renders that."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.languages import preferred
from api.pages.render import DIGEST, render
from api.representation import prefers_html

__all__ = ["Pages"]

_HTML = "text/html; charset=utf-8"
# What the page itself reads of the query; the route never sees it.
_OWN = ("f", "lang")
# Files of the map, reports, which have pages of their own, and what people do not look at.
_NO_PAGES = ("/web/", "/reports/", "/metrics")


class Pages:
    """Answers in HTML wherever the answer is JSON and HTML is preferred; all else passes through.

    ``languages`` of the pages; the first is the default.
    """

    def __init__(self, app: ASGIApp, languages: tuple[str, ...]) -> None:
        self.app = app
        self.languages = languages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as one for JSON where a page is wanted."""
        if scope["type"] != "http" or not _wants_page(scope):
            await self.app(scope, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        language = query.get("lang", "")
        if language not in self.languages:
            language = preferred(Headers(scope=scope).get("accept-language", ""), self.languages[0])
        inner = _asking_for_json(scope, language)
        await self.app(inner, receive, _Rendering(inner, scope, language, send))


def _wants_page(scope: Scope) -> bool:
    path: str = scope["path"]
    if scope["method"] != "GET" or path.startswith(_NO_PAGES):
        return False
    # Most queries name no form; a name may be written with escapes.
    named = b"f=" in scope["query_string"] or b"%" in scope["query_string"]
    forms = [value for name, value in _query(scope) if name == "f"] if named else []
    # Whoever only prefers HTML gets the map at the root, which holds the same links.
    by_accept = path != "/" and prefers_html(Headers(scope=scope).get("accept", ""))
    return forms == ["html"] if forms else by_accept


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _tag_suffix(language: str) -> str:
    return f"-{language}-{DIGEST}"


def _asking_for_json(scope: Scope, language: str) -> Scope:
    """The same request for the JSON behind the page, in the page's language."""
    headers = MutableHeaders(scope=dict(scope, headers=list(scope["headers"])))
    headers["accept"] = "application/json"
    headers["accept-encoding"] = "identity"
    headers["accept-language"] = language
    suffix = _tag_suffix(language)
    if held := headers.get("if-none-match"):
        own = [tag.strip() for tag in held.split(",") if tag.strip().rstrip('"').endswith(suffix)]
        headers["if-none-match"] = ", ".join(tag.replace(suffix, "") for tag in own) or '"none"'
    kept = [(name, value) for name, value in _query(scope) if name not in _OWN]
    return dict(scope, headers=headers.raw, query_string=urlencode(kept).encode("latin-1"))


class _Rendering:
    """A send that holds a JSON answer back, and sends its page; anything else goes on as it comes."""

    def __init__(self, inner: Scope, outer: Scope, language: str, send: Send) -> None:
        self.inner, self.outer, self.language, self.send = inner, outer, language, send
        self.start: Message | None = None
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=cast(dict[str, Any], message))
            _own_tag(headers, self.language)
            if _is_json(headers.get("content-type", "")):
                self.start = message
                return
        elif self.start is not None and message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page(self.start)
            return
        await self.send(message)

    async def _send_page(self, start: Message) -> None:
        headers = MutableHeaders(scope=cast(dict[str, Any], start))
        document = orjson.loads(self.body) if self.body else {}
        route = getattr(self.inner.get("route"), "path", "")
        page = await run_in_threadpool(
            render, Request(self.outer), route, start["status"], document, self.language
        )
        headers["content-type"] = _HTML
        headers["content-length"] = str(len(page))
        headers["content-language"] = "zh-CN" if self.language == "zh" else "en"
        await self.send(start)
        await self.send({"type": "http.response.body", "body": page})


def _is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip()
    return essence == "application/json" or essence.endswith("+json")


def _own_tag(headers: MutableHeaders, language: str) -> None:
    """The page has a tag of its own, made from that of its content; and varies with what chose it."""
    if tag := headers.get("etag"):
        headers["etag"] = f'{tag.removesuffix(chr(34))}{_tag_suffix(language)}"'
    varies = {each.strip() for each in headers.get("vary", "").split(",") if each.strip()}
    headers["vary"] = ", ".join(sorted(varies | {"Accept", "Accept-Language"}))
