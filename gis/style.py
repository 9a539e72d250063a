"""How a layer is drawn, as a MapLibre style; it follows from the definition like the legend does."""

from __future__ import annotations

from typing import Any

from gis.errors import NotFound
from layers.model import Layer

__all__ = ["maplibre_style"]

_VERSION = 8
# Line layers draw the outlines of areas too.
_AREA, _LINE, _POINT = "Polygon", "LineString", "Point"
_KINDS = {
    "Point": (_POINT,),
    "MultiPoint": (_POINT,),
    "LineString": (_LINE,),
    "MultiLineString": (_LINE,),
    "Polygon": (_AREA,),
    "MultiPolygon": (_AREA,),
    "Geometry": (_AREA, _LINE, _POINT),
}


def maplibre_style(layer: Layer, tiles: str, language: str) -> dict[str, Any]:
    """The MapLibre style (version 8) of one layer.

    ``tiles`` is the address of its vector tiles with {z}, {y} and {x} left open. Shapes of points and
    hatches, which MapLibre cannot draw without pictures, stand in the metadata with the legend.

    Raises
    ------
    NotFound
        When the layer is a register without geometry.
    """
    if layer.style is None:
        raise NotFound(f"{layer.id} has no geometry and no style.", f"{layer.id} 没有几何，也没有样式。")
    drawn: list[dict[str, Any]] = []
    for kind in _KINDS[layer.geometry]:
        drawn += _layers_of(layer, kind)
    return {
        "version": _VERSION,
        "name": layer.title.text(language),
        "metadata": {"onemap:legend": [row.model_dump(mode="json") for row in layer.legend()]},
        "sources": {
            layer.id: {
                "type": "vector",
                "tiles": [tiles],
                "minzoom": layer.zoom.min,
                "maxzoom": layer.zoom.max,
            }
        },
        "layers": drawn,
    }


def _layers_of(layer: Layer, kind: str) -> list[dict[str, Any]]:
    if kind == _AREA:
        fill = {"fill-color": _by_class(layer, "colour"), "fill-opacity": _by_class(layer, "fill_opacity")}
        return [_entry(layer, "fill", kind, fill), _entry(layer, "line", kind, _line(layer))]
    if kind == _LINE:
        return [_entry(layer, "line", kind, _line(layer))]
    circle = {
        "circle-color": _by_class(layer, "colour"),
        "circle-radius": _by_class(layer, "size"),
        "circle-opacity": _by_class(layer, "fill_opacity"),
        "circle-stroke-color": _by_class(layer, "colour"),
        "circle-stroke-width": _by_class(layer, "line_width"),
    }
    return [_entry(layer, "circle", kind, circle)]


def _line(layer: Layer) -> dict[str, Any]:
    assert layer.style is not None
    paint = {"line-color": _by_class(layer, "colour"), "line-width": _by_class(layer, "line_width")}
    width = max(layer.style.line_width, 0.1)
    # MapLibre counts dashes in line widths, definitions in pixels.
    return paint | (
        {"line-dasharray": [part / width for part in layer.style.dash]} if layer.style.dash else {}
    )


def _entry(layer: Layer, form: str, kind: str, paint: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{layer.id}-{kind.lower()}-{form}",
        "type": form,
        "source": layer.id,
        "source-layer": layer.id,
        "minzoom": layer.zoom.min,
        "filter": ["==", ["geometry-type"], kind],
        "paint": paint,
    }


def _by_class(layer: Layer, name: str) -> Any:
    """The value of one key of the symbol: a constant, or an expression over the classes."""
    assert layer.style is not None
    base = getattr(layer.style.symbol(), name)
    values = {entry.value: getattr(layer.style.symbol(entry.value), name) for entry in layer.style.classes}
    if all(value == base for value in values.values()):
        return base
    pairs = [part for pair in values.items() for part in pair]
    return ["match", ["get", layer.style.by], *pairs, base]
