"""What an event loop asks: rows as threads get them, within the same bounds, and never a loop that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from gis.access import PUBLIC
from gis.awaited import Line, line_to
from gis.bounds import InUse, in_use
from gis.db import ask_rows, scoped
from gis.errors import DatabaseBusy, DatabaseError
from gis.pipeline import Question
from tests.loops import on_a_loop

NUMBER: Question = ("SELECT %(n)s::int, current_setting('transaction_read_only')", {"n": 7})
ROLE: Question = ("SELECT current_setting('role'), current_setting('onemap.scope', true)", {})
ASLEEP: Question = ("SELECT pg_sleep(20)", {})


@pytest.fixture
def used() -> list[tuple[str, int]]:
    """What is told of the use of connections."""
    return []


@pytest.fixture
def line(database: Engine, used: list[tuple[str, int]]) -> Iterator[Line]:
    with database.begin() as conn:
        if not conn.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = 'onemap_public'")):
            conn.execute(text("CREATE ROLE onemap_public"))
    yield line_to(database, lambda name, change: used.append((name, change)))
    database.dispose()


def test_rows_are_those_that_a_thread_gets_and_the_role_ends_with_them(
    line: Line, database: Engine, used: list[tuple[str, int]]
) -> None:
    async def ask() -> None:
        assert await line.ask_rows(None, NUMBER, NUMBER) == [[(7, "on")], [(7, "on")]]
        (seen,) = await line.ask_rows(PUBLIC, ROLE) or []
        assert seen == ask_rows(scoped(database, PUBLIC), ROLE)[0]
        assert seen[0][0] == "onemap_public" and await line.ask_rows(None, ROLE) == [[("none", "")]]

    on_a_loop(ask())
    assert used == [("reads", 1), ("reads", -1)] * 3
    assert line_to(database, print) is line


def test_a_connection_that_has_gone_is_replaced(line: Line, database: Engine) -> None:
    pid: Question = ("SELECT pg_backend_pid()", {})

    async def ask() -> list[int]:
        found = []
        for _ in range(2):
            (((number,),),) = await line.ask_rows(None, pid) or []
            found.append(number)
            with database.connect() as conn:
                conn.exec_driver_sql(f"SELECT pg_terminate_backend({number}, 10000)")
        return found

    first, second = on_a_loop(ask())
    assert first != second


def test_an_error_is_told_in_words_and_does_no_harm(line: Line) -> None:
    async def ask() -> None:
        with pytest.raises(DatabaseError):
            await line.ask_rows(None, NUMBER, ("SELECT no_such_column", {}))
        assert await line.ask_rows(None, NUMBER) == [[(7, "on")]]

    on_a_loop(ask())


def test_the_question_of_a_request_that_is_over_is_ended(line: Line) -> None:
    async def ask() -> None:
        mine = InUse()
        in_use.set(mine)
        asking = asyncio.create_task(line.ask_rows(None, ASLEEP))
        while not mine.has_any():
            await asyncio.sleep(0.01)
        await asyncio.to_thread(mine.cancel)
        with pytest.raises(DatabaseBusy):
            await asking
        assert not mine.has_any()

    on_a_loop(ask())


def test_while_all_its_connections_are_taken_it_is_to_be_asked_otherwise(
    line: Line, used: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line._turns, "_grace_s", 0.05)

    async def ask() -> None:
        long = [asyncio.create_task(line.ask_rows(None, ASLEEP)) for _ in range(line._turns.places)]
        while len(used) < len(long):
            await asyncio.sleep(0.01)
        assert await line.ask_rows(None, NUMBER) is None  # once they have been long enough about it
        for each in long:
            each.cancel()
        assert all(isinstance(each, asyncio.CancelledError) for each in await _ended(long))
        assert await line.ask_rows(None, NUMBER) == [[(7, "on")]]

    on_a_loop(ask())


async def _ended(tasks: list[asyncio.Task[object]]) -> list[object]:
    return list(await asyncio.gather(*tasks, return_exceptions=True))
