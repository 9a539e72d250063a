"""What somebody asks about: a site, what it is to be, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gis.crs import LONLAT, transformation
from gis.errors import ScreeningError
from gis.importing.checks import check_field
from gis.importing.issues import Issue
from gis.kept import for_each
from gis.screening.inputs import Subjects
from gis.settings import MapDefinition
from layers.model import Field
from layers.rulemodel import PARCEL, SiteKind
from layers.vocabulary import load_issues

__all__ = ["ScreenRequest", "Site", "checked_geometry", "moved", "read_site", "site_fields", "site_kinds"]


@dataclass(frozen=True)
class ScreenRequest:
    """One question.

    Attributes
    ----------
    geometry : shapely geometry
        Point, line or polygon (or a multiple of one) in ``crs``, x,y order.
    kind : str
        One of `site_kinds`: new, expand, ...; the rule packs say what it answers to.
    accuracy_m : float or None
        Bound of the site's position error; None takes the district's.
    as_of : str or None
        Revision number or time (knowledge); ``law_date`` is the day whose law counts, None for today.
    """

    geometry: shapely.Geometry
    crs: str = f"EPSG:{LONLAT}"
    kind: str = "new"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    accuracy_m: float | None = None
    law_date: date | None = None
    as_of: str | None = None


@dataclass(frozen=True, eq=False)
class Site:
    """A request made ready: the site as given (in EPSG:``epsg``), in the measuring plane, and in lon/lat."""

    kind: SiteKind
    subjects: Subjects
    given: shapely.Geometry
    epsg: int
    plane: shapely.Geometry
    lonlat: shapely.Geometry
    attributes: dict[str, Any]
    accuracy_m: float
    accuracy_is_stated: bool


@for_each(size=8)
def site_kinds(definition: MapDefinition) -> dict[str, SiteKind]:
    """What a site may be, by kind, merged over the packs that are on."""
    kinds: dict[str, SiteKind] = {}
    for pack in definition.packs.values():
        for site in pack.sites:
            known = kinds.get(site.kind)
            if known is not None:
                subjects = tuple(dict.fromkeys((*known.subjects, *site.subjects)))
                site = known.model_copy(
                    update={"subjects": subjects, "attributes": {**known.attributes, **site.attributes}}
                )
            kinds[site.kind] = site
    return kinds


def site_fields(definition: MapDefinition, kind: SiteKind) -> list[Field]:
    """The attributes that decide rules for a site of ``kind``, as the subject layers define them."""
    asked: dict[str, Field] = {}
    fields = _fields(definition, kind)
    for pack in definition.packs.values():
        for rule in pack.rules:
            if not rule.enabled or not set(kind.subjects) & set(rule.subjects):
                continue
            tables = [name for t in pack.deciding(rule) for row in t.deciding for name in row.subject]
            for name in dict.fromkeys([*rule.subject_attributes, *tables]):
                # A parcel is no layer of its own: what is asked of it is a field of another subject.
                if name in fields and name not in kind.attributes:
                    asked.setdefault(name, fields[name])
    return list(asked.values())


def _fields(definition: MapDefinition, kind: SiteKind) -> dict[str, Field]:
    """All fields of the layers that a site of ``kind`` answers to."""
    layers = [definition.whole.layers[subject] for subject in kind.subjects if subject != PARCEL]
    return {field.name: field for layer in layers for field in layer.fields}


def read_site(definition: MapDefinition, request: ScreenRequest, *, max_vertices: int) -> Site:
    """Check ``request`` and bring its site into the measuring plane.

    Raises
    ------
    ScreeningError
        For an unknown kind or attribute, a value that does not fit, or a geometry that is empty, invalid,
        oversized or of mixed kinds.
    CrsError
        When no trustworthy transformation leads from the request's CRS to the measuring CRS.
    """
    kinds = site_kinds(definition)
    if request.kind not in kinds:
        listed = ", ".join(kinds)
        raise ScreeningError(
            f"{request.kind!r} is not a kind of site; known: {listed}.",
            f"未知的建设性质“{request.kind}”；可选：{listed}。",
        )
    kind = kinds[request.kind]
    district = definition.district
    geometry = checked_geometry(shapely.force_2d(request.geometry), max_vertices)
    plane = moved(geometry, request.crs, district.measuring_crs, definition)
    attributes = {**_checked_attributes(definition, kind, request.attributes), **kind.attributes}
    stated = request.accuracy_m is not None
    accuracy = float(request.accuracy_m if request.accuracy_m is not None else district.site_accuracy_m)
    if not accuracy >= 0 or np.isinf(accuracy):
        raise ScreeningError(
            f"Accuracy {accuracy} m is not a distance.", f"定位精度 {accuracy} 米不是有效距离。"
        )
    shift = transformation(request.crs, district.measuring_crs, district.extent).accuracy_m
    subjects = Subjects(
        layer_id=PARCEL, kinds=frozenset(kind.subjects), uids=np.array(["site"], dtype=object),
        geoms=np.array([plane], dtype=object), accuracy_m=np.array([accuracy + shift]),
        attributes={name: np.array([value], dtype=object) for name, value in attributes.items()},
    )  # fmt: skip
    return Site(
        kind=kind, subjects=subjects, given=geometry, epsg=_code(request.crs), plane=plane,
        lonlat=moved(geometry, request.crs, LONLAT, definition),
        attributes=attributes, accuracy_m=accuracy + shift, accuracy_is_stated=stated,
    )  # fmt: skip


def _code(crs: str) -> int:
    text = str(crs).rpartition(":")[2]
    if not text.isdecimal() or len(text) > 9:
        raise ScreeningError(
            f"{crs!r} is not an EPSG code.",
            f"“{crs}”不是 EPSG 代码。",
            remedy_en="Write EPSG:4549 or the like.",
            remedy_zh="请写成 EPSG:4549 等。",
        )
    return int(text)


def checked_geometry(geometry: shapely.Geometry, max_vertices: int) -> shapely.Geometry:
    """``geometry`` (any CRS) as it is; ScreeningError for an empty, invalid, oversized or mixed one."""
    if shapely.is_empty(geometry):
        raise ScreeningError("The site is empty.", "地块为空。")
    vertices = int(shapely.get_num_coordinates(geometry))
    if vertices > max_vertices:
        raise ScreeningError(
            f"The site has {vertices} vertices; at most {max_vertices} are accepted.",
            f"地块有 {vertices} 个顶点，最多 {max_vertices} 个。",
            remedy_en="Simplify it or screen it in parts.",
            remedy_zh="请简化或分块审查。",
        )
    if not np.isfinite(shapely.bounds(geometry)).all():
        raise ScreeningError("The site has coordinates that are not numbers.", "地块含有非数值坐标。")
    if shapely.get_type_id(geometry) not in (0, 1, 2, 3, 5, 6):
        kind = type(geometry).__name__
        raise ScreeningError(
            f"A site is a point, line or polygon, not a {kind}.",
            f"地块应为点、线或面，而非 {kind}。",
        )
    if not shapely.is_valid(geometry):
        reason = shapely.is_valid_reason(geometry)
        raise ScreeningError(
            f"The site's outline is not valid: {reason}.", f"地块边界无效：{reason}。",
            remedy_en="Draw it again without crossing lines.", remedy_zh="请重新绘制，避免边界自相交。",
        )  # fmt: skip
    return geometry


def moved(
    geometry: shapely.Geometry, source: str, target: int, definition: MapDefinition
) -> shapely.Geometry:
    """``geometry`` from CRS ``source`` into EPSG:``target``, x,y order.

    Raises ScreeningError outside the domain of the CRS, CrsError without a trustworthy transformation.
    """
    used = transformation(f"EPSG:{_code(source)}", target, definition.district.extent)
    moved: shapely.Geometry = used.geometries(np.array([geometry], dtype=object))[0]
    if not np.isfinite(shapely.bounds(moved)).all():
        raise ScreeningError(
            "The site lies outside the domain of its coordinate reference system.",
            "地块超出其坐标系的适用范围。",
            remedy_en="Check the coordinates, their order and the CRS.",
            remedy_zh="请检查坐标、坐标顺序和坐标系。",
        )
    return moved


def _checked_attributes(
    definition: MapDefinition, kind: SiteKind, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The given attributes as typed values; only fields of the layers that the kind answers to are known."""
    values: dict[str, Any] = {}
    fields = _fields(definition, kind) if given else {}
    for name, value in given.items():
        if name not in fields:
            listed = ", ".join(f.name for f in site_fields(definition, kind))
            raise ScreeningError(
                f"A {kind.kind} site has no attribute {name!r}; rules ask for: {listed}.",
                f"该类地块没有属性“{name}”；规则用到：{listed}。",
            )
        issues: list[Issue] = []
        column = check_field(
            fields[name].model_copy(update={"required": False}), pd.Series([value], dtype=object), issues
        )
        if issues:
            raise _unfit(fields[name], value, issues[0])
        if column.iat[0] is not None:
            values[name] = column.iat[0]
    return values


def _unfit(field: Field, value: object, issue: Issue) -> ScreeningError:
    words = load_issues()[issue.code]
    expected = ", ".join(v.code for v in field.code_list) or field.type
    told = {"field": field.name, "value": value, "expected": expected}
    return ScreeningError(
        f"Attribute {field.name} = {value!r}: {words.en.format(**told)}",
        f"属性 {field.name} = {value!r}：{words.zh.format(**told)}",
    )
