"""Judging a scope again: only its subjects, and only the zones that can matter to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, any_, func, select

from gis import tables
from gis.kernel import CLEAR
from gis.revisions import alive
from gis.screening.basis import is_local, network_of, zone_layer_of
from gis.screening.columns import read_columns, texts
from gis.screening.inputs import PreparedLayer
from gis.screening.judge import judge
from gis.screening.judgement import Judgement
from gis.screening.ledger import ledger_rows, uncovered_rules
from gis.screening.near import gathered_boxes, rows_in_boxes
from gis.screening.onrecord import Recorded
from gis.screening.rows import LayerRows, read_rows, read_some
from gis.screening.scope import WHOLE, holds
from gis.screening.snapshot import as_subjects, prepare_rows, take_snapshot
from gis.screening.touched import Touched
from gis.settings import MapDefinition
from layers.rulemodel import PARCEL, Rule

__all__ = ["Open", "Rejudged", "rejudge"]

Progress = Callable[[str, int, int], None]

# Beyond so many subjects at once all zones are used: looking for those near each would take longer.
_NEAR_MOST = 50_000
# So many subjects are judged at once. Where zones are those near them, fewer, the first fewer still: what was
# found of some is written while the next are judged. Each batch costs some processor time of its own.
_BATCH, _NEAR_FIRST, _NEAR_BATCH = 100_000, 2_000, 6_000
# Metres by which a margin may grow before a second look is needed.
_ROOM_M = 100.0


@dataclass(frozen=True, eq=False)
class Open:
    """What was found of some subjects of one layer by some rules.

    Attributes
    ----------
    zone_layers : frozenset of str
        The parts of the rules that were applied, as `gis.screening.scope.Scope` names them.
    uids : object[n]
        The subjects, those out of force or gone included.
    rules : frozenset of str
        The ids of the rules that were applied.
    uncovered : object[n]
        The open rules that no row tells of; see `gis.screening.ledger.uncovered_rules`.
    """

    subject_layer: str
    zone_layers: frozenset[str]
    uids: NDArray[np.object_]
    rules: frozenset[str]
    uncovered: NDArray[np.object_]


@dataclass(eq=False)
class Rejudged:
    """The rows that some subjects have now, and for whom they are all there is."""

    rows: list[pd.DataFrame] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)
    subjects: int = 0

    @classmethod
    def of(cls, parts: Iterable[Rejudged]) -> Rejudged:
        """Several as one."""
        whole = cls()
        for part in parts:
            whole.rows += part.rows
            whole.open += part.open
            whole.subjects += part.subjects
        return whole


@dataclass(frozen=True, eq=False)
class _Case:
    conn: Connection
    definition: MapDefinition
    touched: Touched
    threads: int
    keep: bool
    recorded: Recorded | None

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.touched.rules


def rejudge(
    conn: Connection,
    definition: MapDefinition,
    touched: Touched,
    *,
    threads: int = 2,
    keep: bool = True,
    progress: Progress | None = None,
    recorded: Recorded | None = None,
) -> Iterator[Rejudged]:
    """Judge all subjects in the scope of ``touched`` as things are now, some after the other; each once.

    Parameters
    ----------
    keep : bool
        Whether what is read may be kept for later answers; not where it was never committed.
    progress : callable, optional
        Called with (layer id, done, total) before each subject layer and at the end.
    recorded : Recorded, optional
        What the ledger has of margins, where somebody else looks it up; it is waited for.
    """
    case = _Case(conn, definition, touched, threads, keep, recorded)
    scope, now = touched.scope, touched.now
    layers = _subject_layers(case) if scope.everything else scope.layers()
    for done, name in enumerate(layers):
        if progress:
            progress(name, done, len(layers))
        if name not in definition.layers:
            continue
        layer, everyone = definition.layers[name], scope.every(name)
        if everyone:
            subjects = (
                read_rows(conn, definition, layer, now.rev)
                if keep
                else read_some(conn, definition, layer, None, now.rev)
            )
        else:
            subjects = touched.rows.subjects(name, scope.uids(name))
        yield from _judge_layer(case, subjects)
    if progress:
        progress("", len(layers), len(layers))


def _subject_layers(case: _Case) -> list[str]:
    return list(dict.fromkeys(s for rule in case.rules for s in rule.subjects if s != PARCEL))


def _judge_layer(case: _Case, subjects: LayerRows) -> Iterator[Rejudged]:
    scope, name = case.touched.scope, subjects.layer.id
    asked = scope.uids(name)
    gone = asked[pd.Index(subjects.uids).get_indexer(pd.Index(asked)) < 0]
    if len(gone):
        nothing = np.full(len(gone), "", dtype=object)
        yield Rejudged(open=[Open(name, frozenset({WHOLE}), gone, frozenset(), nothing)])
    coarse = np.nan_to_num(subjects.accuracy_m) > case.definition.district.coarse_position_m
    in_force = subjects.in_force(case.touched.now.law_date)
    alike: dict[frozenset[str], list[_Group]] = {}
    for parts, index in scope.groups(name, subjects.uids, coarse):
        ids = _rule_ids(case, name, parts)
        layers = frozenset(zone_layer_of(rule) for rule in case.rules if rule.id in ids)
        alike.setdefault(layers, []).append(_Group(parts, ids, index, in_force[index] & bool(ids)))
    for groups in alike.values():
        yield from _judge_groups(case, subjects, groups)


@dataclass(frozen=True, eq=False)
class _Group:
    """Subjects that are judged by the same rules: the ``index`` of each, and whether it lasts.

    Those that do not are not in force: nothing is found of them.
    """

    parts: frozenset[str]
    rules: frozenset[str]
    index: NDArray[np.int64]
    lasts: NDArray[np.bool_]


def _judge_groups(case: _Case, subjects: LayerRows, groups: list[_Group]) -> Iterator[Rejudged]:
    """Judge subjects by rules on the same zone layers, no batch too large: what is found takes memory."""
    every = np.concatenate([group.index[group.lasts] for group in groups])
    ground = _Ground(case, subjects, every, frozenset().union(*(group.rules for group in groups)))
    first = np.cumsum([0, *(int(group.lasts.sum()) for group in groups)])
    batches = [
        (group, rows, int(start) + int(group.lasts[: rows[0]].sum()) if len(rows) else 0)
        for group, start in zip(groups, first, strict=False)
        for rows in _batches(len(group.index), bool(ground.near))
    ]
    # What is found of one is written while the next is judged. Small ones, each with rules of its own, take
    # long for their size: the writing of large ones before them hides it.
    batches[1:] = sorted(batches[1:], key=lambda batch: -len(batch[1]))
    for group, rows, start in batches:
        yield _judge_batch(case, subjects, ground, group, rows, start)


def _judge_batch(
    case: _Case, subjects: LayerRows, ground: _Ground, group: _Group, rows: NDArray[np.int64], start: int
) -> Rejudged:
    """Judge those of a group at ``rows``; those of them that last are on the ground from ``start`` on."""
    uncovered, found = np.full(len(rows), "", dtype=object), []
    force = group.lasts[rows]
    if force.any():
        judged, in_force = ground.judge(start, start + int(force.sum()), group.rules)
        found.append(_rows(case, judged, in_force, ground.zones))
        uncovered[force] = uncovered_rules(judged)
    open_ = Open(subjects.layer.id, group.parts, subjects.uids[group.index[rows]], group.rules, uncovered)
    return Rejudged(found, [open_], len(rows))


def _batches(count: int, near: bool) -> list[NDArray[np.int64]]:
    """The numbers of so many subjects in the batches in which they are judged."""
    every = np.arange(count)
    if not near:
        return np.array_split(every, max(1, -(-count // _BATCH)))
    if count < 2 * _NEAR_FIRST:
        return [every]
    rest = every[_NEAR_FIRST:]
    return [every[:_NEAR_FIRST], *np.array_split(rest, -(-len(rest) // _NEAR_BATCH))]


def _rule_ids(case: _Case, subject_layer: str, zone_layers: frozenset[str]) -> frozenset[str]:
    return frozenset(
        rule.id
        for rule in case.rules
        if subject_layer in rule.subjects and holds(zone_layers, rule.id, zone_layer_of(rule))
    )


def _rows(
    case: _Case, judged: Judgement, subjects: LayerRows, zones: Mapping[str, LayerRows]
) -> pd.DataFrame:
    coarse_m = case.definition.district.coarse_position_m
    return ledger_rows(judged, subjects, zones, case.touched.now.rev, coarse_m=coarse_m)


class _Ground:
    """What some subjects are judged against; zones are read as far as they can matter, unless most do.

    Attributes
    ----------
    zones : mapping of layer id to LayerRows
    near : mapping of layer id to _Near
        Those of which only some are there.
    """

    def __init__(
        self, case: _Case, subjects: LayerRows, index: NDArray[np.int64], ids: frozenset[str]
    ) -> None:
        self._case, self._subjects, self._index = case, subjects, index
        by_layer: dict[str, list[Rule]] = {}
        for rule in case.rules:
            if rule.id in ids and rule.zone_layer and len(index):
                by_layer.setdefault(rule.zone_layer, []).append(rule)
        far = [n for n, rules in by_layer.items() if not all(is_local(rule.predicate) for rule in rules)]
        if len(index) > _NEAR_MOST or case.touched.scope.everything:
            far = list(by_layer)
        networks = {network_of(rule) for rule in case.rules if rule.id in ids and len(index)} - {""}
        self.zones, self._prepared = _whole(case, [*far, *networks])
        close = by_layer.keys() - set(far)
        around = subjects.take(index) if close else subjects
        self.near = {n: _Near(case, around, n, rules) for n, rules in by_layer.items() if n in close}

    def judge(self, start: int, stop: int, ids: frozenset[str]) -> tuple[Judgement, LayerRows]:
        """The judgement of the subjects from ``start`` to ``stop`` by some of the rules, and they."""
        case, subjects = self._case, self._subjects.take(self._index[start:stop])
        while True:
            for name, part in self.near.items():
                self.zones[name], self._prepared[name] = part.zones, part.prepared
            judged = judge(
                as_subjects(subjects), self._prepared, case.definition.packs.values(),
                case.touched.now.law_date, only=ids, threads=case.threads,
            )  # fmt: skip
            wider = [part.widen(judged, start) for part in self.near.values()]
            if not any(wider):
                return judged, subjects


def _whole(case: _Case, names: Iterable[str]) -> tuple[dict[str, LayerRows], dict[str, PreparedLayer]]:
    """Zone layers as they are, all of them."""
    now = case.touched.now
    if case.keep:
        snapshot = take_snapshot(case.conn, case.definition, now.rev, now.law_date, names)
        return dict(snapshot.rows), dict(snapshot.prepared)
    zones, prepared = {}, {}
    for name in names:
        rows = read_some(case.conn, case.definition, case.definition.layers[name], None, now.rev)
        zones[name] = rows.take(np.flatnonzero(rows.in_force(now.law_date)))
        prepared[name] = prepare_rows(zones[name])
    return zones, prepared


class _Near:
    """The zones of one layer near some subjects, enough of them that answers are as with all.

    ``radius_m`` says for each subject how far around it no zone is left out: the rules' distance and the
    errors, and for one inside the union also as far as the boundary that its margin is measured to. How far
    that is shows only in the answer, so it is widened until it holds what it says.
    """

    def __init__(self, case: _Case, subjects: LayerRows, name: str, rules: list[Rule]) -> None:
        self._case, self._subjects, self._layer = case, subjects, case.definition.layers[name]
        self._rules = {rule.id for rule in rules}
        picture = case.touched.picture(name)
        farthest = max(rule.predicate.reach_m for rule in rules)
        widest = float(np.nan_to_num(picture.accuracy_m[picture.now]).max(initial=0.0))
        self._radius_m = farthest + widest + np.nan_to_num(subjects.accuracy_m)
        self._radius_m = np.maximum(self._radius_m, 1.1 * self._margins() + _ROOM_M)
        self._ids = np.unique(np.concatenate([picture.everywhere(rule) for rule in rules]))
        asked = np.logical_or.reduce([picture.seen(rule, now=True).both for rule in rules])
        self._in_force = picture.row_ids[asked]
        everyone = np.arange(len(subjects.uids))
        self._ids = np.union1d(self._ids, self._around(everyone))
        self._read()

    def _around(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        case = self._case
        found = gathered_boxes(case.definition, self._subjects.geoms[rows], self._radius_m[rows])
        return np.intersect1d(rows_in_boxes(case.conn, case.definition, self._layer, found), self._in_force)

    def _read(self) -> None:
        self.zones = self._case.touched.rows.zones(self._layer.id, self._ids).by_uid()
        self.prepared = prepare_rows(self.zones)
        # Done once here, not once for each rule's selection; points are not asked of pieces.
        self.prepared.every.outline  # noqa: B018
        if (shapely.get_type_id(self._subjects.geoms) != 0).any():
            self.prepared.every.pieces  # noqa: B018

    def _margins(self) -> NDArray[np.float64]:
        """The margins on record: most often they are what they were, and then one look is enough."""
        case, subjects = self._case, self._subjects
        if case.recorded is not None:
            return case.recorded.result().of(subjects.layer.id, self._layer.id, subjects.uids)
        margins, ledger = np.zeros(len(subjects.uids)), case.definition.derived("conflicts")
        if ledger is None:
            return margins
        t = tables.table_for(ledger, case.definition.district.storage_crs)
        query = select(t.c.subject_uid, func.max(t.c.margin_m).label("margin_m")).where(
            alive(t, None), t.c.subject_layer == subjects.layer.id, t.c.zone_layer == self._layer.id,
            t.c.margin_m > 0, t.c.subject_uid == any_(texts(subjects.uids)),
        )  # fmt: skip
        found = read_columns(case.conn, query.group_by(t.c.subject_uid))
        place = pd.Index(subjects.uids).get_indexer(pd.Index(found["subject_uid"]))
        np.maximum.at(margins, place, found["margin_m"].astype(float))
        return margins

    def widen(self, judged: Judgement, start: int) -> bool:
        """Make room for the margins found, from subject ``start`` on; True when that brought other zones."""
        margin = np.zeros(len(judged.subjects))
        for outcome in judged.outcomes:
            if outcome.rule.id in self._rules:
                found = np.where(outcome.answer.code > CLEAR, outcome.answer.margin_m, 0.0)
                margin = np.maximum(margin, np.where(np.isfinite(found), found, 0.0))
                inside = np.flatnonzero((outcome.hits.distance_m == 0) & np.isfinite(outcome.hits.margin_m))
                np.maximum.at(margin, outcome.hits.subject[inside], outcome.hits.margin_m[inside])
        deep = np.flatnonzero(margin > self._radius_m[start : start + len(margin)])
        if not len(deep):
            return False
        self._radius_m[start + deep] = margin[deep]
        deep += start
        more = np.setdiff1d(self._around(deep), self._ids)
        if not len(more):
            return False
        self._ids = np.union1d(self._ids, more)
        self._read()
        return True
