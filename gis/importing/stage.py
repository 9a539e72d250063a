"""Rows into a temporary table shaped like the layer's own, by COPY."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, MetaData, Table, text

from gis.crs import Transformation
from layers.model import Layer

__all__ = ["stage_rows"]

_ARROW = {
    "text": pa.string(),
    "enum": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}


def stage_rows(
    conn: Connection,
    layer: Layer,
    table: Table,
    rows: pd.DataFrame,
    uids: Sequence[str],
    source_id: int | NDArray[np.int32],
    to_web: Transformation,
) -> Table:
    """A temporary table with ``rows``, dropped at the end of the transaction.

    Parameters
    ----------
    rows : DataFrame
        Typed columns of the layer as `check_rows` leaves them, geometry in column "geom" in the storage
        CRS, and where known accuracy_m, is_indicative, valid_from, valid_to.
    uids : sequence of str
        One a row, unique.
    source_id : int or array of int
        One for all rows, or one a row.
    to_web : Transformation
        From the storage CRS to EPSG:3857.
    """
    columns: dict[str, pa.Array] = {"uid": pa.array(list(uids), pa.string())}
    for field in layer.fields:
        columns[field.name] = _arrow(rows[field.name], _ARROW[field.type])
    if layer.has_geometry:
        geometry = rows["geom"].to_numpy(dtype=object)
        columns["geom"] = _hex(geometry, _srid(table, "geom"))
        columns["geom_web"] = _hex(to_web.geometries(geometry), _srid(table, "geom_web"))
    for name, kind in (("accuracy_m", "number"), ("valid_from", "date"), ("valid_to", "date")):
        values = rows[name] if name in rows else pd.Series([None] * len(rows), dtype=object)
        columns[name] = _arrow(values, _ARROW[kind])
    indicative = (
        rows["is_indicative"] if "is_indicative" in rows else pd.Series([False] * len(rows), dtype=object)
    )
    columns["is_indicative"] = _arrow(
        indicative.map(lambda v: bool(v) if v is not None else False), pa.bool_()
    )
    columns["source_id"] = pa.array(np.broadcast_to(np.int32(source_id), len(rows)), pa.int32())
    _create_like(conn, table)
    _copy(conn, f"staged_{table.name}", pa.table(columns))
    # "pg_temp" is the session's own schema for temporary tables, whatever its real name is.
    return table.to_metadata(MetaData(), schema="pg_temp", name=f"staged_{table.name}")


def _srid(table: Table, column: str) -> int:
    return int(table.c[column].type.srid)  # type: ignore[attr-defined]


def _arrow(values: pd.Series[Any], kind: pa.DataType) -> pa.Array:
    return pa.array([None if v is None or v is pd.NA or v != v else v for v in values], kind)


def _hex(geometry: np.ndarray[tuple[int], np.dtype[np.object_]], srid: int) -> pa.Array:
    return pa.array(
        shapely.to_wkb(shapely.set_srid(geometry, srid), hex=True, include_srid=True), pa.string()
    )


def _create_like(conn: Connection, table: Table) -> None:
    conn.execute(text(f'DROP TABLE IF EXISTS pg_temp."staged_{table.name}"'))
    conn.execute(
        text(
            f'CREATE TEMP TABLE "staged_{table.name}" '
            f'(LIKE layer."{table.name}" INCLUDING DEFAULTS) ON COMMIT DROP'
        )
    )
    for name in ("row_id", "rev_from", "rev_to"):
        conn.execute(text(f'ALTER TABLE pg_temp."staged_{table.name}" DROP COLUMN "{name}"'))


def _copy(conn: Connection, name: str, rows: pa.Table) -> None:
    """COPY as CSV: strings are quoted by the writer, so an empty string and a null stay apart."""
    listed = ", ".join(f'"{column}"' for column in rows.column_names)
    cursor = conn.connection.cursor()
    with cursor.copy(f'COPY pg_temp."{name}" ({listed}) FROM STDIN (FORMAT csv)') as copy:
        for batch in rows.to_batches(max_chunksize=50_000):
            buffer = io.BytesIO()
            pacsv.write_csv(batch, buffer, pacsv.WriteOptions(include_header=False))
            copy.write(buffer.getvalue())
    cursor.close()
    conn.execute(text(f'ANALYZE pg_temp."{name}"'))
