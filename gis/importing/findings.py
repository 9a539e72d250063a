"""All findings of one import: counted, kept with the row as it was read, and written down with the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import shapely
from sqlalchemy import Connection, text

from gis.importing.copying import copy_batch
from gis.importing.issues import FILE, Issue, issue_words
from gis.importing.options import ISSUES_SHOWN, Count
from gis.importing.reading.spool import GEOM, ROW, Reading

__all__ = ["Findings", "row_as_read"]

_TABLE = 'pg_temp."staged_findings"'
_CHUNK = 20_000


class Findings:
    """Findings go into a temporary table at once, so that millions of them take no memory here.

    ``counts`` has one entry a code, field and severity; ``shown`` the first `ISSUES_SHOWN` findings.
    """

    def __init__(self, conn: Connection, reading: Reading) -> None:
        self.conn, self.reading = conn, reading
        self.shown: list[Issue] = []
        self._counts: dict[tuple[str, str | None, str], Count] = {}
        self._starts: list[int] | None = None
        conn.execute(text(f"DROP TABLE IF EXISTS {_TABLE}"))
        conn.execute(
            text(
                'CREATE TEMP TABLE "staged_findings" (row_no bigint, field text, value text, code text, '
                "severity text, owner text, original text, row jsonb) ON COMMIT DROP"
            )
        )

    def add(self, issues: list[Issue], batch: pa.RecordBatch | None = None) -> None:
        """Note ``issues``; ``batch`` holds their rows, else they are looked up in the reading."""
        self._count(issues)
        if batch is not None:
            for chunk in _chunks(issues):
                self._write(chunk, _rows_of(batch, chunk))
            return
        self._write([i for i in issues if i.row == FILE], {})
        placed = sorted((i for i in issues if i.row != FILE), key=lambda i: i.row)
        for found, held in self._by_batch(placed):
            for chunk in _chunks(found):
                self._write(chunk, _rows_of(held, chunk))

    def _count(self, issues: Iterable[Issue]) -> None:
        for i in issues:
            key = (i.code, i.field, i.severity)
            had = self._counts.get(key)
            first = had if had is not None and had.first_row <= i.row else None
            self._counts[key] = Count(
                i.code, i.field, i.severity, (had.rows if had else 0) + 1,
                first.first_row if first else i.row, first.first_value if first else i.value,
            )  # fmt: skip
            if len(self.shown) < ISSUES_SHOWN:
                self.shown.append(i)

    def _by_batch(self, issues: list[Issue]) -> Iterator[tuple[list[Issue], pa.RecordBatch]]:
        at = 0
        if not issues:
            return
        for batch in self.reading.batches():
            numbers = batch.column(ROW)
            if not len(numbers):
                continue
            last = numbers[len(numbers) - 1].as_py()
            until = at
            while until < len(issues) and issues[until].row <= last:
                until += 1
            if until > at:
                yield issues[at:until], batch
            at = until
            if at == len(issues):
                return

    def _write(self, issues: list[Issue], rows: dict[int, bytes]) -> None:
        if not issues:
            return
        words = issue_words()
        owners = [words[i.code].owner if i.code in words else "supplier" for i in issues]
        columns = {
            "row_no": pa.array([i.row + 1 for i in issues], pa.int64()),
            "field": _texts(i.field for i in issues),
            "value": _texts(i.value for i in issues),
            "code": _texts(i.code for i in issues),
            "severity": _texts(i.severity for i in issues),
            "owner": _texts(owners),
            "original": _texts(i.original for i in issues),
            "row": pa.array([rows.get(i.row) for i in issues], pa.binary()),
        }
        copy_batch(self.conn, _TABLE, columns)

    def counts(self) -> tuple[Count, ...]:
        """How many findings of each kind, the most frequent first."""
        return tuple(sorted(self._counts.values(), key=lambda c: (-c.rows, c.code, c.field or "")))

    def totals(self) -> tuple[int, int, int]:
        """Rows refused, rows taken with a repair, rows taken with a warning but no repair."""
        if not self._counts:
            return 0, 0, 0
        found = self.conn.execute(
            text(
                "SELECT count(*) FILTER (WHERE worst = 3), count(*) FILTER (WHERE worst = 2), "
                "count(*) FILTER (WHERE worst = 1) FROM (SELECT row_no, max(CASE severity WHEN 'error' "
                f"THEN 3 WHEN 'repair' THEN 2 ELSE 1 END) AS worst FROM {_TABLE} WHERE row_no > 0 "
                "GROUP BY row_no) AS r"
            )
        ).one()
        return int(found[0]), int(found[1]), int(found[2])

    def keep(self, run_id: int) -> None:
        """Write all findings into core.rejects, in the order of the rows, as those of run ``run_id``."""
        names = "row_no, field, value, code, severity, owner, original, row"
        self.conn.execute(
            text(
                f"INSERT INTO core.rejects (run_id, {names}) SELECT :run_id, {names} FROM {_TABLE} "
                "ORDER BY row_no, field, code"
            ),
            {"run_id": run_id},
        )


def _chunks(issues: list[Issue]) -> Iterator[list[Issue]]:
    for start in range(0, len(issues), _CHUNK):
        yield issues[start : start + _CHUNK]


def _texts(values: Iterable[str | None]) -> pa.Array:
    """PostgreSQL's text holds no NUL; a file's value may."""
    return pa.array([v.replace("\0", "\ufffd") if v else v for v in values], pa.string())


def _rows_of(batch: pa.RecordBatch, issues: list[Issue]) -> dict[int, bytes]:
    """Row number to the row as it was read, as binary jsonb, for the rows of ``issues``."""
    numbers = batch.column(ROW).to_numpy()
    wanted = np.unique([i.row for i in issues])
    places = np.searchsorted(numbers, wanted)
    taken = batch.take(pa.array(places))
    return {
        int(row): b"\x01" + orjson.dumps(held, default=str).replace(rb"\u0000", rb"\ufffd")
        for row, held in zip(wanted, row_as_read(taken), strict=True)
    }


def row_as_read(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Each row under the file's own column names; its geometry as WKT, as the file has it, in "geom".

    A column called "geom" keeps its name; the geometry is left out then.
    """
    names = batch.schema.names[GEOM + 1 :]
    columns = [batch.column(GEOM + 1 + place).to_pylist() for place in range(len(names))]
    shapes: list[Any] = [None] * batch.num_rows
    if batch.column(GEOM).null_count < batch.num_rows:
        read = shapely.from_wkb(batch.column(GEOM).to_numpy(zero_copy_only=False), on_invalid="ignore")
        shapes = list(shapely.to_wkt(read, rounding_precision=-1))
    for number in range(batch.num_rows):
        row = {n: _plain(column[number]) for n, column in zip(names, columns, strict=True)}
        if shapes[number] is not None and "geom" not in row:
            row["geom"] = shapes[number]
        yield row


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value
