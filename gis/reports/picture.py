"""The map of a report as one SVG picture: four colours that are four patterns too, scale, north, legend."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
import shapely
import shapely.geometry

from gis.reports.content import Content
from gis.screening.findings import WORST_FIRST

__all__ = ["COLOURS", "HEIGHT", "WIDTH", "map_picture", "swatch"]

COLOURS = {"conflict": "#b3261e", "unknown": "#5d5877", "edge": "#8f5200", "clear": "#1b6e3f"}
_GROUND = {"conflict": "#f6d3cf", "unknown": "#e3e1ec", "edge": "#fbe3b8", "clear": "#d8eedf"}

WIDTH, HEIGHT = 720.0, 450.0
"""Of the map itself, in pixels; the legend stands below."""

_DASHES = ("", "9 3", "3 3", "10 3 2 3", "1 3", "14 4")
_ROW, _GAP, _SIZE = 22.0, 16.0, 12.5
_LABELS, _SITE_PX = 12, 12.0
_FONT = "'Noto Sans CJK SC', 'Noto Sans SC', 'Microsoft YaHei', 'PingFang SC', sans-serif"

Element = ElementTree.Element


def map_picture(content: Content, name: str = "map") -> str:
    """The map as an ``<svg>`` element; ``name`` keeps its patterns apart from those of other pictures."""
    return ElementTree.tostring(_Picture(content, name).drawn(), encoding="unicode")


def swatch(verdict: str, name: str, width: float = 26.0, height: float = 14.0) -> str:
    """A small patch in the colour and pattern of a verdict, as an ``<svg>`` element."""
    svg = _svg(width, height)
    ElementTree.SubElement(svg, "defs").append(_pattern(verdict, f"{name}-{verdict}"))
    svg.set("aria-hidden", "true")
    _patch(svg, verdict, f"{name}-{verdict}", 0.5, 0.5, width - 1, height - 1)
    return ElementTree.tostring(svg, encoding="unicode")


def _svg(width: float, height: float) -> Element:
    size = {"width": f"{width:g}", "height": f"{height:g}", "viewBox": f"0 0 {width:g} {height:g}"}
    return Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size})


def _pattern(verdict: str, name: str) -> Element:
    """Slanting lines, crosses, level lines, dots: told apart without colour."""
    size = {"width": "8", "height": "8", "patternUnits": "userSpaceOnUse"}
    pattern = Element("pattern", {"id": name, **size})
    ElementTree.SubElement(pattern, "rect", {"width": "8", "height": "8", "fill": _GROUND[verdict]})
    stroke = {"stroke": COLOURS[verdict], "fill": "none"}
    if verdict == "clear":
        dot = {"cx": "4", "cy": "4", "r": "1", "fill": COLOURS[verdict]}
        ElementTree.SubElement(pattern, "circle", dot)
        return pattern
    path, width = {
        "conflict": ("M-2 2 L2 -2 M0 8 L8 0 M6 10 L10 6", "2"),
        "unknown": ("M0 0 L8 8 M0 8 L8 0", "0.9"),
        "edge": ("M0 4 L8 4", "1.6"),
    }[verdict]
    ElementTree.SubElement(pattern, "path", {"d": path, "stroke-width": width, **stroke})
    return pattern


def _patch(parent: Element, verdict: str, name: str, x: float, y: float, w: float, h: float) -> None:
    place = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{w:g}", "height": f"{h:g}"}
    look = {"fill": f"url(#{name})", "stroke": COLOURS[verdict], "stroke-width": "1"}
    ElementTree.SubElement(parent, "rect", place | look)


@dataclass(frozen=True)
class _Entry:
    """One entry of the legend: how it is drawn (a verdict, or a line's look) and what it means."""

    text: str
    verdict: str = ""
    look: tuple[tuple[str, str], ...] = ()


class _Picture:
    """One drawing: the parts of the site, the zones, and what explains them."""

    def __init__(self, content: Content, name: str) -> None:
        self._content, self._words, self._name = content, content.words, name
        self._map = content.record["map"]
        west, south, east, north = self._map["window"]
        self._window = (west, south, east, north)
        self._scale = WIDTH / (east - west)
        self._entries: list[_Entry] = []
        self._taken: list[tuple[float, float, float, float]] = []

    def drawn(self) -> Element:
        words = self._words
        field = Element("g", {"clip-path": f"url(#{self._name}-frame)"})
        ground = {"width": f"{WIDTH:g}", "height": f"{HEIGHT:g}", "fill": "#fbfcfa"}
        ElementTree.SubElement(field, "rect", ground)
        self._draw_zones(field)
        self._draw_parts(field)
        self._draw_outlines(field)
        self._draw_site(field)
        self._draw_labels(field)
        legend, height = self._legend()
        svg = _svg(WIDTH, HEIGHT + height)
        svg.attrib |= {"role": "img", "aria-label": words("map.described"), "font-family": _FONT}
        ElementTree.SubElement(svg, "title").text = words("map.described")
        svg.append(self._definitions())
        svg.append(field)
        self._draw_scale(svg)
        self._draw_north(svg)
        rim = {"x": "0.5", "y": "0.5", "width": f"{WIDTH - 1:g}", "height": f"{HEIGHT - 1:g}"}
        ElementTree.SubElement(svg, "rect", rim | {"fill": "none", "stroke": "#14302b"})
        svg.append(legend)
        return svg

    def _definitions(self) -> Element:
        defs = Element("defs")
        for verdict in WORST_FIRST:
            defs.append(_pattern(verdict, f"{self._name}-{verdict}"))
        frame = ElementTree.SubElement(defs, "clipPath", {"id": f"{self._name}-frame"})
        ElementTree.SubElement(frame, "rect", {"width": f"{WIDTH:g}", "height": f"{HEIGHT:g}"})
        inside = ElementTree.SubElement(defs, "clipPath", {"id": f"{self._name}-inside"})
        if "Polygon" in self._map["site"]["type"]:
            self._shape(inside, self._map["site"], {"clip-rule": "evenodd"})
        return defs

    # --- what is drawn ------------------------------------------------------------------------------------

    def _draw_zones(self, field: Element) -> None:
        layers = list(dict.fromkeys(zone["layer"] for zone in self._map["zones"]))
        for zone in reversed(self._map["zones"]):
            self._shape(field, zone["geometry"], self._zone_look(zone, layers), fill=zone["colour"])
        for layer in layers:
            zones = [zone for zone in self._map["zones"] if zone["layer"] == layer]
            look = self._zone_look(zones[0], layers)
            marks = []
            if any(zone["is_indicative"] for zone in zones):
                marks.append(self._words("phrase.indicative"))
            if any(zone["is_demonstration"] for zone in zones):
                marks.append(self._words("phrase.demonstration"))
            told = f" ({self._words.listed(marks)})" if marks else ""
            self._entries.append(_Entry(self._words.pick(zones[0]["title"]) + told, look=tuple(look.items())))

    def _draw_outlines(self, field: Element) -> None:
        """The outlines of zones once more, thin and dark, where the parts of the site hide them."""
        look = {"stroke": "#111", "stroke-width": "1", "stroke-dasharray": "4 2"}
        group = ElementTree.SubElement(field, "g", {"clip-path": f"url(#{self._name}-inside)"})
        for zone in self._map["zones"]:
            self._shape(group, zone["geometry"], look)

    def _zone_look(self, zone: dict[str, Any], layers: list[str]) -> dict[str, str]:
        dash = _DASHES[layers.index(zone["layer"]) % len(_DASHES)]
        look = {"stroke": zone["colour"], "stroke-width": "2", "stroke-linejoin": "round"}
        return look | ({"stroke-dasharray": dash} if dash else {})

    def _draw_parts(self, field: Element) -> None:
        for verdict in reversed(WORST_FIRST):
            geometry = self._map["parts"][verdict]
            if geometry is None:
                continue
            stroke = {"stroke": COLOURS[verdict], "stroke-width": "1"}
            if "Polygon" not in geometry["type"]:
                stroke["stroke-width"] = "5"
            self._shape(field, geometry, stroke, fill=f"url(#{self._name}-{verdict})", opacity="1")
        present = [v for v in WORST_FIRST if self._map["parts"][v] is not None]
        self._entries = [_Entry(self._words(f"verdict.{v}"), verdict=v) for v in present] + self._entries

    def _draw_site(self, field: Element) -> None:
        look = {"stroke": "#111", "stroke-width": "2.4", "stroke-linejoin": "round"}
        way = {"stroke": "#0b57d0", "stroke-width": "2", "stroke-dasharray": "6 4"}
        link = {"stroke": "#111", "stroke-width": "1.2", "stroke-dasharray": "2 3"}
        for line in self._map["links"]:
            self._shape(field, line, link)
        if self._map["moved"] is not None:
            self._shape(field, self._map["moved"], way)
            self._entries.append(_Entry(self._words("map.moved"), look=tuple(way.items())))
        if self._map["links"]:
            self._entries.append(_Entry(self._words("map.link"), look=tuple(link.items())))
        self._shape(field, self._map["site"], look)
        self._entries.insert(0, _Entry(self._words("map.site"), look=tuple(look.items())))

    def _shape(
        self,
        parent: Element,
        geometry: dict[str, Any],
        look: dict[str, str],
        *,
        fill: str = "",
        opacity: str = "0.1",
    ) -> None:
        """A geometry in the map's plane; points become rings with a dot."""
        kind, coordinates = geometry["type"], geometry["coordinates"]
        if kind in ("Point", "MultiPoint"):
            for place in [coordinates] if kind == "Point" else coordinates:
                self._mark(parent, place, look)
            return
        lines = [coordinates] if kind == "LineString" else coordinates
        if kind == "MultiPolygon":
            lines = [ring for polygon in coordinates for ring in polygon]
        closed = "Z" if "Polygon" in kind else ""
        path = " ".join(self._path(line) + closed for line in lines)
        painted = {"fill": fill or "none", "fill-rule": "evenodd"} if closed else {"fill": "none"}
        if fill and opacity != "1":
            painted["fill-opacity"] = opacity
        ElementTree.SubElement(parent, "path", {"d": path, **painted, **look})

    def _mark(self, parent: Element, place: list[float], look: dict[str, str]) -> None:
        x, y = self._at(np.array([place]))[0]
        ring = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "fill": "#fff"} | look
        ElementTree.SubElement(parent, "circle", ring | {"r": "8"})
        ElementTree.SubElement(
            parent, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.5", "fill": look["stroke"]}
        )

    def _at(self, xy: Any) -> Any:
        """Pixels of places in the plane: x to the right, y down."""
        west, _, _, north = self._window
        xy = np.asarray(xy, dtype=float)[:, :2]
        return np.column_stack([(xy[:, 0] - west) * self._scale, (north - xy[:, 1]) * self._scale])

    def _path(self, line: list[list[float]]) -> str:
        return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in self._at(line))

    # --- what explains it ---------------------------------------------------------------------------------

    def _draw_labels(self, field: Element) -> None:
        """The names of zones, as far as they find room beside the site."""
        site = shapely.box(*shapely.geometry.shape(self._map["site"]).bounds)
        west, south, east, north = site.bounds
        (left, top), (right, bottom) = self._at([[west, north], [east, south]])
        self._taken.append((left - 2, top - 2, right + 2, bottom + 2))
        around = shapely.buffer(site, _SITE_PX / self._scale)
        shown = shapely.difference(shapely.box(*self._window), around)
        for zone in self._map["zones"][:_LABELS]:
            inside = shapely.intersection(shapely.make_valid(shapely.geometry.shape(zone["geometry"])), shown)
            if shapely.is_empty(inside):
                continue
            (x, y) = self._at(shapely.get_coordinates(shapely.point_on_surface(inside)))[0]
            text = zone["name"] if len(zone["name"]) <= 28 else zone["name"][:27] + "…"
            self._label(field, text, x, y, zone["colour"])

    def _label(self, field: Element, text: str, x: float, y: float, colour: str) -> None:
        """One name, at the place or some lines above or below it; left out where there is no room."""
        wide = _width(text, _SIZE)
        x = min(max(x, wide / 2 + 6), WIDTH - wide / 2 - 6)
        for off in (0.0, 18.0, -18.0, 36.0, -36.0, 54.0, -54.0):
            line = min(max(y + off, 20.0), HEIGHT - 40.0)
            box = (x - wide / 2, line - _SIZE, x + wide / 2, line + 4)
            if not any(_overlap(box, other) for other in self._taken):
                self._taken.append(box)
                self._haloed(field, text, x, line, colour)
                return

    def _haloed(self, parent: Element, text: str, x: float, y: float, colour: str) -> None:
        place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "font-size": f"{_SIZE:g}", "text-anchor": "middle"}
        halo = {"stroke": "#fff", "stroke-width": "3.5", "stroke-linejoin": "round", "fill": "#fff"}
        ElementTree.SubElement(parent, "text", place | halo).text = text
        ElementTree.SubElement(parent, "text", place | {"fill": colour, "font-weight": "bold"}).text = text

    def _draw_scale(self, svg: Element) -> None:
        """A bar of a round length, some fifth of the map."""
        metres = _round_below(WIDTH / 5 / self._scale)
        long, x, y = metres * self._scale, 16.0, HEIGHT - 20
        panel = {"x": "8", "y": f"{y - 20:g}", "width": f"{long + 56:.1f}", "height": "34", "fill": "#fff"}
        ElementTree.SubElement(svg, "rect", panel | {"fill-opacity": "0.88"})
        for at, fill in ((0, "#14302b"), (1, "#fff")):
            half = {"x": f"{x + at * long / 2:.1f}", "y": f"{y:g}", "width": f"{long / 2:.1f}", "height": "5"}
            ElementTree.SubElement(svg, "rect", half | {"fill": fill, "stroke": "#14302b"})
        for far in (0.0, metres / 2, metres):
            unit = "" if far < metres else " m" if metres < 1000 else " km"
            told = far if metres < 1000 else far / 1000
            place = {"x": f"{x + far * self._scale:.1f}", "y": f"{y - 5:g}", "font-size": "11"}
            anchor = {"text-anchor": "start" if far == metres else "middle", "fill": "#14302b"}
            ElementTree.SubElement(svg, "text", place | anchor).text = f"{told:g}{unit}"

    def _draw_north(self, svg: Element) -> None:
        x, y = WIDTH - 30, 16.0
        wide = max(_width(self._words("phrase.grid_north"), 10) + 10, 44.0)
        panel = {
            "x": f"{WIDTH - wide - 6:.1f}",
            "y": "6",
            "width": f"{wide:.1f}",
            "height": "60",
            "fill": "#fff",
        }
        x = WIDTH - 6 - wide / 2
        ElementTree.SubElement(svg, "rect", panel | {"fill-opacity": "0.88"})
        arrow = f"M{x:g} {y:g} L{x - 8:g} {y + 30:g} L{x:g} {y + 23:g} Z"
        other = f"M{x:g} {y:g} L{x + 8:g} {y + 30:g} L{x:g} {y + 23:g} Z"
        ElementTree.SubElement(svg, "path", {"d": arrow, "fill": "#14302b", "stroke": "#14302b"})
        ElementTree.SubElement(svg, "path", {"d": other, "fill": "#fff", "stroke": "#14302b"})
        place = {
            "x": f"{x:g}",
            "y": f"{y + 44:g}",
            "font-size": "10",
            "text-anchor": "middle",
            "fill": "#14302b",
        }
        ElementTree.SubElement(svg, "text", place).text = self._words("phrase.grid_north")

    def _legend(self) -> tuple[Element, float]:
        """The legend in rows below the map, and how high it is."""
        group = Element("g", {"transform": f"translate(0 {HEIGHT + 8:g})"})
        x, y = 0.0, 0.0
        for entry in self._entries:
            wide = 38 + _width(entry.text, _SIZE)
            if x and x + wide > WIDTH:
                x, y = 0.0, y + _ROW
            if entry.verdict:
                _patch(group, entry.verdict, f"{self._name}-{entry.verdict}", x + 1, y + 3, 28, 13)
            else:
                line = {"x1": f"{x + 1:g}", "x2": f"{x + 29:g}", "y1": f"{y + 10:g}", "y2": f"{y + 10:g}"}
                ElementTree.SubElement(group, "line", line | dict(entry.look))
            place = {"x": f"{x + 35:g}", "y": f"{y + 14:g}", "font-size": f"{_SIZE:g}", "fill": "#14302b"}
            ElementTree.SubElement(group, "text", place).text = entry.text
            x += wide + _GAP
        return group, y + _ROW + 10


def _width(text: str, size: float) -> float:
    """About how wide a text is; Chinese letters are square."""
    return sum(size if unicodedata.east_asian_width(c) in "WFA" else size * 0.56 for c in text)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _round_below(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is no longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= length)
