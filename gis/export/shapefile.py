"""Shapefile: what fits goes in, what does not goes whole into a table beside it, keyed by the row.

A DBF field has a name of 10 bytes, a text of 254 bytes, a number of 24 digits; it knows no time of day, and
no difference between no text and an empty one. Field names are made short and told in a table of their own.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

from gis.errors import ExportRefused
from gis.export.beside import Beside
from gis.export.content import ARROW, Batch, Content, Written, as_text
from gis.export.ogr import Stream
from gis.export.options import WriteOptions
from gis.export.shortnames import short_names, write_names

__all__ = ["ENCODINGS", "write_shapefile", "write_zipped"]

ENCODINGS = {"utf8": "UTF-8", "utf-8": "UTF-8", "gbk": "GBK", "gb18030": "GB18030"}
_CODECS = {"UTF-8": "utf-8", "GBK": "gbk", "GB18030": "gb18030"}
_TEXT_BYTES = 254
_MOST_FIELDS = 255
_MOST_BYTES = 2**31 - 1  # offsets are signed numbers of 32 bits to most readers
_INTEGERS = (-(10**17) + 1, 10**18 - 1)  # what 18 places hold
_NUMBER_WIDTH, _NUMBER_DECIMALS = 24, 15
_GEOMETRY = "geom"
_FAMILIES = {0: "Point", 1: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "LineString", 6: "Polygon"}


def write_shapefile(path: Path, content: Content, options: WriteOptions) -> Written:
    """Write ``path`` (.shp), its sisters, the table of names, and a table beside for what does not fit.

    Raises
    ------
    ExportRefused
        When the geometries are of several kinds, the fields are more than a DBF file may have, the encoding
        is not known, or a part of the file would be larger than 2 GB.
    """
    encoding = _encoding(options.encoding)
    names = short_names([column.name for column in content.columns], _CODECS[encoding])
    if len(names) > _MOST_FIELDS:
        raise _refused(f"{len(names)} fields", f"{len(names)} 个字段", f"{_MOST_FIELDS}")
    kind, widths = _survey(content, _CODECS[encoding])
    schema = _schema(content, names, widths, placed=kind is not None)
    with Beside(path, content.key) as beside:
        fit = _Fit(content, _CODECS[encoding], beside)
        stream = Stream(schema, (fit.batch(batch, schema) for batch in content.batches()))
        given: dict[str, Any] = {"driver": "ESRI Shapefile", "encoding": encoding, "2GB_LIMIT": "YES"}
        if kind is not None:
            given |= {"geometry_name": _GEOMETRY, "geometry_type": kind, "crs": content.crs}
        try:
            rows = stream.write(path if kind is not None else path.with_suffix(".dbf"), **given)
        except pyogrio.errors.DataLayerError as error:
            if _is_full(path, str(error)):
                raise _refused("more than 2 GB", "超过 2 GB 的数据", "2 GB") from error
            raise
    write_names(path, content.columns, names)
    return Written(rows, beside.count)


def write_zipped(path: Path, content: Content, options: WriteOptions) -> Written:
    """The same as one .zip, its parts under the content's name."""
    folder = path.parent / "parts"
    folder.mkdir()
    written = write_shapefile(folder / f"{content.name}.shp", content, options)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in sorted(folder.iterdir()):
            archive.write(part, part.name)
            part.unlink()
    folder.rmdir()
    return written


def _encoding(name: str) -> str:
    found = ENCODINGS.get(name.lower())
    if found is None:
        raise ExportRefused(
            f"A Shapefile is not written in {name!r}.",
            f"Shapefile 不支持编码“{name}”。",
            remedy_en="Use utf-8, gbk or gb18030.",
            remedy_zh="可用：utf-8、gbk、gb18030。",
        )
    return found


def _refused(en: str, zh: str, limit: str) -> ExportRefused:
    return ExportRefused(
        f"A Shapefile cannot hold {en}; the limit is {limit}.",
        f"Shapefile 不能容纳{zh}，上限为 {limit}。",
        remedy_en="Use .gpkg.",
        remedy_zh="请用 .gpkg。",
    )


def _is_full(path: Path, message: str) -> bool:
    """Whether GDAL failed for the limit: it names it, or only the object that no longer went in."""
    if "2GB" in message or "2 GB" in message:
        return True
    told = re.search(r"object of (\d+) bytes to \.(\w+) file", message)
    part = path.with_suffix(f".{told[2]}") if told else path
    return told is not None and part.exists() and part.stat().st_size + int(told[1]) > _MOST_BYTES


