"""Processes that a client may run (in the manner of OGC API Processes): the screening of a site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from starlette.background import BackgroundTask

from api.deps import LanguageDep, MapState, StateDep, as_json, links_base, strict_parameters
from api.identity import Action, actor, needs, require
from api.models import (
    BatchExecution,
    BatchInputs,
    ScreenExecution,
    ScreenInputs,
    UpstreamExecution,
    UpstreamInputs,
)
from api.routes.reports import report_link
from api.writing import own_page, with_json

if TYPE_CHECKING:
    from gis.screening.request import ScreenRequest

router = APIRouter(prefix="/processes", tags=["Processes"], dependencies=[Depends(strict_parameters)])

_READ = [Depends(needs(Action.READ))]
_SCREEN = [Depends(needs(Action.SCREEN))]
_TITLES = {
    "screen": {"zh": "空间准入审查", "en": "Screening of a site"},
    "screen-batch": {"zh": "批量准入审查", "en": "Screening of many sites"},
    "upstream": {"zh": "上游溯源", "en": "Sources upstream of a point"},
}
_WORDS = {
    "screen": {
        "zh": "此处可否建设：逐条规则给出结论、严重程度、面积与法律依据。",
        "en": "May this stand here? A verdict, severity, areas and legal basis, rule by rule.",
    },
    "screen-batch": {
        "zh": "对许多地块逐一审查，作为后台任务；每块一行结果，并按规则和乡镇汇总。",
        "en": "Many sites, each judged as a background job: a row a site, and counts by rule and township.",
    },
    "upstream": {
        "zh": "沿河网向上游查找可能的污染来源，按已知证据排序，逐项说明理由。",
        "en": "Who may have discharged what is found here? Candidates up the river, ranked by evidence.",
    },
}


@router.get("", summary="All processes", dependencies=_READ)
def get_processes(request: Request, language: LanguageDep) -> Response:
    """The list of processes."""
    return as_json({"processes": [_summary(name, request, language) for name in _TITLES], "links": []})


@router.get("/screen", summary="The process screen", dependencies=_READ)
def get_screen(request: Request, state: StateDep, language: LanguageDep) -> Response:
    """Its inputs and outputs."""
    from gis.screening.request import site_kinds

    schema = ScreenInputs.model_json_schema()
    kinds = site_kinds(state.definition).values()
    schema["properties"]["kind"]["oneOf"] = [
        {"const": k.kind, "title": k.title.text(language)} for k in kinds
    ]
    return as_json(_description("screen", schema, request, language))


@router.get("/upstream", summary="The process upstream", dependencies=_READ)
def get_upstream(request: Request, language: LanguageDep) -> Response:
    """Its inputs and outputs."""
    return as_json(_description("upstream", UpstreamInputs.model_json_schema(), request, language))


def _description(name: str, schema: dict[str, Any], request: Request, language: str) -> dict[str, Any]:
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    inputs = {
        field: {
            "title": field,
            "description": described.get("description", ""),
            "schema": described | shared,
            "minOccurs": int(field in schema["required"]),
        }
        for field, described in schema["properties"].items()
    }
    outputs = {"answer": {"title": _TITLES[name][language], "schema": {"type": "object"}}}
    return _summary(name, request, language) | {"inputs": inputs, "outputs": outputs}


def _summary(name: str, request: Request, language: str) -> dict[str, Any]:
    own = f"{links_base(request)}/processes/{name}"
    return {
        "id": name,
        "version": "1.0.0",
        "title": _TITLES[name][language],
        "description": _WORDS[name][language],
        "jobControlOptions": ["async-execute" if name == "screen-batch" else "sync-execute"],
        "outputTransmission": ["value"],
        "links": [
            {"rel": "self", "type": "application/json", "href": own},
            {
                "rel": "http://www.opengis.net/def/rel/ogc/1.0/execute",
                "type": "application/json",
                "href": f"{own}/execution",
            },
        ],
    }


@router.get("/screen-batch", summary="The process screen-batch", dependencies=_READ)
def get_screen_batch(request: Request, language: LanguageDep) -> Response:
    """Its inputs and outputs."""
    return as_json(_description("screen-batch", BatchInputs.model_json_schema(), request, language))


@router.post(
    "/screen-batch/execution",
    status_code=201,
    summary="Screen many sites as a job",
    dependencies=[Depends(needs(Action.OPERATE)), Depends(own_page), Depends(with_json)],
)
def post_screen_batch(request: Request, state: StateDep, execution: BatchExecution) -> Response:
    """Queues the job; what came of it is at /jobs/{id}/results, the table at /jobs/{id}/sites."""
    from gis.tasks import queue_batch

    given = execution.inputs.model_dump(mode="json", exclude={"sites"}, exclude_none=True)
    if "as_of" in given:
        given["as_of"] = str(given["as_of"])
    job = queue_batch(state.engine, state.settings, orjson.dumps(execution.inputs.sites), given)
    own = f"{links_base(request)}/jobs/{job}"
    told = {
        "jobID": str(job), "processID": "screen-batch", "type": "process", "status": "accepted",
        "links": [{"rel": "self", "type": "application/json", "href": own}],
    }  # fmt: skip
    answer = as_json(told, headers={"Location": own})
    answer.status_code = 201
    return answer


@router.post("/upstream/execution", summary="Look for sources upstream", dependencies=_SCREEN)
def post_upstream(state: StateDep, execution: UpstreamExecution) -> Response:
    """Candidate sources upstream of a point, ranked; nothing is stored."""
    from gis.screening.candidates import UpstreamRequest, sources_upstream

    inputs = execution.inputs
    lon, lat = inputs.point.coordinates[:2]
    asked = UpstreamRequest(
        lon=lon,
        lat=lat,
        within_m=inputs.within_m,
        aside_m=inputs.aside_m,
        pollutant=inputs.pollutant,
        accuracy_m=inputs.accuracy_m,
        as_of=None if inputs.as_of is None else str(inputs.as_of),
        limit=inputs.limit,
    )
    return as_json(sources_upstream(state.engine, state.definition, asked))


@router.post("/screen/execution", summary="Screen a site", dependencies=_SCREEN)
def post_screen(request: Request, state: StateDep, execution: ScreenExecution) -> Response:
    """The answer record for one site; only its verdicts, or stored with a link, where that is asked for."""
    # The engine of judgement takes seconds to import; api.app.warm_up does it while the first page loads.
    from gis.screening.answer import examine
    from gis.screening.request import ScreenRequest
    from gis.siteinput import site_from_json

    inputs = execution.inputs
    geometry, crs = site_from_json(inputs.site)
    asked = ScreenRequest(
        geometry=geometry,
        crs=crs,
        kind=inputs.kind,
        attributes=inputs.attributes,
        accuracy_m=inputs.accuracy_m,
        law_date=inputs.law_date,
        as_of=None if inputs.as_of is None else str(inputs.as_of),
    )
    if inputs.report:
        return _kept(request, state, asked)
    limits, live = state.settings, inputs.detail == "live"
    found = examine(
        state.engine,
        state.definition,
        asked,
        max_vertices=limits.max_vertices,
        threads=limits.threads,
        facts=not live,
    )
    answer = as_json(found.brief() if live else found.record())
    if not found.snapshot.traced.is_set():
        answer.background = BackgroundTask(found.snapshot.trace)
    return answer


def _kept(request: Request, state: MapState, asked: ScreenRequest) -> Response:
    """The record of a stored report, and where it is."""
    from gis.reports import keep_report

    require(request, Action.REPORT)
    if request.headers.get("origin") not in state.settings.cors:
        own_page(request)
    with_json(request)
    report = keep_report(state.engine, state.definition, state.settings, asked, who=actor(request, "http"))
    request.state.audited = f"report {report.report_id}"
    created, expires = report.created.isoformat(), report.expires.isoformat()
    link = report_link(links_base(request), report.report_id, created, expires)
    return as_json(report.record | {"report": link})
