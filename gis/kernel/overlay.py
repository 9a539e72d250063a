"""What the overlays of parts share: coordinates near the origin, one dimension, no slivers of rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.errors import KernelInputError
from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries

__all__ = ["is_sliver", "kept", "nothing", "one_dimension", "origin_of", "shifted", "without_slivers"]

SLIVER_GOES_TO = {0: (2,), 1: (2, 3, 0), 2: (3, 0, 1), 3: (2, 0, 1)}
"""Where a sliver of conflict, unknown, edge or clear (0 to 3) goes: to the first of these that the site has.

A sliver of conflict is a mere touch and so always edge."""


def origin_of(geom: BaseGeometry) -> Floats:
    """A point of whole metres near the geometry, float64[2]: shifting by it loses no digit."""
    if geom.is_empty:
        return np.zeros(2)
    x0, y0, x1, y1 = geom.bounds
    return np.array([np.floor((x0 + x1) / 2), np.floor((y0 + y1) / 2)])


def shifted(geom: Any, by: Floats) -> Any:
    """One geometry or an array of them, moved by float64[2] metres."""
    return shapely.transform(geom, lambda xy: xy + by)


def one_dimension(geom: BaseGeometry) -> int:
    """0 for points, 1 for lines, 2 for polygons, -1 for an empty geometry.

    Raises KernelInputError for a mixture: its size would be neither an area nor a length.
    """
    found = set(np.asarray(shapely.get_dimensions(shapely.get_parts(geom))).tolist()) - {-1}
    if len(found) > 1:
        raise KernelInputError(
            "The site mixes points, lines and polygons.",
            "地块混合了点、线、面。",
            remedy_en="Screen each kind on its own.",
            remedy_zh="请按几何类型分别筛查。",
        )
    return int(found.pop()) if found else -1


def nothing(like: BaseGeometry) -> BaseGeometry:
    """An empty polygon or, for a line, an empty line."""
    return shapely.from_wkt("POLYGON EMPTY" if shapely.get_dimensions(like) == 2 else "LINESTRING EMPTY")


def kept(geom: BaseGeometry, like: BaseGeometry) -> BaseGeometry:
    """The parts of an overlay that have the dimension of ``like``; points and lines of contact go."""
    if geom.is_empty:
        return nothing(like)
    dimension = shapely.get_dimensions(like)
    parts = shapely.get_parts(geom)
    right = np.asarray(shapely.get_dimensions(parts) == dimension) & ~shapely.is_empty(parts)
    return geom if right.all() else _gathered(parts[right], like)


def _gathered(parts: Geometries, like: BaseGeometry) -> BaseGeometry:
    if not len(parts):
        return nothing(like)
    if shapely.get_dimensions(like) == 2:
        return shapely.MultiPolygon(list(parts))
    return shapely.MultiLineString(list(parts))


def is_sliver(parts: Geometries) -> Flags:
    """Which simple polygons are nowhere more than a micrometre or so wide, or lines as long; bool[n]."""
    area = shapely.get_dimensions(parts) == 2
    width = 2.0 * shapely.area(parts) / np.maximum(shapely.length(parts), np.finfo(float).tiny)
    return np.asarray(np.where(area, width, shapely.length(parts)) <= TOUCH_M)


def without_slivers(pieces: list[BaseGeometry], site: BaseGeometry) -> list[BaseGeometry]:
    """Conflict, unknown, edge and clear part with slivers that only rounding made given to a neighbour.

    A site that is a sliver itself is left as it is.
    """
    parts = [shapely.get_parts(p) for p in pieces]
    thin = [is_sliver(p) for p in parts]
    if not any(t.any() for t in thin) or all(t.all() for t in thin):
        return pieces
    solid = [p[~t] for p, t in zip(parts, thin, strict=True)]
    given: list[list[BaseGeometry]] = [list(s) for s in solid]
    for code, (p, t) in enumerate(zip(parts, thin, strict=True)):
        wanted = SLIVER_GOES_TO[code]
        target = wanted[0] if code == 0 else next((w for w in wanted if len(solid[w])), code)
        given[target].extend(p[t])
    return [
        pieces[code]
        if not thin[code].any() and len(g) == len(solid[code])
        else kept(shapely.union_all(g), site)
        for code, g in enumerate(given)
    ]
