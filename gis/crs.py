"""Which transformation takes coordinates from one CRS to another, and how good it is.

PROJ silently falls back to a "ballpark" transformation, up to some 100 m wrong, when it knows no datum
shift. Here every transformation is picked by name for the district's extent, and one that is ballpark or
of unknown accuracy is refused.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyproj
import pyproj.aoi
import shapely
from numpy.typing import NDArray
from pyproj.transformer import TransformerGroup

from gis.errors import CrsError

__all__ = [
    "LONLAT",
    "WEB_MERCATOR",
    "Transformation",
    "ellipsoidal_area_m2",
    "has_web_degrees",
    "is_geographic",
    "parse_crs",
    "transformation",
]

LONLAT = 4326
WEB_MERCATOR = 3857

Extent = tuple[float, float, float, float]
_CODE = re.compile(r"[0-9]{1,9}")

# Pairs of geodetic CRSs that PROJ joins only by a ballpark (null) operation although their frames are known
# to agree, with the bound in metres. CGCS2000 is ITRF97 at epoch 2000.0 (GB 22021-2008); WGS 84 (G730 and
# later) is aligned to ITRF within decimetres; plate motion since 2000 (about 3 cm a year) stays below the
# bound.
_EQUIVALENT_FRAMES_M: dict[frozenset[int | None], float] = {frozenset({4490, 4326}): 1.0}


@dataclass(frozen=True)
class Transformation:
    """A chosen coordinate operation between two CRSs, both in x,y (lon,lat / easting,northing) order.

    Attributes
    ----------
    source, target : str
        Authority codes, such as "EPSG:4490".
    name : str
        PROJ's name of the operation, kept with the data that went through it.
    accuracy_m : float
        The operation's stated accuracy in metres; 0.0 for an exact conversion.
    """

    source: str
    target: str
    name: str
    accuracy_m: float
    transformer: pyproj.Transformer | None

    def xy(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform an (n, 2) array of x,y; a coordinate that cannot be transformed comes back infinite."""
        if self.transformer is None:
            return coordinates
        x, y = self.transformer.transform(coordinates[:, 0], coordinates[:, 1])
        return np.column_stack([x, y])

    def geometries(self, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
        """Transform an array of geometries vertex by vertex; None and empty stay so, Z is dropped."""
        flat = shapely.force_2d(geometries)
        return flat if self.transformer is None else np.asarray(shapely.transform(flat, self.xy))


@lru_cache(maxsize=256)
def parse_crs(text: str | int) -> pyproj.CRS:
    """The CRS that ``text`` names (EPSG number, "EPSG:4549", WKT). Raises CrsError for anything else."""
    try:
        return pyproj.CRS.from_user_input(int(text) if _CODE.fullmatch(str(text)) else text)
    except pyproj.exceptions.CRSError as error:
        raise CrsError(
            f"{text!r} is not a coordinate reference system that PROJ knows.",
            f"“{text}”不是 PROJ 认识的坐标参考系。",
            remedy_en="Write it as EPSG:4490, EPSG:4549 or the like.",
            remedy_zh="请写成 EPSG:4490、EPSG:4549 等形式。",
        ) from error


def _label(crs: pyproj.CRS) -> str:
    authority = crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else crs.name


def _geodetic_code(crs: pyproj.CRS) -> int | None:
    return crs.geodetic_crs.to_epsg() if crs.geodetic_crs is not None else None


@lru_cache(maxsize=256)
def is_geographic(crs: int) -> bool:
    """Whether coordinates in EPSG:``crs`` are degrees. Raises as `parse_crs`."""
    return bool(parse_crs(crs).is_geographic)


def has_web_degrees(crs: int) -> bool:
    """Whether Web Mercator's formula takes the degrees of EPSG:``crs`` as they are, each axis by itself."""
    return crs == LONLAT or frozenset({crs, LONLAT}) in _EQUIVALENT_FRAMES_M


@lru_cache(maxsize=256)
def transformation(source: str | int, target: str | int, extent: Extent) -> Transformation:
    """The best transformation of known accuracy from ``source`` to ``target`` within ``extent``.

    Parameters
    ----------
    source, target : str or int
        CRS names as `parse_crs` takes them. Coordinates go in and come out in x,y order.
    extent : (west, south, east, north)
        Degrees; where the data lie. Operations not valid there are not considered.

    Raises
    ------
    CrsError
        When a CRS is unknown, when PROJ has only a ballpark operation, or one of unknown accuracy.
    """
    from_crs, to_crs = parse_crs(source).to_2d(), parse_crs(target).to_2d()
    names = _label(from_crs), _label(to_crs)
    if from_crs.equals(to_crs, ignore_axis_order=True):
        return Transformation(*names, "identity", 0.0, None)
    with warnings.catch_warnings():
        # PROJ warns when a better operation needs a grid that is not installed; the accuracy of the one
        # taken is reported with the data instead.
        warnings.simplefilter("ignore", UserWarning)
        area = pyproj.aoi.AreaOfInterest(*extent)
        group = TransformerGroup(from_crs, to_crs, always_xy=True, area_of_interest=area)  # type: ignore[arg-type]  # pyproj's stub names a twin of the class
    bound = _EQUIVALENT_FRAMES_M.get(frozenset({_geodetic_code(from_crs), _geodetic_code(to_crs)}))
    if bound is not None and group.transformers:
        null = group.transformers[0]
        words = f"{null.description} (frames agree within {bound:g} m)"
        return Transformation(*names, words, bound, _for_all_threads(null))
    known = [t for t in group.transformers if t.accuracy >= 0 and "ballpark" not in t.description.lower()]
    if not known:
        raise CrsError(
            f"No transformation of known accuracy leads from {names[0]} to {names[1]} here; "
            "PROJ offers only a ballpark one, which may be wrong by 100 m.",
            f"此处没有从 {names[0]} 到 {names[1]} 的已知精度转换；PROJ 只有近似转换，可能相差上百米。",
            remedy_en="Give the data in another CRS, or install the local transformation parameters (grids).",
            remedy_zh="请提供其他坐标系的数据，或安装本地转换参数（格网）。",
        )
    best = min(known, key=lambda t: t.accuracy)
    return Transformation(*names, best.description, float(best.accuracy), _for_all_threads(best))


def _for_all_threads(found: pyproj.Transformer) -> pyproj.Transformer:
    """The same operation as a transformer that keeps one PROJ object a thread.

    A TransformerGroup shares one object between all threads, and PROJ crashes when two use it at once.
    """
    return pyproj.Transformer.from_pipeline(found.definition)


@lru_cache(maxsize=64)
def _to_geodetic(crs: int, extent: Extent) -> Transformation:
    """To the geodetic CRS that a CRS is based on; writing that one out as WKT takes milliseconds."""
    base = parse_crs(crs).geodetic_crs
    assert base is not None
    return transformation(crs, base.to_wkt(), extent)


@lru_cache(maxsize=8)
def _geod(crs: int) -> pyproj.Geod:
    geod = parse_crs(crs).get_geod()
    if geod is None:
        raise CrsError(
            f"EPSG:{crs} has no ellipsoid, so no ellipsoidal area can be given.", f"EPSG:{crs} 没有椭球参数。"
        )
    return geod


def ellipsoidal_area_m2(geometry: shapely.Geometry, crs: int, extent: Extent) -> float:
    """Area on the ellipsoid of ``crs`` in square metres (Karney 2013, through PROJ's geodesic routines).

    ``geometry`` is in ``crs``, x,y order; lines, points and empty geometries give 0.0.
    """
    lonlat = _to_geodetic(crs, extent).geometries(np.array([geometry], dtype=object))[0]
    measured, total = _geod(crs).polygon_area_perimeter, 0.0
    for polygon in shapely.get_parts(shapely.orient_polygons(lonlat)):
        rings = (shapely.get_coordinates(ring).T for ring in shapely.get_rings(polygon))
        total += sum(measured(lon, lat)[0] for lon, lat in rings)  # holes lie the other way round
    return abs(total)
