"""The CRSs that a client may ask for, by their OGC names, and whose axes stand the other way round.

Inside the house everything is x,y. Outside, a CRS named by its EPSG address has the axes of the EPSG
register: EPSG:4490 and 4326 are latitude, longitude; a plane such as EPSG:4549 is northing, easting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gis.crs import LONLAT, WEB_MERCATOR, Extent, parse_crs, transformation
from gis.errors import CrsError, QueryError
from layers.district import District

__all__ = ["CRS84", "NamedCrs", "choices", "named"]


@dataclass(frozen=True)
class NamedCrs:
    """``uri`` names ``epsg``; with ``swapped`` a client's coordinates are y,x."""

    uri: str
    epsg: int
    swapped: bool

    @property
    def short(self) -> str:
        """The name that people write: "EPSG:4549", "OGC:CRS84"."""
        return f"EPSG:{self.epsg}" if "EPSG" in self.uri else "OGC:CRS84"

    def box(self, around: tuple[float, float, float, float]) -> list[float]:
        """A box given as least x, least y, greatest x, greatest y, as a client has it."""
        left, low, right, high = around
        return [low, left, high, right] if self.swapped else [left, low, right, high]


_CGCS2000 = 4490
CRS84 = NamedCrs("http://www.opengis.net/def/crs/OGC/1.3/CRS84", LONLAT, False)


def choices(district: District) -> list[NamedCrs]:
    """CRS84, WGS 84, web Mercator, CGCS2000, the storage and the measuring CRS, by their addresses.

    A CRS to which no trustworthy transformation leads in the district is not offered.
    """
    return list(_choices(district.storage_crs, district.measuring_crs, district.extent))


@lru_cache(maxsize=16)
def _choices(storage: int, measuring: int, extent: Extent) -> tuple[NamedCrs, ...]:
    numbers = dict.fromkeys((LONLAT, WEB_MERCATOR, _CGCS2000, storage, measuring))
    return (CRS84, *(_by_number(number) for number in numbers if _is_reached(storage, number, extent)))


def _is_reached(storage: int, number: int, extent: Extent) -> bool:
    try:
        transformation(storage, number, extent)
        transformation(number, storage, extent)
    except CrsError:
        return False
    return True


def _by_number(epsg: int) -> NamedCrs:
    first = parse_crs(epsg).axis_info[0].direction
    uri = f"http://www.opengis.net/def/crs/EPSG/0/{epsg}"
    return NamedCrs(uri, epsg, first in ("north", "south"))


def named(uri: str, district: District) -> NamedCrs:
    """The CRS that ``uri`` names ("EPSG:4549" will do); QueryError when it is none of the choices."""
    offered = choices(district)
    wanted = uri.strip("<>[] ")
    for crs in offered:
        if wanted in (crs.uri, crs.short):
            return crs
    listed = " ".join(crs.uri for crs in offered)
    raise QueryError(
        f"The CRS {uri[:80]!r} is not offered.",
        f"不提供坐标系“{uri[:80]}”。",
        remedy_en=f"Choose one of: {listed}",
        remedy_zh=f"可选：{listed}",
    )
