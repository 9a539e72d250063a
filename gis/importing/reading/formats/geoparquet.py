"""GeoParquet: the WKB column that its geo metadata names, row group by row group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from gis.importing.issues import refused
from gis.importing.reading.columns import check_columns, clip, plain_column, plain_geometry
from gis.importing.reading.limits import limits, out_of_space
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["read"]

_ROWS = 65_536


class _Column(BaseModel):
    encoding: str
    # Absent: OGC:CRS84. Null: not known (GeoParquet 1.1.0, "crs").
    crs: dict[str, Any] | None = {"id": {"authority": "OGC", "code": "CRS84"}}


class _Geo(BaseModel):
    primary_column: str
    columns: dict[str, _Column]


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Spool the rows; the geometry is the primary column, or the one that ``options.member`` names.

    Coordinates in the CRS that the metadata states, x,y. A Parquet file with bytes or lists but without geo
    metadata, or with an encoding other than WKB, is refused; one of plain values is a table.

    Raises
    ------
    ImportRefused
        not_a_geoparquet, file_unreadable, member_missing, too_many_columns, decompression_bomb.
    """
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            return _read(file, path, options, spool)
    except MemoryError:
        raise  # Arrow's own kind is an ArrowException too
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if out_of_space(error):
            raise
        raise refused("file_unreadable", value=clip(error)) from error


def _read(file: pq.ParquetFile, path: Path, options: ReadOptions, spool: Spool) -> Header:
    _check_size(file)
    if _is_table(file):
        return _read_table(file, spool)
    geo = _geo(file, path)
    name = options.member or geo.primary_column
    if name not in geo.columns:
        raise refused("member_missing", value=name, expected="、".join(geo.columns))
    if geo.columns[name].encoding.upper() != "WKB":
        raise refused("not_a_geoparquet", value=path.name, expected=f"encoding {geo.columns[name].encoding}")
    names = [field.name for field in file.schema_arrow]
    if name not in names:
        raise refused("not_a_geoparquet", value=path.name, expected=f"column {name}")
    kept = [number for number, column in enumerate(names) if column != name]
    check_columns([names[number] for number in kept])
    for batch in file.iter_batches(_ROWS, use_threads=False):
        first = spool.rows
        shape, issues = plain_geometry(_one(batch.column(names.index(name))), first)
        columns = []
        for number in kept:
            column, found = plain_column(batch.column(number), names[number], first)
            columns.append(column)
            issues += found
        spool.issues += issues
        spool.add(shape, [names[number] for number in kept], columns)
    claimed = file.metadata.num_rows
    if spool.rows != claimed:
        raise refused("row_count_mismatch", value=str(spool.rows), expected=str(claimed))
    return Header(
        format="geoparquet",
        member=name if len(geo.columns) > 1 else None,
        members=tuple(geo.columns) if len(geo.columns) > 1 else (),
        declared_crs=_crs(geo.columns[name].crs),
        columns=tuple(names[number] for number in kept),
        rows_claimed=claimed,
    )


def _is_table(file: pq.ParquetFile) -> bool:
    """A plain Parquet file of values alone: a register."""
    plain = not any(pa.types.is_nested(f.type) or _is_bytes(f.type) for f in file.schema_arrow)
    return plain and b"geo" not in (file.metadata.metadata or {})


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _read_table(file: pq.ParquetFile, spool: Spool) -> Header:
    names = [field.name for field in file.schema_arrow]
    check_columns(names)
    for batch in file.iter_batches(_ROWS, use_threads=False):
        columns = []
        for number, name in enumerate(names):
            column, found = plain_column(batch.column(number), name, spool.rows)
            columns.append(column)
            spool.issues += found
        spool.add(pa.nulls(batch.num_rows, pa.binary()), names, columns)
    return Header(format="geoparquet", columns=tuple(names), rows_claimed=file.metadata.num_rows)


def _one(column: pa.Array) -> pa.Array:
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        if isinstance(column, pa.ExtensionArray):
            return _one(column.storage)
        raise refused("not_a_geoparquet", value="", expected=f"WKB, not {column.type}")
    return column


def _check_size(file: pq.ParquetFile) -> None:
    """Raise for what would unpack to more than an archive may."""
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    total = sum(group.total_byte_size for group in groups)
    if total > max(limits().unzipped_mb, 5 * limits().file_mb) * 1_000_000:
        raise refused("decompression_bomb", value=f"{total // 1_000_000} MB",
                      expected=f"{5 * limits().file_mb} MB")  # fmt: skip


def _geo(file: pq.ParquetFile, path: Path) -> _Geo:
    text = (file.metadata.metadata or {}).get(b"geo")
    if text is None:
        raise refused("not_a_geoparquet", value=path.name, expected="no geo metadata")
    try:
        return _Geo.model_validate(orjson.loads(text))
    except (ValidationError, orjson.JSONDecodeError) as error:
        raise refused("not_a_geoparquet", value=path.name, expected=clip(error)) from error


def _crs(held: dict[str, Any] | None) -> str | None:
    """The PROJJSON's authority and code, or the PROJJSON itself."""
    if held is None:
        return None
    identifier = held.get("id")
    if isinstance(identifier, dict) and "authority" in identifier and "code" in identifier:
        return f"{identifier['authority']}:{identifier['code']}"
    return orjson.dumps(held).decode()
