"""Rule packs: siting rules with their legal texts and dates, as data.

A pack is a folder ``rules/<pack>/``, shipped here or in a folder of ``ONEMAP_LAYERS``::

    pack.toml          id, version, title and groups
    <GROUP>.toml       the rules of one group
    legal/*.toml       one law or document a file, with its dates and the articles that rules cite
    tables.toml        lists that rules lean on (optional)
    fixtures/*.toml    places with the verdict they must get (optional)

A district's own rows of a pack's tables are in ``tables/<pack>.toml`` of a folder of ``ONEMAP_LAYERS``.

Rules know layers and fields by name only; the loader refuses a name that does not exist. What a rule means
on the ground is `gis.screening.judge`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from layers.model import DefinitionError, Frozen, Layer, Text, Unfit, known
from layers.predicates import Condition, InTable, Where
from layers.rulechecks import Names, check_rule, check_where
from layers.rulemodel import (
    PARCEL,
    Article,
    Fixture,
    Group,
    Reference,
    Rule,
    RuleEntry,
    RulePack,
    Severity,
    SiteKind,
    Table,
    TableAddition,
    canonical_hash,
    with_predecessors,
)
from layers.vocabulary import SHIPPED, as_definition_error, read_toml

__all__ = ["Reference", "Rule", "RulePack", "Severity", "load_pack", "load_packs", "rulepack_schema"]


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
        pack = load_pack(folder, layers, folders)
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


def load_pack(folder: Path, layers: Mapping[str, Layer], outside: Sequence[Path] = ()) -> RulePack:
    """One rule pack, with the rows that files in ``outside`` add to its tables; as `load_packs` else."""
    head = _read(folder / "pack.toml", PackFile)
    references = _references(folder)
    tables = _tables(folder, references)
    for added in outside:
        _add_rows(added / "tables" / f"{head.id}.toml", tables, references)
    with _refusals_name(folder / "pack.toml"):
        for site in head.sites:
            for subject in site.subjects:
                known(f"Site kind {site.kind} answers to", subject, [PARCEL, *layers])
    rules = _rules(folder, head, Names(head.sites, layers, references, tables))
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


def _add_rows(path: Path, tables: dict[str, Table], references: Mapping[str, Reference]) -> None:
    """Give the tables of a pack what a district's file says of them."""
    for name, raw in read_toml(path).items() if path.is_file() else ():
        with _refusals_name(path):
            known("Table", name, tables)
            try:
                tables[name] = TableAddition.model_validate(raw).applied(tables[name])
            except ValidationError as error:
                raise as_definition_error(path, error, raw) from error
            for key in tables[name].legal:
                known("Legal key", key, references)


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


def _rules(folder: Path, head: PackFile, names: Names) -> tuple[Rule, ...]:
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name in ("pack.toml", "tables.toml"):
            continue
        file = _read(path, RuleFile)
        with _refusals_name(path):
            known("Group", file.group, (group.id for group in head.groups))
            for written in file.rules:
                if written.id in rules:
                    raise Unfit(f"Rule {written.id} exists already.", "Choose another id.")
                entry = _with_codes(written, names.tables)
                check_rule(entry, names)
                rules[entry.id] = _placed(entry, file.group, head.id, names)
    orders = {group.id: (group.order, group.id) for group in head.groups}
    return tuple(sorted(rules.values(), key=lambda rule: (orders[rule.group], rule.id)))


def _with_codes(entry: RuleEntry, tables: Mapping[str, Table]) -> RuleEntry:
    """The rule with the codes of a table where it names the table."""

    def written_out(where: Where) -> Where:
        return {name: _codes_of(condition, entry, tables) for name, condition in where.items()}

    unless = [one.model_copy(update={"where": written_out(one.where)}) for one in entry.unless]
    filters = {name: written_out(getattr(entry, name)) for name in ("zone_where", "subject_where")}
    return entry.model_copy(update={**filters, "unless": tuple(unless)})


def _codes_of(condition: Condition, entry: RuleEntry, tables: Mapping[str, Table]) -> Condition:
    if not isinstance(condition, InTable):
        return condition
    known(f"{entry.id} compares with the table", condition.table, entry.tables)
    known(f"{entry.id} names the table", condition.table, tables)
    return tuple(row.code for row in tables[condition.table].rows)


def _placed(entry: RuleEntry, group: str, pack: str, names: Names) -> Rule:
    content = [
        entry,
        sorted(with_predecessors(entry.legal, names.references).items()),
        {name: names.tables[name] for name in entry.tables},
    ]
    return Rule(**dict(entry), pack=pack, group=group, hash=canonical_hash(content))


def _fixtures(folder: Path, rules: Mapping[str, Rule], layers: Mapping[str, Layer]) -> tuple[Fixture, ...]:
    fixtures: list[Fixture] = []
    for path in sorted((folder / "fixtures").glob("*.toml")):
        file = _read(path, FixtureFile)
        for fixture in file.fixtures:
            with _refusals_name(path):
                known(f"Fixture {fixture.note!r} tests the rule", fixture.rule, rules)
                fixtures.append(_completed(fixture, rules[fixture.rule], file, layers))
                _check_fixture(fixtures[-1], rules[fixture.rule], layers)
    return tuple(fixtures)


def _completed(fixture: Fixture, rule: Rule, file: FixtureFile, layers: Mapping[str, Layer]) -> Fixture:
    """The fixture with what it leaves to its file, its rule or a layer."""
    given = fixture.zones if rule.zone_layer else ()
    zones = tuple(z.model_copy(update={"wkt": z.wkt or file.zone}) for z in given)
    subject = fixture.subject.model_copy(update={"layer": fixture.subject.layer or rule.subjects[0]})
    network = getattr(rule.predicate, "network", None)
    reading = fixture.reading or (layers[network].network if network else None)
    if fixture.network and reading is None:
        raise Unfit(f"Fixture {fixture.note!r} has a network and rule {rule.id} has none.", "Remove it.")
    shared: dict[str, Any] = {
        "reading": reading,
        "coverage": fixture.coverage or file.coverage,
        "law_date": fixture.law_date or file.law_date,
    }
    return fixture.model_copy(update={"zones": zones, "subject": subject, **shared})


def _check_fixture(fixture: Fixture, rule: Rule, layers: Mapping[str, Layer]) -> None:
    """Refuse a subject that the rule is not for, and attributes no layer has: these would read as missing."""
    subject = str(fixture.subject.layer)
    known(f"Fixture {fixture.note!r} screens", subject, rule.subjects)
    if subject != PARCEL:
        check_where(f"Fixture {fixture.note!r}", dict(fixture.subject.attributes), layers[subject])
    for zone in fixture.zones:
        check_where(f"Fixture {fixture.note!r}", dict(zone.attributes), layers[str(rule.zone_layer)])
    for reach in fixture.network:
        if reach.wkt is None:
            raise Unfit(f"Fixture {fixture.note!r} has a reach without wkt.", "Give it a LINESTRING.")
        network = getattr(rule.predicate, "network", None)
        check_where(f"Fixture {fixture.note!r}", dict(reach.attributes), layers[str(network)])
