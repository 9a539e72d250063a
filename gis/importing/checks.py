"""Which rows of a file a layer accepts, and the reason for each that it does not.

Trouble with data is a row, not an exception: every refused value becomes an `Issue` with the row number, the
field, the value and a code whose words stand in layers/vocab/issues/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from stdnum.cn import uscc

from gis.importing.issues import Issue
from layers.model import Field, Layer

__all__ = ["FORMATS", "Checked", "as_text", "check_field", "check_rows"]

ROW_VALUES = {"accuracy_m": "number", "is_indicative": "boolean", "valid_from": "date", "valid_to": "date"}
_TRUE, _FALSE = {"true", "1", "yes", "是", "t", "y"}, {"false", "0", "no", "否", "f", "n"}


@dataclass(frozen=True)
class Checked:
    """``rows``: the accepted rows, typed, index = row number in the file, geometry in column "geom"."""

    rows: pd.DataFrame
    issues: list[Issue]

    @property
    def refused(self) -> set[int]:
        """Row numbers with at least one error."""
        return {i.row for i in self.issues if i.severity == "error"}


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _permit_code(value: str) -> bool:
    """HJ 608-2017: 18 characters of credit code (or its substitute), 3 digits of sequence, 1 letter."""
    return re.fullmatch(r"[0-9A-Z]{18}\d{3}[A-Z]", value) is not None


# format name of a field -> (issue code, test). GB 32100-2015; HJ 608-2017; GB/T 4754-2017; GB/T 2260.
FORMATS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "uscc": ("uscc_check_digit", lambda value: bool(uscc.is_valid(value))),
    "permit_code": ("permit_code_form", _permit_code),
    "outfall_code": ("outfall_code_form", _matches(r"D[AW]\d{3}|YS\d{3}")),
    "industry_code": ("industry_code_form", _matches(r"[A-T](\d{2}(\d{1,2})?)?|\d{2,4}")),
    "adcode": ("adcode_form", _matches(r"\d{6}(\d{3}|\d{6})?")),
}


def check_rows(
    layer: Layer, frame: pd.DataFrame, extent: tuple[float, float, float, float] | None = None
) -> Checked:
    """Check every row of ``frame`` against the definition of ``layer``.

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
    """
    frame = frame.reset_index(drop=True)
    issues: list[Issue] = []
    columns: dict[str, pd.Series[Any]] = {}
    for field in layer.fields:
        raw = frame[field.name] if field.name in frame else pd.Series([None] * len(frame), dtype=object)
        columns[field.name] = check_field(field, raw, issues)
    for name, kind in ROW_VALUES.items():
        if name in frame:
            columns[name] = _typed(name, kind, frame[name], issues)
    if layer.has_geometry:
        geom = frame["geom"] if "geom" in frame else pd.Series([None] * len(frame), dtype=object)
        columns["geom"] = pd.Series(_check_geometry(layer, geom.to_numpy(dtype=object), issues), dtype=object)
        if extent is not None:
            issues += _beyond(columns["geom"].to_numpy(dtype=object), extent)
    typed = pd.DataFrame(columns, index=frame.index)
    refused = {i.row for i in issues if i.severity == "error"}
    return Checked(typed.loc[[i for i in typed.index if i not in refused]], issues)


def _beyond(
    geometry: np.ndarray[tuple[int], np.dtype[np.object_]], extent: tuple[float, float, float, float]
) -> list[Issue]:
    """A warning for each geometry whose bounding box does not meet the extent."""
    west, south, east, north = shapely.bounds(geometry).T
    away = (west > extent[2]) | (east < extent[0]) | (south > extent[3]) | (north < extent[1])
    return [
        Issue(i, "geom", f"{west[i]:.6f} {south[i]:.6f}", "outside_extent", "warning")
        for i in np.flatnonzero(away).tolist()
    ]


def as_text(value: object) -> str | None:
    """The value as stripped text; null, NaN and blank become None."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    return str(value).strip() or None


def check_field(field: Field, raw: pd.Series[Any], issues: list[Issue]) -> pd.Series[Any]:
    """``raw`` as typed values of ``field``, null where missing or unreadable; adds an issue a fault."""
    values = _typed(field.name, field.type, raw, issues)
    present = values.notna().to_numpy()
    stated = np.array([as_text(v) is not None for v in raw])
    if field.required:
        issues += [Issue(int(i), field.name, None, "required_missing") for i in np.flatnonzero(~stated)]
    allowed = {v.code for v in field.code_list} if field.type == "enum" else None
    form = FORMATS.get(field.format) if field.format else None
    pattern = re.compile(field.pattern) if field.pattern else None
    for i in np.flatnonzero(present).tolist():
        value = values.iat[i]
        if allowed is not None and value not in allowed:
            issues.append(Issue(int(i), field.name, str(value), "unknown_code"))
        elif form is not None and not form[1](str(value)):
            issues.append(Issue(int(i), field.name, str(value), form[0]))
        elif pattern is not None and not pattern.fullmatch(str(value)):
            issues.append(Issue(int(i), field.name, str(value), "pattern"))
        elif _out_of_range(field, value):
            issues.append(Issue(int(i), field.name, str(value), "out_of_range"))
    return values


