"""Arcs and surfaces as straight geometry: what stands in WKB beyond the seven simple types.

Codes after ISO/IEC 13249-3 (SQL/MM): 8 CircularString, 9 CompoundCurve, 10 CurvePolygon, 11 MultiCurve,
12 MultiSurface, 15 PolyhedralSurface, 16 TIN, 17 Triangle; plus 1000 for Z, 2000 for M, 3000 for both.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import numpy as np
import shapely

__all__ = ["STEP_DEGREES", "straight", "type_name"]

STEP_DEGREES = 4.0  # of arc for one chord; OGR's default too
_DEEPEST = 16
_NAMES = {
    1: "Point", 2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon",
    7: "GeometryCollection", 8: "CircularString", 9: "CompoundCurve", 10: "CurvePolygon", 11: "MultiCurve",
    12: "MultiSurface", 13: "Curve", 14: "Surface", 15: "PolyhedralSurface", 16: "TIN", 17: "Triangle",
}  # fmt: skip

_Kind = TypeVar("_Kind", bound=shapely.Geometry)
_Positions = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def type_name(code: int) -> str:
    """The name of the geometry type with WKB ``code``, dimensions aside."""
    return _NAMES.get((code & 0xFFFF) % 1000, str(code))


def straight(wkb: bytes) -> shapely.Geometry:
    """The geometry in ``wkb`` (ISO or extended) as a simple type in x,y; arcs become chords of 4 degrees.

    The three points that define an arc stay as they are. CRS: none; units: those of the file.

    Raises
    ------
    ValueError
        For what is no whole WKB geometry.
    """
    try:
        return _Walk(wkb).geometry(0)
    except (struct.error, IndexError, shapely.errors.GEOSException, OverflowError) as error:
        raise ValueError(str(error)) from error


class _Walk:
    def __init__(self, wkb: bytes) -> None:
        self.wkb, self.at = wkb, 0

    def geometry(self, depth: int) -> shapely.Geometry:
        if depth > _DEEPEST:
            raise ValueError("too deep")
        kind, order, size = self._head()
        if kind == 1:
            return shapely.Point(*self._positions(order, size, 1)[0])
        if kind in (2, 8):
            line = self._line(order, size)
            return shapely.LineString(_arcs(line) if kind == 8 else line)
        if kind in (3, 17):
            rings = [self._line(order, size) for _ in range(self._count(order))]
            return _polygon(rings)
        parts = [self.geometry(depth + 1) for _ in range(self._count(order))]
        return _joined(kind, parts)

    def _head(self) -> tuple[int, str, int]:
        order = "<" if self.wkb[self.at] else ">"
        (code,) = struct.unpack_from(f"{order}I", self.wkb, self.at + 1)
        self.at += 5
        if code & 0x2000_0000:  # an SRID, in the extended form
            self.at += 4
        plain = code & 0x0FFF_FFFF
        size = 2 + bool(code & 0x8000_0000) + bool(code & 0x4000_0000) + (0, 1, 1, 2)[plain // 1000]
        return plain % 1000, order, size

    def _count(self, order: str) -> int:
        (count,) = struct.unpack_from(f"{order}I", self.wkb, self.at)
        self.at += 4
        if count > len(self.wkb) - self.at:
            raise ValueError("a count beyond the end")
        return int(count)

    def _line(self, order: str, size: int) -> _Positions:
        return self._positions(order, size, self._count(order))

    def _positions(self, order: str, size: int, count: int) -> _Positions:
        if count * size * 8 > len(self.wkb) - self.at:
            raise ValueError("positions beyond the end")
        values = np.frombuffer(self.wkb, f"{order}f8", count * size, self.at).reshape(count, size)
        self.at += count * size * 8
        return values[:, :2].astype(np.float64)


def _joined(kind: int, parts: list[shapely.Geometry]) -> shapely.Geometry:
    if kind == 9:
        lines = [shapely.get_coordinates(part) for part in parts]
        runs = [line if number == 0 else line[1:] for number, line in enumerate(lines)]
        return shapely.LineString(np.concatenate(runs) if runs else None)
    if kind == 10:
        return _polygon([shapely.get_coordinates(part) for part in parts])
    if kind == 4:
        return shapely.MultiPoint(_all(shapely.Point, parts))
    if kind in (5, 11):
        return shapely.MultiLineString(_all(shapely.LineString, parts))
    if kind in (6, 12, 15, 16):
        return shapely.MultiPolygon(_all(shapely.Polygon, parts))
    if kind == 7:
        return shapely.GeometryCollection(parts)
    raise ValueError(f"type {kind}")


def _all(kind: type[_Kind], parts: list[shapely.Geometry]) -> list[_Kind]:
    held = [part for part in parts if isinstance(part, kind)]
    if len(held) != len(parts):
        raise ValueError(f"a part that is no {kind.__name__}")
    return held


def _polygon(rings: list[_Positions]) -> shapely.Geometry:
    if not rings:
        return shapely.Polygon()
    return shapely.Polygon(rings[0], rings[1:])


def _arcs(points: _Positions) -> _Positions:
    """A run of arcs, each through three points, the last of one being the first of the next."""
    if len(points) < 3 or len(points) % 2 == 0:
        raise ValueError("an arc without its three points")
    runs = [points[:1]]
    for start in range(0, len(points) - 2, 2):
        runs.append(_arc(*points[start : start + 3])[1:])
    return np.concatenate(runs)


def _arc(a: _Positions, b: _Positions, c: _Positions) -> _Positions:
    """Chords from ``a`` through ``b`` to ``c``; a straight line where the three lie on one."""
    if np.array_equal(a, c):  # a full circle, with b opposite
        centre = (a + b) / 2
        turn = np.pi
    else:
        p, q = b - a, c - a
        d = 2 * (p[0] * q[1] - p[1] * q[0])
        if abs(d) < 1e-14 * max(float(p @ p), float(q @ q)):
            return np.array([a, b, c])
        u = np.array([q[1] * (p @ p) - p[1] * (q @ q), p[0] * (q @ q) - q[0] * (p @ p)]) / d
        centre = a + u
        turn = 0.0
    counter = turn > 0 or float(np.cross(np.append(b - a, 0), np.append(c - b, 0))[2]) > 0
    first, second = (_chords(start, end, centre, counter) for start, end in ((a, b), (b, c)))
    return np.concatenate([first, second[1:]])


def _chords(start: _Positions, end: _Positions, centre: _Positions, counter: bool) -> _Positions:
    from_, to = (np.arctan2(*(p - centre)[::-1]) for p in (start, end))
    sweep = (to - from_) % (2 * np.pi) if counter else -((from_ - to) % (2 * np.pi))
    steps = max(1, int(np.ceil(abs(np.degrees(sweep)) / STEP_DEGREES - 1e-9)))
    angles = from_ + sweep * np.arange(1, steps) / steps
    radius = np.hypot(*(start - centre))
    between = centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.concatenate([[start], between, [end]])
