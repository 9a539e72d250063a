"""What of the ledger may no longer be right, given what has changed since it was judged last.

Each change is followed to the pairs of subject and zone layer (see `gis.screening.scope`) that it can alter.
More may be judged again than need be, never less:

* A changed subject: all rules on it.
* A changed zone: the subjects within the farthest distance of the layer's rules and the errors of both, of
  the old outline or the new. Beyond that it can only move the boundary of the union that a subject deep
  inside is measured to, so subjects whose stated margin reaches it are taken too. For a rule about lying in
  no zone, whoever is not clear, because the nearest zone is named however far it is.
* A zone with another outline and nothing else is, for points, what differs (`gis.screening.redrawn`), where
  all zones that the rules ask have one accuracy.
* Zones of unknown accuracy decide everywhere; whether there are any is looked at for each rule.
* A changed coverage: the subjects within the rules' distances of what it gained or lost.
* A changed rule: all its subjects. Where only its distance is another, the subjects within the farther one
  and the errors of the zones it asks, and at the rim of the coverage; where only its severity is, the rows
  it made, unjudged (see `gis.screening.weighing`). Its words and legal texts are in no row: see
  `gis.screening.telling`.
* Another law date: what is in force on one of the days only counts as changed; where the rules' last legal
  basis ends or their first begins, their severity; where a filter compares with the law date, the values
  between.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    Select,
    Table,
    Text,
    all_,
    and_,
    any_,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.crs import transformation
from gis.revisions import alive, differs
from gis.screening.asking import subject_filters
from gis.screening.basis import JudgedRule, Judging, is_local, network_of, seeks_absence, zone_layer_of
from gis.screening.columns import read_columns, texts
from gis.screening.dates import dated
from gis.screening.gathered import Gathered
from gis.screening.near import (
    SLACK_M,
    Places,
    Reach,
    boxes,
    joined_reaches,
    padding,
    subjects_near,
)
from gis.screening.onrecord import OnRecord
from gis.screening.picture import Picture, linked, read_picture
from gis.screening.redrawn import differing_lines
from gis.screening.rows import read_coverage
from gis.screening.scope import WHOLE, Scope, part_of, parted
from gis.screening.snapshot import enabled_rules
from gis.screening.telling import lists_with
from gis.screening.weighing import folded
from gis.settings import MapDefinition
from layers.model import Layer
from layers.predicates import DWithinStated, UpstreamWithin
from layers.rulemodel import Rule

__all__ = ["Touched", "touched"]

_NOWHERE = -1.0


class Touched:
    """Works out the scope of one judging after another.

    Attributes
    ----------
    scope : Scope
        What has to be judged.
    pictures : dict of layer id to Picture
        The zone layers that were looked at.
    rows : Gathered
        What was read of subjects and zones, and more of it for whoever judges.
    """

    def __init__(
        self, conn: Connection, definition: MapDefinition, ledger: Layer, last: Judging, now: Judging,
        *, judge_all: bool = False, record: OnRecord | None = None,
    ) -> None:  # fmt: skip
        self.conn, self.definition, self.ledger = conn, definition, ledger
        self.last, self.now, self._judge_all, self._record = last, now, judge_all, record
        self.scope = Scope()
        self.pictures: dict[str, Picture] = {}
        self.rules = enabled_rules(definition)
        self.rows = Gathered(conn, definition, self.rules, now.rev)
        self._dates = last.law_date, now.law_date
        self._tables: dict[str, Table] = {}
        self._peopled: list[str] | None = None

    def picture(self, zone_layer: str) -> Picture:
        """The layer as it was and as it is."""
        if zone_layer not in self.pictures:
            rules = [rule for rule in self.rules if rule.zone_layer == zone_layer]
            self.pictures[zone_layer] = read_picture(
                self.conn, self.definition, self.definition.layers[zone_layer], rules,
                (self.last.rev, self.now.rev), self._dates,
            )  # fmt: skip
        return self.pictures[zone_layer]

    def find(self) -> None:
        """Follow every change."""
        touched = self._touched_layers()
        self._rules_changed()
        self._coarseness_changed()
        for layer in dict.fromkeys(s for rule in self.rules for s in rule.subjects):
            if layer in self.definition.layers:
                self._subjects_changed(layer, layer in touched)
        for layer in dict.fromkeys(map(zone_layer_of, self.rules)):
            if layer and (layer in touched or self.last.law_date != self.now.law_date):
                self._zones_changed(layer)
            if layer in touched:
                self._coverage_changed(layer)
        for rule in self.rules:
            if network_of(rule) and (network_of(rule) in touched or self._flips(network_of(rule))):
                for subject in set(rule.subjects) & self.definition.layers.keys():
                    self.scope.add_every(subject, zone_layer_of(rule))

    def _flips(self, layer: str) -> bool:
        """Whether any row is in force on one of the two days only."""
        query = select(func.count()).where(alive(self._table(layer), None), self._validity(layer))
        return self.last.law_date != self.now.law_date and bool(self.conn.scalar(query))

    def _validity(self, layer: str) -> ColumnElement[bool]:
        t, (low, high) = self._table(layer), sorted(self._dates)
        begins = and_(t.c.valid_from > low, t.c.valid_from <= high)
        return or_(begins, and_(t.c.valid_to >= low, t.c.valid_to < high))

    def _touched_layers(self) -> set[str]:
        t = tables.revision_layers
        query = select(t.c.layer).distinct().where(t.c.rev > self.last.rev, t.c.rev <= self.now.rev)
        return set(self.conn.scalars(query))

    def _rules_changed(self) -> None:
        for name, (old, new) in self.last.basis.changed_rules(self.now.basis).items():
            was_for, is_for = (set(rule.subjects) if rule else set() for rule in (old, new))
            for subject in sorted((was_for | is_for) & self.definition.layers.keys()):
                if new is None or subject not in is_for:
                    assert old is not None
                    self._rule_gone(name, subject, old)
                elif old is None or subject not in was_for:
                    self.scope.add_every(subject, new.zone_layer)
                else:
                    self._rule_changed(name, subject, old, new)

    def _rule_gone(self, name: str, subject: str, rule: JudgedRule) -> None:
        self.scope.add(subject, rule.zone_layer, self._with_rows(subject, [name]))
        self.scope.add(subject, rule.zone_layer, self._uncovered(subject, [name]))

    def _rule_changed(self, name: str, subject: str, was: JudgedRule, now: JudgedRule) -> None:
        if (was.digest, was.zone_layer) != (now.digest, now.zone_layer):
            for zone_layer in {was.zone_layer, now.zone_layer}:
                self.scope.add_every(subject, zone_layer)
            return
        if was.reach_m != now.reach_m and subject in self._subject_layers():
            self._distance_changed(name, subject, max(was.reach_m or 0.0, now.reach_m or 0.0))
        if was.weight != now.weight:
            self._weight_changed(name, subject, now.zone_layer)

    def _weight_changed(self, name: str, subject: str, zone_layer: str) -> None:
        """Rows that the rule alone stands behind are weighed anew as they are; the others are judged."""
        lists = lists_with(self.conn, [name])
        if not self._judge_all:
            self.scope.reweighed.add((subject, name))
            lists = [listed for listed in lists if listed != name]
        t = self._table(self.ledger.id)
        shared = or_(t.c.rules == any_(literal(lists, ARRAY(Text))), and_(t.c.rules == name, folded(t)))
        query = select(t.c.subject_uid.label("uid")).distinct()
        uids = self._uids(query.where(alive(t, None), t.c.subject_layer == subject, shared))
        self.scope.add(subject, self._part(name, zone_layer), uids)

    def _distance_changed(self, name: str, subject: str, farthest_m: float) -> None:
        """Whoever is between, or near enough to have a row; and at the rim of the coverage."""
        rule = next(rule for rule in self.rules if rule.id == name)
        assert rule.zone_layer is not None
        picture = self.picture(rule.zone_layer)
        seen = picture.seen(rule, now=False).both | picture.seen(rule, now=True).both
        if not is_local(rule.predicate) or np.isnan(picture.accuracy_m[seen]).any():
            self.scope.add_every(subject, rule.zone_layer)
            return
        places = list(self._outlines(picture, rule.zone_layer, np.flatnonzero(seen)))
        metres = [farthest_m + float(picture.accuracy_m[seen].max(initial=0.0))] * len(places)
        for cover in self._coverages(rule.zone_layer):
            places.append(shapely.boundary(cover))
            metres.append(farthest_m)
        reach = Reach(np.array(metres), (rule.subject_where,))
        near = self._near(subject, Places(np.array(places, dtype=object)), [reach])
        # What is open is one row for several rules; who has none is asked for this rule alone.
        part = self._part(name, rule.zone_layer)
        doubtful = pd.Index(near).isin(self._doubtful(subject, part))
        self.scope.other_limits.add(name)
        self.scope.add(subject, part, near[doubtful])
        self.scope.add(subject, part_of(rule.zone_layer, [name]), near[~doubtful])

    def _doubtful(self, subject: str, part: str) -> NDArray[Any]:
        """Subjects between whom and a zone something is open by rules of a part."""
        zone_layer, rules = parted(part)
        named = rules or [rule.id for rule in self.rules if rule.zone_layer == zone_layer]
        t = self._table(self.ledger.id)
        where = alive(t, None), t.c.subject_layer == subject, t.c.verdict == "unknown", self._listing(named)
        return self._uids(select(t.c.subject_uid.label("uid")).distinct().where(*where))

    def _near(self, subject: str, places: Places, reaches: Sequence[Reach]) -> NDArray[Any]:
        """The subjects whom a change at ``places`` may concern.

        What a rule's filter is known to exclude stays clear of it. Whoever was not excluded before has
        changed itself, or a date in its filter has been passed, and is taken for that.
        """
        layer = self.definition.layers[subject]
        near = subjects_near(
            self.conn, self.definition, layer, places, reaches, self.now.law_date,
            self.rows.fields(subject), self.now.rev,
        )  # fmt: skip
        if near is None:
            return np.empty(0, dtype=object)
        self.rows.keep(near)
        if self._record is not None:
            self._record.expect(subject, near.uids)
        return near.uids

    def _part(self, name: str, zone_layer: str) -> str:
        """The part of the rules on a zone layer that is judged together with one of them."""
        rules = [rule for rule in self.rules if zone_layer_of(rule) == zone_layer]
        groups = linked(self.picture(zone_layer), rules) if zone_layer else [rules]
        group = next(group for group in groups if any(rule.id == name for rule in group))
        return zone_layer if len(groups) == 1 else part_of(zone_layer, [rule.id for rule in group])

    def _outlines(self, picture: Picture, zone_layer: str, versions: NDArray[np.int64]) -> NDArray[Any]:
        """The geometries of versions in the measuring plane."""
        return self.rows.zones(zone_layer, picture.row_ids[versions]).geoms

    def _coverages(self, zone_layer: str) -> list[Any]:
        """Where the layer was complete, and where it is."""
        layer = self.definition.layers[zone_layer]
        return [
            read_coverage(self.conn, self.definition, layer, rev) or shapely.Polygon()
            for rev in (self.last.rev, self.now.rev)
        ]

    def _coarseness_changed(self) -> None:
        low, high = sorted((self.last.basis.coarse_m, self.now.basis.coarse_m))
        if low == high:
            return
        for name in self._subject_layers():
            t = self._table(name)
            between = and_(t.c.accuracy_m > low - SLACK_M, t.c.accuracy_m <= high + SLACK_M)
            self.scope.add(name, WHOLE, self._uids(select(t.c.uid).where(alive(t, None), between)))

    def _subject_layers(self) -> list[str]:
        """Those of which there are any now; whoever has gone has changed."""
        if self._peopled is None:
            names = dict.fromkeys(s for rule in self.rules for s in rule.subjects)
            self._peopled = [n for n in names if n in self.definition.layers and self._has_rows(n)]
        return self._peopled

    def _has_rows(self, layer: str) -> bool:
        t = self._table(layer)
        return self.conn.scalar(select(t.c.row_id).where(alive(t, None)).limit(1)) is not None

    def _table(self, layer: str) -> Table:
        if layer not in self._tables:
            crs = self.definition.district.storage_crs
            self._tables[layer] = tables.table_for(self.definition.layers[layer], crs)
        return self._tables[layer]

    def _uids(self, query: Select[Any]) -> NDArray[Any]:
        return read_columns(self.conn, query)["uid"]

    def _subjects_changed(self, name: str, touched: bool) -> None:
        t = self._table(name)
        if touched:
            since = or_(t.c.rev_from > self.last.rev, t.c.rev_to > self.last.rev)
            self.scope.add(name, WHOLE, self._uids(select(t.c.uid).distinct().where(since)))
        low, high = sorted(self._dates)
        if low == high:
            return
        flips = select(t.c.uid).where(alive(t, None), self._validity(name))
        self.scope.add(name, WHOLE, self._uids(flips))
        for rule in self.rules:
            if name not in rule.subjects:
                continue
            tables_of = self.definition.packs[rule.pack].deciding(rule)
            wheres = subject_filters(rule, tables_of)
            for field in sorted({field for where in wheres for field in dated(where)} & set(t.c.keys())):
                due = cast(t.c[field], Date).between(low, high)
                uids = self._uids(select(t.c.uid).where(alive(t, None), due))
                self.scope.add(name, zone_layer_of(rule), uids)

    def _zones_changed(self, zone_layer: str) -> None:
        picture = self.picture(zone_layer)
        rules = [rule for rule in self.rules if rule.zone_layer == zone_layer]
        changed = {rule.id: picture.changed(rule) for rule in rules}
        versions = np.flatnonzero(np.logical_or.reduce(list(changed.values())))
        if not len(versions):
            return
        outlines = self._outlines(picture, zone_layer, versions)
        whole, parts = Places(outlines), self._redrawn(picture, zone_layer, versions, outlines)
        widest = float(np.nan_to_num(picture.accuracy_m).max(initial=0.0))
        groups = linked(picture, rules)
        for subject, group in product(self._subject_layers(), groups):
            mine = [rule for rule in group if subject in rule.subjects and changed[rule.id].any()]
            if not mine or zone_layer in self.scope.every(subject):
                continue
            if any(self._is_everywhere(rule, picture, changed[rule.id]) for rule in mine):
                self.scope.add_every(subject, zone_layer)
                continue
            part = zone_layer if len(groups) == 1 else part_of(zone_layer, [rule.id for rule in group])
            reaches = [
                Reach(
                    np.where(changed[rule.id][versions], rule.predicate.reach_m + widest, _NOWHERE),
                    (rule.subject_where,),
                )
                for rule in mine
            ]
            places = parts if self._is_by_the_outline(subject, mine, picture) else whole
            uids = self._near(subject, places, joined_reaches(reaches))
            self.scope.add(subject, part, uids)
            met = np.logical_or.reduce([changed[rule.id][versions] for rule in mine])
            self._follow_rows(subject, part, mine, picture, places, np.flatnonzero(met), uids)

    def _redrawn(
        self, picture: Picture, zone_layer: str, versions: NDArray[np.int64], outlines: NDArray[Any]
    ) -> Places:
        """The versions as places, but of a zone that only has another outline no more than what differs."""
        ids, before, now = (array[versions] for array in (picture.row_ids, picture.before, picture.now))
        t = self._table(zone_layer)
        old, new = t.alias(), t.alias()
        gone, come = (literal(ids[at].tolist(), ARRAY(BigInteger)) for at in (before & ~now, now & ~before))
        same = select(old.c.uid, old.c.row_id.label("old"), new.c.row_id.label("new")).where(
            old.c.row_id == any_(gone), new.c.row_id == any_(come), old.c.uid == new.c.uid,
            not_(differs(old, new, frozenset({"geom"}))),
        )  # fmt: skip
        found = read_columns(self.conn, same)
        geoms, redrawn = outlines.copy(), {}
        for uid, *pair in zip(found["uid"], found["old"], found["new"], strict=True):
            was, is_ = (int(np.flatnonzero(ids == row)[0]) for row in pair)
            both = outlines[was], outlines[is_]
            lines = differing_lines(*both) if (shapely.get_dimensions(both) == 2).all() else None
            if lines is None:
                self.scope.other_zones.add((zone_layer, uid))
            else:
                geoms[was], geoms[is_], redrawn[is_] = shapely.Polygon(), lines, both
        return Places(geoms, redrawn)

    def _is_by_the_outline(self, subject: str, rules: Sequence[Rule], picture: Picture) -> bool:
        """Whether a zone is to subjects what its outline near them is, or the nearest of it to those inside.

        Points, for what others share with a zone is drawn from pieces of it. And zones of one accuracy: else
        the boundary that decides need not be the nearest.
        """
        seen = np.zeros(len(picture.row_ids), dtype=bool)
        for rule in rules:
            seen |= picture.seen(rule, now=False).both | picture.seen(rule, now=True).both
        return (
            self.last.law_date == self.now.law_date
            and self.definition.layers[subject].geometry == "Point"
            and all(is_local(rule.predicate) for rule in rules)
            and len(np.unique(picture.accuracy_m[seen])) == 1
            and not np.isnan(picture.accuracy_m[seen]).any()
        )

    @staticmethod
    def _is_everywhere(rule: Rule, picture: Picture, changed: NDArray[Any]) -> bool:
        """Whether the change may alter answers at any distance."""
        if isinstance(rule.predicate, UpstreamWithin):
            return True
        before, now = picture.seen(rule, now=False), picture.seen(rule, now=True)
        open_ = (before.maybe | now.maybe) & changed & np.isnan(picture.accuracy_m)
        unknown, spread = zip(picture.traits(rule, now=False), picture.traits(rule, now=True), strict=True)
        # Where subjects do not state the distance, the coarsest zone's error is taken for all zones.
        assumed = isinstance(rule.predicate, DWithinStated) and spread[0] != spread[1]
        return bool(open_.any()) or unknown[0] != unknown[1] or assumed

    def _follow_rows(
        self, subject: str, part: str, rules: Sequence[Rule], picture: Picture, places: Places,
        met: NDArray[np.int64], near: NDArray[Any],
    ) -> None:  # fmt: skip
        """Subjects with rows that the changed zones ``met`` alter from afar; those ``near`` are known."""
        ids = [rule.id for rule in rules]
        absent = [rule.id for rule in rules if seeks_absence(rule.predicate)]
        if absent:
            self.scope.add(subject, part, self._with_rows(subject, absent))
            self.scope.add(subject, part, self._uncovered(subject, absent))
        spread = [[picture.traits(rule, now=now)[1] for rule in rules] for now in (False, True)]
        if spread[0] == spread[1]:
            self.scope.add(subject, part, self._deep(subject, ids, places, met, near))
        else:
            self.scope.add(subject, part, self._with_rows(subject, ids))

    def _with_rows(self, subject: str, rules: Sequence[str]) -> NDArray[Any]:
        t = self._table(self.ledger.id)
        where = (alive(t, None), t.c.subject_layer == subject, self._listing(rules))
        return self._uids(select(t.c.subject_uid.label("uid")).distinct().where(*where))

    def _listing(self, rules: Sequence[str]) -> ColumnElement[bool]:
        """Rows of the ledger that name any of ``rules``: few lists are many rows, and lists have an index."""
        lists = lists_with(self.conn, rules)
        return self._table(self.ledger.id).c.rules == any_(literal(lists, ARRAY(Text)))

    def _uncovered(self, subject: str, rules: Sequence[str]) -> NDArray[Any]:
        u = tables.uncovered
        listed = func.string_to_array(u.c.rules, " ")
        query = select(u.c.uid).where(
            u.c.layer == subject, listed.op("&&")(literal(list(rules), ARRAY(Text)))
        )
        return self._uids(query)

    def _deep(
        self, subject: str, rules: Sequence[str], places: Places, met: NDArray[np.int64],
        known: NDArray[Any],
    ) -> NDArray[Any]:  # fmt: skip
        """Subjects with a row whose margin to the boundary of the union reaches any of the places ``met``."""
        t, geoms = self._table(self.ledger.id), places.geoms[met]
        around = boxes(self.definition, geoms, np.zeros(len(geoms)))
        x0, y0 = np.nanmin(around[:, :2], axis=0).tolist()
        x1, y1 = np.nanmax(around[:, 2:], axis=0).tolist()
        box = func.ST_MakeEnvelope(x0, y0, x1, y1, self.definition.district.storage_crs)
        dx, dy = padding(self.definition)
        reach = t.c.margin_m + SLACK_M
        query = select(t.c.subject_uid.label("uid"), t.c.margin_m, func.ST_AsBinary(t.c.geom).label("wkb"))
        query = query.where(
            alive(t, None), t.c.subject_layer == subject, self._listing(rules), t.c.margin_m > 0,
            func.ST_Expand(t.c.geom, reach * dx, reach * dy).op("&&")(box),
            t.c.subject_uid != all_(texts(known)),
        )  # fmt: skip
        found = read_columns(self.conn, query)
        if not len(found["uid"]):
            return found["uid"]
        district = self.definition.district
        plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
        seen, margin = plane.geometries(found["wkb"]), found["margin_m"].astype(float)
        close = np.zeros(len(seen), dtype=bool)
        for place in met[~shapely.is_empty(geoms)].tolist():
            rest = np.flatnonzero(~close)
            close[rest] = places.near(place, seen[rest], margin[rest])
        return np.unique(found["uid"][close])

    def _coverage_changed(self, zone_layer: str) -> None:
        c = tables.coverage
        since = or_(c.c.rev_from > self.last.rev, c.c.rev_to > self.last.rev)
        if not self.conn.scalar(select(func.count()).where(c.c.layer == zone_layer, since)):
            return
        before, now = self._coverages(zone_layer)
        other = Places(np.array([shapely.symmetric_difference(before, now)], dtype=object))
        for subject in self._subject_layers():
            reaches = [
                Reach(np.array([rule.predicate.reach_m]), (rule.subject_where,))
                for rule in self.rules
                if rule.zone_layer == zone_layer and subject in rule.subjects
            ]
            if reaches:
                self.scope.add(subject, zone_layer, self._near(subject, other, joined_reaches(reaches)))


def touched(
    conn: Connection, definition: MapDefinition, ledger: Layer, last: Judging, now: Judging,
    *, judge_all: bool = False, record: OnRecord | None = None,
) -> Touched:  # fmt: skip
    """Follow every change between two judgings; everything where they cannot be compared.

    With ``judge_all`` also what could be written anew without judging: who compares needs what is found.
    ``record`` is told whom the scope will hold as soon as that is known.
    """
    found = Touched(conn, definition, ledger, last, now, judge_all=judge_all, record=record)
    if last.basis.carries(now.basis):
        found.find()
    else:
        found.scope = Scope(everything=True)
    return found
