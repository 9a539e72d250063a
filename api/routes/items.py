"""Items of a layer: pages, and single ones (OGC API Features)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from api.deps import (
    JSON,
    AsOf,
    ConnDep,
    CrsDep,
    LayerDep,
    MapState,
    RevDep,
    StateDep,
    as_json,
    conditional,
    joined_json,
    links_base,
    strict_parameters,
)
from api.files import layer_file
from api.identity import Action, needs
from api.plans import PlannedRoute
from api.profiles import PLAIN, PLUS, PROFILES, ProfilesDep, profile_header, profile_link, selected
from api.queries import ItemQueryDep, PropertiesDep, Selection, SkipGeometryDep
from api.representation import FEATURE, FEATURES, Form, alternates, representation, written_query
from api.tags import item_tag
from gis.axes import CRS84, NamedCrs
from gis.db import connect, scope_of
from gis.editing import stored_version
from gis.features import (
    TIME_PROPERTIES,
    ItemQuery,
    Page,
    Standing,
    as_jsonfg,
    content_stamp,
    item,
    items,
    page_at_once,
    sources_stamp,
    standing_of,
)
from gis.revisions import resolve_as_of
from gis.sources import provenance
from layers.model import Layer

router = APIRouter(tags=["Features"], dependencies=[Depends(needs(Action.READ))], route_class=PlannedRoute)

_LONGEST_HEADER = 4000


@router.get("/collections/{layer}/items", summary="Items of a layer")
async def get_items(
    request: Request,
    state: StateDep,
    layer: LayerDep,
    selection: ItemQueryDep,
    profiles: ProfilesDep,
    as_of: AsOf = None,
    f: Annotated[str | None, Query(description=", ".join(FEATURES))] = None,
) -> Response:
    """A page of features. Any queryable is a parameter too: ``?kind=dug`` keeps the items that equal it.

    A file (csv, parquet, fgb, gpkg, xlsx) holds all items that match, unless a limit is stated.
    """
    form = representation(request, f, FEATURES)
    profile = selected(profiles, PROFILES.get(form.name, ()))
    if as_of is None and selection.paging.page is None and "if-none-match" not in request.headers:
        wanted = _wanted(selection.query, profile)
        who, ready = scope_of(state.reader), state.forms[layer.id]
        found = await page_at_once(state.line, who, ready, state.definition, layer, wanted)
        if found is not None:
            standing, page = found

            def produce() -> Response:
                return _written(request, selection, layer, page, standing, form, profile)

            return conditional(request, _named(request, state, standing, form), produce)

    def in_turn() -> Response:
        with connect(state.reader if form.ending is None else state.exporter) as conn:
            rev = None if as_of is None else resolve_as_of(conn, as_of)
            standing = standing_of(conn, layer, rev)
            return _items(conn, request, state, layer, selection, standing, form, profile)

    return await run_in_threadpool(in_turn)


def _items(
    conn: Connection,
    request: Request,
    state: MapState,
    layer: Layer,
    selection: Selection,
    standing: Standing,
    form: Form,
    profile: str | None,
) -> Response:
    rev = standing.rev
    after, before = selection.read_page(standing.touched)
    query = replace(selection.query, rev=rev, after=after, before=before)
    judged, marked = _judged(state, conn, layer, rev), _marked(conn, layer)

    def produce() -> Response:
        if form.ending is not None:
            return layer_file(conn, state, layer, replace(query, limit=selection.paging.limit), form)
        wanted = _wanted(query, profile)
        page = items(conn, state.definition, layer, wanted, standing)
        twins = None
        if profile == PLUS and query.crs != CRS84:
            lonlat = replace(wanted, crs=CRS84, count=False)
            twins = items(conn, state.definition, layer, lonlat, standing).features
        _add_standings(conn, state, layer, page.features, rev)
        return _written(request, selection, layer, page, standing, form, profile, twins, judged)

    return conditional(request, _named(request, state, standing, form, *judged.values(), *marked), produce)


def _named(
    request: Request, state: MapState, standing: Standing, form: Form, *more: object
) -> tuple[object, ...]:
    """All that a page depends on."""
    return ("items", form.name, state.digest, *standing.stamp, *more, str(request.url))


def _written(
    request: Request,
    selection: Selection,
    layer: Layer,
    page: Page,
    standing: Standing,
    form: Form,
    profile: str | None,
    twins: Sequence[dict[str, Any]] | None = None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Response:
    """``page`` as an answer, which also says ``more``."""
    query, links = selection.query, _page_links(request, selection, page, standing.touched, form, profile)
    content = _collection(layer, query, page, profile, twins) | {"links": links}
    headers = _headers(query.crs, links, profile)
    if page.texts is None:
        return as_json({**content, **more}, form.media_type, headers)
    return joined_json(request, content, "features", page.texts, form.media_type, headers)


def _wanted(query: ItemQuery, profile: str | None) -> ItemQuery:
    """The query of a page in ``profile``."""
    return replace(_timed(query, profile), as_text=profile == PLAIN)


def _timed(query: ItemQuery, profile: str | None) -> ItemQuery:
    """The query with what JSON-FG tells of time, also where it is not among the properties asked for."""
    if profile in (None, PLAIN) or query.properties is None:
        return query
    return replace(query, properties=(*query.properties, *TIME_PROPERTIES))


def _headers(crs: NamedCrs, links: list[dict[str, str]], profile: str | None) -> dict[str, str]:
    told = [
        f'<{link["href"]}>; rel="{link["rel"]}"; type="{link["type"]}"'
        for link in links
        if link["rel"] in ("next", "prev") and len(link["href"]) < _LONGEST_HEADER
    ]
    told += [] if profile is None else [profile_header(profile)]
    return {"Content-Crs": f"<{crs.uri}>"} | ({"Link": ", ".join(told)} if told else {})


def _judged(state: MapState, conn: Connection, layer: Layer, rev: int) -> dict[str, Any]:
    """How far a layer of judgements is up to date; nothing for any other layer."""
    if layer.derived != "conflicts":
        return {}
    from gis.screening.conflicts import judged_up_to

    judged = judged_up_to(conn, state.definition, rev)
    return {"judgedRevision": judged.judged_revision, "lagging": judged.lagging}


def _marked(conn: Connection, layer: Layer) -> tuple[object, ...]:
    """What of people's marks enters a tag: the newest, and the day on which marks may expire."""
    if layer.derived != "conflicts":
        return ()
    from gis.screening.marks import last_mark

    return last_mark(conn), datetime.now(UTC).date()


