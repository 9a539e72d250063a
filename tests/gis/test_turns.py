"""Turns: so many at a time, in order, and nobody is held up for long by few."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Engine, text

from gis.bounds import READS, InUse, companion, in_use
from gis.turns import Turns
from tests.loops import on_a_loop
from tests.waiting import wait_for


def _waiting(turns: Turns) -> int:
    return len(turns._waiting)


def _all_wait(turns: Turns, count: int) -> bool:
    return _waiting(turns) == count


@pytest.fixture
def line() -> Iterator[Callable[[Turns, int], list[int]]]:
    """Has so many ask for turns, one after the other, every second one on an event loop of its own.

    The numbers of those who got one, in order.
    """
    threads: list[threading.Thread] = []

    def queue(turns: Turns, count: int) -> list[int]:
        got: list[int] = []

        def ask(number: int) -> None:
            turn = turns.take()
            got.append(number)
            turns.give(turn)

        async def await_one(number: int) -> None:
            turn = await turns.awaited()
            got.append(number)
            turns.give(turn)

        for number in range(count):
            asking = (lambda given: on_a_loop(await_one(given))) if number % 2 else ask
            threads.append(threading.Thread(target=asking, args=(number,)))
            threads[-1].start()
            wait_for(partial(_all_wait, turns, number + 1))
        return got

    yield queue
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_others_wait_and_come_in_their_order(line: Callable[[Turns, int], list[int]]) -> None:
    turns = Turns(2, grace_s=60)
    first, second = turns.take(), turns.take()
    got = line(turns, 5)
    assert got == []
    turns.give(second)
    wait_for(lambda: len(got) == 5)
    assert got == [0, 1, 2, 3, 4]
    turns.give(first)


def test_who_has_been_long_about_it_holds_up_nobody(line: Callable[[Turns, int], list[int]]) -> None:
    turns = Turns(1, grace_s=0.3)
    long = turns.take()
    got = line(turns, 3)
    wait_for(lambda: len(got) == 3)  # though nobody gave anything back
    turns.give(long)
    turns.give(long)
    assert got == [0, 1, 2]


def test_who_waits_no_longer_is_in_nobodys_way(line: Callable[[Turns, int], list[int]]) -> None:
    turns = Turns(1, grace_s=60)
    only = turns.take()

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(turns.awaited(), 0.02)

    on_a_loop(impatient())
    assert _waiting(turns) == 0
    got = line(turns, 2)
    turns.give(only)
    wait_for(lambda: got == [0, 1])


def test_tasks_of_one_loop_take_turns() -> None:
    turns, inside, most = Turns(2, grace_s=60), [0], [0]

    async def work() -> None:
        turn = await turns.awaited()
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await asyncio.sleep(0.001)
        inside[0] -= 1
        turns.give(turn)

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(20)))

    on_a_loop(all_of_them())
    assert most[0] == 2 and inside[0] == 0 and _waiting(turns) == 0


def test_a_thread_that_waits_is_not_asked_for_more_places_than_there_are() -> None:
    turns, inside, most = Turns(3, grace_s=60), [0], [0]
    lock = threading.Lock()

    def work() -> None:
        for _ in range(40):
            with turns.taken():
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.0002)
                with lock:
                    inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] == 3 and inside[0] == 0 and _waiting(turns) == 0


def test_requests_take_turns_with_connections_and_one_needs_no_second_for_another(
    postgis: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gis.bounds._GRACE_S", 60)
    engine = companion(postgis, replace(READS, at_once=1), "turns")
    got: list[int] = []

    def ask() -> None:
        with engine.connect() as conn:
            got.append(conn.scalar(text("SELECT 1")) or 0)

    mine = InUse()
    token = in_use.set(mine)
    try:
        with engine.connect() as conn:
            driver = conn.connection.driver_connection
            assert driver is not None
            mine.add(driver)
            other = threading.Thread(target=ask)  # of no request: it waits
            other.start()
            ask()
            assert got == [1]
            mine.discard(driver)
    finally:
        in_use.reset(token)
    other.join(10)
    assert got == [1, 1]
