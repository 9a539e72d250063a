"""What the attributes of some rows say about where they lie: columns with names of places, and with codes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gis.importing.reading.spool import Reading

__all__ = ["MOST_COLUMNS", "Stated", "spread_rows", "stated_places", "taken", "texts"]

Rows = NDArray[np.int64]

# Endings that people leave out: 永康 for 永康市, 傅村 for 傅村镇.
_ENDINGS = re.compile(r"(?<=..)(自治县|市辖区|街道|街道办事处|[市县区镇乡])$")
# Columns looked at, and the longest value that can be an address: a file may hold a thousand columns of text.
MOST_COLUMNS, _LONGEST = 100, 300
# So much of a column must name a place before it counts as saying where rows lie.
_LEAST_SHARE = 0.2


def spread_rows(rows: Rows, most: int) -> Rows:
    """At most ``most`` of ``rows``, evenly over the file, first and last included."""
    if len(rows) <= most:
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(np.int64))]


def taken(reading: Reading, rows: Rows) -> pa.Table:
    """The rows of the file at the given positions, geometry included."""
    return pa.Table.from_batches(list(reading.batches())).take(pa.array(rows))


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """The values as stripped text, whole numbers without ".0"; None if null, blank, long or a fraction."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [_short(v) if v is not None else None for v in column.to_pylist()]
    if pa.types.is_integer(kind):
        return [str(v) if v is not None else None for v in column.to_pylist()]
    if pa.types.is_floating(kind):
        return [str(int(v)) if v is not None and v.is_integer() else None for v in column.to_pylist()]
    return [None] * len(column)


def _short(value: str) -> str | None:
    return (value.strip() or None) if len(value) <= _LONGEST else None


@dataclass(frozen=True)
class Stated:
    """Which place each row names: ``index`` into the places asked for, -1 for none; ``column`` says it.

    ``exact`` is whether the whole value is the name or code, and not only a part of it.
    """

    column: str
    index: NDArray[np.int64]
    exact: bool


def stated_places(
    table: pa.Table, columns: Sequence[str], names: Sequence[str], codes: Sequence[str | None]
) -> Stated | None:
    """The column that names most of the rows' places: as whole value, as code, or within an address.

    Parameters
    ----------
    table : Table
        Some rows with their attributes.
    names, codes : sequences of equal length
        The places, full names such as "永康市" and administrative codes of 6 or 9 digits.

    Returns
    -------
    Stated or None
        None when no column names a place for at least a fifth of the rows.
    """
    whole = _Whole(names, codes)
    full = {name: i for i, name in enumerate(names)}
    if not full:
        return None
    inner = re.compile("|".join(re.escape(name) for name in sorted(full, key=len, reverse=True)))
    best: Stated | None = None
    for column in columns:
        values = texts(table.column(column))
        least = max(1.0, _LEAST_SHARE * len(values))
        for exact in (True, False):
            found = [
                -1 if v is None else whole.find(v) if exact else _one(inner.findall(v), full) for v in values
            ]
            index = np.array(found, dtype=np.int64)
            count = int((index >= 0).sum())
            if count < least:
                continue
            if best is None or count > int((best.index >= 0).sum()) or (exact and not best.exact):
                best = Stated(column, index, exact)
            break
    return best


class _Whole:
    """Places by a value that is nothing but their name or code."""

    def __init__(self, names: Sequence[str], codes: Sequence[str | None]) -> None:
        self._names = _by_name(names)
        self._codes = {code: i for i, code in enumerate(codes) if code}
        self._width = min((len(code) for code in self._codes), default=0)

    def find(self, value: str) -> int:
        """The number of the place; -1 when there is none. A longer code stands for the place it lies in."""
        if value in self._names:
            return self._names[value]
        if self._codes and len(value) in (6, 9, 12) and value.isdigit():
            return self._codes.get(value, self._codes.get(value[: self._width], -1))
        return -1


def _by_name(names: Sequence[str]) -> Mapping[str, int]:
    """Full names, and short ones that only one place has."""
    found = {name: i for i, name in enumerate(names)}
    short: dict[str, set[int]] = {}
    for i, name in enumerate(names):
        short.setdefault(_ENDINGS.sub("", name), set()).add(i)
    for name, which in short.items():
        if len(which) == 1 and len(name) >= 2:
            found.setdefault(name, next(iter(which)))
    return found


def _one(found: Sequence[str], full: Mapping[str, int]) -> int:
    distinct = set(found)
    return full[found[0]] if len(distinct) == 1 else -1
