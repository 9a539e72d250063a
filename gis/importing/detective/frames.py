"""The reference frames that a file's coordinates may be in, by the names that users and files give them.

A frame is a CRS of the EPSG register, CRS84, GCJ-02 or BD-09, with the axes as they should be or swapped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyproj
from numpy.typing import NDArray

from gis import datums
from gis.crs import LONLAT, WEB_MERCATOR, transformation
from gis.errors import CrsError

__all__ = [
    "LATLON_NAMES",
    "LONLAT_NAMES",
    "SWAPPED",
    "Frame",
    "Move",
    "Words",
    "catalogue",
    "frame_of",
    "modern_name",
]

Extent = tuple[float, float, float, float]
Points = NDArray[np.float64]
Words = tuple[str, str]  # in Chinese and in English

SWAPPED = " swapped"

# Column names that say "longitude" and "latitude" in degrees; x, y, X坐标 and the like say neither.
LONLAT_NAMES = frozenset({"lon", "lng", "long", "longitude", "经度", "东经", "中心经度"})
LATLON_NAMES = frozenset({"lat", "latitude", "纬度", "北纬", "中心纬度"})

_SHIFTED: dict[str, tuple[Callable[[Points], Points], Callable[[Points], Points]]] = {
    "GCJ-02": (datums.gcj02_to_wgs84, datums.wgs84_to_gcj02),
    "BD-09": (datums.bd09_to_wgs84, datums.wgs84_to_bd09),
}
_GEOGRAPHIC = {
    "CRS84": LONLAT,
    "EPSG:4326": LONLAT,
    "EPSG:4490": 4490,
    "EPSG:4979": LONLAT,
    "EPSG:4480": 4490,
}

# Other ways to write a frame, in capitals and without spaces, hyphens and underscores.
_ALIASES = {
    "CRS84": "CRS84", "OGC:CRS84": "CRS84", "WGS84": "CRS84", "EPSG:4326": "EPSG:4326",
    "CGCS2000": "EPSG:4490", "2000国家大地坐标系": "EPSG:4490", "国家2000": "EPSG:4490",
    "GCJ02": "GCJ-02", "火星坐标": "GCJ-02", "火星坐标系": "GCJ-02", "高德坐标": "GCJ-02",
    "腾讯坐标": "GCJ-02",
    "BD09": "BD-09", "BD09LL": "BD-09", "百度坐标": "BD-09", "百度坐标系": "BD-09",
}  # fmt: skip

# Semi-major axes in metres that only the old Chinese datums bring into such files: Krassovsky 1940, IAG 1975.
_OLD_ELLIPSOIDS = {
    6378245.0: ("1954 年北京坐标系", "Beijing 1954"),
    6378140.0: ("1980 西安坐标系", "Xian 1980"),
}


@dataclass(frozen=True)
class Move:
    """How coordinates of a frame get elsewhere: ``xy`` takes and gives (n, 2) arrays, x first.

    ``still`` is whether it leaves every coordinate as it is.
    """

    name: str
    accuracy_m: float
    xy: Callable[[Points], Points]
    still: bool = False


@dataclass(frozen=True)
class Frame:
    """One way to read a pair of numbers.

    Attributes
    ----------
    base : str
        "EPSG:4549", "CRS84", "GCJ-02", "BD-09", or WKT for a CRS without a code.
    swapped : bool
        The first number is the latitude or northing.
    zh, en : str
        What the frame is, in words.
    degrees : bool
        Its numbers are degrees.
    old_datum : (zh, en) or None
        The datum whose local transformation parameters are needed, and are not public.
    projection : tuple or None
        Datum, central meridian, scale and false easting of a transverse Mercator projection.
    """

    base: str
    swapped: bool
    zh: str
    en: str
    degrees: bool
    old_datum: tuple[str, str] | None = None
    projection: tuple[str, float, float, float] | None = None

    @property
    def name(self) -> str:
        """What the user writes after ``--crs``."""
        return (self.base if len(self.base) < 30 else self.en) + (SWAPPED if self.swapped else "")

    @property
    def shifted(self) -> bool:
        """Whether it is GCJ-02 or BD-09."""
        return self.base in _SHIFTED

    def swap(self) -> Frame:
        """The same frame with the axes in the other order."""
        return replace(self, swapped=not self.swapped)

    def same_as(self, other: Frame) -> bool:
        """Whether both read a pair of numbers alike, to about a metre."""
        if self.swapped != other.swapped:
            return False
        if self.projection is not None or other.projection is not None:
            return self.projection == other.projection
        if self.base in _GEOGRAPHIC or other.base in _GEOGRAPHIC:
            return self.base in _GEOGRAPHIC and other.base in _GEOGRAPHIC
        return self.base == other.base

    def same_but_zone(self, other: Frame) -> bool:
        """Whether the other differs in the zone number before the easting only."""
        mine, its = self.projection, other.projection
        if mine is None or its is None or self.swapped != other.swapped or mine[:3] != its[:3]:
            return False
        return mine[3] != its[3] and (mine[3] - its[3]) % 1_000_000 == 0

    def move_to(self, target: int, extent: Extent) -> Move:
        """The way into EPSG:``target``, for data within ``extent`` (degrees).

        Raises CrsError when there is no transformation of known accuracy.
        """
        found = _move(self.base, target, extent)
        return replace(found, xy=_turned(found.xy), still=False) if self.swapped else found

    def to_lonlat(self, points: Points, extent: Extent) -> Points:
        """About where ``points`` lie, degrees of CGCS2000 or WGS 84, for comparison only.

        Exact to a metre, but some 100 m off for a frame with an old datum. What cannot be computed is NaN.
        """
        xy = points[:, ::-1] if self.swapped else points
        with np.errstate(invalid="ignore"):
            found = _about(self.base, extent)(np.ascontiguousarray(xy))
        return np.where(np.isfinite(found), found, np.nan)

    def box(self, extent: Extent) -> Extent:
        """The box that holds ``extent`` (degrees) in this frame's own numbers, in their written order."""
        west, south, east, north = _box(self.base, extent)
        return (south, west, north, east) if self.swapped else (west, south, east, north)


