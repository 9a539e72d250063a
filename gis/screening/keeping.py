"""Writing what was judged: the rows of a scope as one revision, the open rules, and the judging itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    SelectBase,
    Table,
    Text,
    and_,
    any_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.applying import apply_staged, renew_access
from gis.areas import has_areas, take_over_areas
from gis.crs import WEB_MERCATOR, transformation
from gis.importing.copying import copy_batch
from gis.importing.fill import fill_empty
from gis.importing.options import SourceInfo
from gis.importing.register import register_source
from gis.importing.stage import stage_rows
from gis.revisions import Change, alive, new_revision, note_touch
from gis.screening.asking import subject_filters, zone_filters
from gis.screening.basis import Judging
from gis.screening.columns import read_columns, texts
from gis.screening.ledger import no_rows
from gis.screening.rejudging import Open, Rejudged
from gis.screening.scope import WHOLE, Scope, holds, parted
from gis.screening.telling import Retelling, retelling
from gis.screening.weighing import folded, stage_reweighed
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["all_rows", "in_scope", "rules_hash", "write"]

# Rows made from demonstration data must show as such, so they have a source of their own.
_SOURCES = {
    False: SourceInfo("onemap-judgement", "onemap 判定", "Judged by onemap"),
    True: SourceInfo(
        "onemap-judgement-demonstration", "onemap 判定（演示数据）", "Judged by onemap on demonstration data",
        is_demonstration=True,
    ),
}  # fmt: skip

_SCOPE = Table("judged_scope", MetaData(schema="pg_temp"), Column("layer", Text), Column("uid", Text),
               Column("zone_layer", Text), Column("rules", Text))  # fmt: skip


def all_rows(found: Rejudged) -> pd.DataFrame:
    """The rows of all parts as one frame."""
    frames = [frame for frame in found.rows if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else no_rows()


def write(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    scope: Scope,
    found: Rejudged,
    now: Judging,
    who: str,
) -> tuple[Change, int]:
    """Bring the ledger to what was found, as one revision unless it says so already.

    Returns what became of rows, and of how many lists of rules the words did.

    ``conn`` is in a transaction that writes; the caller holds the lock of judging. The rows are taken out of
    ``found`` one part after the other, so that they need not be held twice.
    """
    district = definition.district
    table = tables.table_for(layer, district.storage_crs)
    to_web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
    volatile = frozenset(f.name for f in layer.fields if f.volatile)
    sources = {flag: register_source(conn, info) for flag, info in _SOURCES.items()}
    lists = {listed for rows in found.rows for listed in rows["rules"].unique()}
    staged = stage_rows(conn, layer, table, _stored(definition, found, now, sources), to_web)
    if has_areas(conn, definition):
        take_over_areas(conn, definition, layer, f'pg_temp."{staged.name}"')
    within = in_scope(conn, table, scope, found)
    stage_reweighed(conn, definition, table, staged, scope, now, within)
    change = apply_staged(
        conn, table, staged, mode="replace", who=who, kind="refresh", note=f"judged at {now.rev}",
        volatile=volatile, fill=fill_empty, within=within,
    )  # fmt: skip
    renew_access(conn, table, staged)
    told = retelling(conn, definition, lists, now.law_date)
    if len(told):
        change = _told(conn, layer, told, change, who, now)
    _keep_uncovered(conn, scope, found, now)
    values = {
        "layer": layer.id, "judged_rev": now.rev, "rev": change.rev, "law_date": now.law_date,
        "basis": now.basis.record(), "rejudged": None if scope.everything else found.subjects,
    }  # fmt: skip
    conn.execute(insert(tables.judgings).values(**values, rules_hash=rules_hash(definition)))
    return change, len(told)


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


def _told(conn: Connection, layer: Layer, told: Retelling, change: Change, who: str, now: Judging) -> Change:
    """Write what rules say now, in the revision of the rows, or in one of its own that changes no row."""
    if change.rev is None:
        rev = new_revision(conn, who=who, kind="refresh", note=f"rules told anew at {now.rev}")
        change = replace(change, rev=rev)
        note_touch(conn, rev, layer.id, change)
    assert change.rev is not None
    told.write(conn, change.rev)
    return change


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

    place, pairs = pd.MultiIndex.from_frame(rows[["subject_layer", "rules"]]).factorize()
    found = [looked_at(*pair) for pair in pairs]
    return [found[kind] for kind in place.tolist()]


def rules_hash(definition: MapDefinition) -> str:
    """SHA-256 over the packs that are on."""
    return hashlib.sha256("".join(sorted(p.hash for p in definition.packs.values())).encode()).hexdigest()


def in_scope(conn: Connection, table: Table, scope: Scope, found: Rejudged) -> SelectBase | None:
    """The rows of the ledger (row_id, uid) that the judged scope answers for; None for all.

    Makes a temporary table.
    """
    if scope.everything:
        return None
    every: list[ColumnElement[bool]] = []
    columns: dict[str, list[NDArray[np.object_]]] = {
        name: [] for name in ("layer", "uid", "zone_layer", "rules")
    }
    for part in found.open:
        named = part.zone_layers - scope.every(part.subject_layer)
        for zone_layer in named:
            layer, rules = parted(zone_layer)
            columns["uid"].append(part.uids)
            for name, value in (
                ("layer", part.subject_layer), ("zone_layer", layer), ("rules", " ".join(rules) or None)
            ):  # fmt: skip
                columns[name].append(np.full(len(part.uids), value, dtype=object))
    for name in {part.subject_layer for part in found.open}:
        zones = scope.every(name)
        if WHOLE in zones:
            every.append(table.c.subject_layer == name)
        elif zones:
            held = func.coalesce(table.c.zone_layer, "") == any_(literal(sorted(zones), ARRAY(Text)))
            # A fold over all zone layers belongs to a subject that is judged as a whole.
            every.append(and_(table.c.subject_layer == name, held, ~folded(table)))
    conn.execute(text("DROP TABLE IF EXISTS pg_temp.judged_scope"))
    conn.execute(
        text(
            "CREATE TEMP TABLE judged_scope (layer text, uid text, zone_layer text, rules text) "
            "ON COMMIT DROP"
        )
    )
    if columns["uid"]:
        copy_batch(
            conn, "pg_temp.judged_scope",
            {name: pa.array(np.concatenate(parts), pa.string()) for name, parts in columns.items()},
        )  # fmt: skip
    conn.execute(text("ANALYZE pg_temp.judged_scope"))
    split = [func.string_to_array(column, " ") for column in (_SCOPE.c.rules, table.c.rules)]
    ruled = or_(_SCOPE.c.rules.is_(None), split[0].op("&&")(split[1]))
    meant = and_(_SCOPE.c.zone_layer == func.coalesce(table.c.zone_layer, ""), ruled)
    same = and_(_SCOPE.c.uid == table.c.subject_uid, _SCOPE.c.layer == table.c.subject_layer)
    single = select(table.c.row_id, table.c.uid).select_from(_SCOPE.join(table, same))
    single = single.where(alive(table, None), or_(_SCOPE.c.zone_layer == WHOLE, meant))
    if every:
        return single.union(select(table.c.row_id, table.c.uid).where(alive(table, None), or_(*every)))
    return single.distinct()


def _keep_uncovered(conn: Connection, scope: Scope, found: Rejudged, now: Judging) -> None:
    """Write which rules are open; those of other zone layers stay as they were, if they are still on."""
    u = tables.uncovered
    if scope.everything:
        conn.execute(delete(u))
    for name in dict.fromkeys(part.subject_layer for part in found.open):
        parts = [part for part in found.open if part.subject_layer == name]
        uids, rules = [], []
        for part in parts:
            before = {} if scope.everything else _before(conn, part, now, bool(scope.every(name)))
            old = np.array([before.get(uid, "") for uid in part.uids], dtype=object) if before else None
            merged = part.uncovered if old is None else _merged(old, part, now)
            differ = np.flatnonzero(merged != ("" if old is None else old))
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


def _merged(old: NDArray[np.object_], part: Open, now: Judging) -> NDArray[np.object_]:
    """The open rules of subjects after those on some zone layers were applied again."""
    kept = _others(part, now)
    pairs, place = np.unique(np.stack([old, part.uncovered]).astype(str), axis=1, return_inverse=True)
    texts = [" ".join(sorted((set(before.split()) & kept) | set(open_.split()))) for before, open_ in pairs.T]
    return np.array(texts, dtype=object)[place.reshape(-1)]
