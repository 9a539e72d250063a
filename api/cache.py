"""Answers kept in memory under names that change with their content, so none is ever stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

__all__ = ["ByteCache"]


class ByteCache:
    """The most recently used answers, up to ``limit_bytes`` in all; safe for threads.

    Two threads that miss the same name at once both make it.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, name: Hashable, make: Callable[[], bytes]) -> bytes:
        """The answer called ``name``, made by ``make`` when it is not kept."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        body = make()
        with self._lock:
            if name not in self._kept:
                self._kept[name] = body
                self.used_bytes += len(body)
            while self.used_bytes > self.limit_bytes and self._kept:
                _, dropped = self._kept.popitem(last=False)
                self.used_bytes -= len(dropped)
        return body
