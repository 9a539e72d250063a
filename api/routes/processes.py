"""Processes that a client may run (OGC API Processes 1.0, 18-062r2): at once, or as a job."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from api.bodies import JsonRoute
from api.deps import (
    JSON,
    LanguageDep,
    MapState,
    StateDep,
    as_json,
    links_base,
    self_links,
    strict_parameters,
)
from api.errors import NoSuchProcess
from api.identity import Action, needs, require
from api.models import (
    BatchExecution,
    BatchInputs,
    BufferExecution,
    BufferInputs,
    Execution,
    NearestExecution,
    NearestInputs,
    OverlayExecution,
    OverlayInputs,
    ScreenExecution,
    ScreenInputs,
    UpstreamExecution,
    UpstreamInputs,
)
from api.routes.reports import report_link
from api.writing import own_page, with_json
from gis.errors import QueryError
from gis.turns import Turns

router = APIRouter(
    prefix="/processes",
    tags=["Processes"],
    dependencies=[Depends(strict_parameters)],
    route_class=JsonRoute,
)

_READ = [Depends(needs(Action.READ))]
_SCREEN = [Depends(needs(Action.SCREEN))]
EXECUTE = "http://www.opengis.net/def/rel/ogc/1.0/execute"
# Two sites at once take the interpreter from each other at every geometry; a long one holds up nobody.
_JUDGING = Turns(1, grace_s=0.012)
SYNC, ASYNC = "sync-execute", "async-execute"


@dataclass(frozen=True)
class Described:
    """A process in words."""

    inputs: type[BaseModel]
    title: dict[str, str]
    words: dict[str, str]
    control: tuple[str, ...] = (SYNC, ASYNC, "dismiss")


DESCRIBED = {
    "screen": Described(
        ScreenInputs,
        {"zh": "空间准入审查", "en": "Screening of a site"},
        {"zh": "此处可否建设：逐条规则给出结论、严重程度、面积与法律依据。",
         "en": "May this stand here? A verdict, severity, areas and legal basis, rule by rule."},
    ),
    "screen-batch": Described(
        BatchInputs,
        {"zh": "批量准入审查", "en": "Screening of many sites"},
        {"zh": "对许多地块逐一审查，作为后台任务；每块一行结果，并按规则和乡镇汇总。",
         "en": "Many sites, each judged as a background job: a row a site, and counts by rule and township."},
        (ASYNC, "dismiss"),
    ),
    "upstream": Described(
        UpstreamInputs,
        {"zh": "上游溯源", "en": "Sources upstream of a point"},
        {"zh": "沿河网向上游查找可能的污染来源，按已知证据排序，逐项说明理由。",
         "en": "Who may have discharged what is found here? Candidates up the river, ranked by evidence."},
    ),
    "overlay": Described(
        OverlayInputs,
        {"zh": "叠加分析", "en": "Overlay"},
        {"zh": "地块（或一个图层的各行）与其他图层的各行重叠多少：逐对给出面积或长度及占比。",
         "en": "What of a site, or of the rows of a layer, lies in the rows of other layers, pair by pair."},
    ),
    "buffer": Described(
        BufferInputs,
        {"zh": "缓冲区", "en": "Buffer"},
        {"zh": "距地块若干米以内的范围，在量测坐标系中计算。",
         "en": "All that lies within so many metres of a site, measured in the plane."},
    ),
    "nearest": Described(
        NearestInputs,
        {"zh": "最近要素", "en": "Nearest rows"},
        {"zh": "各图层中距地块最近的若干行，给出距离与方位。",
         "en": "The rows of layers that lie nearest to a site, with distance and bearing."},
    ),
}  # fmt: skip


@router.get("", summary="All processes", dependencies=_READ)
def get_processes(
    request: Request, language: LanguageDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Response:
    """The list of processes."""
    base = links_base(request)
    found = [_summary(name, base, language) for name in list(DESCRIBED)[:limit]]
    return as_json({"processes": found, "links": self_links(request)})


@router.get("/{process}", summary="One process", dependencies=_READ)
def get_process(request: Request, state: StateDep, language: LanguageDep, process: str) -> Response:
    """Its inputs and outputs."""
    if process not in DESCRIBED:
        raise NoSuchProcess(process)
    schema = DESCRIBED[process].inputs.model_json_schema()
    if process == "screen":
        schema["properties"]["kind"]["oneOf"] = _kinds(state, language)
    if "layers" in schema["properties"]:
        schema["properties"]["layers"]["examples"] = _layers_at_hand(state)
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    inputs = {
        field: _input_words(process, field, described, language)
        | {"schema": _told_apart(described) | shared, "minOccurs": int(field in schema["required"])}
        for field, described in schema["properties"].items()
    }
    outputs = {"answer": {"title": DESCRIBED[process].title[language], "schema": {"type": "object"}}}
    told = _summary(process, links_base(request), language) | {"inputs": inputs, "outputs": outputs}
    return as_json(told)


@cache
def _words() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("inputs.toml").read_text(encoding="utf-8"))


def _input_words(process: str, field: str, described: dict[str, Any], language: str) -> dict[str, str]:
    words = _words().get(f"{process}.{field}") or _words()[field]
    about = words["zh"] if language == "zh" else described.get("description", "")
    return {"title": words["title"][language], "description": about}


def _told_apart(described: dict[str, Any]) -> dict[str, Any]:
    """A schema that tells kinds by ``oneOf`` (18-062r2, input-mixed-type), without null: that is left out."""
    if "anyOf" not in described:
        return described
    kinds = [kind for kind in described["anyOf"] if kind != {"type": "null"}]
    rest = {name: value for name, value in described.items() if name != "anyOf"}
    return rest | (kinds[0] if len(kinds) == 1 else {"oneOf": kinds})


def _layers_at_hand(state: MapState) -> list[list[str]]:
    """An example of layers that this map has."""
    return [[layer.id] for layer in state.definition.layers.values() if layer.has_geometry][:1]


def _kinds(state: MapState, language: str) -> list[dict[str, str]]:
    from gis.screening.request import site_kinds

    kinds = site_kinds(state.definition).values()
    return [{"const": kind.kind, "title": kind.title.text(language)} for kind in kinds]


def _summary(name: str, base: str, language: str) -> dict[str, Any]:
    own, described = f"{base}/processes/{name}", DESCRIBED[name]
    return {
        "id": name,
        "version": "1.0.0",
        "title": described.title[language],
        "description": described.words[language],
        "jobControlOptions": list(described.control),
        "outputTransmission": ["value"],
        "links": [
            {"rel": "self", "type": "application/json", "href": own},
            {"rel": EXECUTE, "type": "application/json", "href": f"{own}/execution"},
        ],
    }


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
    told = _callbacks(state, execution)
    job = queue_batch(state.engine, state.settings, orjson.dumps(execution.inputs.sites), given, told)
    return _accepted(request, "screen-batch", job)


@router.post("/screen/execution", summary="Screen a site", dependencies=_SCREEN)
def post_screen(request: Request, state: StateDep, execution: ScreenExecution) -> Response:
    """The answer record for one site; only its verdicts, or stored with a link, where that is asked for."""
    if not execution.inputs.report and not execution.subscriber and not _as_job(request):
        return _noted(request, _judged(state, execution))
    if execution.inputs.report:
        require(request, Action.REPORT)
        if request.headers.get("origin") not in state.settings.cors:
            own_page(request)
        with_json(request)
    return _run(request, state, "screen", execution, execution.inputs)


def _judged(state: MapState, execution: ScreenExecution) -> Response:
    """The answer or only its verdicts, not stored; what the next ones need is made meanwhile."""
    # The engine of judgement takes seconds to import; api.app.warm_up does it while the first page loads.
    from gis.processing.screening import asked_of
    from gis.screening.answer import examine

    asked, limits = asked_of(_given(execution.inputs)), state.settings
    live = execution.inputs.detail == "live"
    with _JUDGING.taken():
        found = examine(
            state.engine, state.definition, asked, max_vertices=limits.max_vertices, threads=limits.threads,
            facts=not live,
        )  # fmt: skip
        text = found.brief() if live else found.text()
    if execution.response == "document":
        text = b'{"answer":' + text + b"}"
    found.snapshot.trace_aside()
    return Response(text, media_type=JSON)


@router.post("/upstream/execution", summary="Look for sources upstream", dependencies=_SCREEN)
def post_upstream(request: Request, state: StateDep, execution: UpstreamExecution) -> Response:
    """Candidate sources upstream of a point, ranked; nothing is stored."""
    return _run(request, state, "upstream", execution, execution.inputs)


@router.post("/overlay/execution", summary="Overlay a site or a layer with layers", dependencies=_SCREEN)
def post_overlay(request: Request, state: StateDep, execution: OverlayExecution) -> Response:
    """Pairs that share a point, and how much they share."""
    return _run(request, state, "overlay", execution, execution.inputs)


@router.post("/buffer/execution", summary="Grow or shrink a site", dependencies=_SCREEN)
def post_buffer(request: Request, state: StateDep, execution: BufferExecution) -> Response:
    """What lies within a distance, as GeoJSON in lon/lat."""
    return _run(request, state, "buffer", execution, execution.inputs)


@router.post("/nearest/execution", summary="Find the nearest rows", dependencies=_SCREEN)
def post_nearest(request: Request, state: StateDep, execution: NearestExecution) -> Response:
    """The nearest rows of layers, with distance and bearing."""
    return _run(request, state, "nearest", execution, execution.inputs)


@router.post(
    "/{process}/execution",
    summary="Run a process that is not there",
    include_in_schema=False,
    dependencies=_SCREEN,
)
def post_unknown(process: str) -> Response:
    """There is no such process."""
    raise NoSuchProcess(process)


def _run(request: Request, state: MapState, name: str, execution: Execution, inputs: BaseModel) -> Response:
    """Run a process now, or queue it where the client prefers that (RFC 7240, respond-async)."""
    from gis.processing import Place, run

    if _as_job(request):
        require(request, Action.OPERATE)
        own_page(request)
        with_json(request)
        from gis.tasks import queue_process

        told = _callbacks(state, execution)
        job = queue_process(state.engine, name, _given(inputs), execution.response, told)
        return _accepted(request, name, job, {"Preference-Applied": "respond-async"})
    if execution.subscriber:
        raise QueryError(
            "Only a job tells subscribers, and this run is none.",
            "仅后台任务会通知订阅方，而本次为同步执行。",
            remedy_en="Send Prefer: respond-async, or leave out the subscriber.",
            remedy_zh="请加上 Prefer: respond-async，或去掉 subscriber。",
        )
    answer = run(Place(state.engine, state.definition, state.settings), name, _given(inputs))
    if isinstance(kept := answer.get("report"), dict):
        request.state.audited = f"report {kept['id']}"
    shown = _told(with_report_link(answer, links_base(request)), execution.response)
    return _noted(request, shown)


def _noted(request: Request, answer: Response) -> Response:
    """The answer, which says so where the client preferred to wait for it."""
    if "respond-sync" in _preferences(request):
        answer.headers["Preference-Applied"] = "respond-sync"
    return answer


def _callbacks(state: MapState, execution: Execution) -> dict[str, str]:
    """Who is told of which status of the job; QueryError for an address that may not be reached."""
    if execution.subscriber is None:
        return {}
    from gis.webhooks import CALLBACKS, Sender

    sender = Sender(state.settings.webhook_hosts)
    given = execution.subscriber.model_dump(exclude_none=True)
    for uri in given.values():
        sender.check(uri)
    return {CALLBACKS[name]: uri for name, uri in given.items()}


def with_report_link(answer: dict[str, Any], base: str) -> dict[str, Any]:
    """An answer that was stored as a report, with the addresses of its forms."""
    held = answer.get("report")
    if not isinstance(held, dict) or set(held) != {"id", "created", "expires"}:
        return answer
    return answer | {"report": report_link(base, held["id"], held["created"], held["expires"])}


def _given(inputs: BaseModel) -> dict[str, Any]:
    """Inputs as processes take them: JSON, without what was not said."""
    given = inputs.model_dump(mode="json", exclude_none=True)
    if "as_of" in given:
        given["as_of"] = str(given["as_of"])
    return given


def _told(answer: dict[str, Any], response: str) -> Response:
    return as_json({"answer": answer} if response == "document" else answer)


def _preferences(request: Request) -> set[str]:
    """The words of the Prefer headers, in lower case."""
    given = ",".join(request.headers.getlist("prefer"))
    return {entry.partition(";")[0].strip().lower() for entry in given.split(",")}


def _as_job(request: Request) -> bool:
    wanted = _preferences(request)
    return "respond-async" in wanted and "respond-sync" not in wanted


def _accepted(request: Request, process: str, job: int, headers: dict[str, str] | None = None) -> Response:
    own = f"{links_base(request)}/jobs/{job}"
    told = {
        "jobID": str(job), "processID": process, "type": "process", "status": "accepted",
        "links": [{"rel": "self", "type": "application/json", "href": own}],
    }  # fmt: skip
    answer = as_json(told, headers={"Location": own, **(headers or {})})
    answer.status_code = 201
    return answer
