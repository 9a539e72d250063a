"""A zone layer at two times without its geometry: its versions of rows, and what rules see in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, or_, select

from gis import tables
from gis.crs import transformation
from gis.revisions import alive
from gis.screening.asking import zone_filters
from gis.screening.columns import read_columns
from gis.screening.dates import dated
from gis.screening.filters import Attributes, Flags, evaluate
from gis.settings import MapDefinition
from layers.model import Layer
from layers.predicates import CountGt, Where
from layers.rulemodel import Rule

__all__ = ["Picture", "Seen", "linked", "read_picture"]


@dataclass(frozen=True, eq=False)
class Seen:
    """The versions of a picture that are in force at one of its times, and what a rule's filter says.

    Attributes
    ----------
    yes, maybe : bool[n]
        Over all versions of the picture.
    """

    yes: Flags
    maybe: Flags

    @property
    def both(self) -> Flags:
        """Versions that count or may count."""
        return self.yes | self.maybe


@dataclass(frozen=True, eq=False)
class Picture:
    """Versions of rows of one layer that live at either of two revisions.

    Attributes
    ----------
    row_ids : int64[n]
    accuracy_m : float64[n]
        As `gis.screening.rows.LayerRows` has it.
    is_indicative : bool[n]
    attributes : Attributes
        Only those that filters of rules ask for.
    filters : mapping of rule id to filters
        See `gis.screening.asking.zone_filters`.
    before, now : bool[n]
        Whether the version lives and is in force at the earlier and the later time.
    """

    row_ids: NDArray[np.int64]
    accuracy_m: NDArray[np.float64]
    is_indicative: Flags
    attributes: Attributes
    columns: Mapping[str, NDArray[np.object_]]
    filters: Mapping[str, Sequence[Where]]
    before: Flags
    now: Flags
    law_dates: tuple[date, date]

    def seen(self, rule: Rule, *, now: bool) -> Seen:
        """What the rule's filter says at one of the two times."""
        return self._seen(rule.zone_where, now)

    def _seen(self, where: Where, now: bool) -> Seen:
        there = self.now if now else self.before
        found = evaluate(where, self.attributes, self.law_dates[now])
        return Seen(found.yes & there, found.unknown & there)

    def _parts(self, rule: Rule, now: bool) -> Iterator[Flags]:
        """The sets of zones that any question of the rule is put to, with and without indicative ones."""
        for where in self.filters[rule.id]:
            seen = self._seen(where, now)
            for kind in (seen.yes, seen.maybe, seen.both):
                yield kind
                yield kind & ~self.is_indicative

    def changed(self, rule: Rule) -> Flags:
        """The versions that count, or may, at one of the times and not at the other in the same way."""
        before, now = self.seen(rule, now=False), self.seen(rule, now=True)
        changed = (before.yes != now.yes) | (before.maybe != now.maybe)
        low, high = sorted(self.law_dates)
        if low != high:
            for name in {name for where in self.filters[rule.id] for name in dated(where)}:
                near = np.array([_between(v, low, high) for v in self.columns[name]], dtype=bool)
                changed |= near & (before.both | now.both)
        return np.asarray(changed)

    def traits(self, rule: Rule, *, now: bool) -> tuple[list[Any], list[Any]]:
        """What of all zones together enters an answer wherever the subject is.

        First whether any accuracy is not known (for a rule that counts: how many are not), which decides
        verdicts everywhere; then the range of the known ones, which decides the measures in the rows.
        """
        unknown: list[Any] = []
        spread: list[Any] = []
        for chosen in self._parts(rule, now):
            accuracy = self.accuracy_m[chosen]
            open_ = int(np.isnan(accuracy).sum())
            unknown.append(open_ if isinstance(rule.predicate, CountGt) else open_ > 0)
            known = accuracy[~np.isnan(accuracy)]
            spread.append((float(known.max()), bool(known.min() == known.max())) if len(known) else None)
        return unknown, spread

    def everywhere(self, rule: Rule) -> NDArray[np.int64]:
        """Row ids of zones now that must be there in any part of the layer, so that its traits are kept."""
        seen = self.seen(rule, now=True)
        found = [self.row_ids[seen.both & np.isnan(self.accuracy_m)]]
        for chosen in self._parts(rule, True):
            rows = np.flatnonzero(chosen & ~np.isnan(self.accuracy_m))
            if len(rows):
                ends = [rows[np.argmin(self.accuracy_m[rows])], rows[np.argmax(self.accuracy_m[rows])]]
                found.append(self.row_ids[ends])
        return np.unique(np.concatenate(found))


def linked(picture: Picture, rules: Sequence[Rule]) -> list[list[Rule]]:
    """The rules in groups, so that no zone counts, or may count, for rules of two groups; then or now."""
    groups: list[tuple[Flags, list[Rule]]] = []
    for rule in rules:
        met = picture.seen(rule, now=False).both | picture.seen(rule, now=True).both
        apart = [group for group in groups if not (group[0] & met).any()]
        joined = [group for group in groups if (group[0] & met).any()]
        flags = np.logical_or.reduce([met, *(flags for flags, _ in joined)])
        groups = [*apart, (flags, [*(each for _, group in joined for each in group), rule])]
    return [group for _, group in groups]


def _between(value: Any, low: date, high: date) -> bool:
    value = value.date() if hasattr(value, "date") else value
    return isinstance(value, date) and low <= value <= high


def read_picture(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    rules: list[Rule],
    revisions: tuple[int, int],
    law_dates: tuple[date, date],
) -> Picture:
    """The versions of ``layer`` alive at one of two revisions, with the attributes that ``rules`` ask for."""
    district = definition.district
    t = tables.table_for(layer, district.storage_crs)
    filters = {rule.id: zone_filters(rule, definition.packs[rule.pack].deciding(rule)) for rule in rules}
    asked = {name for wheres in filters.values() for where in wheres for name in where}
    names = sorted(asked & {f.name for f in layer.fields})
    old, new = (alive(t, revision) for revision in revisions)
    query = select(
        t.c.row_id, t.c.accuracy_m, t.c.is_indicative, t.c.valid_from, t.c.valid_to,
        old.label("was"), new.label("is"), *(t.c[name] for name in names),
    ).where(or_(old, new), t.c.geom.is_not(None)).order_by(t.c.uid, t.c.row_id)  # fmt: skip
    found = read_columns(conn, query)
    plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    columns = {name: found[name] for name in names}
    was, now = (found[name].astype(bool) for name in ("was", "is"))
    return Picture(
        found["row_id"].astype(np.int64),
        found["accuracy_m"].astype(float) + plane.accuracy_m,
        found["is_indicative"].astype(bool),
        Attributes(columns, len(was)),
        columns,
        filters,
        was & _in_force(found, law_dates[0]),
        now & _in_force(found, law_dates[1]),
        law_dates,
    )


def _in_force(found: Mapping[str, NDArray[np.object_]], law_date: date) -> Flags:
    began = np.array([v is None or v <= law_date for v in found["valid_from"]], dtype=bool)
    lasts = np.array([v is None or v >= law_date for v in found["valid_to"]], dtype=bool)
    return np.asarray(began & lasts)
