"""Whoever holds one lock keeps nobody from another."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from gis.db import connect
from gis.locks import Lock, take, try_to_take


@pytest.mark.parametrize("held", [Lock.ITEMS, Lock.TILES, Lock.RESCUE, Lock.JUDGING])
def test_who_holds_a_lock_holds_up_only_that_one(postgis: Engine, held: Lock) -> None:
    with connect(postgis, write=True) as conn, connect(postgis, write=True) as other:
        take(conn, held)
        assert {lock for lock in Lock if not try_to_take(other, lock)} == {held}
    with connect(postgis, write=True) as other:
        assert try_to_take(other, held)


def test_a_class_has_a_lock_for_each_number(postgis: Engine) -> None:
    with connect(postgis, write=True) as conn, connect(postgis, write=True) as other:
        take(conn, Lock.GUESSES_AT_NAME, 7)
        take(other, Lock.GUESSES_AT_NAME, 8)
        free = text("SELECT pg_try_advisory_xact_lock(:lock, 7)")
        assert not other.scalar(free, {"lock": int(Lock.GUESSES_AT_NAME)})
