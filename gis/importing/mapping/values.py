"""A column's values as a field wants them: trimmed, translated, converted, and every change told.

Whole columns go through pyarrow; only values that change cost Python. What cannot be read stays as it stands,
as text, for the checks to refuse by name. Spaces around a value, and blank for null, are not a change:
fixed-width tables pad, and nobody sees the difference. Nor are 是 and 否 of a boolean: they are its form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.mapping.codes import boolean_of, code_of, half_width, translations
from gis.importing.mapping.dates import AmbiguousDate, day_of_number, read_datetime
from gis.importing.mapping.quantities import NUMBER, Conversion, number_of
from layers.headings import fold
from layers.model import Field

__all__ = ["Column", "Remark", "as_texts", "read_values"]

_EXACT = 2**53  # from here on a double does not hold every whole number
_MANGLED = r"^[0-9](\.[0-9]+)?[eE]\+[0-9]{2,}$"


@dataclass(frozen=True, slots=True)
class Remark:
    """What happened to the value at ``position`` of a column: a repair, or an error that took it away."""

    position: int
    code: str
    value: str | None
    original: str
    severity: Literal["repair", "error"] = "repair"


@dataclass(frozen=True)
class Column:
    """Values of one field, native where all of them could be read, else text; and a remark a change."""

    values: pa.Array
    remarks: list[Remark]


def read_values(
    field: Field, array: pa.Array, *, key: bool = False, unit: Conversion | None = None
) -> Column:
    """``array`` as values of ``field``.

    Parameters
    ----------
    array : Array
        As the file has it: text, or native. Empty is allowed; NaN counts as null.
    key : bool
        Whether the field names the row: then full-width letters and digits become half width, and a number
        in exponent form is refused, because its digits are lost.
    unit : Conversion, optional
        The unit that the heading states, when the values have to be converted.

    Returns
    -------
    Column
        As long as ``array``. For a number: float64 or int64; boolean: bool; date: date32; datetime:
        timestamp; text and enum: string. A column with a value that cannot be read is string as a whole, read
        values in their plain form (ISO dates, true/false).
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if field.type == "text":
        return _code_like(field, array, key) if key or field.format else Column(as_texts(array), [])
    if field.type in ("integer", "number"):
        return _numbers(field, array, unit)
    if field.type == "enum":
        words = translations(field)
        return _by_word(as_texts(array), lambda text: _enum_word(text, words), pa.string())
    if field.type == "boolean":
        if pa.types.is_boolean(array.type):
            return Column(array, [])
        return _by_word(as_texts(array), _boolean_word, pa.bool_())
    return _dates(array) if field.type == "date" else _moments(array)


# ---- text


def as_texts(array: pa.Array) -> pa.Array:
    """The values as text without spaces around them; blank and NaN as null, whole floats without ".0"."""
    kind = array.type
    if pa.types.is_floating(kind):
        return _float_texts(array)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return _other_texts(array)
    texts = pc.utf8_trim_whitespace(array.cast(pa.string()))
    if pc.min(pc.binary_length(texts)).as_py() == 0:
        texts = pc.if_else(pc.equal(pc.binary_length(texts), 0), pa.scalar(None, pa.string()), texts)
    return texts


def _float_texts(array: pa.Array) -> pa.Array:
    values = _without_nan(array.cast(pa.float64()))
    whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), _EXACT))
    if pc.all(whole, min_count=0).as_py() is not False:
        return values.cast(pa.int64()).cast(pa.string())
    return pa.array(
        [None if v is None else (str(int(v)) if w else repr(v)) for v, w in _pairs(values, whole)],
        pa.string(),
    )


def _pairs(first: pa.Array, second: pa.Array) -> zip[tuple[Any, Any]]:
    return zip(first.to_pylist(), second.to_pylist(), strict=True)


def _other_texts(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())


def _without_nan(values: pa.Array) -> pa.Array:
    nan = pc.is_nan(values)
    return pc.if_else(nan, pa.scalar(None, values.type), values) if pc.any(nan).as_py() else values


