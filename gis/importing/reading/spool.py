"""What reading a file gives: its header and its rows, spooled as one Arrow file on disk.

The child that parses a file writes with `Spool`; everybody after it reads with `Reading`, as often as needed
and in constant memory, because the file is mapped, not loaded.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType

import numpy as np
import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, TypeAdapter

from gis.importing.issues import Issue

__all__ = ["GEOM", "ROW", "Header", "ReadOptions", "Reading", "Spool"]

ROW, GEOM = 0, 1  # the places of the two columns that every spooled table begins with
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class ReadOptions:
    """What the uploader says about the file; None means: find out.

    ``member`` names the layer, sheet or file inside to read; ``x``, ``y`` and ``wkt`` name columns of a
    table (x is the easting or longitude); ``encoding`` overrides what the bytes say.
    """

    member: str | None = None
    x: str | None = None
    y: str | None = None
    wkt: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Header:
    """What kind of file it was and what it says of itself.

    Attributes
    ----------
    format : str
        "geojson", "geojsonseq", "shapefile", "gpkg", "flatgeobuf", "geoparquet", "filegdb", "kml", "dxf",
        "csv", "xlsx", "boundary-points", "wkt", "wkb".
    member, members :
        The layer, sheet or inner file that was read, and all that could have been.
    encoding : str or None
        How the text was decoded; None where the format leaves no choice.
    declared_crs : str or None
        The CRS the file states, as authority code or WKT; None when it states none.
    columns : tuple of str
        Attribute columns in their order, without the geometry.
    rows : int
        Data rows spooled, refused and deleted ones included.
    rows_claimed : int or None
        The number of rows that the file's own header states.
    x, y, wkt : str or None
        The columns that the geometry was made from, for a table.
    coordinate_unit : str
        "native" or "dms" (degrees, minutes, seconds were parsed).
    """

    format: str
    member: str | None = None
    members: tuple[str, ...] = ()
    encoding: str | None = None
    declared_crs: str | None = None
    columns: tuple[str, ...] = ()
    rows: int = 0
    rows_claimed: int | None = None
    x: str | None = None
    y: str | None = None
    wkt: str | None = None
    coordinate_unit: str = "native"


@dataclass(frozen=True)
class Reading:
    """A file as it was read: ``header``, ``issues`` found while reading, and the rows under ``path``.

    One that keeps its rows in a folder of its own is a context manager that removes them at the end.
    """

    header: Header
    path: Path
    issues: list[Issue]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in file order, some ten thousand at a time.

        Column 0 is int64, the row number in the file from 0. Column 1 is binary, ISO WKB (x,y as the file has
        them, Z and M dropped) or null. The rest are the attributes under the file's own column names,
        in their native Arrow types (int64, float64, bool, date32, timestamp, string).
        """
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as file:
            for number in range(file.num_record_batches):
                yield file.get_batch(number)

    @classmethod
    def load(cls, folder: Path, *, owned: bool = False) -> Reading:
        """The reading that a `Spool` left in ``folder``; an ``owned`` folder goes when the reading does.

        Whoever wrote it may have been led astray by the file, so nothing is taken unseen: the header by its
        types, the rows by their values' bounds.

        Raises
        ------
        ValueError
            When the header or the rows are not what a `Spool` writes.
        """
        held = _held().validate_json((folder / "reading.json").read_bytes())
        reading = cls(held.header, folder / "rows.arrow", held.issues)
        reading._check_rows()
        if owned:
            object.__setattr__(reading, "_gone", weakref.finalize(reading, shutil.rmtree, folder, True))
        return reading

    def _check_rows(self) -> None:
        names = ["\0row", "\0geom", *self.header.columns]
        rows = 0
        for batch in self.batches():
            batch.validate(full=True)
            numbers = batch.column(ROW)
            in_order = numbers.type == pa.int64() and np.array_equal(
                numbers, np.arange(rows, rows + len(numbers))
            )
            if batch.schema.names != names or batch.column(GEOM).type != pa.binary() or not in_order:
                raise ValueError("the rows are not what the header says")
            rows += len(numbers)
        if rows != self.header.rows or any(not -1 <= issue.row < rows for issue in self.issues):
            raise ValueError("the rows do not add up")

    def close(self) -> None:
        """Remove the rows, if they lie in a folder of the reading's own."""
        gone = getattr(self, "_gone", None)
        if gone is not None:
            gone()

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Held(BaseModel):
    """reading.json."""

    model_config = ConfigDict(extra="forbid", strict=True)

    header: Header
    issues: list[Issue]


@cache
def _held() -> TypeAdapter[_Held]:
    return TypeAdapter(_Held)


@dataclass
class Spool:
    """Where a format's reader puts its rows. Use as: add batches, then finish with the header."""

    folder: Path
    issues: list[Issue] = field(default_factory=list)
    rows: int = 0
    _writer: pa.ipc.RecordBatchFileWriter | None = None

    def add(self, geometry: pa.Array, names: Sequence[str], columns: Sequence[pa.Array]) -> None:
        """Append rows: WKB or null a row, and the attribute columns; numbers them on from the last row.

        Every call has the same names and types. A row that could not be read is added too, with nulls, and an
        issue of severity "error", so that good + bad stays the total.
        """
        first = self.rows
        self.rows += len(geometry)
        batch = pa.record_batch(
            [pa.array(np.arange(first, self.rows)), geometry.cast(pa.binary()), *columns],
            names=["\0row", "\0geom", *names],
        )
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self.folder / "rows.arrow"), batch.schema)
        self._writer.write_batch(batch)

    def finish(self, header: Header) -> None:
        """Close the rows and write the header; ``header.rows`` is filled in."""
        if self._writer is None:
            self.add(
                pa.array([], pa.binary()), header.columns, [pa.array([], pa.string()) for _ in header.columns]
            )
        assert self._writer is not None
        self._writer.close()
        # orjson knows dataclasses: no second copy of what may be a million issues.
        held = {"header": {**asdict(header), "rows": self.rows}, "issues": self.issues}
        (self.folder / "reading.json").write_bytes(orjson.dumps(held))
