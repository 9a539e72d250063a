"""What the names of background jobs stand for."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, text

from gis.access import Role, Scope
from gis.answers import forget_answers
from gis.db import connect, scope_of, scoped
from gis.errors import NotFound
from gis.intake import DRAWING, JUDGING, draw_again
from gis.jobs import PROCESS, Task, Work, enqueue
from gis.jobs.schema import in_queue
from gis.settings import Settings

__all__ = ["TASKS", "batch_table", "queue_batch", "queue_harvest", "queue_process"]

KEEP_DAYS = 90


def queue_harvest(engine: Engine, name: str) -> int:
    """Queue a run of harvest ``name``, once; the number of its job."""
    return enqueue(engine, "harvest.run", {"name": name}, queue_key=f"harvest:{name}", lane="clock")


def _judge(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Judge what changes of data, rules or the day have made due."""
    from gis.screening.conflicts import refresh

    if work.definition.derived("conflicts") is None:
        return {}
    done = refresh(work.engine, work.definition, progress=work.progress, threads=work.settings.threads)
    draw_again(work.engine, work.definition)
    change = done.change
    return {"revision": change.rev, "judged_revision": done.judged_rev, "subjects": done.subjects,
            "added": change.added, "changed": change.changed, "closed": change.closed}  # fmt: skip


