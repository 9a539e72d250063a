"""What a task is, and what it is given while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from gis.jobs.queue import set_progress
from gis.settings import MapDefinition, Settings

__all__ = ["Lane", "Task", "Work", "WorkStopped"]

# What a person waits for never stands behind what runs by the clock, and neither behind a slow receiver.
Lane = Literal["people", "clock", "post"]
_TELL_EVERY_S = 0.3


class WorkStopped(Exception):
    """The job was cancelled, or its worker is stopping; raised by `Work.progress` inside the task."""


@dataclass
class Work:
    """A job under way: where its data are, and whom it tells how far it is.

    ``engine`` belongs to the worker; ``attempt`` is 0 unless the job was begun before and found again.
    """

    engine: Engine
    definition: MapDefinition
    settings: Settings
    job_id: int
    attempt: int = 0
    stopping: Callable[[], bool] = lambda: False
    _told: tuple[str, float] = field(default=("", 0.0), repr=False)

    def progress(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """Say how far the job is; raises WorkStopped when it shall end."""
        if self.stopping():
            raise WorkStopped(phase)
        now = time.monotonic()
        if self._told[0] == phase and now - self._told[1] < _TELL_EVERY_S:
            return
        self._told = (phase, now)
        set_progress(self.engine, self.job_id, phase, done, total)


@dataclass(frozen=True)
class Task:
    """What a name in the queue stands for.

    Attributes
    ----------
    run : callable
        ``run(work, payload)``; what it returns (JSON) is the job's result. OneMapError ends the job in words.
    lane : str
        "people" for what somebody waits for, "post" for what waits for other computers, "clock" for the rest.
    resumable : bool
        Whether the job may simply run again after its worker was killed: it leaves all or nothing behind,
        and a second run of what was done already changes nothing.
    cron : str, optional
        When the worker queues it by itself, such as "* * * * *"; without a payload.
    due : callable, optional
        ``due(conn)`` gives payload and key of what is to be queued now; the worker asks every second. Such
        jobs are not listed.
    """

    run: Callable[[Work, Mapping[str, Any]], Mapping[str, Any] | None]
    lane: Lane = "people"
    resumable: bool = False
    cron: str | None = None
    due: Callable[[Connection], Iterable[tuple[Mapping[str, Any], str]]] | None = None
