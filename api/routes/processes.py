"""Processes that a client may run (in the manner of OGC API Processes): the screening of a site."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.deps import LanguageDep, StateDep, as_json, links_base, strict_parameters
from api.models import ScreenExecution, ScreenInputs

router = APIRouter(prefix="/processes", tags=["Processes"], dependencies=[Depends(strict_parameters)])

_TITLES = {"zh": "空间准入审查", "en": "Screening of a site"}
_WORDS = {
    "zh": "此处可否建设：逐条规则给出结论、严重程度、面积与法律依据。",
    "en": "May this stand here? A verdict, severity, areas and legal basis, rule by rule.",
}


@router.get("", summary="All processes")
def get_processes(request: Request, language: LanguageDep) -> Response:
    """The list of processes."""
    return as_json({"processes": [_summary(request, language)], "links": []})


@router.get("/screen", summary="The process screen")
def get_screen(request: Request, state: StateDep, language: LanguageDep) -> Response:
    """Its inputs and outputs."""
    from gis.screening.request import site_kinds

    schema = ScreenInputs.model_json_schema()
    kinds = site_kinds(state.definition).values()
    schema["properties"]["kind"]["oneOf"] = [
        {"const": k.kind, "title": k.title.text(language)} for k in kinds
    ]
    inputs = {
        name: {
            "title": name,
            "description": described.get("description", ""),
            "schema": described,
            "minOccurs": int(name in schema["required"]),
        }
        for name, described in schema["properties"].items()
    }
    outputs = {"answer": {"title": _TITLES[language], "schema": {"type": "object"}}}
    return as_json(_summary(request, language) | {"inputs": inputs, "outputs": outputs})


def _summary(request: Request, language: str) -> dict[str, Any]:
    own = f"{links_base(request)}/processes/screen"
    return {
        "id": "screen",
        "version": "1.0.0",
        "title": _TITLES[language],
        "description": _WORDS[language],
        "jobControlOptions": ["sync-execute"],
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


@router.post("/screen/execution", summary="Screen a site")
def post_screen(state: StateDep, execution: ScreenExecution) -> Response:
    """The answer record for one site; nothing is stored."""
    # The engine of judgement takes seconds to import; api.app.warm_up does it while the first page loads.
    from gis.screening.answer import screen
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
    limits = state.settings
    return as_json(
        screen(
            state.engine,
            state.definition,
            asked,
            max_vertices=limits.max_vertices,
            threads=limits.threads,
        )
    )
