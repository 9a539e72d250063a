"""What the rules of conflicts say and rest on: kept once for all rows that list the same rules.

A conflict is its subject, its zone, its rules, and how it lies; the words of the law are its rules'. So a
text that replaces another, or a rule that is only worded anew, changes some lines here and no conflict: not
its age, not its history. The lines have revisions as rows have, so an earlier answer stays what it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gis import tables
from gis.revisions import alive
from gis.screening.dates import days_of_law
from gis.screening.snapshot import enabled_rules
from gis.settings import MapDefinition
from layers.rulemodel import Rule

__all__ = ["Retelling", "lists_with", "retelling"]


@dataclass(frozen=True)
class Retelling:
    """Which lines end, by their lists of rules, and which begin."""

    ending: tuple[str, ...]
    beginning: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(set(self.ending) | {line["rules"] for line in self.beginning})

    def write(self, conn: Connection, rev: int) -> None:
        """Make it so from revision ``rev`` on."""
        told = tables.rule_texts
        if self.ending:
            conn.execute(
                update(told).where(alive(told, None), told.c.rules.in_(self.ending)).values(rev_to=rev)
            )
        if self.beginning:
            conn.execute(insert(told), [{**line, "rev_from": rev} for line in self.beginning])


def retelling(conn: Connection, definition: MapDefinition, lists: Iterable[str], law_date: date) -> Retelling:
    """How what is told differs from what the rules say on ``law_date``.

    Parameters
    ----------
    lists : iterable of str
        Ids of rules, separated by spaces, as rows that were judged now list them. Those that are told already
        are looked at too; one with a rule that is no more ends.
    """
    told, names = tables.rule_texts, [c.name for c in tables.rule_texts.c if c.name in _WORDS]
    before = {
        row.rules: {name: getattr(row, name) for name in names}
        for row in conn.execute(select(told).where(alive(told, None)))
    }
    said = {rule.id: _said(definition, rule, law_date) for rule in enabled_rules(definition)}
    now: dict[str, dict[str, Any]] = {}
    for listed in before.keys() | set(lists):
        if all(name in said for name in listed.split()):
            now[listed] = _line([said[name] for name in listed.split()])
    changed = [listed for listed, line in now.items() if before.get(listed) != line]
    ending = [listed for listed in before if before[listed] != now.get(listed)]
    return Retelling(tuple(sorted(ending)), tuple({"rules": each, **now[each]} for each in sorted(changed)))


def lists_with(conn: Connection, rules: Iterable[str]) -> list[str]:
    """The lists that name any of ``rules`` (ids), among those that rows have or had."""
    told, wanted = tables.rule_texts, set(rules)
    every = conn.scalars(select(told.c.rules).where(alive(told, None)))
    return [listed for listed in every if not wanted.isdisjoint(listed.split())]


_WORDS = ("title", "article", "article_en", "rule_hash", "next_date")


@dataclass(frozen=True)
class _Said:
    """One rule's part: title, hash, citations in both languages, and the days to come of its law."""

    title: str
    hash: str
    zh: tuple[str, ...]
    en: tuple[str, ...]
    days: tuple[date, ...]


def _said(definition: MapDefinition, rule: Rule, law_date: date) -> _Said:
    pack = definition.packs[rule.pack]
    cited = pack.cite(rule.legal, law_date)
    return _Said(
        f"{rule.title.zh} / {rule.title.en}",
        rule.hash,
        tuple(text.citation("zh") for text in cited),
        tuple(text.citation("en") for text in cited),
        tuple(day for day in days_of_law(rule, pack.references) if day > law_date),
    )


def _line(rules: list[_Said]) -> dict[str, Any]:
    """What some rules say together, each thing once."""
    hashes = [rule.hash for rule in rules]
    return {
        "title": "；".join(dict.fromkeys(rule.title for rule in rules)),
        "article": "；".join(dict.fromkeys(text for rule in rules for text in rule.zh)) or None,
        "article_en": "; ".join(dict.fromkeys(text for rule in rules for text in rule.en)) or None,
        "rule_hash": hashes[0] if len(rules) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest(),
        "next_date": min((day for rule in rules for day in rule.days), default=None),
    }
