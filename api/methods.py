"""HEAD and OPTIONS for every address, which the routes do not name."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PlainMethods"]


class PlainMethods:
    """Answers HEAD as GET without the body (RFC 9110, 9.3.2), and OPTIONS with the methods of the address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a HEAD as a GET, an OPTIONS that no route takes with an answer of our own."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self.app({**scope, "method": "GET"}, receive, _without_body(send))
        elif scope["type"] == "http" and scope["method"] == "OPTIONS":
            await self._options(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _options(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Where the routes answer 405, send the methods that they name instead."""
        refused: Headers | None = None

        async def watch(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == 405:
                refused = Headers(raw=message["headers"])
            elif refused is None:
                await send(message)

        await self.app(scope, receive, watch)
        if refused is not None:
            named = {word.strip() for word in refused.get("allow", "GET").split(",")}
            allowed = named | {"OPTIONS"} | ({"HEAD"} if "GET" in named else set())
            await Response(status_code=200, headers={"Allow": ", ".join(sorted(allowed))})(
                scope, receive, send
            )


def _without_body(send: Send) -> Send:
    """A send that lets the headers pass, with the length that the body has, and no byte of the body."""

    async def bare(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bare
