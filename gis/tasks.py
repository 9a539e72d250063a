"""What the names of background jobs stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from gis.db import connect
from gis.jobs import Task, Work

__all__ = ["TASKS", "register"]

KEEP_DAYS = 90


def _forget_old_jobs(work: Work, payload: Mapping[str, Any]) -> None:
    """Remove jobs that ended long ago."""
    with connect(work.engine, write=True) as conn:
        conn.execute(
            text(
                "DELETE FROM jobs.procrastinate_jobs j WHERE status NOT IN ('todo', 'doing') AND NOT EXISTS "
                "(SELECT FROM jobs.procrastinate_events e WHERE e.job_id = j.id "
                "AND e.at > now() - make_interval(days => :days))"
            ),
            {"days": KEEP_DAYS},
        )


TASKS: dict[str, Task] = {
    "jobs.forget": Task(_forget_old_jobs, lane="clock", resumable=True, cron="17 3 * * *"),
}


def register(name: str, task: Task) -> None:
    """Add a task; for parts that stand above this module."""
    TASKS[name] = task
