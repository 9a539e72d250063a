"""One request to a receiver: signed, to an address that may be reached, within limits, without redirects.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over
``id.timestamp.body``. The name of the receiver is looked up once, each address is checked, and the connection
goes to the very address that was checked: a name that points elsewhere a moment later leads nowhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException
from urllib.parse import SplitResult, urlsplit

from gis.errors import QueryError

__all__ = ["Reply", "SendLimits", "Sender", "signature"]

_PORTS = {"http": 80, "https": 443}
_SECRET_PREFIX = "whsec_"
_MOST_OF_ANSWER = 65_536
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class SendLimits:
    """Seconds: ``idle_s`` of silence, ``total_s`` of one request."""

    idle_s: float = 10.0
    total_s: float = 20.0


@dataclass(frozen=True)
class Reply:
    """What came of a request: ``status`` None is no answer; ``retry_after_s`` is what the receiver asked."""

    status: int | None
    words: str
    retry_after_s: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has it now."""
        return self.status is not None and 200 <= self.status < 300


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` of ``body`` under ``secret`` ("whsec_" and base64)."""
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Sender:
    """Sends to receivers on the public network over https, and to those that ``allowed`` names.

    Parameters
    ----------
    allowed : iterable of str
        Host names, addresses and networks ("10.1.0.0/16") that may be reached although they are not public,
        also over http.
    """

    def __init__(self, allowed: Iterable[str] = (), limits: SendLimits = SendLimits()) -> None:
        self._limits = limits
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in allowed:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower())
        self._tls = ssl.create_default_context()

    def check(self, url: str) -> None:
        """Refuse an address that cannot be a receiver's, or that may not be reached.

        Raises QueryError. A name that cannot be looked up now is taken: it is looked up at each sending.
        """
        parts = _parts(url)
        try:
            found = self._addresses(parts)
        except OSError:
            found = []
        self._require_allowed(parts, found)

    def send(self, url: str, secret: str | None, event_id: str, media_type: str, body: bytes) -> Reply:
        """Post ``body``; never raises for what the receiver or the network does.

        Without a ``secret``, which a receiver must hold too, it is not signed.
        """
        parts = _parts(url)
        try:
            addresses = self._addresses(parts)
            self._require_allowed(parts, addresses)
        except OSError as error:
            return Reply(None, f"the host is not known: {error.strerror or error}")
        except QueryError as error:
            return Reply(None, error.en)
        timestamp = int(datetime.now(UTC).timestamp())
        headers = {
            "Content-Type": media_type,
            "User-Agent": "onemap",
            "Accept-Encoding": "identity",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
        }
        if secret is not None:
            headers["webhook-signature"] = signature(secret, event_id, timestamp, body)
        return self._post(parts, addresses[0], headers, body)

    def _post(self, parts: SplitResult, address: Address, headers: dict[str, str], body: bytes) -> Reply:
        port = parts.port or _PORTS[parts.scheme]
        tls = self._tls if parts.scheme == "https" else None
        connection = _Pinned(parts.hostname or "", port, str(address), tls, self._limits.idle_s)
        # A receiver that sends a byte now and then is never silent, so the clock ends it too.
        clock = threading.Timer(self._limits.total_s, connection.cut)
        clock.daemon = True
        clock.start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, headers)
            response = connection.getresponse()
            came = response.read(_MOST_OF_ANSWER)
            if response.headers.defects or (response.length and len(came) < _MOST_OF_ANSWER):
                return Reply(None, "the answer broke off")
            words = f"{response.status} {response.reason[:100]}".strip()
            if 300 <= response.status < 400:
                words += " (redirects are not followed)"
            return Reply(response.status, words, _retry_after(response.headers.get("Retry-After")))
        except TimeoutError:
            return Reply(None, f"no answer within {self._limits.idle_s:g} s")
        except (OSError, HTTPException) as error:
            if connection.was_cut:
                return Reply(None, f"no answer within {self._limits.total_s:g} s")
            return Reply(None, f"{type(error).__name__}: {error}"[:300])
        finally:
            clock.cancel()
            connection.close()

    def _addresses(self, parts: SplitResult) -> list[Address]:
        """All addresses of the host; OSError when it has none."""
        port = parts.port or _PORTS[parts.scheme]
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]

    def _require_allowed(self, parts: SplitResult, addresses: Iterable[Address]) -> None:
        host = (parts.hostname or "").lower()
        if host in self._names:
            return
        found = list(addresses)
        listed = bool(found) and all(any(one in network for network in self._networks) for one in found)
        if listed:
            return
        if parts.scheme != "https":
            raise _not_allowed(f"{host} is asked over http", f"{host} 使用 http")
        for one in found:
            if not _is_public(one):
                raise _not_allowed(f"{host} has the address {one}", f"{host} 的地址为 {one}")


class _Pinned(HTTPConnection):
    """A connection to a name at an address that was checked; no proxy from the environment."""

    def __init__(
        self, host: str, port: int, address: str, tls: ssl.SSLContext | None, timeout: float
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address, self._tls, self._idle_s = address, tls, timeout
        self.was_cut = False

    def connect(self) -> None:
        """Connect to the address, and prove the name by its certificate."""
        plain = socket.create_connection((self._address, self.port), self._idle_s)
        self.sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)

    def cut(self) -> None:
        """End it from another thread."""
        self.was_cut = True
        held = self.sock
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in _PORTS and parts.hostname and parts.username is None and not parts.fragment
            and (parts.port is None or parts.port > 0) and len(url) <= 2000 and url.isascii()
            and url.isprintable() and " " not in url
        )  # fmt: skip
    except ValueError:
        good = False
    if not good:
        raise QueryError(
            f"{url[:80]!r} is no address of a receiver.",
            f"“{url[:80]}”不是接收方地址。",
            remedy_en="Write https://host/path, without user, password and fragment.",
            remedy_zh="请写成 https://主机/路径，不含用户名、密码和片段。",
        )
    return parts


def _is_public(address: Address) -> bool:
    """Whether an address is one of the public network, also what it wraps."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


def _not_allowed(en: str, zh: str) -> QueryError:
    return QueryError(
        f"{en}, which webhooks may not reach.",
        f"{zh}，不允许向其发送通知。",
        remedy_en="Use https on a public address, or have the operator name it in ONEMAP_WEBHOOK_HOSTS.",
        remedy_zh="请使用公网 https 地址，或由管理员将其列入 ONEMAP_WEBHOOK_HOSTS。",
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for; None without one that can be read."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
