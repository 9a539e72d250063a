"""Features as JSON-FG (OGC 21-045r1, 1.0): place in any CRS with its own axes, and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gis.axes import CRS84, NamedCrs
from gis.features.reading import Feature
from layers.model import Layer

__all__ = ["JSONFG_CLASSES", "TIME_PROPERTIES", "as_jsonfg"]

JSONFG_CLASSES = tuple(
    f"http://www.opengis.net/spec/json-fg-1/1.0/conf/{name}" for name in ("core", "types-schemas")
)
"""The conformance classes that the documents state."""
TIME_PROPERTIES = ("valid_from", "valid_to")
_DIMENSIONS = {
    "Point": 0, "MultiPoint": 0, "LineString": 1, "MultiLineString": 1, "Polygon": 2, "MultiPolygon": 2,
}  # fmt: skip


def as_jsonfg(
    layer: Layer, features: Sequence[Feature], crs: NamedCrs, properties: Sequence[str] | None
) -> tuple[dict[str, Any], list[Feature]]:
    """What a document says of all its features, and the features, made from GeoJSON ones in ``crs``.

    In CRS84 the geometry stands in ``geometry`` and ``place`` is null; in another CRS it is the reverse. Time
    is what the row holds in law; ``features`` come with both ends of it, of which only those in
    ``properties`` (None: all) stay among the properties.
    """
    head: dict[str, Any] = {"conformsTo": list(JSONFG_CLASSES), "featureType": layer.id}
    if crs != CRS84:
        head["coordRefSys"] = crs.uri
    if layer.geometry in _DIMENSIONS:
        head["geometryDimension"] = _DIMENSIONS[layer.geometry]
    return head, [_feature(feature, crs, properties) for feature in features]


def _feature(feature: Feature, crs: NamedCrs, properties: Sequence[str] | None) -> Feature:
    held: Mapping[str, Any] = feature["properties"]
    kept = {name: value for name, value in held.items() if properties is None or name in properties}
    shape = feature["geometry"]
    plain, place = (shape, None) if crs == CRS84 else (None, shape)
    return {**feature, "time": _time(held), "geometry": plain, "place": place, "properties": kept}


def _time(held: Mapping[str, Any]) -> dict[str, Any] | None:
    start, end = (held[name] for name in TIME_PROPERTIES)
    if start is None and end is None:
        return None
    return {"interval": [".." if day is None else day.isoformat() for day in (start, end)]}
