"""Zones cut into small pieces: the same area, quicker to ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gis.kernel.arrays import Flags, Geometries, Indices, geometries
from gis.kernel.threads import each_zone

__all__ = ["Pieces", "cut"]

AREA_TOLERANCE = 1e-9
Clip = Callable[[Any, float, float, float, float], Any]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of many geometries, sorted by owner.

    Attributes
    ----------
    geoms : object[k]
        Polygons, lines and points; none is empty, none is a collection.
    owner : int64[k]
        Index of the geometry that a piece was cut from, not decreasing.
    whole : bool[k]
        The piece fills its bounding box: a box test decides it, except at the box's very edge.
    """

    geoms: Geometries
    owner: Indices
    whole: Flags

    def __len__(self) -> int:
        return len(self.geoms)


def cut(geoms: Any, max_vertices: int = 256, *, check: bool = True) -> Pieces:
    """Pieces of at most ``max_vertices`` vertices, by halving at the median vertex of the longer side.

    A cut edge lies inside the zone and is no boundary of it. New vertices arise where a cut crosses the
    outline; they are off it by no more than one rounding step of the coordinates.

    Parameters
    ----------
    geoms : sequence of shapely geometries
        Metres of one plane. Polygons are halved, lines split at their own vertices, points pass.
    max_vertices : int
        At least 8. A tangle that halving cannot divide stays larger.
    check : bool
        False skips the validity test for input that was tested before.

    Returns
    -------
    Pieces
        Empty input geometries leave no piece.

    Raises
    ------
    KernelInputError
        For an invalid or missing geometry.
    """
    max_vertices = max(int(max_vertices), 8)
    parts, owner = _simple_parts(geometries(geoms, check=check))
    big = np.flatnonzero(shapely.get_num_coordinates(parts) > max_vertices)
    if not len(big):
        return _sorted_pieces(parts, owner)
    small = np.setdiff1d(np.arange(len(parts)), big)
    weight = np.asarray(shapely.get_num_coordinates(parts[big]), dtype=np.int64)
    cuttings = each_zone(lambda i: _cut_part(parts[i], max_vertices), big, weight, None)
    pieces = np.concatenate([parts[small], *cuttings])
    owners = np.concatenate([owner[small], np.repeat(owner[big], [len(c) for c in cuttings])])
    return _sorted_pieces(pieces, owners)


def _simple_parts(geoms: Geometries) -> tuple[Geometries, Indices]:
    parts, owner = shapely.get_parts(geoms, return_index=True)
    while (shapely.get_type_id(parts) >= 4).any():
        parts, index = shapely.get_parts(parts, return_index=True)
        owner = owner[index]
    keep = ~shapely.is_empty(parts)
    return parts[keep], owner[keep].astype(np.int64)


def _sorted_pieces(geoms: Geometries, owner: Indices) -> Pieces:
    order = np.argsort(owner, kind="stable")
    geoms = geoms[order]
    return Pieces(geoms, owner[order], _fills_its_box(geoms))


def _fills_its_box(geoms: Geometries) -> Flags:
    whole = (shapely.get_type_id(geoms) == 3) & (shapely.get_num_coordinates(geoms) == 5)
    boxes = shapely.bounds(geoms[whole])
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    corners = shapely.get_coordinates(geoms[whole]).reshape(-1, 5, 2)
    on_box = ((corners == boxes[:, None, :2]) | (corners == boxes[:, None, 2:])).all(axis=(1, 2))
    whole[whole] = on_box & (shapely.area(geoms[whole]) > 0.5 * area)
    return np.asarray(whole, dtype=bool)


def _cut_part(part: Any, max_vertices: int) -> Geometries:
    if shapely.get_type_id(part) != 3:
        return _line_runs(part, max_vertices)
    pieces = _halve(part, max_vertices, shapely.clip_by_rect)
    if not _same_area(part, pieces):
        # clip_by_rect is quick and follows edges that lie on the cut wrongly at times; the overlay does not.
        pieces = _halve(part, max_vertices, _clip_by_overlay)
    return pieces


def _clip_by_overlay(geom: Any, x0: float, y0: float, x1: float, y1: float) -> Any:
    return shapely.intersection(geom, shapely.box(x0, y0, x1, y1))


def _same_area(part: Any, pieces: Geometries) -> bool:
    total = float(shapely.area(part))
    return bool(
        abs(float(shapely.area(pieces).sum()) - total) <= AREA_TOLERANCE * total
        and shapely.is_valid(pieces).all()
    )


def _line_runs(line: Any, max_vertices: int) -> Geometries:
    xy = shapely.get_coordinates(line)
    starts = np.arange(0, len(xy) - 1, max_vertices - 1)
    return np.array([shapely.linestrings(xy[i : i + max_vertices]) for i in starts], dtype=object)


def _halve(polygon: Any, max_vertices: int, clip: Clip) -> Geometries:
    done: list[Any] = []
    waiting = [polygon]
    while waiting:
        piece = waiting.pop()
        halves = _two_sides(piece, clip) if shapely.get_num_coordinates(piece) > max_vertices else []
        (waiting.extend if halves else done.append)(halves or piece)
    return np.array(done, dtype=object)


def _two_sides(polygon: Any, clip: Clip) -> list[Any]:
    """The polygons on both sides of the median cut; nothing when no cut makes both smaller."""
    x0, y0, x1, y1 = polygon.bounds
    xy = shapely.get_coordinates(polygon)
    for axis in (0, 1) if x1 - x0 >= y1 - y0 else (1, 0):
        at = _between_vertices(xy[:, axis])
        if at is None:
            continue
        low = (x0 - 1, y0 - 1, at, y1 + 1) if axis == 0 else (x0 - 1, y0 - 1, x1 + 1, at)
        high = (at, y0 - 1, x1 + 1, y1 + 1) if axis == 0 else (x0 - 1, at, x1 + 1, y1 + 1)
        halves = [*_polygons(clip(polygon, *low)), *_polygons(clip(polygon, *high))]
        if halves and max(int(shapely.get_num_coordinates(h)) for h in halves) < len(xy):
            return halves
    return []


def _between_vertices(values: np.ndarray[Any, Any]) -> float | None:
    """A cut beside the median vertex, through no vertex: through one, a clip may leave dangling edges."""
    middle = len(values) // 2
    below = float(np.partition(values, middle)[middle])
    above = values[values > below]
    if not len(above):
        lower = values[values < below]
        if not len(lower):
            return None
        below, above = float(lower.max()), np.array([below])
    at = (below + float(above.min())) / 2
    return at if below < at < float(above.min()) else None


def _polygons(geom: Any) -> list[Any]:
    if shapely.get_type_id(geom) == 3:
        return [] if geom.is_empty else [geom]
    return [part for part in shapely.get_parts(geom) if shapely.get_type_id(part) == 3 and not part.is_empty]
