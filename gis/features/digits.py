"""How many digits coordinates are written with: few, and as many as keep a shape valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import parse_crs

__all__ = ["decimals_of", "rounded"]

Geometries = NDArray[np.object_]

# Of a degree, about 1 cm; of a metre, 1 mm.
_DECIMALS_DEG, _DECIMALS_M = 7, 3
_MORE = (2, 4)
_POINTS = (-1, 0, 4)  # nothing, a point, points: always valid
_COLLECTION = 7
_TOGETHER: dict[int, Callable[..., Any]] = {5: shapely.multilinestrings, 6: shapely.multipolygons}
# Shapes found valid, by the hash of their bytes: looking takes longer than writing them, and most come again.
_VALID: set[int] = set()
_MOST = 200_000


def decimals_of(crs: int) -> int:
    """How many decimals coordinates of ``crs`` are written with."""
    return _DECIMALS_DEG if parse_crs(crs).is_geographic else _DECIMALS_M


def rounded(geometries: Geometries, crs: int) -> Geometries:
    """Coordinates with 7 decimals of a degree or 3 of a metre, as ``crs`` has them, and every shape valid.

    A line or polygon that these decimals would spoil (OGC 06-103r4: a line without length, a ring that meets
    itself) has two or four more, else all. One that is not valid even so is mended: a line without length is
    a point, a ring that a transformation bent across another is cut there. None and empty stay so.
    """
    decimals = decimals_of(crs)
    written = _round(geometries, decimals)
    spoilt = _spoilt(written, np.flatnonzero(~np.isin(shapely.get_type_id(written), _POINTS)))
    for more in _MORE:
        if len(spoilt):
            written[spoilt] = _round(geometries[spoilt], decimals + more)
            spoilt = _spoilt(written, spoilt)
    if len(spoilt):
        written[spoilt] = geometries[spoilt]
        spoilt = _spoilt(written, spoilt)
        written[spoilt] = [_mended(each) for each in written[spoilt]]
    return written


def _round(geometries: Geometries, decimals: int) -> Geometries:
    return np.asarray(shapely.transform(geometries, lambda xy: np.round(xy, decimals)), dtype=object)


def _spoilt(shapes: Geometries, at: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of the shapes at ``at`` are not valid."""
    if not len(at):
        return at
    keys = [hash(text) for text in shapely.to_wkb(shapes[at])]
    new = np.flatnonzero([key not in _VALID for key in keys])
    valid = shapely.is_valid(shapes[at[new]])
    if len(_VALID) > _MOST:
        _VALID.clear()
    _VALID.update(keys[place] for place in new[valid])
    return at[new[~valid]]


def _mended(shape: shapely.Geometry) -> shapely.Geometry:
    """A valid shape of the same dimension; a point where it has no extent. Several parts stay several.

    What a transformation brought to infinity stays as it is.
    """
    kind, places = int(shapely.get_type_id(shape)), shapely.get_coordinates(shape)
    if not np.isfinite(places).all():
        return shape
    if kind == _COLLECTION:
        return shapely.make_valid(shape)
    found = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    if shapely.is_empty(found):
        return shapely.Point(places[0])
    parts = shapely.get_parts([found])
    together = _TOGETHER.get(kind)
    return found if together is None or len(parts) > 1 else together(parts)
