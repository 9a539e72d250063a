"""A job as clients read it, wherever it is told."""

from __future__ import annotations

from typing import Any

from gis.jobs.queue import JobStatus

__all__ = ["job_status"]


def job_status(job: JobStatus) -> dict[str, Any]:
    """A job as OGC API Processes has it (18-062r2, 7.12), with what went wrong in both languages."""
    content: dict[str, Any] = {
        "jobID": str(job.id),
        "type": "process",
        "processID": job.process or job.task,
        "status": job.state,
        "message": job.phase,
        "progress": job.progress,
        "done": job.done,
        "total": job.total,
        "created": job.created_at,
        "started": job.started_at,
        "updated": job.updated_at,
        "finished": job.updated_at if job.ended else None,
        "error": job.error,
    }
    return {key: value for key, value in content.items() if value is not None}