def _code_like(field: Field, array: pa.Array, key: bool) -> Column:
    """Codes: half width, and in the forms that standards fix also upper case, no spaces, no ".0"."""
    texts = as_texts(array)
    if field.format is None:
        odd = pc.invert(pc.string_is_ascii(texts))
    else:
        odd = pc.or_(pc.invert(pc.ascii_is_alnum(texts)), pc.not_equal(pc.ascii_upper(texts), texts))
    remarks = _lost_digits(array, texts)
    lost = {remark.position for remark in remarks}
    positions = [p for p in _where(odd) if p not in lost]
    if not positions and not lost:
        return Column(texts, [])
    before = texts.take(pa.array(positions, pa.int64())).to_pylist()
    after = [_plain_code(text, field.format) for text in before]
    for position, old, new in zip(positions, before, after, strict=True):
        if old != new:
            remarks.append(Remark(position, "value_normalised", new, old))
    return Column(_replaced(texts, positions + list(lost), after + [None] * len(lost)), remarks)


def _plain_code(text: str, form: str | None) -> str:
    if form is None:
        # A key may be words: only full-width letters, digits and marks of an otherwise Latin code are folded.
        plain = half_width(text).strip()
        return plain if plain.isascii() else text
    plain = re.sub(r"[\s\u200b\ufeff]", "", half_width(text)).upper()
    if form in ("uscc", "adcode"):
        plain = plain.replace("-", "")
    return re.sub(r"\.0+$", "", plain)


def _lost_digits(array: pa.Array, texts: pa.Array) -> list[Remark]:
    """An error for each code that a spreadsheet turned into a rounded number (3.3010E+11, or above 2^53)."""
    if pa.types.is_floating(array.type):
        lost = pc.and_(pc.is_finite(array), pc.greater_equal(pc.abs(array), float(_EXACT)))
    elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        if not pc.any(pc.match_substring(texts, "+")).as_py():
            return []
        lost = pc.match_substring_regex(texts, _MANGLED)
    else:
        return []
    return [
        Remark(p, "code_mangled", text, text, "error")
        for p, text in ((p, texts[p].as_py()) for p in _where(lost))
    ]


def _where(mask: pa.Array) -> list[int]:
    return np.flatnonzero(np.asarray(pc.fill_null(mask, False))).tolist() if len(mask) else []


def _replaced(texts: pa.Array, positions: list[int], values: list[str | None]) -> pa.Array:
    """``texts`` with ``values`` at ``positions``."""
    mask = np.zeros(len(texts), dtype=bool)
    mask[positions] = True
    in_order = [values[i] for i in np.argsort(positions)]
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(in_order, pa.string()))


# ---- words: enums, booleans, dates. Each distinct word is read once.

_Reading = tuple[object, str | None]  # the value, and the code of the remark; None: as it should be
_Words = Callable[[str], "_Reading | None"]


def _enum_word(text: str, words: Mapping[str, str]) -> _Reading | None:
    code = code_of(text, words)
    if code is None:
        return None
    if code == text:
        return code, None
    return code, "value_normalised" if fold(text) == fold(code) else "code_translated"


def _boolean_word(text: str) -> _Reading | None:
    known = boolean_of(text)
    return None if known is None else (known[0], "value_normalised" if known[1] else None)


def _by_word(texts: pa.Array, read: _Words, kind: pa.DataType, numbers: pa.Array | None = None) -> Column:
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


def _dates(array: pa.Array) -> Column:
    kind = array.type
    if pa.types.is_date(kind):
        return Column(array.cast(pa.date32()), [])
    if pa.types.is_timestamp(kind):
        moments = pc.local_timestamp(array) if kind.tz is not None else array
        days = pc.floor_temporal(moments, unit="day")
        if pc.all(pc.equal(days, moments), min_count=0).as_py() is not False:
            return Column(days.cast(pa.date32()), [])
        return _by_word(_other_texts(moments), _date_word, pa.date32())
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


