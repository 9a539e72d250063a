"""Known things that a file puts somewhere else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, func, select

from gis import datums
from gis.crs import LONLAT, transformation
from gis.importing.issues import Issue
from gis.importing.stage import ROW_NO
from gis.revisions import alive
from gis.settings import MapDefinition

__all__ = ["moved_rows"]

# Unknown position errors count as this when it is asked whether a thing has moved.
_UNKNOWN_M = 50.0
# An offset is called that of a datum when it differs from it by no more than this share of its length.
_LIKE_SHARE = 0.2
_BATCH = 50_000


def moved_rows(
    conn: Connection, definition: MapDefinition, table: Table, staged: Table, told: frozenset[int]
) -> list[Issue]:
    """A warning for each staged row that lies farther from its current place than both errors together.

    position_moved, or datum_suspected when the offset is the one that GCJ-02 or BD-09 has there. The rows in
    ``told`` have been told so already.
    """
    district = definition.district
    old, new = (func.ST_Centroid(func.ST_Envelope(t.c.geom)) for t in (table, staged))
    asked = (
        select(
            staged.c[ROW_NO], func.ST_X(old), func.ST_Y(old), func.ST_X(new), func.ST_Y(new),
            func.coalesce(table.c.accuracy_m, _UNKNOWN_M) + func.coalesce(staged.c.accuracy_m, _UNKNOWN_M),
        )
        .join(table, (table.c.uid == staged.c.uid) & alive(table, None))
        .where(func.ST_AsBinary(table.c.geom) != func.ST_AsBinary(staged.c.geom))
        .order_by(staged.c[ROW_NO])
    )  # fmt: skip
    to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    to_lonlat = transformation(district.storage_crs, LONLAT, district.extent)
    issues: list[Issue] = []
    for part in conn.execute(asked).partitions(_BATCH):
        rows = [row[0] for row in part]
        numbers = np.array([row[1:] for row in part], dtype=np.float64)
        before, after = to_plane.xy(numbers[:, 0:2]), to_plane.xy(numbers[:, 2:4])
        metres = np.hypot(*(after - before).T)
        far = np.flatnonzero((metres > numbers[:, 4]) & ~np.isin(rows, list(told)))
        like = _like(to_lonlat.xy(numbers[far, 0:2]), to_lonlat.xy(numbers[far, 2:4]))
        for i, name in zip(far.tolist(), like, strict=True):
            value = f"{metres[i]:.0f} m" + (f" → {name}" if name else "")
            code = "datum_suspected" if name else "position_moved"
            issues.append(Issue(rows[i], "geom", value, code, "warning"))
    return issues


def _like(before: NDArray[np.float64], after: NDArray[np.float64]) -> list[str]:
    """The datum that the offset from ``before`` to ``after`` (degrees) is that of; "" for none."""
    found = np.full(len(before), "", dtype=object)
    offset = after - before
    for name, shift in (("GCJ-02", datums.wgs84_to_gcj02), ("BD-09", datums.wgs84_to_bd09)):
        expected = shift(before) - before
        length = np.hypot(*expected.T)
        near = (length > 0) & (np.hypot(*(offset - expected).T) <= _LIKE_SHARE * length)
        found[near & (found == "")] = name
    return [str(name) for name in found]
