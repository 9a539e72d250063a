"""The shape of a rule pack: rules, legal references with dates, tables and fixtures, frozen and checked.

The classes know no file and no layer; `layers.rulepacks` reads the files, checks the names and has the
hashes made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field, model_validator

from layers.model import Frozen, Text, Unfit
from layers.predicates import (
    LAW_DATE,
    NONE,
    AreaShare,
    AreaShareOutside,
    Attribute,
    Bounds,
    Condition,
    CountGt,
    Disjoint,
    DWithin,
    DWithinBy,
    DWithinStated,
    InTable,
    Intersects,
    NotDWithin,
    Predicate,
    Prefix,
    Scalar,
    StatedNone,
    UpstreamWithin,
    Where,
)
from layers.waters import NetworkReading

__all__ = [
    "LAW_DATE",
    "NONE",
    "PARCEL",
    "SEVERITIES",
    "AreaShare",
    "AreaShareOutside",
    "Article",
    "Attribute",
    "Bounds",
    "Condition",
    "CountGt",
    "DWithin",
    "DWithinBy",
    "DWithinStated",
    "Disjoint",
    "Expectation",
    "Fixture",
    "FixtureSubject",
    "FixtureZone",
    "Group",
    "InTable",
    "Intersects",
    "NotDWithin",
    "Predicate",
    "Prefix",
    "Reference",
    "Rule",
    "RuleEntry",
    "RulePack",
    "Scalar",
    "Severity",
    "SiteKind",
    "StatedNone",
    "Table",
    "TableAddition",
    "TableRow",
    "Unless",
    "UpstreamWithin",
    "Verdict",
    "Where",
    "canonical_hash",
    "capped",
    "with_predecessors",
]

Severity = Literal["prohibited", "restricted", "review", "notice"]
Verdict = Literal["conflict", "unknown", "edge", "clear"]
Confidence = Literal["S", "M"]
SEVERITIES: tuple[Severity, ...] = ("prohibited", "restricted", "review", "notice")
PARCEL = "parcel"
"""The subject kind of a drawn site; it is no layer."""


def capped(severity: Severity, cap: Severity = "review") -> Severity:
    """``severity``, or ``cap`` where it is more severe than that."""
    return max(severity, cap, key=SEVERITIES.index)


class Unless(Frozen):
    """An exception: where it is known to be true of the subject, the rule does not apply."""

    where: Annotated[Where, Field(min_length=1)]
    note: Text


class RuleEntry(Frozen):
    """One rule as written in a group file."""

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*-[0-9A-Z]+$")]
    title: Text
    subjects: Annotated[tuple[str, ...], Field(min_length=1)]
    zone_layer: str | None = None
    zone_where: Where = Field(default_factory=dict)
    subject_where: Where = Field(default_factory=dict)
    predicate: Predicate
    severity: Severity
    legal: Annotated[tuple[str, ...], Field(min_length=1)]
    tables: tuple[str, ...] = ()
    unless: tuple[Unless, ...] = ()
    exceptions: Text | None = None
    disposal: Text | None = None
    penalty: Text | None = None
    note: Text | None = None
    confidence: Confidence = "S"
    enabled: bool = True

    @property
    def subject_wheres(self) -> tuple[Where, ...]:
        """All filters of the subject: what the rule is for, and its exceptions."""
        return (self.subject_where, *(entry.where for entry in self.unless))

    @property
    def subject_attributes(self) -> tuple[str, ...]:
        """The attributes of the subject that the rule asks for, each once."""
        names = [name for where in self.subject_wheres for name in where]
        if isinstance(self.predicate, DWithinStated):
            names.append(self.predicate.attribute)
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _zones_unless_attributes_decide(self) -> Self:
        alone = isinstance(self.predicate, Attribute)
        if alone != (self.zone_layer is None) or (alone and self.zone_where):
            raise Unfit(
                f"Rule {self.id} has op {self.predicate.op!r} and zone_layer {self.zone_layer!r}.",
                'Only a rule with op "attribute" has no zones, and it has none.',
            )
        if alone and not self.subject_where:
            raise Unfit(f"Rule {self.id} holds for every subject.", "Give it a subject_where.")
        if isinstance(self.predicate, DWithinBy) and self.predicate.attribute in self.zone_where:
            raise Unfit(
                f"Rule {self.id} filters zones by {self.predicate.attribute!r}, which sets the distance.",
                "List only the values that count in distances_m.",
            )
        return self

    @model_validator(mode="after")
    def _operational_distance_only_calls_for_review(self) -> Self:
        if self.predicate.is_statutory is False and capped(self.severity) != self.severity:
            raise Unfit(
                f"Rule {self.id} is {self.severity} by a distance that no law states.",
                'Make it "review" or "notice", or set statutory = true.',
            )
        return self


class Rule(RuleEntry):
    """A rule in its pack; ``hash`` changes with the rule, the legal texts it cites and its tables."""

    pack: str
    group: str
    hash: str


class Article(Frozen):
    """One article as written in a legal file.

    ``article_en`` is for an article that is not just a number. ``ancillary`` marks a penalty or a step of
    procedure: it adds to a ban found elsewhere and is no ban itself.
    """

    key: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9-]*$")]
    article: str
    article_en: str | None = None
    ancillary: bool = False
    text: Text
    confidence: Confidence
    replaces: tuple[str, ...] = ()
    note: Text | None = None


class Reference(Article):
    """One citable article with its law and the dates between which the law holds (both included)."""

    law: Text
    edition: Text | None = None
    valid_from: date
    valid_to: date | None = None
    dates_confirmed: bool
    dates_source: Text

    def in_force(self, law_date: date) -> bool:
        """Whether the article is the law on ``law_date``."""
        return self.valid_from <= law_date and (self.valid_to is None or law_date <= self.valid_to)

    def citation(self, language: str) -> str:
        """The article in one phrase: 生态环境法典第320条, or its English form."""
        zh = language.startswith("zh")
        if self.article[0].isdigit():
            return f"{self.law.zh}第{self.article}条" if zh else f"{self.law.en}, article {self.article}"
        place = (self.article if zh else self.article_en or self.article).strip("—")
        if not place:
            return self.law.text(language)
        return f"{self.law.zh}{place}" if zh else f"{self.law.en}, {place}"


class TableRow(Frozen):
    """One row of a list that rules lean on.

    A row with filters holds for a zone and a subject that pass them; one without is there to be read.
    """

    code: str
    zh: str
    en: str
    confidence: Confidence
    zone: Where = Field(default_factory=dict)
    subject: Where = Field(default_factory=dict)

    @property
    def holds_somewhere(self) -> bool:
        """Whether the row can hold of anything."""
        return bool(self.zone or self.subject)


class Table(Frozen):
    """A list that rules lean on.

    A table that ``decides`` an attribute of subjects finds it where nobody stated it: it is true where any
    row holds. Where none holds it is false when the table is ``complete``, else it stays unknown.
    """

    title: Text
    legal: tuple[str, ...] = ()
    decides: str | None = None
    complete: bool = False
    rows: Annotated[tuple[TableRow, ...], Field(min_length=1)]

    @property
    def deciding(self) -> tuple[TableRow, ...]:
        """The rows that can hold."""
        return tuple(row for row in self.rows if row.holds_somewhere)

    @model_validator(mode="after")
    def _decides_by_rows(self) -> Self:
        if (self.decides is None) == bool(self.deciding) or (self.complete and self.decides is None):
            raise Unfit(
                f"Table {self.title.en!r} decides {self.decides!r} by {len(self.deciding)} rows.",
                "A table that decides an attribute has rows with zone or subject filters; another has none.",
            )
        codes = [row.code for row in self.rows]
        if len(set(codes)) < len(codes):
            raise Unfit(f"Table {self.title.en!r} has a code twice.", "Give each row a code of its own.")
        return self


class TableAddition(Frozen):
    """A district's own rows of a table, beside the pack's or, with ``replace``, instead of them."""

    replace: bool = False
    complete: bool | None = None
    legal: tuple[str, ...] = ()
    rows: tuple[TableRow, ...] = ()

    def applied(self, table: Table) -> Table:
        """The table as the district has it."""
        rows = self.rows if self.replace else (*table.rows, *self.rows)
        given: dict[str, Any] = {"rows": rows, "legal": (*table.legal, *self.legal)}
        if self.complete is not None:
            given["complete"] = self.complete
        return Table.model_validate({**dict(table), **given})


class Group(Frozen):
    """One group of rules: a theme of the answer."""

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*$")]
    title: Text
    order: int = 0


class SiteKind(Frozen):
    """What a drawn site may be: the subjects of rules it answers to, and what attributes follow from it."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    subjects: Annotated[tuple[str, ...], Field(min_length=1)]
    attributes: dict[str, Scalar] = Field(default_factory=dict)


