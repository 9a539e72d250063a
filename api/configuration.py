"""The answer of /app/config: the definitions in the shape that the front end reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.basemaps import basemaps
from api.deps import MapState
from gis.features import LayerFacts
from gis.raster import raster_facts, raster_legend
from gis.settings import MapDefinition
from layers.district import District, Raster
from layers.model import Field, Layer
from layers.rulemodel import Group, RulePack
from layers.vocabulary import load_themes

__all__ = ["configuration"]


def configuration(
    state: MapState, facts: Mapping[str, LayerFacts], names: Mapping[str, str], rev: int
) -> dict[str, Any]:
    """District, themes, layers, rasters, rules and base maps.

    ``facts`` are those of revision ``rev``; ``names`` of what each layer's tiles hold go into their address.
    """
    from gis.screening.request import site_kinds

    definition = state.definition
    layers = list(definition.layers.values())
    conflicts = definition.derived("conflicts")
    return {
        "version": state.version,
        "revision": rev,
        "read_only": True,
        "district": _district(definition.district),
        "themes": _themes(state, layers),
        "layers": [_layer(layer, facts[layer.id]) | {"content": names[layer.id]} for layer in layers],
        "rasters": [_raster(raster) for raster in definition.district.rasters],
        "rule_groups": [_group(pack, group) for pack in definition.packs.values() for group in pack.groups],
        "rules": [
            {"id": r.id, "group": r.group, "title": r.title.model_dump(), "severity": r.severity}
            for pack in definition.packs.values()
            for r in pack.rules
        ],
        "site_kinds": [
            {"kind": site.kind, "title": site.title.model_dump()} for site in site_kinds(definition).values()
        ],
        "site_fields": _site_fields(definition),
        "conflicts_layer": conflicts.id if conflicts else None,
        "basemaps": basemaps(state.settings),
    }


def _district(district: District) -> dict[str, Any]:
    shown = {"id", "name", "extent", "view", "languages", "attribution", "area_unit_local"}
    return district.model_dump(mode="json", include=shown)


def _themes(state: MapState, layers: list[Layer]) -> list[dict[str, Any]]:
    """Themes in the order of the tree with their layers; one without layers is left out."""
    themes = load_themes(state.settings.layers)
    members = {theme: [layer.id for layer in layers if layer.theme == theme] for theme in themes}
    return [
        {"id": theme.id, "title": theme.title.model_dump(), "layers": members[theme.id]}
        for theme in themes.values()
        if members[theme.id]
    ]


def _layer(layer: Layer, facts: LayerFacts) -> dict[str, Any]:
    shown = {
        "id",
        "title",
        "abstract",
        "theme",
        "role",
        "geometry",
        "visible",
        "zoom",
        "order",
        "names",
        "style",
    }
    return layer.model_dump(mode="json", include=shown) | {
        "count": facts.count,
        "last_revision": facts.last_revision,
        "is_demonstration": facts.is_demonstration,
        "is_indicative": facts.is_indicative,
        "extent": facts.extent,
        "linked": layer.linking is not None,
        "fields": [_field(field) for field in layer.fields],
        "legend": [row.model_dump(mode="json") for row in layer.legend()],
    }


def _field(field: Field) -> dict[str, Any]:
    codes = [value.model_dump() for value in field.code_list] or None
    return field.model_dump(mode="json", include={"name", "title", "type", "unit", "description"}) | {
        "codes": codes
    }


def _raster(raster: Raster) -> dict[str, Any]:
    facts = raster_facts(raster)
    shown = {"id", "title", "abstract", "unit", "kind", "attribution", "licence", "opacity"}
    return raster.model_dump(mode="json", include=shown) | {
        "bounds": facts.bounds,
        "min": facts.minimum,
        "max": facts.maximum,
        "legend": raster_legend(raster),
    }


def _group(pack: RulePack, group: Group) -> dict[str, Any]:
    return {"id": group.id, "title": group.title.model_dump(), "pack": pack.id}


def _site_fields(definition: MapDefinition) -> list[dict[str, Any]]:
    """What rules ask of a site, each with the kinds of site that are asked."""
    from gis.screening.request import site_fields, site_kinds

    found: dict[str, dict[str, Any]] = {}
    for kind in site_kinds(definition).values():
        for field in site_fields(definition, kind):
            found.setdefault(field.name, _field(field) | {"kinds": []})["kinds"].append(kind.kind)
    return list(found.values())
