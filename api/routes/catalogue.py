"""The catalogue as a collection of records (OGC API Records, 20-004r1): layers and stored reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import JsonValue

from api.deps import (
    GEOJSON,
    JSON,
    BBoxDep,
    ConnDep,
    IntervalDep,
    LanguageDep,
    StateDep,
    as_json,
    links_base,
    strict_parameters,
)
from api.identity import Action, may, needs, scope_of
from api.profiles import PLAIN, PROFILES, ProfilesDep, profile_header, profile_link, selected
from api.representation import FORMS, representation, with_page
from gis.access import Role
from gis.catalogue import CATALOGUE, CatalogueQuery, Entry, Identifier, entries, entry
from gis.features import in_lonlat
from gis.licences import spdx_page

router = APIRouter(
    prefix=f"/collections/{CATALOGUE}",
    tags=["Records"],
    dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)],
)

CORE = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/record-core"
AS_JSON = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/json"
_CATALOG = FORMS["catalog"].media_type
# record-core asks for the first with records, json for the second with whatever comes of a catalogue.
_PROFILES = [profile_link("ogc-record"), profile_link("ogc-catalog")]
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_TITLE = {"zh": "目录", "en": "Catalogue"}
_WORDS = {
    "zh": "全部图层与已存报告：来源、精度、许可、更新与获取方式。",
    "en": "All layers and stored reports: sources, accuracy, licence, updates, and where to get them.",
}
_OTHER = "other"  # what 20-004r1 has for all that is not one licence of the SPDX list
_LIST: dict[str, JsonValue] = {"x-list": True}
_FRESH = {"Cache-Control": "no-cache", "Vary": "Accept-Language"}


@router.get("", summary="The catalogue")
def get_catalogue(
    request: Request,
    state: StateDep,
    language: LanguageDep,
    f: Annotated[str | None, Query(description="catalog, json")] = None,
) -> Response:
    """A collection of records; in the media type of catalogues unless plain JSON is asked for."""
    told = described(links_base(request), language, state.definition.district.extent)
    form = representation(request, f, ("catalog", "json"))
    return as_json(told, form.media_type, _FRESH | {"Vary": "Accept, Accept-Language"})


def described(base: str, language: str, extent: tuple[float, ...]) -> dict[str, Any]:
    """The catalogue as /collections lists it."""
    own = f"{base}/collections/{CATALOGUE}"
    return {
        "id": CATALOGUE,
        "type": "Collection",
        "title": _TITLE[language],
        "description": _WORDS[language],
        "itemType": "record",
        "extent": {
            "spatial": {"bbox": [list(extent)], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
        },
        "links": [
            *with_page(own, _CATALOG),
            {"rel": "alternate", "type": JSON, "href": f"{own}?f=json"},
            _PROFILES[1],
            {"rel": "items", "type": GEOJSON, "href": f"{own}/items"},
        ],
    }


@router.get("/items", summary="Records")
def get_records(
    request: Request,
    state: StateDep,
    conn: ConnDep,
    language: LanguageDep,
    bbox: BBoxDep,
    interval: IntervalDep,
    profiles: ProfilesDep,
    q: Annotated[
        str | None,
        Query(
            max_length=500,
            description="Terms with commas between them; one must be found",
            json_schema_extra=_LIST,
        ),
    ] = None,
    type: Annotated[
        str | None, Query(max_length=100, description="dataset, report, or both", json_schema_extra=_LIST)
    ] = None,
    ids: Annotated[
        str | None,
        Query(max_length=10_000, description="Ids with commas between them", json_schema_extra=_LIST),
    ] = None,
    externalIds: Annotated[
        str | None,
        Query(
            max_length=10_000,
            description="What others call them: scheme:value, value, or scheme, with commas between them",
            json_schema_extra={"x-list": "([^:]+:)?[^:]+"},
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, description="Records a page; more than 1000 is cut to it")] = 100,
    offset: Annotated[int, Query(ge=0, le=10**6, description="Set by links")] = 0,
) -> Response:
    """Records that fit all that is asked."""
    query = CatalogueQuery(
        q=_listed(q) or (), bbox=bbox, interval=interval, ids=_listed(ids), external=_listed(externalIds),
        kinds=_listed(type), reports=_shows_reports(request),
    )  # fmt: skip
    found = entries(conn, state.definition, query)
    size, base = min(limit, 1000), links_base(request)
    page = found[offset : offset + size]
    body = {
        "type": "FeatureCollection",
        "features": [record(each, base, language) for each in page],
        "numberMatched": len(found),
        "numberReturned": len(page),
        "links": _page_links(request, base, offset, size, len(found)),
    }
    return _following(body, profiles)


@router.get("/items/{id}", summary="One record")
def get_record(
    request: Request, state: StateDep, conn: ConnDep, language: LanguageDep, profiles: ProfilesDep, id: str
) -> Response:
    """The record of a layer or a report."""
    found = entry(conn, state.definition, id, reports=_shows_reports(request))
    return _following(record(found, links_base(request), language), profiles)


def _following(body: dict[str, Any], profiles: Sequence[str]) -> Response:
    """The document in the profile of GeoJSON that is asked for; those of records it always follows."""
    chosen = selected(profiles, PROFILES["geojson"])
    assert chosen is not None
    body["links"].append(profile_link(chosen))
    told = body if chosen == PLAIN else in_lonlat(body)
    return as_json(told, GEOJSON, _FRESH | {"Link": profile_header(chosen)})


def _shows_reports(request: Request) -> bool:
    """To the public a report is open by its number only, so it is not listed."""
    return scope_of(request).role is not Role.PUBLIC or may(request, Action.ADMIN)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [each.strip() for each in text.split(",") if each.strip()]


def _page_links(request: Request, base: str, offset: int, size: int, total: int) -> list[dict[str, str]]:
    own = f"{base}/collections/{CATALOGUE}"
    kept = [
        (name, value) for name, value in request.query_params.multi_items() if name not in ("offset", "limit")
    ]

    def link(rel: str, at: int) -> dict[str, str]:
        query = urlencode([*kept, ("limit", size), ("offset", at)])
        return {"rel": rel, "type": GEOJSON, "href": f"{own}/items?{query}"}

    page = {"rel": "alternate", "type": "text/html", "href": link("", offset)["href"] + "&f=html"}
    links = [link("self", offset), page, {"rel": "collection", "type": _CATALOG, "href": own}]
    links += _PROFILES
    if offset + size < total:
        links.append(link("next", offset + size))
    if offset:
        links.append(link("prev", max(0, offset - size)))
    return links


def record(found: Entry, base: str, language: str) -> dict[str, Any]:
    """A record as GeoJSON (20-004r1, 8.2)."""
    terms = {each.spdx for each in found.terms}
    properties: dict[str, Any] = {
        "type": found.kind,
        "title": found.title[language],
        "description": found.words[language],
        "language": {"code": language},
        "keywords": found.keywords[language],
        "created": found.created,
        "updated": found.updated,
        "license": terms.pop() or _OTHER if len(terms) == 1 else _OTHER if terms else None,
        "externalIds": [_called(each) for each in found.identifiers] or None,
        "contacts": list(found.contacts) or None,
        **found.facts,
    }
    if found.theme is not None:
        concept = {"id": found.theme, "title": found.keywords[language][-1]}
        properties["themes"] = [{"concepts": [concept], "scheme": "urn:onemap:themes"}]
    if found.layer is not None:
        properties["formats"] = [{"name": "GeoJSON", "mediaType": GEOJSON}]
    return {
        "id": found.id,
        "type": "Feature",
        "conformsTo": [CORE, AS_JSON],
        "time": _time(found),
        "geometry": None if found.extent is None else _box(found.extent),
        **({} if found.extent is None else {"extent": {"spatial": {"bbox": [list(found.extent)]}}}),
        "properties": {name: value for name, value in properties.items() if value is not None},
        "links": _links(found, base),
    }


def _called(identifier: Identifier) -> dict[str, str]:
    scheme = {} if identifier.scheme is None else {"scheme": identifier.scheme}
    return scheme | {"value": identifier.value}


def _time(found: Entry) -> dict[str, Any] | None:
    if found.created is None or found.updated is None:
        return None
    ends = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (found.created, found.updated))
    return {"interval": [f"{end.isoformat()}Z" for end in ends]}


def _box(extent: tuple[float, float, float, float]) -> dict[str, Any]:
    """The extent as a polygon; as a point or a line where it has no width."""
    west, south, east, north = extent
    if west == east or south == north:
        ends = [[west, south], [east, north]]
        alike = ends[0] == ends[1]
        return {"type": "Point" if alike else "LineString", "coordinates": ends[0] if alike else ends}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _links(found: Entry, base: str) -> list[dict[str, str]]:
    own = f"{base}/collections/{CATALOGUE}"
    links = [("collection", _CATALOG, own), *_licences(found, base)]
    if found.layer is None:
        report = f"{base}/reports/{found.id}"
        links += [("item", "application/json", report), ("preview", "text/html", f"{report}?f=html"),
                  ("enclosure", "application/pdf", f"{report}?f=pdf"),
                  ("latest-version", "application/json", f"{report}/current")]  # fmt: skip
    else:
        layer = f"{base}/collections/{found.id}"
        links += [("related", "application/json", layer), ("items", GEOJSON, f"{layer}/items"),
                  ("describedby", "application/schema+json", f"{layer}/schema"),
                  ("status", "application/json", f"{base}/health/layers/{found.id}")]  # fmt: skip
        if found.layer.has_geometry:
            links += [(f"{_REL}/tilesets-vector", "application/json", f"{layer}/tiles"),
                      (f"{_REL}/styles", "application/json", f"{base}/styles/{found.id}")]  # fmt: skip
    others = [{"rel": rel, "type": kind, "href": href} for rel, kind, href in links]
    return [*with_page(f"{own}/items/{found.id}", GEOJSON), *_PROFILES, *others]


def _licences(found: Entry, base: str) -> list[tuple[str, str, str]]:
    """Links to the texts of the licences; where there are only words, to the source, which tells them."""
    links = []
    for terms in found.terms:
        if terms.spdx is not None:
            links.append(("license", "text/html", spdx_page(terms.spdx)))
        else:
            links.append(("license", "application/json", f"{base}/sources/{quote(terms.source, safe='')}"))
    return list(dict.fromkeys(links))
