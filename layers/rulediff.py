"""What differs between two rule packs, or two versions of one: rules, legal texts, tables, fixtures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from layers.rulemodel import RulePack, with_predecessors

__all__ = ["Change", "Changes", "PackDiff", "compare_packs"]


@dataclass(frozen=True)
class Change:
    """One field that differs; a value is JSON-ready, None where there is none."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Changes:
    """What differs between two collections of things that have keys, in the order of the keys.

    ``changed`` holds the fields that differ, by key.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[Change, ...]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        changed = {key: [vars(change) for change in changes] for key, changes in self.changed.items()}
        return {"added": list(self.added), "removed": list(self.removed), "changed": changed}


@dataclass(frozen=True)
class PackDiff:
    """What differs between two packs.

    Attributes
    ----------
    pack : tuple of Change
        Id, version, titles, groups and drawn sites.
    rules, references, tables, fixtures : Changes
        Rules by id, legal articles by key, tables by name, fixtures by rule and note.
    through : mapping of str to tuple of str
        Rules whose own text is the same, but not what they lean on: the keys of the articles and the names of
        the tables that made their hash another.
    """

    pack: tuple[Change, ...]
    rules: Changes
    references: Changes
    tables: Changes
    fixtures: Changes
    through: Mapping[str, tuple[str, ...]]

    def __bool__(self) -> bool:
        return any((self.pack, self.rules, self.references, self.tables, self.fixtures, self.through))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        parts = ("rules", "references", "tables", "fixtures")
        return {
            "pack": [vars(change) for change in self.pack],
            **{name: getattr(self, name).as_dict() for name in parts},
            "through": {rule: list(names) for rule, names in self.through.items()},
        }


def compare_packs(before: RulePack, after: RulePack) -> PackDiff:
    """Compare two packs as they were read; the order of files and of entries in them makes no difference."""
    references = _compare(_plain(before.references), _plain(after.references))
    tables = _compare(_by_rows(before), _by_rows(after))
    own = ("hash", "pack")
    rules = _compare(
        _plain({r.id: r for r in before.rules}, own), _plain({r.id: r for r in after.rules}, own)
    )
    heads = [_plain({"": pack})[""] for pack in (before, after)]
    kept = ("id", "version", "title", "description", "groups", "sites")
    return PackDiff(
        pack=_fields(*({name: head[name] for name in kept} for head in heads)),
        rules=rules,
        references=references,
        tables=tables,
        fixtures=_compare(*(_plain({f"{f.rule}: {f.note}": f for f in p.fixtures}) for p in (before, after))),
        through=_through(before, after, {*references.changed, *tables.changed}, rules),
    )


def _through(
    before: RulePack, after: RulePack, moved: set[str], rules: Changes
) -> dict[str, tuple[str, ...]]:
    """The rules that changed only by what they cite or lean on."""
    old = {rule.id: rule for rule in before.rules}
    found: dict[str, tuple[str, ...]] = {}
    for rule in after.rules:
        if rule.id not in old or rule.id in rules.changed or rule.hash == old[rule.id].hash:
            continue
        leaned_on = {*with_predecessors(rule.legal, after.references), *rule.tables}
        found[rule.id] = tuple(sorted(leaned_on & moved))
    return found


def _plain(things: Mapping[str, BaseModel], without: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    # By way of JSON, where not known (nan) is null and therefore equal to itself.
    texts = {key: thing.model_dump_json(by_alias=True, exclude=set(without)) for key, thing in things.items()}
    return {key: json.loads(text) for key, text in texts.items()}


def _by_rows(pack: RulePack) -> dict[str, dict[str, Any]]:
    """The tables with each row as a field of its own."""
    tables = _plain(pack.tables)
    for table in tables.values():
        table |= {f"row {row['code']}": row for row in table.pop("rows")}
    return tables


def _compare(before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> Changes:
    both = [key for key in before if key in after]
    changed = {key: _fields(before[key], after[key]) for key in both}
    return Changes(
        added=tuple(key for key in after if key not in before),
        removed=tuple(key for key in before if key not in after),
        changed={key: changes for key, changes in changed.items() if changes},
    )


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    names = dict.fromkeys((*before, *after))
    pairs = ((name, before.get(name), after.get(name)) for name in names)
    return tuple(Change(name, old, new) for name, old, new in pairs if old != new)