def _draw(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Prepare tiles and items of all layers that have changed."""
    from gis.features import prepare_items
    from gis.tiles import prepare_tiles

    done = prepare_tiles(work.engine, work.definition, progress=work.progress, threads=work.settings.threads)
    texts = prepare_items(work.engine, work.definition, progress=work.progress)
    return {"shapes": done.shapes, "rows": done.rows, "items": texts.rows}


def _run_harvest(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    from gis.accounts.audit import Event, Origin, record_now
    from gis.accounts.caller import clock
    from gis.harvest import NetLimits, run_harvest

    limits = NetLimits(total_mb=work.settings.harvest_max_mb)
    done = run_harvest(work.engine, work.definition, payload["name"], limits=limits, progress=work.progress)
    if done.changed:
        record_now(
            work.engine,
            Origin(clock()),
            Event("harvest", done.name, detail={"changed": True, "rev": done.rev}),
        )
    return {"layer": done.layer, "changed": done.changed, "fetched": done.fetched, "revision": done.rev}


def _commit_upload(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    from gis.uploads import Uploads, Workshop

    settings = work.settings
    uploads = Uploads(settings.home / "uploads", settings.keep_uploads_h)
    shop = Workshop(uploads, work.engine, work.definition, keep_originals=settings.keep_originals)
    return shop.commit_job(payload["upload"], work.progress)


def queue_batch(
    engine: Engine,
    settings: Settings,
    sites: bytes,
    asked: Mapping[str, Any],
    callbacks: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Queue the screening of ``sites`` (GeoJSON); ``asked`` as `BatchOrder` has it. The number of the job.

    ``callbacks`` as `queue_process` has them.
    """
    name = uuid.uuid4().hex
    folder = settings.home / "batches" / name
    folder.mkdir(parents=True)
    (folder / "sites.geojson").write_bytes(sites)
    payload = {**asked, "batch": name, "file": "sites.geojson", "scope": _told(scope_of(engine))}
    return enqueue(engine, "screen.batch", payload, queue_key=f"batch:{name}", callbacks=callbacks)


def _told(scope: Scope | None) -> dict[str, Any] | None:
    """A scope as a job keeps it, so that its work is done for whoever asked for it."""
    return None if scope is None else asdict(scope)


def _scope(told: Mapping[str, Any] | None) -> Scope | None:
    if told is None:
        return None
    areas = told["areas"]
    return Scope(
        Role(told["role"]), None if areas is None else tuple(areas), told["department"], told["account"]
    )


def batch_table(settings: Settings, result: Mapping[str, Any]) -> Path:
    """The table of a batch by the result of its job; NotFound once it was removed."""
    found = settings.home / "batches" / str(result.get("batch", "")) / "results.parquet"
    if not result.get("batch") or not found.exists():
        raise NotFound(
            "The job has no table of results, or it was removed.", "该任务没有结果表，或已被清除。"
        )
    return found


def _screen_batch(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    from gis.importing.reading import limits_of
    from gis.screening.batch import BatchOrder, screen_batch

    folder = work.settings.home / "batches" / payload["batch"]
    day = payload.get("law_date")
    order = BatchOrder(
        folder / payload["file"], kind=payload.get("kind", "new"), crs=payload.get("crs"),
        columns=payload.get("columns") or {}, label=payload.get("label"),
        accuracy_m=payload.get("accuracy_m"), law_date=None if day is None else date.fromisoformat(day),
        as_of=payload.get("as_of"),
    )  # fmt: skip
    found = screen_batch(
        scoped(work.engine, _scope(payload.get("scope"))), work.definition, order, folder,
        progress=work.progress,
        limits=limits_of(work.settings), threads=work.settings.threads,
    )  # fmt: skip
    return {**found.summary, "batch": payload["batch"]}


def _deliver(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell one subscriber what is new."""
    from gis.webhooks import Sender, deliver

    done = deliver(
        work.engine, work.definition, payload["subscription"], Sender(work.settings.webhook_hosts),
        public_url=work.settings.public_url, told=lambda: work.progress("telling"),
    )  # fmt: skip
    return {"taken": done.taken, "given_up": done.given_up}


def queue_process(
    engine: Engine,
    process: str,
    inputs: Mapping[str, Any],
    response: str,
    callbacks: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Queue a run of a process for whom ``engine`` reads.

    ``inputs`` are as checked; ``response`` "document" keeps the answer under the name of the output;
    ``callbacks`` say who is told of which status (`gis.webhooks.CALLBACKS`).
    """
    payload = {"inputs": dict(inputs), "response": response, "scope": _told(scope_of(engine))}
    return enqueue(engine, f"{PROCESS}{process}", payload, callbacks=callbacks)


def _run_process(process: str, work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    from gis.processing import Place, run

    scope = _scope(payload["scope"])
    definition = work.definition if scope is None else work.definition.seen_by(scope.role)
    engine = scoped(work.engine, scope)
    place = Place(engine, definition, work.settings, waited_for=False, progress=work.progress)
    answer = run(place, process, payload["inputs"])
    return {"answer": answer} if payload["response"] == "document" else answer


def _tell_callback(work: Work, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell a client of its job."""
    from gis.webhooks import Sender, tell_callback

    sender = Sender(work.settings.webhook_hosts)
    return {"taken": tell_callback(work.engine, payload["job"], payload["status"], sender)}


def _due_callbacks(conn: Connection) -> Iterator[tuple[Mapping[str, Any], str]]:
    from gis.webhooks import callbacks_due

    yield from callbacks_due(conn)


def _due_subscriptions(conn: Connection) -> Iterator[tuple[Mapping[str, Any], str]]:
    from gis.webhooks import due

    for number in due(conn):
        yield {"subscription": number}, f"webhook:{number}"


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
        forget_answers(conn)
    _forget_batches(work.settings.home / "batches")


def _forget_batches(folder: Path) -> None:
    """Remove the sites and results of batches that nobody touched for as long as jobs are kept."""
    for each in folder.iterdir() if folder.is_dir() else ():
        if time.time() - each.stat().st_mtime > KEEP_DAYS * 86_400:
            shutil.rmtree(each)


TASKS: dict[str, Task] = {
    **{
        f"{PROCESS}{name}": Task(partial(_run_process, name), resumable=True)
        for name in ("buffer", "nearest", "overlay", "screen", "upstream")
    },
    "import.commit": Task(_commit_upload, resumable=True),
    "screen.batch": Task(_screen_batch, resumable=True),
    "harvest.run": Task(_run_harvest, lane="clock", resumable=True),
    "harvest.due": Task(_queue_due_harvests, lane="clock", resumable=True, cron="* * * * *"),
    DRAWING: Task(_draw, lane="clock", resumable=True),
    JUDGING: Task(_judge, lane="clock", resumable=True),
    # The law date is the day in UTC: what begins or ends with a day is judged as soon as the day has begun.
    "conflicts.due": Task(_judge, lane="clock", resumable=True, cron="2 0 * * *"),
    "webhooks.deliver": Task(_deliver, lane="post", resumable=True, due=_due_subscriptions),
    "jobs.tell": Task(_tell_callback, lane="post", resumable=True, due=_due_callbacks),
    "jobs.forget": Task(_forget_old_jobs, lane="clock", resumable=True, cron="17 3 * * *"),
}
