"""Values as read (text or native) as values of a field's type, whole columns at a time.

What a column operation can read is read so; only the values that it cannot are looked at one by one, each
distinct one once, by the reader that knows every spelling.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["ARROW", "array_of", "as_text", "texts", "typed"]

Flags = NDArray[np.bool_]

# How each type of field is held in a column.
ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "enum": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}
_TRUE, _FALSE = {"true", "1", "yes", "是", "t", "y"}, {"false", "0", "no", "否", "f", "n"}
_WORDS = pa.array([*sorted(_TRUE), *sorted(_FALSE)])


def as_text(value: object) -> str | None:
    """The value as stripped text; null, NaN and blank become None."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    return str(value).strip() or None


def array_of(values: pd.Series[Any] | list[Any]) -> pa.Array:
    """A column of a frame as an Arrow array; values of mixed types become text, NaN becomes null."""
    try:
        return _one_array(pa.array(values, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([as_text(v) for v in values], pa.string())


def _one_array(found: pa.Array | pa.ChunkedArray) -> pa.Array:
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def texts(raw: pa.Array) -> pa.Array:
    """The values as stripped text, blank as null; whole numbers held as floats without ".0"."""
    kind = raw.type
    if pa.types.is_null(kind):
        return pa.nulls(len(raw), pa.string())
    if pa.types.is_dictionary(kind):
        raw, kind = raw.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        raw = pc.if_else(pc.is_nan(raw), pa.scalar(None, kind), raw)
        values = raw.fill_null(0.5).to_numpy(zero_copy_only=False)
        whole = (values == np.floor(values)) & (np.abs(values) < 2**53)
        if whole.any():
            short = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
            return pc.if_else(pa.array(whole), short, raw.cast(pa.string()))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return raw.cast(pa.string())
    trimmed = pc.utf8_trim_whitespace(raw).cast(pa.string())
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def typed(kind: str, raw: pa.Array) -> tuple[pa.Array, Flags]:
    """``raw`` as values of ``kind``, null where there is none, and which could not be read (null too)."""
    quick, rest = _QUICK[kind](raw)
    if not rest.any():
        return quick, rest
    return _look_up(kind, raw, quick, rest)


def _look_up(kind: str, raw: pa.Array, quick: pa.Array, rest: Flags) -> tuple[pa.Array, Flags]:
    """Read what the column operation could not, each distinct value once."""
    left = texts(raw.filter(pa.array(rest))).dictionary_encode()
    read = _READERS[kind]
    values: list[Any] = []
    for text in left.dictionary.to_pylist():
        try:
            values.append(read(text))
        except (ValueError, TypeError, OverflowError):
            values.append(None)
    try:
        known = pa.array(values, ARROW[kind])
    except (pa.ArrowInvalid, OverflowError):  # a number too large for the store
        known = pa.array([_fitting(value, ARROW[kind]) for value in values], ARROW[kind])
    found = known.take(left.indices)
    unreadable = rest.copy()
    unreadable[rest] = found.is_null().to_numpy(zero_copy_only=False)
    return pc.replace_with_mask(quick, pa.array(rest), found), unreadable


def _fitting(value: object, kind: pa.DataType) -> object:
    try:
        pa.array([value], kind)
    except (pa.ArrowInvalid, OverflowError):
        return None
    return value


# --- Whole columns: the values, and which are still to be looked at ---------------------------------------


def _nothing(raw: pa.Array) -> Flags:
    return np.zeros(len(raw), dtype=bool)


def _present(raw: pa.Array) -> Flags:
    return np.asarray(raw.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _only(values: pa.Array, kept: pa.Array) -> pa.Array:
    return pc.if_else(kept.fill_null(False), values, pa.scalar(None, values.type))


def _text(raw: pa.Array) -> tuple[pa.Array, Flags]:
    return texts(raw), _nothing(raw)


def _enum(raw: pa.Array) -> tuple[pa.Array, Flags]:
    words = texts(raw)
    if pa.types.is_string(raw.type) and pc.any(pc.ends_with(words, ".0")).as_py():
        words = pc.replace_substring_regex(words, r"^(\d+)\.0$", r"\1")
    return words, _nothing(raw)


def _integer(raw: pa.Array) -> tuple[pa.Array, Flags]:
    if pa.types.is_integer(raw.type) and not pa.types.is_uint64(raw.type):
        return raw.cast(pa.int64()), _nothing(raw)
    if pa.types.is_floating(raw.type):
        values = raw.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        whole = (values == np.floor(values)) & (np.abs(values) < 2**63)
        found = pa.array(np.where(whole, values, 0).astype(np.int64), mask=~whole)
        return found, ~whole & ~np.isnan(values)
    words = texts(raw)
    plain = pc.match_substring_regex(words, r"^-?[0-9]{1,18}$")
    return _only(words, plain).cast(pa.int64()), _present(words) & ~_true(plain)


def _number(raw: pa.Array) -> tuple[pa.Array, Flags]:
    if pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type):
        values = raw.cast(pa.float64(), safe=False)
        finite = pc.is_finite(values)
        unfit = _present(values) & ~_true(finite)
        nan = _true(pc.is_nan(values))
        return _only(values, finite), unfit & ~nan
    words = texts(raw)
    plain = pc.match_substring_regex(words, r"^-?[0-9]{1,17}(\.[0-9]{1,17})?([eE]-?[0-9]{1,2})?$")
    return _only(words, plain).cast(pa.float64()), _present(words) & ~_true(plain)


def _boolean(raw: pa.Array) -> tuple[pa.Array, Flags]:
    if pa.types.is_boolean(raw.type):
        return raw, _nothing(raw)
    words = pc.utf8_lower(texts(raw))
    place = pc.index_in(words, value_set=_WORDS)
    return pc.less(place, len(_TRUE)), _present(words) & ~_present(place)


def _date(raw: pa.Array) -> tuple[pa.Array, Flags]:
    if pa.types.is_date(raw.type):
        return raw.cast(pa.date32()), _nothing(raw)
    if pa.types.is_timestamp(raw.type):
        local = pc.local_timestamp(raw) if raw.type.tz else raw
        return pc.floor_temporal(local, unit="day").cast(pa.date32()), _nothing(raw)
    words = texts(raw)
    found = pd.to_datetime(words.to_numpy(zero_copy_only=False), format="%Y-%m-%d", errors="coerce")
    days = pa.array(found.to_numpy().astype("datetime64[D]"))
    return days, _present(words) & ~_present(days)


def _datetime(raw: pa.Array) -> tuple[pa.Array, Flags]:
    kind = ARROW["datetime"]
    if pa.types.is_timestamp(raw.type) and raw.type.tz:
        return raw.cast(kind, safe=False), _nothing(raw)
    if pa.types.is_timestamp(raw.type) or pa.types.is_date(raw.type):
        moments = raw.cast(pa.timestamp("us"), safe=False)
        return pc.assume_timezone(moments, "UTC"), _nothing(raw)
    words = texts(raw)
    found = pd.to_datetime(
        words.to_numpy(zero_copy_only=False), format="ISO8601", errors="coerce", utc=True
    ).tz_localize(None)
    moments = pc.assume_timezone(pa.array(found.to_numpy().astype("datetime64[us]")), "UTC")
    return moments, _present(words) & ~_present(moments)


def _true(flags: pa.Array) -> Flags:
    return np.asarray(flags.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


_QUICK: dict[str, Callable[[pa.Array], tuple[pa.Array, Flags]]] = {
    "text": _text,
    "enum": _enum,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}

# --- One value: what the column operations leave ----------------------------------------------------------


def _read_integer(text: str) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(text) if text.lstrip("+-").isdigit() else int(number)


def _read_number(text: str) -> float:
    number = float(text)
    if not np.isfinite(number):
        raise ValueError(text)
    return number


def _read_boolean(text: str) -> bool:
    word = text.lower().removesuffix(".0")
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _read_date(text: str) -> date | None:
    found = pd.Timestamp(text)
    return None if pd.isna(found) else found.date()


def _read_datetime(text: str) -> datetime | None:
    found = pd.Timestamp(text)
    if pd.isna(found):
        return None
    return (found.tz_localize("UTC") if found.tzinfo is None else found).to_pydatetime()


_READERS: dict[str, Callable[[str], Any]] = {
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "date": _read_date,
    "datetime": _read_datetime,
}
