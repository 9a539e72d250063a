"""A style as QGIS writes it into a .qml file (QGIS 3)."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from gis.style.symbols import AREA, LINE, POINT, child, kinds_of, rgb, rows_of, style_of, written
from layers.model import Layer, LegendRow

__all__ = ["add_renderer", "add_symbol", "qml_style"]

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_VERSION = "3.22.0"
_SCALE_AT_0 = 559082264.0287178
_MARKS = {
    "circle": "circle",
    "square": "square",
    "triangle": "triangle",
    "diamond": "diamond",
    "cross": "cross",
}
_ANGLES = {"diagonal": (45,), "cross": (45, 135)}
_TYPES = {AREA: "fill", LINE: "line", POINT: "marker"}


def qml_style(layer: Layer, language: str) -> bytes:
    """The symbology of one layer for QGIS; a mixed layer is drawn as points, as QGIS has one kind a layer.

    Raises
    ------
    NotFound
        When the layer is a register without geometry.
    """
    style_of(layer)
    root = ET.Element("qgis", {"version": _VERSION, "styleCategories": "Symbology|Rendering"})
    add_renderer(root, layer, kinds_of(layer)[-1], language)
    child(root, "layerGeometryType", {POINT: 0, LINE: 1, AREA: 2}[kinds_of(layer)[-1]])
    return written(root, doctype=_DOCTYPE)


def add_renderer(parent: ET.Element, layer: Layer, kind: str, language: str) -> None:
    """The renderer of a vector layer with geometry of one ``kind``: one symbol, or one for each class."""
    style, rows = style_of(layer), rows_of(layer)
    if layer.zoom.min:
        parent.set("hasScaleBasedVisibilityFlag", "1")
        parent.set("minScale", f"{_SCALE_AT_0 / 2 ** (layer.zoom.min - 0.5):.0f}")
        parent.set("maxScale", "0")
    common = {"forceraster": 0, "enableorderby": 0, "symbollevels": 0}
    if style.by is None:
        renderer = child(parent, "renderer-v2", None, {"type": "singleSymbol", **common})
    else:
        attributes = {"type": "categorizedSymbol", "attr": style.by, **common}
        renderer = child(parent, "renderer-v2", None, attributes)
        categories = child(renderer, "categories")
        for place, row in enumerate(rows):
            child(categories, "category", None, {
                "symbol": place, "value": row.value or "", "type": "string",
                "label": row.label.text(language), "render": "true",
            })  # fmt: skip
    symbols = child(renderer, "symbols")
    for place, row in enumerate(rows):
        add_symbol(symbols, row, kind, str(place))


def add_symbol(parent: ET.Element, row: LegendRow, kind: str, name: str) -> None:
    """The symbol of one line of the legend; lengths in pixels."""
    attributes = {"type": _TYPES[kind], "name": name, "alpha": 1, "clip_to_extent": 1, "force_rhr": 0}
    symbol = child(parent, "symbol", None, attributes)
    if kind == AREA:
        _layer(symbol, "SimpleFill", {
            "color": _colour(row.colour, row.fill_opacity), "style": "solid",
            "outline_color": _colour(row.colour), "outline_width": row.line_width,
            "outline_width_unit": "Pixel", "outline_style": "no" if row.dash else "solid",
        })  # fmt: skip
        if row.dash:
            _layer(symbol, "SimpleLine", _line(row))
        _hatch(symbol, row)
    elif kind == LINE:
        _layer(symbol, "SimpleLine", _line(row))
    else:
        _layer(symbol, "SimpleMarker", {
            "name": _MARKS[row.shape], "color": _colour(row.colour, row.fill_opacity),
            # The definition has half the width, as circles have a radius.
            "size": 2 * row.size, "size_unit": "Pixel",
            "outline_color": _colour(row.colour), "outline_width": row.line_width,
            "outline_width_unit": "Pixel", "outline_style": "solid",
        })  # fmt: skip


def _line(row: LegendRow) -> dict[str, object]:
    values: dict[str, object] = {
        "line_color": _colour(row.colour), "line_width": row.line_width, "line_width_unit": "Pixel",
        "line_style": "solid", "capstyle": "flat", "joinstyle": "round",
    }  # fmt: skip
    if row.dash:
        dash = ";".join(f"{part:g}" for part in row.dash)
        values |= {"use_custom_dash": 1, "customdash": dash, "customdash_unit": "Pixel"}
    return values


def _hatch(symbol: ET.Element, row: LegendRow) -> None:
    line = row.model_copy(update={"line_width": 1.0, "dash": ()})
    for angle in _ANGLES.get(row.hatch, ()):
        values = {"angle": angle, "distance": 8, "distance_unit": "Pixel", "color": _colour(row.colour)}
        pattern = _layer(symbol, "LinePatternFill", values)
        add_symbol(pattern, line, LINE, f"@{symbol.get('name')}@{len(symbol) - 1}")
    if row.hatch == "dots":
        values = {
            "distance_x": 8, "distance_x_unit": "Pixel", "distance_y": 8, "distance_y_unit": "Pixel",
        }  # fmt: skip
        pattern = _layer(symbol, "PointPatternFill", values)
        dot = line.model_copy(update={"shape": "circle", "size": 1.0, "fill_opacity": 1.0})
        add_symbol(pattern, dot, POINT, f"@{symbol.get('name')}@{len(symbol) - 1}")


def _layer(symbol: ET.Element, kind: str, values: Mapping[str, object]) -> ET.Element:
    layer = child(symbol, "layer", None, {"class": kind, "enabled": 1, "locked": 0, "pass": 0})
    options = child(layer, "Option", None, {"type": "Map"})
    for name, value in values.items():
        child(options, "Option", None, {"name": name, "type": "QString", "value": value})
    return layer


def _colour(colour: str, opacity: float = 1.0) -> str:
    return ",".join(str(part) for part in (*rgb(colour), round(255 * opacity)))
