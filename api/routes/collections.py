"""Layers as collections (OGC API Common and Features): what there is, which properties, which code lists."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.deps import (
    GEOJSON,
    ConnDep,
    LanguageDep,
    LayerDep,
    MapState,
    RevDep,
    StateDep,
    as_json,
    conditional,
    links_base,
    strict_parameters,
)
from api.identity import Action, needs
from api.routes.schemas import queryables, schema
from gis.axes import CRS84, choices
from gis.features import LayerFacts, content_stamp, layer_facts
from layers.model import Layer

router = APIRouter(
    tags=["Collections"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)]
)

_REL = "http://www.opengis.net/def/rel/ogc/1.0"


@router.get("/collections", summary="All layers")
def get_collections(
    request: Request, state: StateDep, conn: ConnDep, rev: RevDep, language: LanguageDep
) -> Response:
    """Every layer with its extent and number of rows."""
    layers = state.definition.layers
    stamp = content_stamp(conn, layers, rev)

    def produce() -> Response:
        facts = layer_facts(conn, state.definition, rev)
        base = links_base(request)
        described = [_describe(state, layer, facts[layer.id], base, language) for layer in layers.values()]
        link = {"rel": "self", "type": "application/json", "href": f"{base}/collections"}
        return as_json({"links": [link], "collections": described})

    return conditional(request, ("collections", state.digest, *stamp, links_base(request), language), produce)


@router.get("/collections/{layer}", summary="One layer")
def get_collection(
    request: Request, state: StateDep, conn: ConnDep, layer: LayerDep, rev: RevDep, language: LanguageDep
) -> Response:
    """A layer with its extent and number of rows."""
    stamp = content_stamp(conn, [layer.id], rev)

    def produce() -> Response:
        facts = layer_facts(conn, state.definition, rev, [layer])[layer.id]
        return as_json(_describe(state, layer, facts, links_base(request), language))

    return conditional(request, ("collection", state.digest, *stamp, links_base(request), language), produce)


def _describe(state: MapState, layer: Layer, facts: LayerFacts, base: str, language: str) -> dict[str, Any]:
    own = f"{base}/collections/{layer.id}"
    west, south, east, north = facts.extent or state.definition.district.extent
    described: dict[str, Any] = {
        "id": layer.id,
        "title": layer.title.text(language),
        "description": layer.abstract.text(language),
        "attribution": state.definition.district.attribution.text(language),
        "itemType": "feature",
        "extent": {"spatial": {"bbox": [[west, south, east, north]], "crs": CRS84.uri}},
        "crs": [crs.uri for crs in choices(state.definition.district)],
        "storageCrs": f"http://www.opengis.net/def/crs/EPSG/0/{state.definition.district.storage_crs}",
        "role": layer.role,
        "geometryType": layer.geometry,
        "itemCount": facts.count,
        "lastRevision": facts.last_revision,
        "isDemonstration": facts.is_demonstration,
        "isIndicative": facts.is_indicative,
        "links": _links(own, base, layer),
    }
    return described


def _links(own: str, base: str, layer: Layer) -> list[dict[str, str]]:
    links = [
        {"rel": "self", "type": "application/json", "href": own},
        {"rel": "items", "type": GEOJSON, "href": f"{own}/items"},
        {"rel": f"{_REL}/queryables", "type": "application/schema+json", "href": f"{own}/queryables"},
        {"rel": f"{_REL}/schema", "type": "application/schema+json", "href": f"{own}/schema"},
        {"rel": "status", "type": "application/json", "href": f"{base}/health/layers/{layer.id}"},
    ]
    if layer.has_geometry:
        links += [
            {"rel": f"{_REL}/tilesets-vector", "type": "application/json", "href": f"{own}/tiles"},
            {"rel": f"{_REL}/styles", "type": "application/json", "href": f"{base}/styles/{layer.id}"},
        ]
    return links


@router.get("/collections/{layer}/queryables", summary="What items can be filtered by")
def get_queryables(request: Request, layer: LayerDep, language: LanguageDep) -> Response:
    """A JSON Schema of the parameters that filter items."""
    body = queryables(layer, f"{links_base(request)}/collections/{layer.id}/queryables", language)
    return as_json(body, "application/schema+json")


@router.get("/collections/{layer}/schema", summary="What an item holds")
def get_schema(request: Request, layer: LayerDep, language: LanguageDep) -> Response:
    """A JSON Schema of an item's properties."""
    body = schema(layer, f"{links_base(request)}/collections/{layer.id}/schema", language)
    return as_json(body, "application/schema+json")
