"""Waiting in tests for what happens elsewhere: in a thread, a process or the database."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait_for"]


def wait_for(happened: Callable[[], object], seconds: float = 30.0, what: str = "it") -> None:
    """Wait until it has happened; it fails when that takes longer, so that only a failure takes so long."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.005)
