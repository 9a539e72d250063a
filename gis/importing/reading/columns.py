"""Columns and geometry of any Arrow source in the few types that a spool holds, with what went wrong."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from gis.importing.issues import Issue, refused
from gis.importing.reading.curves import straight, type_name
from gis.importing.reading.limits import limits

__all__ = ["check_columns", "clip", "decoded", "plain_column", "plain_geometry"]

_SHOWN = 200  # characters of a value in an issue


def clip(value: object) -> str:
    """``value`` as text, short enough for an issue."""
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def check_columns(names: list[str]) -> None:
    """Raise refused("too_many_columns") when there are more than the limit."""
    if len(names) > limits().columns:
        raise refused("too_many_columns", value=str(len(names)), expected=str(limits().columns))


def plain_column(column: pa.Array, name: str, first_row: int) -> tuple[pa.Array, list[Issue]]:
    """``column`` as int64, float64, bool, date32, timestamp or string, every value kept.

    Integers and floats are widened, dictionaries resolved, times and decimals written as text, lists and
    records as JSON, bytes in hexadecimal. Text that is not UTF-8 is read as GB18030 (a repair), and
    what is neither, or holds U+0000, is null with an error. ``first_row`` is the number of the first row.
    """
    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        return plain_column(column.storage, name, first_row)
    if pa.types.is_dictionary(kind):
        return plain_column(column.dictionary_decode(), name, first_row)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _text(column, name, first_row)
    return _typed(column), []


def _typed(column: pa.Array) -> pa.Array:
    kind = column.type
    if kind in (pa.int64(), pa.float64(), pa.bool_(), pa.date32()) or pa.types.is_timestamp(kind):
        return column
    if pa.types.is_uint64(kind) and (pc.max(column).as_py() or 0) > 2**63 - 1:
        return column.cast(pa.string())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_floating(kind):
        return column.cast(pa.float64())
    if pa.types.is_date(kind):
        return column.cast(pa.date32())
    if pa.types.is_time(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.string())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    return pa.array([_as_text(value) for value in column.to_pylist()], pa.string())


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    return orjson.dumps(value, default=str).decode()


def _text(column: pa.Array, name: str, first_row: int) -> tuple[pa.Array, list[Issue]]:
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_binary())
    large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    raw = column.view(pa.large_binary()).cast(pa.binary()) if large else column.view(pa.binary())
    try:
        text = raw.cast(pa.string())
    except pa.ArrowInvalid:
        return _damaged(raw, name, first_row)
    if not _holds_nul(text):
        return text, []
    return _damaged(raw, name, first_row)


def _holds_nul(text: pa.Array) -> bool:
    _, offsets, data = text.buffers()
    if data is None or len(text) == 0:
        return False
    first, last = np.frombuffer(offsets, np.int32)[[text.offset, text.offset + len(text)]]
    held = np.frombuffer(data, np.uint8)[first:last]
    return len(held) > 0 and int(held.min()) == 0


def _damaged(raw: pa.Array, name: str, first_row: int) -> tuple[pa.Array, list[Issue]]:
    values: list[str | None] = []
    issues: list[Issue] = []
    for row, value in enumerate(raw.to_pylist(), first_row):
        text, issue = decoded(value, name, row)
        values.append(text)
        if issue is not None:
            issues.append(issue)
    return pa.array(values, pa.string()), issues


def decoded(value: bytes | None, name: str, row: int) -> tuple[str | None, Issue | None]:
    """``value`` as text: UTF-8, else GB18030 (a repair), else nothing (an error)."""
    if value is None:
        return None, None
    for encoding in ("utf-8", "gb18030"):
        try:
            text = value.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        if encoding == "utf-8":
            return text, None
        return text, Issue(row, name, "GB18030", "encoding_detected", "repair", clip(value.hex()))
    return None, Issue(row, name, clip(repr(value)), "bad_text")


# --- Geometry ---------------------------------------------------------------------------------------------


def plain_geometry(column: pa.Array, first_row: int) -> tuple[pa.Array, list[Issue]]:
    """WKB of any kind as ISO WKB of the seven simple types in x,y, little-endian.

    Z and M are dropped, curves made straight (a repair that keeps the original in hexadecimal). What cannot
    be read, or has more vertices than the limit, is null with an error. Null stays null.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if column.type != pa.binary():
        column = column.cast(pa.binary())
    odd = np.flatnonzero(~_points(column) & ~column.is_null().to_numpy(zero_copy_only=False))
    if len(odd) == 0:
        return column, []
    if len(odd) * 2 > len(column):
        values = np.array(column.to_pylist(), dtype=object)
        issues = _simplify(values, odd, first_row)
        return pa.array(values, pa.binary()), issues
    taken = column.take(pa.array(odd)).to_pylist()
    few = np.array(taken, dtype=object)
    issues = _simplify(few, np.arange(len(few)), 0)
    mask = np.zeros(len(column), dtype=bool)
    mask[odd] = True
    issues = [
        Issue(first_row + int(odd[i.row]), i.field, i.value, i.code, i.severity, i.original) for i in issues
    ]
    return pc.replace_with_mask(column, pa.array(mask), pa.array(list(few), pa.binary())), issues


