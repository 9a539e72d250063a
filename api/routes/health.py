"""How well each layer stands, and who its data come from."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from api.deps import ConnDep, LayerDep, StateDep, as_json, links_base, strict_parameters
from api.identity import Action, needs
from api.shapes import health_card, source_entry
from gis.revisions import head
from gis.sources import list_sources, show_source

router = APIRouter(tags=["Health"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)])

# The answers change with the time of day, so nobody keeps them.
_FRESH = {"Cache-Control": "no-store"}


@router.get("/health/layers", summary="How well each layer stands")
def get_health_of_layers(request: Request, state: StateDep, conn: ConnDep) -> Response:
    """Age and rows against what was promised, refused rows, coverage, accuracy, harvests."""
    from gis.health import cards

    found = [health_card(card) for card in cards(conn, state.definition)]
    link = {"rel": "self", "type": "application/json", "href": f"{links_base(request)}/health/layers"}
    return as_json({"revision": head(conn), "links": [link], "layers": found}, headers=_FRESH)


@router.get("/health/layers/{layer}", summary="How well one layer stands")
def get_health_of_layer(request: Request, state: StateDep, conn: ConnDep, layer: LayerDep) -> Response:
    """The health card of one layer, with the reasons for its state."""
    from gis.health import cards

    (card,) = cards(conn, state.definition, only=layer.id)
    base = links_base(request)
    links = [
        {"rel": "self", "type": "application/json", "href": f"{base}/health/layers/{layer.id}"},
        {"rel": "collection", "type": "application/json", "href": f"{base}/collections/{layer.id}"},
    ]
    return as_json(health_card(card) | {"links": links}, headers=_FRESH)


@router.get("/sources", summary="Where the data come from")
def get_sources(request: Request, state: StateDep, conn: ConnDep) -> Response:
    """The register of sources: bureau, contact, licence, rhythm, accuracy, and what each holds."""
    found = [source_entry(source) for source in list_sources(conn, state.definition)]
    link = {"rel": "self", "type": "application/json", "href": f"{links_base(request)}/sources"}
    return as_json({"links": [link], "sources": found}, headers=_FRESH)


@router.get("/sources/{name}", summary="One source")
def get_source(state: StateDep, conn: ConnDep, name: str) -> Response:
    """Everything the register says of one source."""
    return as_json(source_entry(show_source(conn, state.definition, name)), headers=_FRESH)