def _out_of_range(field: Field, value: object) -> bool:
    if field.type not in ("integer", "number"):
        return False
    number = float(value)  # type: ignore[arg-type]
    return (field.min is not None and number < field.min) or (field.max is not None and number > field.max)


def _typed(name: str, kind: str, raw: pd.Series[Any], issues: list[Issue]) -> pd.Series[Any]:
    """``raw`` as values of ``kind``; what cannot be read becomes null and a wrong_type issue."""
    texts = [as_text(v) for v in raw]
    out: list[object] = [None] * len(texts)
    read = _READERS[kind]
    for i, (value, original) in enumerate(zip(texts, raw, strict=True)):
        if value is None:
            continue
        try:
            out[i] = read(value, original)
        except (ValueError, TypeError, OverflowError):
            issues.append(Issue(i, name, value, "wrong_type"))
    return pd.Series(out, index=raw.index, dtype=object)


def _read_integer(text: str, _original: object) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(text) if text.lstrip("+-").isdigit() else int(number)


def _read_number(text: str, _original: object) -> float:
    number = float(text)
    if not np.isfinite(number):
        raise ValueError(text)
    return number


def _read_boolean(text: str, _original: object) -> bool:
    word = text.lower().removesuffix(".0")
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


_READERS: dict[str, Callable[[str, object], object]] = {
    "text": lambda text, _original: text,
    "enum": lambda text, _original: text.removesuffix(".0") if text.removesuffix(".0").isdigit() else text,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "date": lambda text, _original: pd.Timestamp(text).date(),
    "datetime": lambda _text, original: pd.Timestamp(original).to_pydatetime(),  # type: ignore[arg-type]
}

_FAMILY = {"Point": (0, 4), "LineString": (1, 5), "Polygon": (3, 6)}


def _check_geometry(
    layer: Layer, geometry: np.ndarray[tuple[int], np.dtype[np.object_]], issues: list[Issue]
) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """The geometries promoted to the layer's type; a refused one becomes None with its reason."""
    missing = np.array([g is None for g in geometry], dtype=bool)
    kinds = shapely.get_type_id(geometry)
    family = _FAMILY.get(layer.geometry.removeprefix("Multi"))
    promoted = _promote(geometry, layer.geometry)
    reasons: list[tuple[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]] = [
        ("geometry_missing", missing),
        ("geometry_empty", ~missing & shapely.is_empty(geometry)),
        (
            "nonfinite_coordinate",
            ~missing & ~np.isfinite(shapely.bounds(geometry)).all(axis=1) & ~shapely.is_empty(geometry),
        ),
        (
            "geometry_type",
            ~missing & ~np.isin(kinds, family if family else range(8))
            | (shapely.get_type_id(promoted) < 0) & ~missing,
        ),
        ("geometry_invalid", ~missing & ~shapely.is_valid(geometry)),
    ]
    refused = np.zeros(len(geometry), dtype=bool)
    for code, mask in reasons:
        for i in np.flatnonzero(mask & ~refused):
            detail = shapely.is_valid_reason(geometry[i]) if code == "geometry_invalid" else None
            issues.append(Issue(int(i), "geom", detail, code))
        refused |= mask
    promoted[refused] = None
    return promoted


def _promote(
    geometry: np.ndarray[tuple[int], np.dtype[np.object_]], wanted: str
) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Single to multi, and a multi of one part to single, as ``wanted`` asks; anything else becomes None."""
    out = geometry.copy()
    if wanted == "Geometry":
        return out
    for i in np.flatnonzero([g is not None and g.geom_type != wanted for g in geometry]):
        g = geometry[i]
        if wanted == f"Multi{g.geom_type}":
            out[i] = (
                shapely.from_wkt(f"MULTI{g.geom_type.upper()} EMPTY") if g.is_empty else _MULTI[wanted]([g])
            )
        elif g.geom_type == f"Multi{wanted}" and len(g.geoms) == 1:
            out[i] = g.geoms[0]
        else:
            out[i] = None
    return out


_MULTI: dict[str, Callable[..., Any]] = {
    "MultiPoint": shapely.multipoints,
    "MultiLineString": shapely.multilinestrings,
    "MultiPolygon": shapely.multipolygons,
}
