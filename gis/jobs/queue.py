"""Jobs from outside: queue one, look how far it is, cancel it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Connection, Engine, func, insert, text, update

from gis.db import connect, scope_of
from gis.errors import NotFound, OneMapError
from gis.jobs.schema import callbacks_table, driver, in_queue, progress_table

__all__ = [
    "PROCESS",
    "JobState",
    "JobStatus",
    "cancel",
    "count_jobs",
    "enqueue",
    "error_words",
    "find",
    "finish",
    "has_worker",
    "list_jobs",
    "remove_job",
    "set_progress",
    "status",
]

# The words of OGC API Processes.
JobState = Literal["accepted", "running", "successful", "failed", "dismissed"]
_STATES: dict[str, JobState] = {
    "todo": "accepted",
    "doing": "running",
    "succeeded": "successful",
    "failed": "failed",
    "cancelled": "dismissed",
    "aborting": "dismissed",
    "aborted": "dismissed",
}


@dataclass(frozen=True)
class JobStatus:
    """How far a job is.

    Attributes
    ----------
    progress : int or None
        Percent; None where the amount of work is not known.
    result : mapping or None
        What the task returned, once the job was successful.
    error : mapping or None
        code, en, zh, remedy_en, remedy_zh, once it failed.
    process : str or None
        The process that it runs for a client.
    stopping : bool
        It was cancelled and has not ended yet.
    """

    id: int
    task: str
    state: JobState
    phase: str
    done: int
    total: int | None
    progress: int | None
    result: dict[str, Any] | None
    error: dict[str, str] | None
    attempts: int
    stopping: bool
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    process: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("successful", "failed", "dismissed")


def enqueue(
    engine: Engine,
    task: str,
    payload: Mapping[str, Any],
    *,
    queue_key: str | None = None,
    lane: str | None = None,
    listed: bool = True,
    callbacks: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Queue a job of ``task`` (see `gis.tasks`) and return its number; it begins when a worker is free.

    Parameters
    ----------
    payload : mapping
        JSON; paths, not contents.
    queue_key : str, optional
        Names this very piece of work, such as one upload or one harvest: while a job with the key waits, no
        second one is queued (its number comes back), and two with one key never run at the same time. Two
        different uploads into one layer need two keys.
    lane : str, optional
        "clock" or "post" for work nobody waits for; by default that of people.
    listed : bool
        False: it is not listed and keeps neither progress nor result.
    callbacks : mapping
        Status of the queue ("doing", "succeeded", "failed") -> who is told of it (`gis.webhooks.callbacks`).
    """
    # Of the package itself: threads that come in by different modules of it would wait for each other.
    from procrastinate import SyncPsycopgConnector, exceptions, jobs, manager

    job = jobs.Job(
        id=None, queue=lane or "people", lock=queue_key, queueing_lock=queue_key,
        task_name=task, task_kwargs=dict(payload),
    )  # fmt: skip
    for _ in range(5):  # the waiting job may begin between the refusal and the look for it
        try:
            with connect(engine, write=True) as conn:
                queued = manager.JobManager(SyncPsycopgConnector()).defer_job(
                    job, connection=driver(in_queue(conn))
                )
                if listed:
                    owner = scope_of(engine)
                    digest = None if owner is None else owner.digest
                    conn.execute(insert(progress_table).values(job_id=queued.id, scope=digest))
                told = [{"job_id": queued.id, "status": key, "uri": uri} for key, uri in callbacks.items()]
                if told:
                    conn.execute(insert(callbacks_table), told)
            assert queued.id is not None
            return queued.id
        except exceptions.AlreadyEnqueued:
            with connect(engine) as conn:
                waiting = conn.scalar(
                    text(
                        "SELECT id FROM jobs.procrastinate_jobs "
                        "WHERE queueing_lock = :key AND status = 'todo'"
                    ),
                    {"key": queue_key},
                )
            if waiting is not None:
                return int(waiting)
    raise AssertionError(f"a job with the key {queue_key} begins again and again")


PROCESS = "process."
"""What the names of tasks begin with that run a process for a client, before the name of the process."""

_PROCESS = (
    "CASE WHEN j.task_name = 'screen.batch' THEN 'screen-batch' "
    f"WHEN starts_with(j.task_name, '{PROCESS}') THEN substr(j.task_name, {len(PROCESS) + 1}) END"
)
_LASTED = (
    "extract(epoch FROM CASE WHEN j.status IN ('todo', 'doing') THEN clock_timestamp() "
    "ELSE p.updated_at END - p.started_at)"
)
_SELECT = (
    "SELECT j.id, j.task_name, j.status::text, j.attempts, j.abort_requested, p.phase, p.done, p.total, "
    "p.result, p.error, p.started_at, coalesce(p.created_at, now()) AS created_at, "
    "coalesce(p.updated_at, now()) AS updated_at, "
    f"{_PROCESS} AS process "
    "FROM jobs.procrastinate_jobs j LEFT JOIN jobs.progress p ON p.job_id = j.id "
)


def find(conn: Connection, job_id: int) -> JobStatus | None:
    """The state of a job; None when there is no such job."""
    row = conn.execute(text(f"{_SELECT} WHERE j.id = :id"), {"id": job_id}).one_or_none()
    return None if row is None else _status(row)


def status(engine: Engine, job_id: int) -> JobStatus:
    """The state of a job; NotFound when there is no such job."""
    with connect(engine) as conn:
        found = find(conn, job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id}.", f"没有任务 {job_id}。")
    return found


