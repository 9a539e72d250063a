"""What an event loop asks of the database itself: for short answers, which a thread would only wait for.

A thread that waits costs more than such a question: it is woken, fights for the interpreter with the loop,
and wakes the loop again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import Engine, PoolProxiedConnection, event
from sqlalchemy.exc import DisconnectionError

from gis.access import Scope
from gis.bounds import READS, OnUse, companion, in_use, still_there, turns_of
from gis.db import Question, entering, prepared_of, translated
from gis.errors import DatabaseError
from gis.pipeline import Rows, awaited_together

__all__ = ["Line", "line_to"]

_NAME = "reads"


_lines: WeakKeyDictionary[Engine, Line] = WeakKeyDictionary()


def line_to(engine: Engine, on_use: OnUse) -> Line:
    """A line to the database of ``engine``, the same for all who ask; the first says who is told of its use.

    It is closed with ``engine``.
    """
    if engine not in _lines:
        line = _lines[engine] = Line(engine, on_use)
        event.listen(engine, "engine_disposed", lambda _engine: line.close())
    return _lines[engine]


class Line:
    """A few connections to the database of ``engine``, within the bounds of what requests read.

    Questions take turns with those of threads. ``on_use`` is told of each, +1 and -1. Connections are opened
    in threads and kept, so that the loop never waits for one.
    """

    def __init__(self, engine: Engine, on_use: OnUse) -> None:
        reader = companion(engine, READS, _NAME)
        self._turns = turns_of(reader)
        kept = replace(READS, connections=self._turns.places, at_once=None, pool_s=0)
        self._engine = companion(engine, kept, "awaited")
        self._on_use = on_use
        self._at_rest: list[PoolProxiedConnection] = []

    def close(self) -> None:
        """Let go of the connections at rest."""
        while self._at_rest:
            self._at_rest.pop().invalidate()

    async def ask_rows(self, scope: Scope | None, *asked: Question) -> list[Rows] | None:
        """As `gis.db.ask_rows`, for ``scope`` (None: the store itself).

        None: no connection is at rest, and none can be had; it is to be asked in another way.
        """
        turn = await self._turns.awaited()
        try:
            pooled = self._rested() or await asyncio.to_thread(self._opened)
            if pooled is None:
                return None
            first = () if scope is None else (entering(scope),)
            with translated(), self._used(pooled) as driver:
                rows = await awaited_together(driver, prepared_of(pooled), (*first, *asked))
            return rows[len(first) :]
        finally:
            self._turns.give(turn)

    def _rested(self) -> PoolProxiedConnection | None:
        """The connection that was used last, of those whose server is still there."""
        while self._at_rest:
            pooled = self._at_rest.pop()
            try:
                still_there(pooled.driver_connection)
            except DisconnectionError:
                pooled.invalidate()
                continue
            return pooled
        return None

    def _opened(self) -> PoolProxiedConnection | None:
        try:
            with translated():
                return self._engine.raw_connection()
        except DatabaseError:  # the other way will say what is wrong
            return None

    @contextmanager
    def _used(self, pooled: PoolProxiedConnection) -> Iterator[psycopg.Connection[object]]:
        driver, request = pooled.driver_connection, in_use.get()
        assert isinstance(driver, psycopg.Connection)
        if request is not None:
            request.add(driver)
        self._on_use(_NAME, 1)
        try:
            yield driver
        finally:
            self._on_use(_NAME, -1)
            if request is not None:
                request.discard(driver)
            if driver.closed:
                pooled.invalidate()
            else:
                self._at_rest.append(pooled)
