"""What answers say of rules, law and layers in the same words whatever the site: written once, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from orjson import Fragment

from gis.kept import for_each
from gis.screening.rows import LayerRows
from gis.screening.wording import citation, field_titles
from gis.settings import MapDefinition
from layers.model import Text
from layers.rulemodel import Reference, Rule

__all__ = ["Said", "Texts", "texts_of"]

Record = dict[str, Any]

Said = tuple[bytes, bytes]
"""What is said before and after the facts of a place."""

Sources = Mapping[str, Fragment]
"""Sources as records show them, by name; never changed, but replaced."""

_SAID_SIZE = 4096


class Texts:
    """The constant parts of records on one definition, each made when it is first asked for.

    What is looked up by identity belongs to the definition, which is kept, so that an id stays its own.

    Attributes
    ----------
    packs : bytes
        The rule packs that are on.
    groups : dict of str to Fragment
        The title of each group of rules.
    """

    def __init__(self, definition: MapDefinition) -> None:
        self.definition = definition
        packs = definition.packs.values()
        self.packs = orjson.dumps(
            [{"id": p.id, "version": p.version, "hash": p.hash, "title": p.title.model_dump()} for p in packs]
        )
        self.groups = {g.id: _json(g.title.model_dump()) for p in packs for g in p.groups}
        self._titles: dict[frozenset[str], dict[str, Text]] = {}
        self._texts: dict[tuple[str, str], Fragment] = {}
        self._made: dict[int, tuple[object, Any]] = {}
        self._said: dict[tuple[object, ...], tuple[object, Said]] = {}
        self._layers: WeakKeyDictionary[LayerRows, tuple[Sources, Said]] = WeakKeyDictionary()

    def titles(self, subjects: Iterable[str]) -> dict[str, Text]:
        """Titles of what a finding on one of ``subjects`` may call missing; see `wording.field_titles`."""
        key = frozenset(subjects)
        if key not in self._titles:
            self._titles[key] = field_titles(self.definition, sorted(key))
        return self._titles[key]

    def text(self, text: Text) -> Fragment:
        """One text in both languages."""
        key = text.zh, text.en
        if key not in self._texts:
            self._texts[key] = _json(text.model_dump())
        return self._texts[key]

    def said(self, key: tuple[object, ...], named: object, make: Callable[[], Said]) -> Said:
        """What was said under ``key`` before, else what ``make`` gives; ``named`` is what ids in it name."""
        found = self._said.get(key)
        if found is None:
            while len(self._said) >= _SAID_SIZE:
                self._said.pop(next(iter(self._said)), None)
            found = self._said[key] = named, make()
        return found[1]

    def theme(self, group: str, verdict: str, severity: str | None) -> bytes:
        """What is said of a group of rules before its parts."""
        told = {"id": group, "title": self.groups[group], "verdict": verdict, "severity": severity}
        return self.said(("theme", group, verdict, severity), None, lambda: (orjson.dumps(told)[:-1], b""))[0]

    def layer(self, rows: LayerRows, sources: Sources) -> Said:
        """What is said of a zone layer before and after how much of a site it covers."""
        found = self._layers.get(rows)
        if found is None or found[0] is not sources:
            found = self._layers[rows] = sources, self._written_layer(rows, sources)
        return found[1]

    def _written_layer(self, rows: LayerRows, sources: Sources) -> Said:
        before = {
            "id": rows.layer.id, "title": self.text(rows.layer.title), "revision": rows.revision,
            "rows": len(rows.uids),
        }  # fmt: skip
        after = {
            "is_demonstration": rows.any_demonstration, "is_indicative": rows.any_indicative,
            "sources": [sources[name] for name in rows.source_names],
        }  # fmt: skip
        return orjson.dumps(before)[:-1] + b',"coverage":"', b'",' + orjson.dumps(after)[1:]

    def rule(self, rule: Rule) -> Record:
        """What a finding says of its rule."""
        made: Record = self._of(rule, _rule)
        return made

    def citation(self, reference: Reference) -> Fragment:
        """One article as the record shows it."""
        made: Fragment = self._of(reference, lambda it: _json(citation(it)))
        return made

    def _of(self, named: Any, make: Callable[[Any], Any]) -> Any:
        found = self._made.get(id(named))
        if found is None:
            found = self._made[id(named)] = named, make(named)
        return found[1]


def _rule(rule: Rule) -> Record:
    texts = {name: getattr(rule, name) for name in ("exceptions", "disposal", "penalty", "note")}
    return {
        "predicate": rule.predicate.model_dump(),
        "statutory": rule.predicate.is_statutory,
        **{name: None if text is None else text.model_dump() for name, text in texts.items()},
        "confidence": rule.confidence,
    }


def _json(content: Any) -> Fragment:
    return Fragment(orjson.dumps(content))


@for_each(size=8)
def texts_of(definition: MapDefinition) -> Texts:
    """The texts of a definition; the same object gets the same texts."""
    return Texts(definition)
