"""Rows into a temporary table shaped like the layer's own, by COPY."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, text

from gis.areas import Areas, array_pieces
from gis.crs import Transformation
from gis.importing.copying import Batch, copy_batch, points_or_wkb
from gis.importing.values import ARROW
from layers.model import Layer

__all__ = ["ROW_NO", "Stage", "stage_rows", "staged_columns"]

ROW_NO = "row_no"
# What a row has beside its fields, and how it is held in a column.
_OWN = {"accuracy_m": "number", "is_indicative": "boolean", "valid_from": "date", "valid_to": "date"}


class Stage:
    """A temporary table for the rows of one layer, gone at the end of the transaction.

    ``table`` has the columns of the layer's own table but for row_id, rev_from and rev_to, and the row number
    in the file (from 0) in `ROW_NO`. ``areas`` tells in which of them each row lies.
    """

    def __init__(
        self,
        conn: Connection,
        layer: Layer,
        table: Table,
        to_web: Transformation,
        areas: Areas | None = None,
    ) -> None:
        self.conn, self.layer, self.to_web, self.areas, self.rows = conn, layer, to_web, areas, 0
        self._srids = {c: _srid(table, c) for c in ("geom", "geom_web")} if layer.has_geometry else {}
        self.name = f'pg_temp."staged_{table.name}"'
        _create_like(conn, table)
        self.table = _staged(table)
        self._is_analyzed = False

    def columns(
        self,
        rows: NDArray[np.int64],
        values: Mapping[str, pa.Array],
        geometry: NDArray[np.object_] | None,
        uids: pa.Array,
        source_id: int | NDArray[np.int32],
    ) -> dict[str, pa.Array]:
        """A batch as the columns that `add` takes; may run beside another batch's `add`.

        Parameters
        ----------
        rows : int64 array
            Row numbers in the file, from 0.
        values : mapping of str to Array
            Every stored field of the layer, typed as `gis.importing.values.ARROW` says, and of accuracy_m,
            is_indicative, valid_from and valid_to those that are known.
        geometry : object array or None
            In the storage CRS, x,y order; None for a layer without geometry.
        """
        count = len(rows)
        out: dict[str, pa.Array] = {ROW_NO: pa.array(rows, pa.int64()), "uid": uids}
        for field in self.layer.stored_fields:
            out[field.name] = values[field.name]
        if self.layer.has_geometry:
            assert geometry is not None
            out["geom"] = points_or_wkb(geometry, self._srids["geom"])
            out["geom_web"] = points_or_wkb(self.to_web.geometries(geometry), self._srids["geom_web"])
        for name, kind in _OWN.items():
            out[name] = values[name] if name in values else pa.nulls(count, ARROW[kind])
        out["is_indicative"] = out["is_indicative"].fill_null(False)
        out["source_id"] = pa.array(np.broadcast_to(np.int32(source_id), count), pa.int32())
        if self.areas is not None and len(self.areas):
            out["areas"] = array_pieces(*self.areas.of(geometry, *self._names(values), rows=count))
        if "rests_on" in values:
            out["rests_on"] = values["rests_on"]
        return out

    def _names(
        self, values: Mapping[str, pa.Array]
    ) -> tuple[list[str | None] | None, list[str | None] | None]:
        """Township and county of each row, as it names them; None where the layer does not."""
        names = self.layer.names
        township, county = (values[n].to_pylist() if n else None for n in (names.township, names.county))
        return township, county

    def add(self, columns: Mapping[str, pa.Array] | Batch) -> None:
        """Append a batch."""
        self.rows += columns.rows if isinstance(columns, Batch) else len(columns["uid"])
        copy_batch(self.conn, self.name, columns)

    def clear(self) -> None:
        """Take out all rows, so that others can be staged by themselves."""
        self.rows = 0
        self.conn.execute(text(f"TRUNCATE {self.name}"))

    def analyze(self) -> None:
        """Tell the planner what is there; once, for what it knows of columns stays when others are staged."""
        if not self._is_analyzed:
            self.conn.execute(text(f"ANALYZE {self.name} (uid, {ROW_NO})"))
        self._is_analyzed = self._is_analyzed or self.rows > 0


def stage_rows(
    conn: Connection, layer: Layer, table: Table, frames: Iterable[pd.DataFrame], to_web: Transformation
) -> Table:
    """A temporary table with the rows of ``frames``, dropped at the end of the transaction.

    Parameters
    ----------
    frames : iterable of DataFrame
        Typed columns of the layer as `check_rows` leaves them, geometry in column "geom" in the storage
        CRS, "uid" (unique over all frames), "source_id", and where known accuracy_m, is_indicative,
        valid_from, valid_to; of a derived layer rests_on, tuples of text. Each is asked for when the one
        before is staged.
    to_web : Transformation
        From the storage CRS to EPSG:3857.
    """
    stage = Stage(conn, layer, table, to_web)
    for rows in frames:
        if len(rows):
            stage.add(staged_columns(stage, rows, stage.rows))
    stage.analyze()
    return stage.table


def staged_columns(stage: Stage, rows: pd.DataFrame, first: int = 0) -> dict[str, pa.Array]:
    """A frame, as `stage_rows` takes it, as the columns that `Stage.add` takes, numbered from ``first``."""
    layer = stage.layer
    kinds = {f.name: f.type for f in layer.stored_fields} | {n: k for n, k in _OWN.items() if n in rows}
    values = {name: _arrow(rows[name], ARROW[kind]) for name, kind in kinds.items()}
    if "rests_on" in rows:
        listed = list(dict.fromkeys(rows["rests_on"]))
        places = rows["rests_on"].map({codes: place for place, codes in enumerate(listed)})
        values["rests_on"] = array_pieces(places.to_numpy(np.int64), listed)
    geometry = rows["geom"].to_numpy(dtype=object) if layer.has_geometry else None
    numbers = np.arange(first, first + len(rows))
    uids = _arrow(rows["uid"], pa.string())
    return stage.columns(numbers, values, geometry, uids, rows["source_id"].to_numpy(np.int32))


@lru_cache(maxsize=64)
def _staged(table: Table) -> Table:
    """The same each time, so that statements about it are put into words once."""
    # "pg_temp" is the session's own schema for temporary tables, whatever its real name is.
    staged = table.to_metadata(MetaData(), schema="pg_temp", name=f"staged_{table.name}")
    staged.append_column(Column(ROW_NO, BigInteger))
    return staged


def _srid(table: Table, column: str) -> int:
    return int(table.c[column].type.srid)  # type: ignore[attr-defined]


def _arrow(values: pd.Series[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values.to_numpy(dtype=object), kind, from_pandas=True)


def _create_like(conn: Connection, table: Table) -> None:
    conn.execute(text(f'DROP TABLE IF EXISTS pg_temp."staged_{table.name}"'))
    conn.execute(
        text(
            f'CREATE TEMP TABLE "staged_{table.name}" '
            f'(LIKE layer."{table.name}" INCLUDING DEFAULTS) ON COMMIT DROP'
        )
    )
    drops = ", ".join(f'DROP COLUMN "{name}"' for name in ("row_id", "rev_from", "rev_to"))
    conn.execute(text(f'ALTER TABLE pg_temp."staged_{table.name}" {drops}, ADD COLUMN {ROW_NO} bigint'))
