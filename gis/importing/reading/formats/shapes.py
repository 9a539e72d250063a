"""Positions of a file made into ISO WKB without losing a bit: checked, rings closed, Z dropped.

Written out here and not by a geometry library because these would close nothing, turn half-read positions
into NaN, or refuse a whole batch for one ring.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.importing.issues import Issue
from gis.importing.reading.limits import limits

__all__ = [
    "FAMILIES",
    "Malformed",
    "Shape",
    "bounded",
    "collected",
    "line",
    "multi",
    "point",
    "polygon",
    "positions",
]

# Family -> WKB codes of the single and of the multiple geometry (OGC 06-103r4, 8.2.8).
FAMILIES: Mapping[str, tuple[int, int]] = {"Point": (1, 4), "LineString": (2, 5), "Polygon": (3, 6)}
_COLLECTION = 7
_COUNTED = struct.Struct("<BII")
_FEW = 16  # rings up to here are asked how many different positions they have
_NUMBERS: set[type] = {int, float}


class Malformed(Exception):
    """A geometry that cannot be taken: the code of the issue and the value to show."""

    def __init__(self, code: str, value: str | None = None) -> None:
        super().__init__(code, value)
        self.code, self.value = code, value


@dataclass(frozen=True)
class Shape:
    """One geometry as WKB, and what was mended to make it.

    Attributes
    ----------
    family : str
        "Point", "LineString", "Polygon"; "" for a mixture.
    wkb : bytes
        ISO WKB, x,y.
    vertices : int
        Its positions, those before closing.
    unclosed : bytes or None
        The WKB as the file has it, when a ring had to be closed.
    gathered : bytes or None
        The WKB of the collection that the geometry was before it was flattened.
    parts : tuple of Shape or None
        The single geometries that a multiple one is made of.
    """

    family: str
    wkb: bytes
    vertices: int
    unclosed: bytes | None = None
    gathered: bytes | None = None
    parts: tuple[Shape, ...] | None = None

    def issues(self, row: int) -> list[Issue]:
        """What was mended, as issues of ``row``."""
        found = []
        if self.unclosed is not None:
            found.append(Issue(row, None, None, "ring_closed", "repair", self.unclosed.hex()))
        if self.gathered is not None:
            name = "Multi" + self.family
            found.append(Issue(row, None, name, "collection_flattened", "repair", self.gathered.hex()))
        return found


def positions(raw: Any, exact: bool) -> NDArray[np.float64]:
    """``raw``, a list of positions from JSON, as an (n, 2) array.

    ``exact`` asks each number for its type: needed when the text holds true or false, which count as
    numbers in an array. Raises `Malformed`: bad_position, coordinate_not_finite, too_many_vertices.
    """
    if type(raw) is not list:
        raise Malformed("bad_position", _shown(raw))
    if len(raw) > limits().vertices:
        raise Malformed("too_many_vertices", str(len(raw)))
    if not raw:
        return np.empty((0, 2))
    array: NDArray[Any] | None = None
    if not exact and type(raw[0]) is list:
        try:
            array = np.array(raw)
        except (ValueError, OverflowError):
            array = None  # of different lengths, or too long: one by one
    if array is None or array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "if":
        array = np.array([_position(each) for each in raw])
    return _finite(array[:, :2].astype(np.float64))


def _position(raw: Any) -> tuple[float, float]:
    if type(raw) is not list or len(raw) < 2 or not {type(v) for v in raw[:2]} <= _NUMBERS:
        raise Malformed("bad_position", _shown(raw))
    try:
        return float(raw[0]), float(raw[1])
    except OverflowError as error:
        raise Malformed("coordinate_not_finite", _shown(raw)) from error


def _finite(array: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array).all(axis=1)][0]
        raise Malformed("coordinate_not_finite", f"{bad[0]}, {bad[1]}")
    return array


def _shown(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 80 else text[:79] + "…"


def point(x: Any, y: Any) -> Shape:
    """A point. Raises `Malformed` for what is no pair of finite numbers."""
    x, y = _position([x, y])
    if not (abs(x) < float("inf") and abs(y) < float("inf")):
        raise Malformed("coordinate_not_finite", f"{x}, {y}")
    return Shape("Point", struct.pack("<BIdd", 1, 1, x, y), 1)


def line(array: NDArray[np.float64]) -> Shape:
    """A line of the (n, 2) ``array``. Raises `Malformed` bad_position for a single position."""
    if len(array) == 1:
        raise Malformed("bad_position", f"{array[0, 0]}, {array[0, 1]}")
    return Shape("LineString", _COUNTED.pack(1, 2, len(array)) + array.tobytes(), len(array))


def polygon(rings: Sequence[NDArray[np.float64]]) -> Shape:
    """A polygon of (n, 2) rings, the outer first, as they wind; rings that are not closed are closed.

    Raises `Malformed` zero_area for a ring of fewer than three different positions.
    """
    if len(rings) == 1 and len(rings[0]) == 0:
        rings = []
    whole, mended = [], False
    for ring in rings:
        if len(ring) <= _FEW and (different := len(np.unique(ring, axis=0))) < 3:
            raise Malformed("zero_area", str(different))
        if (ring[0] != ring[-1]).any():
            mended, ring = True, np.vstack([ring, ring[:1]])
        whole.append(ring)
    return Shape("Polygon", _rings(whole), sum(map(len, rings)), _rings(rings) if mended else None)


def _rings(rings: Sequence[NDArray[np.float64]]) -> bytes:
    body = [struct.pack("<I", len(ring)) + ring.tobytes() for ring in rings]
    return b"".join([_COUNTED.pack(1, 3, len(rings)), *body])


def multi(family: str, parts: Sequence[Shape]) -> Shape:
    """The parts, singles of one family, as one multiple geometry; empty when there are none."""
    mended = any(part.unclosed is not None for part in parts)
    code = FAMILIES[family][1]
    return Shape(
        family,
        _gather(code, [part.wkb for part in parts]),
        sum(part.vertices for part in parts),
        _gather(code, [part.unclosed or part.wkb for part in parts]) if mended else None,
        parts=tuple(parts),
    )


def collected(parts: Sequence[Shape]) -> Shape:
    """A collection: of one family it becomes one multiple geometry.

    A mixture stays a collection, for the layer to refuse, and so does an empty one.
    """
    families = {part.family for part in parts}
    gathered = _gather(_COLLECTION, [part.unclosed or part.gathered or part.wkb for part in parts])
    if len(families) != 1 or "" in families:
        wkb = _gather(_COLLECTION, [part.wkb for part in parts])
        return Shape("", wkb, sum(part.vertices for part in parts))
    singles = [single for part in parts for single in (part.parts if part.parts is not None else (part,))]
    return replace(multi(families.pop(), singles), gathered=gathered)


def _gather(code: int, wkb: Sequence[bytes]) -> bytes:
    return b"".join([_COUNTED.pack(1, code, len(wkb)), *wkb])


def bounded(shape: Shape) -> Shape:
    """The shape itself. Raises `Malformed` too_many_vertices when it has more than the limit."""
    if shape.vertices > limits().vertices:
        raise Malformed("too_many_vertices", str(shape.vertices))
    return shape
