"""What answers say of rules, law and layers in the same words whatever the site: written once, then shared.

The dictionaries go into many records at once: who changes a record copies it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gis.kept import for_each
from gis.screening.wording import citation, field_titles
from gis.settings import MapDefinition
from layers.model import Text
from layers.rulemodel import Reference, Rule

__all__ = ["Texts", "texts_of"]

Record = dict[str, Any]

_SAID_SIZE = 2048


class Texts:
    """The constant parts of records on one definition, each made when it is first asked for.

    What is looked up by identity belongs to the definition, which is kept, so that an id stays its own.

    Attributes
    ----------
    packs : list of dict
        The rule packs that are on.
    groups : dict of str to dict
        The title of each group of rules.
    """

    def __init__(self, definition: MapDefinition) -> None:
        self.definition = definition
        packs = definition.packs.values()
        self.packs: list[Record] = [
            {"id": p.id, "version": p.version, "hash": p.hash, "title": p.title.model_dump()} for p in packs
        ]
        self.groups: dict[str, Record] = {g.id: g.title.model_dump() for p in packs for g in p.groups}
        self._titles: dict[frozenset[str], dict[str, Text]] = {}
        self._texts: dict[tuple[str, str], Record] = {}
        self._made: dict[int, tuple[object, Record]] = {}
        self._said: dict[tuple[object, ...], tuple[object, Record]] = {}

    def titles(self, subjects: Iterable[str]) -> dict[str, Text]:
        """Titles of what a finding on one of ``subjects`` may call missing; see `wording.field_titles`."""
        key = frozenset(subjects)
        if key not in self._titles:
            self._titles[key] = field_titles(self.definition, sorted(key))
        return self._titles[key]

    def text(self, text: Text) -> Record:
        """One text in both languages."""
        key = text.zh, text.en
        if key not in self._texts:
            self._texts[key] = text.model_dump()
        return self._texts[key]

    def said(self, key: tuple[object, ...], named: object, make: Callable[[], Record]) -> Record:
        """What was said under ``key`` before, else what ``make`` gives; ``named`` is what ids in it name."""
        found = self._said.get(key)
        if found is None:
            while len(self._said) >= _SAID_SIZE:
                self._said.pop(next(iter(self._said)), None)
            found = self._said[key] = named, make()
        return found[1]

    def rule(self, rule: Rule) -> Record:
        """What a finding says of its rule."""
        found = self._made.get(id(rule))
        if found is None:
            found = self._made[id(rule)] = rule, _rule(rule)
        return found[1]

    def citation(self, reference: Reference) -> Record:
        """One article as the record shows it."""
        found = self._made.get(id(reference))
        if found is None:
            found = self._made[id(reference)] = reference, citation(reference)
        return found[1]


def _rule(rule: Rule) -> Record:
    texts = {name: getattr(rule, name) for name in ("exceptions", "disposal", "penalty", "note")}
    return {
        "title": rule.title.model_dump(),
        "predicate": rule.predicate.model_dump(),
        "statutory": rule.predicate.is_statutory,
        **{name: None if text is None else text.model_dump() for name, text in texts.items()},
        "confidence": rule.confidence,
    }


@for_each(size=8)
def texts_of(definition: MapDefinition) -> Texts:
    """The texts of a definition; the same object gets the same texts."""
    return Texts(definition)
