"""What one file offers as evidence about one group of its rows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from gis.importing.detective.attributes import MOST_COLUMNS, spread_rows, stated_places, taken, texts
from gis.importing.detective.evidence import Area, Evidence
from gis.importing.detective.frames import Frame, Words, frame_of
from gis.importing.detective.measures import Mark, Pairs, Restated, Shapes, Within, thinned
from gis.importing.detective.points import shapes_of
from gis.importing.reading.spool import GEOM, Header, Reading

__all__ = ["Clues", "clues_of", "known_pairs"]

Points = NDArray[np.float64]
Rows = NDArray[np.int64]

# Rows of a group whose attributes and shapes are looked at, evenly spread.
_SAMPLE = 2_000
_SHAPES = 60
_KNOWN = 20_000
# Townships reach 6 to 12 km from their seat.
_SEAT_REACH_DEG = 12_000.0 / 111_000.0
# The edge of a county is drawn so well where nothing is stated.
_EDGE_M = 500.0

# How common a frame is among the files of a bureau, with no other evidence: CGCS2000 is the state's system,
# positions picked from web maps are common, swapped axes less so. A judgement of the house, not a count.
_PRIOR = {"CRS84": 0.9, "GCJ-02": 0.7, "BD-09": 0.6, "EPSG:3857": 0.6}
_PRIOR_CGCS, _PRIOR_UTM, _PRIOR_OLD, _PRIOR_SWAPPED, _PRIOR_DECLARED = 0.9, 0.6, 0.5, 0.8, 0.95

_HINTS = (
    ("BD-09", re.compile(r"bd[_-]?09|bdlon|bdlat|bd_|baidu|百度", re.IGNORECASE)),
    ("GCJ-02", re.compile(r"gcj|amap|gaode|高德|火星|腾讯", re.IGNORECASE)),
    ("CRS84", re.compile(r"wgs[_-]?84|cgcs|大地2000|2000坐标|国家2000", re.IGNORECASE)),
)
# Web maps show decimals; degrees, minutes and seconds come from maps on paper and from instruments.
_DMS_SHIFTED = 0.7
# Web services that shift or geocode give back every digit of a double; people write six or fewer.
_MANY_DIGITS = 10


@dataclass(frozen=True)
class Clues:
    """The evidence about one group: a sample of its points, and what they can be held against."""

    sample: Points
    pairs: Pairs | None = None
    restated: Restated | None = None
    shapes: Shapes | None = None
    within: list[Within] = field(default_factory=list)
    hint: tuple[str, str] | None = None
    digits: int | None = None
    dms: bool = False

    def prior(self, frame: Frame, declared: Frame | None) -> Mark:
        """How likely the frame is by custom, by what the file calls its columns, and by its digits."""
        fit = _custom(frame)
        if declared is not None and frame.same_as(declared):
            fit = _PRIOR_DECLARED
        zh, en = "", ""
        if self.hint is not None and frame.base == self.hint[0]:
            fit = max(fit, _PRIOR_DECLARED)
            zh, en = (
                f"列名“{self.hint[1]}”提到 {frame.base}",
                f"column {self.hint[1]!r} speaks of {frame.base}",
            )
        elif self.dms and frame.degrees:
            fit *= _DMS_SHIFTED if frame.shifted else 1.0
            zh, en = "坐标原为度分秒", "written as degrees, minutes and seconds"
        elif self.hint is None and frame.shifted and self.digits is not None and self.digits >= _MANY_DIGITS:
            fit = min(1.0, fit + 0.1)
            zh = f"坐标有 {self.digits} 位小数，像是地图接口换算所得"
            en = f"{self.digits} decimals, as map services give when they convert"
        return Mark(fit, 1.0, (zh, en))


def _custom(frame: Frame) -> float:
    if frame.old_datum is not None:
        fit = _PRIOR_OLD
    elif frame.projection is not None:
        fit = _PRIOR_CGCS if frame.projection[2] == 1.0 else _PRIOR_UTM
    else:
        fit = _PRIOR.get(frame.base, _PRIOR_UTM)
    return fit * _PRIOR_SWAPPED if frame.swapped else fit


def known_pairs(reading: Reading, points: Points, evidence: Evidence) -> Pairs | None:
    """Rows whose code is registered, with both positions; None when there are none."""
    known = evidence.known
    if known is None or known.column not in reading.header.columns:
        return None
    rows = spread_rows(np.flatnonzero(np.isfinite(points).all(axis=1)), _KNOWN)
    if not len(rows):
        return None
    codes = texts(taken(reading, rows).column(known.column))
    places = [known.place(code) if code is not None else None for code in codes]
    at = np.array([place is not None for place in places], dtype=bool)
    if not at.any():
        return None
    wanted = np.array([place for place in places if place is not None])
    return Pairs(rows[at], points[rows[at]], wanted, known.column, known.accuracy_m)


def _independent(header: Header) -> tuple[str, ...]:
    """Columns that may say where a row lies; one named after a frame was worked out from the coordinates."""
    return tuple(name for name in header.columns[:MOST_COLUMNS] if _hinted(name) is None)


def clues_of(reading: Reading, points: Points, rows: Rows, pairs: Pairs | None, evidence: Evidence) -> Clues:
    """Everything there is to hold the group ``rows`` against the store."""
    at = spread_rows(rows, _SAMPLE)
    table = taken(reading, at)
    held = points[at]
    drawn = _areal(table)
    return Clues(
        held,
        _only(pairs, rows),
        _restated(table, held, reading.header, evidence),
        _same_named(table, drawn, reading.header, evidence) if drawn is not None else None,
        _stated(table, held, drawn, reading.header, evidence),
        _hint(reading.header),
        _digits(held) if _kind(table) == 0 else None,
        reading.header.coordinate_unit == "dms",
    )


def _only(pairs: Pairs | None, rows: Rows) -> Pairs | None:
    if pairs is None:
        return None
    at = np.isin(pairs.rows, rows, assume_unique=True)
    if not at.any():
        return None
    return Pairs(pairs.rows[at], pairs.points[at], pairs.places[at], pairs.column, pairs.accuracy_m)


def _kind(table: pa.Table) -> int:
    """Shapely's number for the type of the first geometry: 0 point, 3 polygon, 6 multipolygon."""
    first = shapely.get_type_id(shapes_of(table.column(GEOM).slice(0, 1).combine_chunks()))
    return int(first[0]) if len(first) else -1


