"""The files of the front end."""

from __future__ import annotations

import mimetypes
import os
from pathlib import PurePath

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["WebFiles"]

# What a machine's own table may miss or get wrong; modules are refused by browsers under a wrong type.
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("text/javascript", ".mjs")
mimetypes.add_type("application/json", ".json")
mimetypes.add_type("image/svg+xml", ".svg")

_SERVED = {".html", ".css", ".js", ".mjs", ".json", ".svg", ".png", ".ico", ".webp", ".woff2", ".map"}
_A_YEAR = "public, max-age=31536000, immutable"


class WebFiles(StaticFiles):
    """Static files by type; vendored folders carry their version in the name and may be kept for ever."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """The file at ``path``, when it is of a kind that belongs to a page."""
        if PurePath(path).suffix.lower() not in _SERVED:
            return "", None
        return super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file with how long it may be kept."""
        answer = await super().get_response(path, scope)
        parts = PurePath(path).parts
        forever = len(parts) > 2 and parts[0] == "vendor" and parts[1][-1:].isdigit()
        answer.headers["Cache-Control"] = _A_YEAR if forever else "no-cache"
        return answer
