"""JSON Schemas that follow from a layer's definition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gis.filters import filterable
from layers.model import Field, Layer

__all__ = ["queryables", "schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "enum": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
_FORMATS = {
    "Point": "geometry-point",
    "MultiPoint": "geometry-multipoint",
    "LineString": "geometry-linestring",
    "MultiLineString": "geometry-multilinestring",
    "Polygon": "geometry-polygon",
    "MultiPolygon": "geometry-multipolygon",
    "Geometry": "geometry-any",
}


def queryables(layer: Layer, address: str, language: str) -> dict[str, Any]:
    """What items of ``layer`` can be filtered by, as OGC API Features part 3 writes it."""
    return _schema(layer, address, language, filterable(layer).values()) | {"additionalProperties": False}


def schema(layer: Layer, address: str, language: str) -> dict[str, Any]:
    """What an item of ``layer`` holds, as OGC API Features part 5 writes it."""
    body = _schema(layer, address, language, layer.fields)
    body["properties"]["uid"] = {"type": "string", "x-ogc-role": "id"}
    body["required"] = ["uid", *(field.name for field in layer.fields if field.required)]
    return body


def _schema(layer: Layer, address: str, language: str, fields: Iterable[Field]) -> dict[str, Any]:
    properties = {field.name: _property(field, language) for field in fields}
    if layer.has_geometry:
        properties["geometry"] = {"format": _FORMATS[layer.geometry], "x-ogc-role": "primary-geometry"}
    return {
        "$schema": _DIALECT,
        "$id": address,
        "type": "object",
        "title": layer.title.text(language),
        "description": layer.abstract.text(language),
        "properties": properties,
    }


def _property(field: Field, language: str) -> dict[str, Any]:
    described: dict[str, Any] = {"title": field.title.text(language), **_TYPES[field.type]}
    if field.description is not None:
        described["description"] = field.description.text(language)
    if field.unit is not None:
        described["x-ogc-unit"] = field.unit
    if field.code_list:
        described["oneOf"] = [
            {"const": value.code, "title": value.title.text(language)} for value in field.code_list
        ]
        described["enum"] = [value.code for value in field.code_list]
    bounds = (("minimum", field.min), ("maximum", field.max), ("pattern", field.pattern))
    return described | {name: bound for name, bound in bounds if bound is not None}
