"""The service's description of itself, as OpenAPI 3.0 (clients such as GDAL and OWSLib read no newer one)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from api.queries import DEFAULT_LIMIT
from api.representation import FEATURE, FEATURES, FORMS
from gis.editing import READ_ONLY
from gis.features import property_fields
from gis.filters import filterable
from layers.model import Field, Layer

__all__ = ["describe"]

_TYPES: dict[str, dict[str, str]] = {
    "text": {"type": "string"},
    "enum": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "remedy": {"type": "string"},
        "detail_zh": {"type": "string"},
        "detail_en": {"type": "string"},
        "remedy_zh": {"type": "string"},
        "remedy_en": {"type": "string"},
        "instance": {"type": "string"},
    },
}
_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key (onemap_...), or a token of the issuer that the service trusts",
    },
}
_NOT_CHANGED = {"description": "What the client holds is current"}
_FAILURE = {
    "description": "What was wrong and what to do (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
# What GET answers where it is not plain JSON.
_GEOJSON, _SCHEMA = "application/geo+json", "application/schema+json"
_MEDIA: dict[str, tuple[str, ...]] = {
    "/": ("application/json", "text/html"),
    "/collections/{layer}/items": tuple(FORMS[name].essence for name in FEATURES),
    "/collections/{layer}/items/{uid}": tuple(FORMS[name].essence for name in FEATURE),
    "/collections/catalogue": ("application/ogc-catalog+json", "application/json"),
    "/collections/catalogue/items": (_GEOJSON,),
    "/collections/catalogue/items/{id}": (_GEOJSON,),
    "/collections/{layer}/queryables": (_SCHEMA,),
    "/collections/{layer}/schema": (_SCHEMA,),
    "/collections/{layer}/sortables": (_SCHEMA,),
    "/collections/{layer}/tiles/{matrix_set}/{z}/{y}/{x}": ("application/vnd.mapbox-vector-tile",),
    "/styles/{style}": ("application/vnd.mapbox.style+json", "application/json"),
    "/rasters/{raster}/tiles/{matrix_set}/{z}/{y}/{x}.png": ("image/png",),
    "/jobs/{job_id}/sites": ("text/csv", "application/geopackage+sqlite3", "application/octet-stream"),
}
# 20-057, 8.2: the level has a name, rows and columns are counted.
_TILE: dict[str, tuple[str, dict[str, Any]]] = {
    "z": ("tileMatrix", {"type": "string"}),
    "y": ("tileRow", {"type": "integer", "minimum": 0}),
    "x": ("tileCol", {"type": "integer", "minimum": 0}),
}
_ITEMS = "/collections/{layer}/items"
_REFUSED = {"$ref": "#/components/responses/Problem"}
# What GET may refuse for its content, its state, or what the machine lacks.
_JUDGED: dict[str, tuple[int, ...]] = {"/jobs/{job_id}/results": (409, 422, 500)}


def describe(app: FastAPI, layers: Mapping[str, Layer], max_features: int) -> dict[str, Any]:
    """The OpenAPI 3.0 document of ``app``; the items of each layer have a path of their own.

    ``max_features`` is the most that a page holds.
    """
    document: dict[str, Any] = _as_30(app.openapi())
    document["openapi"] = "3.0.3"
    document["info"].pop("summary", None)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    schemes = _SCHEMES | {"session": {"type": "apiKey", "in": "cookie", "name": app.state.cookie}}
    document["components"] |= {"securitySchemes": schemes, "responses": {"Problem": _FAILURE}}
    document["security"] = [{}, *({name: []} for name in schemes)]
    for name, path in document["paths"].items():
        for method, operation in path.items():
            for parameter in operation.get("parameters", ()):
                _as_ogc_writes(parameter, max_features)
            if method == "get":
                _say_forms(name, operation["responses"]["200"])
            operation["responses"].pop("422", None)
            operation["responses"] |= _refusals(name, method)
    document["paths"] = {_as_tiles_write(name, path): path for name, path in document["paths"].items()}
    for layer in layers.values():
        document["paths"][_ITEMS.format(layer=layer.id)] = _items_path(document["paths"][_ITEMS], layer)
    return document


def _as_tiles_write(name: str, path: dict[str, Any]) -> str:
    """The address ``name`` with the parameters of a tile called and kept as OGC API Tiles has them."""
    for ours, (theirs, schema) in _TILE.items():
        if f"/{{{ours}}}" in name and "/tiles/" in name:
            name = name.replace(f"/{{{ours}}}", f"/{{{theirs}}}")
            for operation in path.values():
                for parameter in operation["parameters"]:
                    if parameter["name"] == ours:
                        parameter |= {"name": theirs, "schema": schema}
    return name


def _say_forms(path: str, answer: dict[str, Any]) -> None:
    """Write the media types of GET beside its 200; JSON answers have a page too (`api.pages`)."""
    if path in _MEDIA:
        answer["content"] = {media: {} for media in _MEDIA[path]}
    if any("json" in media for media in answer["content"]):
        answer["content"]["text/html"] = {}


def _refusals(path: str, method: str) -> dict[str, Any]:
    """How ``method`` of ``path`` answers besides as wished: `api.errors.STATUS`, and what is found unchanged.

    A parameter, credential, right, host or number of requests that is refused, what is not there, and a
    service that is busy are for every route; the rest depends on it.
    """
    found = [400, 401, 403, 404, 421, 429, 503]
    if method != "get":
        found += [408, 409, 413, 415, 422]
    if path.startswith(_ITEMS) and method != "get":
        found += [405] if path == _ITEMS else [405, 412]
    elif path in _JUDGED:
        found += _JUDGED[path]
    unchanged = {"304": _NOT_CHANGED} if method == "get" else {}
    return unchanged | {str(status): _REFUSED for status in sorted(found)}


def _as_ogc_writes(parameter: dict[str, Any], max_features: int) -> None:
    """Turn a parameter into the fragment of the standards; lists are texts in the code."""
    schema = parameter.get("schema", {})
    if parameter["name"] == "bbox":
        numbers = {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}
        parameter |= {"schema": numbers, "style": "form", "explode": False}
    elif listed := schema.pop("x-list", False):
        pattern = {"pattern": listed} if isinstance(listed, str) else {}
        words = {"type": "array", "minItems": 1, "items": {"type": "string", **pattern}}
        parameter |= {"schema": words, "style": "form", "explode": False}
    elif schema.pop("x-maximum", False):
        schema.pop("nullable", None)
        schema |= {"maximum": max_features, "default": DEFAULT_LIMIT}


def _items_path(template: dict[str, Any], layer: Layer) -> dict[str, Any]:
    path = copy.deepcopy(template)
    operation = path["get"]
    operation["operationId"] += f"_{layer.id}"
    operation["summary"] = f"{layer.title.zh} / {layer.title.en}"
    own = [p for p in operation["parameters"] if p["in"] == "query"]
    operation["parameters"] = own + [_parameter(field) for field in filterable(layer).values()]
    if layer.role == "derived":
        del path["post"]
    else:
        _say_body(path["post"], layer)
    return path


def _say_body(operation: dict[str, Any], layer: Layer) -> None:
    """Write into POST what a new item of ``layer`` holds."""
    operation["operationId"] += f"_{layer.id}"
    operation["parameters"] = [p for p in operation["parameters"] if p["in"] != "path"]
    known = filterable(layer)
    names = [name for name in property_fields(layer) if name not in READ_ONLY]
    properties = {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in layer.fields if field.required],
        "properties": {name: _parameter(known[name])["schema"] for name in names},
    }
    for content in operation["requestBody"]["content"].values():
        content["schema"]["properties"]["properties"] = properties


def _parameter(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = dict(_TYPES[field.type])
    if field.code_list:
        schema["enum"] = [value.code for value in field.code_list]
    return {
        "name": field.name,
        "in": "query",
        "required": False,
        "description": f"{field.title.zh} / {field.title.en}",
        "schema": schema,
    }


def _as_30(node: Any) -> Any:
    """``node`` with what JSON Schema 2020-12 writes differently turned into the form of OpenAPI 3.0."""
    if isinstance(node, list):
        return [_as_30(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _as_30(value) for key, value in node.items()}
    if "anyOf" in plain:
        others = [entry for entry in plain["anyOf"] if entry != {"type": "null"}]
        if len(others) < len(plain["anyOf"]):
            del plain["anyOf"]
            plain |= {"nullable": True, **(others[0] if len(others) == 1 else {"anyOf": others})}
    if isinstance(plain.get("examples"), list):
        plain["example"] = plain.pop("examples")[0]
    for name in ("Minimum", "Maximum"):
        bound = plain.get(f"exclusive{name}")
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            plain |= {name.lower(): bound, f"exclusive{name}": True}
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    if isinstance(plain.get("type"), str):
        plain.pop("propertyNames", None)  # which 3.0 does not know
    if isinstance(plain.get("$ref"), str) and len(plain) > 1:  # what stands beside a reference is not read
        plain = {"allOf": [{"$ref": plain.pop("$ref")}], **plain}
    return plain
