"""What people say of conflicts: challenged, accepted with a reason, or taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.bodies import JsonRoute
from api.deps import ConnDep, StoreDep, as_json, strict_parameters
from api.identity import Action, actor, needs
from api.models import NewMark
from api.writing import own_page, with_json
from gis.db import connect

router = APIRouter(
    prefix="/conflicts",
    tags=["Conflicts"],
    dependencies=[Depends(needs(Action.MARK)), Depends(strict_parameters)],
    route_class=JsonRoute,
)

_STANDING: dict[str, Any] = {
    "type": "object",
    "required": ["since", "since_revision", "days", "status", "mark", "history", "marks"],
    "properties": {
        "since": {"type": "string", "format": "date-time"},
        "since_revision": {"type": "integer"},
        "days": {"type": "integer"},
        "status": {"type": "string"},
        "mark": {"type": "object", "nullable": True},
        "history": {"type": "array", "items": {"type": "object"}},
        "marks": {"type": "array", "items": {"type": "object"}},
    },
}


@router.post(
    "/marks",
    status_code=201,
    summary="Mark a conflict",
    dependencies=[Depends(own_page), Depends(with_json)],
    responses={201: {"content": {"application/json": {"schema": _STANDING}}}},
)
def post_mark(request: Request, store: StoreDep, conn: ConnDep, wanted: NewMark) -> Response:
    """The conflict stays what it is; the newest mark counts. The answer says how it stands now."""
    from gis.screening.marks import mark, require_open

    require_open(conn, store.definition, wanted.uid)
    conn.close()
    request.state.audited = wanted.uid
    with connect(store.engine, write=True) as writing:
        standing = mark(
            writing, store.definition, wanted.uid, wanted.mark, why=wanted.why, who=actor(request, "http"),
            until=wanted.until,
        )  # fmt: skip
    answer = as_json(standing.as_json(datetime.now(UTC).date()), headers={"Cache-Control": "no-store"})
    answer.status_code = 201
    return answer
