"""What each source states about one thing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.deps import ConnDep, LayerDep, StateDep, as_json, strict_parameters
from api.identity import Action, needs
from gis.linking import Claim, Thing, thing

router = APIRouter(tags=["Features"], dependencies=[Depends(needs(Action.READ))])


@router.get(
    "/collections/{layer}/claims/{uid:path}",
    summary="What the sources state about the thing that an item means",
    dependencies=[Depends(strict_parameters)],
)
def get_claims(request: Request, state: StateDep, conn: ConnDep, layer: LayerDep, uid: str) -> Response:
    """Every field with its claims, the one to show first; ``uids`` are all rows that mean the thing."""
    found = thing(conn, state.definition, layer, uid)
    return as_json(_shape(found), "application/json")


def _shape(found: Thing) -> dict[str, Any]:
    fields = {name: [_claim(claim) for claim in claims] for name, claims in found.fields.items() if claims}
    return {"uids": found.uids, "fields": fields, "places": [_claim(claim) for claim in found.places]}


def _claim(claim: Claim) -> dict[str, Any]:
    held = asdict(claim)
    title = {"zh": held.pop("title_zh"), "en": held.pop("title_en")}
    return held | {"title": title}
