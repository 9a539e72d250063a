"""Coroutines in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["on_a_loop"]

_T = TypeVar("_T")


def on_a_loop(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """What ``coroutine`` returns, on an event loop of its own in a thread of its own.

    In the main thread there may be one already: playwright's runs for as long as the browser is kept.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, asyncio.run, coroutine).result()