def _areal(table: pa.Table) -> NDArray[np.object_] | None:
    """The shapes of the sample when they are polygons."""
    return shapes_of(table.column(GEOM).combine_chunks()) if _kind(table) in (3, 6) else None


def _same_named(
    table: pa.Table, drawn: NDArray[np.object_], header: Header, evidence: Evidence
) -> Shapes | None:
    """Polygons called like an area of the store; else townships that together make up a county."""
    areas = evidence.areas
    said = stated_places(table, _independent(header), [a.name for a in areas], [a.code for a in areas])
    if said is not None and said.exact:
        at = [i for i in np.flatnonzero(said.index >= 0) if drawn[i] is not None]
        # A name that occurs again and again is where things lie, not what they are.
        once = {k for k, n in Counter(said.index[at].tolist()).items() if n == 1}
        at = [i for i in at if said.index[i] in once][:_SHAPES]
        if at:
            wanted = [areas[k] for k in said.index[at]]
            some = "、".join(area.name for area in wanted[:3])
            whose = f"{len(at)} 个同名行政区（{some}）", f"{len(at)} of the same name as areas here ({some})"
            return _shapes(drawn[at], wanted, whose)
    return _townships_of_a_county(table, drawn, header, evidence)


def _townships_of_a_county(
    table: pa.Table, drawn: NDArray[np.object_], header: Header, evidence: Evidence
) -> Shapes | None:
    names = list(evidence.parents)
    said = stated_places(table, _independent(header), names, [None] * len(names))
    if said is None or not said.exact or len(table) > _SHAPES:
        return None
    named = np.flatnonzero(said.index >= 0)
    county, n = Counter(evidence.parents[names[k]] for k in said.index[named].tolist()).most_common(1)[0]
    whole = next((a for a in evidence.areas if a.name == county), None)
    if whole is None or n < 0.8 * len(table) or len(set(said.index[named].tolist())) < 3:
        return None
    parts = np.array([thinned(shape) for shape in drawn], dtype=object)
    if not shapely.is_valid(parts).all():  # None is not valid either
        return None
    try:
        union = shapely.union_all(parts)
    except shapely.errors.GEOSException:
        return None
    whose = f"{len(table)} 个乡镇合并后与{county}相比", f"{len(table)} townships together against {county}"
    return _shapes(np.array([union], dtype=object), [whole], whose)


