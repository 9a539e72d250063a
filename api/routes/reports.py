"""Stored reports: each in its forms, as it was first shown, and whether it still holds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.deps import ConnDep, LanguageDep, StateDep, as_json, links_base, strict_parameters, wants
from api.identity import Action, needs
from gis.errors import QueryError

router = APIRouter(
    prefix="/reports",
    tags=["Reports"],
    dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)],
)

# A report never changes; it is kept by whoever may read it, not by what stands between.
_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
# The page has its own styles and no script, and asks for nothing.
_PAGE_POLICY = "; ".join(
    [
        *("default-src 'none'", "style-src 'unsafe-inline'", "base-uri 'none'", "form-action 'none'"),
        "frame-ancestors 'self'",
    ]
)
_SHOWN = {"json", "html", "pdf"}

NumberPath = Annotated[str, Path(description="The report's number: SHA-256 of its record")]
LangQuery = Annotated[str | None, Query(description="zh or en; as the request prefers without one")]


_OFFICE = "application/vnd.openxmlformats-officedocument"
_FORMS = (
    "application/json",
    "text/html",
    "application/pdf",
    f"{_OFFICE}.wordprocessingml.document",
    f"{_OFFICE}.spreadsheetml.sheet",
    "application/geopackage+sqlite3",
)


@router.get(
    "/{id}", summary="A report as it was made", responses={200: {"content": {media: {} for media in _FORMS}}}
)
def get_report(
    request: Request,
    state: StateDep,
    conn: ConnDep,
    language: LanguageDep,
    id: NumberPath,
    f: Annotated[str | None, Query(description="json, html, pdf, docx, xlsx or gpkg")] = None,
    lang: LangQuery = None,
) -> Response:
    """The record (JSON), or the page, print, document, workbook or GeoPackage made from it."""
    from gis.reports import FACES, JSON, open_report, public_address, report_face

    wants(f, JSON, *FACES)
    face, chosen = f or _preferred(request), _chosen(lang, language)
    report = open_report(conn, id)
    conn.close()  # a first rendering may take a while
    tag = f'W/"{report.report_id[:32]}-{face}{"" if face == JSON else f"-{chosen}"}"'
    negotiated = f is None or (lang is None and face != JSON)
    headers = {
        "ETag": tag,
        "Cache-Control": _ASK_AGAIN if negotiated else _FOR_EVER,
        "Vary": "Accept, Accept-Language",
        "Link": f'<{links_base(request)}/reports/{report.report_id}/current>; rel="latest-version"',
    }
    held = {entry.strip() for entry in request.headers.get("if-none-match", "").split(",")}
    if tag in held:
        return Response(status_code=304, headers=headers)
    address = public_address(state.settings, report.report_id)
    body = report_face(state.engine, report, face, chosen, address=address)
    suffix = ".json" if face == JSON else FACES[face].suffix
    how = "inline" if face in _SHOWN else "attachment"
    headers["Content-Disposition"] = f'{how}; filename="onemap-{report.report_id[:12]}{suffix}"'
    if face == "html":
        headers["Content-Security-Policy"] = _PAGE_POLICY
    media = "application/json" if face == JSON else FACES[face].media_type
    return Response(body, headers=headers, media_type=media)


@router.get("/{id}/current", summary="Whether a report still holds")
def get_current(
    request: Request,
    state: StateDep,
    conn: ConnDep,
    language: LanguageDep,
    id: NumberPath,
    f: Annotated[str | None, Query(description="json or html")] = None,
    lang: LangQuery = None,
) -> Response:
    """The same question on today's revision and law: still valid, or what changed and because of what."""
    from gis.reports import current_page, current_state, open_report

    wants(f, "json", "html")
    chosen = _chosen(lang, language)
    report = open_report(conn, id)
    conn.close()
    found = current_state(state.engine, state.definition, state.settings, report)
    headers = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}
    if (f or _preferred(request)) != "html":
        return as_json(found, headers=headers)
    headers["Content-Security-Policy"] = _PAGE_POLICY
    return Response(current_page(found, chosen), headers=headers, media_type="text/html; charset=utf-8")


def _chosen(lang: str | None, language: str) -> str:
    from gis.reports import LANGUAGES

    if lang is not None and lang not in LANGUAGES:
        raise QueryError(f"There is no language {lang[:40]!r}.", f"没有语言“{lang[:40]}”。")
    return lang or language


def report_link(base: str, report_id: str, created: str, expires: str) -> dict[str, Any]:
    """What an answer says of the report that was stored with it."""
    from gis.reports import FACES, JSON

    own = f"{base}/reports/{report_id}"
    types = {JSON: "application/json"} | {name: face.media_type for name, face in FACES.items()}
    return {
        "id": report_id,
        "href": own,
        "created": created,
        "expires": expires,
        "links": [
            {"rel": "alternate", "type": media, "href": f"{own}?f={name}", "format": name}
            for name, media in types.items()
        ]
        + [{"rel": "latest-version", "type": "application/json", "href": f"{own}/current"}],
    }


def _preferred(request: Request) -> str:
    """The form that the Accept header names first; JSON for whoever takes anything."""
    from gis.reports import FACES, JSON

    types = {face.media_type.partition(";")[0]: name for name, face in FACES.items()}
    for entry in request.headers.get("accept", "").split(","):
        media = entry.partition(";")[0].strip().lower()
        if media in types:
            return types[media]
        if media in ("application/json", "*/*", "application/*"):
            return JSON
    return JSON
