"""What an import would change, as a map: GeoJSON, or a page that needs no network."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import ColumnElement, Connection, Table, and_, func, literal, select

from gis.applying import Mode, closing_condition
from gis.crs import LONLAT, transformation
from gis.errors import ExportRefused
from gis.importing.stage import ROW_NO
from gis.mapfile import as_script, inlined
from gis.revisions import alive, differs
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["MAP_ROWS", "difference", "draw_difference", "write_map"]

_HERE = Path(__file__).parent
# More shapes than this a page cannot show; the rest is counted and named on it.
MAP_ROWS = 20_000


def difference(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    table: Table,
    staged: Table,
    *,
    mode: Mode,
    source_id: int,
    volatile: frozenset[str] = frozenset(),
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """GeoJSON features in degrees (x,y) of the rows that would be added, changed and closed.

    Properties: ``change`` ("added", "changed", "before", "closed"; "before" is a changed row as it stands),
    uid, label and row, the row number in the file from 1. At most ``limit`` of each kind.
    """
    label = layer.names.label
    same = and_(table.c.uid == staged.c.uid, alive(table, None))
    changed = differs(table, staged, volatile)

    def columns(t: Table, row: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
        return t.c.uid, t.c[label], func.ST_AsBinary(t.c.geom), row

    nothing = literal(None)
    new = select(*columns(staged, staged.c[ROW_NO])).where(~select(literal(1)).where(same).exists())
    after = select(*columns(staged, staged.c[ROW_NO])).join(table, same).where(changed)
    before = select(*columns(table, staged.c[ROW_NO])).join(staged, same).where(changed)
    queries = {"added": new, "changed": after, "before": before}
    gone = closing_condition(table, staged, mode, source_id)
    if gone is not None:
        queries["closed"] = select(*columns(table, nothing)).where(gone)
    back = transformation(definition.district.storage_crs, LONLAT, definition.district.extent)
    for change, query in queries.items():
        for part in conn.execute(query if limit is None else query.limit(limit)).partitions(10_000):
            shapes = shapely.from_wkb([bytes(row[2]) if row[2] is not None else None for row in part])
            texts = shapely.to_geojson(back.geometries(np.asarray(shapes, dtype=object)))
            for row, text in zip(part, texts, strict=True):
                yield {
                    "type": "Feature",
                    "geometry": orjson.loads(text) if text is not None else None,
                    "properties": {
                        "change": change, "uid": row[0], "label": row[1],
                        "row": None if row[3] is None else row[3] + 1,
                    },
                }  # fmt: skip


def draw_difference(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    table: Table,
    staged: Table,
    path: Path,
    *,
    mode: Mode,
    source_id: int,
    volatile: frozenset[str] = frozenset(),
    limit: int | None = None,
) -> None:
    """Write what would change to ``path``: all of it as .geojson, or a page (.html).

    The page shows `MAP_ROWS` of each kind; with ``limit`` both hold at most so many of each.
    Raises ExportRefused for another ending or a place that cannot be written.
    """
    limit = limit or (MAP_ROWS if _ending(path) == ".html" else None)
    found = difference(
        conn, definition, layer, table, staged, mode=mode, source_id=source_id, volatile=volatile, limit=limit
    )
    write_map(definition, layer, list(found), path)


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in (".geojson", ".json", ".html"):
        raise ExportRefused(
            f"The map of a rehearsal is written as .html or .geojson, not {ending or 'without an ending'}.",
            f"预演地图只能写成 .html 或 .geojson，不支持“{ending}”。",
        )
    return ending


def write_map(
    definition: MapDefinition, layer: Layer, features: Sequence[dict[str, Any]], path: Path
) -> None:
    """Write features as `difference` gives them: .geojson, or a page (.html). Raises ExportRefused."""
    ending, collection = _ending(path), {"type": "FeatureCollection", "features": list(features)}
    try:
        if ending == ".html":
            path.write_text(_page(definition, layer, collection), encoding="utf-8")
        else:
            path.write_bytes(orjson.dumps(collection))
    except OSError as error:
        raise ExportRefused(
            f"{path} cannot be written: {error.strerror}.", f"无法写入 {path}：{error.strerror}。"
        ) from error


def _page(definition: MapDefinition, layer: Layer, collection: dict[str, Any]) -> str:
    district = definition.district
    content = {
        "title": {"zh": layer.title.zh, "en": layer.title.en},
        "district": {"zh": district.name.zh, "en": district.name.en},
        "extent": district.extent,
        "limit": MAP_ROWS,
        "difference": collection,
    }
    head = inlined()
    script = (_HERE / "difference.js").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="zh">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(layer.title.zh)} · {html.escape(layer.title.en)}</title>\n"
        f"{head['leaflet_css']}{head['page_css']}"
        "<style>html, body, #map { height: 100%; margin: 0; }</style>\n"
        f'{head["leaflet"]}\n</head>\n<body>\n<div id="map"></div>\n'
        f"<script>{script}\ndifference({as_script(content)});</script>\n</body>\n</html>\n"
    )
