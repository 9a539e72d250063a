"""How a rule is put to the ground: as one question, or as several of one distance and one filter each.

A distance that differs from subject to subject, or from zone to zone, is asked once for each of its values.
So the ground knows fixed distances only, and a rule's answer is the worst of those to its questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np

from gis.kernel import UNKNOWN, Parts, combine
from gis.kernel.arrays import Geometries
from gis.screening.filters import Attributes, FilterResult, Flags, evaluate
from gis.screening.ground import Answer, Missing, note_missing
from gis.screening.hits import Hits
from layers.rulemodel import Bounds, DWithin, DWithinBy, DWithinStated, Predicate, Rule, Where

__all__ = ["Ask", "asks_of", "merged_filter", "worst_of", "worst_pairs"]


@dataclass(frozen=True, eq=False)
class Ask:
    """One question of a rule.

    Attributes
    ----------
    rows : bool[n]
        The subjects it is put to.
    applicable : FilterResult
        The subject filter, over all n subjects.
    zone_where : mapping
        The filter of the zones that it is about.
    predicate : Predicate
        With a fixed distance.
    is_assumed : bool
        The distance is the largest possible one, because the subjects do not state theirs.
    """

    rows: Flags
    applicable: FilterResult
    zone_where: Where
    predicate: Predicate
    is_assumed: bool = False


def asks_of(rule: Rule, attributes: Attributes, law_date: date) -> list[Ask]:
    """The questions of one rule; one for most.

    Parameters
    ----------
    attributes : Attributes
        Of all n subjects.
    """
    applicable = evaluate(rule.subject_where, attributes, law_date)
    whole = Ask(~applicable.no, applicable, rule.zone_where, rule.predicate)
    match rule.predicate:
        case DWithinStated():
            return _by_subject(rule.predicate, whole, attributes, law_date, rule.subject_where)
        case DWithinBy():
            pairs = _by_zone(rule, rule.predicate)
            return [replace(whole, zone_where=where, predicate=fixed) for where, fixed in pairs]
        case _:
            return [whole]


def _by_subject(
    predicate: DWithinStated, whole: Ask, attributes: Attributes, law_date: date, where: Where
) -> list[Ask]:
    """One question for each stated distance, and one for the subjects that state none."""
    codes, values = attributes.encoded(predicate.attribute)
    asks = [
        replace(
            whole, rows=whole.rows & (codes == place), predicate=_fixed(float(value), predicate.statutory)
        )
        for place, value in enumerate(values)
    ]
    silent = whole.rows & (codes < 0)
    # Asking for the distance leaves the filter undecided where it is missing, whatever the rule filters by.
    stated = {predicate.attribute: Bounds.model_validate({">=": 0}), **where}
    open_ = evaluate(stated, attributes, law_date)
    asks.append(Ask(silent, open_, whole.zone_where, _fixed(predicate.at_most_m, predicate.statutory), True))
    return [ask for ask in asks if ask.rows.any()] or [whole]


@lru_cache(maxsize=1024)
def _fixed(distance_m: float, statutory: bool) -> DWithin:
    return DWithin(op="dwithin", distance_m=distance_m, statutory=statutory)


# Selections of zones are kept by the identity of their filter, so the filters are kept with their rule.
_BY_ZONE: dict[int, tuple[Rule, list[tuple[Where, DWithin]]]] = {}
_BY_ZONE_SIZE = 256


def _by_zone(rule: Rule, predicate: DWithinBy) -> list[tuple[Where, DWithin]]:
    """A zone filter and a predicate for each distance.

    A zone without the attribute may pass each of the filters, so it counts up to the largest distance.
    """
    held = _BY_ZONE.get(id(rule))
    if held is not None and held[0] is rule:
        return held[1]
    found: list[tuple[Where, DWithin]] = []
    for distance in sorted(set(predicate.distances_m.values())):
        values = tuple(value for value, metres in predicate.distances_m.items() if metres == distance)
        found.append(
            ({**rule.zone_where, predicate.attribute: values}, _fixed(distance, predicate.statutory))
        )
    while len(_BY_ZONE) >= _BY_ZONE_SIZE:
        _BY_ZONE.pop(next(iter(_BY_ZONE)), None)
    _BY_ZONE[id(rule)] = rule, found
    return found


def merged_filter(asks: Sequence[Ask]) -> FilterResult:
    """What the questions together say of the subject filter: yes where one applies, no where none may."""
    if len(asks) == 1:
        return asks[0].applicable
    yes = _any(ask.rows & ask.applicable.yes for ask in asks)
    unknown = _any(ask.rows & ask.applicable.unknown for ask in asks) & ~yes
    no = ~yes & ~unknown
    missing: dict[str, Flags] = {}
    failing: dict[str, Flags] = {}
    for ask in asks:
        for name, lacks in ask.applicable.missing.items():
            missing[name] = missing.get(name, False) | (ask.rows & lacks & unknown)
        for name, fails in ask.applicable.failing.items():
            failing[name] = failing.get(name, False) | (fails & no)
    return FilterResult(yes, no, unknown, missing, failing)


def _any(flags: Iterable[Flags]) -> Flags:
    return np.asarray(np.any(list(flags), axis=0))


def worst_of(geoms: Geometries, answers: Sequence[Answer]) -> Answer:
    """The worst answer for each subject; at each place of it the worst verdict of any answer.

    The facts are those of the answer that decides: among equals the one farthest within its limit.
    """
    if len(answers) == 1:
        return answers[0]
    codes = np.stack([answer.code for answer in answers])
    margins = np.stack([answer.margin_m for answer in answers])
    code = codes.max(axis=0)
    worst = codes == code
    score = np.where(worst, np.nan_to_num(margins, nan=-_FAR_M, neginf=-_FAR_M), -np.inf)
    deciding = score.argmax(axis=0), np.arange(len(code))
    capped = np.stack([answer.capped for answer in answers])
    parts = _worst_parts(geoms, answers)
    divided = np.zeros(len(code), dtype=bool)
    divided[list(parts)] = True
    missing: Missing = {}
    for answer in answers:
        for name, lacks in answer.missing.items():
            note_missing(missing, name, lacks & ((code == UNKNOWN) | divided), len(code))
    return Answer(
        code=code,
        missing=missing,
        # Official zones alone give the worst verdict as soon as one of the answers rests on them.
        capped=(capped | ~worst).all(axis=0),
        margin_m=margins[deciding],
        error_m=np.stack([answer.error_m for answer in answers])[deciding],
        on_boundary=np.stack([answer.on_boundary for answer in answers])[deciding],
        parts=parts,
    )


_FAR_M = 1e12
"""Metres. Farther than anything on a plane."""


def _worst_parts(geoms: Geometries, answers: Sequence[Answer]) -> dict[int, Parts]:
    found: dict[int, list[Parts]] = {}
    for answer in answers:
        for row, parts in answer.parts.items():
            found.setdefault(row, []).append(parts)
    return {row: each[0] if len(each) == 1 else combine(geoms[row], each) for row, each in found.items()}


def worst_pairs(found: Sequence[Hits]) -> Hits:
    """All pairs, each once: of two answers on one pair the worse, then the one with the larger limit."""
    if len(found) == 1:
        return found[0]
    every = Hits.joined(found)
    order = np.lexsort((-np.nan_to_num(every.limit_m), -every.code, every.zone, every.subject))
    pair = np.stack([every.subject[order], every.zone[order]])
    first = np.ones(len(order), dtype=bool)
    first[1:] = (pair[:, 1:] != pair[:, :-1]).any(axis=0)
    return every.take(order[first])
