"""Items written one by one (OGC API Features, part 4): create, replace, update, delete."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response

from api.deps import ConnDep, LayerDep, MapState, StateDep, as_json, links_base, strict_parameters
from api.errors import Unsupported
from api.identity import Action, actor, may, needs
from api.representation import FORMS
from api.routes.items import stored_tag
from api.tags import versions_of
from api.writing import own_page
from gis import editing
from gis.axes import NamedCrs, named
from gis.catalogue import CATALOGUE
from gis.db import connect
from gis.editing import Edited, ReadOnly
from gis.errors import AccessError, NotFound, QueryError
from gis.features import find_layer

router = APIRouter(tags=["Editing"])

_GEOJSON, _JSONFG, _JSON = (FORMS[name].essence for name in ("geojson", "jsonfg", "json"))
_MERGE_PATCH = "application/merge-patch+json"
_READS = ("GET", "HEAD", "OPTIONS")
_ITEM = "/collections/{layer}/items/{uid:path}"
_WRITES = [Depends(needs(Action.EDIT)), Depends(own_page), Depends(strict_parameters)]
_FEATURE = {
    "type": "object",
    "required": ["type", "geometry", "properties"],
    "properties": {
        "type": {"type": "string", "enum": ["Feature"]},
        "geometry": {"type": "object", "nullable": True},
        "properties": {"type": "object", "nullable": True},
        "place": {"type": "object", "nullable": True},
        "coordRefSys": {"type": "string"},
    },
}
_PATCH = {"type": "object", "properties": {"geometry": {"type": "object"}, "properties": {"type": "object"}}}


_REPORT: dict[str, Any] = {
    "type": "object",
    "required": ["id", "change", "revision", "findings"],
    "properties": {
        "id": {"type": "string"},
        "change": {"type": "string", "enum": ["created", "changed", "unchanged"]},
        "revision": {"type": "integer", "nullable": True},
        "findings": {"type": "array", "items": {"type": "object"}},
    },
}
_ETAG = {"ETag": {"description": "The version that the item has now", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "The address of the item", "schema": {"type": "string"}}}
_TOLD = {"content": {"application/json": {"schema": _REPORT}}}
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"description": "Created", "headers": _ETAG | _LOCATION, **_TOLD}
}
_CHANGED: dict[int | str, dict[str, Any]] = {
    200: {"description": "What came of it", "headers": _ETAG, **_TOLD},
    204: {"description": "Done, for Prefer: return=minimal", "headers": _ETAG},
}


def _takes(schema: dict[str, Any], *kinds: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}}


def _editable(layer: str, state: StateDep) -> None:
    """Refuse a layer that nobody writes, or not whoever asks; and the catalogue, made from the layers."""
    if layer == CATALOGUE:
        raise ReadOnly(layer, en="it lists layers and reports", zh="它是图层与报告的目录")
    refused = editing.may_edit(state.definition, state.scope, find_layer(state.definition, layer))
    if refused is not None:
        raise refused


ContentCrs = Annotated[
    str | None,
    Header(
        alias="Content-Crs",
        description="CRS of the coordinates in the body, one of the collection's, with the axes of its "
        "authority; CRS84 (longitude, latitude) without it",
    ),
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The ETag that the item must still have; else 412")
]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", description="The request is done once under one key")
]


def _crs(state: StateDep, content_crs: ContentCrs = None) -> NamedCrs | None:
    return None if content_crs is None else named(content_crs, state.definition.district)


CrsOfBody = Annotated[NamedCrs | None, Depends(_crs)]


class _Body:
    """A dependency: the JSON of a body that says it is one of ``kinds``; 415 for others, 400 for no JSON."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds

    async def __call__(self, request: Request) -> Any:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in self.kinds:
            listed = ", ".join(self.kinds)
            raise Unsupported(f"The body is {listed}.", f"请求体须为 {listed}。")
        try:
            return orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            raise QueryError(f"The body is no JSON: {error}.", f"请求体不是 JSON：{error}。") from None


FeatureBody = Annotated[Any, Depends(_Body(_GEOJSON, _JSONFG, _JSON))]
PatchBody = Annotated[Any, Depends(_Body(_MERGE_PATCH, _JSON))]


