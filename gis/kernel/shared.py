"""How much area pairs of polygons share, summed over pairs of their edges: no overlay is made.

Under each edge of a polygon lies a trapezoid, down to a common base. The polygon is the sum of these, counted
as positive where the edge runs east with the inside on its right, and as negative where it runs west. So what
two polygons share is the sum, over every edge of the one with every edge of the other, of what the two
trapezoids share: the lower of two straight lines, integrated over the eastings that both edges have. With a
rectangle for the other polygon this is the shoelace formula.

The sum asks no question that rounding could answer wrongly, such as on which side of an edge a vertex is: it
changes continuously with the vertices. Edges that coincide but for rounding, where overlays go wrong (see
:mod:`gis.kernel.frame`), cost its last digits only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely

from gis.kernel.arrays import Flags, Floats, Geometries, Indices
from gis.kernel.strips import ranges

__all__ = ["NOISE", "shared_area"]

NOISE = 2.0**-40
"""The sum is off by less than this share of the area of the first polygon's bounding box."""

KEY_BITS = 32
"""Edges are looked up by their polygon and, in so many bits of the box's width, by their easting."""

MOST_EDGES = 2**18
"""Pairs are worked on in blocks of about so many edges, whose arrays stay in the processor's cache."""

MOST_TERMS = 2**20
"""A block in which more edges lie over one another is halved, unless it is of one pair of polygons."""

NARROW_M = 1e-12
"""Metres. An edge that is less wide counts as vertical: there is no trapezoid under it."""


def shared_area(one: Geometries, other: Geometries, i: Indices, j: Indices) -> Floats:
    """The area in m2 that each pair (``one[i]``, ``other[j]``) shares; float64[k].

    Parameters
    ----------
    one, other : object[n], object[m]
        Valid polygons and multipolygons in metres of one plane; none is empty.
    i, j : int64[k]
        The pairs.

    Returns
    -------
    float64[k]
        Off by less than ``NOISE`` of the box of ``one[i]``: where the two do not meet perhaps not quite 0.
        Does not depend on what other pairs are asked.
    """
    area = np.zeros(len(i))
    if not len(i):
        return area
    boxes = np.asarray(shapely.bounds(one), dtype=np.float64).reshape(-1, 4)
    ours, theirs = _Outlines.of(one), _Outlines.of(other)
    subjects = ours.all(boxes)
    for block in _blocks(ours.count[i] + theirs.count[j]):
        area[block] = _areas(subjects, theirs, boxes, i[block], j[block])
    return area


def _blocks(load: Indices) -> Iterator[slice]:
    turn = (np.cumsum(load) - load) // MOST_EDGES
    cuts = np.flatnonzero(np.r_[True, turn[1:] != turn[:-1]])[: len(load)]
    for first, last in itertools.pairwise([*cuts.tolist(), len(load)]):
        yield slice(first, last)


