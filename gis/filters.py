"""Conditions on the rows of a layer, made from what a request asked for.

Names come from the definition and values are bound, so nothing a user writes becomes SQL. A literal is
transformed to the column's CRS, never the column, so that the index is used. What cannot be understood is a
QueryError: a filter is never left out silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import isfinite
from typing import Any

import numpy as np
import shapely
from geoalchemy2 import Geometry, WKBElement
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, FromClause, and_, false, func, or_, true

from gis import tables
from gis.axes import CRS84, NamedCrs
from gis.crs import LONLAT, is_geographic, parse_crs, transformation
from gis.errors import QueryError
from layers.district import District
from layers.model import Field, FieldType, Layer, Text

__all__ = [
    "BBox",
    "Interval",
    "bbox_area",
    "bbox_condition",
    "bbox_of",
    "bbox_sides",
    "brought_to_storage",
    "column_of",
    "filterable",
    "interval_condition",
    "parse_bbox",
    "parse_interval",
    "parse_moments",
    "property_condition",
    "rectangle",
]

# A projected CRS is sound only around its district: a box is cut to the extent and this much around it.
_REACH_DEG = 5.0
# Items are written with 7 decimals of a degree; a box around a written coordinate must find its feature.
_HALF_DECIMAL_DEG = 5e-8
_HALF_DECIMAL_M = 5e-4
_SEGMENTS = 64
Sides = tuple[float, float, float, float]
"""Of a rectangle: west, south, east, north."""

_FOUR = ("four numbers west,south,east,north", "西,南,东,北四个数")


@dataclass(frozen=True)
class BBox:
    """A box in x,y order. ``crs`` is an EPSG number; in degrees ``west > east`` crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float
    crs: int = LONLAT


@dataclass(frozen=True)
class Interval:
    """Days from ``start`` to ``end``, both included; None is open."""

    start: date | None
    end: date | None


def parse_bbox(text: str, crs: NamedCrs = CRS84) -> BBox:
    """The box that ``text`` writes as four numbers (six: heights are dropped), with the axes of ``crs``.

    Raises
    ------
    QueryError
        When the numbers are not four or six, not finite, out of order, or no degrees where ``crs`` has such.
    """
    try:
        return bbox_of([float(part) for part in text.split(",")], crs)
    except ValueError:
        raise _bad_bbox(text, *_FOUR) from None


def bbox_of(numbers: Sequence[float], crs: NamedCrs = CRS84) -> BBox:
    """As `parse_bbox`, of numbers."""
    given = numbers
    if len(numbers) == 6:
        numbers = [numbers[i] for i in (0, 1, 3, 4)]
    if len(numbers) != 4 or not all(map(isfinite, numbers)):
        raise _bad_bbox(_words(given), *_FOUR)
    west, south, east, north = map(float, numbers)
    if crs.swapped:
        west, south, east, north = south, west, north, east
    in_degrees = is_geographic(crs.epsg)
    if south > north or (west > east and not in_degrees):
        raise _bad_bbox(_words(given), "its smaller numbers first", "先小后大")
    if in_degrees and (max(abs(west), abs(east)) > 180 or max(abs(south), abs(north)) > 90):
        order = ("latitude first", "纬度在前") if crs.swapped else ("longitude first", "经度在前")
        raise _bad_bbox(_words(given), f"degrees, {order[0]}", f"经纬度，{order[1]}")
    return BBox(west, south, east, north, crs.epsg)


