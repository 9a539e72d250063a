"""The way in: the map for a browser, the landing page for a program, and what the service conforms to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
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
_JSON, _OGC = "application/json", "http://www.opengis.net/def/rel/ogc/1.0"
_LINKS = [
    ("self", _JSON, "/?f=json"), ("alternate", "text/html", "/?f=html"), ("service-desc", OPENAPI, "/api"),
    ("service-doc", "text/html", "/api?f=html"), ("conformance", _JSON, "/conformance"),
    (f"{_OGC}/conformance", _JSON, "/conformance"), ("data", _JSON, "/collections"),
    (f"{_OGC}/data", _JSON, "/collections"), (f"{_OGC}/functions", _JSON, "/functions"),
    (f"{_OGC}/processes", _JSON, "/processes"), (f"{_OGC}/job-list", _JSON, "/jobs"),
    (f"{_OGC}/tiling-schemes", _JSON, "/tileMatrixSets"), (f"{_OGC}/tilesets-vector", _JSON, "/tiles"),
    (f"{_OGC}/styles", _JSON, "/styles"), ("related", "application/x-qgis-project", "/qgis"),
    (f"{_OGC}/ogc-catalog", "application/geo+json", "/collections/catalogue/items"),
    ("status", _JSON, "/health/layers"), ("monitor", _JSON, "/changes?since=0"),
]  # fmt: skip
_TITLES = {
    "/?f=json": ("本文档", "This document"),
    "/?f=html": ("本文档的网页", "This document as a page"),
    "/api": ("接口定义（OpenAPI 3.0）", "Definition of the API (OpenAPI 3.0)"),
    "/api?f=html": ("接口说明", "The API described"),
    "/conformance": ("符合的标准", "What the service conforms to"),
    "/collections": ("图层与目录", "Layers and the catalogue"),
    "/functions": ("筛选可用的函数", "Functions that filters may call"),
    "/processes": ("处理服务：准入审查、叠加、缓冲等", "Processes: screening, overlay, buffer and others"),
    "/jobs": ("作业", "Jobs"),
    "/tileMatrixSets": ("瓦片矩阵集", "Tile matrix sets"),
    "/tiles": ("矢量瓦片", "Vector tiles"),
    "/styles": ("样式", "Styles"),
    "/qgis": ("QGIS 工程", "Project for QGIS"),
    "/collections/catalogue/items": ("图层与报告的目录", "The catalogue of layers and reports"),
    "/health/layers": ("图层健康状况", "Health of the layers"),
    "/changes?since=0": ("变更", "Changes"),
}
_ABOUT = (
    "生态环境空间底账的开放接口：图层、准入审查、目录与变更。",
    "The open API of the environmental map of record: layers, screening, the catalogue and changes.",
)
_PLACE = "<!-- what the landing page says -->"
_ASK_AGAIN = {"Cache-Control": "no-cache"}


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
    """The map for whoever prefers HTML, else the links that a program starts from.

    Both say the same: the map's page has the links for whoever runs no scripts. ``f=html`` is a page of
    the links (`api.pages`).
    """
    wants(f, "json", "html")
    told = _landing(request, state.definition.district.name.text(language), language)
    headers = {"Vary": "Accept, Accept-Language"}
    if f is None and prefers_html(request.headers.get("accept", "")):
        page = (state.web / "index.html").read_text(encoding="utf-8").replace(_PLACE, _said(told))
        return Response(page, headers=headers | _ASK_AGAIN, media_type="text/html; charset=utf-8")
    return as_json(told, headers=headers)


def _said(told: dict[str, Any]) -> str:
    """What the landing page says, in HTML."""
    links = "".join(
        f'<li><a href="{escape(link["href"])}" rel="{link["rel"]}" type="{link["type"]}">'
        f"{escape(link['title'])}</a></li>"
        for link in told["links"]
    )
    return f"<h1>{escape(told['title'])}</h1><p>{escape(told['description'])}</p><ul>{links}</ul>"


def _landing(request: Request, district: str, language: str) -> dict[str, Any]:
    base, of = links_base(request), 0 if language == "zh" else 1
    links = [
        {"rel": rel, "type": kind, "href": base + path, "title": _TITLES[path][of]}
        for rel, kind, path in _LINKS
    ]
    title = (f"{district}一张图", f"One map of {district}")[of]
    return {"title": title, "description": _ABOUT[of], "links": links}


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
