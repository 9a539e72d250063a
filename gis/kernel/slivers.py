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

SINGLE = {"Point": 0, "LineString": 1, "Polygon": 2}
"""Kinds of geometry of one part, with their dimension."""

DUST = 1e-9
"""m2. What an overlay leaves beside the parts is less; in sum it stays far below a square millimetre."""


def one_dimension(geom: BaseGeometry) -> int:
    """0 for points, 1 for lines, 2 for polygons, -1 for an empty geometry.

    Raises KernelInputError for a mixture: its size would be neither an area nor a length.
    """
    if geom.geom_type in SINGLE:
        return -1 if geom.is_empty else SINGLE[geom.geom_type]
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
    parts, codes = shapely.get_parts(pieces, return_index=True)
    thin = is_sliver(parts)
    if not thin.any() or thin.all():
        return pieces
    joined: list[list[BaseGeometry]] = [[] for _ in pieces]
    for part, code in zip(parts[~thin], codes[~thin].tolist(), strict=True):
        joined[code].append(part)
    present = [len(group) > 0 for group in joined]
    for sliver, code in zip(parts[thin], codes[thin].tolist(), strict=True):
        if sliver.area > DUST:
            joined[next((t for t in SLIVER_GOES_TO[code] if code == 0 or present[t]), code)].append(sliver)
    return [polygons(shapely.union_all(group)) if group else shapely.Polygon() for group in joined]
