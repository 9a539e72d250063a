"""Work that outlives a request: a queue in PostgreSQL, kept by procrastinate, and the worker that empties it.

The queue lies in schema ``jobs`` of the same database. A job is a task's name with a JSON payload; what the
names mean is registered in `gis.tasks`. Job states are not revisions: a backup leaves them out.
"""

from gis.jobs.queue import (
    PROCESS,
    JobState,
    JobStatus,
    cancel,
    count_jobs,
    enqueue,
    find,
    has_worker,
    list_jobs,
    remove_job,
    set_progress,
    status,
)
from gis.jobs.shape import job_status
from gis.jobs.work import Lane, Task, Work, WorkStopped

__all__ = [
    "PROCESS",
    "JobState",
    "JobStatus",
    "Lane",
    "Task",
    "Work",
    "WorkStopped",
    "cancel",
    "count_jobs",
    "enqueue",
    "find",
    "has_worker",
    "job_status",
    "list_jobs",
    "remove_job",
    "set_progress",
    "status",
]
