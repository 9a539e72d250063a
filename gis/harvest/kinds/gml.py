"""Features in GML as WFS sends them: simple features (OGC 10-100r3, level 0) with plain properties.

Read with defusedxml: no entities, no external parts, no schemas. What is no simple geometry refuses the page.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from gis.crs import parse_crs
from gis.errors import CrsError
from gis.importing.issues import refused

__all__ = ["Page", "read_gml"]

_MEMBERS = ("member", "featureMember", "featureMembers")
_GML = ("http://www.opengis.net/gml/3.2", "http://www.opengis.net/gml")


class Element(Protocol):
    """What is used of an XML element."""

    tag: str
    text: str | None
    attrib: dict[str, str]

    def __iter__(self) -> Iterator[Element]: ...
    def __len__(self) -> int: ...
    def get(self, name: str, default: str | None = None) -> str | None: ...


@dataclass(frozen=True)
class Page:
    """One page: its features as GeoJSON, how many match in all, the address of the next, the CRS named."""

    features: list[dict[str, Any]]
    matched: int | None
    following: str | None
    crs: str | None


def read_gml(body: bytes, source: str) -> Page:
    """The features of a wfs:FeatureCollection in x,y order of the CRS they name.

    Raises ImportRefused: harvest_status for an exception report, harvest_unreadable for what is neither.
    """
    try:
        root = _root(body)
        name = _local(root.tag)
        if name == "ExceptionReport":
            told = " ".join(text.strip() for text in _texts(root) if text.strip())
            raise refused("harvest_status", value=told[:300], expected=source)
        if name != "FeatureCollection":
            raise refused("harvest_unreadable", value=name, expected=source)
        systems: set[str] = set()
        holders = [part for part in root if _local(part.tag) in _MEMBERS]
        members = [feature for holder in holders for feature in holder]
        features = [_feature(member, systems) for member in members]
    except (ParseError, DefusedXmlException, ValueError, IndexError) as error:
        raise refused("harvest_unreadable", value=str(error)[:200], expected=source) from error
    if len(systems) > 1:
        raise refused("harvest_unreadable", value=" / ".join(sorted(systems)), expected=source)
    matched = root.get("numberMatched") or root.get("numberOfFeatures") or ""
    return Page(
        features, int(matched) if matched.isdecimal() else None, root.get("next"), next(iter(systems), None)
    )


def _root(body: bytes) -> Any:
    parsed = iterparse(io.BytesIO(body), forbid_dtd=True)
    for _event, _element in parsed:
        pass
    return parsed.root


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _is_gml(tag: str) -> bool:
    return tag[1:].partition("}")[0] in _GML


def _texts(element: Element) -> Iterator[str]:
    if element.text:
        yield element.text
    for child in element:
        yield from _texts(child)


def _feature(element: Element, systems: set[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    geometry = None
    for child in element:
        if _local(child.tag) in ("boundedBy",) and _is_gml(child.tag):
            continue
        inner = [part for part in child if _is_gml(part.tag)]
        if inner:
            if geometry is None:
                geometry = _geometry(inner[0], None, systems)
        elif len(child) == 0:
            nil = any(_local(key) == "nil" and value in ("true", "1") for key, value in child.attrib.items())
            properties[_local(child.tag)] = None if nil else (child.text or "").strip() or None
    own = next((value for key, value in element.attrib.items() if _local(key) in ("id", "fid")), None)
    return {"id": own, "geometry": geometry, "properties": properties}


def _geometry(element: Element, system: str | None, systems: set[str]) -> dict[str, Any]:
    system = element.get("srsName") or system
    if system is not None:
        systems.add(_crs_name(system))
    swap = _is_swapped(system)
    kind = _local(element.tag)
    if kind == "Point":
        return {"type": "Point", "coordinates": _positions(element, swap)[0]}
    if kind in ("LineString", "Curve", "LineStringSegment"):
        return {"type": "LineString", "coordinates": _positions(element, swap)}
    if kind in ("Polygon", "PolygonPatch"):
        rings = [r for part in element if _local(part.tag) in ("exterior", "outerBoundaryIs") for r in part]
        rings += [r for part in element if _local(part.tag) in ("interior", "innerBoundaryIs") for r in part]
        return {"type": "Polygon", "coordinates": [_positions(ring, swap) for ring in rings]}
    parts = [_geometry(part, system, systems) for part in _parts(element)]
    if kind == "Surface" and len(parts) == 1:
        return parts[0]
    if kind in ("MultiPoint", "MultiCurve", "MultiLineString", "MultiSurface", "MultiPolygon", "Surface"):
        of = {
            "MultiPoint": "MultiPoint",
            "MultiCurve": "MultiLineString",
            "MultiLineString": "MultiLineString",
        }
        flat: list[Any] = []
        for part in parts:
            flat += part["coordinates"] if part["type"].startswith("Multi") else [part["coordinates"]]
        return {"type": of.get(kind, "MultiPolygon"), "coordinates": flat}
    raise ValueError(f"gml:{kind}")


def _parts(element: Element) -> Iterator[Element]:
    """The geometries inside pointMember, surfaceMembers, patches and the like."""
    for holder in element:
        if _local(holder.tag).endswith(("Member", "Members", "patches")):
            yield from holder


def _positions(element: Element, swap: bool) -> list[list[float]]:
    """All positions below ``element`` in their order; every second number belongs to the second axis."""
    found: list[list[float]] = []
    kind = _local(element.tag)
    if kind in ("pos", "posList"):
        size = int(element.get("srsDimension") or 2)
        numbers = [float(word) for word in (element.text or "").split()]
        if kind == "pos" and element.get("srsDimension") is None:
            size = len(numbers)
        if not numbers or size < 2 or len(numbers) % size:
            raise ValueError(f"gml:{kind}")
        found = [numbers[i : i + 2] for i in range(0, len(numbers), size)]
    elif kind == "coordinates":
        found = [[float(n) for n in pair.split(",")[:2]] for pair in (element.text or "").split()]
    elif kind in ("Arc", "ArcString", "Circle", "CubicSpline", "BSpline", "Bezier"):
        raise ValueError(f"gml:{kind}")
    else:
        return [position for child in element for position in _positions(child, swap)]
    return [[y, x] for x, y in found] if swap else found


def _crs_name(system: str) -> str:
    """EPSG:4490 for the forms in which GML names it."""
    code = system.replace("#", ":").replace("/", ":").rstrip(":").rpartition(":")[2]
    if code.upper() in ("CRS84", "84"):
        return "CRS84"
    return f"EPSG:{code}" if code.isdecimal() else system


@lru_cache(maxsize=64)
def _is_swapped(system: str | None) -> bool:
    """Whether positions come in the order of the authority and that is north first.

    So it is for URN and for http://www.opengis.net/def/crs/ (OGC 07-092r3); the older forms are x,y.
    """
    if system is None or not system.startswith(
        ("urn:", "http://www.opengis.net/def/crs/", "https://www.opengis.net/def/crs/")
    ):
        return False
    name = _crs_name(system)
    if name == "CRS84":
        return False
    try:
        axes = parse_crs(name).axis_info
    except CrsError as error:
        raise ValueError(system) from error
    return bool(axes) and axes[0].direction.lower() in ("north", "south")
