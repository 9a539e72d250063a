"""GeoParquet 1.1: WKB and the CRS as PROJJSON; a register is a plain Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from gis.crs import parse_crs
from gis.export.content import Batch, Content, Written, arrow_batch, arrow_schema
from gis.export.options import WriteOptions

__all__ = ["write_parquet"]

_GEOMETRY = "geometry"
_GROUP_ROWS = 50_000


def write_parquet(path: Path, content: Content, _options: WriteOptions) -> Written:
    """Write row groups of some 50,000 rows; the extent and the kinds of shapes are those of the rows."""
    schema = arrow_schema(content, _GEOMETRY if content.geometry is not None else None)
    seen = _Seen()
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(seen.watching(content.batches()), schema):
            writer.write_table(group)
            rows += len(group)
        if content.geometry is not None:
            writer.add_key_value_metadata({"geo": orjson.dumps(_geo(content, seen))})
    return Written(rows)


def _groups(batches: Iterator[Batch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches put together to groups of rows that are worth a place in the file's index."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(arrow_batch(batch, schema))
        if sum(map(len, held)) >= _GROUP_ROWS or sum(b.nbytes for b in held) > 64 * 2**20:
            yield pa.Table.from_batches(held, schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, schema)


class _Seen:
    """Extent and kinds of the geometries that went by."""

    def __init__(self) -> None:
        self.box = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self.kinds: set[str] = set()

    def watching(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """``batches``, looked at."""
        for batch in batches:
            if batch.geometry is not None:
                west, south, east, north = shapely.total_bounds(batch.geometry)
                if not np.isnan(west):
                    low, high = (
                        np.minimum(self.box[:2], (west, south)),
                        np.maximum(self.box[2:], (east, north)),
                    )
                    self.box = np.concatenate([low, high])
                types = np.unique(shapely.get_type_id(batch.geometry))
                self.kinds |= {_KINDS[int(t)] for t in types if t >= 0}
            yield batch


_KINDS = {
    int(kind): name
    for kind, name in (
        (shapely.GeometryType.POINT, "Point"),
        (shapely.GeometryType.LINESTRING, "LineString"),
        (shapely.GeometryType.LINEARRING, "LineString"),
        (shapely.GeometryType.POLYGON, "Polygon"),
        (shapely.GeometryType.MULTIPOINT, "MultiPoint"),
        (shapely.GeometryType.MULTILINESTRING, "MultiLineString"),
        (shapely.GeometryType.MULTIPOLYGON, "MultiPolygon"),
        (shapely.GeometryType.GEOMETRYCOLLECTION, "GeometryCollection"),
    )
}


def _geo(content: Content, seen: _Seen) -> dict[str, Any]:
    """The file's metadata: https://geoparquet.org/releases/v1.1.0/"""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(seen.kinds),
        "crs": None if content.crs is None else parse_crs(content.crs).to_json_dict(),
    }
    if np.isfinite(seen.box).all():
        column["bbox"] = seen.box.tolist()
    return {"version": "1.1.0", "primary_column": _GEOMETRY, "columns": {_GEOMETRY: column}}
