"""Where the rows of a file lie, in the file's own numbers: one point a row, cheaply."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from gis.importing.reading.spool import GEOM, Reading

__all__ = ["points_of", "shapes_of", "share_inside", "within"]

_POINT_WKB = 21  # bytes of a two-dimensional point: order, type, x, y
_LITTLE_POINT = np.array([1, 1, 0, 0, 0], dtype=np.uint8)


def points_of(reading: Reading) -> NDArray[np.float64]:
    """One (x, y) a row of the file: the point itself, else the middle of the box; NaN without geometry.

    A million points take some 50 ms: their WKB is read as one array, without making geometries.
    """
    found = [_batch_points(batch.column(GEOM)) for batch in reading.batches()]
    # By columns, because x and y are compared one at a time.
    return np.asfortranarray(np.concatenate(found)) if found else np.empty((0, 2))


def _batch_points(column: pa.Array) -> NDArray[np.float64]:
    n = len(column)
    buffers = column.buffers()
    offsets = np.frombuffer(buffers[1], dtype=np.int32)[column.offset : column.offset + n + 1]
    present = ~np.asarray(column.is_null())
    out = np.full((n, 2), np.nan)
    if (np.diff(offsets)[present] == _POINT_WKB).all() and present.any():
        start, end = int(offsets[0]), int(offsets[-1])
        raw = np.frombuffer(buffers[2], dtype=np.uint8)[start:end]
        if len(raw) == _POINT_WKB * int(present.sum()):
            rows = raw.reshape(-1, _POINT_WKB)
            if (rows[:, :5] == _LITTLE_POINT).all():
                out[present] = np.ascontiguousarray(rows[:, 5:]).view("<f8")
                out[~np.isfinite(out).all(axis=1)] = np.nan
                return out
    bounds = shapely.bounds(shapes_of(column))
    bounds[~np.isfinite(bounds).all(axis=1)] = np.nan
    return np.asarray(bounds[:, :2] / 2.0 + bounds[:, 2:] / 2.0)


def shapes_of(column: pa.Array) -> NDArray[np.object_]:
    """The geometries of a WKB column; None where absent or unreadable."""
    wkb = column.to_numpy(zero_copy_only=False)
    return np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)


def within(points: NDArray[np.float64], box: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """Which of the (n, 2) points lie in the box, its edge included; NaN does not."""
    x, y = points[:, 0], points[:, 1]
    out = (x >= box[0]) & (x <= box[2])
    # Most boxes hold none of a file's first numbers; then the second ones need no look.
    return np.asarray(out & (y >= box[1]) & (y <= box[3]) if out.any() else out)


def share_inside(points: NDArray[np.float64], box: tuple[float, float, float, float]) -> float:
    """The share of the points that lie in the box; 0.0 of none."""
    return float(within(points, box).mean()) if len(points) else 0.0
