"""JSON Schemas that follow from a layer's definition (OGC API Features, parts 3, 5 and 8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gis.editing import READ_ONLY
from gis.features import property_fields, sortable
from gis.filters import filterable
from layers.model import Field, Layer

__all__ = ["queryables", "schema", "sortables"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "enum": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "number": {"type": "number", "format": "double"},
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
_ROLES = {"uid": "id", "valid_from": "primary-interval-start", "valid_to": "primary-interval-end"}
# Units as UCUM writes them, which is what x-ogc-unit holds; 亩, 头 and 亿元 it does not have.
_UCUM = {
    "m": "m", "%": "%", "MW": "MW", "km²": "km2", "m²": "m2", "m³/d": "m3/d", "t/d": "t/d", "t/h": "t/h",
    "km": "km", "ha": "har", "°": "deg", "t": "t", "m³": "m3", "t/a": "t/a", "mg/L": "mg/L",
}  # fmt: skip


def queryables(layer: Layer, address: str, language: str) -> dict[str, Any]:
    """What items of ``layer`` can be filtered by; `gis.filters` and `gis.cql2` know no other name."""
    return _schema(layer, address, language, filterable(layer).values(), placed=True)


def sortables(layer: Layer, address: str, language: str) -> dict[str, Any]:
    """What items of ``layer`` can be sorted by."""
    fields = filterable(layer)
    return _schema(layer, address, language, [fields[name] for name in sortable(layer)], placed=False)


def schema(layer: Layer, address: str, language: str) -> dict[str, Any]:
    """What an item of ``layer`` holds, and of that what may be written: all that is not ``readOnly``."""
    known = filterable(layer)
    fields = [known[name] for name in property_fields(layer)]
    body = _schema(layer, address, language, fields, placed=True)
    for name in READ_ONLY:
        body["properties"][name]["readOnly"] = True
    body["required"] = ["uid", *(field.name for field in layer.fields if field.required)]
    return body


def _schema(
    layer: Layer, address: str, language: str, fields: Iterable[Field], *, placed: bool
) -> dict[str, Any]:
    properties = {field.name: _property(field, language) for field in fields}
    if layer.has_geometry and placed:
        properties["geometry"] = {
            "title": "几何" if language == "zh" else "Geometry",
            "format": _FORMATS[layer.geometry],
            "x-ogc-role": "primary-geometry",
        }
    for place, described in enumerate(properties.values(), 1):
        described["x-ogc-propertySeq"] = place
    return {
        "$schema": _DIALECT,
        "$id": address,
        "type": "object",
        "title": layer.title.text(language),
        "description": layer.abstract.text(language),
        "properties": properties,
        "additionalProperties": False,
    }


def _property(field: Field, language: str) -> dict[str, Any]:
    described: dict[str, Any] = {"title": field.title.text(language), **_TYPES[field.type]}
    if field.description is not None:
        described["description"] = field.description.text(language)
    if field.name in _ROLES:
        described["x-ogc-role"] = _ROLES[field.name]
    if field.unit is not None:
        keyword = "x-ogc-unit" if field.unit in _UCUM else "x-onemap-unit"
        described[keyword] = _UCUM.get(field.unit, field.unit)
    if field.code_list:
        described["oneOf"] = [
            {"const": value.code, "title": value.title.text(language)} for value in field.code_list
        ]
        described["enum"] = [value.code for value in field.code_list]
    bounds = (("minimum", field.min), ("maximum", field.max), ("pattern", field.pattern))
    return described | {name: bound for name, bound in bounds if bound is not None}
