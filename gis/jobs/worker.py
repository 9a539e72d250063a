"""The worker: takes jobs from the queue, in a thread of the service or as a process of its own.

A worker says every few seconds that it lives. The jobs of one that no longer does are found by any other and
run again where their task may, at most `MAX_ATTEMPTS` times, or else fail in words. Since every task writes
in one transaction, nothing is half done in either case.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any

import psycopg
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision, sql
from procrastinate.exceptions import JobAborted
from procrastinate.jobs import Job
from sqlalchemy import Connection, Engine, func, text, update

from gis.bounds import InUse, in_use, watch
from gis.db import connect, make_engine
from gis.errors import OneMapError
from gis.jobs.queue import enqueue, error_words, finish
from gis.jobs.schema import driver, in_queue, progress_table
from gis.jobs.work import Task, Work, WorkStopped
from gis.locks import Lock, try_to_take
from gis.settings import MapDefinition, Settings

__all__ = ["MAX_ATTEMPTS", "Worker"]

HEARTBEAT_S = 4.0
STALLED_AFTER_S = 20.0
MAX_ATTEMPTS = 3
PATIENCE_S = 10.0
_LOOK_EVERY_S = 1.0  # a notice that arrives while the queue is being looked at is lost
_AGAIN_AFTER_S = 2.0  # after the database went away
# Lane -> how many jobs of it one worker runs at a time. What waits for others does so side by side.
_LANES = {"people": 1, "clock": 1, "post": 4}
_ASK_EVERY_S = 1.0
_LOOK_FOR_STOP_S = 0.3

_log = logging.getLogger("onemap.jobs")

_LOST = OneMapError(
    "The program that did this was ended before it was done; nothing of it was stored.",
    "执行该任务的程序在完成前被终止；未写入任何内容。",
    remedy_en="Start it again.",
    remedy_zh="请重新发起。",
)
_UNEXPECTED = OneMapError(
    "The job failed for a reason that was not foreseen; nothing of it was stored.",
    "任务因未预料的原因失败；未写入任何内容。",
    remedy_en="See the log of the service.",
    remedy_zh="请查看服务日志。",
)


class Worker:
    """Works on the jobs of one map until it is stopped.

    Parameters
    ----------
    engine : Engine
        Names the database; the worker opens connections of its own.
    tasks : mapping
        What the names of jobs stand for: `gis.tasks.TASKS`.
    heartbeat_s, stalled_after_s : float
        How often it says that it lives, and how long after its last word it is taken for dead.
    patience_s : float
        How long running jobs may go on after `stop`.
    head_start_s : float
        Begins so much later, for a service whose first answers shall come at once.
    """

    def __init__(
        self,
        settings: Settings,
        definition: MapDefinition,
        engine: Engine,
        tasks: Mapping[str, Task],
        *,
        heartbeat_s: float = HEARTBEAT_S,
        stalled_after_s: float = STALLED_AFTER_S,
        patience_s: float = PATIENCE_S,
        head_start_s: float = 0.0,
    ) -> None:
        self._name = f"onemap worker {uuid.uuid4().hex[:12]}"
        url = engine.url.update_query_dict({"application_name": self._name})
        self._settings, self._definition, self._tasks = settings, definition, tasks
        self._url = url.render_as_string(hide_password=False)
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._heartbeat_s, self._stalled_after_s = heartbeat_s, stalled_after_s
        self._patience_s, self._head_start_s = patience_s, head_start_s
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin in a thread; returns at once."""
        self._thread = threading.Thread(target=self.run, name="onemap worker")
        self._thread.start()

    def run(self) -> None:
        """Work in this thread until `stop` is called from another."""
        if self._stopped.wait(self._head_start_s):
            return
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # failures are kept in words
        self._engine = make_engine(
            self._settings.model_copy(update={"database_url": self._url}), pool_size=4, pool_timeout_s=10
        )
        watch(self._engine, "jobs", lambda _pool, _change: None)
        try:
            asyncio.run(self._main())
        finally:
            self._engine.dispose()

    def join(self) -> None:
        """Wait until it has ended."""
        assert self._thread is not None
        while self._thread.is_alive():  # in turns, so that signals are seen
            self._thread.join(0.5)

    def stop(self) -> None:
        """End: take no more jobs, let running ones finish for ``patience_s``, then break them off.

        What is broken off has stored nothing and is run again by the next worker where its task may.
        """
        self._stopped.set()
        with contextlib.suppress(RuntimeError):  # its loop has ended already
            if self._loop is not None and self._stop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is None:
            return
        self._thread.join(self._patience_s + 1)
        while self._thread.is_alive():
            self._cut()
            self._thread.join(2)

    def _cut(self) -> None:
        """End the statements that running jobs wait for."""
        assert self._engine is not None
        with contextlib.suppress(OneMapError), connect(self._engine, write=True) as conn:
            conn.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = :name AND pid <> pg_backend_pid()"
                ),
                {"name": self._name},
            )

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        while not self._stopped.is_set():
            try:
                await self._session()
            except Exception:
                if not self._stopped.is_set():
                    _log.exception("the worker lost its database; it tries again")
            if not self._stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), _AGAIN_AFTER_S)

    async def _session(self) -> None:
        """Work until told to stop, or until the database goes away."""
        assert self._stop is not None
        connector = PsycopgConnector(
            conninfo=self._conninfo, min_size=1, max_size=6, timeout=10.0,
            kwargs={"options": "-c search_path=jobs,public"},
        )  # fmt: skip
        app = App(connector=connector)
        self._register(app)
        async with contextlib.AsyncExitStack() as stack:
            if not await self._unless_stopped(stack.enter_async_context(app.open_async())):
                return
            lanes = [asyncio.create_task(self._work(app, lane)) for lane in _LANES]
            beside = [
                asyncio.create_task(self._rescue_now_and_then()),
                asyncio.create_task(self._queue_what_is_due()),
                asyncio.create_task(self._stop.wait()),
            ]
            await asyncio.wait([*lanes, *beside], return_when=asyncio.FIRST_COMPLETED)
            ended = await self._ended([*lanes, *beside])
        for task in ended:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _ended(self, tasks: list[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
        """End ``tasks``: they finish what runs, and tell the database, unless it is no longer there."""
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=_LOOK_EVERY_S)
            while pending and await self._reachable():
                _, pending = await asyncio.wait(pending, timeout=_LOOK_EVERY_S)
        return tasks

    async def _reachable(self) -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(self._conninfo, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, object]) -> bool:
        """Whether ``waiting`` came to its end. Told to stop, that is broken off: it may never come."""
        assert self._stop is not None
        task, stop = asyncio.create_task(waiting), asyncio.create_task(self._stop.wait())
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        return False

    async def _work(self, app: App, lane: str) -> None:
        # Cancelled, it takes no more jobs and waits for the running one.
        await app.run_worker_async(
            queues=[lane], name=lane, concurrency=_LANES[lane], install_signal_handlers=False,
            shutdown_graceful_timeout=self._patience_s, update_heartbeat_interval=self._heartbeat_s,
            stalled_worker_timeout=self._stalled_after_s,
            fetch_job_polling_interval=_LOOK_EVERY_S,
        )  # fmt: skip

    def _register(self, app: App) -> None:
        for name, task in self._tasks.items():
            registered = app.task(
                name=name, queue=task.lane, pass_context=True, retry=_again(task),
                queueing_lock=name if task.cron else None, lock=name if task.cron else None,
            )(partial(self._perform, task))  # fmt: skip
            if task.cron:
                app.periodic(cron=task.cron)(registered)

    def _perform(self, task: Task, context: JobContext, **payload: Any) -> None:
        """Run one job in a thread of its own and keep what came of it."""
        assert self._engine is not None and context.job.id is not None
        job_id = context.job.id
        work = Work(
            self._engine, self._definition, self._settings, job_id, context.job.attempts,
            lambda: bool(context.should_abort()),
        )  # fmt: skip
        p = progress_table
        with connect(self._engine, write=True) as conn:
            begun = update(p).where(p.c.job_id == job_id)
            conn.execute(begun.values(started_at=func.clock_timestamp(), error=None, phase="", done=0))
        try:
            with _ended_when(work.stopping):
                result = task.run(work, payload)
        except WorkStopped as stopped:
            raise JobAborted from stopped
        except Exception as error:
            if context.should_abort():
                raise JobAborted from error
            if not isinstance(error, OneMapError):
                _log.exception("job %s (%s) failed", job_id, context.job.task_name)
            words = error_words(error if isinstance(error, OneMapError) else _UNEXPECTED)
            with connect(self._engine, write=True) as conn:
                finish(conn, job_id, error=words)
            raise
        with connect(self._engine, write=True) as conn:
            finish(conn, job_id, result=result)

    async def _queue_what_is_due(self) -> None:
        while True:
            await asyncio.to_thread(self._ask_what_is_due)
            await asyncio.sleep(_ASK_EVERY_S)

    def _ask_what_is_due(self) -> None:
        assert self._engine is not None
        for name, task in self._tasks.items():
            if task.due is None:
                continue
            with connect(self._engine) as conn:
                found = list(task.due(conn))
            for payload, key in found:
                enqueue(self._engine, name, payload, queue_key=key, lane=task.lane, listed=False)

    async def _rescue_now_and_then(self) -> None:
        while True:
            await asyncio.to_thread(self._rescue)
            await asyncio.sleep(self._stalled_after_s / 2)

    def _rescue(self) -> None:
        """Queue the jobs of dead workers again, or let them fail in words."""
        assert self._engine is not None
        with connect(self._engine, write=True) as conn:
            if not try_to_take(conn, Lock.RESCUE):
                return
            raw = driver(in_queue(conn))
            given = {
                "queue": None,
                "queue_name": None,
                "task_name": None,
                "seconds_since_heartbeat": self._stalled_after_s,
            }
            stalled = raw.execute(sql.queries["select_stalled_jobs_by_heartbeat"], given).fetchall()
            unwanted = {row[0] for row in raw.execute(sql.queries["list_jobs_to_abort"], given)}
            for job_id, _status, name, *_rest, attempts, _worker in stalled:
                task = self._tasks.get(str(name))
                may = task is not None and task.resumable and int(str(attempts)) + 1 < MAX_ATTEMPTS
                if job_id not in unwanted and may and _queue_again(conn, int(str(job_id))):
                    continue
                finish(conn, int(str(job_id)), error=error_words(_LOST))
                end = "aborted" if job_id in unwanted else "failed"
                raw.execute(sql.queries["finish_job"], {"job_id": job_id, "status": end, "delete_job": False})


@contextlib.contextmanager
def _ended_when(stopping: Callable[[], bool]) -> Iterator[None]:
    """End the statements of this thread's job once it shall stop: none may outlast a dismissal."""
    mine, over = InUse(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_FOR_STOP_S):
            if stopping():
                mine.cancel()

    token = in_use.set(mine)
    looking = threading.Thread(target=look, name="onemap job ender", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
        in_use.reset(token)


def _queue_again(conn: Connection, job_id: int) -> bool:
    """Put a job back into the queue; False when the same work waits there already."""
    given = {
        "job_id": job_id,
        "retry_at": None,
        "new_priority": None,
        "new_queue_name": None,
        "new_lock": None,
    }
    try:
        with conn.begin_nested():
            driver(conn).execute(sql.queries["retry_job"], given)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def _again(task: Task) -> Any:
    """Queue a job again that was broken off because its worker was told to stop, if its task may."""

    class WhenBrokenOff(BaseRetryStrategy):
        def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
            if isinstance(exception, JobAborted) and task.resumable:
                return RetryDecision(retry_in={"seconds": 0})
            return None

    return WhenBrokenOff()
