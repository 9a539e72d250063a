"""How a rule is put to the ground: as one question, or as several of one distance and one filter each.

A distance that differs from subject to subject, or from zone to zone, is asked once for each of its values.
So the ground knows fixed distances only, and a rule's answer is the worst of those to its questions.

An attribute that a table decides is asked as stated where somebody stated it. Where nobody did, each row of
the table is a question of its own: its filters of zone and subject instead of the attribute. Where no row
holds, a complete table settles it, and another leaves it open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np
from shapely.geometry.base import BaseGeometry

from gis.kernel import UNKNOWN, Parts, combine
from gis.kernel.arrays import Geometries
from gis.screening.filters import Attributes, FilterResult, Flags, both, evaluate
from gis.screening.ground import Answer, Missing, note_missing
from gis.screening.hits import Hits
from layers.predicates import Bounds, DWithin, DWithinBy, DWithinStated, Predicate, Where, both_of
from layers.rulemodel import Rule, Table, TableRow

__all__ = [
    "Ask",
    "asks_of",
    "merged_filter",
    "subject_fields",
    "subject_filters",
    "worst_of",
    "worst_pairs",
    "zone_filters",
]


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
    row : TableRow or None
        The row of a table that is asked instead of an attribute that nobody stated.
    """

    rows: Flags
    applicable: FilterResult
    zone_where: Where
    predicate: Predicate
    is_assumed: bool = False
    row: TableRow | None = None


def asks_of(rule: Rule, attributes: Attributes, law_date: date, tables: Sequence[Table] = ()) -> list[Ask]:
    """The questions of one rule; one for most.

    Parameters
    ----------
    attributes : Attributes
        Of all n subjects.
    tables : sequence of Table
        Those that decide an attribute which the rule asks of its subjects.
    """
    applicable = evaluate(rule.subject_where, attributes, law_date)
    whole = Ask(~applicable.no, applicable, rule.zone_where, rule.predicate)
    match rule.predicate:
        case DWithinStated():
            return _by_subject(rule.predicate, whole, attributes, law_date, rule.subject_where)
        case DWithinBy():
            pairs = _by_zone(rule, rule.predicate)
            return [replace(whole, zone_where=where, predicate=fixed) for where, fixed in pairs]
        case _ if tables:
            return _by_tables(rule, whole, attributes, law_date, tables)
        case _:
            return [whole]


def _by_tables(
    rule: Rule, whole: Ask, attributes: Attributes, law_date: date, tables: Sequence[Table]
) -> list[Ask]:
    """The attribute as stated, then each row of the tables for the subjects that do not state it."""
    asks: list[Ask] = []
    stated = whole.rows.copy()
    for table in tables:
        name = str(table.decides)
        silent = whole.rows & (attributes.encoded(name)[0] < 0)
        stated &= ~silent
        if not silent.any():
            continue
        others = {n: condition for n, condition in rule.subject_where.items() if n != name}
        rest = evaluate(others, attributes, law_date)
        rows = [
            (row, where, both(rest, _named(evaluate(row.subject, attributes, law_date), name)))
            for row, where in _rows_of(rule, table)
        ]
        for row, where, holds in rows:
            # What another row says for sure of the same zones, this one cannot leave open.
            sure = _any(other.yes for same, _, other in rows if same.zone == row.zone)
            asked = silent & ~holds.no & ~(holds.unknown & sure)
            asks.append(Ask(asked, holds, where, rule.predicate, row=row))
        if not table.complete:
            everywhere = _any(holds.yes for row, _, holds in rows if not row.zone)
            asks.append(replace(whole, rows=silent & ~everywhere))
    return [replace(whole, rows=stated), *asks] if asks else [whole]


def _named(holds: FilterResult, attribute: str) -> FilterResult:
    """A row's filter, missing the attribute itself and the first of those that would decide the row."""
    missing = {attribute: holds.unknown} if holds.unknown.any() else {}
    named = np.zeros(len(holds.unknown), dtype=bool)
    for name, lacks in holds.missing.items():
        missing[name] = lacks & ~named
        named |= lacks
    return replace(holds, missing=missing)


# Selections of zones are kept by the identity of their filter, so the filters are kept with their rule.
_ROWS: dict[tuple[int, int], tuple[Rule, Table, list[tuple[TableRow, Where]]]] = {}
_KEPT = 256


def _rows_of(rule: Rule, table: Table) -> list[tuple[TableRow, Where]]:
    """The rows that can hold for zones of the rule, with the filter of those zones."""
    held = _ROWS.get((id(rule), id(table)))
    if held is not None and held[0] is rule and held[1] is table:
        return held[2]
    found: list[tuple[TableRow, Where]] = []
    for row in table.deciding:
        names = row.zone.keys() & rule.zone_where.keys()
        shared = {name: both_of(row.zone[name], rule.zone_where[name]) for name in names}
        if all(shared.values()):
            found.append((row, {**rule.zone_where, **row.zone, **shared}))
    while len(_ROWS) >= _KEPT:
        _ROWS.pop(next(iter(_ROWS)), None)
    _ROWS[id(rule), id(table)] = rule, table, found
    return found


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


