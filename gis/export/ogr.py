"""GeoPackage and FlatGeobuf, written by GDAL from a stream of Arrow batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

from gis.errors import ExportRefused
from gis.export.content import Batch, Column, Content, Written, arrow_batch, arrow_schema
from gis.export.options import WriteOptions

__all__ = ["Stream", "write_ogr"]

_GEOMETRY = "geom"
INDEXED_ROWS = 100_000
"""A FlatGeobuf file of more has no spatial index: GDAL holds some 150 bytes a row for it until the end."""


# Of its tree of boxes GDAL holds up to this many bytes for a GeoPackage, and writes what is more as it comes.
pyogrio.set_gdal_config_options({"OGR_GPKG_MAX_RAM_USAGE_RTREE": 8_000_000})


class _TooFine(Exception):
    """A column holds times finer than a millisecond, which is all that GDAL keeps."""

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


class Stream:
    """Batches for GDAL; an error raised while making one is kept, since GDAL only says that there was one."""

    def __init__(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self.rows = 0
        self.error: Exception | None = None
        self.reader = pa.RecordBatchReader.from_batches(schema, self._counted(batches))

    def _counted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                self.rows += len(batch)
                yield batch
        except Exception as error:
            self.error = error
            raise

    def write(self, path: Path, **options: Any) -> int:
        """Let GDAL write ``path``; how many rows it took. A warning of GDAL is an error: nothing is cut."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.filterwarnings("ignore", "'crs' was not provided")
                pyogrio.write_arrow(self.reader, path, **options)
        except Exception as error:
            if self.error is not None:
                raise self.error from error
            if isinstance(error, Warning):
                raise ExportRefused(
                    f"{path.name} cannot hold all values: {error}", f"{path.name} 无法容纳全部数据：{error}"
                ) from error
            raise
        return self.rows


def write_ogr(driver: str) -> Callable[[Path, Content, WriteOptions], Written]:
    """A writer of ``driver`` ("GPKG" or "FlatGeobuf")."""

    def write(path: Path, content: Content, _options: WriteOptions) -> Written:
        while True:
            try:
                return _write(driver, path, content)
            except _TooFine as fine:
                path.unlink(missing_ok=True)
                content = _as_texts(content, fine.column)

    return write


def _write(driver: str, path: Path, content: Content) -> Written:
    placed = content.geometry is not None
    schema = arrow_schema(content, _GEOMETRY if placed else None)
    options: dict[str, Any] = {"driver": driver, "layer": content.name}
    if placed:
        kind = "Unknown" if content.geometry == "Geometry" else content.geometry
        options |= {"geometry_name": _GEOMETRY, "geometry_type": kind, "crs": content.crs}
    if driver == "FlatGeobuf" and not (placed and _fits_an_index(content)):
        options["SPATIAL_INDEX"] = "NO"
    checked = (_checked(driver, content, batch) for batch in content.batches())
    stream = Stream(schema, (arrow_batch(batch, schema) for batch in checked))
    return Written(stream.write(path, **options))


def _fits_an_index(content: Content) -> bool:
    return content.count is None or content.count() <= INDEXED_ROWS


def _checked(driver: str, content: Content, batch: Batch) -> Batch:
    for place, column in enumerate(content.columns):
        if column.kind == "datetime" and any(
            v is not None and v.microsecond % 1000 for v in batch.columns[place]
        ):
            raise _TooFine(place)
    if (
        driver == "FlatGeobuf"
        and batch.geometry is not None
        and bool(np.any(shapely.is_missing(batch.geometry)))
    ):
        raise ExportRefused(
            "A FlatGeobuf file cannot hold a row without a place.",
            "FlatGeobuf 文件不能包含没有位置的行。",
            remedy_en="Use .gpkg or .parquet.",
            remedy_zh="请用 .gpkg 或 .parquet。",
        )
    return batch


def _as_texts(content: Content, place: int) -> Content:
    """The content with the times of one column as ISO 8601 texts, which have room for every digit."""

    def batches() -> Iterator[Batch]:
        for batch in content.batches():
            columns = list(batch.columns)
            columns[place] = [None if v is None else v.isoformat() for v in columns[place]]
            yield Batch(columns, batch.geometry)

    column: Column = replace(content.columns[place], kind="text")
    columns = (*content.columns[:place], column, *content.columns[place + 1 :])
    return replace(content, columns=columns, batches=batches)