def _survey(content: Content, codec: str) -> tuple[str | None, dict[int, int]]:
    """A first look at all rows: their one kind of shape, and the widest text of each column in bytes."""
    texts = [i for i, column in enumerate(content.columns) if ARROW[column.kind] == pa.string()]
    widths = dict.fromkeys(texts, 1)
    kinds: set[int] = set()
    for batch in content.batches():
        for place in texts:
            for value in batch.columns[place]:
                if value is not None and len(value) > widths[place] // 4:
                    size = len(value.encode(codec, "replace"))
                    if widths[place] < size <= _TEXT_BYTES:
                        widths[place] = size
        if batch.geometry is not None:
            kinds |= {int(kind) for kind in np.unique(shapely.get_type_id(batch.geometry)) if kind >= 0}
    if content.geometry is None:
        return None, widths
    if content.geometry != "Geometry":
        kinds = {int(shapely.get_type_id(shapely.from_wkt(f"{content.geometry.upper()} EMPTY")))}
    families = {_FAMILIES.get(kind, "") for kind in kinds}
    if len(families) > 1 or "" in families:
        raise _refused("shapes of several kinds", "多种类型的几何", "one / 一种")
    return next(iter(families), "Point"), widths


def _schema(content: Content, names: list[str], widths: dict[int, int], *, placed: bool) -> pa.Schema:
    fields = []
    for place, (name, column) in enumerate(zip(names, content.columns, strict=True)):
        kind, width = ARROW[column.kind], widths.get(place)
        if column.kind == "datetime":
            kind, width = pa.string(), 32
        elif column.kind == "integer":
            width = 18
        told = None if width is None else {"GDAL:OGR:width": str(width)}
        fields.append(pa.field(name, kind, metadata=told))
    if placed:
        fields.append(pa.field(_GEOMETRY, pa.binary()))
    return pa.schema(fields)


class _Fit:
    """Makes rows fit: a value that does not goes to the table beside, and stays out of the DBF file."""

    def __init__(self, content: Content, codec: str, beside: Beside) -> None:
        self._content, self._codec, self._beside = content, codec, beside
        self._key = content.place(content.key)

    def batch(self, batch: Batch, schema: pa.Schema) -> pa.RecordBatch:
        """``batch`` with the values that fit."""
        keys = [str(key) for key in batch.columns[self._key]]
        arrays = [
            pa.array(self._column(place, values, keys), schema.field(place).type)
            for place, values in enumerate(batch.columns)
        ]
        if len(schema) > len(arrays):
            arrays.append(pa.array(shapely.to_wkb(batch.geometry), pa.binary()))
        return pa.record_batch(arrays, schema=schema)

    def _column(self, place: int, values: Any, keys: list[str]) -> list[Any]:
        column = self._content.columns[place]
        fits = _FITS[column.kind]
        out: list[Any] = []
        for key, value in zip(keys, values, strict=True):
            if value is None:
                out.append(None)
                continue
            kept, reason = fits(value, self._codec)
            if reason is not None:
                self._beside.put(key, column.name, as_text(value), reason)
            out.append(kept)
        return out


def _fit_text(text: str, codec: str) -> tuple[str | None, str | None]:
    if not text:
        return None, "empty_text"
    try:
        size = len(text.encode(codec))
    except UnicodeEncodeError:
        return None, "not_in_encoding"
    if size > _TEXT_BYTES:
        return None, "text_too_long"
    # A DBF text is filled up with blanks, and ends at a NUL.
    return (text, None) if text == text.rstrip(" ") else (None, "blank_at_end")


def _fit_integer(value: int, _codec: str) -> tuple[int | None, str | None]:
    return (value, None) if _INTEGERS[0] <= value <= _INTEGERS[1] else (None, "integer_too_long")


def _fit_number(value: float, _codec: str) -> tuple[float | None, str | None]:
    """A number that 15 decimals do not give exactly is written as near as they do, and beside exactly."""
    if not np.isfinite(value):
        return None, "number_not_finite"
    text = f"{value:.{_NUMBER_DECIMALS}f}"
    if text.find(".") > _NUMBER_WIDTH - 2:
        return None, "number_too_long"
    return value, None if float(text[:_NUMBER_WIDTH]) == value else "number_rounded"


def _fit_date(value: date, _codec: str) -> tuple[date | None, str | None]:
    """A DBF date has eight digits; GDAL writes the year without zeros before it."""
    return (value, None) if value.year >= 1000 else (None, "day_too_early")


def _fit_boolean(value: bool, _codec: str) -> tuple[bool | None, str | None]:
    return value, None


def _fit_datetime(value: datetime, _codec: str) -> tuple[str | None, str | None]:
    return value.isoformat(), None


_FITS: dict[str, Callable[[Any, str], tuple[Any, str | None]]] = {
    "text": _fit_text,
    "enum": _fit_text,
    "integer": _fit_integer,
    "number": _fit_number,
    "boolean": _fit_boolean,
    "date": _fit_date,
    "datetime": _fit_datetime,
}
