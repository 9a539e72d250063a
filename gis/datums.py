"""GCJ-02 and BD-09, the shifted coordinates of Chinese web maps, there and back.

GCJ-02 moves a WGS 84 position by some 300 to 700 m along a smooth field; BD-09 adds a second shift to GCJ-02.
Neither algorithm is published. The formula here is the public reconstruction that the libraries eviltransform
and coordtransform share (constants and test vectors: STANDARDS, section "Coordinates"); its own inverse is
only a first step, up to 1 m wrong, so the inverse here is iterated.

Outside China's box both are the identity, decided by the coordinate that is given. CGCS2000 may stand for
WGS 84 everywhere here: the frames agree within a metre.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHINA",
    "FORMULA_ACCURACY_M",
    "bd09_to_wgs84",
    "gcj02_to_wgs84",
    "wgs84_to_bd09",
    "wgs84_to_gcj02",
]

Lonlat = NDArray[np.float64]

# (west, south, east, north) in degrees; outside it web maps serve WGS 84 (eviltransform's box).
CHINA = (72.004, 0.8293, 137.8347, 55.8271)

# The formula is a reconstruction, so how well it meets a given map is not certified by anybody. Published
# comparisons with the vendors' own converters stay within a metre or two; the bound leaves room.
FORMULA_ACCURACY_M = 5.0

_A, _EE = 6378245.0, 0.00669342162296594323  # Krassovsky 1940, which the formula uses
_X_PI = np.pi * 3000.0 / 180.0
_BD_EAST, _BD_NORTH = 0.0065, 0.006
_CLOSE_DEG = 1e-12  # a tenth of a micrometre; each step gains two digits or more
_MOST_STEPS = 30
_CHUNK = 32_768  # keeps the intermediate arrays in the processor's cache


def wgs84_to_gcj02(lonlat: Lonlat) -> Lonlat:
    """GCJ-02 of WGS 84 positions.

    Parameters
    ----------
    lonlat : (n, 2) float array
        Degrees, longitude first. May be empty. Outside China, and where not finite, it comes back as it is.

    Returns
    -------
    (n, 2) float array
        Degrees, longitude first.
    """
    return _where_chinese(lonlat, _to_gcj02)


def gcj02_to_wgs84(lonlat: Lonlat) -> Lonlat:
    """WGS 84 of GCJ-02 positions, by iteration: `wgs84_to_gcj02` moves them back within a micrometre.

    Arrays as in `wgs84_to_gcj02`.
    """
    return _where_chinese(lonlat, _from_gcj02)


def wgs84_to_bd09(lonlat: Lonlat) -> Lonlat:
    """BD-09 of WGS 84 positions; arrays as in `wgs84_to_gcj02`."""
    return _where_chinese(lonlat, lambda points: _gcj02_to_bd09(_to_gcj02(points)))


def bd09_to_wgs84(lonlat: Lonlat) -> Lonlat:
    """WGS 84 of BD-09 positions, by iteration; arrays as in `wgs84_to_gcj02`."""
    return _where_chinese(lonlat, lambda points: _from_gcj02(_bd09_to_gcj02(points)))


def _where_chinese(lonlat: Lonlat, convert: Callable[[Lonlat], Lonlat]) -> Lonlat:
    out = np.array(lonlat, dtype=np.float64).reshape(-1, 2)
    west, south, east, north = CHINA
    lon, lat = out.T
    inside = np.flatnonzero((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))
    for start in range(0, len(inside), _CHUNK):
        part = inside[start : start + _CHUNK]
        out[part] = convert(out[part])
    return out


def _to_gcj02(wgs: Lonlat) -> Lonlat:
    return wgs + _shift(wgs)


def _shift(wgs: Lonlat) -> Lonlat:
    """How far GCJ-02 moves each position, in degrees."""
    x, y = wgs[:, 0] - 105.0, wgs[:, 1] - 35.0
    # |x| and |y| under the root have a kink at 105 E and 35 N: the shift is continuous there, its slope not.
    waves = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + waves
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + waves
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    # metres to degrees by the radii of curvature of the ellipsoid
    latitude = wgs[:, 1] / 180.0 * np.pi
    magic = 1.0 - _EE * np.sin(latitude) ** 2
    root = np.sqrt(magic)
    return np.column_stack(
        [
            east * 180.0 / (_A / root * np.cos(latitude) * np.pi),
            north * 180.0 / ((_A * (1.0 - _EE)) / (magic * root) * np.pi),
        ]
    )


def _first_from_gcj02(gcj: Lonlat) -> Lonlat:
    """The inverse that the libraries publish: the shift of the wrong place taken back, some 1 m off."""
    return gcj - _shift(gcj)


def _from_gcj02(gcj: Lonlat) -> Lonlat:
    return _solved(_to_gcj02, gcj, _first_from_gcj02(gcj))


def _gcj02_to_bd09(gcj: Lonlat) -> Lonlat:
    lon, lat = gcj.T
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _X_PI)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _X_PI)
    return np.column_stack([radius * np.cos(angle) + _BD_EAST, radius * np.sin(angle) + _BD_NORTH])


def _first_from_bd09(bd: Lonlat) -> Lonlat:
    """The published inverse of the second shift, some decimetres off."""
    lon, lat = bd[:, 0] - _BD_EAST, bd[:, 1] - _BD_NORTH
    radius = np.hypot(lon, lat) - 0.00002 * np.sin(lat * _X_PI)
    angle = np.arctan2(lat, lon) - 0.000003 * np.cos(lon * _X_PI)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _bd09_to_gcj02(bd: Lonlat) -> Lonlat:
    return _solved(_gcj02_to_bd09, bd, _first_from_bd09(bd))


def _solved(forward: Callable[[Lonlat], Lonlat], wanted: Lonlat, start: Lonlat) -> Lonlat:
    """The positions that ``forward`` moves to ``wanted``: each step takes off what is still missing."""
    found = start
    for _ in range(_MOST_STEPS):
        missing = wanted - forward(found)
        found = found + missing
        if np.abs(missing).max(initial=0.0) < _CLOSE_DEG:
            break
    return found
