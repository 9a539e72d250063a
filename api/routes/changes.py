"""What changed, for whoever keeps a copy or builds on the map: one feed for all layers, in commit order."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from api.asyncapi import describe_events
from api.deps import GEOJSON, ConnDep, StateDep, as_json, links_base, strict_parameters
from api.identity import Action, needs
from gis.changes import RowChange, after_revision, changes, read_cursor, write_cursor
from gis.errors import QueryError
from gis.features import find_layer

router = APIRouter(tags=["Changes"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)])

ASYNCAPI = "application/vnd.aai.asyncapi+json;version=3.0.0"
_FRESH = {"Cache-Control": "no-store"}


@router.get("/changes", summary="What changed")
def get_changes(
    request: Request,
    state: StateDep,
    conn: ConnDep,
    since: Annotated[
        int | None,
        Query(
            ge=0, le=2**62, description="The last revision that is known already; without it from the first"
        ),
    ] = None,
    cursor: Annotated[
        str | None, Query(max_length=2000, description="Where the answer before ended, instead of since")
    ] = None,
    layer: Annotated[list[str] | None, Query(description="Only these layers", max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Most changes in the answer")] = 1000,
) -> Response:
    """Rows added, changed and closed, in the order in which that was committed.

    Follow the link ``next`` while there is one; later go on with the last ``cursor``. Nothing is left out and
    nothing comes twice, also while others write.
    """
    if since is not None and cursor is not None:
        raise QueryError(
            "Say where to begin: either since or cursor.", "起点只能用 since 或 cursor 之一指明。"
        )
    asked = None if layer is None else [find_layer(state.definition, name).id for name in layer]
    position = after_revision(conn, since or 0) if cursor is None else read_cursor(cursor)
    page = changes(conn, state.definition, position, layers=asked, limit=limit)
    base, word = links_base(request), write_cursor(page.position)
    kept = [("layer", name) for name in asked or ()] + [("limit", str(limit))]
    links = [{"rel": "self", "type": "application/json", "href": str(request.url)}]
    if page.more:
        query = urlencode([("cursor", word), *kept])
        links.append({"rel": "next", "type": "application/json", "href": f"{base}/changes?{query}"})
    body = {
        "revision": page.head,
        "cursor": word,
        "changes": [change_entry(change, base) for change in page.changes],
        "links": links,
    }
    return as_json(body, headers=_FRESH)


@router.get(
    "/asyncapi",
    summary="What the service sends by itself",
    responses={200: {"content": {ASYNCAPI: {}}}},
)
def get_asyncapi(request: Request, state: StateDep) -> Response:
    """The webhooks as AsyncAPI 3.0."""
    return as_json(describe_events(state.version, links_base(request)), ASYNCAPI)


def change_entry(change: RowChange, base: str) -> dict[str, Any]:
    """A change as clients read it, with a link to the row as it was written, or as it last stood."""
    stood = change.rev - 1 if change.change == "closed" else change.rev
    href = f"{base}/collections/{change.layer}/items/{quote(change.uid, safe='')}?as-of={stood}"
    return {
        "revision": change.rev,
        "time": change.at,
        "layer": change.layer,
        "uid": change.uid,
        "change": change.change,
        "links": [{"rel": "item", "type": GEOJSON, "href": href}],
    }
