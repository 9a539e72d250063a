"""A file on a web server. Incremental: not at all or nothing; ETag, Last-Modified and a hash tell which."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from gis.harvest.model import Ask, Fetched

__all__ = ["fetch"]


def fetch(ask: Ask) -> Fetched:
    """The file as it is, unless the server or its content says that nothing has changed."""
    conditions = {} if ask.whole else _conditions(ask)
    path = ask.folder / _name(ask.url)
    answer = ask.net.download(ask.url, path, conditions)
    if answer.status == 304:
        return Fetched(None, whole=True, mark=ask.mark)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    mark = {
        "sha256": digest,
        "etag": answer.headers.get("etag"),
        "modified": answer.headers.get("last-modified"),
    }
    if not ask.whole and ask.mark.get("sha256") == digest:
        return Fetched(None, whole=True, mark=dict(ask.mark) | mark)
    return Fetched(path, whole=True, mark=mark)


def _conditions(ask: Ask) -> dict[str, str]:
    held = {"If-None-Match": ask.mark.get("etag"), "If-Modified-Since": ask.mark.get("modified")}
    return {name: str(value) for name, value in held.items() if value}


def _name(url: str) -> str:
    """A file name with the ending of the address; what else is in it stays outside."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return re.sub(r"[^\w.-]", "_", name).lstrip(".")[-80:] or "file"
