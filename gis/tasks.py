"""What the names of background jobs stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, text

from gis.db import connect
from gis.jobs import Task, Work, enqueue
from gis.jobs.schema import in_queue

__all__ = ["TASKS", "queue_harvest"]

KEEP_DAYS = 90


def queue_harvest(engine: Engine, name: str) -> int:
    """Queue a run of harvest ``name``, once; the number of its job."""
    return enqueue(engine, "harvest.run", {"name": name}, queue_key=f"harvest:{name}", lane="clock")


def _run_harvest(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    from gis.harvest import NetLimits, run_harvest

    limits = NetLimits(total_mb=work.settings.harvest_max_mb)
    done = run_harvest(work.engine, work.definition, payload["name"], limits=limits, progress=work.progress)
    return {"layer": done.layer, "changed": done.changed, "fetched": done.fetched, "revision": done.rev}


def _commit_upload(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    from gis.uploads import Uploads, Workshop

    settings = work.settings
    uploads = Uploads(settings.home / "uploads", settings.keep_uploads_h)
    shop = Workshop(uploads, work.engine, work.definition, keep_originals=settings.keep_originals)
    return shop.commit_job(payload["upload"], work.progress)


def _queue_due_harvests(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    from gis.harvest import due

    with connect(work.engine) as conn:
        names = due(conn)
    return {"queued": [queue_harvest(work.engine, name) for name in names]}


def _forget_old_jobs(work: Work, payload: Mapping[str, Any]) -> None:
    """Remove jobs and runs of harvests that ended long ago, and the clock's own ticks after a day."""
    from gis.harvest import forget_runs

    with connect(work.engine, write=True) as conn:
        in_queue(conn).execute(
            text(
                "DELETE FROM jobs.procrastinate_jobs j WHERE status NOT IN ('todo', 'doing') AND NOT EXISTS "
                "(SELECT FROM jobs.procrastinate_events e WHERE e.job_id = j.id AND e.at > now() - "
                "make_interval(days => CASE WHEN EXISTS (SELECT FROM jobs.progress p WHERE p.job_id = j.id) "
                "THEN :days ELSE 1 END))"
            ),
            {"days": KEEP_DAYS},
        )
        forget_runs(conn, KEEP_DAYS)


TASKS: dict[str, Task] = {
    "import.commit": Task(_commit_upload, resumable=True),
    "harvest.run": Task(_run_harvest, lane="clock", resumable=True),
    "harvest.due": Task(_queue_due_harvests, lane="clock", resumable=True, cron="* * * * *"),
    "jobs.forget": Task(_forget_old_jobs, lane="clock", resumable=True, cron="17 3 * * *"),
}
