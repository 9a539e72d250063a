"""How far downstream of a place another one lies, along a network, and by which way.

Both places are known only within an error, so the distance is known only between two bounds. The least is
over all pairs of places the two may have, by any possible way; the most is over all pairs by certain ways,
and infinite as soon as one pair has none. What lies upstream for sure and within d has ``most < d``; what
surely does not has ``least > d``.

Where the way of the water is lost (an outlet: a mouth, or a gap in the data), it may go on anywhere.
``open_m`` is the least length of a way that leads to the other place in a straight line from such an outlet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.network import Network
from gis.kernel.places import Places, Stretches, expand

__all__ = ["Downstream", "downstream", "ways"]

_SOURCES = 64
"""Nodes searched from at once: each takes a row of all nodes."""


@dataclass(frozen=True, eq=False)
class Downstream:
    """Distances along the network of k pairs in metres, infinite where no way leads within the limit.

    Attributes
    ----------
    nearest : float64[k]
        Between the nearest places of both.
    least, most : float64[k]
    open_m : float64[k]
    """

    nearest: Floats
    least: Floats
    most: Floats
    open_m: Floats


def downstream(
    network: Network,
    upper: Places,
    lower: Places,
    pairs: tuple[Indices, Indices],
    limit_m: float,
    *,
    outlets: bool = True,
) -> Downstream:
    """Measure from the places ``pairs[0]`` of ``upper`` down to the places ``pairs[1]`` of ``lower``.

    Parameters
    ----------
    network : Network
    upper, lower : Places
        Those named in ``pairs`` are on the network.
    pairs : tuple of int64[k], int64[k]
    limit_m : float
        Longer ways are not looked for.
    outlets : bool
        False leaves ``open_m`` infinite, so that a few places with many above them are searched from upwards.
    """
    one, other = pairs
    back = not outlets and len(np.unique(other)) < len(np.unique(one))
    if back:
        one, other = other, one
        sources = lower
    else:
        sources = upper
    out = Downstream(*(np.full(len(one), np.inf) for _ in range(4)))
    named, turn = np.unique(one, return_inverse=True)
    # In the order of the measure, so that those on one edge are searched from together.
    turn = np.argsort(np.argsort(sources.at[named], kind="stable"))[turn]
    for first in range(0, len(named), _SOURCES):
        rows = np.flatnonzero((turn >= first) & (turn < first + _SOURCES))
        u, v = (other[rows], one[rows]) if back else (one[rows], other[rows])
        _measure(network, upper, lower, u, v, limit_m, rows, out, back, outlets)
    return out


def _measure(
    network: Network,
    upper: Places,
    lower: Places,
    one: Indices,
    other: Indices,
    limit_m: float,
    rows: Indices,
    out: Downstream,
    back: bool,
    outlets: bool,
) -> None:
    spread = _Pairs.of(upper.spread, lower.spread, one, other)
    exact = _Pairs.of(upper.nearest, lower.nearest, one, other)
    nodes = np.union1d(spread.nodes(network, back), exact.nodes(network, back))
    possible = _Search.run(network.possible, nodes, limit_m, back)
    least = spread.least(network, possible)
    out.least[rows] = np.minimum.reduceat(least, spread.first) if len(least) else np.inf
    nearest = exact.least(network, possible)
    out.nearest[rows] = np.minimum.reduceat(nearest, exact.first) if len(nearest) else np.inf
    sure = possible
    if not _same(network.certain, network.possible):
        sure = _Search.run(network.certain, spread.nodes(network, back), limit_m, back)
    out.most[rows] = np.maximum.reduceat(spread.most(network, sure), spread.first) if len(least) else np.inf
    targets = shapely.get_coordinates(network.points(lower.at[other]))
    if outlets:
        out.open_m[rows] = _open(network, possible, spread, targets)


def _same(one: csr_array, other: csr_array) -> bool:
    return bool(one.nnz == other.nnz)


@dataclass(frozen=True, eq=False)
class _Search:
    """Distances from some nodes to all, ``metres[place[node]]``; ``back``: from all nodes to them."""

    place: Indices
    metres: Floats
    back: bool

    @classmethod
    def run(cls, graph: csr_array, nodes: Indices, limit_m: float, back: bool) -> _Search:
        place = np.full(graph.shape[0], -1, dtype=np.int64)
        place[nodes] = np.arange(len(nodes))
        if not len(nodes):
            return cls(place, np.empty((0, graph.shape[0])), back)
        ways_ = graph.T.tocsr() if back else graph
        return cls(place, np.atleast_2d(dijkstra(ways_, indices=nodes, limit=limit_m)), back)

    def between(self, source: Indices, target: Indices) -> Floats:
        near, far = (target, source) if self.back else (source, target)
        return np.asarray(self.metres[self.place[near], far])


@dataclass(frozen=True, eq=False)
class _Pairs:
    """All combinations of the stretches of pairs; those of pair i begin at ``first[i]``."""

    upper: Stretches
    lower: Stretches
    u: Indices
    v: Indices
    first: Indices

    @classmethod
    def of(cls, upper: Stretches, lower: Stretches, one: Indices, other: Indices) -> _Pairs:
        row, u = expand(upper.start[one], upper.start[one + 1])
        again, v = expand(lower.start[other[row]], lower.start[other[row] + 1])
        pair = row[again]
        return cls(upper, lower, u[again], v, np.searchsorted(pair, np.arange(len(one))).astype(np.int64))

    def nodes(self, network: Network, back: bool) -> Indices:
        """The nodes by which water leaves the upper stretches, or, ``back``, enters the lower ones."""
        ends = _entering(network, self.lower, self.v) if back else _leaving(network, self.upper, self.u)
        every = np.unique(np.concatenate([node for node, _, _ in ends]))
        return every[every >= 0]

    def least(self, network: Network, search: _Search) -> Floats:
        """The shortest way of each combination."""
        best = self._along_one_edge(network, sure=False)
        for source, from_m, _ in _leaving(network, self.upper, self.u):
            for target, to_m, _ in _entering(network, self.lower, self.v):
                ok = (source >= 0) & (target >= 0)
                way = np.full(len(best), np.inf)
                way[ok] = from_m[ok] + search.between(source[ok], target[ok]) + to_m[ok]
                best = np.minimum(best, way)
        return best

    def most(self, network: Network, search: _Search) -> Floats:
        """The longest that the certain way of each combination may be."""
        source, _, from_m = _leaving(network, self.upper, self.u)[0]
        target, _, to_m = _entering(network, self.lower, self.v)[0]
        way = from_m + search.between(source, target) + to_m
        for stretches, at in ((self.upper, self.u), (self.lower, self.v)):
            edge = stretches.edge[at]
            way[(edge >= 0) & ~network.known[edge]] = np.inf
        return np.minimum(way, self._along_one_edge(network, sure=True))

    def _along_one_edge(self, network: Network, *, sure: bool) -> Floats:
        a, b = self.upper, self.lower
        u, v = self.u, self.v
        found = np.full(len(u), np.inf)
        same = np.flatnonzero((a.edge[u] >= 0) & (a.edge[u] == b.edge[v]))
        u, v = u[same], v[same]
        known = network.known[a.edge[u]]
        if sure:
            ordered = known & (a.high[u] <= b.low[v])
            found[same[ordered]] = (b.high[v] - a.low[u])[ordered]
            return found
        down = np.maximum(b.low[v] - a.high[u], 0.0)
        up = np.maximum(a.low[u] - b.high[v], 0.0)
        found[same] = np.where(known, np.where(b.high[v] >= a.low[u], down, np.inf), np.maximum(down, up))
        return found


Ends = list[tuple[Indices, Floats, Floats]]


def _leaving(network: Network, stretches: Stretches, at: Indices) -> Ends:
    """Nodes by which water leaves, least and most metres to them; the second where the flow is open."""
    edge, low, high = stretches.edge[at], stretches.low[at], stretches.high[at]
    inside = edge >= 0
    size = np.where(inside, network.edge_end[edge] - network.edge_start[edge], 0.0)
    node = np.where(inside, network.head[edge], stretches.node[at])
    back = np.where(inside & ~network.known[edge], network.tail[edge], -1)
    return [(node, size - high, size - low), (back, low, high)]


def _entering(network: Network, stretches: Stretches, at: Indices) -> Ends:
    edge, low, high = stretches.edge[at], stretches.low[at], stretches.high[at]
    inside = edge >= 0
    size = np.where(inside, network.edge_end[edge] - network.edge_start[edge], 0.0)
    node = np.where(inside, network.tail[edge], stretches.node[at])
    back = np.where(inside & ~network.known[edge], network.head[edge], -1)
    return [(node, low, high), (back, size - high, size - low)]


def _open(network: Network, search: _Search, pairs: _Pairs, targets: Floats) -> Floats:
    """For each pair the least way over an outlet and on in a straight line."""
    count = len(targets)
    best = np.full(count, np.inf)
    if not len(network.outlets):
        return best
    pair = np.searchsorted(pairs.first, np.arange(len(pairs.u)), side="right") - 1
    for source, from_m, _ in _leaving(network, pairs.upper, pairs.u):
        rows = np.flatnonzero(source >= 0)
        to_outlet = search.metres[search.place[source[rows]]][:, network.outlets] + from_m[rows, None]
        i, o = np.nonzero(np.isfinite(to_outlet))
        where = network.node_xy[network.outlets[o]]
        on = np.hypot(*(targets[pair[rows[i]]] - where).T)
        np.minimum.at(best, pair[rows[i]], to_outlet[i, o] + on)
    return best


def ways(network: Network, start: Floats, end: Floats) -> Geometries:
    """The shortest possible way between measures, a LineString each; None where none leads there.

    ``start`` and ``end`` are float64[k]. A way of no length is None, too.
    """
    found = np.empty(len(start), dtype=object)
    for i, (begin, stop) in enumerate(zip(start, end, strict=True)):
        found[i] = _way(network, float(begin), float(stop))
    return found


def _way(network: Network, begin: float, stop: float) -> shapely.LineString | None:
    one, other = (int(e) for e in network.edge_at(np.array([begin, stop])))
    direct = one == other and (begin <= stop or not network.known[one])
    best, parts = (abs(stop - begin), [(begin, stop)]) if direct else (np.inf, [])
    for source, from_part in _steps(network, one, begin, leaving=True):
        metres, before = dijkstra(network.possible, indices=source, return_predecessors=True)
        for target, to_part in _steps(network, other, stop, leaving=False):
            total = _size(from_part) + metres[target] + _size(to_part)
            if total < best:
                middle = _trace(network, before, source, target)
                best, parts = total, [from_part, *middle, to_part]
    return _joined(network, [part for part in parts if _size(part) > 0])


def _steps(network: Network, edge: int, at: float, *, leaving: bool) -> list[tuple[int, tuple[float, float]]]:
    begin, end = float(network.edge_start[edge]), float(network.edge_end[edge])
    down = (int(network.head[edge]), (at, end)) if leaving else (int(network.tail[edge]), (begin, at))
    up = (int(network.tail[edge]), (at, begin)) if leaving else (int(network.head[edge]), (end, at))
    steps = [down] if network.known[edge] else [down, up]
    # At its very start an edge is a node, and water may take another edge from there.
    touches = at - begin if leaving else end - at
    return [*steps, up] if network.known[edge] and touches <= TOUCH_M else steps


def _size(part: tuple[float, float]) -> float:
    return abs(part[1] - part[0])


def _trace(network: Network, before: Indices, source: int, target: int) -> list[tuple[float, float]]:
    """The edges on the way between two nodes, as intervals of the measure."""
    parts: list[tuple[float, float]] = []
    node = target
    while node != source:
        earlier = int(before[node])
        parts.append(_edge_between(network, earlier, node))
        node = earlier
    return parts[::-1]


def _edge_between(network: Network, tail: int, head: int) -> tuple[float, float]:
    down = np.flatnonzero((network.tail == tail) & (network.head == head))
    up = np.flatnonzero((network.tail == head) & (network.head == tail) & ~network.known)
    sizes = network.edge_end - network.edge_start
    either = np.concatenate([down, up])
    if not len(either):
        return 0.0, 0.0  # two lines that cross
    edge = int(either[np.argmin(sizes[either])])
    interval = float(network.edge_start[edge]), float(network.edge_end[edge])
    return interval if edge in down else interval[::-1]


def _joined(network: Network, parts: list[tuple[float, float]]) -> shapely.LineString | None:
    if not parts:
        return None
    xy = [network.stretch(a, b) if a <= b else network.stretch(b, a)[::-1] for a, b in parts]
    return shapely.LineString(np.vstack(xy))
