"""Tables as they were read, for the tests about columns and fields."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from gis.importing.reading.spool import Header, Reading, Spool

__all__ = ["table_of"]

_FOLDER = tempfile.TemporaryDirectory(prefix="onemap-tests-spool-")  # removed when the process ends


def table_of(
    columns: Mapping[str, Sequence[object] | pa.Array],
    *,
    format: str = "csv",
    x: str | None = None,
    y: str | None = None,
    batch_rows: int = 1000,
) -> Reading:
    """A table without geometry that was read; it lies in a folder of its own."""
    arrays = {name: v if isinstance(v, pa.Array) else pa.array(v) for name, v in columns.items()}
    rows = max((len(array) for array in arrays.values()), default=0)
    spool = Spool(Path(tempfile.mkdtemp(dir=_FOLDER.name)))
    for start in range(0, max(rows, 1), batch_rows):
        parts = [array.slice(start, batch_rows) for array in arrays.values()]
        spool.add(pa.nulls(min(batch_rows, rows - start), pa.binary()), list(arrays), parts)
    spool.finish(Header(format, columns=tuple(arrays), x=x, y=y))
    return Reading.load(spool.folder)
