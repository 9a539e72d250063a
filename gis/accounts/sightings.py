"""Who saw what: gathered in memory, and written behind the answers.

One row of the audit log says that a caller saw a thing on a day: the first time within a process, some two
seconds later. When the day or the process ends, a second row says how often. So a map that asks for a
thousand tiles of a layer leaves two rows, an answer waits for none of it, and a process that is killed loses
counts, not the fact. Each worker process keeps its own.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Engine

from gis.accounts.audit import Event, Origin, Outcome, record_all
from gis.accounts.caller import Caller
from gis.db import connect
from gis.errors import OneMapError

__all__ = ["Sighting", "Sightings"]

log = logging.getLogger("onemap")

DELAY_S = 2.0
_TRIES = 10
_MOST = 20_000
"""Kinds of sightings kept at once: beyond it the counts are written and counting begins anew."""


@dataclass(frozen=True)
class Sighting:
    """One caller and one thing; ``address`` is None for callers that are not known."""

    caller: Caller
    address: str | None
    action: str
    object: str
    outcome: Outcome = "done"


@dataclass
class _Tally:
    trace: str | None
    times: int = 1


class Sightings:
    """The sightings of one process; safe for threads."""

    def __init__(self, engine: Engine, *, delay_s: float = DELAY_S) -> None:
        self._engine = engine
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._day = _today()
        self._seen: dict[tuple[str | None, str, str | None, str, str, str, str], tuple[Sighting, _Tally]] = {}
        self._fresh: list[tuple[Sighting, _Tally]] = []
        self._over: list[tuple[date, Sighting, _Tally]] = []
        self._writer: threading.Thread | None = None
        self._closed = False

    def note(self, sighting: Sighting, trace: str | None = None) -> None:
        """Count ``sighting``; only the first of a day is more than a look into a table."""
        scope = sighting.caller.scope
        key = (
            scope.account, sighting.caller.via, sighting.address, scope.digest,
            sighting.action, sighting.object, sighting.outcome,
        )  # fmt: skip
        with self._lock:
            if self._day != (day := _today()) or len(self._seen) >= _MOST:
                self._turn(day)
            held = self._seen.get(key)
            if held is not None:
                held[1].times += 1
                return
            self._seen[key] = entry = (sighting, _Tally(trace))
            self._fresh.append(entry)
            self._wake()

    def flush(self) -> bool:
        """Write what is waiting to be written, in one transaction; False when it has to wait longer."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
            over, self._over = self._over, []
        done = [(_origin(s, tally), _event(s, {"times": 1})) for s, tally in fresh]
        done += [
            (_origin(s, tally), _event(s, {"times": tally.times, "day": day.isoformat()}))
            for day, s, tally in over
        ]
        if not done:
            return True
        try:
            with connect(self._engine, write=True) as conn:
                record_all(conn, done)
        except OneMapError as error:
            log.error("%d rows of the audit log could not be written: %s", len(done), error)
            with self._lock:
                if len(self._fresh) + len(self._over) < _MOST:
                    self._fresh, self._over = fresh + self._fresh, over + self._over
            return False
        return True

    def close(self) -> None:
        """Write everything, counts too; further sightings are written when they come."""
        with self._lock:
            self._turn(self._day)
            self._closed = True
        self.flush()

    def _turn(self, day: date) -> None:
        """End the count of a day; only what was seen more than once has a count to tell."""
        self._over += [(self._day, s, tally) for s, tally in self._seen.values() if tally.times > 1]
        self._seen = {}
        self._day = day
        if self._over:
            self._wake()

    def _wake(self) -> None:
        """Have the waiting rows written soon, by a thread that ends when nothing waits or nothing helps."""
        if self._closed or (self._writer is not None and self._writer.is_alive()):
            return
        self._writer = threading.Thread(target=self._write_soon, name="onemap-audit", daemon=True)
        self._writer.start()

    def _write_soon(self) -> None:
        failed = 0
        while failed < _TRIES:
            time.sleep(self._delay_s * (1 + failed))
            failed = 0 if self.flush() else failed + 1
            with self._lock:
                if not self._fresh and not self._over:
                    self._writer = None
                    return
        self._writer = None


def _origin(sighting: Sighting, tally: _Tally) -> Origin:
    return Origin(sighting.caller, sighting.address, tally.trace)


def _event(sighting: Sighting, detail: dict[str, str | int | bool | None]) -> Event:
    return Event(sighting.action, sighting.object, sighting.outcome, detail)


def _today() -> date:
    return datetime.now(UTC).date()
