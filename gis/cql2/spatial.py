"""Spatial comparisons (21-065, 7.4) by PostGIS, on literals in the storage CRS so that its index helps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import shapely
from geoalchemy2 import Geometry, WKBElement
from shapely import GeometryCollection
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, func, literal, not_, or_

from gis.cql2.errors import refused
from gis.cql2.terms import Scene, Term, scalar
from gis.crs import parse_crs
from gis.errors import QueryError
from gis.filters import bbox_area, bbox_of, brought_to_storage

__all__ = ["SPATIAL", "operand_sql", "spatial_condition"]

Operand = Term | BaseGeometry


def spatial_condition(scene: Scene, op: str, args: list[Any]) -> ColumnElement[bool]:
    """The comparison ``op`` (s_intersects, ...) of two geometries."""
    if len(args) != 2:
        raise refused(f"{op} takes two geometries.", f"{op} 需要两个几何。")
    first, second = (_operand(scene, arg) for arg in args)
    compare = SPATIAL[op]
    pairs = [(a, b) for a in _parts(op, first) for b in _parts(op, second)]
    conditions = [compare(_sql(scene, a), _sql(scene, b)) for a, b in pairs]
    if op == "s_disjoint":
        return not_(or_(*(SPATIAL["s_intersects"](_sql(scene, a), _sql(scene, b)) for a, b in pairs)))
    return or_(*conditions)


def operand_sql(scene: Scene, node: Any) -> ColumnElement[Any]:
    """The geometry that ``node`` writes."""
    return _sql(scene, _operand(scene, node))


def _operand(scene: Scene, node: Any) -> Operand:
    if isinstance(node, dict) and set(node) == {"bbox"}:
        return _box(scene, node["bbox"])
    if isinstance(node, dict) and "type" in node:
        return _literal(scene, node)
    term = scalar(scene, node)
    if term.kind != "geometry":
        raise refused(
            "a spatial function compares geometries.",
            "空间函数只比较几何。",
            "Write geometry, POINT(120.05 28.89), BBOX(120,28.8,120.1,28.9) and the like.",
            "请写 geometry、POINT(120.05 28.89)、BBOX(120,28.8,120.1,28.9) 等。",
        )
    return term


def _parts(op: str, operand: Operand) -> list[Operand]:
    """The operand; of a mixed collection its members, where a comparison with any of them is one with all."""
    if not isinstance(operand, GeometryCollection):
        return [operand]
    if op in ("s_intersects", "s_disjoint"):
        return list(operand.geoms)
    raise refused(
        f"{op} does not take a collection of points, lines and areas together.",
        f"{op} 不接受点、线、面混合的集合。",
        "Compare with each kind by itself, or use S_INTERSECTS.",
        "请分别比较，或使用 S_INTERSECTS。",
    )


def _sql(scene: Scene, operand: Operand) -> ColumnElement[Any]:
    if isinstance(operand, Term):
        return operand.sql
    return literal(
        WKBElement(shapely.to_wkb(operand), srid=scene.district.storage_crs, extended=False),
        Geometry(srid=scene.district.storage_crs, spatial_index=False),
    )


def _box(scene: Scene, numbers: Any) -> BaseGeometry:
    """A box as an area in the storage CRS."""
    if not isinstance(numbers, list) or len(numbers) not in (4, 6) or not _all_numbers(numbers):
        raise refused(
            "a BBOX has four or six numbers.", "BBOX 需有四个或六个数。", "Write BBOX(120,28.8,120.1,28.9)."
        )
    try:
        area = bbox_area(bbox_of(numbers, scene.crs), scene.district)
    except QueryError as error:
        raise refused(error.en, error.zh, error.remedy_en, error.remedy_zh) from error
    return area


def _all_numbers(value: Any) -> bool:
    """Whether ``value`` holds numbers only, in lists however deep."""
    if isinstance(value, list):
        return all(_all_numbers(entry) for entry in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")


def _literal(scene: Scene, node: Mapping[str, Any]) -> BaseGeometry:
    """A GeoJSON geometry in the storage CRS, x,y; a collection as the union of its members."""
    shape = _shape(node)
    if shape.is_empty or not np.isfinite(shapely.get_coordinates(shape)).all():
        raise refused("a geometry is empty.", "几何为空。")
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        raise refused(f"a geometry is not valid: {reason}.", f"几何无效：{reason}。")
    if scene.crs.swapped:
        shape = shapely.transform(shape, lambda xy: xy[:, ::-1])
    _check_degrees(shape, scene)
    return brought_to_storage(shape, scene.crs.epsg, scene.district)


def _shape(node: Mapping[str, Any]) -> BaseGeometry:
    kind = node["type"]
    if kind == "GeometryCollection" and set(node) == {"type", "geometries"}:
        members = node["geometries"]
        if (
            isinstance(members, list)
            and members
            and all(isinstance(m, dict) and "type" in m for m in members)
        ):
            return shapely.union_all([_shape(member) for member in members])
    elif (
        kind in _TYPES
        and set(node) <= {"type", "coordinates", "bbox"}
        and _all_numbers(node.get("coordinates"))
    ):
        try:
            return shapely.force_2d(shapely.geometry.shape(dict(node)))
        except (ValueError, TypeError, IndexError, shapely.errors.ShapelyError):
            pass
    raise refused(
        f"{str(dict(node))[:80]} is no geometry.",
        f"{str(dict(node))[:80]} 不是几何。",
        f"Write one of: {', '.join(_TYPES)}, GeometryCollection, BBOX.",
        f"可用：{'、'.join(_TYPES)}、GeometryCollection、BBOX。",
    )


def _check_degrees(shape: BaseGeometry, scene: Scene) -> None:
    """Degrees that do not exist are most often axes that were swapped."""
    if not parse_crs(scene.crs.epsg).is_geographic:
        return
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        order = (
            ("latitude, longitude", "纬度、经度")
            if scene.crs.swapped
            else ("longitude, latitude", "经度、纬度")
        )
        raise refused(
            "a coordinate lies beyond 180 degrees of longitude or 90 of latitude.",
            "坐标超出经度 180° 或纬度 90°。",
            f"{scene.crs.short} is written {order[0]}.",
            f"{scene.crs.short} 的次序为{order[1]}。",
        )


SPATIAL: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "s_intersects": func.ST_Intersects,
    "s_disjoint": func.ST_Disjoint,
    "s_equals": func.ST_Equals,
    "s_touches": func.ST_Touches,
    "s_within": func.ST_Within,
    "s_overlaps": func.ST_Overlaps,
    "s_crosses": func.ST_Crosses,
    "s_contains": func.ST_Contains,
}