def _turned(xy: Callable[[Points], Points]) -> Callable[[Points], Points]:
    return lambda points: xy(np.ascontiguousarray(points[:, ::-1]))


@lru_cache(maxsize=256)
def _move(base: str, target: int, extent: Extent) -> Move:
    if base in _SHIFTED:
        back = _SHIFTED[base][0]
        onward = transformation(LONLAT, target, extent)
        name = f"{base} to WGS 84 (iterated inverse of the public formula) + {onward.name}"
        return Move(name, datums.FORMULA_ACCURACY_M + onward.accuracy_m, lambda p: onward.xy(back(p)))
    source: str | int = _GEOGRAPHIC.get(base, base)
    found = transformation(source, target, extent)
    return Move(found.name, found.accuracy_m, found.xy, still=found.transformer is None)


@lru_cache(maxsize=256)
def _about(base: str, extent: Extent) -> Callable[[Points], Points]:
    """Into degrees without regard for the datum, GCJ-02 and BD-09 excepted."""
    if base in _SHIFTED:
        return _SHIFTED[base][0]
    if base in _GEOGRAPHIC:
        return lambda points: points
    crs = pyproj.CRS.from_user_input(base).to_2d()
    if crs.is_geographic or crs.geodetic_crs is None:
        return lambda points: points
    # To the projection's own geographic CRS: a conversion without a datum shift.
    own = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    return lambda points: np.column_stack(own.transform(points[:, 0], points[:, 1]))


@lru_cache(maxsize=256)
def _box(base: str, extent: Extent) -> Extent:
    west, south, east, north = extent
    edge = np.linspace(0.0, 1.0, 21)
    lon, lat = west + edge * (east - west), south + edge * (north - south)
    outline = np.vstack(
        [np.column_stack([lon, np.full(21, y)]) for y in (south, north)]
        + [np.column_stack([np.full(21, x), lat]) for x in (west, east)]
    )
    if base in _SHIFTED:
        outline = _SHIFTED[base][1](outline)
    elif base not in _GEOGRAPHIC:
        crs = pyproj.CRS.from_user_input(base).to_2d()
        if crs.geodetic_crs is not None and not crs.is_geographic:
            there = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
            outline = np.column_stack(there.transform(outline[:, 0], outline[:, 1]))
    low, high = outline.min(axis=0), outline.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


# --- from names ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def frame_of(text: str) -> Frame:
    """The frame that ``text`` names: a name of `Frame.name`'s form, an alias, an EPSG code, a URN or WKT.

    ESRI's WKT of CGCS2000 projections is recognised by its parameters. A CRS on an old Chinese datum comes
    back with ``old_datum``. Raises CrsError for anything else.
    """
    words = text.strip()
    swapped = words.lower().endswith(SWAPPED)
    if swapped:
        words = words[: -len(SWAPPED)].strip()
    found = _named(words)
    return found.swap() if swapped else found


