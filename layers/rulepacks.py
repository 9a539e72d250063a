"""Rule packs: siting rules with their legal texts and dates, as data.

A pack is a folder ``rules/<pack>/``, shipped here or in a folder of ``ONEMAP_LAYERS``::

    pack.toml          id, version, title and groups
    <GROUP>.toml       the rules of one group
    legal/*.toml       one law or document a file, with its dates and the articles that rules cite
    tables.toml        lists that rules lean on (optional)
    fixtures/*.toml    places with the verdict they must get (optional)

Rules know layers and fields by name only; the loader refuses a name that does not exist. What a rule means
on the ground is `gis.screening.judge`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from layers.model import DefinitionError, Frozen, Layer, Text, Unfit, known
from layers.model import Field as LayerField
from layers.rulemodel import (
    LAW_DATE,
    NONE,
    PARCEL,
    Article,
    Bounds,
    DWithinBy,
    DWithinStated,
    Fixture,
    Group,
    Prefix,
    Reference,
    Rule,
    RuleEntry,
    RulePack,
    Scalar,
    Severity,
    SiteKind,
    StatedNone,
    Table,
    Where,
    canonical_hash,
    with_predecessors,
)
from layers.vocabulary import SHIPPED, as_definition_error, read_toml

__all__ = ["Reference", "Rule", "RulePack", "Severity", "load_packs", "rulepack_schema"]


class PackFile(Frozen):
    """``pack.toml``."""

    id: str
    version: str
    title: Text
    description: Text | None = None
    groups: tuple[Group, ...] = Field(min_length=1)
    sites: tuple[SiteKind, ...] = ()


class RuleFile(Frozen):
    """``<GROUP>.toml``."""

    group: str
    rules: tuple[RuleEntry, ...] = Field(min_length=1)


class LegalFile(Frozen):
    """``legal/*.toml``: one law or document."""

    law: Text
    edition: Text | None = None
    valid_from: date
    valid_to: date | None = None
    dates_confirmed: bool
    dates_source: Text
    references: tuple[Article, ...] = Field(min_length=1)


class FixtureFile(Frozen):
    """``fixtures/*.toml``: fixtures with the zone, coverage and law date they share."""

    zone: str
    coverage: str
    law_date: date
    fixtures: tuple[Fixture, ...] = Field(min_length=1)


def load_packs(folders: Sequence[Path], layers: Mapping[str, Layer]) -> Mapping[str, RulePack]:
    """All rule packs by id, read-only: the shipped ones and ``<folder>/rules/<pack>/`` of each folder.

    Parameters
    ----------
    folders : sequence of Path
        Further folders, as for `layers.registry.load_layers`.
    layers : mapping
        The layer definitions that the rules' layers, fields and codes must exist in.

    Raises
    ------
    DefinitionError
        A file is wrong, refers to something that does not exist, or defines an id twice. The first finding
        is reported.
    """
    packs: dict[str, RulePack] = {}
    rules: dict[str, str] = {}
    for folder in _pack_folders([SHIPPED, *folders]):
        pack = _load_pack(folder, layers)
        if pack.id in packs:
            raise DefinitionError(folder, f"Rule pack {pack.id!r} exists already.", "Choose another id.")
        packs[pack.id] = pack
        for rule in pack.rules:
            other = rules.setdefault(rule.id, pack.id)
            if other != pack.id:
                raise DefinitionError(
                    folder, f"Rule {rule.id} is in pack {other!r} already.", "Give the rule another id."
                )
    return MappingProxyType(packs)


def rulepack_schema() -> dict[str, Any]:
    """The JSON Schema of the files of a rule pack for editors; each kind of file is one alternative."""
    kinds: dict[str, type[BaseModel]] = {
        "pack": PackFile,
        "rules": RuleFile,
        "legal": LegalFile,
        "fixtures": FixtureFile,
        "table": Table,
    }
    definitions: dict[str, Any] = {}
    for name, kind in kinds.items():
        schema = kind.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        definitions[name] = schema
    tables = {"type": "object", "additionalProperties": {"$ref": "#/$defs/table"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A file of a rule pack",
        "anyOf": [tables if name == "table" else {"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": dict(sorted(definitions.items())),
    }


def _pack_folders(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        packs = folder / "rules"
        for entry in sorted(packs.iterdir()) if packs.is_dir() else ():
            if entry.is_dir() and not entry.name.startswith((".", "__")):
                yield entry


@contextmanager
def _refusals_name(path: Path) -> Iterator[None]:
    """Give an Unfit that leaves the block the name of the file."""
    try:
        yield
    except Unfit as error:
        raise DefinitionError(path, error.what, error.remedy) from error


M = TypeVar("M", bound=BaseModel)


def _read(path: Path, kind: type[M]) -> M:
    raw = read_toml(path)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise as_definition_error(path, error, raw) from error


def _load_pack(folder: Path, layers: Mapping[str, Layer]) -> RulePack:
    head = _read(folder / "pack.toml", PackFile)
    references = _references(folder)
    tables = _tables(folder, references)
    with _refusals_name(folder / "pack.toml"):
        for site in head.sites:
            for subject in site.subjects:
                known(f"Site kind {site.kind} answers to", subject, [PARCEL, *layers])
    rules = _rules(folder, _Names(head, layers, references, tables))
    return RulePack(
        **{name: getattr(head, name) for name in PackFile.model_fields},
        rules=rules,
        references=references,
        tables=tables,
        fixtures=_fixtures(folder, {rule.id: rule for rule in rules}, layers),
        hash=canonical_hash([head.id, head.version, head.sites, sorted((r.id, r.hash) for r in rules)]),
    )


def _references(folder: Path) -> dict[str, Reference]:
    found: dict[str, Reference] = {}
    for path in sorted((folder / "legal").glob("*.toml")):
        file = _read(path, LegalFile)
        law = file.model_dump(exclude={"references"})
        for article in file.references:
            if article.key in found:
                raise DefinitionError(path, f"Legal key {article.key!r} exists already.", "Choose another.")
            found[article.key] = Reference(**law, **article.model_dump())
    for reference in found.values():
        with _refusals_name(folder / "legal"):
            _check_predecessors(reference, found)
    return found


def _check_predecessors(reference: Reference, references: Mapping[str, Reference]) -> None:
    """Each predecessor exists and is older, so that following them back ends."""
    for key in reference.replaces:
        known(f"{reference.key} replaces the legal key", key, references)
        if references[key].valid_from >= reference.valid_from:
            raise Unfit(
                f"{reference.key} replaces {key!r}, which is not older.", "Correct valid_from or replaces."
            )


def _tables(folder: Path, references: Mapping[str, Reference]) -> dict[str, Table]:
    path = folder / "tables.toml"
    if not path.is_file():
        return {}
    tables: dict[str, Table] = {}
    for name, raw in read_toml(path).items():
        try:
            tables[name] = Table.model_validate(raw)
        except ValidationError as error:
            raise as_definition_error(path, error, raw) from error
        with _refusals_name(path):
            for key in tables[name].legal:
                known("Legal key", key, references)
    return tables


@dataclass(frozen=True)
class _Names:
    """All that the rules of a pack may refer to."""

    head: PackFile
    layers: Mapping[str, Layer]
    references: Mapping[str, Reference]
    tables: Mapping[str, Table]


def _rules(folder: Path, names: _Names) -> tuple[Rule, ...]:
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name in ("pack.toml", "tables.toml"):
            continue
        file = _read(path, RuleFile)
        with _refusals_name(path):
            known("Group", file.group, (group.id for group in names.head.groups))
            for entry in file.rules:
                if entry.id in rules:
                    raise Unfit(f"Rule {entry.id} exists already.", "Choose another id.")
                _check_rule(entry, names)
                rules[entry.id] = _placed(entry, file.group, names)
    orders = {group.id: (group.order, group.id) for group in names.head.groups}
    return tuple(sorted(rules.values(), key=lambda rule: (orders[rule.group], rule.id)))


def _placed(entry: RuleEntry, group: str, names: _Names) -> Rule:
    content = [
        entry,
        sorted(with_predecessors(entry.legal, names.references).items()),
        {name: names.tables[name] for name in entry.tables},
    ]
    return Rule(**dict(entry), pack=names.head.id, group=group, hash=canonical_hash(content))


def _check_rule(entry: RuleEntry, names: _Names) -> None:
    for key in entry.legal:
        known(f"{entry.id} cites the legal key", key, names.references)
    for name in entry.tables:
        known(f"{entry.id} names the table", name, names.tables)
    if entry.zone_layer is not None:
        zone_layer = _screened_layer(entry, entry.zone_layer, names.layers)
        _check_where(entry.id, entry.zone_where, zone_layer)
        if isinstance(entry.predicate, DWithinBy):
            _check_where(
                entry.id, {entry.predicate.attribute: tuple(entry.predicate.distances_m)}, zone_layer
            )
    for subject in entry.subjects:
        if subject == PARCEL:
            _check_parcel(entry, names)
            continue
        layer = _screened_layer(entry, subject, names.layers)
        for where in entry.subject_wheres:
            _check_where(entry.id, where, layer)
        if isinstance(entry.predicate, DWithinStated):
            _check_stated_distance(entry.id, entry.predicate, layer)


def _check_parcel(entry: RuleEntry, names: _Names) -> None:
    """A drawn site states fields of the layers that it answers to, so one of these has what the rule asks.

    A pack without drawn sites of its own leaves that to the pack it is used with.
    """
    beside = {name for site in names.head.sites if PARCEL in site.subjects for name in site.subjects}
    layers = [names.layers[name] for name in sorted(beside - {PARCEL})]
    for where in entry.subject_wheres if layers else ():
        for name, condition in where.items():
            known(
                f"{entry.id} filters parcels by the field", name, (f.name for x in layers for f in x.fields)
            )
            layer = next(x for x in layers if any(f.name == name for f in x.fields))
            _check_where(entry.id, {name: condition}, layer)


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


def _check_where(rule_id: str, where: Where, layer: Layer) -> None:
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


def _check_condition(condition: Any, field: LayerField) -> None:
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


def _check_value(value: Scalar, field: LayerField) -> None:
    if value == LAW_DATE and field.type in ("date", "datetime"):
        return
    fits = isinstance(value, _PYTHON_TYPES[field.type]) and isinstance(value, bool) == (
        field.type == "boolean"
    )
    if not fits:
        raise Unfit(f"{value!r} does not fit type {field.type}.", "Correct the value.")
    if field.type == "enum":
        known("Code", str(value), (code.code for code in field.code_list))


def _fixtures(folder: Path, rules: Mapping[str, Rule], layers: Mapping[str, Layer]) -> tuple[Fixture, ...]:
    fixtures: list[Fixture] = []
    for path in sorted((folder / "fixtures").glob("*.toml")):
        file = _read(path, FixtureFile)
        for fixture in file.fixtures:
            with _refusals_name(path):
                known(f"Fixture {fixture.note!r} tests the rule", fixture.rule, rules)
                fixtures.append(_completed(fixture, rules[fixture.rule], file))
                _check_fixture(fixtures[-1], rules[fixture.rule], layers)
    return tuple(fixtures)


def _completed(fixture: Fixture, rule: Rule, file: FixtureFile) -> Fixture:
    """The fixture with what it leaves to its file or its rule."""
    given = fixture.zones if rule.zone_layer else ()
    zones = tuple(z.model_copy(update={"wkt": z.wkt or file.zone}) for z in given)
    subject = fixture.subject.model_copy(update={"layer": fixture.subject.layer or rule.subjects[0]})
    shared = {"coverage": fixture.coverage or file.coverage, "law_date": fixture.law_date or file.law_date}
    return fixture.model_copy(update={"zones": zones, "subject": subject, **shared})


def _check_fixture(fixture: Fixture, rule: Rule, layers: Mapping[str, Layer]) -> None:
    """Refuse a subject that the rule is not for, and attributes no layer has: these would read as missing."""
    subject = str(fixture.subject.layer)
    known(f"Fixture {fixture.note!r} screens", subject, rule.subjects)
    if subject != PARCEL:
        _check_where(f"Fixture {fixture.note!r}", dict(fixture.subject.attributes), layers[subject])
    for zone in fixture.zones:
        _check_where(f"Fixture {fixture.note!r}", dict(zone.attributes), layers[str(rule.zone_layer)])
