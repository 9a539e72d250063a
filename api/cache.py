"""Answers kept in memory with what names their content, so that none is ever given when it is stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock

from api.metrics import CACHE

__all__ = ["Answer", "AnswerCache"]

_OVERHEAD_BYTES = 1024  # about what an answer takes besides its body


@dataclass(frozen=True)
class Answer:
    """A whole answer; ``stamp`` names the content that it was made from."""

    stamp: object
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return len(self.body) + _OVERHEAD_BYTES

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, named in lower case; None without it."""
        return next((value for key, value in self.headers if key == name), None)


class AnswerCache:
    """The most recently used answers, up to ``limit_bytes`` in all; safe for threads."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._kept: OrderedDict[Hashable, Answer] = OrderedDict()
        self._lock = Lock()

    def find(self, name: Hashable, stamp: object) -> Answer | None:
        """The answer called ``name`` when it was made from the content ``stamp``."""
        with self._lock:
            answer = self._kept.get(name)
            if answer is None or answer.stamp != stamp:
                CACHE.labels("miss").inc()
                return None
            CACHE.labels("hit").inc()
            self._kept.move_to_end(name)
            return answer

    def keep(self, name: Hashable, answer: Answer) -> None:
        """Keep ``answer`` in place of one called the same; drop the least used while there is no room."""
        with self._lock:
            before = self._kept.pop(name, None)
            self.used_bytes += answer.size - (before.size if before else 0)
            self._kept[name] = answer
            while self.used_bytes > self.limit_bytes and self._kept:
                _, dropped = self._kept.popitem(last=False)
                self.used_bytes -= dropped.size
