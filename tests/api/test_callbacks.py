"""Callbacks of jobs, to a real receiver: what came of a job, that it runs, and where none may be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from gis.db import connect
from gis.jobs import enqueue, remove_job
from gis.jobs.schema import in_queue
from gis.jobs.worker import Worker
from gis.tasks import TASKS
from gis.webhooks import Patience, Sender, SendLimits, callbacks_due, tell_callback
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape
from tests.api.test_processing import SQUARE
from tests.gis.receiver import Receiver, receiving

AS_JOB = {"Prefer": "respond-async"}
LOCAL = Sender(["127.0.0.0/8"], SendLimits(idle_s=0.4, total_s=0.8))
BUFFER: dict[str, Any] = {"inputs": {"site": SQUARE, "distance_m": 5}, "response": "document"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def due(small: SmallMap) -> list[dict[str, Any]]:
    with connect(small.engine) as conn:
        return [dict(payload) for payload, _ in callbacks_due(conn)]


def become(small: SmallMap, job: int, *statuses: str) -> None:
    """As a worker would have it."""
    for status in statuses:
        with connect(small.engine, write=True) as conn:
            in_queue(conn).execute(
                text("UPDATE procrastinate_jobs SET status = :status WHERE id = :id"),
                {"status": status, "id": job},
            )


def kept(small: SmallMap) -> list[tuple[str, int]]:
    with connect(small.engine) as conn:
        rows = conn.execute(text("SELECT status, attempts FROM jobs.callbacks ORDER BY status"))
        return [(row.status, row.attempts) for row in rows]


def test_who_asked_is_told_what_came_of_a_job(own_map: SmallMap, receiver: Receiver, tmp_path: Path) -> None:
    allowed = {"home": tmp_path, "webhook_hosts": ("127.0.0.0/8",)}
    client = client_of(own_map.app(**allowed))
    told = {"successUri": f"{receiver.url}?done", "failedUri": f"{receiver.url}?failed"}
    ran = client.post("/processes/buffer/execution", json=BUFFER | {"subscriber": told}, headers=AS_JOB)
    gone = BUFFER | {"inputs": BUFFER["inputs"] | {"distance_m": -99_999}, "subscriber": told}
    broke = client.post("/processes/buffer/execution", json=gone, headers=AS_JOB)
    assert (ran.status_code, broke.status_code) == (201, 201) and due(own_map) == []
    tasks = {name: TASKS[name] for name in ("process.buffer", "jobs.tell")}
    worker = Worker(own_map.settings.model_copy(update=allowed), own_map.definition, own_map.engine, tasks)
    worker.start()
    try:
        receiver.wait(lambda: len(receiver.came) == 2)
    finally:
        worker.stop()
    came = {headers["webhook-id"]: (headers, json.loads(body)) for headers, body in receiver.came}
    headers, results = came[f"job-{ran.json()['jobID']}-succeeded"]
    assert results == client.get(f"/jobs/{ran.json()['jobID']}/results").json() and "answer" in results
    assert headers["content-type"] == "application/json" and "webhook-signature" not in headers
    _, error = came[f"job-{broke.json()['jobID']}-failed"]
    asked = client.get(f"/jobs/{broke.json()['jobID']}/results").json()
    assert {key: asked[key] for key in ("type", "detail_en", "detail_zh")}.items() <= error.items()


def test_who_asked_is_told_that_a_job_runs_again_and_again_or_given_up(
    own_map: SmallMap, receiver: Receiver
) -> None:
    told = dict.fromkeys(("doing", "succeeded"), receiver.url)
    job = enqueue(own_map.engine, "process.buffer", {}, callbacks=told)
    assert due(own_map) == []
    become(own_map, job, "doing")
    assert due(own_map) == [{"job": job, "status": "doing"}]
    receiver.answers = [500, 301, 204]
    tell = own_map.engine, job, "doing", LOCAL, Patience(first_s=0.0)
    assert [tell_callback(*tell) for _ in range(4)] == [False, False, True, False]
    assert len(receiver.came) == 3 and kept(own_map) == [("succeeded", 0)]
    status = json.loads(receiver.came[-1][1])
    assert status.items() >= {"jobID": str(job), "processID": "buffer", "status": "running"}.items()
    receiver.answers = [500, 500]
    given_up = own_map.engine, job, "succeeded", LOCAL, Patience(first_s=0.0, attempts=2)
    assert [tell_callback(*given_up) for _ in range(3)] == [False] * 3 and kept(own_map) == []


def test_a_callback_waits_before_it_is_tried_again_and_goes_with_its_job(
    own_map: SmallMap, receiver: Receiver
) -> None:
    job = enqueue(own_map.engine, "process.buffer", {}, callbacks={"failed": receiver.url})
    become(own_map, job, "doing", "failed")
    receiver.answers = [503]
    assert not tell_callback(own_map.engine, job, "failed", LOCAL)
    assert kept(own_map) == [("failed", 1)] and due(own_map) == []
    remove_job(own_map.engine, job)
    assert kept(own_map) == []


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1/x", "https://127.0.0.1/x", "https://10.0.0.1/x", "http://169.254.169.254/latest",
     "https://[::ffff:127.0.0.1]/x", "https://user:word@1.1.1.1/x", "file:///etc/passwd"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["successUri", "inProgressUri", "failedUri"])
def test_a_callback_goes_nowhere_a_webhook_may_not(service: TestClient, name: str, uri: str) -> None:
    told = {"successUri": "https://1.1.1.1/x", name: uri}
    asked = BUFFER | {"subscriber": told}
    shape(service.post("/processes/buffer/execution", json=asked, headers=AS_JOB), 400)
    batch = {"inputs": {"sites": {"type": "FeatureCollection", "features": []}}, "subscriber": told}
    shape(service.post("/processes/screen-batch/execution", json=batch), 400)


def test_a_run_that_is_no_job_has_no_subscribers(service: TestClient) -> None:
    told = {"subscriber": {"successUri": "https://1.1.1.1/x"}}
    shape(service.post("/processes/buffer/execution", json=BUFFER | told), 400)
    live = {"inputs": {"site": SQUARE, "detail": "live"}} | told
    shape(service.post("/processes/screen/execution", json=live), 400)
    shape(service.post("/processes/buffer/execution", json=BUFFER | {"subscriber": {}}, headers=AS_JOB), 400)
