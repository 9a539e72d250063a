"""Reaches of rivers as a directed graph: what flows into what, and where along a line.

Every line has its stretch of one common measure, in metres: line i runs from ``first[i]`` to
``first[i] + length[i]``, and no two lines share a measure. A place on the network is one number, an edge is
an interval, and to find the edge of a place is a binary search.

What joins:

* line ends that are not farther apart than ``join_m`` (chains of such ends make one node);
* a line end that is not farther than ``join_m`` from the inside of another line (a tributary): that line is
  divided there;
* two lines that cross where neither ends may join, or pass each other as a canal over a river does. Such a
  crossing is kept as a possible way: what leads over it is possible and never certain.

A line whose direction of flow is not known is a possible way in both directions and a certain one in none. So
there are two graphs: ``certain``, and ``possible``, which holds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from gis.errors import KernelInputError
from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices, accuracies, geometries

__all__ = ["AGAINST", "NOT_KNOWN", "WITH", "Network", "Segments", "build_network"]

WITH, AGAINST, NOT_KNOWN = 1, -1, 0
"""Flow along a line as it is digitised, against it, or not known."""

_BETWEEN_LINES_M = 1.0
_PIECE = 32
"""Segments in a piece: fewer make the index large, more make it coarse."""


@dataclass(frozen=True, eq=False)
class Segments:
    """The straight pieces of all lines, in the order of the measure.

    Attributes
    ----------
    start, end : float64[k, 2]
    measure : float64[k]
        Of the start.
    length : float64[k]
    line : int64[k]
    start_node, end_node : int64[k]
        The node that the start or end is, -1 for an inner vertex.
    """

    start: Floats
    end: Floats
    measure: Floats
    length: Floats
    line: Indices
    start_node: Indices
    end_node: Indices


@dataclass(frozen=True, eq=False)
class Incidence:
    """Unit vectors ``xy[start[v]:start[v + 1]]`` along which lines leave node v."""

    start: Indices
    xy: Floats


@dataclass(frozen=True, eq=False)
class Pieces:
    """Runs of segments: piece i holds the segments from ``start[i]`` up to ``start[i + 1]``."""

    start: Indices
    tree: shapely.STRtree


@dataclass(frozen=True, eq=False)
class Network:
    """A river network; make it with :func:`build_network`, use it from any thread.

    Attributes
    ----------
    lines : object[m]
        LineStrings in the direction of flow, parts of the reaches.
    reach : int64[m]
        The reach each line is of.
    accuracy_m : float64[m]
        Bound of each line's error; NaN = unknown.
    first, length : float64[m]
        Measure where each line starts, and its length in metres.
    segments : Segments
    edge_start, edge_end : float64[e]
        Measures of each edge, a piece of one line between two nodes; sorted.
    tail, head : int64[e]
        Nodes that the edge leads from and to.
    known : bool[e]
        Whether the direction of flow is known.
    certain, possible : csr_array
        Nodes x nodes, metres; the shortest edge between each two.
    outlets : int64[]
        Nodes where water arrives and no line goes on: a mouth, or a gap in the data.
    node_xy : float64[v, 2]
        Where each node is.
    incident : Incidence
        The directions in which lines leave each node.
    pieces : Pieces
        Lines in short pieces, and their index.
    """

    lines: Geometries
    reach: Indices
    accuracy_m: Floats
    first: Floats
    length: Floats
    segments: Segments
    edge_start: Floats
    edge_end: Floats
    tail: Indices
    head: Indices
    known: Flags
    certain: csr_array
    possible: csr_array
    outlets: Indices
    node_xy: Floats
    incident: Incidence
    pieces: Pieces

    def edge_at(self, measure: Floats) -> Indices:
        """The edge each measure lies in; the later one at a division."""
        return np.searchsorted(self.edge_start, measure, side="right").astype(np.int64) - 1

    def line_at(self, measure: Floats) -> Indices:
        """The line each measure lies on."""
        return np.searchsorted(self.first, measure, side="right").astype(np.int64) - 1

    def points(self, measure: Floats) -> Geometries:
        """The points at measures."""
        line = self.line_at(measure)
        found = shapely.line_interpolate_point(self.lines[line], measure - self.first[line])
        return np.asarray(found, dtype=object)

    def stretch(self, start: float, end: float) -> Floats:
        """Coordinates of one line between two of its measures, float64[k, 2]."""
        inner = np.flatnonzero((self.segments.measure > start) & (self.segments.measure < end))
        ends = shapely.get_coordinates(self.points(np.array([start, end])))
        return np.vstack([ends[:1], self.segments.start[inner], ends[1:]])


def build_network(
    reaches: Geometries,
    *,
    flow: ArrayLike = WITH,
    accuracy_m: ArrayLike | None = None,
    join_m: float = 1.0,
) -> Network:
    """Build the network of ``reaches``.

    Parameters
    ----------
    reaches : sequence of LineString or MultiLineString
        Metres of one plane. Each part is a line of its own; empty ones and lines without length are left out.
    flow : int or int[n]
        WITH, AGAINST or NOT_KNOWN for each reach.
    accuracy_m : float, float[n] or None
        Bound of each reach's error in metres; NaN or None = unknown.
    join_m : float
        Line ends within this distance of each other, or of another line, join. Distances along the network
        are off by at most this at each junction.

    Raises
    ------
    KernelInputError
        For a geometry that is missing or no line, a flow of another value, or a negative accuracy or
        tolerance.
    """
    given = geometries(reaches, "reaches", check=False)
    flows = np.broadcast_to(np.asarray(flow, dtype=np.int64), (len(given),))
    _refuse_wrong(given, flows, join_m)
    lines, reach = shapely.get_parts(given, return_index=True)
    kept = shapely.length(lines) > 0
    lines, reach = np.asarray(lines[kept], dtype=object), np.asarray(reach[kept], dtype=np.int64)
    against = flows[reach] == AGAINST
    lines[against] = shapely.reverse(lines[against])
    length = np.asarray(shapely.length(lines), dtype=np.float64)
    first = np.concatenate([[0.0], np.cumsum(length + _BETWEEN_LINES_M)])[:-1] if len(lines) else length
    node, divisions = _junctions(lines, length, join_m)
    edges = _Edges.divided(first, length, node, divisions)
    known = flows[reach[edges.line]] != NOT_KNOWN
    certain, possible, outlets = _graphs(edges, known, divisions)
    segments = _segments(lines, first, node)
    return Network(
        lines=lines,
        reach=reach,
        accuracy_m=accuracies(accuracy_m, len(given), "accuracy_m")[reach],
        first=first,
        length=length,
        segments=segments,
        edge_start=edges.start,
        edge_end=edges.end,
        tail=edges.tail,
        head=edges.head,
        known=known,
        certain=certain,
        possible=possible,
        outlets=outlets,
        node_xy=_node_places(lines, node, divisions),
        incident=_incidence(segments, first, divisions),
        pieces=_pieces(segments),
    )


def _refuse_wrong(reaches: Geometries, flow: Indices, join_m: float) -> None:
    wrong = np.flatnonzero(~np.isin(shapely.get_type_id(reaches), [1, 5]) & ~shapely.is_empty(reaches))
    if len(wrong):
        kind = reaches[wrong[0]].geom_type
        raise KernelInputError(
            f"reaches[{wrong[0]}] is a {kind}; a reach is a line.",
            f"reaches[{wrong[0]}] 为 {kind}；河段应为线。",
        )
    if not np.isin(flow, [WITH, AGAINST, NOT_KNOWN]).all():
        raise KernelInputError("A flow is 1, -1 or 0.", "流向只能为 1、-1 或 0。")
    if not (np.isfinite(join_m) and join_m >= 0):
        raise KernelInputError(
            f"join_m is {join_m}: a tolerance is not negative.", f"join_m 为 {join_m}：容差不得为负。"
        )


@dataclass(frozen=True, eq=False)
class _Divisions:
    """Where lines are divided: by ``node``, ``place`` metres along ``line``; ``crossed`` may join."""

    line: Indices
    place: Floats
    node: Indices
    crossed: Indices  # int64[c, 2]
    count: int


def _junctions(lines: Geometries, length: Floats, join_m: float) -> tuple[Indices, _Divisions]:
    """The nodes of line ends, int64[m, 2], and the divisions of lines by tributaries and crossings."""
    ends = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    a, b = _near(ends, ends, join_m)
    count, label = connected_components(
        coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(len(ends), len(ends))), directed=False
    )
    node = label.astype(np.int64).reshape(2, -1).T
    line, place, at = _tributaries(lines, length, ends, node, join_m)
    crossing, where = _crossings(lines, join_m)
    news = count + np.arange(2 * len(crossing), dtype=np.int64).reshape(-1, 2)
    return node, _Divisions(
        line=np.concatenate([line, crossing.ravel()]),
        place=np.concatenate([place, where.ravel()]),
        node=np.concatenate([at, news.ravel()]),
        crossed=news,
        count=count + news.size,
    )


def _near(left: Geometries, right: Geometries, distance: float) -> tuple[Indices, Indices]:
    found = shapely.STRtree(right).query(left, predicate="dwithin", distance=distance)
    return found[0].astype(np.int64), found[1].astype(np.int64)


def _tributaries(
    lines: Geometries, length: Floats, ends: Geometries, node: Indices, join_m: float
) -> tuple[Indices, Floats, Indices]:
    """Lines divided by the ends of others, and of their own: line, metres along it, node."""
    end, line = _near(ends, lines, join_m)
    owner, at = end % max(len(lines), 1), node.T.ravel()[end]
    other = owner != line
    end, line, at = end[other], line[other], at[other]
    place = np.asarray(shapely.line_locate_point(lines[line], ends[end]), dtype=np.float64)
    # An end that joins the end of a line need not divide the line just beside it.
    beside = ((at == node[line, 0]) & (place <= 2 * join_m)) | (
        (at == node[line, 1]) & (length[line] - place <= 2 * join_m)
    )
    line, place, at = line[~beside], place[~beside], at[~beside]
    # The ends of one node divide a line once.
    _, once = np.unique(
        np.stack([line, at, np.round(place / max(4 * join_m, 1e-3)).astype(np.int64)]),
        axis=1,
        return_index=True,
    )
    return line[once], place[once], at[once]


def _crossings(lines: Geometries, join_m: float) -> tuple[Indices, Floats]:
    """Pairs of lines that meet inside both: int64[c, 2] and metres along each, float64[c, 2].

    Where they run along each other for a while, the ends of the shared stretch are taken.
    """
    beside = max(join_m, TOUCH_M)
    a, b = shapely.STRtree(lines).query(lines, predicate="intersects")
    mine = a < b
    a, b = a[mine].astype(np.int64), b[mine].astype(np.int64)
    parts, pair = shapely.get_parts(shapely.intersection(lines[a], lines[b]), return_index=True)
    straight = shapely.get_type_id(parts) == 1
    points = np.concatenate(
        [parts[~straight], shapely.get_point(parts[straight], 0), shapely.get_point(parts[straight], -1)]
    )
    pair = np.concatenate([pair[~straight], pair[straight], pair[straight]])
    both = np.stack([a[pair], b[pair]], axis=1).astype(np.int64)
    where = np.stack([shapely.line_locate_point(lines[both[:, side]], points) for side in (0, 1)], axis=1)
    whole = np.asarray(shapely.length(lines), dtype=np.float64)[both]
    # What meets at an end is a junction, and told by the ends.
    inner = ((where > beside) & (where < whole - beside)).all(axis=1)
    return both[inner], where[inner].astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Edges:
    """Pieces of lines between nodes, in the order of the measure."""

    line: Indices
    start: Floats
    end: Floats
    tail: Indices
    head: Indices

    @classmethod
    def divided(cls, first: Floats, length: Floats, node: Indices, cuts: _Divisions) -> _Edges:
        every = np.arange(len(first))
        line = np.concatenate([every, every, cuts.line])
        place = np.concatenate([np.zeros(len(first)), length, cuts.place])
        at = np.concatenate([node[:, 0], node[:, 1], cuts.node])
        # A start comes before, an end after a division at the same place.
        rank = np.concatenate([np.zeros(len(first)), np.full(len(first), 2.0), np.ones(len(cuts.line))])
        order = np.lexsort((rank, place, line))
        line, place, at, rank = line[order], place[order], at[order], rank[order]
        goes_on = np.flatnonzero(rank < 2)
        return cls(
            line=line[goes_on],
            start=first[line[goes_on]] + place[goes_on],
            end=first[line[goes_on]] + place[goes_on + 1],
            tail=at[goes_on],
            head=at[goes_on + 1],
        )


def _graphs(edges: _Edges, known: Flags, cuts: _Divisions) -> tuple[csr_array, csr_array, Indices]:
    size = edges.end - edges.start
    count = cuts.count
    free = ~known
    links = cuts.crossed
    tail = np.concatenate([edges.tail, edges.head[free], links[:, 0], links[:, 1]])
    head = np.concatenate([edges.head, edges.tail[free], links[:, 1], links[:, 0]])
    metres = np.concatenate([size, size[free], np.zeros(2 * len(links))])
    possible = _shortest(tail, head, metres, count)
    certain = _shortest(edges.tail[known], edges.head[known], size[known], count)
    goes_on = np.bincount(edges.tail[known], minlength=count) > 0
    open_ways = np.bincount(np.concatenate([edges.tail[free], edges.head[free]]), minlength=count)
    arrives = (np.bincount(edges.head[known], minlength=count) > 0) | (open_ways > 0)
    return certain, possible, np.flatnonzero(arrives & ~goes_on & (open_ways < 2)).astype(np.int64)


def _shortest(tail: Indices, head: Indices, metres: Floats, count: int) -> csr_array:
    """The graph with the shortest of parallel edges, where a plain sparse array would add them up."""
    order = np.lexsort((metres, head, tail))
    tail, head, metres = tail[order], head[order], metres[order]
    new = np.ones(len(tail), dtype=bool)
    new[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    kept = new & (tail != head)
    return csr_array((metres[kept], (tail[kept], head[kept])), shape=(count, count))


def _segments(lines: Geometries, first: Floats, node: Indices) -> Segments:
    xy, line = shapely.get_coordinates(lines, return_index=True)
    within = line[1:] == line[:-1] if len(line) else np.empty(0, dtype=bool)
    at = np.flatnonzero(within)
    start, end, owner = xy[at], xy[at + 1], line[at].astype(np.int64)
    length = np.hypot(*(end - start).T)
    run = np.concatenate([[0.0], np.cumsum(length)])[:-1] if len(length) else length
    opens = np.ones(len(owner), dtype=bool)
    opens[1:] = owner[1:] != owner[:-1]
    closes = np.roll(opens, -1)
    base = run[opens][np.cumsum(opens) - 1] if len(run) else run
    return Segments(
        start=start,
        end=end,
        measure=first[owner] + run - base,
        length=length,
        line=owner,
        start_node=np.where(opens, node[owner, 0], -1),
        end_node=np.where(closes, node[owner, 1], -1),
    )


def _node_places(lines: Geometries, node: Indices, cuts: _Divisions) -> Floats:
    xy = np.full((cuts.count, 2), np.nan)
    if len(lines):
        xy[cuts.node] = shapely.get_coordinates(shapely.line_interpolate_point(lines[cuts.line], cuts.place))
        xy[node[:, 1]] = shapely.get_coordinates(shapely.get_point(lines, -1))
        xy[node[:, 0]] = shapely.get_coordinates(shapely.get_point(lines, 0))
    return xy


def _incidence(segments: Segments, first: Floats, cuts: _Divisions) -> Incidence:
    ahead = (segments.end - segments.start) / np.maximum(segments.length, 1e-12)[:, None]
    opens, closes = segments.start_node >= 0, segments.end_node >= 0
    # A line that is divided leaves the node both ways. Crossings are no nodes of the ground.
    divided = ~np.isin(cuts.node, cuts.crossed)
    at = np.searchsorted(segments.measure, first[cuts.line[divided]] + cuts.place[divided], side="right") - 1
    node = np.concatenate(
        [segments.start_node[opens], segments.end_node[closes], cuts.node[divided], cuts.node[divided]]
    )
    xy = np.concatenate([ahead[opens], -ahead[closes], ahead[at], -ahead[at]])
    order = np.argsort(node, kind="stable")
    return Incidence(np.searchsorted(node[order], np.arange(cuts.count + 1)).astype(np.int64), xy[order])


def _pieces(segments: Segments) -> Pieces:
    every = np.arange(len(segments.line))
    opens = np.flatnonzero(segments.start_node >= 0)
    since = every - opens[np.cumsum(segments.start_node >= 0) - 1] if len(opens) else every
    start = np.flatnonzero(since % _PIECE == 0)
    stop = np.append(start[1:], len(every)) if len(start) else start
    piece = np.searchsorted(start, every, side="right") - 1
    xy = np.empty((len(every) + len(start), 2))
    xy[every + piece] = segments.start
    xy[stop + np.arange(len(start))] = segments.end[stop - 1]
    owner = np.repeat(np.arange(len(start)), stop - start + 1)
    shapes = shapely.linestrings(xy, indices=owner) if len(start) else np.empty(0, dtype=object)
    tree = shapely.STRtree(np.asarray(shapes, dtype=object))
    return Pieces(np.append(start, len(every)).astype(np.int64), tree)
