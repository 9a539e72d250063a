"""The real boundary of a union of zones, found without building the union."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gis.kernel.arrays import Flags, Floats, Geometries, Indices
from gis.kernel.cutting import Pieces

__all__ = ["SEAM_M", "Boundary", "outlines"]

SEAM_M = 1e-3
"""Metres. A gap between two zones narrower than this is a seam, not a boundary: outlines drawn along one line with
different vertices leave such gaps by rounding."""

RUN_VERTICES = 32


@dataclass(frozen=True, eq=False)
class Boundary:
    """Outline of a union of polygons as short lines, each with the zone it comes from.

    Attributes
    ----------
    lines : object[k]
        Linestrings of at most 32 vertices, interior of their zone on the left.
    owner : int64[k]
        The zone that each line bounds. Where two zones have the same edge with their interiors on the same side,
        both have a line there.
    tree : shapely.STRtree
        Index of ``lines``.
    """

    lines: Geometries
    owner: Indices
    tree: shapely.STRtree

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def trace(cls, zones: Geometries, pieces: Pieces, tree: shapely.STRtree) -> Boundary:
        """The boundary of the union of the polygons among ``zones``; lines and points have none.

        ``pieces`` and ``tree`` are the zones' pieces and their index.
        """
        runs, owner = outlines(zones)
        polygon_piece = shapely.get_type_id(pieces.geoms) == 3
        meets = _pairs_with_others(runs, owner, pieces, tree, polygon_piece)
        alone = np.ones(len(runs), dtype=bool)
        alone[meets] = False
        segments, segment_owner = _segments(runs[meets], owner[meets])
        seen, seen_owner = _visible(segments, segment_owner, pieces, tree, polygon_piece)
        lines = np.concatenate([runs[alone], seen])
        return cls(lines, np.concatenate([owner[alone], seen_owner]), shapely.STRtree(lines))


def outlines(zones: Geometries) -> tuple[Geometries, Indices]:
    """All rings of the polygons in ``zones`` as runs of at most 32 vertices, and the zone of each run.

    The interior is on the left of every run: shells run counter-clockwise, holes clockwise.
    """
    parts, owner = shapely.get_parts(zones, return_index=True)
    while (shapely.get_type_id(parts) == 7).any() or (shapely.get_type_id(parts) == 6).any():
        parts, index = shapely.get_parts(parts, return_index=True)
        owner = owner[index]
    polygon = (shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)
    oriented = shapely.orient_polygons(parts[polygon])
    rings, index = shapely.get_rings(oriented, return_index=True)
    return _runs(rings, owner[polygon][index].astype(np.int64))


def _runs(rings: Geometries, owner: Indices) -> tuple[Geometries, Indices]:
    """Cut closed rings into runs that share their end vertices."""
    if not len(rings):
        return np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    count = np.bincount(ring, minlength=len(rings))
    first = np.cumsum(count) - count
    per_ring = -(-(count - 1) // (RUN_VERTICES - 1))
    run_ring = np.repeat(np.arange(len(rings)), per_ring)
    rank = np.arange(len(run_ring)) - np.repeat(np.cumsum(per_ring) - per_ring, per_ring)
    start = first[run_ring] + rank * (RUN_VERTICES - 1)
    stop = np.minimum(start + RUN_VERTICES, first[run_ring] + count[run_ring])
    length = stop - start
    line = np.repeat(np.arange(len(start)), length)
    rows = np.arange(len(line)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(start, length)
    return np.asarray(shapely.linestrings(xy[rows], indices=line), dtype=object), owner[run_ring]


def _pairs_with_others(
    lines: Geometries, owner: Indices, pieces: Pieces, tree: shapely.STRtree, polygon_piece: Flags
) -> Indices:
    """Which lines come within a seam's width of a polygon of another zone."""
    line, piece = tree.query(lines, predicate="dwithin", distance=SEAM_M)
    other = (pieces.owner[piece] != owner[line]) & polygon_piece[piece]
    return np.unique(line[other])


def _segments(lines: Geometries, owner: Indices) -> tuple[Floats, Indices]:
    """The single segments of ``lines`` as float64[k, 2, 2], and their owners."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    same = line[1:] == line[:-1]
    return np.stack([xy[:-1][same], xy[1:][same]], axis=1), owner[line[1:][same]]


def _visible(
    segments: Floats, owner: Indices, pieces: Pieces, tree: shapely.STRtree, polygon_piece: Flags
) -> tuple[Geometries, Indices]:
    """The parts of ``segments`` on whose right side no other zone lies."""
    lines = np.asarray(shapely.linestrings(segments), dtype=object)
    row, piece = tree.query(lines, predicate="dwithin", distance=SEAM_M)
    other = (pieces.owner[piece] != owner[row]) & polygon_piece[piece]
    row, piece = row[other], piece[other]
    parts, parent = _split_at_crossings(segments, lines, row, pieces.geoms[piece])
    shown = ~_covered_on_the_right(parts, parent, row, pieces.geoms[piece])
    return np.asarray(shapely.linestrings(parts[shown]), dtype=object).reshape(-1), owner[parent[shown]]


def _split_at_crossings(
    segments: Floats, lines: Geometries, row: Indices, others: Geometries
) -> tuple[Floats, Indices]:
    """Segments divided where the outlines of ``others`` cross them; ``row[i]`` meets ``others[i]``."""
    marks = shapely.intersection(lines[row], shapely.boundary(others))
    at, mark = shapely.get_coordinates(marks, return_index=True)
    start, vector = segments[:, 0], segments[:, 1] - segments[:, 0]
    squared = np.maximum((vector**2).sum(axis=1), np.finfo(float).tiny)
    parent = row[mark]
    position = ((at - start[parent]) * vector[parent]).sum(axis=1) / squared[parent]
    inner = (position > 0) & (position < 1)
    count = len(segments)
    all_parent = np.concatenate([np.arange(count), np.arange(count), parent[inner]])
    all_position = np.concatenate([np.zeros(count), np.ones(count), position[inner]])
    order = np.lexsort((all_position, all_parent))
    p, t = all_parent[order], all_position[order]
    piece = (p[1:] == p[:-1]) & (t[1:] > t[:-1])
    of = p[1:][piece]
    ends = [np.where((t == 1)[:, None], segments[p, 1], start[p] + t[:, None] * vector[p])]
    return np.stack([ends[0][:-1][piece], ends[0][1:][piece]], axis=1), of


def _covered_on_the_right(parts: Floats, parent: Indices, row: Indices, others: Geometries) -> Flags:
    """Whether a point a seam's width to the right of each part's middle lies in one of its ``others``."""
    vector = parts[:, 1] - parts[:, 0]
    length = np.maximum(np.hypot(vector[:, 0], vector[:, 1]), np.finfo(float).tiny)
    right = np.stack([vector[:, 1], -vector[:, 0]], axis=1) / length[:, None]
    probe = parts.mean(axis=1) + SEAM_M * right
    order = np.argsort(row, kind="stable")
    row, others = row[order], others[order]
    first = np.searchsorted(row, parent)
    count = np.searchsorted(row, parent, side="right") - first
    part = np.repeat(np.arange(len(parts)), count)
    which = np.arange(len(part)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    hit = shapely.intersects_xy(others[which], probe[part, 0], probe[part, 1])
    covered = np.zeros(len(parts), dtype=bool)
    covered[part[hit]] = True
    return covered
