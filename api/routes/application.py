"""What the map itself asks for: its configuration, the summary of conflicts, and the search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.configuration import configuration
from api.deps import ConnDep, RevDep, StateDep, as_json, conditional, strict_parameters
from api.identity import Action, needs
from api.routes.tiles import content_name
from api.shapes import conflict_numbers
from gis.features import content_stamp, layer_facts, search
from gis.revisions import head

router = APIRouter(
    prefix="/app", tags=["Map"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)]
)


@router.get("/config", summary="Everything the map needs to draw itself")
def get_config(request: Request, state: StateDep, conn: ConnDep, rev: RevDep) -> Response:
    """District, themes, layers with fields and legend, rasters, rules."""
    stamp = content_stamp(conn, state.definition.layers, rev)

    def produce() -> Response:
        facts = layer_facts(conn, state.definition, rev)
        names = {
            layer.id: content_name(layer, (facts[layer.id].last_revision, stamp[1]), state.scope)
            for layer in state.definition.layers.values()
        }
        return as_json(configuration(state, facts, names, rev))

    return conditional(request, ("config", state.digest, head(conn), rev, *stamp), produce)


@router.get("/conflicts", summary="Conflicts in numbers")
def get_conflicts(request: Request, state: StateDep, conn: ConnDep, rev: RevDep) -> Response:
    """By verdict, severity, rule and township, and up to which revision they have been judged."""
    from gis.screening.conflicts import summary

    return conditional(
        request,
        ("conflicts", state.digest, rev),
        lambda: as_json(conflict_numbers(summary(conn, state.definition, rev))),
    )


@router.get("/search", summary="Rows by name or identifier")
def get_search(
    state: StateDep,
    conn: ConnDep,
    q: Annotated[str, Query(description="Part of a label, or the beginning of an identifier")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The closest matches first."""
    return as_json(search(conn, state.definition, q, limit=limit))
