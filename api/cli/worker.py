"""``onemap worker``: works on background jobs, beside or instead of the worker inside ``serve``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.cli.console import say, tell

if TYPE_CHECKING:
    from api.cli.opening import Opened
    from gis.jobs.worker import Worker

__all__ = ["worker", "working"]

_HEAD_START_S = 2.0  # the first answers of a service come before


def worker() -> None:
    """Work on background jobs (harvests, imports) until interrupted."""
    from api.cli.opening import opened

    with opened(while_needed=True) as onemap, working(onemap, head_start_s=0) as running:
        tell(say("Working on jobs (Ctrl-C ends)", "正在处理后台任务（Ctrl-C 结束）"))
        # SIGTERM ends it the way a user does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            running.join()
        except KeyboardInterrupt:
            tell(say("Ending …", "正在结束……"))


@contextmanager
def working(onemap: Opened, *, wanted: bool = True, head_start_s: float = _HEAD_START_S) -> Iterator[Worker]:
    """A worker in a thread for the length of a ``with`` block; it begins only when ``wanted``."""
    from gis.jobs.worker import Worker
    from gis.tasks import TASKS

    running = Worker(onemap.settings, onemap.definition, onemap.engine, TASKS, head_start_s=head_start_s)
    if wanted:
        running.start()
    try:
        yield running
    finally:
        running.stop()
