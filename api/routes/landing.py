"""The way in: the map for a browser, the landing page for a program, and what the service conforms to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from api.deps import (
    LanguageDep,
    StateDep,
    as_json,
    links_base,
    strict_parameters,
    wants,
)
from api.identity import Action, needs
from api.representation import prefers_html
from gis.cql2 import FUNCTIONS

router = APIRouter(tags=["Service"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)])

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"


@cache
def conformance_classes() -> list[str]:
    """The conformance classes of which every requirement has a test: ``api/conformance.json``, generated."""
    text = Path(__file__).parents[1].joinpath("conformance.json").read_bytes()
    found: list[str] = orjson.loads(text)["conformsTo"]
    return found


@router.get("/", summary="The map, or the landing page")
def get_landing(
    request: Request,
    state: StateDep,
    language: LanguageDep,
    f: Annotated[str | None, Query(description="json or html")] = None,
) -> Response:
    """The map for whoever prefers HTML, else the links that a program starts from."""
    wants(f, "json", "html")
    if f == "html" or (f is None and prefers_html(request.headers.get("accept", ""))):
        page = (state.web / "index.html").read_bytes()
        headers = {"Cache-Control": "no-cache", "Vary": "Accept"}
        return Response(page, headers=headers, media_type="text/html; charset=utf-8")
    answer = as_json(_landing(request, state.definition.district.name.text(language), language))
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


def _landing(request: Request, district: str, language: str) -> dict[str, Any]:
    base = links_base(request)
    title = f"{district}一张图" if language == "zh" else f"One map of {district}"
    rel = "http://www.opengis.net/def/rel/ogc/1.0"
    links = [
        ("self", "application/json", "/?f=json"),
        ("alternate", "text/html", "/?f=html"),
        ("service-desc", OPENAPI, "/api"),
        ("conformance", "application/json", "/conformance"),
        ("data", "application/json", "/collections"),
        (f"{rel}/data", "application/json", "/collections"),
        (f"{rel}/conformance", "application/json", "/conformance"),
        (f"{rel}/functions", "application/json", "/functions"),
        (f"{rel}/processes", "application/json", "/processes"),
        (f"{rel}/tiling-schemes", "application/json", "/tileMatrixSets"),
        (f"{rel}/tilesets-vector", "application/json", "/tiles"),
        (f"{rel}/styles", "application/json", "/styles"),
        ("related", "application/x-qgis-project", "/qgis"),
        (f"{rel}/job-list", "application/json", "/jobs"),
        ("status", "application/json", "/health/layers"),
        ("monitor", "application/json", "/changes?since=0"),
    ]
    return {
        "title": title,
        "description": "",
        "links": [{"rel": rel, "type": kind, "href": base + path} for rel, kind, path in links],
    }


@router.get("/conformance", summary="What the service conforms to")
def get_conformance() -> Response:
    """The conformance classes whose requirements the service meets."""
    return as_json({"conformsTo": conformance_classes()})


@router.get("/functions", summary="Functions that filters may call")
def get_functions(language: LanguageDep) -> Response:
    """The functions beside those of CQL2 itself, with the types that they take and return."""
    described = [
        {
            "name": function.name,
            "description": function.zh if language == "zh" else function.en,
            "arguments": [{"type": _function_types(kinds)} for kinds in function.arguments],
            "returns": _function_types((function.returns,)),
        }
        for function in FUNCTIONS.values()
    ]
    return as_json({"functions": described}, headers={"Vary": "Accept-Language"})


def _function_types(kinds: Iterable[str]) -> list[str]:
    names = {"text": "string", "date": "datetime"}
    return list(dict.fromkeys(names.get(kind, kind) for kind in kinds))
