"""What the conflicts were last judged by, kept so that a later judging knows what has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from gis import tables
from gis.screening.snapshot import enabled_rules
from gis.settings import MapDefinition
from layers.predicates import AreaShareOutside, Disjoint, DWithin, NotDWithin, Predicate, UpstreamWithin
from layers.rulemodel import Rule, canonical_hash, capped

__all__ = [
    "Basis",
    "JudgedRule",
    "Judging",
    "is_local",
    "network_of",
    "seeks_absence",
    "zone_layer_of",
]


@dataclass(frozen=True)
class JudgedRule:
    """A rule as it was applied: whom and what it was about, and what tells how a change of it is followed.

    Attributes
    ----------
    digest : str
        Of all that decides which subjects and zones it finds, but for a fixed distance.
    reach_m : float or None
        That distance; None for a rule without one.
    weight : str
        What it makes of what it finds: its severity on the law date, and its group.
    """

    digest: str
    reach_m: float | None
    weight: str
    zone_layer: str
    subjects: tuple[str, ...]

    @classmethod
    def of(cls, definition: MapDefinition, rule: Rule, law_date: date) -> JudgedRule:
        """The rule as it is now; what it says and cites is told apart from rows (`gis.screening.telling`)."""
        pack = definition.packs[rule.pack]
        fixed = isinstance(rule.predicate, (DWithin, NotDWithin))
        tables = [
            [table.decides, table.complete, [(row.code, row.zone, row.subject) for row in table.deciding]]
            for table in pack.deciding(rule)
        ]
        decides = [
            rule.zone_where, rule.subject_where, [exception.where for exception in rule.unless],
            rule.predicate.model_dump(mode="json", exclude={"distance_m"} if fixed else None), tables,
        ]  # fmt: skip
        severity = rule.severity if pack.has_basis(rule.legal, law_date) else capped(rule.severity)
        return cls(
            canonical_hash(decides),
            rule.predicate.reach_m if fixed else None,
            f"{severity} {rule.group}",
            zone_layer_of(rule),
            rule.subjects,
        )


@dataclass(frozen=True)
class Basis:
    """Everything but rows and the date that decides what the conflicts are.

    Attributes
    ----------
    rules : mapping of rule id to JudgedRule
        The rules that are on.
    ground : str
        A digest of what changes every judgement: the CRSs and the program itself.
    layers : mapping of layer id to str
        Digests of the fields and names of the layers that rules read.
    coarse_m : float
        The district's ``coarse_position_m``.
    demonstration : mapping of source id to bool
        Which sources hold demonstration data.
    """

    rules: Mapping[str, JudgedRule]
    ground: str
    layers: Mapping[str, str]
    coarse_m: float
    demonstration: Mapping[str, bool]

    @classmethod
    def of(cls, conn: Connection, definition: MapDefinition, law_date: date) -> Basis:
        """The basis as it is now, for judging by the law of ``law_date``."""
        district, rules = definition.district, enabled_rules(definition)
        ids = {name for rule in rules for name in (zone_layer_of(rule), network_of(rule), *rule.subjects)}
        s = tables.sources
        flags = conn.execute(select(s.c.source_id, s.c.is_demonstration).order_by(s.c.source_id))
        return cls(
            {rule.id: JudgedRule.of(definition, rule, law_date) for rule in rules},
            canonical_hash([_program(), district.storage_crs, district.measuring_crs, district.extent]),
            {name: _layer_digest(definition, name) for name in sorted(ids & definition.layers.keys())},
            district.coarse_position_m,
            {str(row.source_id): bool(row.is_demonstration) for row in flags},
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Basis:
        """What `record` gave."""
        rules = {
            name: JudgedRule(**{**rule, "subjects": tuple(rule["subjects"])})
            for name, rule in record["rules"].items()
        }
        rest = {name: record[name] for name in ("ground", "layers", "coarse_m", "demonstration")}
        return cls(rules, **rest)

    def record(self) -> dict[str, Any]:
        """As plain values for JSON."""
        rules = {name: {**asdict(rule), "subjects": list(rule.subjects)} for name, rule in self.rules.items()}
        rest = {name: getattr(self, name) for name in ("ground", "layers", "coarse_m", "demonstration")}
        return {"rules": rules, **rest}

    def carries(self, later: Basis) -> bool:
        """Whether what was judged by this basis can be brought up to date to ``later`` piece by piece."""
        same_layers = all(later.layers.get(name, own) == own for name, own in self.layers.items())
        same_flags = all(later.demonstration.get(name) == own for name, own in self.demonstration.items())
        return self.ground == later.ground and same_layers and same_flags

    def changed_rules(self, later: Basis) -> dict[str, tuple[JudgedRule | None, JudgedRule | None]]:
        """The rules that are new, gone or different, each as it was and as it is; None: there is none."""
        ids = self.rules.keys() | later.rules.keys()
        return {
            name: (self.rules.get(name), later.rules.get(name))
            for name in sorted(ids)
            if self.rules.get(name) != later.rules.get(name)
        }


@dataclass(frozen=True)
class Judging:
    """The state that conflicts are judged at: data, law and rules."""

    rev: int
    law_date: date
    basis: Basis


def zone_layer_of(rule: Rule) -> str:
    """The id of the layer that a rule asks; empty for one that asks none."""
    return rule.zone_layer or ""


def network_of(rule: Rule) -> str:
    """The id of the layer of rivers that a rule follows; empty for one that follows none."""
    return rule.predicate.network or "" if isinstance(rule.predicate, UpstreamWithin) else ""


def seeks_absence(predicate: Predicate) -> bool:
    """Whether lying in no zone is the conflict."""
    return isinstance(predicate, (Disjoint, AreaShareOutside))


def is_local(predicate: Predicate) -> bool:
    """Whether zones beyond the rule's distance cannot change an answer; false for what goes along a river."""
    return not seeks_absence(predicate) and not isinstance(predicate, UpstreamWithin)


def _layer_digest(definition: MapDefinition, name: str) -> str:
    layer = definition.layers[name]
    return canonical_hash([layer.names, [(field.name, field.type) for field in layer.fields]])


@cache
def _program() -> str:
    """A hash of the code that a judgement goes through."""
    here = Path(__file__).parent
    total = hashlib.sha256()
    for path in sorted([*here.glob("*.py"), *(here.parent / "kernel").glob("*.py"), here.parent / "crs.py"]):
        total.update(path.read_bytes())
    return total.hexdigest()
