"""Boundary points of parcels as land administrations exchange them (勘测定界界址点坐标交换格式, TXT).

    [属性描述]
    坐标系=2000国家大地坐标系
    几度分带=3
    带号=40
    [地块坐标]
    5,0.16,1,地块一,面,,工业用地,,@
    J1,1,3213456.78,40512345.67
    ...

Each parcel is a row: number of points, area (hectares), number, name, kind of geometry (点, 线, 面), map
sheet, use and code, all as text; then the points: name, ring, X, Y. X is the northing and Y the easting, with
or without the zone before it, as Chinese surveying has it: the geometry has x = Y and y = X.

What the section of attributes states decides the CRS only when it is complete and agrees with the numbers:
a coordinate system, the width of the zones, the zone (or its number before Y). Otherwise nothing is declared
and the detective proposes. Ring 1 is the outer one; a later ring is a hole where it lies within one before,
else a further part of the parcel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.importing.issues import Issue, refused
from gis.importing.reading.formats import shapes
from gis.importing.reading.formats.characters import coding_of, guess, is_foreign, text_lines
from gis.importing.reading.formats.coordinates import shown
from gis.importing.reading.formats.drafts import Drafts
from gis.importing.reading.formats.shapes import Malformed, Shape
from gis.importing.reading.limits import limits
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["declared_crs", "read"]

_COLUMNS = ("界址点数", "地块面积", "地块编号", "地块名称", "图形属性", "图幅号", "地块用途", "地块代码")
_SECTION = re.compile(r"[\[【［]\s*(.*?)\s*[\]】］]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[,，]")
# EPSG codes of the first zone (25 of 3 degrees, 13 of 6), with the zone before the easting and without.
_CODES = {
    ("2000", 3): (4513, 4534), ("2000", 6): (4491, 4502),
    ("80", 3): (2349, 2370), ("80", 6): (2327, 2338),
    ("54", 3): (2401, 2422), ("54", 6): (21413, 21453),
}  # fmt: skip
_ZONES = {3: range(25, 46), 6: range(13, 24)}


@dataclass
class _Parcel:
    """The lines of one parcel."""

    attributes: list[str]
    rings: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    points: int = 0
    fault: Malformed | None = None


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Read the parcels; a faulty line makes its parcel a refused row.

    Raises refused("boundary_points_missing" | "encoding_unknown").
    """
    coding = coding_of(path, options.encoding)
    drafts = Drafts(spool, foreign="encoding")
    stated: dict[str, str] = {}
    eastings = _Range()
    with closing(text_lines(path, coding)) as lines:
        for parcel in _parcels(lines, stated):
            _add(parcel, drafts, spool, eastings)
    if drafts.rows == 0:
        raise refused("boundary_points_missing", value=path.name)
    columns = drafts.finish()
    crs = declared_crs(stated, eastings.low, eastings.high)
    return Header("boundary-points", encoding=coding.name, declared_crs=crs, columns=columns)


@dataclass
class _Range:
    low: float = float("inf")
    high: float = float("-inf")

    def widen(self, values: NDArray[np.float64]) -> None:
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))


# --- lines ---


def _parcels(lines: Iterator[str], stated: dict[str, str]) -> Iterator[_Parcel]:
    """The parcels one by one; the attributes of the file go into ``stated``."""
    section, held = "", None
    for raw in lines:
        line = raw.strip().lstrip("\ufeff").strip()
        match = _SECTION.fullmatch(line)
        if match:
            section = match[1]
        elif not line:
            continue
        elif section == "属性描述":
            name, _, value = line.replace("＝", "=").partition("=")
            stated[name.strip()] = value.strip()
        elif section == "地块坐标":
            if line.endswith(("@", "＠")):
                if held is not None:
                    yield held
                held = _Parcel([cell.strip() for cell in _COMMA.split(line[:-1].rstrip(",， "))])
            else:
                held = held or _Parcel([])
                _take_point(line, held)
    if held is not None:
        yield held


def _take_point(line: str, parcel: _Parcel) -> None:
    parcel.points += 1
    if parcel.fault is not None:
        return
    if parcel.points > limits().vertices:
        parcel.fault = Malformed("too_many_vertices", f"> {limits().vertices}")
        parcel.rings.clear()
        return
    cells = [cell.strip() for cell in _COMMA.split(line)]
    while len(cells) > 4 and not cells[-1]:
        cells.pop()
    if len(cells) != 4 or is_foreign(line) or not cells[1]:
        parcel.fault = Malformed("boundary_line_malformed", shown(guess(line)))
        return
    if not (_NUMBER.fullmatch(cells[2]) and _NUMBER.fullmatch(cells[3])):
        infinite = any(re.fullmatch(r"[+-]?(nan|inf(inity)?)", c, re.IGNORECASE) for c in cells[2:])
        parcel.fault = Malformed(
            "coordinate_not_finite" if infinite else "boundary_line_malformed", shown(line)
        )
        return
    north, east = float(cells[2]), float(cells[3])
    if not (abs(north) < float("inf") and abs(east) < float("inf")):
        parcel.fault = Malformed("coordinate_not_finite", shown(line))
        return
    parcel.rings.setdefault(cells[1], []).append((east, north))


