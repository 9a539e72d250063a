"""A style as Styled Layer Descriptor: 1.0.0 (OGC 02-070), or 1.1.0 with Symbology Encoding (05-078r4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from xml.etree import ElementTree as ET

from gis.style.symbols import AREA, LINE, child, kinds_of, rows_of, style_of, written
from layers.model import Layer, LegendRow

__all__ = ["SldVersion", "sld_style"]

SldVersion = Literal["1.0.0", "1.1.0"]

_SLD, _SE, _OGC = "http://www.opengis.net/sld", "http://www.opengis.net/se", "http://www.opengis.net/ogc"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMAS = {
    "1.0.0": "http://schemas.opengis.net/sld/1.0.0/StyledLayerDescriptor.xsd",
    "1.1.0": "http://schemas.opengis.net/sld/1.1.0/StyledLayerDescriptor.xsd",
}
# Hatches as GeoServer and QGIS know them.
_HATCHES = {"diagonal": "shape://slash", "cross": "shape://times", "dots": "shape://dot"}
_HATCH_SIZE = 8
# The scale at which a map of zoom 0 is drawn; each zoom halves it.
_SCALE_AT_0 = 559082264.0287178


def sld_style(layer: Layer, language: str, version: SldVersion = "1.1.0") -> bytes:
    """The SLD of one layer; the named layer and style are called like it.

    A rule a class and one for all else; lengths in pixels.

    Raises
    ------
    NotFound
        When the layer is a register without geometry.
    """
    style = style_of(layer)
    notation = _Notation(version)
    root = ET.Element("StyledLayerDescriptor", {
        "version": version, "xmlns": _SLD, "xmlns:se": _SE, "xmlns:ogc": _OGC, "xmlns:xsi": _XSI,
        "xsi:schemaLocation": f"{_SLD} {_SCHEMAS[version]}",
    })  # fmt: skip
    if version == "1.0.0":
        del root.attrib["xmlns:se"]
    named = child(root, "NamedLayer")
    notation.add(named, "Name", layer.id)
    user = child(named, "UserStyle")
    notation.add(user, "Name", layer.id)
    notation.describe(user, layer.title.text(language), layer.abstract.text(language))
    drawn = notation.add(user, "FeatureTypeStyle")
    by = style.by
    rows = rows_of(layer)
    for row in rows:
        for kind in kinds_of(layer):
            others = [other.value for other in rows if other.value is not None] if by else []
            notation.rule(drawn, layer, kind, row, others, language)
    return written(root)


class _Notation:
    """The names of elements, which differ between the versions."""

    def __init__(self, version: SldVersion) -> None:
        self.prefix = "se:" if version == "1.1.0" else ""
        self.parameter = "SvgParameter" if self.prefix else "CssParameter"

    def add(self, parent: ET.Element, name: str, text: object = None) -> ET.Element:
        return child(parent, self.prefix + name, text)

    def describe(self, parent: ET.Element, title: str, abstract: str = "") -> None:
        inner = self.add(parent, "Description") if self.prefix else parent
        self.add(inner, "Title", title)
        if abstract:
            self.add(inner, "Abstract", abstract)

    def parameters(self, parent: ET.Element, values: dict[str, object]) -> None:
        for name, value in values.items():
            self.add(parent, self.parameter, value).set("name", name)

    def rule(
        self, parent: ET.Element, layer: Layer, kind: str, row: LegendRow, others: Sequence[str | None],
        language: str,
    ) -> None:  # fmt: skip
        rule = self.add(parent, "Rule")
        self.add(rule, "Name", f"{row.value or 'other'}-{kind.lower()}")
        self.describe(rule, row.label.text(language))
        self._filter(rule, layer, kind, row, others)
        if layer.zoom.min:
            self.add(rule, "MaxScaleDenominator", f"{_SCALE_AT_0 / 2 ** (layer.zoom.min - 0.5):.0f}")
        if kind == AREA:
            self._area(rule, row)
        elif kind == LINE:
            self._stroke(self.add(rule, "LineSymbolizer"), row)
        else:
            self._point(rule, row)

    def _filter(
        self, rule: ET.Element, layer: Layer, kind: str, row: LegendRow, others: Sequence[str | None]
    ) -> None:
        conditions: list[ET.Element] = []
        if len(kinds_of(layer)) > 1:
            conditions.append(_is_of_dimension({AREA: 2, LINE: 1}.get(kind, 0)))
        if row.value is not None and layer.style is not None:
            conditions.append(_equal(layer.style.by or "", row.value))
        elif others and layer.style is not None:
            conditions.append(_none_of(layer.style.by or "", [value for value in others if value]))
        if not conditions:
            return
        filtered = child(rule, "ogc:Filter")
        inside = filtered if len(conditions) == 1 else child(filtered, "ogc:And")
        inside.extend(conditions)

    def _area(self, rule: ET.Element, row: LegendRow) -> None:
        area = self.add(rule, "PolygonSymbolizer")
        fill = self.add(area, "Fill")
        self.parameters(fill, {"fill": row.colour, "fill-opacity": row.fill_opacity})
        self._stroke(area, row)
        if row.hatch in _HATCHES:
            fill = self.add(self.add(rule, "PolygonSymbolizer"), "Fill")
            graphic = self.add(self.add(fill, "GraphicFill"), "Graphic")
            mark = self.add(graphic, "Mark")
            self.add(mark, "WellKnownName", _HATCHES[row.hatch])
            stroke = self.add(mark, "Stroke")
            self.parameters(stroke, {"stroke": row.colour, "stroke-width": 1})
            self.add(graphic, "Size", _HATCH_SIZE)

    def _stroke(self, parent: ET.Element, row: LegendRow) -> None:
        stroke = self.add(parent, "Stroke")
        dash: dict[str, object] = {}
        if row.dash:
            dash = {"stroke-dasharray": " ".join(f"{part:g}" for part in row.dash)}
        self.parameters(stroke, {"stroke": row.colour, "stroke-width": row.line_width, **dash})

    def _point(self, rule: ET.Element, row: LegendRow) -> None:
        graphic = self.add(self.add(rule, "PointSymbolizer"), "Graphic")
        mark = self.add(graphic, "Mark")
        turned = row.shape == "diamond"
        self.add(mark, "WellKnownName", "square" if turned else row.shape)
        fill = self.add(mark, "Fill")
        self.parameters(fill, {"fill": row.colour, "fill-opacity": row.fill_opacity})
        stroke = self.add(mark, "Stroke")
        self.parameters(stroke, {"stroke": row.colour, "stroke-width": row.line_width})
        # The definition has half the width, as circles have a radius.
        self.add(graphic, "Size", 2 * row.size)
        if turned:
            self.add(graphic, "Rotation", 45)


def _equal(name: str, value: str) -> ET.Element:
    found = ET.Element("ogc:PropertyIsEqualTo")
    child(found, "ogc:PropertyName", name)
    child(found, "ogc:Literal", value)
    return found


def _none_of(name: str, values: list[str]) -> ET.Element:
    """True for other values and for none."""
    either = ET.Element("ogc:Or")
    child(child(either, "ogc:PropertyIsNull"), "ogc:PropertyName", name)
    negated = child(either, "ogc:Not")
    inside = negated if len(values) == 1 else child(negated, "ogc:Or")
    inside.extend(_equal(name, value) for value in values)
    return either


def _is_of_dimension(dimension: int) -> ET.Element:
    """The function that GeoServer and QGIS tell kinds of geometry by."""
    found = ET.Element("ogc:PropertyIsEqualTo")
    function = child(found, "ogc:Function", None, {"name": "dimension"})
    child(function, "ogc:PropertyName", "geometry")
    child(found, "ogc:Literal", dimension)
    return found
