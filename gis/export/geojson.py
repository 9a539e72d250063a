"""GeoJSON (RFC 7946): lon/lat on WGS 84, rings to the right, coordinates with a stated number of decimals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from gis.export.content import Batch, Content, Written, finite
from gis.export.options import ALL_DECIMALS, WriteOptions

__all__ = ["with_decimals", "write_geojson"]

_DECIMALS = 7  # of a degree, about 1 cm


def write_geojson(path: Path, content: Content, options: WriteOptions) -> Written:
    """Write one FeatureCollection, a feature a line.

    The foreign member "onemap" (RFC 7946, 6.1) says layer, revision and decimals, and, where the numbers are
    those of another frame that agrees with WGS 84, which; so that the import takes them as what they are.
    """
    decimals = _DECIMALS if options.decimals is None else options.decimals
    facts = {**(content.facts or {}), "decimals": min(decimals, ALL_DECIMALS)}
    head = orjson.dumps({"type": "FeatureCollection", "name": content.name, "onemap": facts})
    rows = 0
    with path.open("wb") as file:
        file.write(head[:-1] + b',"features":[')
        for batch in finite(content, content.batches(), "GeoJSON"):
            for feature in _features(content, batch, decimals, options):
                file.write((b",\n" if rows else b"\n") + orjson.dumps(feature))
                rows += 1
        file.write(b"\n]}\n")
    return Written(rows)


def _features(content: Content, batch: Batch, decimals: int, options: WriteOptions) -> list[dict[str, Any]]:
    shapes: NDArray[np.object_] = np.full(batch.rows, None, dtype=object)
    if batch.geometry is not None:
        written = with_decimals(batch.geometry, decimals)
        if options.turn_rings:
            written = shapely.orient_polygons(written)
        shapes = np.asarray(shapely.to_geojson(written), dtype=object)
    names = [column.name for column in content.columns]
    keys = batch.columns[content.place(content.key)]
    return [
        {
            "type": "Feature",
            "id": key,
            "geometry": None if shape is None else orjson.Fragment(shape),
            "properties": dict(zip(names, values, strict=True)),
        }
        for key, shape, values in zip(keys, shapes, zip(*batch.columns, strict=True), strict=True)
    ]


def with_decimals(geometry: NDArray[np.object_], decimals: int | None) -> NDArray[np.object_]:
    """The geometries with coordinates rounded to ``decimals``; from 15 on, and for None, as they are."""
    if decimals is None or decimals >= ALL_DECIMALS:
        return geometry
    return np.asarray(shapely.transform(geometry, lambda xy: np.round(xy, decimals)))
