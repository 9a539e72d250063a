"""Metadata of tilesets, in the shape of OGC API Tiles (20-057) and of tileset metadata (17-083r4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from gis.tiles import MatrixSet
from layers.model import Field, Layer

__all__ = ["MVT", "matrix_set_uri", "tileset", "tileset_item"]

MVT = "application/vnd.mapbox-vector-tile"
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_DIMENSIONS = {
    "Point": 0,
    "MultiPoint": 0,
    "LineString": 1,
    "MultiLineString": 1,
    "Polygon": 2,
    "MultiPolygon": 2,
}
_KINDS = {"integer": "integer", "number": "number", "boolean": "boolean"}

Extent = tuple[float, float, float, float]


def matrix_set_uri(base: str, matrix: MatrixSet) -> str:
    """The set's name in OGC's register, or where we serve its definition."""
    return matrix.uri or f"{base}/tileMatrixSets/{matrix.id}"


def tileset_item(base: str, own: str, title: str, matrix: MatrixSet) -> dict[str, Any]:
    """A tileset as a list of tilesets shows it; ``own`` is the address of the list."""
    return {
        "title": title,
        "dataType": "vector",
        "crs": matrix.crs,
        "tileMatrixSetURI": matrix_set_uri(base, matrix),
        "links": _links(base, own, matrix, None),
    }


def tileset(
    base: str, own: str, title: str, matrix: MatrixSet, layers: Sequence[Layer], extent: Extent,
    language: str, collections: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A tileset with its layers and where it has tiles; ``extent`` is west, south, east, north in degrees."""
    west, south, east, north = extent
    first = min((layer.zoom.min for layer in layers), default=0)
    return {
        "title": title,
        "dataType": "vector",
        "accessConstraints": "unclassified",
        "mediaTypes": [MVT],
        "crs": matrix.crs,
        "tileMatrixSetURI": matrix_set_uri(base, matrix),
        "tileMatrixSetLimits": matrix.limits(extent, first),
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": _CRS84},
        "layers": [_layer(base, layer, language) for layer in layers],
        "links": _links(base, own, matrix, collections),
    }


def _layer(base: str, layer: Layer, language: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": layer.id,
        "title": layer.title.text(language),
        "description": layer.abstract.text(language),
        "dataType": "vector",
        "minTileMatrix": str(layer.zoom.min),
        "maxTileMatrix": str(layer.zoom.max),
        "propertiesSchema": {"type": "object", "properties": _properties(layer, language)},
        "links": [
            {"rel": f"{_REL}/geodata", "type": "application/json", "href": f"{base}/collections/{layer.id}"}
        ],
    }
    if layer.geometry in _DIMENSIONS:
        described["geometryDimension"] = _DIMENSIONS[layer.geometry]
    return described


def _properties(layer: Layer, language: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "uid": {"type": "string"},
        "label": {"type": "string"},
        "n": {"type": "integer", "minimum": 1},
        "is_indicative": {"type": "boolean"},
        "is_demonstration": {"type": "boolean"},
        "bbox": {"type": "string"},
    }
    if layer.style is not None and layer.style.by is not None:
        properties[layer.style.by] = _property(layer.field(layer.style.by), language)
    return properties


def _property(field: Field, language: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": field.title.text(language), "type": _KINDS.get(field.type, "string")}
    return schema | ({"enum": [value.code for value in field.code_list]} if field.code_list else {})


def _links(base: str, own: str, matrix: MatrixSet, collections: str | None) -> list[dict[str, Any]]:
    query = "" if collections is None else f"?collections={quote(collections, safe=',')}"
    return [
        {"rel": "self", "type": "application/json", "href": f"{own}/{matrix.id}{query}"},
        {
            "rel": f"{_REL}/tiling-scheme",
            "type": "application/json",
            "href": f"{base}/tileMatrixSets/{matrix.id}",
        },
        {
            "rel": "item",
            "type": MVT,
            "templated": True,
            "href": f"{own}/{matrix.id}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}{query}",
        },
    ]
