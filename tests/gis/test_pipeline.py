"""Statements that go out together: their rows are the driver's own, and errors do no harm to what follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from gis.pipeline import Prepared, asked_together

VALUES = {
    "small": 3, "large": 2**40, "text": "水%s", "none": None, "bytes": b"\0\xff", "list": [1, 2], "real": 0.1
}  # fmt: skip
ECHO = (
    "SELECT %(small)s::int, %(large)s::bigint, %(text)s::text, %(none)s::int, %(bytes)s::bytea, "
    "%(list)s::int[], %(real)s::float8, %(small)s::int + 1, 7 %% 4, 'it''s'"
)


@pytest.fixture
def driver(postgis: Engine) -> Iterator[psycopg.Connection[Any]]:
    with postgis.connect() as conn:
        found = conn.connection.driver_connection
        assert isinstance(found, psycopg.Connection)
        yield found


def test_rows_are_those_of_a_cursor(driver: psycopg.Connection[Any]) -> None:
    series = "SELECT n, repeat('x', 200) FROM generate_series(1, %(n)s::int) AS n"
    prepared: Prepared = {}
    for n in (0, 1, 40_000):
        told = asked_together(driver, prepared, [(ECHO, VALUES), (series, {"n": n}), ("SELECT 1", {})])
        cursor = driver.cursor(binary=True)
        assert told[0] == cursor.execute(ECHO, VALUES).fetchall()
        assert told[1] == cursor.execute(series, {"n": n}).fetchall() and told[2] == [(1,)]
        driver.rollback()
    assert len(prepared) == 4  # 40,000 has another type than 0 and 1


def test_they_are_one_transaction_which_has_ended(driver: psycopg.Connection[Any]) -> None:
    number = ("SELECT pg_current_xact_id()", {})
    (one,), (two,) = asked_together(driver, {}, [number, number])
    assert one == two
    assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    role = (
        ("SELECT set_config('onemap.scope', 'x', true)", {}),
        ("SELECT current_setting('onemap.scope')", {}),
    )
    assert asked_together(driver, {}, role)[1] == [("x",)]
    assert asked_together(driver, {}, role[1:]) == [[("",)]]


def test_after_an_error_the_next_is_answered(driver: psycopg.Connection[Any]) -> None:
    prepared: Prepared = {}
    good = ("SELECT %(n)s::int", {"n": 1})
    for wrong in ("SELECT 1 / (%(n)s::int - 1)", "SELECT no_such_column", "SELEC", "SELECT pg_sleep(9)"):
        driver.execute("SET statement_timeout = 100")
        driver.commit()
        with pytest.raises(psycopg.Error):
            asked_together(driver, prepared, [good, (wrong, {"n": 1}), good])
        assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert asked_together(driver, prepared, [good]) == [[(1,)]]
    with pytest.raises(KeyError):
        asked_together(driver, prepared, [("SELECT %(missing)s", {})])
    assert driver.closed  # half of a question may have gone out


def test_what_the_server_has_forgotten_is_planned_anew(driver: psycopg.Connection[Any]) -> None:
    prepared: Prepared = {}
    good = ("SELECT %(n)s::int", {"n": 1})
    assert asked_together(driver, prepared, [good]) == [[(1,)]]
    driver.execute("DEALLOCATE ALL")
    driver.commit()
    assert asked_together(driver, prepared, [good, good]) == [[(1,)], [(1,)]]


def test_a_server_that_ends_is_told(driver: psycopg.Connection[Any], postgis: Engine) -> None:
    with postgis.connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({driver.info.backend_pid}, 10000)")
    with pytest.raises(psycopg.OperationalError):
        asked_together(driver, {}, [("SELECT 1", {})])
    assert driver.closed
