"""The boundary of a union of zones, traced where it is asked for and remembered."""

from __future__ import annotations

from threading import RLock

import numpy as np

from gis.kernel.arrays import Geometries, Indices
from gis.kernel.boundary import Boundary
from gis.kernel.prepared import PreparedCopies

__all__ = ["UnionBoundary"]

TRACED_AT_ONCE = 4096
"""So many lines are traced at once."""

_UNKNOWN, _SEEN, _HIDDEN, _BROKEN = range(4)


class UnionBoundary:
    """Which parts of the zones' outlines bound the union of them all.

    Nothing is traced before it is asked for, and nothing twice; so one site costs what lies around it, and
    all sites together no more than the whole boundary. May be asked from any thread.

    Parameters
    ----------
    outline : Boundary
        The outlines of the zones, each for itself.
    zones : object[n]
    copies : PreparedCopies
        Of ``zones``.
    """

    def __init__(self, outline: Boundary, zones: Geometries, copies: PreparedCopies) -> None:
        self._outline, self._zones, self._copies = outline, zones, copies
        self._state = np.full(len(outline), _UNKNOWN, dtype=np.int8)
        self._broken: dict[int, Geometries] = {}
        self._whole: Boundary | None = None
        self._lock = RLock()

    def among(self, lines: Indices) -> tuple[Geometries, Indices]:
        """The parts of these lines of the outline that bound the union, and the zone of each part."""
        with self._lock:
            self._trace(lines[self._state[lines] == _UNKNOWN])
            seen = lines[self._state[lines] == _SEEN]
            broken = lines[self._state[lines] == _BROKEN]
            parts = [self._broken[int(line)] for line in broken]
        owner = np.concatenate([seen, np.repeat(broken, [len(p) for p in parts])]).astype(np.int64)
        return np.concatenate([self._outline.lines[seen], *parts]), self._outline.owner[owner]

    def whole(self) -> Boundary:
        """The boundary of the union with an index of its lines."""
        if self._whole is not None:
            return self._whole
        every = np.arange(len(self._outline))
        for some in np.array_split(every, len(every) // TRACED_AT_ONCE + 1):
            self.among(some)  # so that who asks meanwhile need not wait for all
        with self._lock:
            if self._whole is None:
                lines, owner = self.among(every)
                self._whole = Boundary.indexed(lines, owner)
            return self._whole

    @property
    def is_whole(self) -> bool:
        """Whether all of it has been asked for before, so that it costs nothing now."""
        return self._whole is not None

    def _trace(self, lines: Indices) -> None:
        if not len(lines):
            return
        parts, parent, full = self._outline.of_union(self._zones, self._copies, lines)
        self._state[lines] = _HIDDEN
        self._state[parent[:full]] = _SEEN
        rest, of = parts[full:], parent[full:]
        order = np.argsort(of, kind="stable")
        names, first = np.unique(of[order], return_index=True)
        self._state[names] = _BROKEN
        self._broken.update(zip(names.tolist(), np.split(rest[order], first[1:]), strict=False))