def _add(parcel: _Parcel, drafts: Drafts, spool: Spool, eastings: _Range) -> None:
    cells: list[str | None] = [cell or None for cell in parcel.attributes]
    values: dict[str, Any] = dict(zip(_COLUMNS, cells + [None] * len(_COLUMNS), strict=False))
    values |= {f"column_{at + 1}": cell for at, cell in enumerate(cells) if at >= len(_COLUMNS)}
    row = drafts.rows
    try:
        shape = _shape(parcel, eastings)
    except Malformed as fault:
        drafts.add(None, values)
        spool.issues.append(Issue(row, None, fault.value, fault.code))
        return
    drafts.add(shape.wkb if shape else None, values)
    if shape:
        spool.issues.extend(shape.issues(row))


# --- geometry ---


def _shape(parcel: _Parcel, eastings: _Range) -> Shape | None:
    if parcel.fault is not None:
        raise parcel.fault
    if not parcel.rings:
        return None
    rings = [np.array(points) for points in parcel.rings.values()]
    for ring in rings:
        eastings.widen(ring[:, 0])
    _check_count(parcel, rings)
    kind = parcel.attributes[4] if len(parcel.attributes) > 4 else ""
    if kind == "点":
        points = [shapes.point(float(x), float(y)) for ring in rings for x, y in ring]
        return points[0] if len(points) == 1 else shapes.multi("Point", points)
    if kind == "线":
        lines = [shapes.line(ring) for ring in rings]
        return lines[0] if len(lines) == 1 else shapes.multi("LineString", lines)
    parts = [shapes.polygon(part) for part in _grouped(rings)]
    return parts[0] if len(parts) == 1 else shapes.multi("Polygon", parts)


def _check_count(parcel: _Parcel, rings: list[NDArray[np.float64]]) -> None:
    """The stated number of points counts the repeated first point of a ring, or it does not."""
    stated = parcel.attributes[0] if parcel.attributes else ""
    if not stated.isdecimal():
        return
    closed = sum(len(ring) > 1 and bool((ring[0] == ring[-1]).all()) for ring in rings)
    if int(stated) not in (parcel.points, parcel.points - closed):
        raise Malformed("point_count_wrong", f"{stated} / {parcel.points}")


def _grouped(rings: list[NDArray[np.float64]]) -> list[list[NDArray[np.float64]]]:
    """Rings as parts of an outer ring and its holes."""
    if len(rings) == 1:
        return [rings]
    parts: list[tuple[Any, list[NDArray[np.float64]]]] = []
    for ring in rings:
        area = shapely.make_valid(shapely.Polygon(ring)) if len(ring) > 3 else None
        around = next(
            (p for p in parts if area is not None and p[0] is not None and p[0].contains(area)), None
        )
        if around is not None or (area is None and parts):
            (around or parts[-1])[1].append(ring)
        else:
            parts.append((area, [ring]))
    return [each for _, each in parts]


# --- coordinate system ---


def declared_crs(stated: dict[str, str], low: float, high: float) -> str | None:
    """The CRS that the attributes of the file determine, as EPSG code; None when they do not.

    Parameters
    ----------
    stated : dict
        The section 属性描述: 坐标系, 几度分带, 带号, 投影类型, 计量单位.
    low, high : float
        The least and the greatest easting (Y of the file), metres; they tell whether the zone is before it.

    Notes
    -----
    EPSG: CGCS2000 / 3-degree Gauss-Kruger zone 25 is 4513, CM 75E is 4534, 6-degree zone 13 is 4491,
    CM 75E 4502; Xian 1980 2349, 2370, 2327, 2338; Beijing 1954 2401, 2422, 21413, 21453; the others count on.
    """
    datum = _datum(stated.get("坐标系", ""))
    projection, unit = stated.get("投影类型", "高斯"), stated.get("计量单位", "米")
    if (
        datum is None
        or "高斯" not in projection
        or not unit.startswith(("米", "m"))
        or not low <= high < float("inf")
    ):
        return None
    before = int(low // 1_000_000)
    prefixed = before == int(high // 1_000_000) and before >= 13
    if not prefixed and not 0 < low <= high < 1_000_000:
        return None
    width, zone = _digits(stated.get("几度分带", "")), _digits(stated.get("带号", ""))
    if prefixed and zone not in (None, before):
        return None
    zone = before if prefixed else zone
    if width is None and zone is not None:
        width = next((w for w, zones in _ZONES.items() if zone in zones), None)
    if width not in _ZONES or zone is None or zone not in _ZONES[width]:
        return None
    return f"EPSG:{_CODES[datum, width][0 if prefixed else 1] + zone - _ZONES[width].start}"


def _datum(name: str) -> str | None:
    if re.search(r"2000|CGCS", name, re.IGNORECASE):
        return "2000"
    if re.search(r"80|西安", name):
        return "80"
    return "54" if re.search(r"54|北京", name) else None


def _digits(text: str) -> int | None:
    match = re.search(r"\d+", text)
    return int(match[0]) if match and len(match[0]) < 4 else None
