"""Shapefile: every record looked at before it is believed, none lost, rows and shapes in step.

Layout after "ESRI Shapefile Technical Description" (1998). Read here and not through GDAL, which passes over
deleted rows and unreadable records in silence, and over the order of both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from gis.importing.issues import Issue, refused
from gis.importing.reading.columns import clip
from gis.importing.reading.formats.dbf import Table, open_table
from gis.importing.reading.formats.rings import polygon_of
from gis.importing.reading.fullnames import full_names
from gis.importing.reading.limits import limits
from gis.importing.reading.sniff import SHP_MAGIC
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["read"]

_BATCH = 65_536
_NULL = 0
_POINTS, _LINES, _POLYGONS, _MULTIPOINTS = {1, 11, 21}, {3, 13, 23}, {5, 15, 25}, {8, 18, 28}
_TYPES = {_NULL, 31} | _POINTS | _LINES | _POLYGONS | _MULTIPOINTS
_Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]
_Data = np.ndarray[tuple[int], np.dtype[np.uint8]]


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Spool the rows of ``path``, a .shp with its .dbf beside it; .shx, .prj and .cpg help if there.

    So does the table of names that an export of onemap brings, in which the ten bytes of a DBF name are told
    in full.

    Coordinates as in the file, x,y, in the CRS of the .prj. A null shape is null; a record that cannot be
    read, or is marked as deleted, is there with an error.

    Raises
    ------
    ImportRefused
        not_a_shapefile, shp_truncated, dbf_missing, dbf_unreadable, dbf_count_mismatch, too_many_columns.
    """
    data, kind = _open(path)
    offsets = _records(data, path, kind)
    table = _table(path, len(offsets))
    table.settle(options.encoding, _page(path))
    table.names = full_names(path.with_suffix(".csv"), table.names)
    for start in range(0, len(offsets), _BATCH):
        stop = min(start + _BATCH, len(offsets))
        geometry, issues = _geometry(data, offsets[start:stop], kind, start)
        columns, found = table.columns(start, stop)
        gone = np.flatnonzero(table.deleted(start, stop)) + start
        spool.issues += [Issue(row, None, None, "deleted_rows_skipped") for row in gone.tolist()]
        spool.issues += issues + found
        spool.add(geometry, table.names, columns)
    return Header(
        format="shapefile",
        encoding=table.codec.upper(),
        declared_crs=_declared(path),
        columns=tuple(table.names),
        rows_claimed=table.claimed,
    )


def _open(path: Path) -> tuple[_Data, int]:
    """The bytes of the .shp, mapped, and its shape type."""
    with path.open("rb") as file:
        head = file.read(100)
    if not head.startswith(SHP_MAGIC):
        raise refused("not_a_shapefile", value=path.name)
    if len(head) < 100:
        raise refused("shp_truncated", value=f"{len(head)} B")
    kind = int.from_bytes(head[32:36], "little")
    if kind not in _TYPES:
        raise refused("not_a_shapefile", value=f"{path.name} ({kind})")
    return np.memmap(path, np.uint8, "r"), kind


def _table(path: Path, shapes: int) -> Table:
    beside = path.with_suffix(".dbf")
    if not beside.is_file():
        raise refused("dbf_missing")
    if beside.stat().st_size == 0:
        raise refused("dbf_unreadable", value="0 B")
    table = open_table(beside)
    if table.claimed != shapes or table.rows < shapes:
        raise refused("dbf_count_mismatch", value=f"DBF {table.claimed} ({table.rows})", expected=str(shapes))
    return table


# --- Records ----------------------------------------------------------------------------------------------


