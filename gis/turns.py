"""Taking turns: what a process does at once, when all would get slower by more.

Threads that work at the same time fight for the interpreter, and statements for the processors and their
caches: sixteen pages at once take a quarter more processor time than two, and the last of them is late.
"""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic

__all__ = ["Turns"]


class Turns:
    """So many at a time, in the order in which they came; safe for threads.

    Whoever has had a turn for ``grace_s`` seconds counts no more: a few long ones hold up nobody for longer.
    """

    def __init__(self, places: int, grace_s: float) -> None:
        self._places, self._grace_s = places, grace_s
        self._lock = threading.Lock()
        self._since: dict[threading.Event, float] = {}
        self._waiting: deque[threading.Event] = deque()

    def take(self) -> threading.Event:
        """Wait for a turn; what is returned is given back with `give`."""
        turn = threading.Event()
        with self._lock:
            if not self._waiting and not self._full_for():
                self._since[turn] = monotonic()
                return turn
            self._waiting.append(turn)
            self._waiting[0].set()
        patience = None
        while True:
            turn.wait(patience)
            with self._lock:
                turn.clear()
                if self._waiting[0] is not turn:
                    patience = None
                    continue
                patience = self._full_for()
                if not patience:
                    self._waiting.popleft()
                    self._since[turn] = monotonic()
                    self._call()
                    return turn

    def give(self, turn: threading.Event) -> None:
        """The turn is over."""
        with self._lock:
            self._since.pop(turn, None)
            self._call()

    def _call(self) -> None:
        if self._waiting:
            self._waiting[0].set()

    def _full_for(self) -> float:
        """How long until somebody counts no more, in seconds; 0 where there is a place."""
        now = monotonic()
        self._since = {turn: since for turn, since in self._since.items() if now - since < self._grace_s}
        if len(self._since) < self._places:
            return 0.0
        return sorted(self._since.values())[len(self._since) - self._places] + self._grace_s - now