@dataclass(frozen=True, eq=False)
class _Outlines:
    """The edges of polygons, one for each vertex, ring by ring.

    An edge goes from ``left``, where its northing is ``at_left``, to ``right``, with ``at_right``, or back
    (``east`` is false); ``plus`` tells the sign of its trapezoid. A ring's last vertex, which is its first
    again, has an edge that is nowhere. Polygon p has the edges ``start[p]`` to ``start[p] + count[p]``.
    """

    left: Floats
    right: Floats
    at_left: Floats
    at_right: Floats
    east: Flags
    plus: Flags
    start: Indices
    count: Indices

    @classmethod
    def of(cls, polygons: Geometries) -> _Outlines:
        parts = shapely.get_parts(polygons)
        rings, part = shapely.get_rings(parts, return_index=True)
        vertices = shapely.get_num_coordinates(rings)
        hole = np.r_[False, part[1:] == part[:-1]]
        inside_right = np.repeat(shapely.is_ccw(rings) == hole, vertices)
        x, y = np.ascontiguousarray(shapely.get_coordinates(rings).T)
        to_x, to_y = np.roll(x, -1), np.roll(y, -1)
        east = x <= to_x
        right = np.maximum(x, to_x)
        right[np.cumsum(vertices) - 1] = -np.inf
        count = np.asarray(shapely.get_num_coordinates(polygons), dtype=np.int64)
        return cls(
            left=np.minimum(x, to_x),
            right=right,
            at_left=np.where(east, y, to_y),
            at_right=np.where(east, to_y, y),
            east=east,
            plus=east == inside_right,
            start=np.cumsum(count) - count,
            count=count,
        )

    def all(self, boxes: Floats) -> _Edges:
        """All edges, each polygon in its box."""
        owner = np.repeat(np.arange(len(boxes)), self.count)
        return _Edges.of(self.left, self.right, self.at_left, self.at_right, self.plus, owner, boxes)

    def seen_from(self, boxes: Floats, polygon: Indices) -> _Edges:
        """What each box needs of its polygon: the edges over it and through it, owned by the box.

        Edges that follow each other higher than the box are one at the height of its top, as only the
        eastings that they cover matter there.
        """
        x0, y0, x1, y1 = boxes.T
        box, edge = ranges(self.start[polygon], self.start[polygon] + self.count[polygon])
        near = np.flatnonzero((self.left[edge] < x1[box]) & (self.right[edge] > x0[box]))
        box, edge = box[near], edge[near]
        at_left, at_right = self.at_left[edge], self.at_right[edge]
        over = np.minimum(at_left, at_right) >= y1[box]
        through = np.flatnonzero(~over & (np.maximum(at_left, at_right) > y0[box]))
        left, right, plus, under = self._carried(edge[over], box[over])
        box, edge = box[through], edge[through]
        return _Edges.of(
            np.concatenate([self.left[edge], left]),
            np.concatenate([self.right[edge], right]),
            np.concatenate([at_left[through], y1[under]]),
            np.concatenate([at_right[through], y1[under]]),
            np.concatenate([self.plus[edge], plus]),
            np.concatenate([box, under]),
            boxes,
        )

    def _carried(self, edge: Indices, box: Indices) -> tuple[Floats, Floats, Flags, Indices]:
        """Edges one after the other as one: left, right, plus, and the box."""
        follows = (np.diff(edge) == 1) & (np.diff(box) == 0)
        first = edge[np.r_[True, ~follows][: len(edge)]]
        last = edge[np.r_[~follows, True][: len(edge)]]
        begin = np.where(self.east[first], self.left[first], self.right[first])
        end = np.where(self.east[last], self.right[last], self.left[last])
        plus = (self.plus[first] == self.east[first]) == (begin <= end)
        return np.minimum(begin, end), np.maximum(begin, end), plus, box[np.r_[True, ~follows][: len(edge)]]


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges with a trapezoid under them, by owner and from west to east.

    In metres from the corner of the owner's box. ``begin`` and ``end`` are the eastings as keys that ascend
    with the owner; they are rounded down and up.
    """

    left: Floats
    right: Floats
    at_left: Floats
    slope: Floats
    sign: Floats
    owner: Indices
    begin: Indices
    end: Indices

    @classmethod
    def of(
        cls,
        left: Floats,
        right: Floats,
        at_left: Floats,
        at_right: Floats,
        plus: Flags,
        owner: Indices,
        boxes: Floats,
    ) -> _Edges:
        """Those that are not vertical and pass over their owner's box, given in metres of the plane."""
        x0, y0, x1, _ = boxes.T
        wide = np.flatnonzero((right - left > NARROW_M) & (right > x0[owner]) & (left < x1[owner]))
        owner = owner[wide]
        left, right = left[wide] - x0[owner], right[wide] - x0[owner]
        width = (x1 - x0)[owner]
        step, room = 2.0**KEY_BITS / width, owner << (KEY_BITS + 1)
        begin = room + np.floor(np.maximum(left, 0.0) * step).astype(np.int64)
        end = room + np.ceil(np.minimum(right, width) * step).astype(np.int64)
        order = np.argsort(begin, kind="stable")
        edge, owner, left, right = wide[order], owner[order], left[order], right[order]
        slope = (at_right[edge] - at_left[edge]) / (right - left)
        sign = np.where(plus[edge], 1.0, -1.0)
        return cls(left, right, at_left[edge] - y0[owner], slope, sign, owner, begin[order], end[order])


def _areas(subjects: _Edges, theirs: _Outlines, boxes: Floats, i: Indices, j: Indices) -> Floats:
    seen = theirs.seen_from(boxes[i], j)
    start = np.searchsorted(subjects.owner, i)
    pair, mine = ranges(start, np.searchsorted(subjects.owner, i, side="right"))
    room = (pair - subjects.owner[mine]) << (KEY_BITS + 1)
    begin, end = subjects.begin[mine] + room, subjects.end[mine] + room
    # Of two edges that lie over one another, one begins where the other is: ours perhaps level with theirs,
    # or theirs later.
    first, last = np.searchsorted(begin, seen.begin), np.searchsorted(begin, seen.end)
    first_too, last_too = np.searchsorted(seen.begin, begin, side="right"), np.searchsorted(seen.begin, end)
    terms = int(np.maximum(last - first, 0).sum() + np.maximum(last_too - first_too, 0).sum())
    if terms > MOST_TERMS and len(i) > 1:
        halves = np.array_split(np.arange(len(i)), 2)
        return np.concatenate([_areas(subjects, theirs, boxes, i[half], j[half]) for half in halves])
    their, our = ranges(first, last)
    our_too, their_too = ranges(first_too, last_too)
    a, b = mine[np.concatenate([our, our_too])], np.concatenate([their, their_too])
    area = np.bincount(seen.owner[b], _under_both(subjects, a, seen, b), minlength=len(i))
    return np.asarray(area, dtype=np.float64)


def _under_both(one: _Edges, a: Indices, other: _Edges, b: Indices) -> Floats:
    """The area, with its sign, under the lower of each two edges where both are."""
    left_a, left_b, slope_a, slope_b = one.left[a], other.left[b], one.slope[a], other.slope[b]
    left = np.maximum(left_a, left_b)
    width = np.maximum(np.minimum(one.right[a], other.right[b]) - left, 0.0)
    begin_a = one.at_left[a] + (left - left_a) * slope_a
    begin_b = other.at_left[b] + (left - left_b) * slope_b
    end_a, end_b = begin_a + width * slope_a, begin_b + width * slope_b
    # The lower of two is half of their sum less half of their difference, which may change its sign midway.
    begin, end = begin_a - begin_b, end_a - end_b
    apart = np.abs(begin) + np.abs(end)
    apart -= 2.0 * np.maximum(-begin * end, 0.0) / np.maximum(apart, np.finfo(float).tiny)
    twice = width * (begin_a + end_a + begin_b + end_b - apart)
    return np.asarray(one.sign[a] * other.sign[b] * twice / 4.0)
