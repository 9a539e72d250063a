"""A set of zones made ready to be asked many times."""

from __future__ import annotations

from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike

from gis.kernel.arrays import Floats, Geometries, Indices, accuracies, geometries
from gis.kernel.boundary import Boundary
from gis.kernel.cutting import Pieces, cut
from gis.kernel.prepared import PreparedCopies
from gis.kernel.strips import Strips
from gis.kernel.union import UnionBoundary

__all__ = ["POINTS_A_SUBJECT", "ZoneSet"]

VERTICES_A_QUESTION = 16
"""Strips are made when there is one question for so many vertices of the zones, or more."""

POINTS_A_SUBJECT = 4
"""What strips save of a question about a line or an area is what they save of so many about a point."""

ALONE_SIZE = 256
"""So many zones are kept as sets of their own."""


class ZoneSet:
    """Zones of one category, with the indexes that make questions about them quick.

    Build it with :meth:`prepare`, keep it as long as the zones stand, ask it from any thread. Its geometries
    are never prepared in place: what a thread prepares is its own copy.

    Attributes
    ----------
    geoms : object[n]
        The zones as given (two-dimensional); any kind, empty ones are never hit.
    accuracy_m : float64[n]
        Bound of the position error of each outline in metres; NaN = unknown.
    max_vertices : int
        Size of a piece.
    copies : PreparedCopies
        Copies of ``geoms`` that a thread may borrow prepared.
    """

    def __init__(
        self,
        geoms: Geometries,
        accuracy_m: Floats,
        max_vertices: int,
        copies: PreparedCopies | None = None,
        pieces: Pieces | None = None,
        outline: Boundary | None = None,
    ) -> None:
        self.geoms = geoms
        self.accuracy_m = accuracy_m
        self.max_vertices = max_vertices
        self.copies = copies or PreparedCopies(geoms)
        self._given_pieces = pieces
        self._given_outline = outline
        self._strips: Strips | None = None
        self._lock = RLock()
        self._alone: dict[int, ZoneSet] = {}

    @classmethod
    def prepare(
        cls, geoms: Any, accuracy_m: ArrayLike | None = None, *, max_vertices: int = 256, check: bool = True
    ) -> ZoneSet:
        """A zone set of ``geoms``.

        Parameters
        ----------
        geoms : sequence of shapely geometries
            Metres of one plane; polygons, lines or points, mixed kinds allowed.
        accuracy_m : float, float[n] or None
            Bound of each zone's error in metres; NaN or None = unknown, which makes verdicts unknown.
        max_vertices : int
            Zones are cut into pieces of at most so many vertices.
        check : bool
            False skips the validity test for geometry that was tested before.

        Raises
        ------
        KernelInputError
            For a missing or invalid geometry (names index and reason) or a negative accuracy.
        """
        array = geometries(geoms, "zones", check=check)
        return cls(array, accuracies(accuracy_m, len(array)), max_vertices)

    def __len__(self) -> int:
        return len(self.geoms)

    @cached_property
    def bounds(self) -> Floats:
        """Bounding boxes, float64[n, 4] as x0, y0, x1, y1; NaN for an empty zone."""
        return np.asarray(shapely.bounds(self.geoms), dtype=np.float64).reshape(-1, 4)

    @cached_property
    def weight(self) -> Indices:
        """How many vertices each zone has, int64[n]."""
        return np.asarray(shapely.get_num_coordinates(self.geoms), dtype=np.int64)

    @cached_property
    def error_m(self) -> Floats:
        """``accuracy_m`` with 0 for what is not known; float64[n]."""
        return np.nan_to_num(self.accuracy_m)

    @cached_property
    def widest_m(self) -> float:
        """The largest of ``error_m``; 0 when there is no zone."""
        return float(self.error_m.max(initial=0.0))

    @cached_property
    def errors(self) -> Floats:
        """The values of ``accuracy_m``, each once, NaN last."""
        return np.unique(self.accuracy_m)

    @cached_property
    def is_blank(self) -> bool:
        """Whether there is no zone, or only empty ones."""
        return bool(shapely.is_empty(self.geoms).all())

    @cached_property
    def has_boundless(self) -> bool:
        """Whether the accuracy of a zone that is not empty is not known."""
        return bool((np.isnan(self.accuracy_m) & ~shapely.is_empty(self.geoms)).any())

    @property
    def bounded(self) -> ZoneSet:
        """The zones without those."""
        with self._lock:
            return self._bounded

    @cached_property
    def _bounded(self) -> ZoneSet:
        if not self.has_boundless:
            return self
        return self.take(~np.isnan(self.accuracy_m) | shapely.is_empty(self.geoms))

    @property
    def pieces(self) -> Pieces:
        """The zones cut into pieces, on first use."""
        with self._lock:
            if self._given_pieces is None:
                self._given_pieces = cut(self.geoms, self.max_vertices, check=False)
            return self._given_pieces

    @cached_property
    def piece_start(self) -> Indices:
        """int64[n + 1]: the pieces of zone i are ``pieces[piece_start[i]:piece_start[i + 1]]``."""
        return np.searchsorted(self.pieces.owner, np.arange(len(self) + 1)).astype(np.int64)

    @property
    def tree(self) -> shapely.STRtree:
        """Index of the pieces."""
        with self._lock:
            return self._tree

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.pieces.geoms)

    def strips(self, questions: int) -> Strips | None:
        """The zones column by column, if they are there or so many ``questions`` pay for their making."""
        with self._lock:
            if self._strips is None and questions * VERTICES_A_QUESTION >= int(self.weight.sum()):
                self._strips = Strips.of(self.geoms)
            return self._strips

    @property
    def rims(self) -> PreparedCopies:
        """What distances from outside are measured to: the outline of an area, all of any other zone."""
        with self._lock:
            return self._rims

    @cached_property
    def _rims(self) -> PreparedCopies:
        area = np.isin(shapely.get_type_id(self.geoms), (3, 6))
        return PreparedCopies(np.where(area, shapely.boundary(self.geoms), self.geoms))

    @property
    def outline(self) -> Boundary:
        """The outline of each zone for itself, seams included."""
        with self._lock:
            return self._outline

    @cached_property
    def _outline(self) -> Boundary:
        return self._given_outline or Boundary.of_each(self.geoms)

    @property
    def rim(self) -> Boundary:
        """All that a place outside the zones can be nearest to: outlines, and lines and points."""
        with self._lock:
            return self._rim

    @cached_property
    def _rim(self) -> Boundary:
        flat = shapely.get_dimensions(self.geoms) < 2
        collection = shapely.get_type_id(self.geoms) == 7
        if not (flat | collection).any():
            return self._outline
        others = self.geoms.copy()
        others[~(flat | collection)] = shapely.Point()
        return self._outline.and_lines_and_points(others)

    @property
    def union(self) -> UnionBoundary:
        """The boundary of the union of all zones: seams between zones and cut edges are none."""
        with self._lock:
            return self._union

    @cached_property
    def _union(self) -> UnionBoundary:
        return UnionBoundary(self._outline, self.geoms, self.copies)

    def alone(self, zone: int) -> ZoneSet:
        """One zone as a set of its own, kept: preparing a large one takes long."""
        with self._lock:
            if zone not in self._alone:
                while len(self._alone) >= ALONE_SIZE:
                    del self._alone[next(iter(self._alone))]
                self._alone[zone] = self.take([zone])
            return self._alone[zone]

    def take(self, index: ArrayLike) -> ZoneSet:
        """The zones at ``index`` (int[] or bool[n]) as a set of their own; what is prepared is used again."""
        every = np.arange(len(self))
        chosen = every[np.asarray(index)]
        if np.array_equal(chosen, every):
            return self  # with all that is traced and prepared already
        copies, pieces = self.copies.take(chosen), self._pieces_of(chosen)
        outline = self._outline_of(chosen)
        return ZoneSet(
            self.geoms[chosen], self.accuracy_m[chosen], self.max_vertices, copies, pieces, outline
        )

    def _outline_of(self, chosen: Indices) -> Boundary | None:
        """The lines of some zones, when those of all are there."""
        with self._lock:
            if "_outline" not in self.__dict__:
                return None
        every = self._outline
        start, stop = np.searchsorted(every.owner, [chosen, chosen + 1])
        rows = np.concatenate([np.arange(a, b) for a, b in zip(start, stop, strict=True)] or [np.arange(0)])
        return Boundary.indexed(every.lines[rows], np.repeat(np.arange(len(chosen)), stop - start))

    def _pieces_of(self, chosen: Indices) -> Pieces | None:
        with self._lock:
            if self._given_pieces is None:
                return None
        start, stop = self.piece_start[chosen], self.piece_start[chosen + 1]
        rows = np.concatenate([np.arange(a, b) for a, b in zip(start, stop, strict=True)] or [np.arange(0)])
        owner = np.repeat(np.arange(len(chosen)), stop - start)
        return Pieces(self.pieces.geoms[rows], owner, self.pieces.whole[rows])
