"""Which geometries a layer can hold: present, finite, of its kind, promoted from single to multi, valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from layers.model import Layer

__all__ = ["FAMILY", "Sorted", "beyond", "promoted", "sort_out", "turned"]

Flags = NDArray[np.bool_]
Geometries = NDArray[np.object_]

# The type numbers of GEOS that belong to each kind of layer, single and multi.
FAMILY = {"Point": (0, 4), "LineString": (1, 5), "Polygon": (3, 6)}
_MULTI: dict[str, tuple[int, Callable[..., Any]]] = {
    "MultiPoint": (0, shapely.multipoints),
    "MultiLineString": (1, shapely.multilinestrings),
    "MultiPolygon": (3, shapely.multipolygons),
}
_MULTI_OF = {0: 4, 1: 5, 3: 6}
# A ring has no area when it is below this share of its diagonal squared; doubles round at 1e-16.
_FLAT = 1e-12
_SINGLE = {"Point": 0, "LineString": 1, "Polygon": 3}


@dataclass(frozen=True)
class Sorted:
    """What `sort_out` found.

    ``geometry`` is promoted to the layer's type, None where refused; ``faults`` by code, a row in one only;
    ``invalid`` are those that may be repaired, still in ``geometry``.
    """

    geometry: Geometries
    faults: dict[str, Flags]
    invalid: Flags


def sort_out(layer: Layer, geometry: Geometries) -> Sorted:
    """Sort ``geometry`` (any CRS, x,y order) by what the layer can do with it.

    The codes are geometry_missing, geometry_empty, nonfinite_coordinate, geometry_type and zero_area; the
    first that holds counts. A polygon without area and a line without length have zero_area.
    """
    missing = shapely.is_missing(geometry)
    empty = ~missing & shapely.is_empty(geometry)
    bounds = shapely.bounds(geometry)
    kinds = shapely.get_type_id(geometry)
    family = FAMILY.get(layer.geometry.removeprefix("Multi"), tuple(range(8)))
    out = promoted(geometry, layer.geometry)
    faults = {
        "geometry_missing": missing,
        "geometry_empty": empty,
        "nonfinite_coordinate": ~missing & ~empty & ~np.isfinite(bounds).all(axis=1),
        "geometry_type": ~missing & (~np.isin(kinds, family) | shapely.is_missing(out)),
    }
    taken = np.zeros(len(geometry), dtype=bool)
    for code, flags in faults.items():
        faults[code] = flags & ~taken
        taken |= flags
    valid = taken | shapely.is_valid(geometry)
    faults["zero_area"] = ~taken & _without_extent(geometry, kinds)
    taken |= faults["zero_area"]
    out[taken] = None
    return Sorted(out, faults, ~valid & ~taken)


def _without_extent(geometry: Geometries, kinds: NDArray[np.integer[Any]]) -> Flags:
    """Rings whose positions lie on one line, and lines whose positions coincide, but for rounding.

    A figure of eight may have no signed area either, but its convex hull has.
    """
    found = np.zeros(len(geometry), dtype=bool)
    found[np.isin(kinds, (1, 5))] = shapely.length(geometry[np.isin(kinds, (1, 5))]) == 0
    rings = np.flatnonzero(np.isin(kinds, (3, 6)))
    west, south, east, north = shapely.bounds(geometry[rings]).T
    least = _FLAT * ((east - west) ** 2 + (north - south) ** 2)
    thin = np.flatnonzero(shapely.area(geometry[rings]) <= least)
    found[rings[thin]] = shapely.area(shapely.convex_hull(geometry[rings[thin]])) <= least[thin]
    return found


def promoted(geometry: Geometries, wanted: str) -> Geometries:
    """Single to multi, and a multi of one part to single, as ``wanted`` asks; anything else becomes None."""
    out = geometry.copy()
    if wanted == "Geometry":
        return out
    kinds = shapely.get_type_id(geometry)
    if wanted in _MULTI:
        single, make = _MULTI[wanted]
        fit = kinds == _MULTI_OF[single]
        lone = np.flatnonzero((kinds == single) & ~shapely.is_empty(geometry))
        if len(lone):
            out[lone] = make(geometry[lone], indices=np.arange(len(lone)))
        out[(kinds == single) & shapely.is_empty(geometry)] = shapely.from_wkt(f"{wanted.upper()} EMPTY")
        out[~(fit | (kinds == single))] = None
        return out
    fit = kinds == _SINGLE[wanted]
    one = (kinds == _MULTI_OF[_SINGLE[wanted]]) & (shapely.get_num_geometries(geometry) == 1)
    out[one] = shapely.get_geometry(geometry[one], 0)
    out[~(fit | one)] = None
    return out


def beyond(geometry: Geometries, extent: tuple[float, float, float, float]) -> Flags:
    """Which geometries have a bounding box that does not meet ``extent`` (same CRS); missing ones do not."""
    west, south, east, north = shapely.bounds(geometry).T
    return np.asarray((west > extent[2]) | (east < extent[0]) | (south > extent[3]) | (north < extent[1]))


def turned(layer: Layer, geometry: Geometries) -> Geometries:
    """Rings turned to the right (RFC 7946, 3.1.6), so that no format's own direction makes a difference.

    A Shapefile turns them the other way, and whoever sends its export back has changed nothing.
    """
    if layer.geometry.removeprefix("Multi") not in ("Polygon", "Geometry"):
        return geometry
    return np.asarray(shapely.orient_polygons(geometry), dtype=object)
