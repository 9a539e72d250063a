"""What a file is written from: columns, and rows that come batch by batch, never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from gis.errors import ExportRefused
from layers.model import Layer

__all__ = ["Batch", "Column", "Content", "Written", "arrow_batch", "arrow_schema", "as_text", "finite"]

ARROW = {
    "text": pa.string(),
    "enum": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}
"""The Arrow type of each type of a field."""


@dataclass(frozen=True)
class Column:
    """One column: its ``name``, the type of its values (as of a field), and what it is called in words."""

    name: str
    kind: str
    zh: str = ""
    en: str = ""
    unit: str | None = None


@dataclass(frozen=True)
class Batch:
    """Some rows: the values of each column, and the geometries (None: the content has no place)."""

    columns: Sequence[Sequence[Any]]
    geometry: NDArray[np.object_] | None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.columns[0])


@dataclass(frozen=True)
class Content:
    """What is written.

    Attributes
    ----------
    name : str
        Of the layer, table or sheet inside the file.
    key : str
        The column whose value names a row in the tables beside a file.
    geometry : str or None
        "Point", ..., "Geometry" for mixed ones; None: there is no place.
    crs : str or None
        Of the geometries, x,y order, as `gis.crs.parse_crs` reads it; None: it is not known.
    batches : callable
        Gives the rows from the beginning, as often as it is called.
    layer : Layer or None
        For styles and titles.
    facts : dict
        What the file may say of itself, where its format has a place for that.
    count : callable or None
        Tells how many rows there are, before they are read; None: nobody knows.
    """

    name: str
    columns: tuple[Column, ...]
    key: str
    geometry: str | None
    crs: str | None
    batches: Callable[[], Iterator[Batch]]
    layer: Layer | None = None
    facts: dict[str, Any] | None = None
    count: Callable[[], int] | None = None

    def place(self, name: str) -> int:
        """The position of the column called ``name``."""
        return [column.name for column in self.columns].index(name)


@dataclass(frozen=True)
class Written:
    """How many ``rows`` a file holds, and how many of their values stand in the table beside it."""

    rows: int
    beside: int = 0


def arrow_schema(content: Content, geometry: str | None = None) -> pa.Schema:
    """The columns as Arrow fields, with the geometry (WKB) last under the name ``geometry``."""
    fields = [pa.field(column.name, ARROW[column.kind]) for column in content.columns]
    if geometry is not None:
        fields.append(pa.field(geometry, pa.binary()))
    return pa.schema(fields)


def arrow_batch(batch: Batch, schema: pa.Schema) -> pa.RecordBatch:
    """``batch`` in the form of ``schema``, as `arrow_schema` makes it; geometry as WKB, every bit of it."""
    arrays = [pa.array(values, field.type) for values, field in zip(batch.columns, schema, strict=False)]
    if len(schema) > len(arrays):
        assert batch.geometry is not None
        arrays.append(pa.array(shapely.to_wkb(batch.geometry), pa.binary()))
    return pa.record_batch(arrays, schema=schema)


def as_text(value: Any) -> str:
    """A value as the text that the import reads as the same: ISO 8601 for times, all digits of a number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, int | float) else str(value.isoformat())


def finite(content: Content, batches: Iterator[Batch], kind: str) -> Iterator[Batch]:
    """``batches``; ExportRefused at a number (NaN, inf) that a ``kind`` file cannot hold."""
    places = [i for i, column in enumerate(content.columns) if column.kind == "number"]
    for batch in batches:
        for place in places:
            held = np.array([0.0 if v is None else v for v in batch.columns[place]], dtype=float)
            if not np.isfinite(held).all():
                row = int(np.flatnonzero(~np.isfinite(held))[0])
                name = content.columns[place].name
                uid = batch.columns[content.place(content.key)][row]
                raise ExportRefused(
                    f"{name} of {uid} is {held[row]}, which a {kind} file cannot hold.",
                    f"{uid} 的 {name} 为 {held[row]}，{kind} 文件无法表示。",
                    remedy_en="Use .gpkg or .parquet.",
                    remedy_zh="请用 .gpkg 或 .parquet。",
                )
        yield batch
