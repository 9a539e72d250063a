"""Requests to one source: its own host only, without proxies, within limits of size and time.

The operator typed the host, so that addresses of a private network are allowed; a source that points
elsewhere, by a redirect or a link, is refused. The answers are read as bytes and never run through anything
that opens files or further addresses.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from gis.importing.issues import refused

__all__ = ["Answer", "Net", "NetLimits", "shown"]

_BLOCK = 65_536
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class NetLimits:
    """``idle_s``: longest silence; ``total_s`` and ``total_mb``: of one harvest."""

    idle_s: float = 30.0
    total_s: float = 1800.0
    total_mb: int = 500


@dataclass(frozen=True)
class Answer:
    """An answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def shown(url: str) -> str:
    """``url`` for people and logs: without user, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))


def _place(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


class _StayHere(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def __init__(self, net: Net) -> None:
        self._net = net

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self._net.require_here(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Net:
    """Asks the host of ``url`` and no other.

    Parameters
    ----------
    url : str
        http or https.
    credentials : str, optional
        "Name: value" is sent as that header, "user:password" as basic authentication, anything else as a
        bearer token.
    """

    def __init__(self, url: str, limits: NetLimits, credentials: str | None = None) -> None:
        self._home = _place(url)
        self._limits = limits
        self._until = time.monotonic() + limits.total_s
        self._left = limits.total_mb * 1_000_000
        self._own = {"User-Agent": "onemap", "Accept-Encoding": "identity"} | _authority(credentials)
        self._opener = urllib.request.OpenerDirector()
        # Only these: no files, no FTP, no proxy from the environment.
        for handler in (
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _StayHere(self),
        ):
            self._opener.add_handler(handler)

    def require_here(self, url: str) -> str:
        """``url`` when it is on the source's own host; refuses any other, and a fall from https to http."""
        scheme, host, port = _place(url)
        home_scheme, home_host, home_port = self._home
        upgraded = (home_scheme, home_port, scheme, port) == ("http", 80, "https", 443)
        if host != home_host or ((scheme, port) != (home_scheme, home_port) and not upgraded):
            raise refused("harvest_elsewhere", value=f"{scheme}://{host}:{port}", expected=home_host)
        return url

    def get(
        self,
        url: str,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer of ``url`` with ``query`` added; also one of status 304.

        Raises ImportRefused (harvest_...) when it cannot be had whole.
        """
        with self._opened(url, query, headers) as (answer, response):
            body = b"".join(self._blocks(url, response)) if response is not None else b""
        return Answer(answer.status, answer.headers, body)

    def json(self, url: str, query: Mapping[str, str | int] | None = None) -> Any:
        """The answer of ``url`` as JSON (an object); harvest_unreadable when it is none."""
        answer = self.get(url, query, {"Accept": "application/geo+json, application/json;q=0.9"})
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            begin = " ".join(answer.body[:60].decode("utf-8", "replace").split())
            raise refused("harvest_unreadable", value=begin or "empty", expected=shown(url)) from error
        if not isinstance(found, dict):
            raise refused("harvest_unreadable", value=type(found).__name__, expected=shown(url))
        return found

    def download(self, url: str, path: Path, headers: Mapping[str, str]) -> Answer:
        """The answer of ``url`` written to ``path`` (nothing for status 304)."""
        with self._opened(url, None, headers) as (answer, response):
            if response is not None:
                with path.open("wb") as file:
                    for block in self._blocks(url, response):
                        file.write(block)
        return answer

    @contextmanager
    def _opened(
        self, url: str, query: Mapping[str, str | int] | None, headers: Mapping[str, str] | None
    ) -> Iterator[tuple[Answer, HTTPResponse | None]]:
        """The answer without its body, and where the body comes from (None: there is none)."""
        self.require_here(url)
        request = urllib.request.Request(
            with_query(url, query or {}), headers={**self._own, **(headers or {})}
        )
        try:
            with self._opener.open(request, timeout=self._limits.idle_s) as response:
                yield _head(response), response
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    yield _head(error), None
                    return
                value = f"{error.code} {error.reason}".strip()
                code = "harvest_denied" if error.code in (401, 403, 407) else "harvest_status"
                raise refused(code, value=value, expected=shown(url)) from None
        except TimeoutError:
            raise self._late(url) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise self._late(url) from None
            raise refused("harvest_unreachable", value=str(error.reason), expected=shown(url)) from None
        except (HTTPException, OSError) as error:
            raise refused("harvest_truncated", value=type(error).__name__, expected=shown(url)) from None

    def _late(self, url: str) -> Exception:
        return refused("harvest_timeout", value=f"{self._limits.idle_s:g}", expected=shown(url))

    def _blocks(self, url: str, response: HTTPResponse) -> Iterator[bytes]:
        stated = response.headers.get("Content-Length")
        came = 0
        while block := response.read1(_BLOCK):
            came += len(block)
            self._left -= len(block)
            if self._left < 0:
                raise refused("harvest_too_large", value=str(self._limits.total_mb), expected=shown(url))
            if time.monotonic() > self._until:
                raise refused("harvest_timeout", value=f"{self._limits.total_s:g}", expected=shown(url))
            yield block
        if stated is not None and stated.isdecimal() and came < int(stated):
            raise refused("harvest_truncated", value=f"{came} / {stated} bytes", expected=shown(url))


def _head(response: Any) -> Answer:
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()})


def with_query(url: str, query: Mapping[str, str | int]) -> str:
    """``url`` with the parameters of ``query`` set; those it has already and that are not named stay."""
    if not query:
        return url
    parts = urlsplit(url)
    names = {name.lower() for name in query}
    kept = [(n, v) for n, v in parse_qsl(parts.query, keep_blank_values=True) if n.lower() not in names]
    return urlunsplit(parts._replace(query=urlencode([*kept, *query.items()])))


def joined(base: str, link: str) -> str:
    """A link of a document at ``base`` as a whole address."""
    return urljoin(base, link)


def _authority(credentials: str | None) -> dict[str, str]:
    if credentials is None:
        return {}
    name, colon, value = credentials.partition(":")
    if colon and value.startswith(" "):
        return {name.strip(): value.strip()}
    if colon:
        return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
    return {"Authorization": f"Bearer {credentials}"}
