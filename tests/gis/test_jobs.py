"""Jobs run once, tell how far they are, end in words, and survive the death of their worker."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from gis.db import connect
from gis.errors import NotFound
from gis.instep import bring_in_step
from gis.jobs import JobStatus, Work, cancel, enqueue, list_jobs, status
from gis.jobs.schema import driver, in_queue, make_queue
from gis.jobs.worker import Worker
from gis.settings import MapDefinition, Settings
from gis.tasks import TASKS
from layers.district import load_district
from tests.conftest import Databases
from tests.gis.jobworker import make_worker
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def worker(store: Engine) -> Iterator[Worker]:
    """A worker of the store in a thread."""
    worker = make_worker(store.url.render_as_string(hide_password=False))
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def process(store: Engine) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts worker processes."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        url = store.url.render_as_string(hide_password=False)
        started.append(subprocess.Popen([sys.executable, "-m", "tests.gis.jobworker", url], cwd=ROOT))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def until(store: Engine, job: int, *states: str, seconds: float = 15.0) -> JobStatus:
    """The job once it is in one of ``states``."""
    end = time.monotonic() + seconds
    while (found := status(store, job)).state not in states:
        assert time.monotonic() < end, found
        time.sleep(0.03)
    return found


def rows(store: Engine) -> list[int]:
    with connect(store) as conn:
        return list(conn.scalars(text("SELECT n FROM written ORDER BY n")))


def test_a_job_runs_and_keeps_its_result(store: Engine, worker: Worker) -> None:
    job = enqueue(store, "count", {"to": 3})
    found = until(store, job, "successful", "failed")
    assert (found.state, found.result, found.error) == ("successful", {"counted": 3, "attempt": 0}, None)
    assert (found.progress, found.phase, found.task, found.ended) == (100, "counting", "count", True)
    assert found.started_at is not None and found.started_at >= found.created_at


def test_a_job_tells_how_far_it_is(store: Engine, worker: Worker) -> None:
    job = enqueue(store, "count", {"to": 40, "every": 0.1})
    until(store, job, "running")
    seen = set()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        seen.add(status(store, job).progress)
        time.sleep(0.05)
    assert len(seen - {None}) > 2
    assert cancel(store, job)


def test_a_refusal_is_kept_in_words_and_a_fault_says_so(
    store: Engine, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    refused = until(store, enqueue(store, "refuse", {}), "failed")
    assert refused.error == {"code": "file_missing", "en": "No such file.", "zh": "没有该文件。",
                             "remedy_en": "Look again.", "remedy_zh": "Look again."}  # fmt: skip
    assert _told_by_jobs(caplog) == []
    crashed = until(store, enqueue(store, "crash", {}), "failed")
    assert crashed.error is not None and "not foreseen" in crashed.error["en"]
    (told,) = _told_by_jobs(caplog)
    assert told.levelno == logging.ERROR
    assert told.exc_info is not None and told.exc_info[0] is ZeroDivisionError


def _told_by_jobs(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the jobs have logged; threads that an earlier test left in this process may log something else."""
    return [record for record in caplog.records if record.name == "onemap.jobs"]


def test_a_cancelled_job_ends_at_its_next_step(store: Engine, worker: Worker) -> None:
    running = enqueue(store, "count", {"to": 1000, "every": 0.05})
    waiting = enqueue(store, "count", {"to": 1})
    until(store, running, "running")
    assert cancel(store, waiting) and status(store, waiting).state == "dismissed"
    assert cancel(store, running)
    assert until(store, running, "dismissed").result is None
    assert not cancel(store, running)


def test_a_cancelled_job_does_not_wait_for_its_statement(store: Engine, worker: Worker) -> None:
    with connect(store, write=True) as conn:
        conn.execute(text("CREATE TABLE written (n integer)"))
    sleeping = enqueue(store, "write", {"n": 1})  # a minute in the database
    wait_for(lambda: status(store, sleeping).phase == "writing")
    assert cancel(store, sleeping)
    until(store, sleeping, "dismissed", seconds=8)
    assert rows(store) == []


def test_what_the_clock_starts_does_not_hold_up_people(store: Engine, worker: Worker) -> None:
    slow = enqueue(store, "tick", {"to": 1000, "every": 0.05}, lane="clock")
    until(store, slow, "running")
    until(store, enqueue(store, "count", {"to": 1}), "successful")
    cancel(store, slow)


def test_one_piece_of_work_waits_in_the_queue_once(store: Engine) -> None:
    first = enqueue(store, "count", {"to": 1}, queue_key="upload:1")
    assert enqueue(store, "count", {"to": 2}, queue_key="upload:1") == first
    assert enqueue(store, "count", {"to": 2}, queue_key="upload:2") != first
    with connect(store) as conn:
        assert [job.id for job in list_jobs(conn)] == [first + 2, first]  # the refused one took a number
    with pytest.raises(NotFound):
        status(store, first + 100)


