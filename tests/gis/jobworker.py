"""A worker process for tests: works on the tasks below until it is told to end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import create_engine, text

from gis.db import connect
from gis.errors import ImportRefused
from gis.jobs import Task, Work
from gis.jobs.worker import Worker
from gis.settings import MapDefinition, Settings
from layers.district import load_district


def count(work: Work, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Steps of ``every`` seconds up to ``to``."""
    for done in range(payload["to"]):
        work.progress("counting", done, payload["to"])
        time.sleep(payload.get("every", 0.0))
    return {"counted": payload["to"], "attempt": work.attempt}


def refuse(work: Work, payload: Mapping[str, Any]) -> None:
    raise ImportRefused("No such file.", "没有该文件。", remedy_en="Look again.", reason="file_missing")


def crash(work: Work, payload: Mapping[str, Any]) -> None:
    raise ZeroDivisionError


def write(work: Work, payload: Mapping[str, Any]) -> None:
    """One row in one transaction that takes its time; the first attempt never ends by itself."""
    work.progress("writing")
    with connect(work.engine, write=True) as conn:
        conn.execute(text("INSERT INTO written VALUES (:n)"), {"n": payload["n"]})
        conn.execute(text("SELECT pg_sleep(:s)"), {"s": 60 if work.attempt == 0 else 0})


TASKS = {
    "count": Task(count, resumable=True),
    "refuse": Task(refuse),
    "crash": Task(crash),
    "write": Task(write, resumable=True),
    "write.once": Task(write),
    "tick": Task(count, lane="clock"),
}


def make_worker(url: str) -> Worker:
    """A worker with short times."""
    definition = MapDefinition(load_district(), {}, {})
    return Worker(Settings(), definition, create_engine(url), TASKS,
                  heartbeat_s=0.2, stalled_after_s=1.2, patience_s=0.3)  # fmt: skip


if __name__ == "__main__":
    worker = make_worker(sys.argv[1])
    worker.start()
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.join()
