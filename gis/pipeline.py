"""Statements that go to the server together and whose rows come back together, below the driver's cursors.

For what is asked with every answer, for which a cursor each takes longer than the server does.
"""

from __future__ import annotations

import asyncio
import re
import select
from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg import abc, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result

__all__ = ["Prepared", "Question", "Rows", "asked_together", "awaited_together"]

Question = tuple[str, Mapping[str, Any]]
"""A statement of the driver, and its values by name: ``%(name)s``."""

Rows = list[tuple[Any, ...]]

_VALUE = re.compile(r"%\((\w+)\)s")
_numbers = count()


class Prepared:
    """What is kept with a connection: what its server has planned, and what writes values and reads rows.

    ``names`` has what each statement with each set of types of its values is called there.
    """

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self.names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        # One for all questions: it finds out once for each type how that is written and read.
        self.adapter: abc.Transformer = Transformer(driver)


def asked_together(
    driver: psycopg.Connection[Any], prepared: Prepared, asked: Sequence[Question]
) -> list[Rows]:
    """The rows of each of the statements ``asked``, which are one transaction; values in binary.

    ``driver`` is at rest. The server plans each statement once for it; ``prepared`` is kept with it.

    Raises
    ------
    psycopg.Error
        What the server says of the first that fails; or that it is gone, then ``driver`` is closed.
    """
    socket, waiting = driver.pgconn.socket, select.poll()
    asking = _asking(driver, prepared, asked)
    with driver.lock:
        while True:
            try:
                full = next(asking)
            except StopIteration as end:
                rows: list[Rows] = end.value
                return rows
            waiting.register(socket, select.POLLIN | (select.POLLOUT if full else 0))
            waiting.poll()


async def awaited_together(
    driver: psycopg.Connection[Any], prepared: Prepared, asked: Sequence[Question]
) -> list[Rows]:
    """`asked_together` on an event loop, which works on other things meanwhile.

    Nobody else uses ``driver``. Whoever is cancelled here leaves it closed.
    """
    loop, socket = asyncio.get_running_loop(), driver.pgconn.socket
    asking = _asking(driver, prepared, asked)
    told: asyncio.Future[list[Rows]] = loop.create_future()

    def go_on() -> None:
        try:
            full = next(asking)
        except StopIteration as end:
            loop.remove_reader(socket)
            told.set_result(end.value)
        except Exception as error:
            loop.remove_reader(socket)
            told.set_exception(error)
        else:
            if full:  # for so much that it does not go out at once
                loop.add_writer(socket, write_on)

    def write_on() -> None:
        loop.remove_writer(socket)
        go_on()

    loop.add_reader(socket, go_on)
    try:
        go_on()
        return await told
    finally:
        loop.remove_reader(socket)
        loop.remove_writer(socket)
        asking.close()


def _asking(
    driver: psycopg.Connection[Any], prepared: Prepared, asked: Sequence[Question]
) -> Generator[bool, None, list[Rows]]:
    """Ask, and wait at each yield until there is something to read, or if it is true until one can write."""
    try:
        return (yield from _asking_once(driver, prepared, asked))
    except InvalidSqlStatementName:  # what the driver does at the end of a transaction may forget them all
        prepared.names.clear()
        return (yield from _asking_once(driver, prepared, asked))


def _asking_once(
    driver: psycopg.Connection[Any], prepared: Prepared, asked: Sequence[Question]
) -> Generator[bool, None, list[Rows]]:
    server = driver.pgconn
    try:
        server.enter_pipeline_mode()
        for question in asked:
            _send(server, prepared, *question)
        server.pipeline_sync()
        results = yield from _results(server)
        server.exit_pipeline_mode()
    except BaseException:
        driver.close()  # what is under way would be taken for the answer to the next question
        raise
    for result in results:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            prepared.names.clear()  # one of them may not be there
            raise error_from_result(result, driver.info.encoding)
    return [_rows(prepared.adapter, each) for each in results if each.status == pq.ExecStatus.TUPLES_OK]


def _send(server: pq.abc.PGconn, prepared: Prepared, statement: str, values: Mapping[str, Any]) -> None:
    """Put a statement on its way."""
    text, names = _numbered(statement)
    adapter = prepared.adapter
    written = adapter.dump_sequence([values[name] for name in names], [PyFormat.AUTO] * len(names))
    types = adapter.types or ()
    name = prepared.names.get((text, types))
    if name is None:
        name = prepared.names[text, types] = b"together_%d" % next(_numbers)
        server.send_prepare(name, text.encode(), types)
    server.send_query_prepared(name, written, adapter.formats, pq.Format.BINARY)


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """``statement`` with numbers in place of the names of its values, and the names in that order."""
    names = tuple(dict.fromkeys(_VALUE.findall(statement)))
    text = _VALUE.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return text.replace("%%", "%"), names


def _results(server: pq.abc.PGconn) -> Generator[bool, None, list[pq.abc.PGresult]]:
    """All results up to the end of what went out together."""
    found: list[pq.abc.PGresult] = []
    while server.flush():
        yield True
        server.consume_input()
    while True:
        yield False
        server.consume_input()
        while not server.is_busy():
            result = server.get_result()  # None behind the last of each statement
            if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
                return found
            if result is not None:
                found.append(result)


def _rows(adapter: abc.Transformer, result: pq.abc.PGresult) -> Rows:
    adapter.set_pgresult(result)
    try:
        return adapter.load_rows(0, result.ntuples, tuple)
    finally:
        adapter.set_pgresult(None)  # which it would hold until the next question
