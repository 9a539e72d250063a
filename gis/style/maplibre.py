"""How a layer is drawn, as a MapLibre style; it follows from the definition like the legend does."""

from __future__ import annotations

from typing import Any

from gis.style.symbols import AREA, LINE, kinds_of, style_of
from layers.model import Layer

__all__ = ["maplibre_style"]

_VERSION = 8


def maplibre_style(layer: Layer, tiles: str, language: str) -> dict[str, Any]:
    """The MapLibre style (version 8) of one layer.

    ``tiles`` is the address of its vector tiles with {z}, {y} and {x} left open. Shapes of points and
    hatches, which MapLibre cannot draw without pictures, stand in the metadata with the legend.

    Raises
    ------
    NotFound
        When the layer is a register without geometry.
    """
    style_of(layer)
    drawn: list[dict[str, Any]] = []
    for kind in kinds_of(layer):
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
    if kind == AREA:
        fill = {"fill-color": _by_class(layer, "colour"), "fill-opacity": _by_class(layer, "fill_opacity")}
        return [_entry(layer, "fill", kind, fill), *_lines(layer, kind)]
    if kind == LINE:
        return _lines(layer, kind)
    circle = {
        "circle-color": _by_class(layer, "colour"),
        "circle-radius": _by_class(layer, "size"),
        "circle-opacity": _by_class(layer, "fill_opacity"),
        "circle-stroke-color": _by_class(layer, "colour"),
        "circle-stroke-width": _by_class(layer, "line_width"),
    }
    return [_entry(layer, "circle", kind, circle)]


def _lines(layer: Layer, kind: str) -> list[dict[str, Any]]:
    """The outline: one entry for each pattern of dashes, which is no function of a property in MapLibre."""
    style = style_of(layer)
    rest = style.symbol().dash
    others: dict[tuple[float, ...], list[str]] = {}
    for entry in style.classes:
        if (dash := style.symbol(entry.value).dash) != rest:
            others.setdefault(dash, []).append(entry.value)
    apart = [value for values in others.values() for value in values]
    chosen = ["match", ["get", style.by], apart, False, True] if apart else None
    lines = [_entry(layer, "line", kind, _line(layer, rest, style.line_width), chosen)]
    for number, (dash, values) in enumerate(others.items(), start=1):
        chosen = ["match", ["get", style.by], values, True, False]
        paint = _line(layer, dash, style.symbol(values[0]).line_width)
        lines.append(_entry(layer, "line", kind, paint, chosen, f"-{number}"))
    return lines


def _line(layer: Layer, dash: tuple[float, ...], width: float) -> dict[str, Any]:
    paint = {"line-color": _by_class(layer, "colour"), "line-width": _by_class(layer, "line_width")}
    # MapLibre counts dashes in line widths, definitions in pixels.
    return paint | ({"line-dasharray": [part / max(width, 0.1) for part in dash]} if dash else {})


def _entry(
    layer: Layer,
    form: str,
    kind: str,
    paint: dict[str, Any],
    chosen: list[Any] | None = None,
    suffix: str = "",
) -> dict[str, Any]:
    of_kind = ["==", ["geometry-type"], kind]
    return {
        "id": f"{layer.id}-{kind.lower()}-{form}{suffix}",
        "type": form,
        "source": layer.id,
        "source-layer": layer.id,
        "minzoom": layer.zoom.min,
        "filter": of_kind if chosen is None else ["all", of_kind, chosen],
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
