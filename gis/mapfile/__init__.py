"""A layer as one HTML file with a map in it, which opens anywhere without a network.

folium makes the page and its map; the scripts and styles that it would fetch from other hosts stand in the
file itself. Whatever comes from data reaches the page as JSON and is shown as text, never as HTML.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import folium
import numpy as np
import orjson
import shapely
from branca.element import Element, Figure, MacroElement
from folium.template import Template
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, or_, select

from gis import tables
from gis.crs import LONLAT
from gis.errors import ExportRefused
from gis.features import Feature, features_of, read_rows
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["as_script", "inlined", "map_page"]

_HERE = Path(__file__).parent
_VENDOR = _HERE.parents[1] / "web" / "vendor"
# Outlines around the layer are for orientation; about 50 m.
_CONTEXT_TOLERANCE_DEG = 0.0005
# More shapes than this are drawn on a canvas, which is faster but cannot be reached one by one.
_SVG_SHAPES = 4000
_OUTLINES = ("LineString", "MultiLineString", "Polygon", "MultiPolygon")


def map_page(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    rows: Sequence[Row[Any]],
    geometry: NDArray[np.object_] | None,
    rev: int,
) -> str:
    """The HTML of a map of ``rows``, drawn and explained as the layer's definition says.

    Parameters
    ----------
    rows, geometry
        As `gis.features.read_rows` gives them, in lon/lat.
    rev : int
        The revision that they show; the outlines around them are of the same.

    Raises
    ------
    ExportRefused
        When the layer is a register without geometry.
    """
    if geometry is None or layer.style is None:
        raise ExportRefused(
            f"{layer.id} has no geometry; it cannot be a map.",
            f"{layer.id} 没有几何，不能导出为地图。",
            remedy_en="Export it as .csv.",
            remedy_zh="请导出为 .csv。",
        )
    title = _title(definition, layer)
    content = {
        "title": title,
        "note": _note(conn, definition, layer, rev),
        "extent": _extent(definition, geometry),
        "fields": [_field(field.model_dump(mode="json")) for field in layer.fields],
        "label": layer.names.label,
        "style": layer.style.model_dump(mode="json"),
        "legend": [row.model_dump(mode="json") for row in layer.legend()],
        "features": [_stated(feature) for feature in features_of(layer, rows, geometry)],
        "context": _context(conn, definition, layer, rev),
    }
    west, south, east, north = definition.district.extent
    page = folium.Map(
        location=((south + north) / 2, (west + east) / 2),
        tiles=None,
        zoom_start=definition.district.view.zoom,
        prefer_canvas=len(rows) > _SVG_SHAPES,
        control_scale=True,
    )
    # These lists name the scripts and styles that folium links from other hosts.
    page.default_js, page.default_css = [], []
    page.add_child(_Drawing(as_script(content)))
    figure = page.get_root()
    assert isinstance(figure, Figure)
    figure.title = f"{title['zh']} · {title['en']}"
    for name, text in inlined().items():
        figure.header.add_child(_verbatim(text), name=name)
    return str(figure.render())


class _Drawing(MacroElement):
    """Calls the page's own script with the content, once the map is there."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "onemap({{ this._parent.get_name() }}, {{ this.content }});"
        "{% endmacro %}"
    )

    def __init__(self, content: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Drawing"
        self.content = content


def _verbatim(text: str) -> Element:
    """An element of exactly ``text``; as a template of its own, braces in scripts would mean something."""
    element = Element("{{ this.verbatim }}")
    setattr(element, "verbatim", text)  # noqa: B010  the class declares no attributes of its own
    return element


@cache
def inlined() -> dict[str, str]:
    """The tags of the page's head: Leaflet and the page's own script and styles."""
    leaflet = next(iter(sorted(_VENDOR.glob("leaflet-[0-9]*"))))
    script = re.sub(r"//# sourceMappingURL=.*", "", (leaflet / "leaflet.js").read_text(encoding="utf-8"))
    styles = re.sub(
        r"url\(([^)]+)\)", lambda found: _data_url(leaflet / found[1]), (leaflet / "leaflet.css").read_text()
    )
    return {
        "leaflet_css": f"<style>{styles}</style>",
        "page_css": f"<style>{(_HERE / 'page.css').read_text(encoding='utf-8')}</style>",
        "leaflet": f"<script>{script}</script>",
        "page": f"<script>{(_HERE / 'page.js').read_text(encoding='utf-8')}</script>",
    }


def _data_url(file: Path) -> str:
    if not file.is_file():
        return "none"
    return f"url(data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()})"


def as_script(content: Any) -> str:
    """JSON that cannot end the script it stands in, whatever its texts hold."""
    text = orjson.dumps(content).decode()
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _title(definition: MapDefinition, layer: Layer) -> dict[str, str]:
    name = definition.district.name
    return {"zh": f"{name.zh} · {layer.title.zh}", "en": f"{name.en} · {layer.title.en}"}


def _note(conn: Connection, definition: MapDefinition, layer: Layer, rev: int) -> dict[str, str]:
    """Which state of knowledge the file shows, and when it was written."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    zh, en = f"数据修订 {rev}，导出于 {now}", f"Data revision {rev}, written {now}"
    if layer.derived == "conflicts":
        judged = _judged(conn, layer, rev)
        zh, en = f"{zh}；判定至修订 {judged}", f"{en}; judged up to revision {judged}"
    attribution = definition.district.attribution
    return {"zh": f"{zh} · {attribution.zh}", "en": f"{en} · {attribution.en}"}


def _judged(conn: Connection, layer: Layer, rev: int) -> int:
    j = tables.judgings
    until = (j.c.layer == layer.id, j.c.judged_rev <= rev, or_(j.c.rev.is_(None), j.c.rev <= rev))
    return conn.scalar(select(func.coalesce(func.max(j.c.judged_rev), 0)).where(*until)) or 0


def _extent(definition: MapDefinition, geometry: NDArray[np.object_]) -> list[float]:
    bounds = shapely.total_bounds(geometry)
    return [float(v) for v in bounds] if np.isfinite(bounds).all() else list(definition.district.extent)


def _stated(feature: Feature) -> Feature:
    """The feature with those properties only that say something."""
    return feature | {"properties": {k: v for k, v in feature["properties"].items() if v is not None}}


def _field(field: dict[str, Any]) -> dict[str, Any]:
    return {name: field[name] for name in ("name", "title", "type", "unit", "values")}


def _context(conn: Connection, definition: MapDefinition, layer: Layer, rev: int) -> list[dict[str, Any]]:
    """Outlines of the layers that are there for orientation, simplified."""
    found = []
    for other in definition.layers.values():
        if other.role != "context" or other.geometry not in _OUTLINES or other.id == layer.id:
            continue
        rows, geometry = read_rows(conn, definition, other, rev, LONLAT)
        if not rows or geometry is None or other.style is None:
            continue
        lines = shapely.simplify(geometry, _CONTEXT_TOLERANCE_DEG)
        shapes = [orjson.Fragment(text) for text in shapely.to_geojson(lines)]
        found.append(
            {
                "title": other.title.model_dump(),
                "colour": other.style.colour,
                "width": other.style.line_width,
                "shapes": shapes,
            }
        )
    return found
