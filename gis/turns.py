"""Taking turns: what a process does at once, when all would get slower by more.

Threads that work at the same time fight for the interpreter, and statements for the processors and their
caches: sixteen pages at once take a quarter more processor time than two, and the last of them is late.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

__all__ = ["Turn", "Turns"]


class Turn(Protocol):
    """A turn, or the wait for one."""

    def set(self) -> None:
        """Have whoever waits look again."""


class Turns:
    """So many at a time, in the order in which they came; safe for threads.

    Whoever has had a turn for ``grace_s`` seconds counts no more: a few long ones hold up nobody for longer.
    """

    def __init__(self, places: int, grace_s: float) -> None:
        self.places, self._grace_s = places, grace_s
        self._lock = threading.Lock()
        self._since: dict[Turn, float] = {}
        self._waiting: deque[Turn] = deque()

    def take(self) -> Turn:
        """Wait for a turn; what is returned is given back with `give`."""
        turn = threading.Event()
        if self._came(turn):
            return turn
        patience = None
        while True:
            turn.wait(patience)
            turn.clear()
            patience = self._is_up(turn)
            if patience == 0:
                return turn

    async def awaited(self) -> Turn:
        """`take` on an event loop, which works on other things meanwhile."""
        turn = _OnLoop()
        if self._came(turn):
            return turn
        patience = None
        try:
            while True:
                await turn.wait(patience)
                patience = self._is_up(turn)
                if patience == 0:
                    return turn
        except asyncio.CancelledError:
            self.give(turn)
            raise

    def give(self, turn: Turn) -> None:
        """The turn, or the wait for it, is over."""
        with self._lock:
            if self._since.pop(turn, None) is None and turn in self._waiting:
                self._waiting.remove(turn)
            self._call()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn, and have it as long as the context lasts."""
        turn = self.take()
        try:
            yield
        finally:
            self.give(turn)

    def _came(self, turn: Turn) -> bool:
        """Take a place for ``turn``, or have it wait behind the others."""
        with self._lock:
            if not self._waiting and not self._full_for():
                self._since[turn] = monotonic()
                return True
            self._waiting.append(turn)
            self._call()
            return False

    def _is_up(self, turn: Turn) -> float | None:
        """How many seconds ``turn`` is still to wait: 0, then it has a place; None: until it is called."""
        with self._lock:
            if self._waiting[0] is not turn:
                return None
            patience = self._full_for()
            if not patience:
                self._waiting.popleft()
                self._since[turn] = monotonic()
                self._call()
            return patience

    def _call(self) -> None:
        if self._waiting:
            self._waiting[0].set()

    def _full_for(self) -> float:
        """How long until somebody counts no more, in seconds; 0 where there is a place."""
        now = monotonic()
        self._since = {turn: since for turn, since in self._since.items() if now - since < self._grace_s}
        if len(self._since) < self.places:
            return 0.0
        return sorted(self._since.values())[len(self._since) - self.places] + self._grace_s - now


class _OnLoop:
    """A turn that a task waits for; called from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._called = asyncio.Event()

    def set(self) -> None:
        if threading.get_ident() == self._thread:
            self._called.set()
        else:
            self._loop.call_soon_threadsafe(self._called.set)

    async def wait(self, patience: float | None) -> None:
        timer = None if patience is None else self._loop.call_later(patience, self._called.set)
        await self._called.wait()
        self._called.clear()
        if timer is not None:
            timer.cancel()