def _named(text: str) -> Frame:
    urn = re.fullmatch(r"(?i)(?:urn:(?:x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)(.*)", text)
    if urn:
        parts = [part for part in re.split(r"[:/]", urn[1]) if part]
        text = f"{parts[0]}:{parts[-1]}" if len(parts) >= 2 else text
    if text.isdigit():
        text = f"EPSG:{text}"
    plain = re.sub(r"[\s_-]", "", text).upper()
    base = _ALIASES.get(plain, text)
    if re.fullmatch(r"(?i)epsg:\d+", base):
        base = base.upper()
    if base in _SHIFTED:
        zh = {"GCJ-02": "火星坐标（高德、腾讯、谷歌中国地图）", "BD-09": "百度坐标"}[base]
        en = {"GCJ-02": "GCJ-02 (AMap, Tencent, Google China)", "BD-09": "BD-09 (Baidu)"}[base]
        return Frame(base, False, zh, en, degrees=True)
    if base in _GEOGRAPHIC:
        return Frame(
            base, False, "经纬度（CGCS2000 或 WGS 84）", "lon/lat (CGCS2000 or WGS 84)", degrees=True
        )
    return _from_crs(base, text)


def _from_crs(base: str, text: str) -> Frame:
    # "link" members, files and PROJ strings are not looked at: only codes and WKT are names here.
    if not (re.fullmatch(r"[A-Za-z]+:\d+", base) or re.match(r"\s*[A-Za-z_]+\s*\[", base)):
        raise _unknown(text)
    try:
        crs = pyproj.CRS.from_user_input(base)
    except pyproj.exceptions.CRSError as error:
        raise _unknown(text) from error
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    crs = crs.to_2d()
    if crs.geodetic_crs is None or crs.ellipsoid is None or crs.is_engineering:
        raise _unknown(text)
    if _old_datum(crs) is None and _is_cgcs2000(crs) and crs.is_geographic:
        return _named("EPSG:4490")
    code = crs.to_authority(min_confidence=70)
    # EPSG holds the same plane as a three- and as a six-degree zone; here each has one name.
    if code is None or _is_cgcs2000(crs):
        crs = _chinese_gauss_kruger(crs) or crs
        code = crs.to_authority(min_confidence=70)
    name = ":".join(code) if code else crs.to_wkt()
    if name in _GEOGRAPHIC:
        return _named(name)
    zh, en = _words(crs)
    return Frame(name, False, zh, en, crs.is_geographic, _old_datum(crs), _projection(crs))


def _unknown(text: str) -> CrsError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return CrsError(
        f"{shown!r} is not a coordinate reference system that is known here.",
        f"“{shown}”不是已知的坐标参考系。",
        remedy_en="Write it as EPSG:4490, EPSG:4549, CRS84, GCJ-02 or BD-09.",
        remedy_zh="请写成 EPSG:4490、EPSG:4549、CRS84、GCJ-02 或 BD-09。",
    )


def _old_datum(crs: pyproj.CRS) -> tuple[str, str] | None:
    if crs.ellipsoid is None:
        return None
    return _OLD_ELLIPSOIDS.get(crs.ellipsoid.semi_major_metre)


def _is_cgcs2000(crs: pyproj.CRS) -> bool:
    base = crs.geodetic_crs
    if base is None or base.datum is None:
        return False
    words = re.sub(r"[\s_]", "", f"{base.name} {base.datum.name}").lower()
    return bool(
        re.search(
            r"cgcs2000|china2000|chinageodetic|chinageodeticcoordinatesystem2000|国家2000|2000国家", words
        )
    )


def _projection(crs: pyproj.CRS) -> tuple[str, float, float, float] | None:
    """Datum, central meridian, scale, false easting of a transverse Mercator on the equator; else None."""
    operation = crs.coordinate_operation
    if operation is None or operation.method_name not in ("Transverse Mercator", "Gauss Kruger"):
        return None
    given = {p.name.lower().replace("_", " "): float(p.value) for p in operation.params}
    if given.get("latitude of natural origin") or given.get("false northing"):
        return None
    old = _old_datum(crs)
    datum = (
        old[1]
        if old
        else "CGCS2000"
        if _is_cgcs2000(crs)
        else str(crs.geodetic_crs and crs.geodetic_crs.name)
    )
    return (
        datum,
        round(given["longitude of natural origin"], 9),
        given["scale factor at natural origin"],
        given["false easting"],
    )


