"""Rows whose columns, and the types of these, show only at the end of the file.

Batches are kept on disk as they come, each with the columns and types that it has, and are brought to
one form when the last is there; so memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.issues import Issue, refused
from gis.importing.reading.formats.values import (
    EXACT,
    checked_texts,
    kind_of,
    text_of,
    typed_array,
    unstorable,
)
from gis.importing.reading.limits import limits
from gis.importing.reading.spool import Spool

__all__ = ["Drafts"]

ROWS, BYTES = 16_384, 32 << 20
_TEXT: set[type] = {str, type(None)}
_NESTED: set[type] = {dict, list}
_CHECKED: set[type] = {str, float, dict, list}


class Drafts:
    """Add rows one by one, then `finish`: they go to the spool with one type a column.

    Parameters
    ----------
    spool : Spool
        Where the rows and the issues of their values go.
    foreign : str
        The code for half characters, see `unstorable`.
    """

    def __init__(self, spool: Spool, foreign: str = "bad_text") -> None:
        self._spool, self._foreign = spool, foreign
        self._path = spool.folder / "drafts.arrow"
        self._kinds: dict[str, pa.DataType] = {}
        self._geometry: list[bytes | None] = []
        self._rows: list[dict[str, Any] | None] = []
        self._bytes = 0
        self._sink: pa.OSFile | None = None
        self._batches = 0
        self._long: set[str] = set()  # columns with whole numbers that float64 does not hold
        self.rows = 0

    def add(self, geometry: bytes | None, values: dict[str, Any] | None) -> int:
        """One more row: WKB or None, and its attributes (None if it could not be read); gives its number."""
        self._geometry.append(geometry)
        self._rows.append(values)
        self.rows += 1
        if geometry is not None:
            self._bytes += len(geometry)
        if len(self._rows) >= ROWS or self._bytes >= BYTES:
            self._flush()
        return self.rows - 1

    def _flush(self) -> None:
        if not self._rows:
            return
        first = self.rows - len(self._rows)
        names: dict[str, None] = {}
        for row in self._rows:
            if row:
                names.update(dict.fromkeys(row))
        self._kinds.update({name: pa.null() for name in names if name not in self._kinds})
        if len(self._kinds) > limits().columns:
            raise refused("too_many_columns", value=str(len(self._kinds)), expected=str(limits().columns))
        arrays = [pa.array(self._geometry, pa.binary())]
        for name in names:
            arrays.append(self._column(name, [row.get(name) if row else None for row in self._rows], first))
            self._kinds[name] = _wider(self._kinds[name], arrays[-1])
        batch = pa.record_batch(arrays, names=["\0geom", *names])
        if self._sink is None:
            self._sink = pa.OSFile(str(self._path), "wb")
        with pa.ipc.new_stream(self._sink, batch.schema) as stream:
            stream.write_batch(batch)
        self._batches += 1
        self._geometry, self._rows, self._bytes = [], [], 0

    def _column(self, name: str, values: list[Any], first: int) -> pa.Array:
        """The values as an array; those that cannot be stored become null and an issue."""
        types = {type(value) for value in values}
        if types <= _TEXT:
            try:
                return checked_texts(pa.array(values, pa.string()), name, first, self._spool.issues)
            except UnicodeEncodeError:
                pass  # half characters: found one by one below
        if types & _NESTED:
            values = [text_of(v) if type(v) in _NESTED else v for v in values]
        if types & _CHECKED:
            values = [self._storable(value, name, first + at) for at, value in enumerate(values)]
        array = typed_array(values, kind_of(values))
        if array.type == pa.int64():
            ends = pc.min_max(array).as_py()
            if max(-ends["min"], ends["max"]) > EXACT:
                self._long.add(name)
        return array

    def _storable(self, value: Any, name: str, row: int) -> Any:
        why = unstorable(value, self._foreign)
        if why is None:
            return value
        self._spool.issues.append(Issue(row, name, why[1], why[0]))
        return None

    def finish(self) -> tuple[str, ...]:
        """Write everything to the spool; the names of the columns in the order in which they appeared."""
        self._flush()
        names = tuple(self._kinds)
        kinds = [
            pa.string() if pa.types.is_null(kind) or (kind == pa.float64() and name in self._long) else kind
            for name, kind in self._kinds.items()
        ]
        if self._sink is not None:
            self._sink.close()
            with pa.OSFile(str(self._path), "rb") as source:
                for _ in range(self._batches):
                    with pa.ipc.open_stream(source) as stream:
                        for batch in stream:
                            self._write(batch, names, kinds)
            self._path.unlink()
        return names

    def _write(self, batch: pa.RecordBatch, names: Sequence[str], kinds: Sequence[pa.DataType]) -> None:
        held = dict(zip(batch.schema.names[1:], batch.columns[1:], strict=True))
        columns = [
            _as(held[name], kind) if name in held else pa.nulls(batch.num_rows, kind)
            for name, kind in zip(names, kinds, strict=True)
        ]
        self._spool.add(batch.column(0), names, columns)


def _wider(kind: pa.DataType, array: pa.Array) -> pa.DataType:
    """The type that holds what ``kind`` held so far and ``array`` too."""
    if pa.types.is_null(array.type) or kind == array.type:
        return kind
    if pa.types.is_null(kind):
        return array.type
    if {kind, array.type} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if {kind, array.type} == {pa.date32(), pa.timestamp("us")}:
        return pa.timestamp("us")
    return pa.string()


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    if pa.types.is_string(kind):
        return pa.array([text_of(value) for value in array.to_pylist()], kind)
    return pc.cast(array, kind)
