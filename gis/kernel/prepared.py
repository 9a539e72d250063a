"""Prepared copies of zones, each lent to one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
import shapely

from gis.kernel.arrays import Geometries, Indices

__all__ = ["PreparedCopies"]


class PreparedCopies:
    """Copies of geometries, prepared when first asked for and kept.

    A prepared geometry builds its indexes while it is used; two threads that use the same one crash the
    process. So the geometries that callers hold are never prepared, and a copy has one user at a time: a
    second thread that wants it meanwhile gets a copy of its own, which lives as long as it is lent.

    All copies of a zone set of 4 million vertices take about 240 MB once every zone has been asked for.
    """

    def __init__(self, geoms: Geometries) -> None:
        self._geoms = geoms
        self._kept = _Kept(len(geoms))
        self._place = np.arange(len(geoms))

    def take(self, index: Indices) -> PreparedCopies:
        """The same copies, numbered anew: entry i is this one's entry ``index[i]``."""
        taken = PreparedCopies.__new__(PreparedCopies)
        taken._geoms, taken._kept, taken._place = self._geoms, self._kept, self._place[index]
        return taken

    @contextmanager
    def lend(self, index: Indices) -> Iterator[Geometries]:
        """Prepared copies of the geometries at ``index`` (each once), for this thread within the block."""
        place = self._place[index]
        free = self._kept.borrow(place)
        try:
            copies = np.full(len(place), None, dtype=object)
            copies[free] = self._kept.copies[place[free]]
            missing = np.flatnonzero(~shapely.is_geometry(copies))
            copies[missing] = shapely.from_wkb(shapely.to_wkb(self._geoms[place[missing]]))
            shapely.prepare(copies[missing])
            self._kept.copies[place[free]] = copies[free]
            yield copies
        finally:
            self._kept.give_back(place[free])


class _Kept:
    """The copies that are kept, and which of them are lent."""

    def __init__(self, count: int) -> None:
        self.copies: Geometries = np.full(count, None, dtype=object)
        self._lent = np.zeros(count, dtype=bool)
        self._lock = Lock()

    def borrow(self, place: Indices) -> Indices:
        """Mark as lent what is not; returns the positions in ``place`` that were free."""
        with self._lock:
            free = np.flatnonzero(~self._lent[place])
            self._lent[place[free]] = True
        return free

    def give_back(self, place: Indices) -> None:
        with self._lock:
            self._lent[place] = False
