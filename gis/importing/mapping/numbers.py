"""Columns of numbers: read in every way they are written, and converted from the unit of their heading."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.mapping.columns import EXACT, Column, Remark, replaced, where
from gis.importing.mapping.quantities import NUMBER, Conversion, number_of
from gis.importing.values import texts as as_texts
from layers.model import Field

__all__ = ["numbers"]


def numbers(field: Field, array: pa.Array, unit: Conversion | None) -> Column:
    """Numbers in the field's unit; ``unit`` says what they are in, unless a cell says so itself."""
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
    whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), EXACT))
    return values.cast(pa.int64()) if pc.all(whole, min_count=0).as_py() is not False else values


def _plain_numbers(field: Field, texts: pa.Array) -> tuple[pa.Array, list[Remark], set[int]]:
    """Texts with each number in plain form; the remarks; and where a cell states its own unit."""
    if _cast(texts, "number") is not None:
        return texts, [], set()
    odd = where(pc.invert(pc.match_substring_regex(texts, NUMBER)))
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
    return replaced(texts, positions, after) if positions else texts, remarks, own_unit


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
    for p in where(pc.match_substring_regex(texts, NUMBER)):
        if p in own_unit:
            changed.append(told[p])
            continue
        number = float(unit.apply(np.array([float(str(out[p]))]))[0])
        original = told[p].original if p in told else str(out[p])
        out[p] = repr(number)
        changed.append(Remark(p, "unit_converted", unit.told(number), original))
    return Column(pa.array(out, pa.string()), changed)


def _without_nan(values: pa.Array) -> pa.Array:
    nan = pc.is_nan(values)
    return pc.if_else(nan, pa.scalar(None, values.type), values) if pc.any(nan).as_py() else values
