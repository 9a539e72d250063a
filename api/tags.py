"""Entity tags of items: strong, so that If-Match may hold against them, and one for each content coding.

A tag is the item's version, "-", and what else the answer depends on. If-Match looks at the version: whoever
holds any form of an item holds that version of it.
"""

from __future__ import annotations

import hashlib
import re

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.deps import scope_of_request
from gis.access import PUBLIC
from gis.errors import QueryError

__all__ = ["TagPerCoding", "item_tag", "versions_of"]

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
_CODED = "-gzip"


def item_tag(request: Request, version: str, parts: tuple[object, ...]) -> str:
    """The tag of an item's ``version`` in an answer that beside it depends on ``parts`` and who asks."""
    scope = scope_of_request(request)
    parts = parts if scope == PUBLIC else (*parts, scope.digest)
    rest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:16]
    return f'"{version}-{rest}"'


def versions_of(request: Request) -> frozenset[str] | None:
    """The versions that If-Match names, "*" for any; None without the header.

    Weak tags name none (RFC 9110, 13.1.1). Raises QueryError for what is no list of tags.
    """
    given = request.headers.getlist("if-match")
    if not given:
        return None
    text = ", ".join(given).strip()
    if text == "*":
        return frozenset({"*"})
    found, at = set(), 0
    while at < len(text):
        tag = _TAG.match(text, at)
        if tag is None:
            raise QueryError(
                "If-Match is no list of entity tags.",
                "If-Match 不是实体标签列表。",
                remedy_en='Send the ETag of the item as it came, in quotes, or "*".',
                remedy_zh="请原样（带引号）提交要素的 ETag，或用 *。",
            )
        if tag[1] is None:
            found.add(tag[2].partition("-")[0])
        at = tag.end()
    return frozenset(found)


class TagPerCoding:
    """Marks strong tags of compressed answers, whose bytes are others (RFC 9110, 8.8.3.3)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the mark taken off its tags; put it on where the answer is compressed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("if-none-match", "")
        coded = f'{_CODED}"' in asked
        if coded:
            headers = MutableHeaders(scope=dict(scope, headers=list(scope["headers"])))
            headers["if-none-match"] = asked.replace(f'{_CODED}"', '"')
            scope = dict(scope, headers=headers.raw)

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                tag = headers.get("etag", "")
                held = coded and message["status"] == 304
                if tag.startswith('"') and (held or headers.get("content-encoding") == "gzip"):
                    headers["etag"] = f'{tag[:-1]}{_CODED}"'
            await send(message)

        await self.app(scope, receive, mark)