def _or_unknown(value: object) -> object:
    return float("nan") if value is None else value


# JSON has no nan: null stands for an accuracy that is not known.
AccuracyM = Annotated[float, pydantic.BeforeValidator(_or_unknown)]


class FixtureSubject(Frozen):
    """What a fixture screens. ``wkt`` in metres of any plane, may be none; ``accuracy_m`` nan: not known."""

    layer: str | None = None
    wkt: str | None = None
    accuracy_m: AccuracyM = 0.0
    attributes: dict[str, Scalar] = Field(default_factory=dict)


class FixtureZone(Frozen):
    """One zone of a fixture; without ``wkt`` the file's own zone."""

    wkt: str | None = None
    accuracy_m: AccuracyM = 0.0
    is_indicative: bool = False
    attributes: dict[str, Scalar] = Field(default_factory=dict)


class Expectation(Frozen):
    """The finding a fixture must get; ``severity`` is left out of a clear one."""

    verdict: Verdict
    severity: Severity | None = None
    missing: tuple[str, ...] = ()


class Fixture(Frozen):
    """A place with the verdict it must get from one rule.

    ``coverage`` is a WKT, or "none" where the layer states none; it and ``law_date`` may be left to the file.
    ``network`` are the lines of the rule's network, in the same coverage; how they are read (``reading``) is
    left to the layer.
    """

    rule: str
    note: Annotated[str, Field(min_length=1)]
    subject: FixtureSubject
    zones: tuple[FixtureZone, ...] = (FixtureZone(),)
    network: tuple[FixtureZone, ...] = ()
    reading: NetworkReading | None = None
    coverage: str | None = None
    law_date: date | None = None
    expect: Expectation