def _shapes(drawn: NDArray[np.object_], wanted: list[Area], whose: Words) -> Shapes:
    known = [thinned(area.shape) for area in wanted]
    return Shapes(
        np.array([thinned(shape) for shape in drawn], dtype=object), np.array(known, dtype=object), whose
    )


def _stated(
    table: pa.Table, held: Points, drawn: NDArray[np.object_] | None, header: Header, evidence: Evidence
) -> list[Within]:
    """Rows against the county they name, and against the seat of the township they name."""
    found = []
    areas, seats = evidence.areas, evidence.seats
    said = stated_places(table, _independent(header), [a.name for a in areas], [a.code for a in areas])
    if said is not None:
        at = said.index >= 0
        wanted = [areas[k] for k in said.index[at]]
        shapes = np.array([area.shape for area in wanted], dtype=object)
        shapely.prepare(shapes)
        room = [(area.accuracy_m if area.accuracy_m is not None else _EDGE_M) / 111_000.0 for area in wanted]
        found.append(Within(held[at], shapes, np.array(room), said.column, ("区县", "county")))
    said = stated_places(table, _independent(header), [s.name for s in seats], [s.code for s in seats])
    if said is not None:
        at = said.index >= 0
        points = shapely.points([(seats[k].lon, seats[k].lat) for k in said.index[at]])
        reach = np.full(int(at.sum()), _SEAT_REACH_DEG)
        found.append(Within(held[at], points, reach, said.column, ("乡镇", "township"), 0.5))
    return found


def _restated(table: pa.Table, held: Points, header: Header, evidence: Evidence) -> Restated | None:
    """A second pair of columns, longitude and latitude, with a frame in its names (lon_wgs84, lat_wgs84)."""
    columns = header.columns[:MOST_COLUMNS]
    for x in columns:
        base = _hinted(x)
        y = _partner(x, columns)
        if base is None or y is None or x in (header.x, header.y):
            continue
        pair = np.column_stack([_numbers(table.column(x)), _numbers(table.column(y))])
        at = np.isfinite(pair).all(axis=1)
        if at.any():
            places = frame_of(base).to_lonlat(pair[at], evidence.extent)
            return Restated(held[at], places, f"{x}, {y}")
    return None


_EAST_WORDS = {"lon": "lat", "lng": "lat", "longitude": "latitude", "long": "lat", "经度": "纬度", "x": "y"}


def _partner(x: str, columns: tuple[str, ...]) -> str | None:
    """The latitude column that goes with the longitude column ``x``; None when it is none."""
    lower = {name.lower(): name for name in columns}
    for east, north in _EAST_WORDS.items():
        parts = re.split(rf"(?<![a-z]){east}(?![a-z])", x.lower())
        if len(parts) == 2 and (y := lower.get(north.join(parts))) is not None:
            return y
    return None


def _numbers(column: pa.ChunkedArray) -> Points:
    def number(value: object) -> float:
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return float("nan")

    return np.array([number(value) for value in column.to_pylist()], dtype=np.float64)


def _hinted(name: str) -> str | None:
    return next((base for base, pattern in _HINTS if pattern.search(name)), None)


def _hint(header: Header) -> tuple[str, str] | None:
    """A frame that the names of columns speak of: those of the position, else any not of a second one."""
    positions = [name for name in (header.x, header.y, header.wkt) if name]
    columns = header.columns[:MOST_COLUMNS]
    seconds = {n for x in columns if (y := _partner(x, columns)) is not None for n in (x, y)}
    for name in positions + [name for name in columns if name not in seconds]:
        base = _hinted(name)
        if base is not None:
            return base, name
    return None


def _digits(points: Points) -> int | None:
    """The usual number of decimals of degrees; None for other numbers. A single-precision number has few."""
    some = points[:200].ravel()
    if not len(some) or np.abs(some).max() > 180.0:
        return None
    single = some.astype(np.float32)
    shown = [str(s) if float(s) == v else repr(float(v)) for s, v in zip(single, some, strict=True)]
    return int(np.median([len(text.partition(".")[2]) for text in shown]))
