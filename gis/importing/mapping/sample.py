"""A few rows from all over a file: enough to judge its columns by, however long it is."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from gis.importing.reading.spool import GEOM, Reading
from gis.importing.returned import returned_columns
from gis.importing.values import texts as as_texts

__all__ = ["columns_of", "placing_columns", "same_values", "sample_of"]

_BATCHES, _ROWS = 16, 250


def columns_of(reading: Reading) -> list[str]:
    """The attribute columns as they are in the rows."""
    for batch in reading.batches():
        return list(batch.schema.names[GEOM + 1 :])
    return list(reading.header.columns)


def placing_columns(reading: Reading) -> frozenset[str]:
    """The columns that the geometry was made from, or that say why rows were given back.

    They are not looked at as attributes.
    """
    header = reading.header
    made_from = {c for c in (header.x, header.y, header.wkt) if c is not None}
    return frozenset(made_from) | returned_columns(header.columns)


def sample_of(reading: Reading) -> pa.Table:
    """At most 4,000 rows: some of sixteen batches spread over the file, without row number and geometry."""
    batches = list(reading.batches())
    step = max(1, len(batches) // _BATCHES)
    parts = [batch.slice(0, _ROWS) for batch in batches[::step][:_BATCHES]]
    if len(batches) == 1:
        spread = max(1, len(batches[0]) // _BATCHES)
        parts = [batches[0].slice(start, _ROWS) for start in range(0, len(batches[0]), max(spread, _ROWS))]
        parts = parts[:_BATCHES] or [batches[0]]
    table = pa.Table.from_batches(parts) if parts else pa.table({})
    return table.select(list(range(GEOM + 1, table.num_columns))) if parts else table


def same_values(reading: Reading, columns: Sequence[str]) -> bool:
    """Whether the columns hold the same text in every row of the file."""
    held = columns_of(reading)
    places = [GEOM + 1 + held.index(column) for column in columns]
    for batch in reading.batches():
        first, *others = (as_texts(batch.column(place)) for place in places)
        if not all(other.equals(first) for other in others):
            return False
    return True
