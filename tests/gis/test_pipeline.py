"""Statements that go out together: their rows are the driver's own, and errors do no harm to what follows.

Each test is made with a thread that waits, and with an event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from gis.pipeline import Prepared, Question, Rows, asked_together, awaited_together
from tests.loops import on_a_loop

VALUES = {
    "small": 3, "large": 2**40, "text": "水%s", "none": None, "bytes": b"\0\xff", "list": [1, 2], "real": 0.1
}  # fmt: skip
ECHO = (
    "SELECT %(small)s::int, %(large)s::bigint, %(text)s::text, %(none)s::int, %(bytes)s::bytea, "
    "%(list)s::int[], %(real)s::float8, %(small)s::int + 1, 7 %% 4, 'it''s'"
)


Ask = Callable[[psycopg.Connection[Any], Prepared, Sequence[Question]], list[Rows]]


def _awaited(driver: psycopg.Connection[Any], prepared: Prepared, asked: Sequence[Question]) -> list[Rows]:
    return on_a_loop(awaited_together(driver, prepared, asked))


@pytest.fixture(params=[asked_together, _awaited], ids=["thread", "loop"])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


@pytest.fixture
def driver(postgis: Engine) -> Iterator[psycopg.Connection[Any]]:
    with postgis.connect() as conn:
        found = conn.connection.driver_connection
        assert isinstance(found, psycopg.Connection)
        yield found


def test_rows_are_those_of_a_cursor(driver: psycopg.Connection[Any], ask: Ask) -> None:
    series = "SELECT n, repeat('x', 200) FROM generate_series(1, %(n)s::int) AS n"
    prepared = Prepared(driver)
    for n in (0, 1, 40_000):
        told = ask(driver, prepared, [(ECHO, VALUES), (series, {"n": n}), ("SELECT 1", {})])
        cursor = driver.cursor(binary=True)
        assert told[0] == cursor.execute(ECHO, VALUES).fetchall()
        assert told[1] == cursor.execute(series, {"n": n}).fetchall() and told[2] == [(1,)]
        driver.rollback()
    assert len(prepared.names) == 4  # 40,000 has another type than 0 and 1


def test_they_are_one_transaction_which_has_ended(driver: psycopg.Connection[Any], ask: Ask) -> None:
    number = ("SELECT pg_current_xact_id()", {})
    (one,), (two,) = ask(driver, Prepared(driver), [number, number])
    assert one == two
    assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    role = (
        ("SELECT set_config('onemap.scope', 'x', true)", {}),
        ("SELECT current_setting('onemap.scope')", {}),
    )
    assert ask(driver, Prepared(driver), role)[1] == [("x",)]
    assert ask(driver, Prepared(driver), role[1:]) == [[("",)]]


def test_after_an_error_the_next_is_answered(driver: psycopg.Connection[Any], ask: Ask) -> None:
    prepared = Prepared(driver)
    good = ("SELECT %(n)s::int", {"n": 1})
    for wrong in ("SELECT 1 / (%(n)s::int - 1)", "SELECT no_such_column", "SELEC", "SELECT pg_sleep(9)"):
        driver.execute("SET statement_timeout = 100")
        driver.commit()
        with pytest.raises(psycopg.Error):
            ask(driver, prepared, [good, (wrong, {"n": 1}), good])
        assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert ask(driver, prepared, [good]) == [[(1,)]]
    with pytest.raises(KeyError):
        ask(driver, prepared, [("SELECT %(missing)s", {})])
    assert driver.closed  # half of a question may have gone out


def test_what_the_server_has_forgotten_is_planned_anew(driver: psycopg.Connection[Any], ask: Ask) -> None:
    prepared = Prepared(driver)
    good = ("SELECT %(n)s::int", {"n": 1})
    assert ask(driver, prepared, [good]) == [[(1,)]]
    driver.execute("DEALLOCATE ALL")
    driver.commit()
    assert ask(driver, prepared, [good, good]) == [[(1,)], [(1,)]]


def test_a_server_that_ends_is_told(driver: psycopg.Connection[Any], postgis: Engine, ask: Ask) -> None:
    with postgis.connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({driver.info.backend_pid}, 10000)")
    with pytest.raises(psycopg.OperationalError):
        ask(driver, Prepared(driver), [("SELECT 1", {})])
    assert driver.closed


def test_a_loop_works_on_meanwhile_and_sends_more_than_goes_out_at_once(
    driver: psycopg.Connection[Any],
) -> None:
    large = "x" * 3_000_000

    async def both() -> tuple[int, list[Rows]]:
        asking = asyncio.create_task(
            awaited_together(
                driver, Prepared(driver), [("SELECT length(%(text)s::text), pg_sleep(0.1)", {"text": large})]
            )
        )
        turns = 0
        while not asking.done():
            turns += 1
            await asyncio.sleep(0.001)
        return turns, await asking

    turns, rows = on_a_loop(both())
    assert turns > 5 and rows[0][0][0] == len(large)


def test_who_is_cancelled_leaves_no_half_answer(driver: psycopg.Connection[Any]) -> None:
    async def cancelled() -> None:
        asking = asyncio.create_task(
            awaited_together(driver, Prepared(driver), [("SELECT pg_sleep(20)", {})])
        )
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    on_a_loop(cancelled())
    assert driver.closed
