"""Where points lie on a network, given that both are known only within an error.

A point belongs to the nearest place of the network. With a point known within e, that is the nearest place of
some point q of the disc of radius e around it, and these places are found segment by segment:

* q is not farther from a segment it is nearest to than g + e, for the distance g of the point to the network;
  so the segment is not farther from the point than g + 2 e;
* where the nearest place is inside the segment, q lies on the perpendicular there, so the place is within e
  of the perpendicular through the point;
* where it is a vertex, q lies beyond the end of every segment that meets there; so the point does not lie
  more than e before any of them.

The error of a line is added to that of the point: a bound of how the two lie to each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices
from gis.kernel.network import Network

__all__ = ["Places", "Stretches", "expand", "find_places"]


@dataclass(frozen=True, eq=False)
class Stretches:
    """Parts of a network, each of an owner; sorted by owner.

    Attributes
    ----------
    owner : int64[k]
    edge : int64[k]
        -1 for a node.
    node : int64[k]
        -1 for a stretch of an edge.
    low, high : float64[k]
        Metres from the start of the edge; 0 for a node.
    start : int64[n + 1]
        Those of owner i are ``start[i]`` up to ``start[i + 1]``.
    """

    owner: Indices
    edge: Indices
    node: Indices
    low: Floats
    high: Floats
    start: Indices

    @classmethod
    def of(cls, network: Network, owner: Indices, begin: Floats, end: Floats, count: int) -> Stretches:
        """Divide intervals of the measure, each on one line, into stretches of edges and nodes."""
        one = network.edge_at(begin)
        last = np.searchsorted(network.edge_start, end, side="left").astype(np.int64) - 1
        row, edge = expand(one, np.maximum(last, one) + 1)
        size = network.edge_end[edge] - network.edge_start[edge]
        low = np.clip(begin[row] - network.edge_start[edge], 0.0, size)
        high = np.clip(end[row] - network.edge_start[edge], 0.0, size)
        at_tail, at_head = low <= TOUCH_M, high >= size - TOUCH_M
        # A node belongs to all lines that meet there, so it stands for itself.
        inner = ~((at_tail | at_head) & (high - low <= TOUCH_M))
        nodes = np.concatenate([network.tail[edge[at_tail]], network.head[edge[at_head]]])
        of_nodes = np.concatenate([owner[row[at_tail]], owner[row[at_head]]])
        of_nodes, nodes = np.unique(np.stack([of_nodes, nodes]), axis=1)
        none = np.full(len(nodes), -1, dtype=np.int64)
        owners = np.concatenate([owner[row[inner]], of_nodes])
        order = np.argsort(owners, kind="stable")
        zero = np.zeros(len(nodes))
        return cls(
            owner=owners[order],
            edge=np.concatenate([edge[inner], none])[order],
            node=np.concatenate([np.full(int(inner.sum()), -1, dtype=np.int64), nodes])[order],
            low=np.concatenate([low[inner], zero])[order],
            high=np.concatenate([high[inner], zero])[order],
            start=np.searchsorted(owners[order], np.arange(count + 1)).astype(np.int64),
        )


@dataclass(frozen=True, eq=False)
class Places:
    """Where n points lie on a network.

    Attributes
    ----------
    on : bool[n]
        Whether the point could be placed. The rest holds for those.
    unbounded : bool[n]
        Not placed because a line nearby, or the point, has an error that is not known.
    at : float64[n]
        Measure of the nearest place; NaN where there is none.
    gap_m : float64[n]
        How far that is; NaN where none is near.
    nearest : Stretches
        The nearest place as edge or node.
    spread : Stretches
        All places the point may belong to.
    """

    on: Flags
    unbounded: Flags
    at: Floats
    gap_m: Floats
    nearest: Stretches
    spread: Stretches


def expand(start: Indices, stop: Indices) -> tuple[Indices, Indices]:
    """All (row, value) with start[row] <= value < stop[row], sorted."""
    size = stop - start
    row = np.repeat(np.arange(len(start)), size)
    value = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size) + start[row]
    return row, value.astype(np.int64)


def find_places(network: Network, points: Geometries, accuracy_m: Floats, snap_m: float) -> Places:
    """Place points on the network.

    Parameters
    ----------
    network : Network
    points : object[n]
        Points in the plane of the network.
    accuracy_m : float64[n]
        Bound of each point's error in metres; one that is not known (NaN) keeps a point off the network.
    snap_m : float
        How far from the line something on the river may lie (banks, pipes), besides the errors.
    """
    count = len(points)
    line_error = np.nan_to_num(network.accuracy_m)
    most = float(line_error.max(initial=0.0))
    own = np.nan_to_num(accuracy_m)
    reach = snap_m + own + most
    at, gap = np.full(count, np.nan), np.full(count, np.nan)
    on, unbounded = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    owner, begin, end = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
    if count and len(network.lines):
        found, far = network.pieces.tree.query_nearest(
            points, max_distance=float(reach.max()), return_distance=True, all_matches=False
        )
        row, first = np.unique(found[0], return_index=True)
        gap[row] = far[first]
        line = network.segments.line[network.pieces.start[found[1][first]]]
        on[row] = gap[row] <= snap_m + own[row] + line_error[line]
        gap[~on] = np.nan
        unbounded = on & np.isnan(accuracy_m)
        spans = _spans(network, points, own, np.flatnonzero(on), gap, most)
        at[on] = spans.nearest(on)
        unbounded[spans.row[np.isnan(network.accuracy_m[spans.line])]] = True
        on &= ~unbounded
        owner, begin, end = spans.places(network, on)
    rows = np.flatnonzero(on)
    # The nearest place is among them, also where two lines join a little apart.
    owner = np.concatenate([owner, rows])
    begin, end = np.concatenate([begin, at[rows]]), np.concatenate([end, at[rows]])
    return Places(
        on=on,
        unbounded=unbounded,
        at=at,
        gap_m=gap,
        nearest=Stretches.of(network, rows, at[rows], at[rows], count),
        spread=Stretches.of(network, owner, begin, end, count),
    )


@dataclass(frozen=True, eq=False)
class _Spans:
    """Pairs of a point and a segment that may be nearest to it."""

    row: Indices
    segment: Indices
    line: Indices
    along: Floats  # of the perpendicular, from the segment's start; may lie beyond either end
    size: Floats
    gap: Floats
    error: Floats
    xy: Floats
    base: Floats  # measure of the segment's start

    def nearest(self, on: Flags) -> Floats:
        """The measure of the nearest place of each point that is on, in order."""
        order = np.lexsort((self.segment, self.gap, self.row))
        row, first = np.unique(self.row[order], return_index=True)
        assert np.array_equal(row, np.flatnonzero(on))
        best = order[first]
        return np.asarray(self.base[best] + np.clip(self.along[best], 0.0, self.size[best]))

    def places(self, network: Network, on: Flags) -> tuple[Indices, Floats, Floats]:
        """Owners and intervals of the measure that the points may belong to."""
        low, high = self.along - self.error, self.along + self.error
        asked = on[self.row]
        inside = asked & (high >= 0) & (low <= self.size)
        begin, end = np.clip(low, 0.0, self.size), np.clip(high, 0.0, self.size)
        at_start = np.flatnonzero(asked & (high < 0))
        at_end = np.flatnonzero(asked & (low > self.size))
        at_start = at_start[self._beyond_all(network, at_start, ends=False)]
        at_end = at_end[self._beyond_all(network, at_end, ends=True)]
        kept = np.concatenate([np.flatnonzero(inside), at_start, at_end])
        return self.row[kept], self.base[kept] + begin[kept], self.base[kept] + end[kept]

    def _beyond_all(self, network: Network, pairs: Indices, *, ends: bool) -> Flags:
        """Whether the point lies at most its error before each segment that meets at the vertex."""
        segments, seg = network.segments, self.segment[pairs]
        vertex = segments.end[seg] if ends else segments.start[seg]
        node = segments.end_node[seg] if ends else segments.start_node[seg]
        away, error = self.xy[pairs] - vertex, self.error[pairs]
        beyond = np.ones(len(pairs), dtype=bool)
        inner = np.flatnonzero(node < 0)
        other = seg[inner] + (1 if ends else -1)
        direction = (segments.end[other] - segments.start[other]) / np.maximum(segments.length[other], 1e-12)[
            :, None
        ]
        before = (away[inner] * direction).sum(axis=1) * (1 if ends else -1)
        beyond[inner] = before <= error[inner]
        outer = np.flatnonzero(node >= 0)
        row, entry = expand(network.incident.start[node[outer]], network.incident.start[node[outer] + 1])
        before = (away[outer][row] * network.incident.xy[entry]).sum(axis=1)
        beyond[outer[row[before > error[outer][row]]]] = False
        return beyond


def _spans(
    network: Network, points: Geometries, own: Floats, rows: Indices, gap: Floats, most: float
) -> _Spans:
    radius = gap[rows] + 2 * (own[rows] + most) + TOUCH_M
    found = network.pieces.tree.query(points[rows], predicate="dwithin", distance=radius)
    pair, segment = expand(network.pieces.start[found[1]], network.pieces.start[found[1] + 1])
    row = rows[found[0][pair]]
    xy = shapely.get_coordinates(points[rows])[found[0][pair]]
    segments = network.segments
    start, size = segments.start[segment], segments.length[segment]
    direction = (segments.end[segment] - start) / np.maximum(size, 1e-12)[:, None]
    along = ((xy - start) * direction).sum(axis=1)
    foot = start + direction * np.clip(along, 0.0, size)[:, None]
    away = np.hypot(*(xy - foot).T)
    line = segments.line[segment]
    error = own[row] + np.nan_to_num(network.accuracy_m)[line]
    near = away <= gap[row] + own[row] + most + error + TOUCH_M
    return _Spans(
        row=row[near],
        segment=segment[near],
        line=line[near],
        along=along[near],
        size=size[near],
        gap=away[near],
        error=error[near],
        xy=xy[near],
        base=segments.measure[segment][near],
    )
