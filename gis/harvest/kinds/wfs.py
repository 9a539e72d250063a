"""A feature type of a WFS 2.0 (OGC 09-025r2): GeoJSON where the server has it, else GML.

Pages go by the ``next`` address that a GML page gives, else by startIndex. No srsName is asked for, so that
no server transforms coordinates unseen. Incremental by a filter on the column that ``updated`` names.
"""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from gis.harvest.kinds.gml import Page, read_gml
from gis.harvest.kinds.paging import complete, newest
from gis.harvest.model import Ask, Fetched
from gis.harvest.net import Answer, joined, shown
from gis.harvest.scratch import FeatureFile
from gis.importing.issues import refused

__all__ = ["fetch"]

PAGE = 1000
_OWS = "{http://www.opengis.net/ows/1.1}"
_JSON = ("application/geo+json", "application/json", "geojson", "json", "application/vnd.geo+json")


def fetch(ask: Ask) -> Fetched:
    """All features of the type, or those changed since the mark."""
    form = _form(ask)
    query: dict[str, str | int] = {
        "service": "WFS", "version": "2.0.0", "request": "GetFeature", "typeNames": ask.wishes.name or "",
    }  # fmt: skip
    since = None if ask.whole or ask.wishes.updated is None else ask.mark.get("newest")
    if since is not None:
        query["filter"] = _filter(str(ask.wishes.updated), str(since))
    total = _hits(ask, query)
    size = ask.wishes.page or PAGE
    paged = query | {"count": size, "startIndex": 0} | ({"outputFormat": form} if form else {})
    systems: set[str] = set()
    latest = ask.mark.get("newest")
    with FeatureFile(ask.folder) as file:
        url, asked = ask.url, dict(paged)
        while True:
            page = _page(ask.net.get(url, asked), ask.url)
            file.add(page.features)
            systems |= {page.crs} if page.crs else set()
            latest = newest(latest, page.features, ask.wishes.updated)
            ask.told(file.rows, total)
            if not page.features or (total is not None and file.rows >= total):
                break
            if page.following:
                url, asked = ask.net.require_here(joined(ask.url, page.following)), {}
            elif len(page.features) < size and total is None:
                break
            else:
                url, asked = ask.url, {**paged, "startIndex": file.rows}
    complete(file, total)
    if len(systems) > 1:
        raise refused("harvest_unreadable", value=" / ".join(sorted(systems)), expected=shown(ask.url))
    mark = {"newest": latest} if ask.wishes.updated else {}
    return Fetched(
        file.path, whole=since is None, rows=file.rows, crs=next(iter(systems), "CRS84" if form else "auto"),
        columns=frozenset(file.columns), mark=mark,
    )  # fmt: skip


def _form(ask: Ask) -> str | None:
    """The name under which the server offers GeoJSON; None: it has GML only."""
    query = {"service": "WFS", "request": "GetCapabilities", "acceptVersions": "2.0.0"}
    root = _xml(ask, ask.net.get(ask.url, query))
    if root.tag.endswith("ExceptionReport"):
        raise refused("harvest_status", value=_told(root), expected=shown(ask.url))
    offered: list[str] = []
    for operation in root.iter(f"{_OWS}Operation"):
        if operation.get("name") == "GetFeature":
            for parameter in operation.iter(f"{_OWS}Parameter"):
                if parameter.get("name") == "outputFormat":
                    offered += [(value.text or "").strip() for value in parameter.iter(f"{_OWS}Value")]
    names = {name.lower().partition(";")[0]: name for name in reversed(offered)}
    return next((names[wanted] for wanted in _JSON if wanted in names), None)


def _hits(ask: Ask, query: dict[str, str | int]) -> int | None:
    """How many features match, if the server counts."""
    root = _xml(ask, ask.net.get(ask.url, query | {"resultType": "hits"}))
    if root.tag.endswith("ExceptionReport"):
        raise refused("harvest_status", value=_told(root), expected=shown(ask.url))
    matched = root.get("numberMatched") or ""
    return int(matched) if matched.isdecimal() else None


def _xml(ask: Ask, answer: Answer) -> Any:
    try:
        return fromstring(answer.body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise refused("harvest_unreadable", value=str(error)[:200], expected=shown(ask.url)) from error


def _told(root: Any) -> str:
    return " ".join("".join(root.itertext()).split())[:300]


def _page(answer: Answer, url: str) -> Page:
    if not answer.body.lstrip()[:1] == b"{":
        return read_gml(answer.body, shown(url))
    try:
        found = json.loads(answer.body)
        features = found["features"]
        named = ((found.get("crs") or {}).get("properties") or {}).get("name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused("harvest_unreadable", value=str(error)[:200], expected=shown(url)) from error
    crs = None
    if named:  # GeoJSON is x,y whatever its CRS (GeoJSON 2008, 3)
        code = str(named).rpartition(":")[2]
        crs = f"EPSG:{code}" if code.isdecimal() else "CRS84"
    return Page(features, None, None, crs)


def _filter(column: str, since: str) -> str:
    """FES 2.0 (OGC 09-026r2): what changed at or after ``since``."""
    return (
        '<fes:Filter xmlns:fes="http://www.opengis.net/fes/2.0"><fes:PropertyIsGreaterThanOrEqualTo>'
        f"<fes:ValueReference>{escape(column)}</fes:ValueReference><fes:Literal>{escape(since)}</fes:Literal>"
        "</fes:PropertyIsGreaterThanOrEqualTo></fes:Filter>"
    )
