"""A column's values as a field wants them: trimmed, translated, converted, and every change told.

Whole columns go through pyarrow; only values that change cost Python. What cannot be read stays as it stands,
as text, for the checks to refuse by name. Spaces around a value, and blank for null, are not a change:
fixed-width tables pad, and nobody sees the difference. Nor are 是 and 否 of a boolean: they are its form.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.mapping.codes import half_width
from gis.importing.mapping.columns import EXACT, Column, Remark, replaced, where
from gis.importing.mapping.numbers import numbers
from gis.importing.mapping.quantities import Conversion
from gis.importing.mapping.words import booleans, dates, enums, moments
from gis.importing.values import texts as as_texts
from layers.model import Field

__all__ = ["read_values"]

_MANGLED = r"^[0-9](\.[0-9]+)?[eE]\+[0-9]{2,}$"


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
        array = _days_alone(array)
        return _code_like(field, array, key) if key or field.format else Column(as_texts(array), [])
    if field.type in ("integer", "number"):
        return numbers(field, array, unit)
    if field.type == "enum":
        return enums(field, array)
    if field.type == "boolean":
        return booleans(array)
    return dates(array) if field.type == "date" else moments(array)


def _days_alone(array: pa.Array) -> pa.Array:
    """A column of moments that are all midnight as days: workbooks know no other kind of date."""
    if not pa.types.is_timestamp(array.type) or array.type.tz is not None:
        return array
    days = pc.floor_temporal(array, unit="day")
    return days.cast(pa.date32()) if pc.all(pc.equal(days, array)).as_py() else array


def _code_like(field: Field, array: pa.Array, key: bool) -> Column:
    """Codes: half width, and in the forms that standards fix also upper case, no spaces, no ".0"."""
    texts = as_texts(array)
    if field.format is None:
        odd = pc.invert(pc.string_is_ascii(texts))
    else:
        odd = pc.or_(pc.invert(pc.ascii_is_alnum(texts)), pc.not_equal(pc.ascii_upper(texts), texts))
    remarks = _lost_digits(array, texts)
    lost = {remark.position for remark in remarks}
    positions = [p for p in where(odd) if p not in lost]
    if not positions and not lost:
        return Column(texts, [])
    before = texts.take(pa.array(positions, pa.int64())).to_pylist()
    after = [_plain_code(text, field.format) for text in before]
    for position, old, new in zip(positions, before, after, strict=True):
        if old != new:
            remarks.append(Remark(position, "value_normalised", new, old))
    return Column(replaced(texts, positions + list(lost), after + [None] * len(lost)), remarks)


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
        lost = pc.and_(pc.is_finite(array), pc.greater_equal(pc.abs(array), EXACT))
    elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        if not pc.any(pc.match_substring(texts, "+")).as_py():
            return []
        lost = pc.match_substring_regex(texts, _MANGLED)
    else:
        return []
    return [
        Remark(p, "code_mangled", text, text, "error")
        for p, text in ((p, texts[p].as_py()) for p in where(lost))
    ]
