"""What only rounding left of the parts of a site, and what a site may be."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.errors import KernelInputError
from gis.kernel.arrays import TOUCH_M, Flags, Geometries
from gis.kernel.frame import polygons

__all__ = ["DUST", "is_sliver", "one_dimension", "without_slivers"]

SLIVER_GOES_TO = {0: (2,), 1: (2, 3, 0), 2: (3, 0, 1), 3: (2, 0, 1)}
"""Where a sliver of conflict, unknown, edge or clear (0 to 3) goes: to the first of these that the site has.

A sliver of conflict is a mere touch and so always edge."""

DUST = 1e-9
"""m2. What an overlay leaves beside the parts is less; in sum it stays far below a square millimetre."""


def one_dimension(geom: BaseGeometry) -> int:
    """0 for points, 1 for lines, 2 for polygons, -1 for an empty geometry.

    Raises KernelInputError for a mixture: its size would be neither an area nor a length.
    """
    if geom.geom_type in ("Point", "LineString", "Polygon"):
        return -1 if geom.is_empty else int(shapely.get_dimensions(geom))
    found = set(np.asarray(shapely.get_dimensions(shapely.get_parts(geom))).tolist()) - {-1}
    if len(found) > 1:
        raise KernelInputError(
            "The site mixes points, lines and polygons.",
            "地块混合了点、线、面。",
            remedy_en="Screen each kind on its own.",
            remedy_zh="请按几何类型分别筛查。",
        )
    return int(found.pop()) if found else -1


def is_sliver(parts: Geometries) -> Flags:
    """Which simple polygons are nowhere more than a micrometre or so wide; bool[n]."""
    return np.asarray(2.0 * shapely.area(parts) <= TOUCH_M * shapely.length(parts))


def without_slivers(pieces: list[BaseGeometry]) -> list[BaseGeometry]:
    """Conflict, unknown, edge and clear part of a polygon without the slivers that only rounding made.

    Dust is dropped, a longer sliver joins a neighbour. A site that is a sliver itself is left as it is.
    """
    parts = [shapely.get_parts(p) for p in pieces]
    thin = [is_sliver(p) for p in parts]
    if not any(t.any() for t in thin) or all(t.all() for t in thin):
        return pieces
    solid = [p[~t] for p, t in zip(parts, thin, strict=True)]
    joined: list[list[BaseGeometry]] = [list(s) for s in solid]
    for code, (part, is_thin) in enumerate(zip(parts, thin, strict=True)):
        target = next((t for t in SLIVER_GOES_TO[code] if code == 0 or len(solid[t])), code)
        joined[target].extend(sliver for sliver in part[is_thin] if sliver.area > DUST)
    return [polygons(shapely.union_all(group)) for group in joined]
