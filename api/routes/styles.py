"""Styles (OGC API Styles): one a layer, named like it, in three notations; and a QGIS project with all."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api.deps import LanguageDep, StateDep, as_json, conditional, links_base, strict_parameters, wants
from api.identity import Action, needs
from gis.errors import NotFound
from gis.features import find_layer
from gis.style import maplibre_style, qgis_project, qml_style, sld_style
from layers.model import Layer
from layers.vocabulary import load_themes

router = APIRouter(tags=["Styles"], dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)])

MAPLIBRE = "application/vnd.mapbox.style+json"
QGIS = "application/x-qgis-project"
# By what ``f`` says; of the first that Accept names, the notation is taken.
MEDIA = {
    "mbs": MAPLIBRE,
    "sld11": "application/vnd.ogc.sld+xml;version=1.1",
    "sld10": "application/vnd.ogc.sld+xml;version=1.0",
    "qml": "application/x-qgis-layer-settings",
}
_NAMES = {
    "mbs": "MapLibre", "sld11": "SLD 1.1", "sld10": "SLD 1.0", "qml": "QGIS",
}  # fmt: skip
_ALIASES = {"json": "mbs", "sld": "sld11"}


@router.get("/styles", summary="All styles")
def get_styles(request: Request, state: StateDep, language: LanguageDep) -> Response:
    """One style for each layer with geometry."""
    base = links_base(request)
    drawn = [layer for layer in state.definition.layers.values() if layer.has_geometry]
    styles = [
        {"id": layer.id, "title": layer.title.text(language), "links": _links(base, layer.id)}
        for layer in drawn
    ]
    own = {"rel": "self", "type": "application/json", "href": f"{base}/styles"}
    return as_json({"styles": styles, "links": [own]})


def _links(base: str, style: str) -> list[dict[str, str]]:
    links = [
        {"rel": "stylesheet", "type": media, "title": _NAMES[f], "href": f"{base}/styles/{style}?f={f}"}
        for f, media in MEDIA.items()
    ]
    described = f"{base}/styles/{style}/metadata"
    return [*links, {"rel": "describedby", "type": "application/json", "href": described}]


@router.get("/styles/{style}", summary="One style")
def get_style(
    request: Request,
    state: StateDep,
    style: str,
    language: LanguageDep,
    f: Annotated[str | None, Query(description="mbs, sld11, sld10 or qml; sld is the newer")] = None,
) -> Response:
    """The layer's style for MapLibre, with its legend in the metadata; or as SLD or for QGIS."""
    wants(f, *MEDIA, *_ALIASES)
    layer = find_layer(state.definition, style)
    notation = _ALIASES.get(f or "", f) or _accepted(request)
    base = links_base(request)

    def produce() -> Response:
        return _written(layer, notation, base, language)

    return conditional(request, ("style", state.digest, layer.id, notation, base, language), produce)


def _accepted(request: Request) -> str:
    """The notation that Accept names first; MapLibre's when it names none."""
    accepted = request.headers.get("accept", "").replace(" ", "").lower()
    plain = {media.partition(";")[0]: f for f, media in reversed(MEDIA.items())} | {MEDIA["sld10"]: "sld10"}
    named = {accepted.find(media): f for media, f in plain.items() if media in accepted}
    return named[min(named)] if named else "mbs"


def _written(layer: Layer, notation: str, base: str, language: str) -> Response:
    if notation == "mbs":
        tiles = f"{base}/collections/{layer.id}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}"
        return as_json(maplibre_style(layer, tiles, language), MAPLIBRE)
    if notation == "qml":
        body = qml_style(layer, language)
    else:
        body = sld_style(layer, language, "1.1.0" if notation == "sld11" else "1.0.0")
    return Response(body, media_type=MEDIA[notation])


@router.get("/styles/{style}/metadata", summary="What a style is for")
def get_style_metadata(request: Request, state: StateDep, style: str, language: LanguageDep) -> Response:
    """Title, layer and notations of a style."""
    layer, base = find_layer(state.definition, style), links_base(request)
    if layer.style is None:
        raise NotFound(f"{layer.id} has no geometry and no style.", f"{layer.id} 没有几何，也没有样式。")
    sheets: list[dict[str, Any]] = [
        {
            "title": _NAMES[f],
            "native": f == "mbs",
            "link": {"rel": "stylesheet", "type": media, "href": f"{base}/styles/{layer.id}?f={f}"},
        }
        for f, media in MEDIA.items()
    ]
    data = {"rel": "start", "type": "application/geo+json", "href": f"{base}/collections/{layer.id}/items"}
    return as_json(
        {
            "id": layer.id,
            "title": layer.title.text(language),
            "description": layer.abstract.text(language),
            "scope": "style",
            "stylesheets": sheets,
            "layers": [{"id": layer.id, "sampleData": data}],
            "links": [
                {"rel": "self", "type": "application/json", "href": f"{base}/styles/{layer.id}/metadata"}
            ],
        }
    )


@router.get("/qgis", summary="A ready QGIS project", responses={200: {"content": {QGIS: {}}}})
def get_qgis(request: Request, state: StateDep, language: LanguageDep) -> Response:
    """Every layer with its style, read from here; opened in QGIS 3.22 or newer."""
    base, definition = links_base(request), state.definition
    themes = load_themes(state.settings.layers)
    layers = definition.layers.values()
    titles = [
        (theme.title.text(language), [layer for layer in layers if layer.theme == theme.id])
        for theme in themes.values()
    ]

    def produce() -> Response:
        body = qgis_project(definition, titles, base, language)
        named = {"Content-Disposition": f'attachment; filename="{definition.district.id}.qgs"'}
        return Response(body, headers=named, media_type=QGIS)

    return conditional(request, ("qgis", state.digest, base, language), produce)
