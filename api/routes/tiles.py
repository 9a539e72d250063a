"""Vector tiles of a layer (OGC API Tiles, WebMercatorQuad)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api.deps import (
    ConnDep,
    LanguageDep,
    LayerDep,
    RevDep,
    StateDep,
    as_json,
    conditional,
    links_base,
    property_filters,
    strict_parameters,
    wants,
)
from api.identity import Action, needs
from api.queries import FilterDep
from gis.errors import NotFound
from gis.features import content_stamp
from gis.tiles import MAX_ZOOM, rendering_hash, tile_at, vector_tile
from layers.model import Layer

router = APIRouter(tags=["Tiles"])
# All routes but that of the tile itself, where any property of the layer is a parameter too.
strict = APIRouter(dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)])

MVT = "application/vnd.mapbox-vector-tile"
QUAD = "WebMercatorQuad"
_SCHEME = f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{QUAD}"


def require_quad(matrix_set: str) -> None:
    """NotFound unless ``matrix_set`` is the one that tiles come in."""
    if matrix_set != QUAD:
        raise NotFound(f"Tiles come in {QUAD} only.", f"仅提供 {QUAD} 瓦片。")


@router.get(
    "/collections/{layer}/tiles/{matrix_set}/{z}/{y}/{x}",
    summary="A vector tile",
    dependencies=[Depends(needs(Action.READ))],
)
def get_tile(
    request: Request,
    conn: ConnDep,
    state: StateDep,
    layer: LayerDep,
    matrix_set: str,
    z: int,
    y: int,
    x: int,
    rev: RevDep,
    found: FilterDep,
    revision: Annotated[
        int | None, Query(alias="rev", description="Names the content for caches; as-of chooses it")
    ] = None,
    f: Annotated[str | None, Query(description="mvt")] = None,
) -> Response:
    """Zoom, row and column. Filters and properties are parameters as for items. Empty answers are 204."""
    wants(f, "mvt")
    require_quad(matrix_set)
    tile = tile_at(z, y, x)
    filters = property_filters(request)

    stamp = content_stamp(conn, [layer.id], rev)
    chosen = tuple(sorted((name, tuple(values)) for name, values in filters.items()))
    words = None if found is None else found.canonical
    content = (
        "tile",
        rendering_hash(layer),
        tile,
        chosen,
        words,
        *stamp,
        "" if state.sees_all else state.scope.digest,
    )

    def produce() -> Response:
        body = state.tiles.get(
            content, lambda: vector_tile(conn, state.definition, layer, tile, rev, filters, found)
        )
        return Response(body, 200 if body else 204, media_type=MVT if body else None)

    return conditional(request, content, produce)


@strict.get("/collections/{layer}/tiles", summary="Tilesets of a layer")
def get_tilesets(request: Request, layer: LayerDep, language: LanguageDep) -> Response:
    """The one tileset that a layer with geometry has."""
    tilesets = [_tileset(request, layer, language)] if layer.has_geometry else []
    return as_json({"tilesets": tilesets})


@strict.get("/collections/{layer}/tiles/{matrix_set}", summary="Metadata of a tileset")
def get_tileset(request: Request, layer: LayerDep, matrix_set: str, language: LanguageDep) -> Response:
    """What the tiles of a layer hold, and at which zooms."""
    require_quad(matrix_set)
    if not layer.has_geometry:
        raise NotFound(f"{layer.id} is a register; it has no tiles.", f"{layer.id} 是名录，没有瓦片。")
    return as_json(_tileset(request, layer, language))


def _tileset(request: Request, layer: Layer, language: str) -> dict[str, Any]:
    base = f"{links_base(request)}/collections/{layer.id}"
    return {
        "title": layer.title.text(language),
        "dataType": "vector",
        "crs": "http://www.opengis.net/def/crs/EPSG/0/3857",
        "tileMatrixSetURI": _SCHEME,
        "tileMatrixSetLimits": [
            {
                "tileMatrix": str(z),
                "minTileRow": 0,
                "maxTileRow": 2**z - 1,
                "minTileCol": 0,
                "maxTileCol": 2**z - 1,
            }
            for z in range(layer.zoom.min, MAX_ZOOM + 1)
        ],
        "layers": [{"id": layer.id, "dataType": "vector"}],
        "links": [
            {"rel": "self", "type": "application/json", "href": f"{base}/tiles/{QUAD}"},
            {
                "rel": "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme",
                "type": "application/json",
                "href": f"{links_base(request)}/tileMatrixSets/{QUAD}",
            },
            {
                "rel": "item",
                "type": MVT,
                "templated": True,
                "href": f"{base}/tiles/{QUAD}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}",
            },
        ],
    }


@strict.get("/tileMatrixSets", summary="Tile matrix sets")
def get_matrix_sets(request: Request) -> Response:
    """The one tile matrix set in use."""
    link = {"rel": "self", "type": "application/json", "href": f"{links_base(request)}/tileMatrixSets/{QUAD}"}
    return as_json({"tileMatrixSets": [{"id": QUAD, "uri": _SCHEME, "links": [link]}]})


@strict.get("/tileMatrixSets/{matrix_set}", summary="A tile matrix set")
def get_matrix_set(matrix_set: str) -> Response:
    """Its definition."""
    import morecantile  # not needed to draw tiles, and slow to load

    require_quad(matrix_set)
    return as_json(morecantile.tms.get(QUAD).model_dump(mode="json", exclude_none=True, by_alias=True))


router.include_router(strict)
