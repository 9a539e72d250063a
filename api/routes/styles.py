"""Styles: one a layer, named like it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.deps import LanguageDep, StateDep, as_json, links_base, strict_parameters, wants
from api.identity import Action, needs
from gis.features import find_layer
from gis.style import maplibre_style

router = APIRouter(
    prefix="/styles", tags=["Styles"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)]
)

MAPLIBRE = "application/vnd.mapbox.style+json"


@router.get("", summary="All styles")
def get_styles(request: Request, state: StateDep, language: LanguageDep) -> Response:
    """One style for each layer with geometry."""
    base = links_base(request)
    drawn = [layer for layer in state.definition.layers.values() if layer.has_geometry]
    styles = [
        {
            "id": layer.id,
            "title": layer.title.text(language),
            "links": [{"rel": "stylesheet", "type": MAPLIBRE, "href": f"{base}/styles/{layer.id}"}],
        }
        for layer in drawn
    ]
    return as_json({"styles": styles})


@router.get("/{style}", summary="One style")
def get_style(
    request: Request,
    state: StateDep,
    style: str,
    language: LanguageDep,
    f: Annotated[str | None, Query(description="mbs")] = None,
) -> Response:
    """The layer's style for MapLibre, its legend in the metadata."""
    wants(f, "mbs", "json")
    layer = find_layer(state.definition, style)
    tiles = f"{links_base(request)}/collections/{layer.id}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}"
    return as_json(maplibre_style(layer, tiles, language), MAPLIBRE)
