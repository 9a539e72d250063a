"""The advisory locks of a database: each has a number, and no two the same."""

from __future__ import annotations

from enum import IntEnum, unique

from sqlalchemy import Connection, text

__all__ = ["Lock", "take", "try_to_take"]


@unique
class Lock(IntEnum):
    """What is done by one at a time. The last three are classes: one lock for each number in them."""

    SYNC = 7_216_001
    NUMBERS = 7_216_002
    """Of revisions."""
    JUDGING = 7_216_004
    AUDIT = 7_216_005
    RESCUE = 7_216_008
    """Of jobs whose worker is gone."""
    TILES = 7_216_009
    ITEMS = 7_216_010
    HARVEST = 7_216_003
    GUESSES_AT_NAME = 7_216_006
    GUESSES_FROM_ADDRESS = 7_216_007


def take(conn: Connection, lock: Lock, number: int | None = None) -> None:
    """Wait for the lock, and hold it until the transaction ends; ``number`` (32 bits) in a class."""
    if number is None:
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": int(lock)})
    else:
        given = {"lock": int(lock), "number": number}
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock, :number)"), given)


def try_to_take(conn: Connection, lock: Lock) -> bool:
    """The same without waiting; whether it was free."""
    return bool(conn.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": int(lock)}))
