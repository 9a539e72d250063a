"""Is the service alive, is it ready, and what does it count?"""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from api.deps import StateDep, as_json, strict_parameters
from api.identity import Action, needs
from api.metrics import told
from gis.db import connect
from gis.jobs import count_jobs
from gis.revisions import head

router = APIRouter(tags=["Health"], dependencies=[Depends(strict_parameters)])

_READ = [Depends(needs(Action.READ))]
_FRESH = {"Cache-Control": "no-store"}
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", summary="Is the service ready?", dependencies=_READ)
def get_health(state: StateDep) -> Response:
    """The version and the newest revision; 503 when the database is away. It has connections of its own."""
    with connect(state.pulse) as conn:
        return as_json({"status": "ok", "version": state.version, "revision": head(conn)}, headers=_FRESH)


@router.get("/healthz/live", summary="Is the process alive?", dependencies=_READ)
async def get_alive(state: StateDep) -> Response:
    """Answered without a thread and without the database: who hears nothing may restart the process."""
    return as_json({"status": "ok", "version": state.version}, headers=_FRESH)


@router.get(
    "/metrics",
    summary="Counts for Prometheus",
    dependencies=[Depends(needs(Action.ADMIN))],
    responses={200: {"content": {"text/plain": {}}}},
)
def get_metrics(request: Request, state: StateDep) -> Response:
    """Times by route, requests in flight and refused, connections by pool, jobs by state, the tile cache."""
    with connect(state.pulse) as conn:
        jobs = count_jobs(conn)
    return Response(told(jobs), headers=_FRESH, media_type=_TEXT)
