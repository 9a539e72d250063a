"""The screening of a site, and the look for sources upstream, as processes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from gis.db import scope_of
from gis.processing.place import Place
from gis.screening.request import ScreenRequest
from gis.siteinput import site_from_json

__all__ = ["asked_of", "screen_site", "upstream"]


def asked_of(inputs: Mapping[str, Any]) -> ScreenRequest:
    """The question that inputs of the process ``screen`` ask; ScreeningError for what is no site."""
    geometry, crs = site_from_json(inputs["site"])
    day = inputs.get("law_date")
    return ScreenRequest(
        geometry=geometry,
        crs=crs,
        kind=inputs["kind"],
        attributes=inputs["attributes"],
        accuracy_m=inputs.get("accuracy_m"),
        law_date=None if day is None else date.fromisoformat(day),
        as_of=inputs.get("as_of"),
    )


def screen_site(place: Place, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The answer record; with ``report`` it is stored, and ``report`` says where and how long."""
    from gis.reports import keep_report
    from gis.screening.answer import examine

    asked, settings = asked_of(inputs), place.settings
    place.progress("judging", 0, None)
    if inputs["report"]:
        asker = scope_of(place.engine)
        who = (asker and asker.account) or "http"
        kept = keep_report(place.engine, place.definition, settings, asked, who=who)
        told = {
            "id": kept.report_id,
            "created": kept.created.isoformat(),
            "expires": kept.expires.isoformat(),
        }
        return {**kept.record, "report": told}
    live = inputs["detail"] == "live"
    found = examine(
        place.engine, place.definition, asked, max_vertices=settings.max_vertices,
        threads=settings.threads, facts=not live,
    )  # fmt: skip
    return dict(orjson.loads(found.brief()) if live else found.record())


def upstream(place: Place, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Candidate sources upstream of a point, ranked."""
    from gis.screening.candidates import UpstreamRequest, sources_upstream

    lon, lat = inputs["point"]["coordinates"][:2]
    asked = UpstreamRequest(
        lon=lon, lat=lat, within_m=inputs["within_m"], aside_m=inputs["aside_m"],
        pollutant=inputs.get("pollutant"), accuracy_m=inputs.get("accuracy_m"),
        as_of=inputs.get("as_of"), limit=inputs["limit"],
    )  # fmt: skip
    return dict(sources_upstream(place.engine, place.definition, asked))
