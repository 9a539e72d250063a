"""The real boundary of a union of zones, found without building the union."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gis.kernel.along import divided, marks
from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices
from gis.kernel.cutting import cut
from gis.kernel.inside import points_in
from gis.kernel.prepared import PreparedCopies
from gis.kernel.threads import in_shares

__all__ = ["SEAM_M", "Boundary", "outlines"]

SEAM_M = 1e-3
"""Metres. A gap between two zones narrower than this is a seam, not a boundary: outlines drawn along one line
with
different vertices leave such gaps by rounding."""

RUN_VERTICES = 16

NODE_LINES = 3
"""Lines to a node of an index: the nearest one is found in less than half the time of shapely's ten."""


@dataclass(frozen=True, eq=False)
class Boundary:
    """Short lines that bound zones, each with the zone it comes from.

    Attributes
    ----------
    lines : object[k]
        Linestrings of at most 16 vertices, interior of their zone on the left.
    owner : int64[k]
        The zone that each line bounds. Where two zones have the same edge with their interiors on the same
        side, both have a line there.
    tree : shapely.STRtree
        Index of ``lines``.
    """

    lines: Geometries
    owner: Indices
    tree: shapely.STRtree

    @classmethod
    def of_each(cls, zones: Geometries) -> Boundary:
        """The outlines of the polygons among ``zones``, each zone for itself; lines and points have none."""
        return cls.indexed(*outlines(zones))

    @classmethod
    def indexed(cls, lines: Geometries, owner: Indices) -> Boundary:
        """These lines with an index."""
        return cls(lines, owner, shapely.STRtree(lines, node_capacity=NODE_LINES))

    def and_lines_and_points(self, zones: Geometries) -> Boundary:
        """These outlines together with the zones that are lines or points, which are all boundary."""
        pieces = cut(zones, RUN_VERTICES, check=False)
        flat = shapely.get_dimensions(pieces.geoms) < 2
        if not flat.any():
            return self
        lines = np.concatenate([self.lines, pieces.geoms[flat]])
        return Boundary.indexed(lines, np.concatenate([self.owner, pieces.owner[flat]]))

    def __len__(self) -> int:
        return len(self.lines)

    def of_union(
        self, zones: Geometries, copies: PreparedCopies, among: Indices
    ) -> tuple[Geometries, Indices, int]:
        """The parts of the lines ``among`` these outlines that bound the union of all ``zones``.

        Returns the parts, the line that each is of, and how many of the parts, at the front, are lines in
        full.
        """
        asked = np.unique(among)
        run, other = self._near_others(asked)
        mixed, line = np.unique(run, return_inverse=True)
        at, of = marks(self.lines[mixed], line, self.lines[other], SEAM_M)
        # What rounding leaves between two marks at one corner has no direction, so no right side to look at.
        parts, parent = divided(self.lines[mixed], at, of, TOUCH_M)
        # A line that meets no other outline is wholly inside or wholly outside each other zone: one probe
        # decides.
        alone = np.setdiff1d(asked, mixed)
        probes = np.concatenate([_right_of(_first_segments(self.lines[alone])), _right_of(parts)])
        source = np.concatenate([alone, mixed[parent]])
        seen = ~_covered(probes, self.owner[source], zones, copies)
        broken = np.asarray(shapely.linestrings(parts[seen[len(alone) :]]), dtype=object).reshape(-1)
        full = self.lines[alone][seen[: len(alone)]]
        return np.concatenate([full, broken]), source[seen], len(full)

    def _near_others(self, asked: Indices) -> tuple[Indices, Indices]:
        """Pairs (one of ``asked``, a line of another zone) within a seam's width of each other."""
        boxes = shapely.bounds(self.lines[asked]).reshape(-1, 4) + SEAM_M * np.array([-1, -1, 1, 1])
        row, other = self.tree.query(shapely.box(*boxes.T))
        run = asked[row]
        foreign = self.owner[run] != self.owner[other]
        run, other = run[foreign], other[foreign]
        near = in_shares(lambda a, b: shapely.dwithin(a, b, SEAM_M), self.lines[run], self.lines[other])
        return run[near], other[near]


def outlines(zones: Geometries) -> tuple[Geometries, Indices]:
    """All rings of the polygons in ``zones`` as runs of at most 16 vertices, and the zone of each run.

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


def _first_segments(runs: Geometries) -> Floats:
    xy, line = shapely.get_coordinates(runs, return_index=True)
    first = np.searchsorted(line, np.arange(len(runs)))
    return np.stack([xy[first], xy[first + 1]], axis=1)


def _right_of(segments: Floats) -> Floats:
    """A point a seam's width to the right of the middle of each segment: outside its own zone.

    Nearer beside a very short segment, as the next one may turn right.
    """
    vector = segments[:, 1] - segments[:, 0]
    length = np.maximum(np.hypot(vector[:, 0], vector[:, 1]), np.finfo(float).tiny)
    right = np.stack([vector[:, 1], -vector[:, 0]], axis=1) / length[:, None]
    aside = np.minimum(SEAM_M, length / 4)
    return np.asarray(segments.mean(axis=1) + aside[:, None] * right)


def _covered(probes: Floats, owner: Indices, zones: Geometries, copies: PreparedCopies) -> Flags:
    """Whether a polygon of another zone covers each probe."""
    point, zone = points_in(probes, zones, copies)
    foreign = zone != owner[point]
    covered = np.zeros(len(probes), dtype=bool)
    covered[point[foreign]] = True
    return covered
