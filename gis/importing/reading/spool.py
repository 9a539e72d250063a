"""What reading a file gives: its header and its rows, spooled as one Arrow file on disk.

The child that parses a file writes with `Spool`; everybody after it reads with `Reading`, as often as needed
and in constant memory, because the file is mapped, not loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa

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
    """A file as it was read: ``header``, ``issues`` found while reading, and the rows under ``path``."""

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
    def load(cls, folder: Path) -> Reading:
        """The reading that a `Spool` left in ``folder``."""
        held = orjson.loads((folder / "reading.json").read_bytes())
        header = held["header"]
        header["members"], header["columns"] = tuple(header["members"]), tuple(header["columns"])
        return cls(Header(**header), folder / "rows.arrow", [Issue(**issue) for issue in held["issues"]])


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
            [pa.array(range(first, self.rows), pa.int64()), geometry.cast(pa.binary()), *columns],
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
        held = {
            "header": {**asdict(header), "rows": self.rows},
            "issues": [asdict(issue) for issue in self.issues],
        }
        (self.folder / "reading.json").write_bytes(orjson.dumps(held))
