"""Answers kept for a day under the key that a client gave its request, so that asking twice does it once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    Table,
    Text,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, insert

from gis.db import connect
from gis.tables import CORE

__all__ = ["KEEP_H", "UNDER_WAY_MIN", "Kept", "claim", "forget_answers", "keep", "release"]

KEEP_H = 24
UNDER_WAY_MIN = 10
"""A request that has not ended by then died with its process; the next one with its key takes its place."""

answers = Table(
    "kept_answers",
    CORE,
    Column("who", Text, primary_key=True),
    Column("key", Text, primary_key=True, comment="the client's Idempotency-Key"),
    Column("request", BYTEA, comment="hash of what was asked; null: still being read"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("status", Integer, comment="of the answer; null: under way"),
    Column("headers", JSONB(none_as_null=True)),
    Column("body", BYTEA),
    comment="Answers to requests that named themselves by a key, for a day",
)


@dataclass(frozen=True)
class Kept:
    """What is known of a key: ``request`` as it was hashed, and the answer; ``status`` None: under way."""

    request: bytes | None
    status: int | None
    headers: list[tuple[str, str]]
    body: bytes


def claim(engine: Engine, who: str, key: str, request: bytes | None) -> Kept | None:
    """Take ``key`` of ``who`` for a request; None when it is ours now, else what is known of it already."""
    a = answers
    row = {"who": who, "key": key, "request": request}
    fresh = {**row, "at": func.clock_timestamp(), "status": None, "headers": None, "body": None}
    old = func.clock_timestamp() - text(f"interval '{KEEP_H} hours'")
    dead = func.clock_timestamp() - text(f"interval '{UNDER_WAY_MIN} minutes'")
    over = or_(a.c.at < old, a.c.status.is_(None) & (a.c.at < dead))
    taking = (
        insert(a).values(row).on_conflict_do_update(index_elements=["who", "key"], set_=fresh, where=over)
    )
    with connect(engine, write=True) as conn:
        if conn.execute(taking.returning(a.c.key)).one_or_none() is not None:
            return None
        held = conn.execute(select(a).where(a.c.who == who, a.c.key == key)).one()
    pairs = [(str(name), str(value)) for name, value in held.headers or ()]
    return Kept(held.request, held.status, pairs, held.body or b"")


def keep(engine: Engine, who: str, key: str, answer: Kept) -> None:
    """Keep the answer under a key that was claimed."""
    values = {
        "request": answer.request,
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
    }
    with connect(engine, write=True) as conn:
        conn.execute(update(answers).where(answers.c.who == who, answers.c.key == key).values(values))


def release(engine: Engine, who: str, key: str) -> None:
    """Give a claimed key back: what was asked did not come to an answer that would stay."""
    with connect(engine, write=True) as conn:
        conn.execute(delete(answers).where(answers.c.who == who, answers.c.key == key))


def forget_answers(conn: Connection) -> None:
    """Remove what was kept long enough."""
    old = func.clock_timestamp() - text(f"interval '{KEEP_H} hours'")
    conn.execute(delete(answers).where(answers.c.at < old))
