"""Statements that go to the server together and whose rows come back together, below the driver's cursors.

For what is asked with every answer, for which a cursor each takes longer than the server does.
"""

from __future__ import annotations

import re
import select
from collections.abc import Mapping, MutableMapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg import abc, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result

__all__ = ["Prepared", "Question", "asked_together"]

Question = tuple[str, Mapping[str, Any]]
"""A statement of the driver, and its values by name: ``%(name)s``."""

Prepared = MutableMapping[tuple[str, tuple[int, ...]], bytes]
"""What the server of a connection has planned: a statement and the types of its values; its name there."""

_VALUE = re.compile(r"%\((\w+)\)s")
_numbers = count()


def asked_together(
    driver: psycopg.Connection[Any], prepared: Prepared, asked: Sequence[Question]
) -> list[list[tuple[Any, ...]]]:
    """The rows of each of the statements ``asked``, which are one transaction; values in binary.

    ``driver`` is at rest. The server plans each statement once for it; ``prepared`` is kept with it.

    Raises
    ------
    psycopg.Error
        What the server says of the first that fails; or that it is gone, then ``driver`` is closed.
    """
    try:
        return _asked(driver, prepared, asked)
    except InvalidSqlStatementName:  # what the driver does at the end of a transaction may forget them all
        prepared.clear()
        return _asked(driver, prepared, asked)


def _asked(
    driver: psycopg.Connection[Any], prepared: Prepared, asked: Sequence[Question]
) -> list[list[tuple[Any, ...]]]:
    server = driver.pgconn
    with driver.lock:
        try:
            server.enter_pipeline_mode()
            adapters = [_send(driver, prepared, *question) for question in asked]
            server.pipeline_sync()
            results = _results(server)
            server.exit_pipeline_mode()
        except BaseException:
            driver.close()  # what is under way would be taken for the answer to the next question
            raise
    for result in results:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            prepared.clear()  # one of them may not be there
            raise error_from_result(result, driver.info.encoding)
    told = (result for result in results if result.status == pq.ExecStatus.TUPLES_OK)
    return [_rows(adapter, result) for adapter, result in zip(adapters, told, strict=True)]


def _send(
    driver: psycopg.Connection[Any], prepared: Prepared, statement: str, values: Mapping[str, Any]
) -> abc.Transformer:
    """Put a statement on its way; what has written its values, and can read its rows."""
    text, names = _numbered(statement)
    adapter: abc.Transformer = Transformer(driver)
    written = adapter.dump_sequence([values[name] for name in names], [PyFormat.AUTO] * len(names))
    types = adapter.types or ()
    name = prepared.get((text, types))
    if name is None:
        name = prepared[text, types] = b"together_%d" % next(_numbers)
        driver.pgconn.send_prepare(name, text.encode(), types)
    driver.pgconn.send_query_prepared(name, written, adapter.formats, pq.Format.BINARY)
    return adapter


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """``statement`` with numbers in place of the names of its values, and the names in that order."""
    names = tuple(dict.fromkeys(_VALUE.findall(statement)))
    text = _VALUE.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return text.replace("%%", "%"), names


def _results(server: pq.abc.PGconn) -> list[pq.abc.PGresult]:
    """All results up to the end of what went out together."""
    found: list[pq.abc.PGresult] = []
    waiting = select.poll()
    while server.flush():
        waiting.register(server.socket, select.POLLIN | select.POLLOUT)
        waiting.poll()
        server.consume_input()
    waiting.register(server.socket, select.POLLIN)
    while True:
        waiting.poll()
        server.consume_input()
        while not server.is_busy():
            result = server.get_result()  # None behind the last of each statement
            if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
                return found
            if result is not None:
                found.append(result)


def _rows(adapter: abc.Transformer, result: pq.abc.PGresult) -> list[tuple[Any, ...]]:
    adapter.set_pgresult(result)
    return adapter.load_rows(0, result.ntuples, tuple)