_BY_ZONE: dict[int, tuple[Rule, list[tuple[Where, DWithin]]]] = {}


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
    while len(_BY_ZONE) >= _KEPT:
        _BY_ZONE.pop(next(iter(_BY_ZONE)), None)
    _BY_ZONE[id(rule)] = rule, found
    return found


def subject_filters(rule: Rule, tables: Sequence[Table] = ()) -> list[Where]:
    """All filters of subjects that a rule may ask: its own, its exceptions', and those of tables' rows."""
    exceptions = [unless.where for unless in rule.unless]
    return [rule.subject_where, *exceptions, *(row.subject for table in tables for row in table.deciding)]


def subject_fields(rule: Rule, tables: Sequence[Table] = ()) -> set[str]:
    """The attributes of subjects that a rule may ask for."""
    asked = {name for where in subject_filters(rule, tables) for name in where}
    if isinstance(rule.predicate, DWithinStated):
        asked.add(rule.predicate.attribute)
    return asked | {str(table.decides) for table in tables}


def zone_filters(rule: Rule, tables: Sequence[Table] = ()) -> list[Where]:
    """The zone filters of all questions that a rule may ask: first the rule's own, which holds the others."""
    if isinstance(rule.predicate, DWithinBy):
        return [rule.zone_where, *(where for where, _ in _by_zone(rule, rule.predicate))]
    return [rule.zone_where, *(where for table in tables for _, where in _rows_of(rule, table))]


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


def worst_of(geoms: Geometries, answers: Sequence[Answer], *, divided: bool = True) -> Answer:
    """The worst answer for each subject; at each place of it the worst verdict of any answer.

    The facts are those of the answer that decides: among equals the one farthest within its limit. Without
    ``divided`` the parts only tell which subjects have some.
    """
    if len(answers) == 1:
        return answers[0]
    if len(geoms) == 1:
        return _worst_of_one(geoms, answers, divided)
    codes = np.stack([answer.code for answer in answers])
    margins = np.stack([answer.margin_m for answer in answers])
    code = codes.max(axis=0)
    worst = codes == code
    score = np.where(worst, np.nan_to_num(margins, nan=-_FAR_M, neginf=-_FAR_M), -np.inf)
    deciding = score.argmax(axis=0), np.arange(len(code))
    capped = np.stack([answer.capped for answer in answers])
    parts = _worst_parts(geoms, answers, divided)
    has_parts = np.zeros(len(code), dtype=bool)
    has_parts[list(parts)] = True
    missing: Missing = {}
    for answer in answers:
        for name, lacks in answer.missing.items():
            note_missing(missing, name, lacks & ((code == UNKNOWN) | has_parts), len(code))
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


def _worst_of_one(geoms: Geometries, answers: Sequence[Answer], divided: bool) -> Answer:
    """The same for one subject."""
    codes = [answer.code.item() for answer in answers]
    code = max(codes)
    worst = [answer for answer, each in zip(answers, codes, strict=True) if each == code]
    deciding = max(worst, key=_score)
    each = [answer.parts[0] for answer in answers if answer.parts]
    parts = {0: _worst_division(geoms[0], each, divided)} if each else {}
    missing: Missing = {}
    if code == UNKNOWN or parts:
        for answer in answers:
            missing |= answer.missing
    capped = np.array([all(answer.capped.item() for answer in worst)])
    return Answer(
        deciding.code, missing, capped, deciding.margin_m, deciding.error_m, deciding.on_boundary, parts
    )


def _score(answer: Answer) -> float:
    """How far the subject lies within the limit; least where that is not known."""
    margin: float = answer.margin_m.item()
    return margin if margin > -_FAR_M else -_FAR_M


_FAR_M = 1e12
"""Metres. Farther than anything on a plane."""


def _worst_parts(geoms: Geometries, answers: Sequence[Answer], divided: bool) -> dict[int, Parts]:
    found: dict[int, list[Parts]] = {}
    for answer in answers:
        for row, parts in answer.parts.items():
            found.setdefault(row, []).append(parts)
    return {row: _worst_division(geoms[row], each, divided) for row, each in found.items()}


def _worst_division(site: BaseGeometry, each: list[Parts], divided: bool) -> Parts:
    """The worst of some divisions of a site; most questions of a rule have the same one."""
    return combine(site, each) if divided and len({*map(id, each)}) > 1 else each[0]


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
