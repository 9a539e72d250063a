"""Limits of what requests may cost the database, and an end for statements that nobody waits for any more.

Each class of work has a pool of its own: a burst of one cannot take the connections of another. Limits of
time are settings of the sessions, so they cost no way to the server.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from gis.turns import Turns

__all__ = [
    "EXPORTS",
    "PULSE",
    "READING",
    "READS",
    "Bounds",
    "InUse",
    "OnUse",
    "companion",
    "in_use",
    "still_there",
    "turns_of",
    "watch",
]

READING = "onemap_reading"
"""The option of an engine whose connections do nothing but read, in REPEATABLE READ, from their beginning."""

OnUse = Callable[[str, int], None]


@dataclass(frozen=True)
class Bounds:
    """Limits of one class of work, in seconds, and how many connections it has.

    ``statement_s`` of one statement, ``lock_s`` of waiting for a lock, ``idle_s`` of a transaction in which
    nothing happens, ``pool_s`` of waiting for a connection. ``at_once`` of its requests work at a time, the
    others wait for their turn (None: as many as there are connections).
    """

    statement_s: float
    lock_s: float
    idle_s: float
    pool_s: float = 1.0
    connections: int = 16
    at_once: int | None = None


_GRACE_S = 0.5  # how long a request holds up others
READS = Bounds(statement_s=5, lock_s=2, idle_s=60, at_once=max(2, os.cpu_count() or 1))
"""What requests read: whoever waits longer has gone."""

EXPORTS = Bounds(statement_s=60, lock_s=2, idle_s=600, connections=8)
"""Files of whole layers: the first rows may have to be sorted, and a writer may be long about the last."""

PULSE = Bounds(statement_s=1, lock_s=1, idle_s=5, connections=2)
"""Is the service well? Answered also when all else is busy."""


_beside: WeakKeyDictionary[Engine, dict[tuple[Bounds, str], Engine]] = WeakKeyDictionary()
_watched: WeakSet[Engine] = WeakSet()
_turns: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()


def companion(engine: Engine, bounds: Bounds, name: str) -> Engine:
    """A second engine on the same database with limits of its own, the same for all who ask.

    It is disposed with ``engine``.
    """
    found = _beside.setdefault(engine, {})
    if (bounds, name) not in found:
        found[bounds, name] = _made(engine, bounds, name)
    return found[bounds, name]


def _made(engine: Engine, bounds: Bounds, name: str) -> Engine:
    # All are kept: to open one costs as much as several answers. The last used is taken first: it knows most.
    beside = create_engine(
        engine.url, pool_size=bounds.connections, max_overflow=0, pool_timeout=bounds.pool_s,
        pool_use_lifo=True, isolation_level="REPEATABLE READ", execution_options={READING: True},
        logging_name=name,
    )  # fmt: skip
    event.listen(beside, "checkout", still_there)
    if bounds.at_once is not None:
        _in_turns(beside, Turns(bounds.at_once, _GRACE_S))
    settings = {
        "statement_timeout": bounds.statement_s,
        "lock_timeout": bounds.lock_s,
        "idle_in_transaction_session_timeout": bounds.idle_s,
    }
    words = "; ".join(f"SET {key} = {int(seconds * 1000)}" for key, seconds in settings.items())
    # For what is asked without a transaction around it (`gis.db.ask_rows`); the driver says it for others.
    words += "; SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only = on"

    @event.listens_for(beside, "connect")
    def _limit(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET timezone = 'UTC'; {words}")
        cursor.close()
        connection.commit()
        assert isinstance(connection, psycopg.Connection)
        connection.read_only = True

    event.listen(engine, "engine_disposed", lambda _engine: beside.dispose())
    return beside


def _in_turns(engine: Engine, turns: Turns) -> None:
    """Have requests take turns with connections; what has one already needs no second turn for another."""
    _turns[engine] = turns

    @event.listens_for(engine, "checkout")
    def _out(_connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        request = in_use.get()
        if request is None or not request.has_any():
            record.info["turn"] = turns.take()

    @event.listens_for(engine, "checkin")
    def _in(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        if (turn := record.info.pop("turn", None)) is not None:
            turns.give(turn)


def turns_of(engine: Engine) -> Turns:
    """The turns that requests take with connections of ``engine``, a `companion` whose bounds have some."""
    return _turns[engine]


def still_there(connection: DBAPIConnection | None, *_of_the_event: object) -> None:
    """Have the pool replace a connection that its server has closed, without a question to the server.

    On a connection at rest there is something to read only where its end was announced.
    """
    assert isinstance(connection, psycopg.Connection)
    if connection.closed or select.select([connection.fileno()], [], [], 0)[0]:
        raise DisconnectionError


class InUse:
    """The connections that one request uses just now; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[psycopg.Connection[Any]] = set()

    def add(self, connection: psycopg.Connection[Any]) -> None:
        """It is the request's."""
        with self._lock:
            self._held.add(connection)

    def discard(self, connection: psycopg.Connection[Any]) -> None:
        """It goes back to its pool: from here on it is somebody else's."""
        with self._lock:
            self._held.discard(connection)

    def has_any(self) -> bool:
        """Whether it uses one."""
        with self._lock:
            return bool(self._held)

    def cancel(self) -> None:
        """End the statements that run on them; the lock keeps each here until the server has heard."""
        with self._lock:
            for connection in self._held:
                try:
                    connection.cancel_safe(timeout=1.0)
                except psycopg.Error:
                    pass  # it ended by itself, or the server is away


in_use: ContextVar[InUse | None] = ContextVar("in_use", default=None)
"""Of the request that this context works for."""


def watch(engine: Engine, name: str, on_use: OnUse) -> None:
    """Know which request uses which connection of ``engine``; ``on_use`` is told of each, +1 and -1.

    The first to ask is the one who is told.
    """
    if engine in _watched:
        return
    _watched.add(engine)

    @event.listens_for(engine, "checkout")
    def _out(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        request = in_use.get()
        record.info["used by"] = request
        if request is not None and isinstance(connection, psycopg.Connection):
            request.add(connection)
        on_use(name, 1)

    @event.listens_for(engine, "checkin")
    def _in(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        if "used by" not in record.info:
            return  # it failed before it was given out
        request = record.info.pop("used by")
        if request is not None and isinstance(connection, psycopg.Connection):
            request.discard(connection)
        on_use(name, -1)
