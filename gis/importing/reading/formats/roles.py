"""Which columns of a table say where things are.

A table without columns of coordinates is a register. One column of a pair without the other is a fault.
In Chinese surveying X is the northing: a name that says so (纵坐标, 北) is believed more than the letter;
a bare X or Y is taken as it is named, and the doubt belongs to the detective.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from gis.importing.issues import refused
from gis.importing.reading.formats.coordinates import shown
from gis.importing.reading.spool import ReadOptions

__all__ = ["WKT_TEXT", "Roles", "find_roles", "is_identifier"]

WKT_TEXT = re.compile(
    r"\s*(SRID\s*=\s*\d+\s*;\s*)?(MULTI)?(POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION|CURVE|SURFACE"
    r"|CIRCULARSTRING|COMPOUNDCURVE|CURVEPOLYGON)\s*(Z|M|ZM)?\s*(\(|EMPTY)|\s*0[01][0-9A-F]{8,}\s*$",
    re.IGNORECASE,
)
_PAIRED = re.compile(
    r"[(（\[]?\s*[东西南北经纬EWNS+-]*\s*\d[^,，;；]*[,，;；\s]\s*[东西南北经纬EWNS+-]*\s*\d", re.IGNORECASE
)


@dataclass(frozen=True)
class Roles:
    """The places of the columns of coordinates; all None in a register.

    Attributes
    ----------
    x, y : tuple of int
        One column each, or three of degrees, minutes and seconds.
    pair : int or None
        One column that holds both; ``y_first`` when its name says latitude first.
    wkt : int or None
        A column of WKT or WKB.
    geographic : bool
        Whether the names say longitude and latitude.
    """

    x: tuple[int, ...] = ()
    y: tuple[int, ...] = ()
    pair: int | None = None
    y_first: bool = False
    wkt: int | None = None
    geographic: bool = True


_LON = {
    "lon", "lng", "long", "longitude", "londd", "lond", "gpslon",
    "gpslng", "经度", "东经", "经度e", "东经e", "x经度", "经度x",
}  # fmt: skip
_LAT = {"lat", "latitude", "纬度", "北纬", "latdd", "latd", "纬度n", "北纬n", "y纬度", "纬度y", "gpslat"}
_EAST = re.compile(
    r"[xy]?(横坐标|东坐标|东向坐标|easting|eastcoordinate)[xy]?|[xy](横|东|e|east)(向)?(坐标)?"
)
_NORTH = re.compile(
    r"[xy]?(纵坐标|北坐标|北向坐标|northing|northcoordinate)[xy]?|[xy](纵|北|n|north)(向)?(坐标)?"
)
_LETTERED = "{c}|{c}坐标(值)?|坐标{c}|{c}coord(inate)?s?|coord(inate)?{c}|point{c}|pos{c}|{c}pos|{c}轴坐标"
_X, _Y = re.compile(_LETTERED.format(c="x") + "|east"), re.compile(_LETTERED.format(c="y") + "|north")
_LON_TOKENS, _LAT_TOKENS = {"lon", "lng", "longitude"}, {"lat", "latitude"}
_PARTS = {"度": 0, "deg": 0, "d": 0, "分": 1, "min": 1, "m": 1, "秒": 2, "sec": 2, "s": 2}
_PART = re.compile(r"(经度|东经|lon|lng|longitude|纬度|北纬|lat|latitude)(度|分|秒|deg|min|sec|d|m|s)")
_PAIR = {
    "坐标", "经纬度", "经纬度坐标", "地理坐标", "中心坐标", "中心点坐标", "点位坐标", "位置坐标", "坐标位置",
    "gps坐标", "gps", "lonlat", "lnglat", "coordinates", "coordinate", "coords", "location", "position",
    "latlng", "latlon", "纬经度", "纬度经度", "经度纬度",
}  # fmt: skip
_Y_FIRST = {"latlng", "latlon", "纬经度", "纬度经度"}
_WKT = {
    "wkt", "ewkt", "wkb", "ewkb", "geom", "geometry", "thegeom", "shape", "geomwkt", "wktgeom",
    "几何", "几何图形", "图形", "空间数据",
}  # fmt: skip
_IDENTIFIER = re.compile(
    r"编码|代码|编号|号码|证号|文号|帐号|账号|信用|许可证|标识|电话|手机|code|uscc|number"
    r"|(^|[_\W])(id|no)($|[_\W])",
    re.IGNORECASE,
)


def is_identifier(name: str) -> bool:
    """Does a column of this name hold codes, whose digits are no quantity?"""
    return _IDENTIFIER.search(name) is not None


def _keys(name: str) -> list[str]:
    """Ways to read a name, without case, width, punctuation: without its brackets, and with them."""
    plain = unicodedata.normalize("NFKC", name).lower()
    bare = re.sub(r"[(\[【].*?[)\]】]", "", plain)
    return [re.sub(r"[\W_]", "", text) for text in (bare, plain) if text.strip()]


def find_roles(names: Sequence[str], options: ReadOptions, sample: Sequence[Sequence[str | None]]) -> Roles:
    """The columns of coordinates: those the uploader names, else names tell, and values for WKT and pairs.

    Raises
    ------
    ImportRefused
        column_missing for a named column that is not there or half of a pair; coordinate_columns_unclear.
    """
    if options.wkt is not None:
        return Roles(wkt=_place(names, options.wkt))
    if options.x is not None or options.y is not None:
        return _given(names, options)
    keys = [_keys(name) for name in names]
    wkt = next(
        (at for at, ks in enumerate(keys) if set(ks) & _WKT and _all_match(sample, at, WKT_TEXT)), None
    )
    if wkt is not None:
        return Roles(wkt=wkt)
    roles = _parts(keys) or _exact(names, keys) or _contained(names)
    if roles is not None:
        return roles
    pair = next(
        (at for at, ks in enumerate(keys) if set(ks) & _PAIR and _all_match(sample, at, _PAIRED)), None
    )
    if pair is not None:
        return Roles(pair=pair, y_first=bool(set(keys[pair]) & _Y_FIRST))
    found = next((at for at in range(len(names)) if _all_match(sample, at, WKT_TEXT)), None)
    return Roles(wkt=found)


def _place(names: Sequence[str], wanted: str) -> int:
    for at, name in enumerate(names):
        if name == wanted or name == wanted.strip():
            return at
    raise refused("column_missing", expected=wanted, value=shown(", ".join(names)) or "")


def _given(names: Sequence[str], options: ReadOptions) -> Roles:
    if options.x is None or options.y is None:
        raise refused("column_missing", expected="x, y", value=shown(", ".join(names)) or "")
    x, y = _place(names, options.x), _place(names, options.y)
    keys = _keys(names[x]) + _keys(names[y])
    planar = any(p.fullmatch(k) for k in keys for p in (_EAST, _NORTH, _X, _Y))
    return Roles((x,), (y,), geographic=not planar)


def _all_match(sample: Sequence[Sequence[str | None]], at: int, pattern: re.Pattern[str]) -> bool:
    """Do at least half of the column's values match, and is there any?"""
    values = [cell for row in sample if at < len(row) and (cell := row[at]) is not None and cell.strip()]
    matching = sum(_fits(pattern, value) for value in values)
    return bool(values) and matching * 2 >= len(values)


