"""One item as somebody sends it: a feature in GeoJSON or JSON-FG, and the CRS that its coordinates are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gis.axes import CRS84, NamedCrs, named
from gis.errors import QueryError
from layers.district import District

__all__ = ["Document", "as_document", "merged", "read_document"]

_CRS84_NAMES = frozenset(
    {CRS84.uri, "urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "OGC:CRS84"}
)
_DEEPEST = 20


@dataclass(frozen=True)
class Document:
    """What an item is to be.

    Attributes
    ----------
    properties : mapping
        As they were sent; not yet looked at.
    geometry : mapping or None
        As GeoJSON has it, in ``crs`` with the axes of its authority; None: it has none.
    crs : NamedCrs
    time : mapping or None
        What JSON-FG says of time.
    """

    properties: Mapping[str, Any]
    geometry: Mapping[str, Any] | None
    crs: NamedCrs = CRS84
    time: Mapping[str, Any] | None = field(default=None)


def read_document(body: Any, stated: NamedCrs | None, district: District) -> Document:
    """The feature in ``body`` (parsed JSON); ``stated`` is the CRS that the request names (None: none).

    Without either, coordinates are in CRS84. Members that are not known say nothing of the item.

    Raises
    ------
    QueryError
        When it is no single feature, names a CRS that is not offered, or another one than the request.
    """
    if not isinstance(body, Mapping) or body.get("type") != "Feature":
        kind = body.get("type") if isinstance(body, Mapping) else type(body).__name__
        raise _unreadable(f"it is {str(kind)[:60]!r}", f"它是“{str(kind)[:60]}”")
    properties = body.get("properties")
    if properties is not None and not isinstance(properties, Mapping):
        raise _unreadable("its properties are no object", "properties 不是对象")
    geometry, crs = _geometry(body, stated, district)
    time = body.get("time")
    if time is not None and not isinstance(time, Mapping):
        raise _unreadable("its time is no object", "time 不是对象")
    return Document(properties or {}, geometry, crs, time)


def _geometry(
    body: Mapping[str, Any], stated: NamedCrs | None, district: District
) -> tuple[Mapping[str, Any] | None, NamedCrs]:
    """The geometry and its CRS: ``place`` in the CRS that the body names, else ``geometry``."""
    _refuse_old_crs(body.get("crs"))
    plain, place = (_shape(body, name) for name in ("geometry", "place"))
    names = [body.get("coordRefSys"), *([place.get("coordRefSys")] if place is not None else ())]
    own = {_named(name, district) for name in names if name is not None}
    if len(own | ({stated} if own and stated is not None else set())) > 1:
        told = ", ".join(sorted(crs.uri for crs in {*own, stated} if crs is not None))
        raise QueryError(
            f"The request names several CRSs for its coordinates: {told}.",
            f"请求为坐标写明了几个不同的坐标系：{told}。",
            remedy_en="Name one CRS: in Content-Crs, or in coordRefSys.",
            remedy_zh="请只用一处写明坐标系：Content-Crs 或 coordRefSys。",
        )
    crs = next(iter(own), stated or CRS84)
    if place is not None:
        return place, crs
    if own and stated is None and plain is not None and crs != CRS84:
        raise QueryError(
            "With coordRefSys the coordinates stand in “place”; “geometry” is always CRS84 (JSON-FG).",
            "使用 coordRefSys 时坐标应写在 place 中；geometry 始终为 CRS84（JSON-FG）。",
            remedy_en="Write them as “place”, or name their CRS in the header Content-Crs.",
            remedy_zh="请改用 place，或用请求头 Content-Crs 写明坐标系。",
        )
    return plain, crs


def _shape(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    shape = body.get(name)
    if shape is not None and not isinstance(shape, Mapping):
        raise _unreadable(f"its {name} is no object", f"{name} 不是对象")
    return shape


def _named(name: Any, district: District) -> NamedCrs:
    if not isinstance(name, str):
        raise _unreadable("coordRefSys is not the address of a CRS", "coordRefSys 不是坐标系的地址")
    return named(name, district)


def _refuse_old_crs(member: Any) -> None:
    """The member "crs" of GeoJSON 2008 leaves the order of the axes open; RFC 7946 has done away with it."""
    if member is None:
        return
    inner = member.get("properties") if isinstance(member, Mapping) else None
    if isinstance(inner, Mapping) and inner.get("name") in _CRS84_NAMES:
        return
    raise QueryError(
        "The member “crs” of older GeoJSON does not say which axis comes first.",
        "旧版 GeoJSON 的 crs 成员没有说明坐标轴次序。",
        remedy_en="Leave it out and name the CRS in the header Content-Crs.",
        remedy_zh="请去掉该成员，改用请求头 Content-Crs 写明坐标系。",
    )


def as_document(properties: Mapping[str, Any], geometry: Any) -> dict[str, Any]:
    """The feature that a patch is applied to."""
    return {"type": "Feature", "geometry": geometry, "properties": dict(properties)}


def merged(target: Any, patch: Any, depth: int = 0) -> Any:
    """``target`` changed by ``patch`` as RFC 7396 has it: null removes, an object goes deeper, else replaces.

    Raises QueryError for a patch that goes deeper than any item does.
    """
    if not isinstance(patch, Mapping):
        return patch
    if depth > _DEEPEST:
        raise _unreadable("it is nested too deep", "嵌套过深")
    out = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merged(out.get(name), value, depth + 1)
    return out


def _unreadable(en: str, zh: str) -> QueryError:
    return QueryError(
        f"The body is not one GeoJSON feature: {en}.",
        f"请求体不是单个 GeoJSON 要素：{zh}。",
        remedy_en='Send {"type": "Feature", "geometry": ..., "properties": {...}}.',
        remedy_zh='请提交 {"type": "Feature", "geometry": ..., "properties": {...}}。',
    )
