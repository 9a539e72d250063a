"""The tables of the queue: procrastinate's own, as its version brings them, and how far each job has come."""

from __future__ import annotations

from importlib import resources

import psycopg
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from gis import tables

__all__ = ["SCHEMA", "callbacks_table", "driver", "in_queue", "make_queue", "progress_table"]

SCHEMA = "jobs"
_KEY = "jobs-schema"
_METADATA = MetaData(schema=SCHEMA)

progress_table = Table(
    "progress",
    _METADATA,
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("started_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("phase", Text, nullable=False, server_default=""),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger),
    Column("result", JSONB),
    Column("error", JSONB, comment="code, and what went wrong and what to do in both languages"),
    Column("scope", Text, comment="digest of the access scope it was queued for; null: the store's own"),
    comment="How far each job is, and what came of it",
)

callbacks_table = Table(
    "callbacks",
    _METADATA,
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    Column("status", Text, primary_key=True, comment="of the job, in the queue's words, that is told"),
    Column("uri", Text, nullable=False, comment="who is told"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    comment="What clients are still to be told of their jobs",
)


def driver(conn: Connection) -> psycopg.Connection[tuple[object, ...]]:
    """The driver's connection below ``conn``, in the same transaction."""
    raw = conn.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw


def in_queue(conn: Connection) -> Connection:
    """``conn`` with the queue's schema first in its search path until its transaction ends.

    procrastinate names its tables and functions without a schema.
    """
    conn.execute(text(f"SET LOCAL search_path = {SCHEMA}, public"))
    return conn


def make_queue(conn: Connection) -> list[str]:
    """Bring schema ``jobs`` up to the installed procrastinate; sentences that say what was done.

    A new schema is made whole; an older one gets the migrations that came since, in their order.
    """
    steps = sorted(
        entry.name for entry in (resources.files("procrastinate") / "sql" / "migrations").iterdir()
        if entry.name.endswith(".sql")
    )  # fmt: skip
    held = conn.scalar(select(tables.store.c.value).where(tables.store.c.key == _KEY))
    # A store that was restored from a backup remembers a queue that the backup left out.
    exists = conn.scalar(text("SELECT to_regclass('jobs.procrastinate_jobs') IS NOT NULL"))
    if conn.scalar(text("SELECT to_regclass('jobs.progress') IS NOT NULL")):
        conn.execute(text("ALTER TABLE jobs.progress ADD COLUMN IF NOT EXISTS scope text"))
        _make(conn, callbacks_table)
    if exists and held == steps[-1]:
        return []
    if exists:
        # Each in a transaction of its own: a new value of an enumeration cannot be used before its commit.
        for name in steps:
            if held is not None and name > held:
                with conn.engine.begin() as own:
                    _run(in_queue(own), f"migrations/{name}")
                    _remember(own, name)
    else:
        conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        _run(in_queue(conn), "schema.sql")
    for table in (progress_table, callbacks_table):
        _make(in_queue(conn), table)
    conn.execute(text("SET LOCAL search_path TO DEFAULT"))
    _remember(conn, steps[-1])
    return [f"jobs: queue brought up to {steps[-1].split('_')[0]}"]


def _remember(conn: Connection, step: str) -> None:
    remember = insert(tables.store).values(key=_KEY, value=step)
    conn.execute(
        remember.on_conflict_do_update(
            index_elements=[tables.store.c.key], set_={"value": remember.excluded.value}
        )
    )


def _make(conn: Connection, table: Table) -> None:
    """Make a table whose rows go with their job, unless it is there."""
    if conn.scalar(text("SELECT to_regclass(:name) IS NULL"), {"name": table.fullname}):
        table.create(conn)
        conn.execute(
            text(
                f"ALTER TABLE {table.fullname} ADD FOREIGN KEY (job_id) "
                "REFERENCES jobs.procrastinate_jobs ON DELETE CASCADE"
            )
        )


def _run(conn: Connection, name: str) -> None:
    script = (resources.files("procrastinate") / "sql" / name).read_text(encoding="utf-8")
    driver(conn).execute(script.encode())
