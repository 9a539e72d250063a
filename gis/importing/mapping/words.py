"""Columns of words: codes of a list, yes and no, dates. Each distinct word is read once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.mapping.codes import boolean_of, code_of, translations
from gis.importing.mapping.columns import Column, Remark
from gis.importing.mapping.dates import AmbiguousDate, day_of_number, read_datetime
from gis.importing.values import texts as as_texts
from layers.headings import fold
from layers.model import Field

__all__ = ["booleans", "dates", "enums", "moments"]

_Reading = tuple[object, str | None]  # the value, and the code of the remark; None: as it should be
_Words = Callable[[str], "_Reading | None"]


def enums(field: Field, array: pa.Array) -> Column:
    """Codes of the field's list; a word that stands for none stays."""
    words = translations(field)
    return _by_word(as_texts(array), lambda text: _enum_word(text, words), pa.string())


def _enum_word(text: str, words: Mapping[str, str]) -> _Reading | None:
    code = code_of(text, words)
    if code is None:
        return None
    if code == text:
        return code, None
    same = fold(text) == fold(code) or text.removesuffix(".0") == code
    return code, "value_normalised" if same else "code_translated"


def booleans(array: pa.Array) -> Column:
    """Yes and no in every way they are written."""
    if pa.types.is_boolean(array.type):
        return Column(array, [])
    return _by_word(as_texts(array), _boolean_word, pa.bool_())


def _boolean_word(text: str) -> _Reading | None:
    known = boolean_of(text)
    return None if known is None else (known[0], "value_normalised" if known[1] else None)


def _by_word(texts: pa.Array, read: _Words, kind: pa.DataType) -> Column:
    """Each distinct text through ``read``: (value, remark), None when it cannot be read; text if any cannot.

    AmbiguousDate from ``read`` becomes an error, and the value null.
    """
    coded = texts.dictionary_encode()
    words: list[str] = coded.dictionary.to_pylist()
    values: list[object] = []
    codes: list[str | None] = []
    unread = False
    for word in words:
        try:
            found = read(word)
        except AmbiguousDate:
            found = (None, "date_ambiguous")
        unread |= found is None
        values.append(found[0] if found is not None else word)
        codes.append(found[1] if found is not None else None)
    if unread:
        kind, values = pa.string(), [v if v is None else _plain(v) for v in values]
    indices = coded.indices
    column = pa.array(values, kind).take(indices) if words else pa.nulls(len(texts), kind)
    changed = [i for i, code in enumerate(codes) if code is not None]
    if not changed:
        return Column(column, [])
    held = np.asarray(pc.fill_null(indices, -1))
    remarks = [
        Remark(
            p, str(codes[i]), None if values[i] is None else _plain(values[i]), words[i], _severity(codes[i])
        )
        for p, i in ((p, int(held[p])) for p in np.flatnonzero(np.isin(held, changed)).tolist())
    ]
    return Column(column, remarks)


def _severity(code: str | None) -> Literal["repair", "error"]:
    return "error" if code == "date_ambiguous" else "repair"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def dates(array: pa.Array) -> Column:
    """Days; a time of day behind one is dropped, with a remark."""
    kind = array.type
    if pa.types.is_date(kind):
        return Column(array.cast(pa.date32()), [])
    if pa.types.is_timestamp(kind):
        local = pc.local_timestamp(array) if kind.tz is not None else array
        days = pc.floor_temporal(local, unit="day")
        if pc.all(pc.equal(days, local), min_count=0).as_py() is not False:
            return Column(days.cast(pa.date32()), [])
        return _by_word(as_texts(local), _date_word, pa.date32())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _by_word(as_texts(array), _day_number_word, pa.date32())
    texts = as_texts(array)
    try:
        return Column(texts.cast(pa.date32()), [])
    except pa.ArrowInvalid:
        return _by_word(texts, _date_word, pa.date32())


def _date_word(text: str) -> _Reading | None:
    try:
        moment = read_datetime(text)
    except AmbiguousDate:
        raise
    except ValueError:
        return None
    iso = re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ].*)?", text) is not None
    return moment.date(), None if iso and moment.time() == time() else "date_read"


def _day_number_word(text: str) -> _Reading | None:
    try:
        return day_of_number(float(text)), "date_read"
    except ValueError:
        return None


def moments(array: pa.Array) -> Column:
    """Days with a time of day; where none is stated, midnight."""
    if pa.types.is_timestamp(array.type):
        return Column(array, [])
    texts = as_texts(array)
    try:
        return Column(texts.cast(pa.timestamp("us")), [])
    except pa.ArrowInvalid:
        return _by_word(texts, _moment_word, pa.string())


def _moment_word(text: str) -> _Reading | None:
    try:
        plain = read_datetime(text).isoformat()
    except AmbiguousDate:
        raise
    except ValueError:
        return None
    return plain, None if re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ].*)?", text) else "date_read"