def _records(data: _Data, path: Path, kind: int) -> _Offsets:
    """Where each record begins: from the .shx where it holds true, else by walking the .shp.

    A .shx that says the file goes on beyond its end says that it was cut.
    """
    index = path.with_suffix(".shx")
    said = int.from_bytes(data[24:28].tobytes(), "big") * 2
    if index.is_file() and index.stat().st_size >= 100:
        rows = np.fromfile(index, ">i4", offset=100)
        rows = rows[: len(rows) // 2 * 2].reshape(-1, 2).astype(np.int64) * 2
        genuine = _begins(index)
        if genuine and len(rows) and _holds(data, rows):
            return np.ascontiguousarray(rows[:, 0])
        cut = genuine and len(rows) and (rows[:, 0] + 8 + rows[:, 1]).max() > len(data) and said > len(data)
        if cut:
            raise refused("shp_truncated", value=f"{len(data)} B < {said} B")
    offsets, whole = _walk(data, kind)
    if not whole or said > len(data):
        raise refused("shp_truncated", value=f"{len(data)} B < {said} B")
    return offsets


def _begins(index: Path) -> bool:
    with index.open("rb") as file:
        return file.read(4) == SHP_MAGIC


def _holds(data: _Data, rows: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> bool:
    """Do all records of the index lie in the file, with the length that the index gives?"""
    at, length = rows[:, 0], rows[:, 1]
    if (at < 100).any() or (length < 4).any() or (at + 8 + length > len(data)).any():
        return False
    return bool((_word(data, at + 4, ">i4") * 2 == length).all()) and len(np.unique(at)) == len(at)


def _word(data: _Data, at: _Offsets, form: str) -> _Offsets:
    """The 4-byte integers that begin at ``at``."""
    raw = data[at[:, None] + np.arange(4)]
    return np.ascontiguousarray(raw).view(form).ravel().astype(np.int64)


def _walk(data: _Data, kind: int) -> tuple[_Offsets, bool]:
    """The beginnings of the records one after the other, and whether the last one is whole."""
    stride = 8 + {1: 20, 11: 36, 21: 28}.get(kind, 0)
    rows, rest = divmod(len(data) - 100, stride)
    if stride > 8 and rest == 0 and rows:
        offsets = 100 + stride * np.arange(rows, dtype=np.int64)
        if (_word(data, offsets + 4, ">i4") * 2 == stride - 8).all():
            return offsets, True
    found: list[int] = []
    at, raw = 100, data.tobytes() if len(data) < 1 << 22 else memoryview(data)  # type: ignore[arg-type]
    while at + 8 <= len(data):
        length = struct.unpack_from(">i", raw, at + 4)[0] * 2
        if length < 4 or at + 8 + length > len(data):
            return np.array(found, dtype=np.int64), False
        found.append(at)
        at += 8 + length
    return np.array(found, dtype=np.int64), at == len(data)


# --- Shapes -----------------------------------------------------------------------------------------------


def _geometry(data: _Data, offsets: _Offsets, kind: int, first: int) -> tuple[pa.Array, list[Issue]]:
    """WKB of the records, null for null shapes and, with an error, for what cannot be read."""
    lengths = _word(data, offsets + 4, ">i4") * 2
    kinds = _word(data, offsets + 8, "<i4")
    values = np.full(len(offsets), None, dtype=object)
    issues: list[Issue] = []
    if kind in _POINTS:
        plain = np.flatnonzero((kinds == kind) & (lengths >= 20))
        values[plain] = _points(data, offsets[plain])
        odd = np.flatnonzero(((kinds != kind) | (lengths < 20)) & (kinds != _NULL))
    else:
        odd = np.flatnonzero(kinds != _NULL)
    for row in odd.tolist():
        begin = int(offsets[row]) + 8
        body = data[begin : begin + int(lengths[row])].tobytes()
        try:
            values[row], unclosed = _shape(body, kind)
            if unclosed is not None:
                issues.append(Issue(first + row, None, None, "ring_closed", "repair", unclosed.hex()))
        except _Unreadable as error:
            issues.append(Issue(first + row, None, error.value, error.code))
    return pa.array(values, pa.binary()), issues


def _points(data: _Data, at: _Offsets) -> list[bytes]:
    """WKB of the points whose records begin at ``at``."""
    wkb = np.zeros((len(at), 21), dtype=np.uint8)
    wkb[:, :2] = 1
    wkb[:, 5:] = data[at[:, None] + 12 + np.arange(16)]
    return [row.tobytes() for row in np.ascontiguousarray(wkb).view("V21").ravel()]


class _Unreadable(Exception):
    def __init__(self, value: str, code: str = "geometry_unreadable") -> None:
        super().__init__(value)
        self.value, self.code = value, code


def _shape(body: bytes, kind: int) -> tuple[bytes, bytes | None]:
    """WKB of one record other than a point, and that of it before its rings were closed, if they had to be.

    Every number in it is checked against the record's length.
    """
    (own,) = struct.unpack_from("<i", body)
    if own != kind or kind in _POINTS or kind == 31:
        raise _Unreadable(f"type {own}")
    try:
        if kind in _MULTIPOINTS:
            (count,) = struct.unpack_from("<i", body, 36)
            points = _positions(body, 40, count)
            return _wkb(shapely.MultiPoint(points)), None
        parts, count = struct.unpack_from("<ii", body, 36)
        if not 0 <= parts <= count or 44 + 4 * parts > len(body):
            raise _Unreadable(f"numParts {parts}")
        starts = np.frombuffer(body, "<i4", parts, 44).astype(np.int64)
        points = _positions(body, 44 + 4 * parts, count)
        lines = list(_parts(points, starts))
        if kind in _LINES:
            return _wkb(_lines(lines)), None
        rings = [_ring(line) for line in lines]
        closed = sum(map(len, rings)) != len(points)
        return _wkb(polygon_of(rings)), _as_written(lines) if closed else None
    except (struct.error, shapely.errors.GEOSException) as error:
        raise _Unreadable(clip(error)) from error


def _positions(body: bytes, at: int, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    if count < 0 or at + 16 * count > len(body):
        raise _Unreadable(f"numPoints {count}")
    if count > limits().vertices:
        raise _Unreadable(str(count), "too_many_vertices")
    return np.frombuffer(body, "<f8", 2 * count, at).reshape(-1, 2)


def _parts(
    points: np.ndarray[tuple[int, int], np.dtype[np.float64]], starts: _Offsets
) -> Iterator[np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    ends = np.append(starts[1:], len(points))
    if len(starts) and (starts[0] != 0 or (ends < starts).any() or (starts > len(points)).any()):
        raise _Unreadable(f"parts {clip(starts[:8].tolist())}")
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield points[start:end]


def _lines(lines: list[np.ndarray[tuple[int, int], np.dtype[np.float64]]]) -> shapely.Geometry:
    kept = [line for line in lines if len(line)]
    if any(len(line) < 2 for line in kept):
        raise _Unreadable("1", "bad_position")
    made = [shapely.LineString(line) for line in kept]
    return made[0] if len(made) == 1 else shapely.MultiLineString(made)


def _ring(
    line: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    closed = line if len(line) and np.array_equal(line[0], line[-1]) else np.concatenate([line, line[:1]])
    if len(closed) < 4:
        raise _Unreadable(str(len(line)), "zero_area")
    return closed


def _as_written(lines: list[np.ndarray[tuple[int, int], np.dtype[np.float64]]]) -> bytes:
    """WKB of a polygon of ``lines`` as they are, which no geometry library would make."""
    rings = [struct.pack("<I", len(line)) + np.ascontiguousarray(line, "<f8").tobytes() for line in lines]
    return struct.pack("<BII", 1, 3, len(rings)) + b"".join(rings)


def _wkb(shape: shapely.Geometry) -> bytes:
    made: bytes = shapely.to_wkb(shape, byte_order=1, flavor="iso")
    return made


# --- What stands beside -----------------------------------------------------------------------------------


def _page(path: Path) -> str | None:
    """The text of the .cpg."""
    beside = path.with_suffix(".cpg")
    if not beside.is_file():
        return None
    with beside.open("rb") as file:
        return file.read(100).decode("ascii", errors="replace").strip() or None


def _declared(path: Path) -> str | None:
    """The CRS of the .prj: its authority's code where PROJ is sure, else its own words; None if empty."""
    beside = path.with_suffix(".prj")
    if not beside.is_file():
        return None
    with beside.open("rb") as file:
        text = file.read(20_000).decode("utf-8-sig", errors="replace").strip(" \t\r\n\x00")
    if not text or text.upper().startswith("LOCAL_CS"):
        return None
    try:
        found = pyproj.CRS.from_user_input(text).to_authority(min_confidence=90)
    except pyproj.exceptions.CRSError:
        return text
    return f"{found[0]}:{found[1]}" if found else text
