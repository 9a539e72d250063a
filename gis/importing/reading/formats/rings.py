"""Rings as polygons: which is a shell, and whose hole are the others?"""

from __future__ import annotations

import numpy as np
import shapely

__all__ = ["polygon_of"]

_Areas = np.ndarray[tuple[int], np.dtype[np.float64]]
_Ring = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def polygon_of(rings: list[_Ring]) -> shapely.Geometry:
    """The Polygon or MultiPolygon of closed ``rings`` of four positions or more; empty for none.

    As a Shapefile has it, a ring that runs clockwise is a shell and another a hole, of the smallest shell
    around it. Where a hole then lies in no shell, the rings were not drawn that way, and those within an
    odd number of others are the holes. Coordinates as given; nothing is repaired.
    """
    if not rings:
        return shapely.Polygon()
    if len(rings) == 1:
        return shapely.Polygon(rings[0])
    areas = np.array([_signed_area(ring) for ring in rings])
    shells = [number for number in range(len(rings)) if areas[number] <= 0]
    holes = [number for number in range(len(rings)) if areas[number] > 0]
    owners = _owners(rings, shells, holes, np.abs(areas))
    if None in owners:
        shells, holes = _by_depth(rings, np.abs(areas))
        owners = _owners(rings, shells, holes, np.abs(areas))
    held: dict[int, list[int]] = {number: [] for number in shells}
    for hole, owner in zip(holes, owners, strict=True):
        if owner is None:
            held[hole] = []
        else:
            held[owner].append(hole)
    made = [_polygon(rings, shell, inner) for shell, inner in sorted(held.items())]
    return made[0] if len(made) == 1 else shapely.MultiPolygon(made)


def _polygon(rings: list[_Ring], shell: int, holes: list[int]) -> shapely.Polygon:
    return shapely.Polygon(rings[shell], [rings[hole] for hole in holes])


def _signed_area(ring: _Ring) -> float:
    """Twice the area; above zero for a ring that runs counter-clockwise. Far coordinates are drawn near."""
    x, y = (ring - ring[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def _owners(
    rings: list[_Ring],
    shells: list[int],
    holes: list[int],
    areas: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> list[int | None]:
    """For each hole the smallest shell that holds a point inside the hole, or None."""
    owners: list[int | None] = [None] * len(holes)
    if not holes:
        return owners
    tree = shapely.STRtree([shapely.Polygon(rings[number]) for number in shells])
    found, by = tree.query([_inside(rings[number]) for number in holes], predicate="intersects")
    for hole, shell in zip(found.tolist(), by.tolist(), strict=True):
        owner, number = owners[hole], shells[shell]
        if areas[number] > areas[holes[hole]] and (owner is None or areas[number] < areas[owner]):
            owners[hole] = number
    return owners


def _inside(ring: _Ring) -> shapely.Geometry:
    """A point inside the ring; its first position where the ring is no ring at all."""
    try:
        inside: shapely.Geometry = shapely.point_on_surface(shapely.Polygon(ring))
        return inside
    except shapely.errors.GEOSException:
        return shapely.Point(*ring[0])


def _by_depth(rings: list[_Ring], areas: _Areas) -> tuple[list[int], list[int]]:
    """Shells and holes of rings that run either way: by the number of larger rings around each."""
    shapes = [shapely.Polygon(ring) for ring in rings]
    found, by = shapely.STRtree(shapes).query([_inside(ring) for ring in rings], predicate="intersects")
    around = np.bincount(found[areas[by] > areas[found]], minlength=len(rings))
    numbers = range(len(rings))
    return [n for n in numbers if around[n] % 2 == 0], [n for n in numbers if around[n] % 2]
