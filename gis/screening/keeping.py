"""Writing what was judged: the rows of a scope as one revision, the open rules, and the judging itself."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    SelectBase,
    Text,
    and_,
    any_,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.applying import apply_staged, renew_access, take_back
from gis.areas import has_areas, take_over_areas
from gis.crs import WEB_MERCATOR, transformation
from gis.importing.copying import Batch, copy_batch
from gis.importing.fill import fill_empty
from gis.importing.options import SourceInfo
from gis.importing.register import register_source
from gis.importing.stage import Stage, staged_columns
from gis.revisions import Change, alive, new_revision, note_touch
from gis.screening.asking import subject_filters, zone_filters
from gis.screening.basis import Judging
from gis.screening.columns import read_columns, texts
from gis.screening.ledger import no_rows
from gis.screening.onrecord import OnRecord
from gis.screening.rejudging import Open, Rejudged
from gis.screening.scope import WHOLE, Scope, holds, parted
from gis.screening.telling import Retelling, retelling
from gis.screening.weighing import folded, stage_reweighed
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Ledger", "Written", "all_rows", "rules_hash"]

# Rows made from demonstration data must show as such, so they have a source of their own.
_SOURCES = {
    False: SourceInfo("onemap-judgement", "onemap 判定", "Judged by onemap"),
    True: SourceInfo(
        "onemap-judgement-demonstration", "onemap 判定（演示数据）", "Judged by onemap on demonstration data",
        is_demonstration=True,
    ),
}  # fmt: skip

_Part = TypeVar("_Part")


def all_rows(found: Rejudged) -> pd.DataFrame:
    """The rows of all parts as one frame."""
    frames = [frame for frame in found.rows if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else no_rows()


@dataclass(frozen=True)
class Written:
    """What became of rows, of how many lists of rules the words did, and how many subjects were judged."""

    change: Change
    retold: int
    subjects: int


@contextmanager
def _ahead(parts: Iterator[_Part]) -> Iterator[Iterator[_Part]]:
    """The same, made by another thread while others are used; the first at once, no more than two ahead."""
    pool = ThreadPoolExecutor(1, "judge")
    coming = deque(pool.submit(next, parts, None) for _ in range(2))

    def each() -> Iterator[_Part]:
        while (part := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, parts, None))
            yield part

    try:
        yield each()
    finally:
        pool.shutdown(cancel_futures=True)


class Ledger:
    """The layer of conflicts while one revision of it is written, once.

    Attributes
    ----------
    record : OnRecord
        Asks what the ledger has, until it is left.
    change : Change
        What became of rows so far.
    lists : set of str
        The lists of rules of what was found so far.
    subjects : int
    """

    def __init__(self, conn: Connection, definition: MapDefinition, layer: Layer, who: str) -> None:
        """``conn`` is in a transaction that writes and holds the lock of judging."""
        self._conn, self._definition, self._layer, self._who = conn, definition, layer, who
        district = definition.district
        self._table = tables.table_for(layer, district.storage_crs)
        self._to_web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
        self._sources = {flag: register_source(conn, info) for flag, info in _SOURCES.items()}
        self._stage = Stage(conn, layer, self._table, self._to_web)
        self.record = OnRecord(conn, self._table)
        self._begun: int | None = None
        self.change, self.lists, self.subjects = Change(None, 0, 0, 0, 0), set[str](), 0

    def _begin(self, now: Judging) -> int:
        return new_revision(self._conn, who=self._who, kind="refresh", note=f"judged at {now.rev}")

    def write(self, scope: Scope, whole: Rejudged, now: Judging) -> Written:
        """Bring the ledger to what was found, as one revision unless it says so already."""
        self._put(scope, now, whole, self._batches(whole, now), self._table, None)
        return self._finish(scope, now)

    def write_beside(self, scope: Scope, parts: Iterator[Rejudged], now: Judging) -> Written:
        """The same for a scope that is apart, whose margins are asked of `record` already.

        ``parts`` are made by a thread of their own, and written one after the other while others are made.
        """

        def ready(found: Rejudged) -> tuple[Rejudged, list[Batch]]:
            return found, list(self._batches(found, now, at_once=True))

        with _ahead(map(ready, parts)) as coming:
            ended = self.record.end_ahead(scope, lambda: self._begin(now))
            open_ = self.record.open_rules(scope).result()
            self._begun = ended.result()
            for found, batches in coming:
                self._put(scope, now, found, batches, self.record.known, open_)
        return self._finish(scope, now)

    def _batches(self, found: Rejudged, now: Judging, *, at_once: bool = False) -> Iterator[Batch]:
        """The rows of ``found`` as they are copied; leaves the database alone.

        They are taken out of it one frame after the other, so that they are not held twice.
        """
        self.lists |= {listed for rows in found.rows for listed in rows["rules"].unique()}
        first = 0
        for rows in _stored(self._definition, found, now, self._sources):
            if len(rows):
                yield Batch.of(staged_columns(self._stage, rows, first), at_once=at_once)
            first += len(rows)

    @cached_property
    def _has_areas(self) -> bool:
        return has_areas(self._conn, self._definition)

    def _put(
        self, scope: Scope, now: Judging, found: Rejudged, batches: Iterable[Batch], known: FromClause,
        open_: Mapping[str, Mapping[str, str]] | None,
    ) -> None:  # fmt: skip
        """Write what was found of some subjects, given what is ``known`` of them all."""
        conn, table, stage = self._conn, self._table, self._stage
        for batch in batches:
            stage.add(batch)
        stage.analyze()
        self.subjects += found.subjects
        if self._has_areas:
            take_over_areas(conn, self._definition, self._layer, stage.name)
        within = in_scope(known, scope, found)
        stage_reweighed(conn, self._definition, table, stage.table, scope, now, within)
        change = apply_staged(
            conn, table, stage.table, mode="replace", who=self._who, kind="refresh",
            note=f"judged at {now.rev}", rev=self.change.rev or self._begun, fill=fill_empty, within=within,
            volatile=frozenset(f.name for f in self._layer.fields if f.volatile),
        )  # fmt: skip
        self.change = self.change.and_then(change)
        if self._begun is not None:
            self.record.answered(take_back(conn, table, stage.table, self._begun))
        renew_access(conn, table, stage.table, within)
        stage.clear()
        _keep_uncovered(conn, scope, found, now, open_)

    def _finish(self, scope: Scope, now: Judging) -> Written:
        """Tell what rules say now, and remember the judging."""
        if self._begun is not None:
            self.record.take_back()
            if self.change.is_empty:
                self._conn.execute(delete(tables.revisions).where(tables.revisions.c.rev == self._begun))
        told = retelling(self._conn, self._definition, self.lists, now.law_date)
        if len(told):
            self._tell(told, now)
        values = {
            "layer": self._layer.id, "judged_rev": now.rev, "rev": self.change.rev, "law_date": now.law_date,
            "basis": now.basis.record(), "rejudged": None if scope.everything else self.subjects,
        }  # fmt: skip
        remember = insert(tables.judgings).values(**values, rules_hash=rules_hash(self._definition))
        self._conn.execute(remember)
        return Written(self.change, len(told), self.subjects)

    def _tell(self, told: Retelling, now: Judging) -> None:
        """Write what rules say now, in the revision of the rows, or in one of its own that changes no row."""
        if self.change.rev is None:
            rev = new_revision(
                self._conn, who=self._who, kind="refresh", note=f"rules told anew at {now.rev}"
            )
            self.change = replace(self.change, rev=rev)
            note_touch(self._conn, rev, self._layer.id, self.change)
        assert self.change.rev is not None
        told.write(self._conn, self.change.rev)


def _stored(
    definition: MapDefinition, found: Rejudged, now: Judging, sources: Mapping[bool, int]
) -> Iterator[pd.DataFrame]:
    """The parts of what was found as they are stored; each leaves ``found``."""
    district = definition.district
    to_storage = transformation(district.measuring_crs, district.storage_crs, district.extent)
    while found.rows:
        rows = found.rows.pop(0)
        yield rows.assign(
            geom=to_storage.geometries(rows["geom"].to_numpy(dtype=object)), law_date=now.law_date,
            source_id=np.where(rows["is_demonstration"].to_numpy(dtype=bool), sources[True], sources[False]),
            rests_on=pd.Series(_rests_on(definition, rows), index=rows.index, dtype=object),
        )  # fmt: skip


def _rests_on(definition: MapDefinition, rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """For each row the layers, and layer.field, that its rules looked at."""
    rules = {rule.id: rule for pack in definition.packs.values() for rule in pack.rules}
    tables_of = {rule.id: pack.deciding(rule) for pack in definition.packs.values() for rule in pack.rules}

    def looked_at(subject: str, listed: str) -> tuple[str, ...]:
        names = {subject}
        for rule_id in listed.split():
            rule, asked = rules[rule_id], tables_of[rule_id]
            names |= {name for name in (rule.zone_layer, getattr(rule.predicate, "network", None)) if name}
            names |= {f"{subject}.{name}" for where in subject_filters(rule, asked) for name in where}
            names |= {f"{rule.zone_layer}.{name}" for where in zone_filters(rule, asked) for name in where}
        return tuple(sorted(names))

    pairs = list(zip(rows["subject_layer"].tolist(), rows["rules"].tolist(), strict=True))
    found = {pair: looked_at(*pair) for pair in dict.fromkeys(pairs)}
    return [found[pair] for pair in pairs]


def rules_hash(definition: MapDefinition) -> str:
    """SHA-256 over the packs that are on."""
    return hashlib.sha256("".join(sorted(p.hash for p in definition.packs.values())).encode()).hexdigest()


def in_scope(known: FromClause, scope: Scope, found: Rejudged) -> SelectBase | None:
    """The rows of ``known`` (row_id, uid) that the judged scope answers for; None for all.

    ``known`` is the ledger, or what `_on_record` has of it.
    """
    if scope.everything:
        return None
    answered = or_(false(), *_of_every(known, scope, found), *_of_named(known, scope, found))
    current = alive(known, None) if "rev_to" in known.c else true()
    return select(known.c.row_id, known.c.uid).where(current, answered)


def _of_every(known: FromClause, scope: Scope, found: Rejudged) -> list[ColumnElement[bool]]:
    """Which rows are answered for whatever their subject."""
    every: list[ColumnElement[bool]] = []
    for name in {part.subject_layer for part in found.open}:
        zones = scope.every(name)
        if WHOLE in zones:
            every.append(known.c.subject_layer == name)
        elif zones:
            held = func.coalesce(known.c.zone_layer, "") == any_(literal(sorted(zones), ARRAY(Text)))
            # A fold over all zone layers belongs to a subject that is judged as a whole.
            every.append(and_(known.c.subject_layer == name, held, ~folded(known)))
    return every


def _of_named(known: FromClause, scope: Scope, found: Rejudged) -> Iterator[ColumnElement[bool]]:
    """Which rows are answered for on the subjects that were judged by name."""
    for part in found.open:
        mine = known.c.subject_layer == part.subject_layer, known.c.subject_uid == any_(texts(part.uids))
        meant: list[ColumnElement[bool]] = []
        for name in part.zone_layers - scope.every(part.subject_layer):
            zone_layer, rules = parted(name)
            if name == WHOLE:
                meant.append(true())
                continue
            held = func.coalesce(known.c.zone_layer, "") == zone_layer
            listed = func.string_to_array(known.c.rules, " ").op("&&")(literal(list(rules), ARRAY(Text)))
            meant.append(and_(held, listed) if rules else held)
        if meant and len(part.uids):
            yield and_(*mine, or_(*meant))


def _keep_uncovered(
    conn: Connection,
    scope: Scope,
    found: Rejudged,
    now: Judging,
    known: Mapping[str, Mapping[str, str]] | None,
) -> None:
    """Write which rules are open; those of other zone layers stay as they were, if they are still on.

    ``known``: by layer, what was open of all subjects of the scope, where that was looked up already.
    """
    u = tables.uncovered
    if scope.everything:
        conn.execute(delete(u))
    for name in dict.fromkeys(part.subject_layer for part in found.open):
        parts = [part for part in found.open if part.subject_layer == name]
        uids, rules = [], []
        for part in parts:
            before: Mapping[str, str] = {}
            if known is not None:
                before = known[name]
            elif not scope.everything:
                before = _before(conn, part, now, bool(scope.every(name)))
            old = np.array([before.get(uid, "") for uid in part.uids], dtype=object)
            merged, held = part.uncovered.copy(), np.flatnonzero(old != "")
            if len(held):
                merged[held] = _merged(old[held], part.uncovered[held], part, now)
            differ = np.flatnonzero(merged != old)
            uids.append(part.uids[differ])
            rules.append(merged[differ])
        changed, listed = np.concatenate(uids), np.concatenate(rules)
        if len(changed) and not scope.everything:
            stale = u.c.uid == any_(texts(changed))
            conn.execute(delete(u).where(u.c.layer == name, stale))
        filled = np.flatnonzero(listed != "")
        if len(filled):
            columns = {
                "layer": pa.array([name] * len(filled), pa.string()),
                "uid": pa.array(changed[filled], pa.string()),
                "rules": pa.array(listed[filled], pa.string()),
            }
            copy_batch(conn, "core.uncovered", columns)


def _before(conn: Connection, part: Open, now: Judging, every: bool) -> dict[str, str]:
    """The open rules on record of those subjects of a part that gain or lose some: most do neither."""
    u, gain = tables.uncovered, part.uids[part.uncovered != ""]
    loses = ~func.string_to_array(u.c.rules, " ").op("<@")(literal(sorted(_others(part, now)), ARRAY(Text)))
    query = select(u.c.uid, u.c.rules).where(
        u.c.layer == part.subject_layer, or_(loses, u.c.uid == any_(texts(gain)))
    )
    if not every:
        query = query.where(u.c.uid == any_(texts(part.uids)))
    found = read_columns(conn, query)
    return dict(zip(found["uid"], found["rules"], strict=True))


def _others(part: Open, now: Judging) -> set[str]:
    """The rules on the subjects of a part that were not applied again."""
    return {
        name
        for name, rule in now.basis.rules.items()
        if part.subject_layer in rule.subjects and not holds(part.zone_layers, name, rule.zone_layer)
    }


def _merged(
    old: NDArray[np.object_], new: NDArray[np.object_], part: Open, now: Judging
) -> NDArray[np.object_]:
    """The open rules of subjects after those on some zone layers were applied again."""
    kept = _others(part, now)
    pairs, place = np.unique(np.stack([old, new]).astype(str), axis=1, return_inverse=True)
    texts = [" ".join(sorted((set(before.split()) & kept) | set(open_.split()))) for before, open_ in pairs.T]
    return np.array(texts, dtype=object)[place.reshape(-1)]
