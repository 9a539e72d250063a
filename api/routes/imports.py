"""Files into layers: upload, look at what was understood, decide, try, import."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.bodies import JsonRoute
from api.deps import MapState, StateDep, StoreDep, as_json, strict_parameters, wants
from api.identity import Action, actor, may, needs
from api.models import ImportCommit, ImportPlan
from api.reception import receive
from api.writing import own_page, require_unlimited, require_writer, with_json
from gis.errors import QueryError
from gis.uploads import Plan, Source, Upload, Workshop, rejects, steps

router = APIRouter(
    prefix="/imports",
    tags=["Imports"],
    dependencies=[Depends(strict_parameters)],
    route_class=JsonRoute,
)

_NO_STORE = {"Cache-Control": "no-store"}
_MAY = [Depends(needs(Action.IMPORT)), Depends(require_unlimited)]
_WRITES = [*_MAY, Depends(own_page)]
_WRITES_JSON = [*_WRITES, Depends(with_json)]


def _workshop(request: Request) -> Workshop:
    found: Workshop = request.app.state.workshop
    return found


WorkshopDep = Annotated[Workshop, Depends(_workshop)]


def _upload(
    id: Annotated[str, Path(description="As POST /imports gave it")], workshop: WorkshopDep
) -> Upload:
    upload = workshop.uploads.find(id)
    workshop.mend(upload)
    return upload


UploadDep = Annotated[Upload, Depends(_upload)]
LayerQuery = Annotated[str | None, Query(description="Layer; the likeliest without one")]


@router.get(
    "",
    summary="Whether files may be imported here, and how large ones",
    dependencies=[Depends(needs(Action.READ))],
)
def get_imports(request: Request, state: StateDep, workshop: WorkshopDep) -> Response:
    """By role; while there are no accounts by where the request comes from, see ONEMAP_ALLOW_IMPORTS."""
    allowed = may(request, Action.IMPORT) and state.scope.areas is None
    if allowed:
        workshop.prepare()  # whoever asks is about to upload
    told = {
        "allowed": allowed,
        "max_bytes": state.settings.import_file_mb * 2**20,
    }
    return as_json(told, headers=_NO_STORE)


@router.post(
    "",
    status_code=201,
    summary="Upload the files of one dataset",
    dependencies=_WRITES,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["files"],
                        "properties": {
                            "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                        },
                    }
                }
            },
        }
    },
)
async def post_import(request: Request, workshop: WorkshopDep) -> Response:
    """One file, one zip, or the parts of one shapefile; reading begins at once in the background."""
    upload = await run_in_threadpool(workshop.uploads.create)
    try:
        files = await receive(request, upload.files)
        upload.note(files=files)
        await run_in_threadpool(workshop.start_reading, upload)
    except BaseException as error:
        await run_in_threadpool(workshop.uploads.remove, upload)
        if isinstance(error, ClientDisconnect):
            return Response(status_code=400)  # nobody reads it
        raise
    body = {"id": upload.id, "state": upload.state["state"], "files": files}
    return Response(
        as_json(body).body, 201, _NO_STORE | {"Location": f"/imports/{upload.id}"}, "application/json"
    )


@router.get("/{id}", summary="How far an import is, and all that is known of it", dependencies=_MAY)
def get_import(upload: UploadDep, state: StoreDep, layer: LayerQuery = None) -> Response:
    """State, progress, what the file is, proposed layers, CRS and columns, the dry run, the result."""
    stage = upload.state
    told: dict[str, Any] = {"id": upload.id} | {
        key: stage.get(key) for key in ("state", "files", "progress", "problem", "job")
    }
    facts = upload.read("facts")
    if facts is not None and stage["state"] != "reading":
        told |= facts | {"layers": upload.read("layers")}
        told["proposal"] = _proposal(upload, state, layer)
        told |= {name: upload.read(name) for name in ("plan", "check", "result")}
    return as_json(told, headers=_NO_STORE)


def _proposal(upload: Upload, state: MapState, layer: str | None) -> dict[str, Any] | None:
    """For the layer asked for, else the planned, else the likeliest; without rows only what was kept."""
    plan = upload.read("plan")
    ranked = upload.read("layers") or []
    chosen = layer or (plan["layer"] if plan else ranked[0]["id"] if ranked else None)
    if chosen is None:
        return None
    steps.importable(state.definition, chosen)
    if not upload.spool.is_dir():
        kept: dict[str, Any] | None = upload.read(f"proposal-{chosen}")
        return kept
    return steps.proposal(upload, state.engine, state.definition, chosen)


@router.get("/{id}/preview", summary="Where the rows would lie in one CRS", dependencies=_MAY)
def get_preview(
    upload: UploadDep,
    state: StoreDep,
    crs: Annotated[str, Query(max_length=200, description="EPSG:4549, CRS84, GCJ-02, ...")],
    layer: LayerQuery = None,
    group: Annotated[int | None, Query(description="Only the rows of this group of the proposal")] = None,
) -> Response:
    """At most 2,000 rows, simplified, in the form of GeoJSON in lon/lat."""
    proposal = _proposal(upload, state, layer)
    if proposal is None or not upload.spool.is_dir():
        raise QueryError("There are no rows to show.", "没有可显示的数据行。")
    found = steps.preview(upload, state.definition, proposal["layer"], crs, group)
    return as_json(found, headers=_NO_STORE)


@router.post("/{id}/plan", status_code=202, summary="Decide, and try it", dependencies=_WRITES_JSON)
def post_plan(
    request: Request, upload: UploadDep, workshop: WorkshopDep, state: StateDep, plan: ImportPlan
) -> Response:
    """The dry run goes on in the background; GET tells its outcome as "check"."""
    require_writer(request, state, plan.layer)
    steps.importable(state.definition, plan.layer)
    name = plan.source.name.strip() or _stem(upload)
    source = Source(**plan.source.model_dump() | {"name": name})
    given = plan.model_dump(exclude={"source"})
    workshop.start_check(upload, Plan(source=source, **given))
    return _accepted(upload)


def _stem(upload: Upload) -> str:
    files = upload.state.get("files") or [{"name": "upload"}]
    return PurePath(files[0]["name"]).stem


@router.get("/{id}/changes", summary="What the dry run would change, on the map", dependencies=_MAY)
def get_changes(upload: UploadDep) -> Response:
    """Some of the rows that would be added, changed and closed, in the form of GeoJSON with "change"."""
    found = upload.read("changes")
    if found is None:
        raise QueryError(
            "There is no dry run yet.", "尚未试算。",
            remedy_en="POST a plan first.", remedy_zh="请先提交导入方案。",
        )  # fmt: skip
    return as_json(found, headers=_NO_STORE)


@router.post("/{id}/commit", status_code=202, summary="Import as tried", dependencies=_WRITES_JSON)
def post_commit(request: Request, upload: UploadDep, workshop: WorkshopDep, commit: ImportCommit) -> Response:
    """One transaction and one revision, in the background; GET tells progress and the result."""
    workshop.start_commit(upload, actor(request, "web"), close_many=commit.close_many)
    return _accepted(upload)


def _accepted(upload: Upload) -> Response:
    body = {"id": upload.id, "state": upload.state["state"]}
    return Response(
        as_json(body).body, 202, _NO_STORE | {"Location": f"/imports/{upload.id}"}, "application/json"
    )


@router.get("/{id}/rejects", summary="Refused and mended rows with reasons", dependencies=_MAY)
def get_rejects(
    upload: UploadDep,
    state: StoreDep,
    f: Annotated[str | None, Query(description="csv, geojson, xlsx, or original: its own format")] = None,
) -> Response:
    """A file to mend and to import again; after the dry run already."""
    wants(f, *rejects.FORMATS)
    made = rejects.export(state.engine, state.definition, upload, f or "csv")
    headers = _NO_STORE | {"Content-Disposition": _attachment(made.name)}
    return Response(made.content, 200, headers, made.media_type)


def _attachment(name: str) -> str:
    """A Content-Disposition whose name may be Chinese (RFC 6266)."""
    from urllib.parse import quote

    return f"attachment; filename*=UTF-8''{quote(name)}"


@router.delete("/{id}", status_code=204, summary="Remove an upload", dependencies=_WRITES)
def delete_import(upload: UploadDep, workshop: WorkshopDep) -> Response:
    """Its files and findings go; what was imported stays."""
    workshop.uploads.remove(upload)
    return Response(status_code=204)