def test_jobs_of_a_killed_worker_run_again_where_they_may_and_else_fail_in_words(
    store: Engine, process: Callable[[], subprocess.Popen[bytes]]
) -> None:
    with connect(store, write=True) as conn:
        conn.execute(text("CREATE TABLE written (n integer)"))
    victim = process()
    resumed = enqueue(store, "write", {"n": 1})
    failed = enqueue(store, "write.once", {"n": 2}, lane="clock")
    wait_for(lambda: all(status(store, job).phase == "writing" for job in (resumed, failed)))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert status(store, resumed).state == "running" and rows(store) == []
    worker = make_worker(store.url.render_as_string(hide_password=False))
    worker.start()
    try:
        found, lost = until(store, resumed, "successful", "failed"), until(store, failed, "failed")
    finally:
        worker.stop()
    assert (found.state, found.attempts, rows(store)) == ("successful", 2, [1])
    assert lost.error is not None and "nothing of it was stored" in lost.error["en"]


def test_a_worker_that_is_stopped_breaks_off_and_the_next_goes_on(store: Engine, worker: Worker) -> None:
    with connect(store, write=True) as conn:
        conn.execute(text("CREATE TABLE written (n integer)"))
    job = enqueue(store, "write", {"n": 7})
    wait_for(lambda: status(store, job).phase == "writing")
    begun = time.monotonic()
    worker.stop()
    assert time.monotonic() - begun < 8
    assert (status(store, job).state, rows(store)) == ("accepted", [])
    successor = make_worker(store.url.render_as_string(hide_password=False))
    successor.start()
    try:
        assert until(store, job, "successful").attempts == 2
    finally:
        successor.stop()
    assert rows(store) == [7]


def test_a_worker_outlives_a_restart_of_its_database(store: Engine, worker: Worker) -> None:
    until(store, enqueue(store, "count", {"to": 1}), "successful")
    with connect(store, write=True) as conn:
        conn.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'onemap w%' AND datname = current_database()"
            )
        )
    assert until(store, enqueue(store, "count", {"to": 2}), "successful").result == {
        "counted": 2,
        "attempt": 0,
    }


@pytest.mark.parametrize("worked", [False, True])
def test_a_worker_whose_database_went_away_ends_without_waiting_for_it(
    store: Engine, databases: Databases, worked: bool
) -> None:
    worker = make_worker(store.url.render_as_string(hide_password=False))
    if worked:
        worker.start()
        until(store, enqueue(store, "count", {"to": 1}), "successful")
    _shut(databases, store)
    if not worked:
        worker.start()
        time.sleep(0.3)  # it waits for a connection now
    begun = time.monotonic()
    worker.stop()
    assert time.monotonic() - begun < 8  # a connection is waited for 10 s, by each of what it does


def _shut(databases: Databases, store: Engine) -> None:
    """Nobody is let into the store's database any more, and who is in it has to go."""
    server = create_engine(databases.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    name = store.url.database
    with server.connect() as conn:
        conn.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        conn.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": name},
        )


def test_a_store_without_a_queue_gets_one(store: Engine, small_map: MapDefinition) -> None:
    bring_in_step(store, small_map)
    with connect(store, write=True) as conn:
        conn.execute(text("DROP SCHEMA jobs CASCADE"))
    bring_in_step(store, small_map)
    assert status(store, enqueue(store, "count", {"to": 1})).state == "accepted"


def test_an_older_queue_is_brought_up_to_date(store: Engine) -> None:
    """A queue made by the migrations of an older version gets those that came since, and works."""
    folder = resources.files("procrastinate.sql") / "migrations"
    steps = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    with connect(store, write=True) as conn:
        conn.execute(text("DROP SCHEMA jobs CASCADE; CREATE SCHEMA jobs"))
        conn.execute(text("UPDATE core.store SET value = :v WHERE key = 'jobs-schema'"), {"v": steps[4]})
    for name in steps[:5]:
        with connect(store, write=True) as conn:
            driver(in_queue(conn)).execute((folder / name).read_bytes())
    with connect(store, write=True) as conn:
        assert make_queue(conn) != [] and make_queue(conn) == []
    assert status(store, enqueue(store, "count", {"to": 1})).state == "accepted"


def test_jobs_that_ended_long_ago_are_forgotten(store: Engine, worker: Worker) -> None:
    old, new = (enqueue(store, "count", {"to": 1}) for _ in range(2))
    until(store, old, "successful")
    until(store, new, "successful")
    with connect(store, write=True) as conn:
        aged = text("UPDATE jobs.procrastinate_events SET at = at - interval '91 days' WHERE job_id = :id")
        conn.execute(aged, {"id": old})
    TASKS["jobs.forget"].run(Work(store, MapDefinition(load_district(), {}, {}), Settings(), 0), {})
    with connect(store) as conn:
        assert [job.id for job in list_jobs(conn)] == [new]
