"""Which rows of a file a layer accepts, and the reason for each that it does not.

Trouble with data is a row, not an exception: every refused value becomes an `Issue` with the row number, the
field, the value and a code whose words stand in layers/vocab/issues/. Checks work on whole columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from gis.importing.forms import FORMATS, mismatched, misshapen
from gis.importing.issues import Issue
from gis.importing.shapes import beyond, sort_out
from gis.importing.values import array_of, as_text, texts, typed
from layers.model import Field, Layer

__all__ = ["FORMATS", "ROW_VALUES", "Checked", "as_text", "check_columns", "check_field", "check_rows"]

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]

# What a row may say of itself beside its fields.
ROW_VALUES = {"accuracy_m": "number", "is_indicative": "boolean", "valid_from": "date", "valid_to": "date"}


@dataclass(frozen=True)
class Checked:
    """``rows``: the accepted rows, typed, index = row number in the file, geometry in column "geom"."""

    rows: pd.DataFrame
    issues: list[Issue]

    @property
    def refused(self) -> set[int]:
        """Row numbers with at least one error."""
        return {i.row for i in self.issues if i.severity == "error"}


def check_columns(
    layer: Layer, columns: Mapping[str, pa.Array], rows: Rows
) -> tuple[dict[str, pa.Array], list[Issue]]:
    """Check a batch of attribute values against the definition of ``layer``.

    Parameters
    ----------
    columns : mapping of str to Array
        Field name to values, as text or native; a field that is not there is missing in every row. The names
        of `ROW_VALUES` where the file has them.
    rows : int64 array
        The row numbers in the file.

    Returns
    -------
    dict of str to Array
        Every field of the layer and the row values given, typed as `gis.importing.values.ARROW` says, null
        where a value is missing or could not be read.
    list of Issue
        A required field that is empty, and the first fault of each other value.
    """
    issues: list[Issue] = []
    out: dict[str, pa.Array] = {}
    for field in layer.fields:
        raw = columns.get(field.name)
        out[field.name] = _checked(field, pa.nulls(len(rows)) if raw is None else raw, rows, issues)
    for name, kind in ROW_VALUES.items():
        if name in columns:
            out[name], unreadable = typed(kind, columns[name])
            _note(issues, rows, name, "wrong_type", unreadable, columns[name])
    if "accuracy_m" in out:
        out["accuracy_m"] = _bounds_only(out["accuracy_m"], rows, issues)
    return out, issues


def _bounds_only(values: pa.Array, rows: Rows, issues: list[Issue]) -> pa.Array:
    """A position error below zero is none."""
    negative = _flags(pc.less(values, 0))
    _note(issues, rows, "accuracy_m", "out_of_range", negative, values)
    return pc.if_else(pa.array(negative), pa.scalar(None, values.type), values) if negative.any() else values


def _checked(field: Field, raw: pa.Array, rows: Rows, issues: list[Issue]) -> pa.Array:
    values, unreadable = typed(field.type, raw)
    _note(issues, rows, field.name, "wrong_type", unreadable, raw)
    if field.required:
        empty = _flags(values.is_null()) & ~unreadable
        issues += [Issue(int(rows[i]), field.name, None, "required_missing") for i in np.flatnonzero(empty)]
    done = np.zeros(len(values), dtype=bool)
    for code, failing in _faults(field, values):
        _note(issues, rows, field.name, code, failing & ~done, values)
        done |= failing
    return values


def _faults(field: Field, values: pa.Array) -> list[tuple[str, Flags]]:
    """The codes of the checks that ``field`` asks for and which values fail each, in the order they count."""
    if values.null_count == len(values):
        return []
    found: list[tuple[str, Flags]] = []
    if field.type == "enum":
        codes = pa.array([v.code for v in field.code_list], pa.string())
        found.append(("unknown_code", _flags(pc.invert(pc.is_in(values, codes))) & _flags(values.is_valid())))
    if field.format:
        found.append((FORMATS[field.format][0], misshapen(values, field.format)))
    if field.pattern:
        found.append(("pattern", mismatched(values, field.pattern)))
    if field.type in ("integer", "number"):
        low = _flags(pc.less(values, field.min)) if field.min is not None else False
        high = _flags(pc.greater(values, field.max)) if field.max is not None else False
        found.append(("out_of_range", np.broadcast_to(low | high, len(values))))
    return found


def _flags(flags: pa.Array) -> Flags:
    return np.asarray(flags.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _note(issues: list[Issue], rows: Rows, field: str, code: str, failing: Flags, values: pa.Array) -> None:
    """An issue for each row of ``failing`` with the value in words."""
    if not failing.any():
        return
    told = texts(values.filter(pa.array(failing))).to_pylist()
    numbers = rows[failing].tolist()
    issues += [Issue(row, field, value, code) for row, value in zip(numbers, told, strict=True)]


def check_field(field: Field, raw: pd.Series[Any], issues: list[Issue]) -> pd.Series[Any]:
    """``raw`` as typed values of ``field``, null where missing or unreadable; adds an issue a fault."""
    values = _checked(field, array_of(raw), np.arange(len(raw)), issues)
    return _series(values, raw.index)


def _series(values: pa.Array, index: pd.Index[Any]) -> pd.Series[Any]:
    return pd.Series(values.to_pylist(), index=index, dtype=object)


def check_rows(
    layer: Layer, frame: pd.DataFrame, extent: tuple[float, float, float, float] | None = None
) -> Checked:
    """Check every row of ``frame`` against the definition of ``layer``, all in memory.

    Parameters
    ----------
    frame : DataFrame
        Columns named as the layer's fields (others are ignored), values as read or as text; the columns
        accuracy_m, is_indicative, valid_from and valid_to where present; geometries in column "geom",
        already in the storage CRS, x,y order.
    extent : (x_min, y_min, x_max, y_max), optional
        In the storage CRS; a row that lies wholly beyond it is kept with a warning.

    Returns
    -------
    Checked
        Accepted rows with typed columns (missing optional fields as null); accepted + refused = all rows.
        Nothing is repaired: an invalid geometry is refused.
    """
    frame = frame.reset_index(drop=True)
    names = {f.name for f in layer.fields} | set(ROW_VALUES)
    given = {str(name): array_of(frame[name]) for name in frame.columns if name in names}
    columns, issues = check_columns(layer, given, np.arange(len(frame)))
    typed_frame = pd.DataFrame(
        {name: _series(values, frame.index) for name, values in columns.items()}, index=frame.index
    )
    if layer.has_geometry:
        geom = frame["geom"] if "geom" in frame else pd.Series([None] * len(frame), dtype=object)
        found = sort_out(layer, geom.to_numpy(dtype=object))
        for code, flags in found.faults.items():
            issues += [Issue(int(i), "geom", None, code) for i in np.flatnonzero(flags)]
        for i in np.flatnonzero(found.invalid):
            reason = shapely.is_valid_reason(found.geometry[i])
            issues.append(Issue(int(i), "geom", reason, "geometry_invalid"))
        found.geometry[found.invalid] = None
        typed_frame["geom"] = pd.Series(found.geometry, dtype=object)
        if extent is not None:
            issues += [
                Issue(int(i), "geom", place(found.geometry[i]), "outside_extent", "warning")
                for i in np.flatnonzero(beyond(found.geometry, extent))
            ]
    refused = {i.row for i in issues if i.severity == "error"}
    return Checked(typed_frame.loc[[i for i in typed_frame.index if i not in refused]], issues)


def place(geometry: shapely.Geometry) -> str:
    """The corner of a geometry with the least x and y, in words."""
    west, south, _, _ = shapely.bounds(geometry)
    return f"{west:.6f} {south:.6f}"
