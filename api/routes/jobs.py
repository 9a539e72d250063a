"""Background jobs: how far each is, and what came of it (OGC API Processes, 7.11 to 7.13)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from api.deps import ConnDep, StateDep, as_json, links_base, strict_parameters, wants
from api.identity import Action, needs
from api.shapes import job_status
from gis.errors import NotFound
from gis.jobs import JobStatus, find, list_jobs

router = APIRouter(tags=["Jobs"], dependencies=[Depends(needs(Action.OPERATE)), Depends(strict_parameters)])

_FRESH = {"Cache-Control": "no-store"}
JobId = Annotated[int, PathParameter(ge=1, le=2**62)]


@router.get("/jobs", summary="Background jobs")
def get_jobs(request: Request, conn: ConnDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """The newest first."""
    base = links_base(request)
    found = [
        job_status(job)
        | {"links": [{"rel": "self", "type": "application/json", "href": f"{base}/jobs/{job.id}"}]}
        for job in list_jobs(conn, limit=limit)
    ]
    link = {"rel": "self", "type": "application/json", "href": f"{base}/jobs"}
    return as_json({"jobs": found, "links": [link]}, headers=_FRESH)


@router.get("/jobs/{job_id}", summary="How far a job is")
def get_job(request: Request, conn: ConnDep, job_id: JobId) -> Response:
    """Its state, progress and phase; what went wrong in both languages."""
    job = _found(conn, job_id)
    own = f"{links_base(request)}/jobs/{job_id}"
    links = [{"rel": "self", "type": "application/json", "href": own}]
    if job.state == "successful":
        rel = "http://www.opengis.net/def/rel/ogc/1.0/results"
        links.append({"rel": rel, "type": "application/json", "href": f"{own}/results"})
    return as_json(job_status(job) | {"links": links}, headers=_FRESH)


@router.get("/jobs/{job_id}/results", summary="What came of a job")
def get_results(conn: ConnDep, job_id: JobId) -> Response:
    """What its task returned; 404 until it was successful."""
    job = _found(conn, job_id)
    if job.state != "successful":
        raise NotFound(
            f"Job {job_id} has no results: it is {job.state}.",
            f"任务 {job_id} 没有结果：状态为 {job.state}。",
            remedy_en=f"See /jobs/{job_id}.",
            remedy_zh=f"见 /jobs/{job_id}。",
        )
    return as_json(job.result or {}, headers=_FRESH)


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
        raise NotFound(f"There is no job {job_id}.", f"没有任务 {job_id}。")
    return job
