"""A ready QGIS project: every layer with its style, read from this service."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from gis.settings import MapDefinition
from gis.style.qml import add_renderer, add_symbol
from gis.style.symbols import AREA, LINE, POINT, child, kinds_of, rows_of, style_of, written
from layers.model import Layer

__all__ = ["qgis_project"]

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_VERSION = "3.22.0-Białowieża"
_WEB = "EPSG:3857"
_ID = "onemap_layer_{}"  # QGIS gives another identifier to whatever has a short one
_GEOMETRIES = {POINT: "Point", LINE: "Line", AREA: "Polygon"}


def qgis_project(
    definition: MapDefinition, titles: Sequence[tuple[str, Sequence[Layer]]], base: str, language: str
) -> bytes:
    """The project as a .qgs file for QGIS 3.22 and newer, in EPSG:3857.

    ``titles`` are the themes with their layers, in the order of the tree; ``base`` is the address of the
    service. Layers with one kind of geometry are read as features (OGC API Features), which can be filtered
    and identified; a layer that mixes kinds is read as vector tiles. Registers are left out.
    """
    district = definition.district
    root = ET.Element("qgis", {"projectname": district.name.text(language), "version": _VERSION})
    child(root, "title", district.name.text(language))
    _reference(child(root, "projectCrs"), _WEB)
    tree, held = child(root, "layer-tree-group"), ET.Element("projectlayers")
    for title, layers in titles:
        drawn = [layer for layer in layers if layer.has_geometry]
        if not drawn:
            continue
        group = child(
            tree, "layer-tree-group", None, {"name": title, "expanded": 1, "checked": "Qt::Checked"}
        )
        for layer in sorted(drawn, key=lambda layer: -layer.order):
            _leaf(group, layer, base, language)
            _layer(held, layer, base, language)
    _view(root, definition)
    root.append(held)
    # Without this QGIS reads no CRS of the project.
    references = child(child(root, "properties"), "SpatialRefSys")
    child(references, "ProjectionsEnabled", 1, {"type": "int"})
    return written(root, doctype=_DOCTYPE)


def _view(root: ET.Element, definition: MapDefinition) -> None:
    from gis.tiles.matrix import QUAD

    canvas = child(root, "mapcanvas", None, {"name": "theMapCanvas", "annotationsVisible": 1})
    child(canvas, "units", "meters")
    extent = child(canvas, "extent")
    for name, value in zip(
        ("xmin", "ymin", "xmax", "ymax"), QUAD.in_plane(definition.bounds_lonlat), strict=True
    ):
        child(extent, name, value)
    child(canvas, "rotation", 0)
    _reference(child(canvas, "destinationsrs"), _WEB)


def _reference(parent: ET.Element, authid: str) -> None:
    system = child(parent, "spatialrefsys")
    child(system, "srsid", 3857)  # some number of QGIS's own: the name is looked at only beside one
    child(system, "authid", authid)


def _provider(layer: Layer) -> str:
    return "OAPIF" if len(kinds_of(layer)) == 1 else "vectortile"


def _source(layer: Layer, base: str) -> str:
    if _provider(layer) == "OAPIF":
        paged = "pagingEnabled='true' restrictToRequestBBOX='1'"
        return f"{paged} srsname='OGC:CRS84' typename='{layer.id}' url='{base}'"
    tiles = f"{base}/collections/{layer.id}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}"
    zooms = {"type": "xyz", "zmin": layer.zoom.min, "zmax": 14}
    return f"{urlencode(zooms)}&url={quote(tiles, safe=':/')}"


def _leaf(group: ET.Element, layer: Layer, base: str, language: str) -> None:
    child(group, "layer-tree-layer", None, {
        "id": _ID.format(layer.id), "name": layer.title.text(language), "source": _source(layer, base),
        "providerKey": _provider(layer), "expanded": 0,
        "checked": "Qt::Checked" if layer.visible else "Qt::Unchecked",
    })  # fmt: skip


def _layer(parent: ET.Element, layer: Layer, base: str, language: str) -> None:
    is_features = _provider(layer) == "OAPIF"
    attributes = {"type": "vector" if is_features else "vector-tile", "styleCategories": "AllStyleCategories"}
    if is_features:
        attributes["geometry"] = _GEOMETRIES[kinds_of(layer)[0]]
    held = child(parent, "maplayer", None, attributes)
    child(held, "id", _ID.format(layer.id))
    child(held, "datasource", _source(layer, base))
    child(held, "layername", layer.title.text(language))
    child(held, "abstract", layer.abstract.text(language))
    _reference(child(held, "srs"), "OGC:CRS84" if is_features else _WEB)
    if is_features:
        child(held, "provider", "OAPIF", {"encoding": "UTF-8"})
        add_renderer(held, layer, kinds_of(layer)[0], language)
        child(held, "previewExpression", f'"{layer.names.label}"')
    else:
        _tile_renderer(held, layer, language)
    child(held, "blendMode", 0)
    child(held, "layerOpacity", 1)


def _tile_renderer(held: ET.Element, layer: Layer, language: str) -> None:
    """One style a class and kind of geometry, as vector tiles have several."""
    by, rows = style_of(layer).by, rows_of(layer)
    styles = child(child(held, "renderer", None, {"type": "basic"}), "styles")
    for kind in kinds_of(layer):
        for row in rows:
            known = ", ".join(f"'{other.value}'" for other in rows if other.value is not None)
            chosen = (
                f"\"{by}\" = '{row.value}'" if row.value else f'"{by}" IS NULL OR "{by}" NOT IN ({known})'
            )
            style = child(styles, "style", None, {
                "name": row.label.text(language), "layer": layer.id, "enabled": 1,
                "min-zoom": -1, "max-zoom": -1,
                "geometry": {POINT: 0, LINE: 1, AREA: 2}[kind], "expression": chosen if by else "",
            })  # fmt: skip
            add_symbol(child(style, "symbols"), row, kind, "0")
