"""Callbacks of jobs (OGC API Processes 18-062r2, clause 13): whoever asked is told how a job goes.

The address is a client's own, so it is guarded as that of a webhook is: `Sender` looks at it when the job is
asked for and again at each sending. What is to be told is a row beside the job, made in the transaction that
queues it; it goes when the receiver has it or it is given up, or with the job.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, delete, select, text, update

from gis.db import connect
from gis.jobs import JobStatus, find, job_status
from gis.jobs.schema import callbacks_table
from gis.webhooks.delivery import GONE, Patience
from gis.webhooks.sending import Sender

__all__ = ["CALLBACKS", "callbacks_due", "tell_callback"]

CALLBACKS: Mapping[str, str] = MappingProxyType(
    {"inProgressUri": "doing", "successUri": "succeeded", "failedUri": "failed"}
)
"""What a client calls its addresses -> the status of the queue that each is told of."""
_MEDIA_TYPE = "application/json"

_log = logging.getLogger("onemap.jobs")


def callbacks_due(conn: Connection) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Payload and key of the callbacks that can be told now."""
    rows = conn.execute(
        text(
            "SELECT c.job_id, c.status FROM jobs.callbacks c "
            "JOIN jobs.procrastinate_jobs j ON j.id = c.job_id AND j.status::text = c.status "
            "WHERE c.next_at <= clock_timestamp() ORDER BY c.job_id LIMIT 100"
        )
    )
    for job, status in rows:
        yield {"job": job, "status": status}, f"callback:{job}:{status}"


def tell_callback(
    engine: Engine, job_id: int, status: str, sender: Sender, patience: Patience | None = None
) -> bool:
    """Tell one callback; whether its receiver took it. One that is no longer to be told is none.

    A receiver that does not take it is asked again as ``patience`` has it. One that answers 410, and one that
    patience gave up, is not told any more.
    """
    patience, c = patience or Patience(), callbacks_table
    is_it = (c.c.job_id == job_id) & (c.c.status == status)
    with connect(engine) as conn:
        row = conn.execute(select(c.c.uri, c.c.attempts).where(is_it)).one_or_none()
        job = find(conn, job_id)
    if row is None or job is None:
        return False
    reply = sender.send(row.uri, None, f"job-{job_id}-{status}", _MEDIA_TYPE, orjson.dumps(_told(job)))
    failures = row.attempts + 1
    over = reply.taken or reply.status == GONE or failures >= patience.attempts
    if over and not reply.taken:
        _log.warning("the callback of job %s (%s) was given up: %s", job_id, status, reply.words)
    again = datetime.now(UTC) + timedelta(seconds=patience.wait_s(failures, reply.retry_after_s))
    later = update(c).where(is_it).values(attempts=failures, next_at=again)
    with connect(engine, write=True) as conn:
        conn.execute(delete(c).where(is_it) if over else later)
    return reply.taken


def _told(job: JobStatus) -> dict[str, Any]:
    """What came of a job, by what error it failed, or how far it is."""
    if job.state == "successful":
        return job.result or {}
    if job.state == "failed" and job.error:
        error = job.error
        return {
            "type": f"urn:onemap:problem:{error['code']}", "title": error["en"], "detail": error["en"],
            "detail_en": error["en"], "detail_zh": error["zh"],
            "remedy_en": error["remedy_en"], "remedy_zh": error["remedy_zh"],
        }  # fmt: skip
    return job_status(job)
