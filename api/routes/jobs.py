"""Background jobs: how far each is, and what came of it (OGC API Processes, 7.11 to 7.13)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from pydantic import Field
from starlette.background import BackgroundTask

from api.deps import ConnDep, StateDep, as_json, links_base, self_links, strict_parameters, wants
from api.errors import NoResults, NoSuchJob, failure
from api.identity import Action, needs
from api.routes.processes import with_report_link
from api.writing import own_page
from gis.db import connect
from gis.errors import WrongState
from gis.filters import parse_moments
from gis.jobs import JobState, JobStatus, cancel, find, job_status, list_jobs, remove_job

router = APIRouter(tags=["Jobs"], dependencies=[Depends(needs(Action.OPERATE)), Depends(strict_parameters)])

_FRESH = {"Cache-Control": "no-store"}
RESULTS = "http://www.opengis.net/def/rel/ogc/1.0/results"
JobId = Annotated[int, PathParameter(ge=1, le=2**62)]


@router.get("/jobs", summary="Background jobs")
def get_jobs(
    request: Request,
    conn: ConnDep,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="Only older jobs than this one")] = None,
    type: Annotated[list[Literal["process"]] | None, Query(description="All jobs are of processes")] = None,
    status: Annotated[list[JobState] | None, Query(description="Only jobs in these states")] = None,
    processID: Annotated[
        list[Annotated[str, Field(max_length=100)]] | None,
        Query(max_length=100, description="Only jobs of these processes"),
    ] = None,
    datetime: Annotated[
        str | None, Query(description="Only jobs made then: a time, or an interval such as 2026-01-01/..")
    ] = None,
    minDuration: Annotated[
        list[Annotated[int, Field(ge=0, le=2**31)]] | None,
        Query(max_length=1, description="Only jobs that ran so many seconds, or longer"),
    ] = None,
    maxDuration: Annotated[
        list[Annotated[int, Field(ge=0, le=2**31)]] | None,
        Query(max_length=1, description="Only jobs that ran so many seconds, or shorter"),
    ] = None,
) -> Response:
    """The newest first; ``next`` leads to older ones."""
    base = links_base(request)
    jobs = list_jobs(
        conn, limit=limit + 1, before=before, states=status, processes=processID,
        created=(None, None) if datetime is None else parse_moments(datetime),
        lasted_s=(minDuration[0] if minDuration else None, maxDuration[0] if maxDuration else None),
    )  # fmt: skip
    links = self_links(request)
    if len(jobs) > limit:
        kept = [pair for pair in request.query_params.multi_items() if pair[0] not in ("before", "limit")]
        query = urlencode([("before", jobs[limit - 1].id), ("limit", limit), *kept])
        links.append({"rel": "next", "type": "application/json", "href": f"{base}/jobs?{query}"})
    return as_json({"jobs": [_entry(job, base) for job in jobs[:limit]], "links": links}, headers=_FRESH)


@router.get("/jobs/{job_id}", summary="How far a job is")
def get_job(request: Request, conn: ConnDep, job_id: JobId) -> Response:
    """Its state, progress and phase; what went wrong in both languages."""
    return as_json(_entry(_found(conn, job_id), links_base(request)), headers=_FRESH)


@router.delete(
    "/jobs/{job_id}",
    summary="Dismiss a job",
    dependencies=[Depends(own_page)],
)
def delete_job(request: Request, state: StateDep, job_id: JobId) -> Response:
    """Takes a waiting job out of the queue and stops a running one; of one that has ended, the results go."""
    with connect(state.engine) as conn:
        job = _found(conn, job_id)
    if not cancel(state.engine, job_id):
        if job.process is None:
            raise WrongState(
                f"Job {job_id} has ended: it is {job.state}.",
                f"任务 {job_id} 已结束：状态为 {job.state}。",
            )
        remove_job(state.engine, job_id)
    told = job_status(job) | {"status": "dismissed"}
    link = {"rel": "up", "type": "application/json", "href": f"{links_base(request)}/jobs"}
    return as_json(told | {"links": [link]}, headers=_FRESH)


@router.get("/jobs/{job_id}/results", summary="What came of a job")
def get_results(request: Request, conn: ConnDep, job_id: JobId) -> Response:
    """What its task returned, or the error by which it failed; 404 before it has ended."""
    job = _found(conn, job_id)
    if job.state == "failed" and job.error:
        return failure(request, job.error)
    if job.state != "successful":
        raise NoResults(job_id, job.state)
    result, base = job.result or {}, links_base(request)
    if set(result) == {"answer"}:
        return as_json({"answer": with_report_link(result["answer"], base)}, headers=_FRESH)
    return as_json(with_report_link(result, base), headers=_FRESH)


def _entry(job: JobStatus, base: str) -> dict[str, Any]:
    own = f"{base}/jobs/{job.id}"
    links = [{"rel": "self", "type": "application/json", "href": own}]
    if job.state == "successful":
        links.append({"rel": RESULTS, "type": "application/json", "href": f"{own}/results"})
    return job_status(job) | {"links": links}


@router.get("/jobs/{job_id}/sites", summary="The results of a batch, a row a site")
def get_sites(
    conn: ConnDep,
    state: StateDep,
    job_id: JobId,
    f: Annotated[str, Query(description="csv (without geometry), gpkg or parquet (GeoParquet)")] = "csv",
) -> Response:
    """The table of a screen-batch job once it was successful."""
    from gis.screening.batch import FORMATS, write_as
    from gis.tasks import batch_table

    wants(f, *FORMATS)
    table = batch_table(state.settings, _found(conn, job_id).result or {})
    folder = Path(tempfile.mkdtemp(prefix="onemap-sites-"))
    target = folder / f"sites-{job_id}.{f}"
    write_as(table, target)
    return FileResponse(
        target, filename=target.name, headers=_FRESH, background=BackgroundTask(shutil.rmtree, folder)
    )


def _found(conn: ConnDep, job_id: int) -> JobStatus:
    job = find(conn, job_id)
    if job is None:
        raise NoSuchJob(job_id)
    return job
