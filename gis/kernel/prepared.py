"""Prepared copies of zones, each lent to one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import shapely
from shapely.geometry.base import BaseGeometry

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
        self._slots = [_Slot(geom) for geom in geoms]

    def take(self, index: Indices) -> PreparedCopies:
        """The same copies, numbered anew: entry i is this one's entry ``index[i]``."""
        taken = PreparedCopies.__new__(PreparedCopies)
        taken._slots = [self._slots[i] for i in index]
        return taken

    @contextmanager
    def lend(self, index: int) -> Iterator[BaseGeometry]:
        """The prepared copy of one geometry, for the use of this thread within the ``with`` block only."""
        slot = self._slots[index]
        if not slot.lock.acquire(blocking=False):
            yield _prepared(slot.geom)
            return
        try:
            if slot.copy is None:
                slot.copy = _prepared(slot.geom)
            yield slot.copy
        finally:
            slot.lock.release()


class _Slot:
    __slots__ = ("copy", "geom", "lock")

    def __init__(self, geom: BaseGeometry) -> None:
        self.geom = geom
        self.copy: BaseGeometry | None = None
        self.lock = Lock()


def _prepared(geom: BaseGeometry) -> BaseGeometry:
    copy = shapely.from_wkb(shapely.to_wkb(geom))
    shapely.prepare(copy)
    return copy
