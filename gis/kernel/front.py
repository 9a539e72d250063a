"""Which of many lines are the nearest ones for some place of a site."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import Floats, Geometries

__all__ = ["front_of", "is_held"]

CELLS = 12
"""A site's box is looked at in so many cells along its longer side."""

FINE_CELLS = 24
"""In so many where that may save drawing limits at all."""

DRAWN, CLEARLY_M = 1e-5, 0.01
"""Lines grown by a radius are drawn smaller by less than this share of it and so many metres."""

FEW_LINES = 8
"""So few lines are not worth choosing among."""


def front_of(site: BaseGeometry, lines: Geometries, radius_m: float) -> Geometries:
    """The lines that decide which places of ``site`` are within ``radius_m`` of any of ``lines``.

    For each cell of the site's box the distance from its middle to the nearest line is found; a line that is
    further by more than the cell's diameter is nearest to no place in the cell. Cells out of reach need no
    line at all. What is left gives the same answer on the site as all lines do, and is a small part of them
    when the radius is large.

    Parameters
    ----------
    site : geometry
    lines : object[k]
        Lines or points in the same plane, metres.
    radius_m : float

    Returns
    -------
    object[j]
        Some of ``lines``.
    """
    if len(lines) <= FEW_LINES:
        return lines
    middles, half_diagonal = _cells(site, CELLS)
    tree = shapely.STRtree(lines)
    (_, _), gap = tree.query_nearest(middles, return_distance=True, all_matches=False)
    reached = gap <= radius_m + half_diagonal
    _, line = tree.query(middles[reached], predicate="dwithin", distance=gap[reached] + 2.0 * half_diagonal)
    return np.asarray(lines[np.unique(line)], dtype=object)


def is_held(site: BaseGeometry, zones: Geometries, lines: Geometries, radius_m: float) -> bool:
    """Whether each place of ``site`` surely lies in ``zones`` or within ``radius_m`` of ``lines``.

    By cells as above, but smaller: one lies in a zone with all its places when its middle does and no outline
    comes near. False tells nothing.

    Parameters
    ----------
    site : geometry
    zones : object[j]
        The polygons that meet the site's box, in the same plane.
    lines : object[k]
        Their outlines as far as they are within the radius of the site, and a little farther; not none.
    radius_m : float
        More than half the diagonal of a cell, else the answer is False.
    """
    tree, bodies = shapely.STRtree(lines), shapely.STRtree(zones)
    nearest = radius_m * (1.0 - DRAWN) - CLEARLY_M

    def holds(places: Geometries, half_diagonal: float) -> bool:
        (_, _), gap = tree.query_nearest(places, return_distance=True, all_matches=False)
        open_ = gap + half_diagonal > nearest
        if half_diagonal >= radius_m or (open_ & (gap <= half_diagonal)).any():
            return False
        rest = places[open_]
        return len(np.unique(bodies.query(rest, predicate="intersects")[0])) == len(rest)

    # Of most sites that are not held some corner is not, and coarse cells tell of most that are.
    corners = np.asarray(shapely.points(shapely.get_coordinates(site)), dtype=object)
    return holds(corners, 0.0) and any(holds(*_cells(site, count)) for count in (CELLS, FINE_CELLS))


def _cells(site: BaseGeometry, count: int) -> tuple[Geometries, float]:
    """The middles of the cells of a site's box that meet the site, and half a cell's diagonal."""
    x0, y0, x1, y1 = site.bounds
    side = max(x1 - x0, y1 - y0) / count
    if side == 0:
        return np.array([shapely.Point(x0, y0)], dtype=object), 0.0
    x, y = _middles(x0, x1, side), _middles(y0, y1, side)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    points = np.asarray(shapely.points(grid), dtype=object)
    half_diagonal = side * float(np.sqrt(0.5))
    return points[shapely.dwithin(site, points, half_diagonal)], half_diagonal


def _middles(low: float, high: float, side: float) -> Floats:
    count = max(int(np.ceil((high - low) / side)), 1)
    return np.asarray(low + side * (np.arange(count) + 0.5))