def _moments(array: pa.Array) -> Column:
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


# ---- numbers


def _numbers(field: Field, array: pa.Array, unit: Conversion | None) -> Column:
    numeric = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    texts = None if numeric else as_texts(array)
    remarks: list[Remark] = []
    own_unit: set[int] = set()
    if texts is None:
        values = _without_nan(array) if pa.types.is_floating(array.type) else array
    else:
        texts, remarks, own_unit = _plain_numbers(field, texts)
        values = _cast(texts, field.type)
    if unit is None:
        return Column(texts if values is None else _whole(values, field.type), remarks)
    if values is None:
        return _converted_texts(unit, texts, remarks, own_unit)
    return _converted(unit, array, values, remarks, own_unit)


def _cast(texts: pa.Array, kind: str) -> pa.Array | None:
    """All texts as numbers; None when one is none, or is not finite."""
    try:
        if kind == "integer":
            return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    try:
        values = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return values if pc.all(pc.is_finite(values), min_count=0).as_py() is not False else None


def _whole(values: pa.Array, kind: str) -> pa.Array:
    """Floats of an integer field as int64 where all of them are whole; others as they are."""
    if kind != "integer" or not pa.types.is_floating(values.type):
        return values
    whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), float(_EXACT)))
    return values.cast(pa.int64()) if pc.all(whole, min_count=0).as_py() is not False else values


def _plain_numbers(field: Field, texts: pa.Array) -> tuple[pa.Array, list[Remark], set[int]]:
    """Texts with each number in plain form; the remarks; and where a cell states its own unit."""
    if _cast(texts, "number") is not None:
        return texts, [], set()
    odd = _where(pc.invert(pc.match_substring_regex(texts, NUMBER)))
    remarks: list[Remark] = []
    positions: list[int] = []
    after: list[str | None] = []
    own_unit: set[int] = set()
    for position, text in zip(odd, texts.take(pa.array(odd, pa.int64())).to_pylist(), strict=True):
        found = number_of(text, field.unit)
        if found is None:
            continue
        positions.append(position)
        after.append(found.text)
        if found.unit is not None:
            own_unit.add(position)
        remarks.append(Remark(position, found.remark, found.text, text))
    return _replaced(texts, positions, after) if positions else texts, remarks, own_unit


def _converted(
    unit: Conversion, array: pa.Array, values: pa.Array, remarks: list[Remark], own_unit: set[int]
) -> Column:
    """``values`` times the factor, but for the cells with their own unit; a remark a value."""
    before = np.asarray(pc.fill_null(values.cast(pa.float64()), np.nan), dtype=float)
    after = unit.apply(before)
    keep = np.zeros(len(before), dtype=bool)
    keep[list(own_unit)] = True
    after[keep] = before[keep]
    told = {remark.position: remark for remark in remarks if remark.position in own_unit}
    originals = array.to_pylist()
    present = np.flatnonzero(~np.isnan(before)).tolist()
    changed = [
        told.get(p) or Remark(p, "unit_converted", unit.told(float(after[p])), str(originals[p]))
        for p in present
    ]
    return Column(pa.array(after, pa.float64(), mask=np.isnan(before)), changed)


def _converted_texts(unit: Conversion, texts: pa.Array, remarks: list[Remark], own_unit: set[int]) -> Column:
    """As `_converted`, for a column in which some value is no number: that one stays as it is."""
    out: list[str | None] = texts.to_pylist()
    told = {remark.position: remark for remark in remarks}
    changed = []
    for p in _where(pc.match_substring_regex(texts, NUMBER)):
        if p in own_unit:
            changed.append(told[p])
            continue
        number = float(unit.apply(np.array([float(str(out[p]))]))[0])
        original = told[p].original if p in told else str(out[p])
        out[p] = repr(number)
        changed.append(Remark(p, "unit_converted", unit.told(number), original))
    return Column(pa.array(out, pa.string()), changed)
