"""What is made once for each long-lived object, such as the definition of a map."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import TypeVar

__all__ = ["for_each"]

Key = TypeVar("Key")
Made = TypeVar("Made")


def for_each(size: int) -> Callable[[Callable[[Key], Made]], Callable[[Key], Made]]:
    """Make a function of one object answer from memory when it is given the very same object again.

    At most ``size`` objects are remembered. They are known by identity, which costs nothing however large
    they are, and are kept with what was made of them, so that no other object can take their identity.
    """

    def keeping(make: Callable[[Key], Made]) -> Callable[[Key], Made]:
        kept: OrderedDict[int, tuple[Key, Made]] = OrderedDict()
        lock = Lock()

        @wraps(make)
        def found(key: Key) -> Made:
            with lock:
                held = kept.get(id(key))
            if held is not None:
                return held[1]
            made = make(key)
            with lock:
                kept[id(key)] = key, made
                while len(kept) > size:
                    kept.popitem(last=False)
            return made

        return found

    return keeping
