"""Vector tiles of a layer or of several (OGC API Tiles), and the tile matrix sets they lie in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.deps import (
    ConnDep,
    LanguageDep,
    LayerDep,
    MapState,
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
from api.routes.tilesets import MVT, matrix_set_uri, tileset, tileset_item
from gis.access import PUBLIC, Scope
from gis.errors import NotFound, QueryError
from gis.features import content_stamp, find_layer, layer_facts
from gis.tiles import MATRIX_SETS, map_tile, matrix_set, rendering_hash, tile_at, vector_tile
from layers.model import Layer

__all__ = ["content_name", "require_quad", "router"]

router = APIRouter(tags=["Tiles"])
# All routes but that of the tile itself, where any property of the layer is a parameter too.
strict = APIRouter(dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)])

MatrixSetId = Annotated[str, Path(description="WebMercatorQuad, WorldCRS84Quad or TiandituC")]
Zoom = Annotated[int, Path(alias="z", description="Tile matrix: the zoom")]
Row = Annotated[int, Path(alias="y", description="Tile row, from the north")]
Column = Annotated[int, Path(alias="x", description="Tile column, from the west")]
Name = Annotated[
    str | None,
    Query(alias="rev", description="Names the content for caches, as /app/config does; as-of chooses it"),
]
Collections = Annotated[
    str | None, Query(description="Layers, separated by commas; without it those shown at first")
]


def require_quad(name: str) -> None:
    """NotFound unless ``name`` is the tile matrix set that rasters come in."""
    if matrix_set(name).id != "WebMercatorQuad":
        raise NotFound("Rasters come in WebMercatorQuad only.", "栅格仅提供 WebMercatorQuad 瓦片。")


def content_name(layer: Layer, stamp: tuple[int, str], scope: Scope) -> str:
    """What names the content of the layer's tiles, as ``scope`` sees them, in their address."""
    whose = "" if scope == PUBLIC else scope.digest
    digest = hashlib.sha256(f"{rendering_hash(layer)}\0{stamp[1]}\0{whose}".encode()).hexdigest()
    return f"{stamp[0]}-{digest[:8]}"


@router.get(
    "/collections/{layer}/tiles/{matrix}/{z}/{y}/{x}",
    summary="A vector tile of a layer",
    operation_id="collection.vector.getTile",
    dependencies=[Depends(needs(Action.READ))],
)
def get_tile(
    request: Request,
    conn: ConnDep,
    state: StateDep,
    layer: LayerDep,
    matrix: MatrixSetId,
    z: Zoom,
    y: Row,
    x: Column,
    rev: RevDep,
    found: FilterDep,
    name: Name = None,
    f: Annotated[str | None, Query(description="mvt")] = None,
) -> Response:
    """Zoom, row and column. Filters and properties are parameters as for items. Empty answers are 204."""
    wants(f, "mvt")
    tile = tile_at(z, y, x, matrix_set(matrix))
    filters = property_filters(request)

    stamp = content_stamp(conn, [layer.id], rev)
    chosen = tuple(sorted((name, tuple(values)) for name, values in filters.items()))
    words = None if found is None else found.canonical
    content = ("tile", rendering_hash(layer), tile.matrix.id, z, y, x, chosen, words, *stamp)

    def produce() -> Response:
        return _mvt(vector_tile(conn, state.definition, layer, tile, rev, filters, found))

    lasting = name is not None and name == content_name(layer, stamp, state.scope)
    return conditional(request, content, produce, lasting=lasting)


@strict.get(
    "/tiles/{matrix}/{z}/{y}/{x}",
    summary="A vector tile of several layers",
    operation_id="dataset.vector.getTile",
)
def get_map_tile(
    request: Request,
    conn: ConnDep,
    state: StateDep,
    matrix: MatrixSetId,
    z: Zoom,
    y: Row,
    x: Column,
    rev: RevDep,
    collections: Collections = None,
    f: Annotated[str | None, Query(description="mvt")] = None,
) -> Response:
    """One layer of the tile for each collection, named like it."""
    wants(f, "mvt")
    tile = tile_at(z, y, x, matrix_set(matrix))
    layers = _chosen(state, collections)
    request.state.shown = [layer.id for layer in layers]
    stamp = content_stamp(conn, [layer.id for layer in layers], rev)
    hashes = [rendering_hash(layer) for layer in layers]
    content = ("map tile", *hashes, tile.matrix.id, z, y, x, *stamp)
    return conditional(request, content, lambda: _mvt(map_tile(conn, state.definition, layers, tile, rev)))


def _mvt(body: bytes) -> Response:
    return Response(body, 200 if body else 204, media_type=MVT if body else None)


