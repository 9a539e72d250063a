"""Background jobs: how far each is, and what came of it (OGC API Processes, 7.11 to 7.13)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.deps import ConnDep, as_json, links_base, strict_parameters
from api.shapes import job_status
from gis.errors import NotFound
from gis.jobs import JobStatus, find, list_jobs

router = APIRouter(tags=["Jobs"], dependencies=[Depends(strict_parameters)])

_FRESH = {"Cache-Control": "no-store"}
JobId = Annotated[int, Path(ge=1, le=2**62)]


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


def _found(conn: ConnDep, job_id: int) -> JobStatus:
    job = find(conn, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.", f"没有任务 {job_id}。")
    return job
