"""A layer as one archive of vector tiles (PMTiles 3), which a browser reads from any file server."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer
from sqlalchemy import Connection

from gis.errors import ExportRefused
from gis.export.content import Written
from gis.features import layer_facts
from gis.settings import MapDefinition
from gis.tiles import QUAD, Tile, holds_rows, vector_tile
from layers.model import Layer

__all__ = ["Progress", "write_pmtiles"]

LAST_ZOOM = 14
"""From here on tiles are exact, and a map magnifies them."""

Progress = Callable[[int, int, int], None]


def write_pmtiles(
    path: Path, conn: Connection, definition: MapDefinition, layer: Layer, rev: int,
    progress: Progress | None = None,
) -> Written:  # fmt: skip
    """Write the tiles at ``rev`` from the layer's first zoom to `LAST_ZOOM`, in EPSG:3857.

    Zoom by zoom, each tile once; only below a tile with rows the next zoom is looked at. Memory holds the
    addresses of the tiles of a zoom and the archive's directory. ``progress`` is told the zoom, and how many
    tiles of how many are done.

    Raises
    ------
    ExportRefused
        When the layer has no rows with a place at ``rev``, or no geometry at all.
    """
    facts = layer_facts(conn, definition, rev, [layer])[layer.id]
    if facts.extent is None:
        raise ExportRefused(
            f"{layer.id} has nothing to draw at revision {rev}.",
            f"图层 {layer.id} 在修订 {rev} 时没有可绘制的内容。",
        )
    last = min(layer.zoom.max, LAST_ZOOM)
    first = min(layer.zoom.min, last)
    (limits,) = QUAD.limits(facts.extent, first, first)
    waiting = [
        Tile(first, x, y)
        for x in range(limits["minTileCol"], limits["maxTileCol"] + 1)
        for y in range(limits["minTileRow"], limits["maxTileRow"] + 1)
    ]
    writer: Any = Writer
    with path.open("wb") as file:
        archive = writer(file)
        for z in range(first, last + 1):
            waiting.sort(key=_number)
            found = []
            for done, tile in enumerate(waiting):
                if progress is not None and done % 50 == 0:
                    progress(z, done, len(waiting))
                body = vector_tile(conn, definition, layer, tile, rev)
                if body:
                    archive.write_tile(_number(tile), gzip.compress(body, mtime=0))
                if body or holds_rows(conn, definition, layer, tile, rev):
                    found.append(tile)
            waiting = [Tile(z + 1, 2 * t.x + i, 2 * t.y + j) for t in found for i in (0, 1) for j in (0, 1)]
        archive.finalize(_header(facts.extent, first), _metadata(layer, definition, rev, first, last))
    return Written(facts.count)


def _number(tile: Tile) -> int:
    """The place of a tile in the archive: along a Hilbert curve, zoom by zoom."""
    return int(zxy_to_tileid(tile.z, tile.x, tile.y))


def _header(extent: tuple[float, float, float, float], first: int) -> dict[str, Any]:
    west, south, east, north = (round(value * 10_000_000) for value in extent)
    return {
        "tile_type": TileType.MVT, "tile_compression": Compression.GZIP,
        "min_lon_e7": west, "min_lat_e7": south, "max_lon_e7": east, "max_lat_e7": north,
        "center_zoom": first, "center_lon_e7": (west + east) // 2, "center_lat_e7": (south + north) // 2,
    }  # fmt: skip


def _metadata(layer: Layer, definition: MapDefinition, rev: int, first: int, last: int) -> dict[str, Any]:
    fields = {"uid": "String", "label": "String", "n": "Number", "bbox": "String",
              "is_indicative": "Boolean", "is_demonstration": "Boolean"}  # fmt: skip
    if layer.style is not None and layer.style.by is not None:
        fields[layer.style.by] = "String"
    return {
        "name": layer.title.zh,
        "description": layer.abstract.zh,
        "attribution": definition.district.attribution.zh,
        "version": str(rev),
        "vector_layers": [
            {
                "id": layer.id,
                "description": layer.title.en,
                "minzoom": first,
                "maxzoom": last,
                "fields": fields,
            }
        ],
    }