def _words(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def _bad_bbox(text: str, wanted_en: str, wanted_zh: str) -> QueryError:
    return QueryError(
        f"bbox {text[:80]!r} cannot be used.",
        f"bbox“{text[:80]}”无法使用。",
        remedy_en=f"Give {wanted_en}.",
        remedy_zh=f"请给出{wanted_zh}。",
    )


def bbox_condition(table: FromClause, bbox: BBox, district: District) -> ColumnElement[bool]:
    """Rows of ``table`` whose geometry meets ``bbox``, touching included, and rows that have none.

    Those are never left out by a box (OGC 17-069r4, /req/core/fc-bbox-response C).

    The box is taken to the storage CRS with its edges densified, so that a straight edge there stays one.
    Raises CrsError when no trustworthy transformation leads there, QueryError when the box lies where it is
    not defined.
    """
    area = bbox_area(bbox, district)
    if "geom" not in table.c:
        return true()
    placeless = table.c.geom.is_(None)
    if area.is_empty:
        return placeless
    box = WKBElement(shapely.to_wkb(area), srid=district.storage_crs, extended=False)
    geom = table.c.geom
    if rectangle(area) is None or not _holds_points(table):
        return or_(func.ST_Intersects(geom, box), placeless)
    west, south, east, north = area.bounds
    # Of points the same, and several times as fast; the index knows them to 24 bits only. In one piece, so
    # that the planner does not take them for four conditions, each of which few rows meet.
    inside = and_(func.ST_X(geom).between(west, east), func.ST_Y(geom).between(south, north))
    return or_(and_(geom.op("&&")(box), func.coalesce(inside, false())), placeless)


def bbox_sides(bbox: BBox, district: District) -> Sides | None:
    """The sides of ``bbox`` in the storage CRS where it is a rectangle there, else None.

    Raises as `brought_to_storage`.
    """
    sides, *others = _sides(bbox)
    if not others and is_geographic(bbox.crs) and is_geographic(district.storage_crs):
        # Of degrees the corners go over alone, so they tell all, and no geometry need be made.
        west, south, east, north = sides
        corners = np.array([[west, south], [east, north], [east, south], [west, north]])
        (west, south), (east, north), *rest = transformation(
            bbox.crs, district.storage_crs, district.extent
        ).xy(corners).tolist()  # fmt: skip
        if rest == [[east, south], [west, north]] and all(map(isfinite, (west, south, east, north))):
            return west, south, east, north
    return rectangle(bbox_area(bbox, district))


def rectangle(area: BaseGeometry) -> Sides | None:
    """The sides of an area that is a rectangle along the axes; else None."""
    sides: Sides = area.bounds
    is_box = not area.is_empty and area.geom_type == "Polygon" and area.equals(shapely.box(*sides))
    return sides if is_box else None


def _holds_points(table: FromClause) -> bool:
    kind = table.c["geom"].type
    return isinstance(kind, Geometry) and kind.geometry_type == "POINT"


def bbox_area(bbox: BBox, district: District) -> BaseGeometry:
    """The box as a polygon in the storage CRS, x,y; empty when it lies wholly out of reach.

    Raises as `brought_to_storage`.
    """
    storage = parse_crs(district.storage_crs)
    boxes = np.array([shapely.box(*sides) for sides in _sides(bbox)], dtype=object)
    if bbox.crs == LONLAT and not storage.is_geographic:
        west, south, east, north = district.extent
        reach = shapely.box(west - _REACH_DEG, south - _REACH_DEG, east + _REACH_DEG, north + _REACH_DEG)
        boxes = shapely.intersection(boxes, reach)
    return brought_to_storage(shapely.union_all(boxes), bbox.crs, district)


def brought_to_storage(shape: BaseGeometry, crs: int, district: District) -> BaseGeometry:
    """``shape`` (EPSG:``crs``, x,y) in the storage CRS, x,y; empty stays empty.

    Where one of the two is a plane, lines are densified, so that what is straight there stays so.

    Raises
    ------
    CrsError
        When no trustworthy transformation leads there.
    QueryError
        When the shape lies where a CRS is not defined.
    """
    if shape.is_empty:
        return shape
    in_degrees = parse_crs(district.storage_crs).is_geographic and parse_crs(crs).is_geographic
    if not in_degrees and crs != district.storage_crs:
        west, south, east, north = shape.bounds
        shape = shapely.segmentize(shape, max(east - west, north - south) / _SEGMENTS or 1)
    used = transformation(crs, district.storage_crs, district.extent)
    brought: BaseGeometry = used.geometries(np.array([shape], dtype=object))[0]
    if not np.isfinite(shapely.get_coordinates(brought)).all():
        raise QueryError(
            f"A place lies where EPSG:{crs} or EPSG:{district.storage_crs} is not defined.",
            f"位置超出 EPSG:{crs} 与 EPSG:{district.storage_crs} 的定义范围。",
        )
    return brought


def _sides(bbox: BBox) -> list[Sides]:
    """The sides of one box, or two at the antimeridian; one without length gets half a written decimal."""
    half = _HALF_DECIMAL_DEG if is_geographic(bbox.crs) else _HALF_DECIMAL_M
    dx = half if bbox.west == bbox.east else 0.0
    dy = half if bbox.south == bbox.north else 0.0
    south, north = bbox.south - dy, bbox.north + dy
    spans = [(bbox.west - dx, bbox.east + dx)]
    if bbox.west > bbox.east:
        spans = [(bbox.west, 180.0), (-180.0, bbox.east)]
    return [(west, south, east, north) for west, east in spans]


def filterable(layer: Layer) -> Mapping[str, Field]:
    """What rows of ``layer`` can be filtered by, by name: its fields and what every row has."""
    return {**{field.name: field for field in layer.fields}, **_ROW_FIELDS}


def _row_field(name: str, kind: FieldType, zh: str, en: str, unit: str | None = None) -> Field:
    # The names are reserved, so the model's own check would refuse them.
    return Field.model_construct(name=name, title=Text(zh=zh, en=en), type=kind, unit=unit)


_ROW_FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        _row_field("uid", "text", "标识", "Identifier"),
        _row_field("source", "text", "来源", "Source"),
        _row_field("is_indicative", "boolean", "示意性", "Indicative"),
        _row_field("is_demonstration", "boolean", "演示数据", "Demonstration data"),
        _row_field("accuracy_m", "number", "位置误差上限", "Bound of the position error", "m"),
        _row_field("valid_from", "date", "生效日期", "In force from"),
        _row_field("valid_to", "date", "失效日期", "In force to"),
        _row_field("rev_from", "integer", "数据修订", "Data revision"),
    )
}