# EPSG codes of the Gauss-Krüger planes of each datum: three-degree zones by meridian (75° E first), the same
# with the zone number before the easting (zone 25 first), and six-degree zones with it (zone 13 first).
_PLANES = {
    "CGCS2000": (4534, 4513, 4491),
    "Xian 1980": (2370, 2349, 2327),
    "Beijing 1954": (2422, 2401, 21413),
}


def _plane_code(datum: str, meridian: float, zone: int) -> int | None:
    """EPSG code by central meridian in degrees and zone number before the easting (0: none)."""
    if datum not in _PLANES:
        return None
    bare, three, six = _PLANES[datum]
    if zone == 0 and meridian % 3 == 0 and 75 <= meridian <= 135:
        return bare + int(meridian - 75) // 3
    if zone * 3 == meridian and 25 <= zone <= 45:
        return three + zone - 25
    if zone * 6 - 3 == meridian and 13 <= zone <= 23:
        return six + zone - 13
    return None


def _chinese_gauss_kruger(crs: pyproj.CRS) -> pyproj.CRS | None:
    """The EPSG CRS of a Chinese Gauss-Krüger zone that came under another name, such as ESRI's."""
    found = _projection(crs)
    if found is None or found[2] != 1.0:
        return None
    datum, meridian, _, easting = found
    zone, rest = divmod(easting - 500_000.0, 1_000_000.0)
    code = None if rest else _plane_code(datum, meridian, int(zone))
    if code is not None:
        return pyproj.CRS.from_epsg(code)
    if datum != "CGCS2000":
        return None
    # A meridian of a town's own: on the register's datum, so that the frames are known to be the same.
    operation = pyproj.crs.coordinate_operation.TransverseMercatorConversion(
        latitude_natural_origin=0.0, longitude_natural_origin=meridian, false_easting=easting,
        false_northing=0.0, scale_factor_natural_origin=1.0,
    )  # fmt: skip
    return pyproj.crs.ProjectedCRS(operation, name=crs.name, geodetic_crs=pyproj.CRS.from_epsg(4490))


def _words(crs: pyproj.CRS) -> tuple[str, str]:
    found, old = _projection(crs), _old_datum(crs)
    if found is None:
        return (old[0], old[1]) if old else (crs.name, crs.name)
    datum, meridian, scale, easting = found
    if scale != 1.0:
        return crs.name, crs.name
    zone = int((easting - 500_000.0) // 1_000_000.0)
    zh = f"{old[0] if old else datum} 高斯-克吕格 {meridian:g}°E" + (f"，带号 {zone}" if zone else "，无带号")
    en = f"{datum} Gauss-Krüger {meridian:g}°E, " + (
        f"zone {zone} before the easting" if zone else "no zone number"
    )
    return zh, en


# --- what a district's data may be in -----------------------------------------------------------------------


@lru_cache(maxsize=8)
def catalogue(extent: Extent) -> tuple[Frame, ...]:
    """Every frame that data of a district are found in, axes as they should be; the likelier ones first.

    All three-degree zones within three degrees of ``extent`` and all six-degree zones that meet it, with and
    without the zone number, in CGCS2000, Xian 1980 and Beijing 1954; the UTM zones; EPSG:3857; degrees plain
    and shifted.
    """
    west, _, east, _ = extent
    three = [m for m in range(75, 136, 3) if west - 3 <= m <= east + 3]
    six = [z for z in range(13, 24) if z * 6 - 6 < east and z * 6 > west]
    planes = [(m, 0) for m in three] + [(m, m // 3) for m in three] + [(z * 6 - 3, z) for z in six]
    codes = {d: [_plane_code(d, meridian, zone) for meridian, zone in planes] for d in _PLANES}
    utm = [32600 + z + 30 for z in six]
    plain = [*codes["CGCS2000"], *utm, *codes["Xian 1980"], *codes["Beijing 1954"], WEB_MERCATOR]
    names = ["CRS84", "GCJ-02", "BD-09", "EPSG:4610", "EPSG:4214", *(f"EPSG:{code}" for code in plain)]
    return tuple(frame_of(name) for name in names)


def modern_name(frame: Frame) -> str:
    """The CGCS2000 counterpart of a frame on an old datum, such as "EPSG:4549" for "EPSG:2437"."""
    if frame.projection is not None:
        _, meridian, _, easting = frame.projection
        code = _plane_code("CGCS2000", meridian, int((easting - 500_000.0) // 1_000_000.0))
        if code is not None:
            return f"EPSG:{code}"
    return "EPSG:4490"