def list_jobs(
    conn: Connection,
    *,
    task: str | None = None,
    limit: int = 100,
    before: int | None = None,
    states: Sequence[JobState] | None = None,
    processes: Sequence[str] | None = None,
    created: tuple[datetime | None, datetime | None] = (None, None),
    lasted_s: tuple[float | None, float | None] = (None, None),
) -> list[JobStatus]:
    """The newest jobs first, at most ``limit``; the clock's own ticks are left out.

    Parameters
    ----------
    before : int, optional
        Only jobs with smaller numbers: the next page after the one that ends with it.
    states, processes : sequence of str, optional
        Only jobs in one of these states, and that run one of these processes (or tasks).
    created : (datetime or None, datetime or None)
        Only jobs queued between these moments, both included; None is open.
    lasted_s : (float or None, float or None)
        Only jobs that ran (or run until now) at least and at most so many seconds; with a bound, jobs that
        never began are left out.
    """
    kept = None if states is None else [raw for raw, state in _STATES.items() if state in states]
    rows = conn.execute(
        text(
            f"{_SELECT} WHERE p.job_id IS NOT NULL AND (CAST(:task AS text) IS NULL OR j.task_name = :task) "
            "AND (CAST(:before AS bigint) IS NULL OR j.id < :before) "
            "AND (CAST(:states AS text[]) IS NULL OR j.status::text = ANY(:states)) "
            f"AND (CAST(:names AS text[]) IS NULL OR coalesce({_PROCESS}, j.task_name) = ANY(:names)) "
            "AND (CAST(:since AS timestamptz) IS NULL OR p.created_at >= :since) "
            "AND (CAST(:until AS timestamptz) IS NULL OR p.created_at <= :until) "
            f"AND (CAST(:least AS float8) IS NULL OR {_LASTED} >= :least) "
            f"AND (CAST(:most AS float8) IS NULL OR {_LASTED} <= :most) "
            "ORDER BY j.id DESC LIMIT :limit"
        ),
        {"task": task, "limit": limit, "before": before, "states": kept,
         "names": None if processes is None else list(processes), "since": created[0], "until": created[1],
         "least": lasted_s[0], "most": lasted_s[1]},
    )  # fmt: skip
    return [_status(row) for row in rows]


def remove_job(engine: Engine, job_id: int) -> None:
    """Forget a job that has ended, and its results."""
    with connect(engine, write=True) as conn:
        in_queue(conn).execute(
            text("DELETE FROM jobs.procrastinate_jobs WHERE id = :id AND status NOT IN ('todo', 'doing')"),
            {"id": job_id},
        )


def count_jobs(conn: Connection) -> dict[str, int]:
    """How many jobs are in each state; those of the clock too."""
    rows = conn.execute(text("SELECT status::text, count(*) FROM jobs.procrastinate_jobs GROUP BY 1"))
    counted = dict.fromkeys(_STATES.values(), 0)
    for status, number in rows:
        counted[_STATES[status]] += number
    return {str(state): number for state, number in counted.items()}


def _status(row: Any) -> JobStatus:
    percent = None if not row.total else min(100, round(100 * row.done / row.total))
    state = _STATES[row.status]
    return JobStatus(
        row.id, row.task_name, state, row.phase or "", row.done or 0, row.total,
        100 if state == "successful" else percent, row.result, row.error, row.attempts,
        row.abort_requested and state == "running", row.created_at, row.started_at, row.updated_at,
        row.process,
    )  # fmt: skip


def cancel(engine: Engine, job_id: int) -> bool:
    """Take a job out of the queue, or tell a running one to stop at its next step; False when it has ended.

    A job that stops leaves nothing half done; one that is past its last step ends as if not cancelled.
    """
    from procrastinate import sql

    given = {"job_id": job_id, "abort": True, "delete_job": False}
    with connect(engine, write=True) as conn:
        row = driver(in_queue(conn)).execute(sql.queries["cancel_job"], given).fetchone()
    return row is not None and row[0] is not None


def has_worker(engine: Engine, within_s: float = 30.0) -> bool:
    """Whether a worker has said within ``within_s`` seconds that it lives; else a job would only wait."""
    alive = text(
        "SELECT EXISTS (SELECT FROM jobs.procrastinate_workers "
        "WHERE last_heartbeat > now() - make_interval(secs => :within))"
    )
    with connect(engine) as conn:
        made = conn.scalar(text("SELECT to_regclass('jobs.procrastinate_workers') IS NOT NULL"))
        return bool(made and conn.scalar(alive, {"within": within_s}))


def set_progress(engine: Engine, job_id: int, phase: str, done: int = 0, total: int | None = None) -> None:
    """Write how far a job is: ``done`` of ``total`` (None: not known) in ``phase``."""
    p = progress_table
    with connect(engine, write=True) as conn:
        conn.execute(
            update(p)
            .where(p.c.job_id == job_id)
            .values(phase=phase, done=done, total=total, updated_at=func.clock_timestamp())
        )


def finish(
    conn: Connection,
    job_id: int,
    *,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, str] | None = None,
) -> None:
    """Write what came of a job."""
    p = progress_table
    values = {"result": result, "error": error, "updated_at": func.clock_timestamp()}
    conn.execute(update(p).where(p.c.job_id == job_id).values(values))


def error_words(error: OneMapError) -> dict[str, str]:
    """An error as a job keeps it."""
    return {
        "code": getattr(error, "reason", error.code), "en": error.en, "zh": error.zh,
        "remedy_en": error.remedy_en, "remedy_zh": error.remedy_zh,
    }  # fmt: skip