def _points(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are little-endian points in x,y, which need no look."""
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(offsets)
    plain = lengths == 21
    if column.buffers()[2] is None:
        return np.zeros(len(column), dtype=bool)
    data = np.frombuffer(column.buffers()[2], np.uint8)
    at = offsets[:-1][plain]
    found = np.ones(len(at), dtype=bool)
    for place, byte in enumerate((1, 1, 0, 0, 0)):
        found &= data[at + place] == byte
    plain[plain] = found
    return np.asarray(plain)


def _simplify(
    values: np.ndarray[tuple[int], np.dtype[np.object_]],
    rows: np.ndarray[tuple[int], np.dtype[np.intp]],
    first_row: int,
) -> list[Issue]:
    """Put plain WKB for ``rows`` of ``values``; what was wrong with each."""
    issues: list[Issue] = []
    whole: list[int] = []
    most = limits().vertices
    for row in rows.tolist():
        wkb = values[row]
        code = _code(wkb)
        if len(wkb) > 16 * most and (count := _vertices(wkb)) > most:
            values[row] = None
            issues.append(Issue(first_row + row, None, str(count), "too_many_vertices"))
        elif 1 <= code <= 7:
            whole.append(row)
        else:
            values[row], issue = _made_straight(wkb, code, first_row + row)
            issues.append(issue)
    at = np.array(whole, dtype=np.intp)
    shapes = _parsed(values, at)
    lost = at[shapely.is_missing(shapes)]
    for row in lost.tolist():
        values[row], issue = _made_straight(values[row], 7, first_row + row)
        issues.append(issue)
    kept = ~shapely.is_missing(shapes)
    values[at[kept]] = shapely.to_wkb(shapely.force_2d(shapes[kept]), byte_order=1, flavor="iso")
    return issues


def _parsed(
    values: np.ndarray[tuple[int], np.dtype[np.object_]], at: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    try:
        return np.asarray(shapely.from_wkb(values[at], on_invalid="ignore"), dtype=object)
    except (NotImplementedError, shapely.errors.GEOSException):  # one of them holds a curve within
        return np.array([_parsed_one(value) for value in values[at]], dtype=object)


def _parsed_one(wkb: bytes) -> shapely.Geometry | None:
    try:
        return shapely.from_wkb(wkb, on_invalid="ignore")
    except (NotImplementedError, shapely.errors.GEOSException):
        return None


def _code(wkb: bytes) -> int:
    """The geometry type, dimensions aside; 0 for what is no WKB."""
    if len(wkb) < 5 or wkb[0] > 1:
        return 0
    return (int.from_bytes(wkb[1:5], "little" if wkb[0] else "big") & 0xFFFF) % 1000


def _vertices(wkb: bytes) -> int:
    shape = _parsed_one(wkb)
    return int(shapely.get_num_coordinates(shape)) if shape is not None else len(wkb) // 16


def _made_straight(wkb: bytes, code: int, row: int) -> tuple[bytes | None, Issue]:
    try:
        shape = straight(wkb)
    except ValueError as error:
        return None, Issue(row, None, clip(error), "geometry_unreadable", original=clip(wkb.hex()))
    if shapely.get_num_coordinates(shape) > limits().vertices:
        return None, Issue(row, None, str(shapely.get_num_coordinates(shape)), "too_many_vertices")
    plain: bytes = shapely.to_wkb(shape, byte_order=1, flavor="iso")
    return plain, Issue(row, None, type_name(code), "curve_linearised", "repair", wkb.hex())
