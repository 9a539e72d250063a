"""Bodies of requests as JSON that RFC 8259 knows, and nothing that Python's own reader takes besides."""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import Any

import orjson
from fastapi import Request

from api.plans import PlannedRoute

__all__ = ["JsonRoute"]

# The escape, not the same letters after a backslash that is itself escaped.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class _JsonRequest(Request):
    """Reads NaN, NUL, lone surrogates and deep nesting as errors, whole numbers beyond 64 bits as doubles.

    So what a route was given can be written as JSON again, and into the database.
    """

    async def json(self) -> Any:
        """The body; JSONDecodeError, which FastAPI turns into a refusal, when it is no JSON."""
        body = await self.body()
        if rb"\u0000" in body and (nul := _NUL.search(body)):
            raise JSONDecodeError("a NUL, which no text may hold", body.decode(errors="replace"), nul.start())
        return orjson.loads(body)


class JsonRoute(PlannedRoute):
    """A route whose body is read so."""

    request_class = _JsonRequest
