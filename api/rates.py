"""How many requests one client may send: a number in a time, told in every answer.

The limit is the generic cell rate algorithm: ``quota`` at once, and as they are used up one more every
``window / quota`` seconds. The state of a client is one number. All workers of a machine share it through a
file in memory, because the share of one worker would depend on which worker a connection happens to reach,
and asking the database would cost more than most answers; several machines have a limit each. The headers are
those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import os
import re
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import TooManyRequests, refuse
from api.senders import client_of
from gis.errors import SettingsError

__all__ = ["RateLimit", "Rates", "Standing", "parse_rate"]

_SLOTS, _PROBES = 1 << 16, 8
_SLOT = struct.Struct("<Qd")
_FREE = ("/healthz", "/metrics")


@dataclass(frozen=True)
class Standing:
    """How a client stands after a request: whether it was ``allowed``, how many more are, and seconds."""

    allowed: bool
    remaining: int
    reset_s: int
    retry_after_s: int


def parse_rate(text: str) -> tuple[int, int]:
    """Quota and window in seconds of a setting such as "600/60"; SettingsError for anything else."""
    found = re.fullmatch(r"([1-9]\d{0,6})/([1-9]\d{0,4})", text)
    if found is None:
        raise SettingsError(
            f"ONEMAP_RATE_LIMIT is {text!r}.",
            f"ONEMAP_RATE_LIMIT 为“{text}”。",
            remedy_en="Write requests/seconds such as 600/60, or off.",
            remedy_zh="请写成 次数/秒数，如 600/60，或 off。",
        )
    return int(found[1]), int(found[2])


class Rates:
    """The standing of all clients of one machine, in the file ``path``, shared by its processes."""

    def __init__(self, path: Path, quota: int, window_s: int) -> None:
        self.quota, self.window_s = quota, window_s
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, _SLOTS * _SLOT.size)
        self._table = mmap.mmap(self._file, _SLOTS * _SLOT.size)

    def close(self) -> None:
        """Let go of the file."""
        self._table.close()
        os.close(self._file)

    def take(self, client: str, now: float | None = None) -> Standing:
        """Count one request of ``client`` at ``now`` (seconds since 1970)."""
        now = time.time() if now is None else now
        name = int.from_bytes(hashlib.blake2b(client.encode(), digest_size=8).digest(), "little") or 1
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            slot, until = self._find(name, now)
            step = self.window_s / self.quota
            # What was written under a clock or a window since changed counts for no more than a window.
            until = min(max(until, now), now + self.window_s)
            after = until + step
            allowed = after - now <= self.window_s + 1e-6
            if allowed:
                _SLOT.pack_into(self._table, slot * _SLOT.size, name, after)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        used = (after if allowed else until) - now
        return Standing(
            allowed,
            max(0, int((self.window_s - used) / step + 1e-6)),
            math.ceil(used),
            max(1, math.ceil(after - now - self.window_s)),
        )

    def _find(self, name: int, now: float) -> tuple[int, float]:
        """The slot of a client and what it holds: its own, else a free one, else the oldest near by."""
        best, oldest = name % _SLOTS, math.inf
        for step in range(_PROBES):
            slot = (name + step) % _SLOTS
            held, until = _SLOT.unpack_from(self._table, slot * _SLOT.size)
            if held == name:
                return slot, until
            if until < oldest:
                best, oldest = slot, until
        return best, 0.0


class RateLimit:
    """Counts requests by account, or by address; 429 with Retry-After beyond the limit.

    Health, and whoever sits at the machine and did not say who they are, are free.
    """

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self.app = app
        self.rates = rates
        self._policy = f'"default";q={rates.quota};w={rates.window_s}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and say how its sender stands, or answer 429."""
        client = client_of(scope) if scope["type"] == "http" else None
        if client is None or scope["path"].startswith(_FREE):
            await self.app(scope, receive, send)
            return
        standing = self.rates.take(client)

        async def send_with_limit(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = self._policy
                headers["RateLimit"] = f'"default";r={standing.remaining};t={standing.reset_s}'
            await send(message)

        if standing.allowed:
            await self.app(scope, receive, send_with_limit)
            return
        error = TooManyRequests(self.rates.quota, self.rates.window_s)
        await refuse(error, scope, receive, send_with_limit, retry_after_s=standing.retry_after_s)