def _chosen(state: MapState, collections: str | None) -> Sequence[Layer]:
    """The layers that a request names, or those that the map shows at first; all when it shows none."""
    drawn = [layer for layer in state.definition.layers.values() if layer.has_geometry]
    if collections is None:
        return [layer for layer in drawn if layer.visible] or drawn
    names = list(dict.fromkeys(name.strip() for name in collections.split(",")))
    layers = [find_layer(state.definition, name) for name in names]
    for layer in layers:
        if not layer.has_geometry:
            raise QueryError(
                f"{layer.id} is a register without geometry; it has no tiles.",
                f"{layer.id} 是没有几何的名录，没有瓦片。",
                remedy_en="Leave it out of collections.",
                remedy_zh="请从 collections 中去掉它。",
            )
    return layers


@strict.get(
    "/collections/{layer}/tiles",
    summary="Tilesets of a layer",
    operation_id="collection.vector.getTileSetsList",
)
def get_tilesets(request: Request, layer: LayerDep, language: LanguageDep) -> Response:
    """One tileset for each tile matrix set; none for a register."""
    own = f"{links_base(request)}/collections/{layer.id}/tiles"
    title = layer.title.text(language)
    sets = MATRIX_SETS.values() if layer.has_geometry else ()
    listed = [tileset_item(links_base(request), own, title, each) for each in sets]
    return as_json({"links": [_self(own)], "tilesets": listed})


@strict.get(
    "/collections/{layer}/tiles/{matrix}",
    summary="Metadata of a tileset of a layer",
    operation_id="collection.vector.getTileSet",
)
def get_tileset(
    request: Request,
    conn: ConnDep,
    state: StateDep,
    layer: LayerDep,
    matrix: MatrixSetId,
    language: LanguageDep,
    rev: RevDep,
) -> Response:
    """What the tiles of a layer hold, and where and at which zooms there are any."""
    found = matrix_set(matrix)
    if not layer.has_geometry:
        raise NotFound(f"{layer.id} is a register; it has no tiles.", f"{layer.id} 是名录，没有瓦片。")
    base = links_base(request)

    def produce() -> Response:
        facts = layer_facts(conn, state.definition, rev, [layer])[layer.id]
        extent = facts.extent or state.definition.district.extent
        title = layer.title.text(language)
        return as_json(
            tileset(base, f"{base}/collections/{layer.id}/tiles", title, found, [layer], extent, language)
        )

    stamp = content_stamp(conn, [layer.id], rev)
    return conditional(request, ("tileset", state.digest, *stamp, base, found.id, language), produce)


@strict.get("/tiles", summary="Tilesets of the whole map", operation_id="dataset.vector.getTileSetsList")
def get_map_tilesets(request: Request, state: StateDep, language: LanguageDep) -> Response:
    """One tileset for each tile matrix set."""
    base = links_base(request)
    title = state.definition.district.name.text(language)
    listed = [tileset_item(base, f"{base}/tiles", title, each) for each in MATRIX_SETS.values()]
    return as_json({"links": [_self(f"{base}/tiles")], "tilesets": listed})


@strict.get(
    "/tiles/{matrix}",
    summary="Metadata of a tileset of the whole map",
    operation_id="dataset.vector.getTileSet",
)
def get_map_tileset(
    request: Request,
    state: StateDep,
    matrix: MatrixSetId,
    language: LanguageDep,
    collections: Collections = None,
) -> Response:
    """What the tiles of several layers hold."""
    base, district = links_base(request), state.definition.district
    title, layers = district.name.text(language), _chosen(state, collections)
    own = f"{base}/tiles"
    found = tileset(base, own, title, matrix_set(matrix), layers, district.extent, language, collections)
    return as_json(found)


@strict.get("/tileMatrixSets", summary="Tile matrix sets")
def get_matrix_sets(request: Request) -> Response:
    """Those that tiles come in."""
    base = links_base(request)
    listed = [
        {
            "id": each.id,
            "title": each.title,
            "uri": matrix_set_uri(base, each),
            "crs": each.crs,
            "links": [_self(f"{base}/tileMatrixSets/{each.id}")],
        }
        for each in MATRIX_SETS.values()
    ]
    return as_json({"tileMatrixSets": listed})


@strict.get("/tileMatrixSets/{matrix}", summary="A tile matrix set")
def get_matrix_set(request: Request, matrix: MatrixSetId) -> Response:
    """Its definition (OGC 17-083r4)."""
    found = matrix_set(matrix)
    own = {"uri": matrix_set_uri(links_base(request), found)}
    return as_json(own | found.definition())


def _self(href: str) -> dict[str, str]:
    return {"rel": "self", "type": "application/json", "href": href}


router.include_router(strict)
