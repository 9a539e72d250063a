"""The conflicts of all subjects with all zones, kept as a layer like any other.

A row is a conflict or an edge of one subject, zone and rule, or one subject and zone that meet while an
attribute is missing (one row, listing the rules). Clear, and unknown for want of coverage, are no rows: they
are counted. A subject placed too coarsely to judge zone by zone has one row for all its edges and one for
all that attributes leave open.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, func, insert, or_, select

from gis import tables
from gis.crs import WEB_MERCATOR, transformation
from gis.db import connect
from gis.errors import NotFound
from gis.importing.options import SourceInfo
from gis.importing.register import register_source
from gis.importing.stage import stage_rows
from gis.kernel import UNKNOWN
from gis.revisions import Change, alive, apply_staged, head
from gis.screening.judge import Judgement, judge
from gis.screening.ledger import ledger_rows
from gis.screening.rows import LayerRows, read_rows
from gis.screening.snapshot import Snapshot, as_subjects, enabled_rules, take_snapshot, zone_layers
from gis.settings import MapDefinition
from layers.model import Layer
from layers.rulemodel import PARCEL

__all__ = ["Judged", "RefreshResult", "judged_up_to", "refresh", "rules_hash", "summary"]

Progress = Callable[[str, int, int], None]

# Rows made from demonstration data must show as such, so they have a source of their own.
_SOURCES = {
    False: SourceInfo("onemap-judgement", "onemap 判定", "Judged by onemap"),
    True: SourceInfo(
        "onemap-judgement-demonstration", "onemap 判定（演示数据）", "Judged by onemap on demonstration data",
        is_demonstration=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class RefreshResult:
    """What a refresh did.

    ``counts`` is (rule, verdict, severity) -> rows. ``uncovered`` counts pairs of subject and rule that are
    unknown for want of coverage, accuracy or access, and so are no rows.
    """

    change: Change
    judged_rev: int
    law_date: date
    subjects: int
    uncovered: int
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """How far the conflicts are up to date at a revision."""

    judged_revision: int
    lagging: bool
    law_date: date | None
    rules_current: bool


def conflicts_layer(definition: MapDefinition) -> Layer:
    """The layer that conflicts are written to; NotFound when the definitions have none."""
    layer = definition.derived("conflicts")
    if layer is None:
        raise NotFound("No layer is defined for conflicts.", "没有定义冲突图层。")
    return layer


def rules_hash(definition: MapDefinition) -> str:
    """SHA-256 over the packs that are on."""
    return hashlib.sha256("".join(sorted(p.hash for p in definition.packs.values())).encode()).hexdigest()


def refresh(
    engine: Engine,
    definition: MapDefinition,
    *,
    law_date: date | None = None,
    who: str = "onemap",
    progress: Progress | None = None,
    threads: int = 2,
) -> RefreshResult:
    """Judge every subject against every zone and write what changed as one revision.

    Parameters
    ----------
    law_date : date, optional
        The day whose law counts; today without one.
    progress : callable, optional
        Called with (layer id, done, total) before each subject layer and at the end.
    """
    layer = conflicts_layer(definition)
    law_date = law_date or datetime.now(UTC).date()
    rules = enabled_rules(definition)
    subject_layers = list(dict.fromkeys(s for rule in rules for s in rule.subjects if s != PARCEL))
    with connect(engine) as conn:
        rev = head(conn)
        snapshot = take_snapshot(conn, definition, rev, law_date, zone_layers(rules))
        subjects = [read_rows(conn, definition, definition.layers[s], rev) for s in subject_layers]
    frames, uncovered = [], 0
    coarse_m = definition.district.coarse_position_m
    for done, rows in enumerate(subjects):
        if progress:
            progress(rows.layer.id, done, len(subjects))
        judged = _judge(rows, snapshot, definition, threads)
        frames.append(ledger_rows(judged, rows, snapshot.rows, rev, coarse_m=coarse_m))
        uncovered += _uncovered(judged)
    if progress:
        progress("", len(subjects), len(subjects))
    found = (
        pd.concat(frames, ignore_index=True)
        if frames
        else ledger_rows(None, None, {}, rev, coarse_m=coarse_m)
    )
    change = _write(engine, definition, layer, found, rev, law_date, who)
    kinds = Counter(zip(found["rules"], found["verdict"], found["severity"], strict=True))
    listed = [{"rules": r, "verdict": v, "severity": s, "count": n} for (r, v, s), n in kinds.items()]
    counts = {(row["rule"], row["verdict"], row["severity"]): row["count"] for row in _by_rule(listed)}
    total = sum(len(rows.uids) for rows in subjects)
    return RefreshResult(change, rev, law_date, total, uncovered, counts)


def _judge(rows: LayerRows, snapshot: Snapshot, definition: MapDefinition, threads: int) -> Judgement:
    in_force = rows.take(np.flatnonzero(rows.in_force(snapshot.law_date)))
    packs = definition.packs.values()
    return judge(as_subjects(in_force), snapshot.prepared, packs, snapshot.law_date, threads=threads)


def _uncovered(judged: Judgement) -> int:
    """Pairs of subject and rule that are unknown although no zone is met."""
    total = 0
    for outcome in judged.outcomes:
        unknown = outcome.answer.code == UNKNOWN
        unknown[outcome.hits.subject[~np.isnan(outcome.hits.limit_m)]] = False
        total += int(unknown.sum())
    return total


def _write(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    found: pd.DataFrame,
    rev: int,
    law_date: date,
    who: str,
) -> Change:
    district = definition.district
    table = tables.table_for(layer, district.storage_crs)
    to_storage = transformation(district.measuring_crs, district.storage_crs, district.extent)
    to_web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
    rows = found.assign(geom=to_storage.geometries(found["geom"].to_numpy(dtype=object)), law_date=law_date)
    volatile = frozenset(f.name for f in layer.fields if f.volatile)
    with connect(engine, write=True) as conn:
        ids = {flag: register_source(conn, info) for flag, info in _SOURCES.items()}
        source_ids = np.array([ids[bool(flag)] for flag in rows.pop("is_demonstration")], dtype=np.int32)
        staged = stage_rows(conn, layer, table, rows, list(rows["uid"]), source_ids, to_web)
        change = apply_staged(
            conn,
            table,
            staged,
            mode="replace",
            who=who,
            kind="refresh",
            note=f"judged at {rev}",
            volatile=volatile,
        )
        values = {"layer": layer.id, "judged_rev": rev, "rev": change.rev, "law_date": law_date}
        conn.execute(insert(tables.judgings).values(**values, rules_hash=rules_hash(definition)))
    return change


def judged_up_to(conn: Connection, definition: MapDefinition, rev: int) -> Judged:
    """How far the conflicts shown at revision ``rev`` have been judged; revision 0 when never."""
    layer = conflicts_layer(definition)
    j, touched = tables.judgings, tables.revision_layers
    last = conn.execute(
        select(j)
        .where(j.c.layer == layer.id, j.c.judged_rev <= rev, or_(j.c.rev.is_(None), j.c.rev <= rev))
        .order_by(j.c.judged_rev.desc(), j.c.judging_id.desc())
        .limit(1)
    ).first()
    done = last.judged_rev if last else 0
    later = select(func.count()).where(
        touched.c.rev > done, touched.c.rev <= rev, touched.c.layer != layer.id
    )
    lagging = bool(conn.scalar(later))
    current = last is not None and last.rules_hash == rules_hash(definition)
    return Judged(done, lagging, last.law_date if last else None, current)


def summary(conn: Connection, definition: MapDefinition, rev: int) -> dict[str, object]:
    """Counts of the conflicts at revision ``rev`` by verdict, severity, rule and township.

    ``by_severity`` counts real conflicts only; edges and unknowns are in ``by_verdict``.
    """
    layer = conflicts_layer(definition)
    t = tables.table_for(layer, definition.district.storage_crs)
    here, judged = alive(t, rev), judged_up_to(conn, definition, rev)
    count = func.count().label("count")
    kinds = select(t.c.rules, t.c.verdict, t.c.severity, count).where(here)
    kinds = kinds.group_by(t.c.rules, t.c.verdict, t.c.severity)
    rows = [dict(r._mapping) for r in conn.execute(kinds)]
    places = select(t.c.county, t.c.township, t.c.verdict, count).where(here)
    places = places.group_by(t.c.county, t.c.township, t.c.verdict).order_by(
        count.desc(), t.c.county, t.c.township
    )
    return {
        "judged_revision": judged.judged_revision,
        "head": rev,
        "lagging": judged.lagging,
        "rules_current": judged.rules_current,
        "law_date": judged.law_date.isoformat() if judged.law_date else None,
        "total": sum(r["count"] for r in rows),
        "by_verdict": _sums(rows, "verdict"),
        "by_severity": _sums([r for r in rows if r["verdict"] == "conflict"], "severity"),
        "by_rule": _by_rule(rows),
        "by_township": [dict(r._mapping) for r in conn.execute(places)],
    }


def _by_rule(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Counts a single rule: a row that lists several counts once for each."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        for rule in row["rules"].split():
            sums[rule, row["verdict"], row["severity"]] += row["count"]
    return [
        {"rule": rule, "verdict": verdict, "severity": severity, "count": count}
        for (rule, verdict, severity), count in sorted(sums.items())
    ]


def _sums(rows: list[dict[str, object]], name: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in rows:
        sums[str(row[name])] = sums.get(str(row[name]), 0) + int(str(row["count"]))
    return sums