def property_condition(
    layer: Layer, table: FromClause, name: str, values: Sequence[str]
) -> ColumnElement[bool]:
    """Rows whose property ``name`` equals one of ``values``, each read as the field's type.

    The caller joins ``table`` with ``core.sources``. Raises QueryError for an unknown name, a value that
    cannot be read, or a code that the enumeration does not have.
    """
    field = filterable(layer).get(name)
    if field is None:
        known = ", ".join(filterable(layer))
        raise QueryError(
            f"{name!r} is neither a parameter nor a property of {layer.id}.",
            f"“{name}”既不是参数，也不是图层 {layer.id} 的属性。",
            remedy_en=f"Properties: {known}.",
            remedy_zh=f"可用属性：{known}。",
        )
    return column_of(table, name).in_([_read(field, value) for value in values])


def column_of(table: FromClause, name: str) -> ColumnElement[Any]:
    """The column of a property, of ``table`` or of ``core.sources``, which the caller joins."""
    of_source: dict[str, ColumnElement[Any]] = {
        "source": tables.sources.c.name,
        "is_demonstration": tables.sources.c.is_demonstration,
    }
    return of_source[name] if name in of_source else table.c[name]


def _read(field: Field, text: str) -> object:
    try:
        value = _READERS[field.type](text.strip())
    except (ValueError, OverflowError):
        raise QueryError(
            f"{field.name}={text[:80]!r} is no {field.type}.",
            f"{field.name}=“{text[:80]}”不是有效的 {field.type} 值。",
            remedy_en=_EXAMPLES.get(field.type, ""),
            remedy_zh=_EXAMPLES.get(field.type, ""),
        ) from None
    codes = [entry.code for entry in field.code_list]
    if field.type == "enum" and value not in codes:
        raise QueryError(
            f"{field.name} has no code {text[:80]!r}.",
            f"{field.name} 没有代码“{text[:80]}”。",
            remedy_en=f"Codes: {', '.join(codes)}.",
            remedy_zh=f"代码：{'、'.join(codes)}。",
        )
    return value


def _read_text(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError(text)
    return text


def _read_integer(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise OverflowError(text)
    return number


def _read_number(text: str) -> float:
    number = float(text)
    if not np.isfinite(number):
        raise ValueError(text)
    return number


def _read_boolean(text: str) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _read_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_READERS: Mapping[str, Callable[[str], object]] = {
    "text": _read_text,
    "enum": _read_text,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "date": date.fromisoformat,
    "datetime": _read_datetime,
}
_EXAMPLES = {"boolean": "true, false", "date": "2026-08-15", "datetime": "2026-08-15T08:00:00+08:00"}


def parse_interval(text: str) -> Interval:
    """The days that ``text`` means: "2026-08-15", a time, or "start/end" with ".." for an open end (OGC).

    Raises QueryError for anything else, or when the start lies after the end.
    """
    parts = text.split("/")
    try:
        ends = [None if part in ("", "..") and len(parts) == 2 else _day(part) for part in parts]
    except ValueError:
        ends = []
    if len(ends) not in (1, 2) or (len(ends) == 2 and ends[0] and ends[1] and ends[0] > ends[1]):
        raise QueryError(
            f"datetime {text[:80]!r} is neither a day nor an interval.",
            f"datetime“{text[:80]}”既不是日期，也不是时间区间。",
            remedy_en="Write 2026-08-15, 2026-01-01/2026-12-31 or 2026-01-01/..",
            remedy_zh="请写成 2026-08-15、2026-01-01/2026-12-31 或 2026-01-01/..",
        )
    return Interval(ends[0], ends[-1])


def parse_moments(text: str) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment of what `parse_interval` takes; a day is one of UTC, None is open."""
    interval, ends = parse_interval(text), text.split("/")
    return (
        None if interval.start is None else _moment(ends[0], time.min),
        None if interval.end is None else _moment(ends[-1], time.max),
    )


def _moment(text: str, of_day: time) -> datetime:
    return _read_datetime(text) if len(text) > 10 else datetime.combine(date.fromisoformat(text), of_day, UTC)


def _day(text: str) -> date:
    return date.fromisoformat(text) if len(text) == 10 else _read_datetime(text).date()


def interval_condition(table: FromClause, interval: Interval) -> ColumnElement[bool]:
    """Rows that hold in law on some day of ``interval``; a row without a date holds without that bound."""
    conditions: list[ColumnElement[bool]] = []
    if interval.end is not None:
        conditions.append(or_(table.c.valid_from.is_(None), table.c.valid_from <= interval.end))
    if interval.start is not None:
        conditions.append(or_(table.c.valid_to.is_(None), table.c.valid_to >= interval.start))
    return and_(True, *conditions)
