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
from api.representation import FEATURES, FORMS, with_page
from api.routes import catalogue
from api.routes.schemas import queryables, schema, sortables
from gis.axes import CRS84, choices
from gis.features import LayerFacts, content_stamp, district_box, layer_facts
from gis.settings import MapDefinition
from layers.model import Layer

router = APIRouter(
    tags=["Collections"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)]
)

SCHEMA = "application/schema+json"
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
        described.append(catalogue.described(base, language, state.definition.district.extent))
        links = with_page(f"{base}/collections")
        offered = [crs.uri for crs in choices(state.definition.district)]
        return as_json({"links": links, "crs": offered, "collections": described})

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
    described: dict[str, Any] = {
        "id": layer.id,
        "title": layer.title.text(language),
        "description": layer.abstract.text(language),
        "attribution": state.definition.district.attribution.text(language),
        "itemType": "feature",
        **_places(state.definition, layer, facts),
        "role": layer.role,
        "geometryType": layer.geometry,
        "itemCount": facts.count,
        "lastRevision": facts.last_revision,
        "isDemonstration": facts.is_demonstration,
        "isIndicative": facts.is_indicative,
        "links": _links(own, base, layer),
    }
    return described


def _places(definition: MapDefinition, layer: Layer, facts: LayerFacts) -> dict[str, Any]:
    """The extent, the CRSs that items come in, and the one of these that they are stored in."""
    district = definition.district
    spatial: dict[str, Any] = {"bbox": [list(facts.extent or district.extent)], "crs": CRS84.uri}
    if not layer.has_geometry:
        return {"extent": {"spatial": spatial}}
    (stored,) = (crs for crs in choices(district) if crs.uri.endswith(f"/EPSG/0/{district.storage_crs}"))
    spatial["storageCrsBbox"] = [stored.box(facts.stored_extent or district_box(definition))]
    offered = [crs.uri for crs in choices(district)]
    return {"extent": {"spatial": spatial}, "crs": offered, "storageCrs": stored.uri}


def _links(own: str, base: str, layer: Layer) -> list[dict[str, str]]:
    links = [
        *with_page(own),
        {"rel": "items", "type": GEOJSON, "href": f"{own}/items"},
        {"rel": "items", "type": FORMS["html"].media_type, "href": f"{own}/items?f=html"},
        *(
            {"rel": "items", "type": FORMS[name].media_type, "href": f"{own}/items?f={name}"}
            for name in FEATURES[1:]
        ),
        *(
            {"rel": f"{_REL}/{name}", "type": SCHEMA, "href": f"{own}/{name}"}
            for name in ("queryables", "sortables", "schema")
        ),
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
    """A JSON Schema of the parameters and properties that filter items."""
    return _described(queryables(layer, _address(request), language))


@router.get("/collections/{layer}/sortables", summary="What items can be sorted by")
def get_sortables(request: Request, layer: LayerDep, language: LanguageDep) -> Response:
    """A JSON Schema of the properties that ``sortby`` takes."""
    return _described(sortables(layer, _address(request), language))


@router.get("/collections/{layer}/schema", summary="What an item holds")
def get_schema(request: Request, layer: LayerDep, language: LanguageDep) -> Response:
    """A JSON Schema of an item's properties; those that nobody writes are ``readOnly``."""
    return _described(schema(layer, _address(request), language))


def _address(request: Request) -> str:
    return links_base(request) + request.url.path


def _described(body: dict[str, Any]) -> Response:
    return as_json(body, SCHEMA, {"Vary": "Accept-Language"})