@router.post(
    "/collections/{layer}/items",
    status_code=201,
    summary="Create an item",
    dependencies=[*_WRITES, Depends(_editable)],
    responses=_CREATED,
    openapi_extra=_takes(_FEATURE, _GEOJSON, _JSONFG, _JSON),
)
def post_item(
    request: Request,
    state: StateDep,
    layer: LayerDep,
    crs: CrsOfBody,
    body: FeatureBody,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new item; Location is its address. A layer with a key names it by that."""
    document = editing.read_document(body, crs, state.definition.district)
    done = editing.create(
        state.engine, state.definition, layer, document, who=actor(request, "web"), most_vertices=_most(state)
    )
    request.state.audited = f"POST {request.url.path}/{done.uid}"
    location = f"{links_base(request)}/collections/{layer.id}/items/{quote(done.uid, safe='')}"
    return _answer(request, state, done, 201, {"Location": location})


@router.put(
    _ITEM,
    summary="Replace an item",
    dependencies=[*_WRITES, Depends(_editable)],
    responses=_CHANGED,
    openapi_extra=_takes(_FEATURE, _GEOJSON, _JSONFG, _JSON),
)
def put_item(
    request: Request,
    state: StateDep,
    layer: LayerDep,
    uid: str,
    crs: CrsOfBody,
    body: FeatureBody,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The item becomes what the body says. Content that it had already makes no revision."""
    versions = versions_of(request)
    document = editing.read_document(body, crs, state.definition.district)
    try:
        done = editing.replace(
            state.engine, state.definition, layer, uid, document,
            versions=versions, who=actor(request, "web"), most_vertices=_most(state),
        )  # fmt: skip
    except NotFound:
        if versions is None:
            raise
        raise editing.StaleItem(layer.id, uid) from None  # 20-002r1, put-rid-exception B
    return _answer(request, state, done, 200)


@router.patch(
    _ITEM,
    summary="Update an item",
    dependencies=[*_WRITES, Depends(_editable)],
    responses=_CHANGED,
    openapi_extra=_takes(_PATCH, _MERGE_PATCH, _JSON),
)
def patch_item(
    request: Request,
    state: StateDep,
    layer: LayerDep,
    uid: str,
    crs: CrsOfBody,
    body: PatchBody,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """What the body names changes, null removes it (JSON merge patch, RFC 7396); the rest stays."""
    done = editing.update(
        state.engine, state.definition, layer, uid, body, crs,
        versions=versions_of(request), who=actor(request, "web"), most_vertices=_most(state),
    )  # fmt: skip
    return _answer(request, state, done, 200)


@router.delete(_ITEM, status_code=204, summary="Delete an item", dependencies=[*_WRITES, Depends(_editable)])
def delete_item(
    request: Request,
    state: StateDep,
    layer: LayerDep,
    uid: str,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The item ends with a new revision; as of earlier ones it is still there."""
    editing.delete(
        state.engine, state.definition, layer, uid,
        versions=versions_of(request), who=actor(request, "web"),
    )  # fmt: skip
    return Response(status_code=204)


@router.options(
    "/collections/{layer}/items",
    include_in_schema=False,
    dependencies=[Depends(needs(Action.READ))],
)
def options_items(request: Request, state: StateDep, layer: str) -> Response:
    """The methods that whoever asks may use, in Allow."""
    request.state.shown = ()
    writes = layer != CATALOGUE and _may(request, state, layer)
    return _allow((*_READS, "POST") if writes else _READS)


@router.options(
    _ITEM,
    include_in_schema=False,
    dependencies=[Depends(needs(Action.READ))],
)
def options_item(request: Request, state: StateDep, conn: ConnDep, layer: str, uid: str) -> Response:
    """The methods that whoever asks may use, in Allow."""
    request.state.shown = ()  # nobody has seen anything of it, the audit log need not say so
    if layer == CATALOGUE:
        return _allow(_READS)
    found = find_layer(state.definition, layer)
    editing.stored_version(conn, state.definition, found, uid, None)  # NotFound without it
    if not _may(request, state, layer):
        return _allow(_READS)
    try:
        editing.hold(state.engine, state.definition, found, uid, None)
    except AccessError:
        return _allow(_READS)
    return _allow((*_READS, "PUT", "PATCH", "DELETE"))


def _may(request: Request, state: MapState, layer: str) -> bool:
    found = find_layer(state.definition, layer)
    return editing.may_edit(state.definition, state.scope, found) is None and may(request, Action.EDIT)


def _allow(methods: tuple[str, ...]) -> Response:
    headers = {"Allow": ", ".join(sorted(methods)), "Cache-Control": "no-store"}
    return Response(status_code=200, headers=headers)


def _most(state: MapState) -> int:
    return state.settings.import_vertices


def _answer(
    request: Request,
    state: MapState,
    done: Edited,
    status: int,
    headers: dict[str, str] | None = None,
) -> Response:
    """What came of a change, with the tag that the item has now; bare for ``Prefer: return=minimal``."""
    assert done.version is not None
    headers = headers or {}
    address = headers.get("Location", str(request.url.replace(query="")))
    with connect(state.reader) as conn:
        headers["ETag"] = stored_tag(request, state, conn, done.version, address)
    headers["Cache-Control"] = "no-store"
    if "return=minimal" in request.headers.get("prefer", "").replace(" ", "").lower():
        headers["Preference-Applied"] = "return=minimal"
        if status != 201:
            return Response(status_code=204, headers=headers)
    told = {
        "id": done.uid,
        "change": done.change,
        "revision": done.rev,
        "findings": [each.as_json() for each in done.findings],
    }
    return Response(as_json(told).body, status, headers, "application/json")
