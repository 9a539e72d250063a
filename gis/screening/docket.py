"""What is settled before the ground is asked: which rules are applied, and what each puts to whom.

It goes by kinds, attributes and law alone, whatever the place. So for one site it is found once and kept: a
site that is moved about, and the next one of its kind, are asked the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from gis.kernel.arrays import Indices
from gis.screening.asking import Ask, asks_of, merged_filter
from gis.screening.filters import Attributes, FilterResult, evaluate
from gis.screening.inputs import Subjects
from layers.rulemodel import Reference, Rule, RulePack, Severity, UpstreamWithin, capped

__all__ = ["Docket", "Entry", "docket_of"]


@dataclass(frozen=True, eq=False)
class Entry:
    """One rule that is applied.

    Attributes
    ----------
    asks : tuple of (Ask, int64[])
        The questions that it puts to the ground, each with the subjects that it is put to: those for which
        the filter may hold and no exception is known to.
    applicable : FilterResult
        The subject filter.
    exempt : int64[n]
        Which of the rule's exceptions is known to hold, -1 for none.
    citations : tuple of Reference
        The articles in force on the law date; see `RulePack.cite`.
    has_basis : bool
        Whether any law stood behind the rule on the law date.
    severity : str
        The rule's, capped where no law stood behind it.
    """

    rule: Rule
    asks: tuple[tuple[Ask, Indices], ...]
    applicable: FilterResult
    exempt: Indices
    citations: tuple[Reference, ...]
    has_basis: bool
    severity: Severity

    @cached_property
    def network(self) -> str | None:
        """The layer of rivers that it follows."""
        predicate = self.rule.predicate
        return predicate.network if isinstance(predicate, UpstreamWithin) else None

    @cached_property
    def by_rows(self) -> bool:
        """Whether rows of a table are asked by."""
        return any(put.row is not None for put, _ in self.asks)


@dataclass(frozen=True, eq=False)
class Docket:
    """The rules that are applied, and the farthest that any of them looks, in metres by zone layer."""

    entries: tuple[Entry, ...]
    reach_m: dict[str, float]

    @cached_property
    def layers(self) -> frozenset[str]:
        """The zone layers that they ask about, and the networks that they follow."""
        networks = [entry.network for entry in self.entries if entry.network is not None]
        return frozenset((*self.reach_m, *networks))


def docket_of(
    subjects: Subjects, packs: Iterable[RulePack], law_date: date, only: Collection[str] | None
) -> Docket:
    """The enabled rules of ``packs`` that are for one of the subjects' kinds, among ``only`` (ids) if given.

    Several may share what is returned: nobody writes to it.
    """
    packs = tuple(packs)
    key = _key(subjects, packs, law_date, only) if len(subjects) == 1 else None
    if key is None:
        return _made(subjects, packs, law_date, only)
    with _LOCK:
        held = _KEPT.get(key)
    if held is None:
        # The packs are kept with the entry, so that their ids cannot be given to others meanwhile.
        held = packs, _made(subjects, packs, law_date, only)
        with _LOCK:
            _KEPT[key] = held
            while len(_KEPT) > _KEPT_SIZE:
                _KEPT.popitem(last=False)
    return held[1]


_KEPT: OrderedDict[tuple[Any, ...], tuple[tuple[RulePack, ...], Docket]] = OrderedDict()
_KEPT_SIZE = 32
_LOCK = Lock()


def _key(
    subjects: Subjects, packs: tuple[RulePack, ...], law_date: date, only: Collection[str] | None
) -> tuple[Any, ...] | None:
    """All that the docket of one subject goes by; None where a value cannot be compared."""
    # With its type, because 1 equals true and 1.0, and filters tell them apart.
    values = [(name, type(column[0]), column[0]) for name, column in subjects.attributes.items()]
    among = None if only is None else frozenset(only)
    key = tuple(map(id, packs)), subjects.kinds, law_date, tuple(values), among
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _made(
    subjects: Subjects, packs: tuple[RulePack, ...], law_date: date, only: Collection[str] | None
) -> Docket:
    attributes = Attributes(subjects.attributes, len(subjects))
    none_exempt = np.full(len(subjects), -1, dtype=np.int64)
    entries, reach = [], dict[str, float]()
    for pack in packs:
        for rule in pack.rules:
            if not rule.enabled or subjects.kinds.isdisjoint(rule.subjects):
                continue
            if only is not None and rule.id not in only:
                continue
            asks = asks_of(rule, attributes, law_date, pack.deciding(rule))
            if rule.zone_layer is not None:
                farthest = max((ask.predicate.reach_m for ask in asks if not ask.is_assumed), default=0.0)
                reach[rule.zone_layer] = max(reach.get(rule.zone_layer, 0.0), farthest)
            has_basis = pack.has_basis(rule.legal, law_date)
            exempt = _exempt(rule, attributes, law_date) if rule.unless else none_exempt
            entries.append(
                Entry(
                    rule=rule,
                    asks=tuple((ask, np.flatnonzero(ask.rows & (exempt < 0))) for ask in asks),
                    applicable=merged_filter(asks),
                    exempt=exempt,
                    citations=pack.cite(rule.legal, law_date),
                    has_basis=has_basis,
                    severity=rule.severity if has_basis else capped(rule.severity),
                )
            )
    return Docket(tuple(entries), reach)


def _exempt(rule: Rule, attributes: Attributes, law_date: date) -> Indices:
    """Which exception is known to hold of each subject; the first one counts, -1 is none."""
    exempt = np.full(attributes.count, -1, dtype=np.int64)
    for index, exception in enumerate(rule.unless):
        holds = evaluate(exception.where, attributes, law_date).yes
        exempt[holds & (exempt < 0)] = index
    return exempt