class RulePack(Frozen):
    """One pack, read and cross-checked."""

    id: str
    version: str
    title: Text
    description: Text | None = None
    groups: tuple[Group, ...]
    sites: tuple[SiteKind, ...] = ()
    rules: tuple[Rule, ...]
    references: dict[str, Reference]
    tables: dict[str, Table]
    fixtures: tuple[Fixture, ...]
    hash: str

    def deciding(self, rule: RuleEntry) -> tuple[Table, ...]:
        """The tables that decide an attribute which ``rule`` asks of its subjects."""
        return tuple(self.tables[n] for n in rule.tables if self.tables[n].decides in rule.subject_where)

    def is_unconfirmed(self, rule: RuleEntry) -> bool:
        """Whether the rule, or an article that it cites, is from memory and not from a source."""
        return "M" in (rule.confidence, *(self.references[key].confidence for key in rule.legal))

    def rule(self, rule_id: str) -> Rule:
        """The rule with this id; KeyError when there is none."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)

    def cite(self, keys: Iterable[str], law_date: date) -> tuple[Reference, ...]:
        """The articles in force on ``law_date`` that stand behind ``keys``, each once, in order.

        A key whose article is not yet in force leads back to what it replaced, and so on. Empty when none
        of it was law on that day.
        """
        found = {r.key: r for key in keys for r in self._in_force(key, law_date)}
        return tuple(found.values())

    def has_basis(self, keys: Iterable[str], law_date: date) -> bool:
        """Whether a rule that cites ``keys`` rested on any law on ``law_date``.

        A penalty or a step of procedure alone is no basis, unless the rule cites nothing else.
        """
        every = list(keys)
        bans = [key for key in every if not self.references[key].ancillary]
        return any(True for key in bans or every for _ in self._in_force(key, law_date))

    def _in_force(self, key: str, law_date: date) -> Iterator[Reference]:
        reference = self.references[key]
        if reference.in_force(law_date):
            yield reference
        elif law_date < reference.valid_from:
            for earlier in reference.replaces:
                yield from self._in_force(earlier, law_date)


def canonical_hash(parts: Any) -> str:
    """SHA-256 of the canonical JSON of models, dates and plain values; independent of the order of keys."""
    plain = pydantic.TypeAdapter(Any).dump_python(parts, mode="json", by_alias=True)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def with_predecessors(keys: Sequence[str], references: Mapping[str, Reference]) -> dict[str, Reference]:
    """``keys`` and everything they replaced, back to the first, by key."""
    found: dict[str, Reference] = {}
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found[key] = references[key]
            waiting += references[key].replaces
    return found
