"""What a rule may refer to: the layers, fields, codes, legal keys and tables that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from layers.model import Field, Layer, Unfit, known
from layers.predicates import (
    LAW_DATE,
    NONE,
    Bounds,
    DWithin,
    DWithinBy,
    DWithinStated,
    Intersects,
    Prefix,
    Scalar,
    StatedNone,
    UpstreamWithin,
    Where,
    both_of,
)
from layers.rulemodel import PARCEL, Reference, RuleEntry, SiteKind, Table

__all__ = ["Names", "check_rule", "check_where"]


@dataclass(frozen=True)
class Names:
    """All that the rules of a pack may refer to."""

    sites: Sequence[SiteKind]
    layers: Mapping[str, Layer]
    references: Mapping[str, Reference]
    tables: Mapping[str, Table]


def check_rule(entry: RuleEntry, names: Names) -> None:
    """Raise Unfit unless all that a rule refers to exists and fits."""
    for key in entry.legal:
        known(f"{entry.id} cites the legal key", key, names.references)
    for name in entry.tables:
        known(f"{entry.id} names the table", name, names.tables)
        if names.tables[name].decides in entry.subject_where:
            _check_table(entry, names.tables[name], names)
    if entry.zone_layer is not None:
        zone_layer = _screened_layer(entry, entry.zone_layer, names.layers)
        check_where(entry.id, entry.zone_where, zone_layer)
        if isinstance(entry.predicate, DWithinBy):
            check_where(entry.id, {entry.predicate.attribute: tuple(entry.predicate.distances_m)}, zone_layer)
    if isinstance(entry.predicate, UpstreamWithin) and entry.predicate.network is not None:
        if _screened_layer(entry, entry.predicate.network, names.layers).network is None:
            raise Unfit(
                f"{entry.id} follows layer {entry.predicate.network!r}, which is no network.",
                "Give that layer a [network].",
            )
    for subject in entry.subjects:
        if subject == PARCEL:
            _check_parcel(entry, names)
            continue
        layer = _screened_layer(entry, subject, names.layers)
        for where in entry.subject_wheres:
            check_where(entry.id, where, layer)
        if isinstance(entry.predicate, DWithinStated):
            _check_stated_distance(entry.id, entry.predicate, layer)


def _check_table(entry: RuleEntry, table: Table, names: Names) -> None:
    """A table that decides an attribute of a rule compares with fields of its subjects and its zones."""
    where = f"{entry.id} asks for {table.decides!r}, which a table decides,"
    if entry.subject_where[str(table.decides)] is not True:
        raise Unfit(f"{where} to be other than true.", "Ask for true.")
    if isinstance(entry.predicate, (DWithinBy, DWithinStated)):
        raise Unfit(f"{where} and has no one distance.", "Write a rule for each distance.")
    for row in table.deciding:
        if row.zone and not isinstance(entry.predicate, (Intersects, DWithin)):
            raise Unfit(
                f"{where} by zones, with op {entry.predicate.op!r}.", 'Only "intersects" and "dwithin" do.'
            )
        if row.zone:
            check_where(entry.id, row.zone, names.layers[str(entry.zone_layer)])
            for name in row.zone.keys() & entry.zone_where.keys():
                both_of(row.zone[name], entry.zone_where[name])
        for subject in entry.subjects:
            if subject != PARCEL:
                check_where(entry.id, row.subject, names.layers[subject])


def _check_parcel(entry: RuleEntry, names: Names) -> None:
    """A drawn site states fields of the layers that it answers to, so one of these has what the rule asks.

    A pack without drawn sites of its own leaves that to the pack it is used with.
    """
    beside = {name for site in names.sites if PARCEL in site.subjects for name in site.subjects}
    layers = [names.layers[name] for name in sorted(beside - {PARCEL})]
    for where in entry.subject_wheres if layers else ():
        for name, condition in where.items():
            known(
                f"{entry.id} filters parcels by the field", name, (f.name for x in layers for f in x.fields)
            )
            layer = next(x for x in layers if any(f.name == name for f in x.fields))
            check_where(entry.id, {name: condition}, layer)


def _check_stated_distance(rule_id: str, predicate: DWithinStated, layer: Layer) -> None:
    """What is beyond ``at_most_m`` counts as clear, so no subject may state more."""
    known(f"{rule_id} takes its distance from the field", predicate.attribute, (f.name for f in layer.fields))
    field = layer.field(predicate.attribute)
    bounded = field.min is not None and field.min >= 0 and field.max is not None
    if field.type not in ("integer", "number") or not bounded or (field.max or 0) > predicate.at_most_m:
        raise Unfit(
            f"{rule_id} takes its distance from {layer.id}.{field.name}, which may be beyond"
            f" {predicate.at_most_m:g} m.",
            "Give the field a min and a max within at_most_m, or the rule a larger at_most_m.",
        )


def _screened_layer(entry: RuleEntry, name: str, layers: Mapping[str, Layer]) -> Layer:
    known(f"{entry.id} refers to the layer", name, layers)
    if not layers[name].has_geometry:
        raise Unfit(f"{entry.id} refers to layer {name!r}, which has no geometry.", "Choose another layer.")
    return layers[name]


def check_where(rule_id: str, where: Where, layer: Layer) -> None:
    """Raise Unfit unless a filter, or the attributes of a fixture, are fields and values of the layer."""
    fields = {field.name: field for field in layer.fields}
    for name, condition in where.items():
        known(f"{rule_id} filters {layer.id} by the field", name, fields)
        with _names_rule(rule_id, layer, name):
            _check_condition(condition, fields[name])


@contextmanager
def _names_rule(rule_id: str, layer: Layer, name: str) -> Iterator[None]:
    try:
        yield
    except Unfit as error:
        raise Unfit(f"{rule_id} on {layer.id}.{name}: {error.what}", error.remedy) from error


def _check_condition(condition: Any, field: Field) -> None:
    match condition:
        case Prefix():
            if field.type not in ("text", "enum"):
                raise Unfit(f"A prefix does not fit type {field.type}.", "Compare with values instead.")
        case StatedNone():
            if field.type in ("text", "number", "integer"):
                return
            if field.type != "enum":
                raise Unfit(f"None is no value of type {field.type}.", "Compare with values instead.")
            _check_value(NONE, field)
        case Bounds():
            if field.type not in ("integer", "number", "date", "datetime"):
                raise Unfit(f"A comparison does not fit type {field.type}.", "Compare with values instead.")
            for value in condition.values:
                _check_value(value, field)
        case tuple():
            for value in condition:
                _check_value(value, field)
        case _:
            _check_value(condition, field)


_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "text": (str,),
        "enum": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "date": (date,),
        "datetime": (date,),
    }
)


def _check_value(value: Scalar, field: Field) -> None:
    if value == LAW_DATE and field.type in ("date", "datetime"):
        return
    fits = isinstance(value, _PYTHON_TYPES[field.type]) and isinstance(value, bool) == (
        field.type == "boolean"
    )
    if not fits:
        raise Unfit(f"{value!r} does not fit type {field.type}.", "Correct the value.")
    if field.type == "enum":
        known("Code", str(value), (code.code for code in field.code_list))