def _add_standings(
    conn: Connection, state: MapState, layer: Layer, features: Sequence[dict[str, Any]], rev: int
) -> None:
    """Say of each conflict since when it is open, and how people marked it."""
    if layer.derived != "conflicts":
        return
    from gis.screening.marks import standings

    found = standings(conn, state.definition, [str(each["id"]) for each in features], rev)
    today = datetime.now(UTC).date()
    for feature in features:
        feature["standing"] = found[str(feature["id"])].as_json(today)


def _collection(
    layer: Layer, query: ItemQuery, page: Page, profile: str | None, twins: Sequence[dict[str, Any]] | None
) -> dict[str, Any]:
    head: dict[str, Any] = {"type": "FeatureCollection"}
    features: Any = page.features
    if profile != PLAIN:
        told, features = as_jsonfg(layer, features, query.crs, query.properties, twins)
        head |= told
    if page.matched is not None:
        head["numberMatched"] = page.matched
    head["numberReturned"] = page.returned
    head["timeStamp"] = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return head if page.texts is not None else head | {"features": features}


def _page_links(
    request: Request, selection: Selection, page: Page, touched: int, form: Form, profile: str | None
) -> list[dict[str, str]]:
    """Links to the neighbouring pages hold on to the revision that this page shows."""
    base = f"{links_base(request)}/collections/{selection.layer}"
    own = [(k, v) for k, v in request.query_params.multi_items() if k not in ("page", "offset")]
    if "as-of" not in request.query_params:
        own.append(("as-of", str(touched)))
    links = alternates(request, form, FEATURES)
    links += [] if profile is None else [profile_link(profile)]
    links.append({"rel": "collection", "type": JSON, "href": base})
    for rel, place in (("next", page.next_after), ("prev", page.previous_before)):
        if place is not None:
            text = selection.write_page(place, touched, back=rel == "prev")
            href = f"{base}/items?{written_query([*own, ('page', text)])}"
            links.append({"rel": rel, "type": form.media_type, "href": href})
    return links


@router.get(
    "/collections/{layer}/items/{uid:path}", summary="One item", dependencies=[Depends(strict_parameters)]
)
def get_item(
    request: Request,
    state: StateDep,
    conn: ConnDep,
    layer: LayerDep,
    uid: str,
    rev: RevDep,
    crs: CrsDep,
    properties: PropertiesDep,
    skip_geometry: SkipGeometryDep,
    profiles: ProfilesDep,
    f: Annotated[str | None, Query(description=", ".join(FEATURE))] = None,
) -> Response:
    """The item called ``uid`` as it was known at ``as-of``."""
    form = representation(request, f, FEATURE)
    profile = selected(profiles, PROFILES[form.name])
    wanted = _timed(ItemQuery(limit=1, properties=properties), profile).properties
    assert profile is not None

    def read(crs: NamedCrs) -> dict[str, Any]:
        return item(
            conn, state.definition, layer, uid,
            rev=rev, crs=crs, properties=wanted, geometry=not skip_geometry,
        )  # fmt: skip

    def produce() -> Response:
        base = f"{links_base(request)}/collections/{layer.id}"
        feature = read(crs)
        _add_standings(conn, state, layer, [feature], rev)
        if profile != PLAIN:
            twins = [read(CRS84)] if profile == PLUS and crs != CRS84 else None
            told, (feature,) = as_jsonfg(layer, [feature], crs, properties, twins)
            feature = told | feature
        feature["provenance"] = asdict(provenance(conn, state.definition, layer, uid, rev=rev))
        feature["links"] = [
            *alternates(request, form, FEATURE),
            profile_link(profile),
            {"rel": "collection", "type": JSON, "href": base},
        ]
        return as_json(feature, form.media_type, _headers(crs, [], profile))

    if layer.role != "derived" and not layer.is_generalised:
        version = stored_version(conn, state.definition, layer, uid, rev)
        tag = stored_tag(request, state, conn, version, str(request.url), form.name)
        return conditional(request, (), produce, tag=tag)
    stamp = content_stamp(conn, [layer.id], rev)
    parts = ("item", form.name, state.digest, *stamp, *_marked(conn, layer), str(request.url))
    return conditional(request, parts, produce)


def stored_tag(
    request: Request, state: MapState, conn: Connection, version: str, address: str, form: str = FEATURE[0]
) -> str:
    """The tag of one version of an item that is kept as it is shown, in ``form`` at ``address``."""
    return item_tag(request, version, (form, state.digest, sources_stamp(conn), address))
