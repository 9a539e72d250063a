"""Which layers an uploaded table could belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gis.importing import mapping
from gis.importing.reading import Reading
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["rank_layers"]

_FAMILIES = {"Point": {"Point", "Multipoint"}, "LineString": {"Linestring", "Multilinestring", "Linearring"},
             "Polygon": {"Polygon", "Multipolygon"}}  # fmt: skip
# Weights by judgement: a required field without a column refuses every row, a column without a field is only
# left out. A table of the wrong kind of geometry is kept in the list, at its end.
_REQUIRED, _KNOWN, _USED = 0.45, 0.2, 0.35
_WRONG_GEOMETRY = 0.2


def rank_layers(
    definition: MapDefinition, reading: Reading, kinds: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Layers that take files, the likeliest first, each with a score from 0 to 1 and what speaks for it.

    ``kinds`` counts the rows by kind of geometry. "missing" names required fields that no column was found
    for, "matched" counts the fields with a column.
    """
    ranked = [_fit(layer, reading, kinds) for layer in definition.layers.values() if layer.derived is None]
    return sorted(ranked, key=lambda entry: -entry["score"])


def _fit(layer: Layer, reading: Reading, kinds: Mapping[str, int]) -> dict[str, Any]:
    proposed = {entry.field: entry for entry in mapping.propose(layer, reading) if entry.column}
    required = [field.name for field in layer.fields if field.required]
    missing = [name for name in required if name not in proposed]
    strength = sum(min(1.0, entry.score) for entry in proposed.values())
    columns = max(1, len(reading.header.columns))
    score = (
        _REQUIRED * (1 - len(missing) / len(required) if required else 0.5)
        + _KNOWN * strength / len(layer.fields)
        + _USED * min(1.0, strength / columns)
    )
    suits = geometry_suits(layer, kinds)
    return {
        "id": layer.id,
        "title": layer.title.model_dump(),
        "geometry": layer.geometry,
        "score": round(score if suits else score * _WRONG_GEOMETRY, 3),
        "suits": suits,
        "missing": missing,
        "matched": len(proposed),
    }


def geometry_suits(layer: Layer, kinds: Mapping[str, int]) -> bool:
    """Whether most rows have the layer's kind of geometry; rows without any suit every layer."""
    placed = {kind: count for kind, count in kinds.items() if kind != "none"}
    if not placed:
        return True
    if not layer.has_geometry:
        return False
    if layer.geometry == "Geometry":
        return True
    family = _FAMILIES[layer.geometry.removeprefix("Multi")]
    return sum(count for kind, count in placed.items() if kind in family) * 2 > sum(placed.values())
