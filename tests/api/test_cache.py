"""Answers in memory."""

from __future__ import annotations

import asyncio
import time

from api.cache import Answer, AnswerCache
from api.tilecache import Together
from tests.loops import on_a_loop


def answer(stamp: object, length: int) -> Answer:
    return Answer(stamp, 200, (), b"x" * length)


def test_an_answer_is_kept_until_there_is_no_room() -> None:
    size = answer(1, 100).size
    cache = AnswerCache(limit_bytes=2 * size)
    for name in ("a", "b"):
        cache.keep(name, answer(1, 100))
    assert cache.find("a", 1) is not None
    cache.keep("c", answer(1, 100))
    assert [cache.find(name, 1) is not None for name in ("a", "b", "c")] == [True, False, True]
    assert cache.used_bytes == 2 * size


def test_an_answer_from_other_content_is_none_and_gives_way() -> None:
    cache = AnswerCache(limit_bytes=10_000)
    cache.keep("a", answer(1, 100))
    assert cache.find("a", 2) is None
    cache.keep("a", answer(2, 200))
    found = cache.find("a", 2)
    assert found is not None and len(found.body) == 200
    assert cache.used_bytes == found.size


def test_an_answer_larger_than_all_room_is_not_kept() -> None:
    cache = AnswerCache(limit_bytes=3)
    cache.keep("a", answer(1, 4))
    assert cache.find("a", 1) is None and cache.used_bytes == 0


def test_who_asks_is_answered_by_an_asking_that_began_afterwards() -> None:
    asked: list[int] = []

    def ask() -> dict[str, object]:
        asked.append(len(asked))
        time.sleep(0.02)
        return {"n": asked[-1]}

    async def run() -> list[object]:
        together = Together(ask)

        async def late(delay: float) -> object:
            await asyncio.sleep(delay)
            begun = len(asked)
            found = (await together())["n"]
            assert isinstance(found, int) and found >= begun
            return found

        return await asyncio.gather(*(late(0.001 * i) for i in range(30)))

    answers = on_a_loop(run())
    assert len(answers) == 30 and len(asked) < 10
