"""Taking down what a benchmark has set up, also when it is told to end."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gis.cluster import Cluster

__all__ = ["end_in_order", "own_folder", "taken_down"]

_DUE: list[Callable[[], Any]] = []


@contextmanager
def taken_down(work: Callable[[], Any]) -> Iterator[None]:
    """Do ``work`` at the end of the block, however it ends."""
    _DUE.append(work)
    try:
        yield
    finally:
        _DUE.remove(work)
        work()


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for a private server at "home" and files beside it, both gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="onemap-bench-", dir="/tmp"))
    folder.chmod(0o755)
    with taken_down(lambda: shutil.rmtree(folder)), taken_down(lambda: Cluster(folder / "home").stop()):
        yield folder


def end_in_order() -> None:
    """On SIGTERM do all that is due, the newest first, and end.

    To raise an exception would not do: it may come up in a finaliser, where Python drops it.
    """
    signal.signal(signal.SIGTERM, _end)


def _end(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for work in reversed(_DUE):
        with suppress(Exception):
            work()
    os._exit(128 + signal.SIGTERM)
