"""From findings to the pieces that sentences and records are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gis.screening.findings import WORST_FIRST, Finding
from gis.screening.sentences import Met
from gis.settings import MapDefinition
from layers.model import Text
from layers.rulemodel import PARCEL, AreaShareOutside, Reference

__all__ = ["citation", "field_titles", "met_of", "outside_share"]


def field_titles(definition: MapDefinition, subjects: Iterable[str]) -> dict[str, Text]:
    """Titles of what a finding may call missing: subject attributes and "<layer>.<attribute>" of zones."""
    titles: dict[str, Text] = {}
    layers = definition.whole.layers
    for layer in layers.values():
        for field in layer.fields:
            both = Text(zh=f"{layer.title.zh}的{field.title.zh}", en=f"{field.title.en} of {layer.title.en}")
            titles[f"{layer.id}.{field.name}"] = both
        accuracy = Text(zh=f"{layer.title.zh}的精度", en=f"accuracy of {layer.title.en}")
        titles[f"{layer.id}.accuracy_m"] = accuracy
    for subject in subjects:
        if subject != PARCEL:
            titles |= {field.name: field.title for field in layers[subject].fields}
    return titles


def met_of(finding: Finding) -> Met | None:
    """The zone that decides a finding: the worst, then the largest share, then the nearest."""
    if not finding.zones:
        return None
    zone, *others = finding.zones
    if others:
        zone = min(finding.zones, key=lambda z: (WORST_FIRST[z.verdict], -(z.share or 0.0), z.distance_m))
    # The fact's bearing leads from the subject to the zone; a sentence says where the subject lies.
    bearing = None if zone.bearing_deg is None else (zone.bearing_deg + 180.0) % 360.0
    return Met(
        name=zone.name or zone.uid, overlap_m2=zone.overlap_m2, overlap_m=zone.overlap_m, share=zone.share,
        distance_m=zone.distance_m, bearing_deg=bearing, more=len(others), limit_m=zone.limit_m,
        along_m=zone.along_m, river=zone.river,
    )  # fmt: skip


def outside_share(finding: Finding) -> float | None:
    """For a rule about lying outside, the share of a line or polygon that surely or possibly does."""
    if not isinstance(finding.rule.predicate, AreaShareOutside) or finding.parts is None:
        return None
    sizes = finding.parts.sizes
    return float((sizes[0] + sizes[2]) / sizes.sum()) if sizes.sum() else None


def citation(reference: Reference) -> dict[str, Any]:
    """One article as the record shows it."""
    return {
        "key": reference.key,
        "law": reference.law.model_dump(),
        "article": reference.article,
        "citation": {"zh": reference.citation("zh"), "en": reference.citation("en")},
        "text": reference.text.model_dump(),
        "confidence": reference.confidence,
        "valid_from": reference.valid_from.isoformat(),
        "valid_to": reference.valid_to.isoformat() if reference.valid_to else None,
        "dates_confirmed": reference.dates_confirmed,
        "ancillary": reference.ancillary,
    }