def _fits(pattern: re.Pattern[str], value: str) -> bool:
    return pattern.match(value.strip()) is not None


def _parts(keys: Sequence[Sequence[str]]) -> Roles | None:
    """Degrees, minutes and seconds in columns of their own."""
    places: dict[bool, dict[int, int]] = {True: {}, False: {}}
    for at, ks in enumerate(keys):
        match = next((m for k in reversed(ks) if (m := _PART.fullmatch(k))), None)
        if match:
            places[match[1] in ("经度", "东经", "lon", "lng", "longitude")][_PARTS[match[2]]] = at
    x, y = (tuple(found[n] for n in range(3) if n in found) for found in (places[True], places[False]))
    complete = len(x) > 1 and len(y) > 1 and 0 in places[True] and 1 in places[True]
    return Roles(x, y) if complete and 0 in places[False] and 1 in places[False] else None


def _exact(names: Sequence[str], keys: Sequence[Sequence[str]]) -> Roles | None:
    def having(known: set[str] | re.Pattern[str]) -> list[int]:
        fits = known.__contains__ if isinstance(known, set) else known.fullmatch
        return [at for at, ks in enumerate(keys) if any(fits(k) for k in ks)]

    lon, lat = having(_LON), having(_LAT)
    if not lon and not lat:
        lon, lat = having({"jd", "jingdu"}), having({"wd", "weidu"})
        lon, lat = (lon, lat) if lon and lat else ([], [])
    if lon or lat:
        return _both(names, lon, lat, "经度", "纬度", geographic=True)
    north, east = having(_NORTH), having(_EAST)
    x = [at for at in having(_X) if at not in north + east] if not east else []
    y = [at for at in having(_Y) if at not in north + east] if not north else []
    east, north = east or x, north or y
    plain = {at for at, ks in enumerate(keys) if ks and ks[0] in ("x", "y", "east", "north")}
    if east and north:
        return _both(names, east, north, "X坐标", "Y坐标", geographic=False)
    if set(east + north) - plain:
        return _both(names, east, north, "X坐标", "Y坐标", geographic=False)
    return None


def _contained(names: Sequence[str]) -> Roles | None:
    """Names such as 排放口经度 or center_lon."""
    lon, lat = [], []
    for at, name in enumerate(names):
        tokens = set(re.split(r"[\W_\d]+", name.lower()))
        if ("经度" in name and "纬度" not in name) or tokens & _LON_TOKENS:
            lon.append(at)
        elif ("纬度" in name and "经度" not in name) or tokens & _LAT_TOKENS:
            lat.append(at)
    if (lon and lat) or any(names[at].strip().endswith(("经度", "纬度")) for at in lon + lat):
        return _both(names, lon, lat, "经度", "纬度", geographic=True)
    return None


def _both(
    names: Sequence[str], x: Sequence[int], y: Sequence[int], x_name: str, y_name: str, *, geographic: bool
) -> Roles:
    if not x or not y:
        raise refused("column_missing", expected=y_name if x else x_name, value=shown(", ".join(names)) or "")
    if len(x) > 1 or len(y) > 1:
        raise refused(
            "coordinate_columns_unclear", value=shown("、".join(names[at] for at in (*x, *y))) or ""
        )
    return Roles((x[0],), (y[0],), geographic=geographic)
