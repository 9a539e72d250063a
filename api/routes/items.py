"""Items of a layer: pages, and single ones (OGC API Features)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from api.deps import (
    GEOJSON,
    BBoxDep,
    ConnDep,
    CrsDep,
    IntervalDep,
    LayerDep,
    MapState,
    RevDep,
    StateDep,
    as_json,
    conditional,
    links_base,
    property_filters,
    strict_parameters,
    wants,
)
from api.identity import Action, needs
from gis.features import ItemQuery, Page, content_stamp, item, items
from gis.sources import provenance
from layers.model import Layer

router = APIRouter(tags=["Features"], dependencies=[Depends(needs(Action.READ))])

DEFAULT_LIMIT = 100


@router.get("/collections/{layer}/items", summary="Items of a layer")
def get_items(
    request: Request,
    state: StateDep,
    conn: ConnDep,
    layer: LayerDep,
    rev: RevDep,
    bbox: BBoxDep,
    interval: IntervalDep,
    crs: CrsDep,
    limit: Annotated[int, Query(ge=1, description="Items a page; more than the maximum is cut to it")] = (
        DEFAULT_LIMIT
    ),
    offset: Annotated[
        int, Query(ge=0, le=10**9, description="Items to leave out; links page without it")
    ] = 0,
    after: Annotated[int, Query(alias="page-after", ge=0, le=2**62, description="Set by links")] = 0,
    before: Annotated[
        int | None, Query(alias="page-before", ge=0, le=2**62, description="Set by links")
    ] = None,
    f: Annotated[str | None, Query(description="json")] = None,
) -> Response:
    """A page of features. Any property is a parameter too: ``?kind=dug`` keeps the items that equal it."""
    wants(f, "json", "geojson")
    query = ItemQuery(
        limit=min(limit, state.settings.max_features),
        rev=rev,
        bbox=bbox,
        interval=interval,
        filters=property_filters(request),
        after=after,
        before=before,
        offset=offset,
        crs=crs,
    )
    stamp = content_stamp(conn, [layer.id], rev)
    judged, marked = _judged(state, conn, layer, rev), _marked(conn, layer)

    def produce() -> Response:
        page = items(conn, state.definition, layer, query)
        _add_standings(conn, state, layer, page.features, rev)
        content = _collection(request, layer.id, page, stamp[0]) | judged
        return as_json(content, GEOJSON, {"Content-Crs": f"<{crs.uri}>"})

    return conditional(
        request, ("items", state.digest, *stamp, *judged.values(), *marked, links_base(request)), produce
    )


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
    conn: Connection, state: MapState, layer: Layer, features: list[dict[str, Any]], rev: int
) -> None:
    """Say of each conflict since when it is open, and how people marked it."""
    if layer.derived != "conflicts":
        return
    from gis.screening.marks import standings

    found = standings(conn, state.definition, [str(each["id"]) for each in features], rev)
    today = datetime.now(UTC).date()
    for feature in features:
        feature["standing"] = found[str(feature["id"])].as_json(today)


def _collection(request: Request, layer: str, page: Page, touched: int) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "numberMatched": page.matched,
        "numberReturned": len(page.features),
        "links": _page_links(request, layer, page, touched),
        "features": page.features,
    }


def _page_links(request: Request, layer: str, page: Page, touched: int) -> list[dict[str, str]]:
    """Links to the neighbouring pages hold on to the revision that this page shows."""
    base = f"{links_base(request)}/collections/{layer}"
    own = [
        (k, v)
        for k, v in request.query_params.multi_items()
        if k not in ("page-after", "page-before", "offset")
    ]
    if "as-of" not in request.query_params:
        own.append(("as-of", str(touched)))
    links = [
        {"rel": "self", "type": GEOJSON, "href": str(request.url)},
        {"rel": "collection", "type": "application/json", "href": base},
    ]
    ends = (("next", "page-after", page.next_after), ("prev", "page-before", page.previous_before))
    for rel, name, row in ends:
        if row is not None:
            href = f"{base}/items?{urlencode([*own, (name, str(row))])}"
            links.append({"rel": rel, "type": GEOJSON, "href": href})
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
    f: Annotated[str | None, Query(description="json")] = None,
) -> Response:
    """The item called ``uid`` as it was known at ``as-of``."""
    wants(f, "json", "geojson")
    stamp = content_stamp(conn, [layer.id], rev)

    def produce() -> Response:
        base = f"{links_base(request)}/collections/{layer.id}"
        feature = item(conn, state.definition, layer, uid, rev=rev, crs=crs)
        _add_standings(conn, state, layer, [feature], rev)
        feature["provenance"] = asdict(provenance(conn, state.definition, layer, uid, rev=rev))
        feature["links"] = [
            {"rel": "self", "type": GEOJSON, "href": f"{base}/items/{quote(uid, safe='')}"},
            {"rel": "collection", "type": "application/json", "href": base},
        ]
        return as_json(feature, GEOJSON, {"Content-Crs": f"<{crs.uri}>"})

    return conditional(
        request, ("item", uid, state.digest, *stamp, *_marked(conn, layer), links_base(request)), produce
    )
