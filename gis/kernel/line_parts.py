"""Lines by verdict: cut where a limit crosses them, each piece judged by its middle.

Overlaying a line with lines that lie on it but for rounding finds points where it should find stretches, so
lines are divided by position along them instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.kernel.along import divided, marks, segments
from gis.kernel.arrays import TOUCH_M, Floats, Geometries
from gis.kernel.verdicts import CLEAR, CONFLICT, EDGE, UNKNOWN

__all__ = ["by_coverage", "by_limits", "by_worst"]

Judged = tuple[Floats, NDArray[np.int8]]


def by_limits(site: BaseGeometry, outer: BaseGeometry, inner: BaseGeometry) -> Judged:
    """Straight pieces of a line, float64[k, 2, 2] in order, each CONFLICT, EDGE or CLEAR.

    CONFLICT is inside the polygon ``inner``, CLEAR outside ``outer``; what runs along a limit is EDGE.
    """
    pieces, middles = _strips(site, [_rim(outer), _rim(inner)])
    inside = shapely.intersects(inner, middles) & ~shapely.dwithin(_rim(inner), middles, TOUCH_M)
    beyond = ~shapely.dwithin(outer, middles, TOUCH_M)
    return pieces, np.where(inside, CONFLICT, np.where(beyond, CLEAR, EDGE)).astype(np.int8)


def by_coverage(site: BaseGeometry, coverage: BaseGeometry) -> Judged:
    """Straight pieces of a line, CLEAR in the coverage and on its edge, UNKNOWN elsewhere."""
    pieces, middles = _strips(site, [_rim(coverage)])
    held = shapely.dwithin(coverage, middles, TOUCH_M)
    return pieces, np.where(held, CLEAR, UNKNOWN).astype(np.int8)


def by_worst(site: BaseGeometry, given: Sequence[Sequence[BaseGeometry]]) -> Judged:
    """Straight pieces of a line with the worst verdict that any of ``given`` has there.

    Each of ``given`` is the conflict, unknown, edge and clear part of the same line.
    """
    pieces, middles = _strips(site, [part for parts in given for part in parts])
    verdicts = np.full(len(pieces), CLEAR, dtype=np.int8)
    codes = np.array([CONFLICT, UNKNOWN, EDGE, CLEAR], dtype=np.int8)
    for parts in given:
        away = np.stack([shapely.distance(middles, part) for part in parts], axis=1)
        nearest = np.argmin(np.where(np.isnan(away), np.inf, away), axis=1)
        verdicts = np.maximum(verdicts, codes[nearest])
    return pieces, verdicts


def _rim(geom: BaseGeometry) -> BaseGeometry:
    """The outlines of polygons, and lines themselves."""
    parts = shapely.get_parts(geom)
    area = shapely.get_dimensions(parts) == 2
    return shapely.GeometryCollection([*shapely.boundary(parts[area]), *parts[~area]])


def _strips(site: BaseGeometry, limits: Sequence[BaseGeometry]) -> tuple[Floats, Geometries]:
    """The straight pieces of a line between all places where a limit meets it, and their middles."""
    lines = segments(shapely.get_parts(site))
    runs = segments(_lines_of(limits))
    line, run = shapely.STRtree(runs).query(lines, predicate="dwithin", distance=TOUCH_M)
    pieces, _ = divided(lines, *marks(lines, line, runs[run], TOUCH_M))
    return pieces, np.asarray(shapely.points(pieces.mean(axis=1)), dtype=object).reshape(-1)


def _lines_of(limits: Any) -> Geometries:
    parts = shapely.get_parts(np.array(limits, dtype=object))
    while (shapely.get_type_id(parts) >= 4).any():
        parts = shapely.get_parts(parts)
    return np.asarray(parts[shapely.get_dimensions(parts) == 1], dtype=object)
