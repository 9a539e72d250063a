"""The child that repairs geometries: reads one, answers one; killed by `gis.importing.repair` when stuck.

In:  scale (double, m² to the square unit), length, WKB.
Out: code (0 repaired, 1 cannot be, 2 too complex), length of the reason, length of the WKB, both.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
import struct
import sys
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["AREA_M2", "AREA_SHARE", "CROSSINGS", "main", "mended"]

REPAIRED, CANNOT, TOO_COMPLEX = 0, 1, 2

# What the two readings of a ring may differ by: a share of its area, or this much whatever the share is.
AREA_SHARE = 0.01
AREA_M2 = 1.0
# Estimated pairs of segments whose boxes meet; noding them takes seconds and hundreds of megabytes.
CROSSINGS = 300_000
_SAMPLE = 400


def mended(shape: Any, scale: float) -> tuple[int, str, Any]:
    """The repaired ``shape``, or why not; areas times ``scale`` are square metres.

    A geometry that is no polygon is taken as GEOS's make_valid gives it.
    """
    reason = shapely.is_valid_reason(shape)
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        return REPAIRED, reason, shapely.make_valid(shape, method="structure", keep_collapsed=False)
    crossings = _crossings(shape)
    if crossings > CROSSINGS:
        return TOO_COMPLEX, f"~{crossings}", None
    parts = []
    for polygon in shapely.get_parts(shape):
        shell = _ring(shapely.get_exterior_ring(polygon), scale)
        holes = [_ring(hole, scale) for hole in polygon.interiors]
        if shell is None or any(hole is None for hole in holes):
            return CANNOT, reason, None
        parts.append(shapely.difference(shell, shapely.union_all(holes)) if holes else shell)
    joined = _polygons(shapely.union_all(parts))
    return (REPAIRED, reason, joined) if joined.area > 0 else (CANNOT, reason, None)


def _ring(ring: Any, scale: float) -> Any:
    """The area within a ring; None where it can be read in two ways that differ."""
    drawn: Any = shapely.Polygon(ring)
    if shapely.is_valid(drawn):
        return drawn
    odd = _polygons(shapely.make_valid(drawn, method="linework"))
    whole = _polygons(shapely.make_valid(drawn, method="structure", keep_collapsed=False))
    differs = abs(whole.area - odd.area)
    return whole if differs <= AREA_SHARE * whole.area or differs * scale <= AREA_M2 else None


def _polygons(shape: Any) -> Any:
    """The areas of a geometry, without the lines and points that a spike leaves."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    areas = [part for part in shapely.get_parts(shape) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(areas) if areas else shapely.Polygon()


def _crossings(shape: Any) -> int:
    """How many pairs of segments have boxes that meet, beyond neighbours; from a sample of the segments."""
    ends, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(shape)), return_index=True)
    joined = ring[1:] == ring[:-1]
    lines = shapely.linestrings(np.stack([ends[:-1], ends[1:]], axis=1)[joined])
    if not len(lines):
        return 0
    asked: NDArray[np.int64] = np.unique(
        np.linspace(0, len(lines) - 1, min(_SAMPLE, len(lines))).astype(np.int64)
    )
    met = len(shapely.STRtree(lines).query(lines[asked], predicate="intersects")[0]) / len(asked)
    return int(max(met - 3, 0) * len(lines) / 2)


def _bound(memory_mb: int) -> None:
    """No more memory than now and ``memory_mb``; no files; an end with the parent's."""
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    limit = held + memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer until the input ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    with contextlib.suppress(OSError, ValueError):
        _bound(int(sys.argv[1]))
    given, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(b"R")
    answers.flush()
    while head := given.read(12):
        scale, size = struct.unpack("!dI", head)
        wkb = given.read(size)
        try:
            code, reason, shape = mended(shapely.from_wkb(wkb), scale)
        except shapely.errors.GEOSException as error:
            # GEOS tells a want of memory as it tells any other error.
            code = TOO_COMPLEX if "bad_alloc" in str(error) else CANNOT
            reason, shape = str(error), None
        answer = shapely.to_wkb(shape) if shape is not None else b""
        words = reason.encode()[:1000]
        answers.write(struct.pack("!BII", code, len(words), len(answer)) + words + answer)
        answers.flush()


if __name__ == "__main__":
    main()
