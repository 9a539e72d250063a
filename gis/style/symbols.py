"""What all notations of a style have in common: kinds of geometry, symbols by class, XML."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from gis.errors import NotFound
from layers.model import Layer, LegendRow, Style

__all__ = ["AREA", "LINE", "POINT", "child", "kinds_of", "rgb", "rows_of", "style_of", "written"]

AREA, LINE, POINT = "Polygon", "LineString", "Point"
_KINDS = {
    "Point": (POINT,),
    "MultiPoint": (POINT,),
    "LineString": (LINE,),
    "MultiLineString": (LINE,),
    "Polygon": (AREA,),
    "MultiPolygon": (AREA,),
    "Geometry": (AREA, LINE, POINT),
}


def style_of(layer: Layer) -> Style:
    """The style of a layer; NotFound when it is a register without geometry."""
    if layer.style is None:
        raise NotFound(f"{layer.id} has no geometry and no style.", f"{layer.id} 没有几何，也没有样式。")
    return layer.style


def kinds_of(layer: Layer) -> tuple[str, ...]:
    """The kinds of geometry a layer may hold, in the order in which they are drawn."""
    return _KINDS[layer.geometry]


def rows_of(layer: Layer) -> tuple[LegendRow, ...]:
    """A symbol for each class, and last the one for everything else (value None)."""
    rows = layer.legend()
    if rows[-1].value is None:
        return rows
    rest = style_of(layer).symbol()
    return (*rows, LegendRow(value=None, label=layer.title, **rest.model_dump()))


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of "#rrggbb"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def child(
    parent: ET.Element, name: str, text: object = None, attributes: Mapping[str, object] | None = None
) -> ET.Element:
    """A new element under ``parent``."""
    found = ET.SubElement(parent, name, {key: str(value) for key, value in (attributes or {}).items()})
    if text is not None:
        found.text = str(text)
    return found


def written(root: ET.Element, *, doctype: str = "") -> bytes:
    """The document as UTF-8."""
    ET.indent(root, " ")
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n{doctype}"
    return head.encode() + ET.tostring(root, encoding="unicode").encode() + b"\n"
