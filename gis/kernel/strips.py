"""Where a zone surely is, surely is not, or may be: its outline, column by column.

The plane is divided into columns. In each column a zone's outline takes up some spans of northing; between
two of them the column is wholly inside the zone or wholly outside. So nearly all places are decided by a
look-up, and the exact question is asked of those in a span of the outline only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.kernel.arrays import Flags, Floats, Geometries, Indices

__all__ = ["INSIDE", "OUTLINE", "OUTSIDE", "Strips", "ranges"]

OUTSIDE, INSIDE, OUTLINE = 0, 1, 2

States = NDArray[np.int8]

SLACK_M = 1e-3
"""Spans of the outline are widened by this: sort keys carry a northing to some ten micrometres only."""

ASIDE_M = 1e-6
"""Where an edge leaves a column is looked up so far outside it: more than columns' borders are rounded."""

COLUMN_M = 100.0
"""The width of a column: halving it doubles the spans and halves the places that fall in one."""

MOST_COLUMNS = 4096
"""A very wide set of zones has so many columns, then wider ones."""


@dataclass(frozen=True, eq=False)
class Strips:
    """The outlines of a set of zones, column by column.

    Attributes
    ----------
    left, low : float
        South-western corner of all zones, metres.
    width_m, height_m : float
        Of a column.
    columns : int
    row : int64[k]
        Of each span of outline, ``zone * columns + column``; not decreasing.
    bottom, top : float64[k]
        Northing of each span above ``low``, widened; spans of one row ascend and do not overlap.
    above : int8[k]
        What follows a span up to the next one of its row: INSIDE or OUTSIDE.
    """

    left: float
    low: float
    width_m: float
    height_m: float
    columns: int
    row: Indices
    bottom: Floats
    top: Floats
    above: States

    @classmethod
    def of(cls, geoms: Geometries) -> Strips:
        """The strips of valid geometries in metres of one plane.

        Only polygons and multipolygons have an inside here; all of the bounding box of anything else counts
        as outline. Empty geometries have no spans.
        """
        boxes = np.asarray(shapely.bounds(geoms), dtype=np.float64).reshape(-1, 4)
        filled = boxes[~np.isnan(boxes[:, 0])]
        low = filled[:, :2].min(axis=0) if len(filled) else np.zeros(2)
        high = filled[:, 2:].max(axis=0) if len(filled) else np.zeros(2)
        across, tall = high - low
        width = max(COLUMN_M, float(across) / MOST_COLUMNS)
        columns = int(across // width) + 1
        grid = _Grid(float(low[0]), float(low[1]), width, columns)
        area = np.isin(shapely.get_type_id(geoms), (3, 6))
        entries = _joined([_of_edges(geoms, area, grid), _of_boxes(boxes, ~area, grid)])
        return cls(
            grid.left, grid.low, width, float(tall) + 8 * SLACK_M, columns, *_merged(*_by_row(*entries))
        )

    def column(self, x: Floats) -> Indices:
        """The column of each easting; those west and east of all zones have numbers outside [0, columns)."""
        return np.floor((x - self.left) / self.width_m).astype(np.int64)

    def hold(self, boxes: Floats, zone: Indices) -> States:
        """How each box, float64[k, 4], lies to its zone: INSIDE, OUTSIDE, or OUTLINE when it is not known.

        No box of NaN. INSIDE means that the zone's outline does not come up to the box.
        """
        x0, y0, x1, y1 = boxes.T
        y0, y1 = y0 - self.low, y1 - self.low
        first, last = self.column(x0), self.column(x1)
        within = (first >= 0) & (last < self.columns) & (y0 >= 0) & (y1 < self.height_m - 8 * SLACK_M)
        asked = np.flatnonzero(within)
        state = np.full(len(boxes), OUTLINE, dtype=np.int8)
        if not len(asked) or not len(self.row):
            return state
        box, column = ranges(first[asked], last[asked] + 1)
        box = asked[box]
        row = zone[box] * self.columns + column
        spans = self.row * self.height_m + self.bottom
        below = np.searchsorted(spans, row * self.height_m + y0[box], side="right") - 1
        above = np.minimum(below + 1, len(spans) - 1)
        under = (below >= 0) & (self.row[below] == row)
        free = ~(under & (self.top[below] >= y0[box])) & ~(
            (self.row[above] == row) & (self.bottom[above] <= y1[box])
        )
        starts = np.flatnonzero(np.r_[True, box[1:] != box[:-1]])
        # Free columns side by side are all inside or all outside: no outline runs between them.
        inside = (under & (self.above[below] == INSIDE))[starts]
        whole = np.logical_and.reduceat(free, starts)
        state[box[starts]] = np.where(whole, np.where(inside, INSIDE, OUTSIDE), OUTLINE)
        return state


@dataclass(frozen=True)
class _Grid:
    left: float
    low: float
    width: float
    columns: int


Entries = tuple[Indices, Floats, Floats, Flags]
"""Row, bottom, top, and whether an odd number of edges crosses the middle of the column there."""


def _joined(parts: list[Entries]) -> Entries:
    row, bottom, top, odd = (np.concatenate(column) for column in zip(*parts, strict=True))
    return row, bottom, top, odd


def _of_boxes(boxes: Floats, chosen: Flags, grid: _Grid) -> Entries:
    zone = np.flatnonzero(chosen & ~np.isnan(boxes[:, 0]))
    x0, y0, x1, y1 = boxes[zone].T
    first, last = (np.floor((x - grid.left) / grid.width).astype(np.int64) for x in (x0, x1))
    of, column = ranges(first, last + 1)
    return (
        zone[of] * grid.columns + column,
        y0[of] - grid.low,
        y1[of] - grid.low,
        np.zeros(len(of), dtype=bool),
    )


def _of_edges(geoms: Geometries, area: Flags, grid: _Grid) -> Entries:
    """What the edges of polygons take up; edges that follow each other in a column count as one."""
    parts, owner = shapely.get_parts(geoms[area], return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    x, y = xy[:, 0], xy[:, 1] - grid.low
    edge = np.flatnonzero(ring[1:] == ring[:-1])
    column = np.floor((x - grid.left) / grid.width).astype(np.int64)
    first, last = np.minimum(column[edge], column[edge + 1]), np.maximum(column[edge], column[edge + 1])
    zone = np.flatnonzero(area)[owner[part]][ring[edge]]
    of, at = ranges(first, last + 1)
    a, b = edge[of], edge[of] + 1
    middle = grid.left + (at + 0.5) * grid.width
    odd = (x[a] <= middle) != (x[b] <= middle)
    bottom, top = np.minimum(y[a], y[b]), np.maximum(y[a], y[b])
    _clip(bottom, top, np.flatnonzero((last > first)[of]), (x[a], y[a], x[b], y[b]), at, grid)
    row = zone[of] * grid.columns + at
    if not len(row):
        return row, bottom, top, odd
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    return (
        row[starts],
        np.minimum.reduceat(bottom, starts),
        np.maximum.reduceat(top, starts),
        np.logical_xor.reduceat(odd, starts),
    )


def _clip(
    bottom: Floats,
    top: Floats,
    rows: Indices,
    ends: tuple[Floats, Floats, Floats, Floats],
    column: Indices,
    grid: _Grid,
) -> None:
    """Narrow the spans of edges that go through several columns to what they take up in this one."""
    xa, ya, xb, yb = (values[rows] for values in ends)
    border = grid.left + column[rows] * grid.width
    slope = (yb - ya) / (xb - xa)
    one = ya + (border - ASIDE_M - xa) * slope
    two = ya + (border + grid.width + ASIDE_M - xa) * slope
    bottom[rows] = np.clip(np.minimum(one, two), bottom[rows], top[rows])
    top[rows] = np.clip(np.maximum(one, two), bottom[rows], top[rows])


def _by_row(row: Indices, bottom: Floats, top: Floats, odd: Flags) -> Entries:
    order = np.lexsort((bottom, row))
    return row[order], bottom[order] - SLACK_M, top[order] + SLACK_M, odd[order]


def _merged(row: Indices, bottom: Floats, top: Floats, odd: Flags) -> tuple[Indices, Floats, Floats, States]:
    """Spans that overlap as one, and for each what is above it."""
    if not len(row):
        return row, bottom, top, odd.astype(np.int8)
    new_row = np.r_[True, row[1:] != row[:-1]]
    rank = np.cumsum(new_row) - 1
    # Rows far apart, so that one running maximum serves all of them.
    apart = float(top.max() - bottom.min()) + 1.0
    reached = np.maximum.accumulate(top + rank * apart)
    starts = np.flatnonzero(np.r_[True, bottom[1:] + rank[1:] * apart > reached[:-1]])
    crossed = np.cumsum(odd)
    ends = np.r_[starts[1:], len(row)] - 1
    before_row: Indices = (crossed - odd)[new_row][rank[starts]]
    above = ((crossed[ends] - before_row) % 2).astype(np.int8)
    return row[starts], bottom[starts], np.maximum.reduceat(top, starts), above


def ranges(start: Indices, stop: Indices) -> tuple[Indices, Indices]:
    """For every number of every range [start[i], stop[i]): the i it is from, and the number."""
    count = np.maximum(stop - start, 0)
    of = np.repeat(np.arange(len(count)), count)
    offset = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    return of, np.repeat(start, count) + offset
