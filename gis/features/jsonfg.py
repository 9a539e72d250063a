"""Features as JSON-FG (OGC 21-045r1, 1.0): place in any CRS with its own axes, and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gis.axes import CRS84, NamedCrs
from gis.features.reading import Feature
from layers.model import Layer

__all__ = ["TIME_PROPERTIES", "as_jsonfg", "in_lonlat"]

_SPEC = "http://www.opengis.net/spec/json-fg-1/1.0/conf"
_CORE, _TYPES = f"{_SPEC}/core", f"{_SPEC}/types-schemas"
TIME_PROPERTIES = ("valid_from", "valid_to")
_DIMENSIONS = {
    "Point": 0, "MultiPoint": 0, "LineString": 1, "MultiLineString": 1, "Polygon": 2, "MultiPolygon": 2,
}  # fmt: skip


def as_jsonfg(
    layer: Layer,
    features: Sequence[Feature],
    crs: NamedCrs,
    properties: Sequence[str] | None,
    plain: Sequence[Feature] | None = None,
) -> tuple[dict[str, Any], list[Feature]]:
    """What a document says of all its features, and the features, made from GeoJSON ones in ``crs``.

    In CRS84 the geometry stands in ``geometry`` and ``place`` is null; in another CRS it is the reverse,
    unless ``plain`` has the same features in CRS84 for readers of GeoJSON. Time is what the row holds in law;
    ``features`` come with both ends of it, of which only those in ``properties`` (None: all) stay among the
    properties.
    """
    head: dict[str, Any] = {"conformsTo": [_CORE, _TYPES], "featureType": layer.id}
    if crs != CRS84:
        head["coordRefSys"] = crs.uri
    if layer.geometry in _DIMENSIONS:
        head["geometryDimension"] = _DIMENSIONS[layer.geometry]
    made = [_feature(feature, crs, properties) for feature in features]
    if plain is not None and crs != CRS84:
        for feature, twin in zip(made, plain, strict=True):
            feature["geometry"] = twin["geometry"]
    return head, made


def in_lonlat(document: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON document in CRS84, whose features say their ``time`` as JSON-FG does, as a document of it.

    What the features conform to is told at the root alone.
    """
    features: list[dict[str, Any]] = document.get("features", [document])
    classes = dict.fromkeys([_CORE, *(name for each in features for name in each.get("conformsTo", ()))])
    made = [{k: v for k, v in each.items() if k != "conformsTo"} | {"place": None} for each in features]
    return {"conformsTo": list(classes)} | (
        document | {"features": made} if "features" in document else made[0]
    )


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
