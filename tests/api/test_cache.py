"""Answers in memory."""

from __future__ import annotations

from api.cache import ByteCache


def test_an_answer_is_made_once_until_there_is_no_room() -> None:
    made: list[str] = []

    def make(name: str) -> bytes:
        made.append(name)
        return name.encode() * 4

    cache = ByteCache(limit_bytes=8)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(name, lambda name=name: make(name)) == name.encode() * 4  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
    assert cache.used_bytes == 8


def test_an_answer_larger_than_all_room_is_given_and_not_kept() -> None:
    cache = ByteCache(limit_bytes=3)
    assert cache.get("a", lambda: b"1234") == b"1234"
    assert cache.used_bytes == 0
