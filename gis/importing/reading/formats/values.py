"""A column of values as one Arrow array, with its texts checked: what cannot be stored, what is too long."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.issues import Issue
from gis.importing.reading.formats.characters import guess, is_foreign
from gis.importing.reading.formats.coordinates import shown
from gis.importing.reading.limits import limits

__all__ = ["EXACT", "checked_texts", "kind_of", "text_of", "typed_array", "unstorable"]

EXACT = 2**53  # integers up to here are exact as float64
_INT64 = 2**63


def text_of(value: Any) -> str | None:
    """A value as text: JSON for objects and lists, true/false, ISO dates, numbers in their shortest form."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < EXACT and repr(value) != "-0.0"
        return str(int(value)) if whole else repr(value)
    if isinstance(value, dict | list):
        return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME, default=text_of).decode()
    return str(value)


def kind_of(values: Sequence[Any]) -> pa.DataType:
    """The Arrow type that holds all of ``values`` without loss; null when all are None.

    Integers beyond int64, or beyond 2**53 beside fractions, and values of different kinds become text.
    """
    types = {type(value) for value in values} - {type(None)}
    if not types:
        return pa.null()
    if types == {bool}:
        return pa.bool_()
    if types == {int}:
        low, high = _bounds(values)
        return pa.int64() if -_INT64 <= low and high < _INT64 else pa.string()
    if types == {float}:
        return pa.float64()
    if types == {int, float}:
        low, high = _bounds([v for v in values if isinstance(v, int)])
        return pa.float64() if -EXACT <= low and high <= EXACT else pa.string()
    if types <= {dt.date, dt.datetime}:
        timed = any(isinstance(v, dt.datetime) and v.time() != dt.time() for v in values)
        return pa.timestamp("us") if timed else pa.date32()
    return pa.string()


def _bounds(values: Sequence[Any]) -> tuple[int, int]:
    whole = [v for v in values if v is not None]
    return min(whole), max(whole)


def typed_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """``values`` as an array of ``kind``, which `kind_of` gave for them or for more."""
    if pa.types.is_string(kind):
        return pa.array([text_of(value) for value in values], kind)
    if pa.types.is_date(kind):
        values = [v.date() if isinstance(v, dt.datetime) else v for v in values]
    if pa.types.is_timestamp(kind):
        values = [dt.datetime(v.year, v.month, v.day) if type(v) is dt.date else v for v in values]
    return pa.array(values, kind)


def unstorable(value: Any, foreign: str) -> tuple[str, str | None] | None:
    """Why a single value cannot be stored: the code and the value to show; None when it can.

    ``foreign`` is the code for half characters: "encoding" where bytes were decoded, else "bad_text".
    """
    if isinstance(value, float):
        return None if math.isfinite(value) else ("number_overflow", repr(value))
    if not isinstance(value, str):
        return None
    if len(value) > limits().text_chars:
        return "value_too_long", f"{len(value)} > {limits().text_chars}"
    if is_foreign(value):
        return foreign, shown(guess(value)) if foreign == "encoding" else shown(value)
    return ("bad_text", shown(value.replace("\0", "\\u0000"))) if "\0" in value else None


def checked_texts(values: pa.Array, name: str, first: int, issues: list[Issue]) -> pa.Array:
    """The string array ``values`` with what cannot be stored set to null and made an issue.

    ``first`` is the row number of the first value.
    """
    most = limits().text_chars
    lengths = pc.utf8_length(values)
    longest = pc.max(lengths).as_py()
    bad = pc.match_substring(values, "\0")
    if (longest is None or longest <= most) and not pc.any(bad).as_py():
        return values
    refuse = pc.fill_null(pc.or_(pc.greater(lengths, most), bad), False)
    for at in pc.indices_nonzero(refuse).to_pylist():
        why = unstorable(values[at].as_py(), "bad_text")
        if why is not None:
            issues.append(Issue(first + at, name, why[1], why[0]))
    return pc.if_else(refuse, None, values)
