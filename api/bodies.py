"""Bodies of requests as JSON that RFC 8259 knows, and nothing that Python's own reader takes besides."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

__all__ = ["JsonRoute"]


class _JsonRequest(Request):
    """Reads NaN, lone surrogates and deep nesting as errors, and whole numbers beyond 64 bits as doubles.

    So what a route was given can be written as JSON again.
    """

    async def json(self) -> Any:
        """The body; JSONDecodeError, which FastAPI turns into a refusal, when it is no JSON."""
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """A route whose body is read so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        inner = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await inner(_JsonRequest(request.scope, request.receive))

        return answer
