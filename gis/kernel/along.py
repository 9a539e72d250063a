"""Lines divided at marks along them."""

from __future__ import annotations

import numpy as np
import shapely

from gis.kernel.arrays import Floats, Geometries, Indices
from gis.kernel.threads import in_shares

__all__ = ["divided", "joined", "marks", "segments"]


def segments(lines: Geometries) -> Geometries:
    """Every segment of lines as a line of its own, in order; object[k]."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    same = line[1:] == line[:-1]
    ends = np.stack([xy[:-1][same], xy[1:][same]], axis=1)
    return np.asarray(shapely.linestrings(ends), dtype=object).reshape(-1)


def marks(lines: Geometries, line: Indices, others: Geometries, within_m: float) -> tuple[Floats, Indices]:
    """Where others cross, touch or have a vertex close to lines; ``lines[line[i]]`` meets ``others[i]``.

    Vertices close by count because an edge that is shared but for rounding need not cross anywhere.

    Returns
    -------
    tuple of float64[k, 2], int64[k]
        Places and the line that each is on.
    """
    shared = in_shares(shapely.intersection, lines[line], others)
    crossing, pair = shapely.get_coordinates(shared, return_index=True)
    vertex, beside = shapely.get_coordinates(others, return_index=True)
    near = in_shares(lambda a, b: shapely.dwithin(a, b, within_m), lines[line[beside]], _points(vertex))
    return np.concatenate([crossing, vertex[near]]), np.concatenate([line[pair], line[beside[near]]])


def _points(xy: Floats) -> Geometries:
    return np.asarray(shapely.points(xy), dtype=object).reshape(-1)


def divided(lines: Geometries, at: Floats, of: Indices, shortest_m: float = 0.0) -> tuple[Floats, Indices]:
    """The segments of ``lines`` divided at the places next to ``at`` on the lines ``of``.

    No line may cross itself, or a place would be ambiguous. Pieces up to ``shortest_m`` long are left out.

    Returns
    -------
    tuple of float64[k, 2, 2], int64[k]
        Start and end of each piece, in order along each line, and its line.
    """
    vertices, line = shapely.get_coordinates(lines, return_index=True)
    position = shapely.line_locate_point(lines[of], _points(at))
    foot = shapely.get_coordinates(shapely.line_interpolate_point(lines[of], position))
    position = np.concatenate([_distance_along(vertices, line), position])
    at, of = np.concatenate([vertices, foot]), np.concatenate([line, of])
    order = np.lexsort((position, of))
    at, of, position = at[order], of[order], position[order]
    step = (of[1:] == of[:-1]) & (position[1:] - position[:-1] > shortest_m)
    return np.stack([at[:-1][step], at[1:][step]], axis=1), of[1:][step].astype(np.int64)


def _distance_along(vertices: Floats, line: Indices) -> Floats:
    """How far each vertex is along its line; a closed line's last vertex is at its end, not at its start."""
    step = np.zeros(len(vertices))
    step[1:] = np.hypot(*(vertices[1:] - vertices[:-1]).T)
    total = np.cumsum(step)
    return np.asarray(total - total[np.searchsorted(line, line)])


def joined(pieces: Floats) -> Geometries:
    """Lines made of pieces float64[k, 2, 2] that follow each other end to start; object[m]."""
    if not len(pieces):
        return np.empty(0, dtype=object)
    breaks = np.flatnonzero((pieces[1:, 0] != pieces[:-1, 1]).any(axis=1)) + 1
    runs = np.split(pieces, breaks)
    return np.array([shapely.LineString(np.r_[run[:1, 0], run[:, 1]]) for run in runs], dtype=object)
