"""The conflicts of all subjects with all zones, kept as a layer like any other.

A row is a conflict or an edge of one subject, zone and rule, or one subject and zone that meet while an
attribute is missing (one row, listing the rules). Clear, and unknown for want of coverage, are no rows: they
are counted. A subject placed too coarsely to judge zone by zone has one row for all its edges and one for
all that attributes leave open.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, or_, select, text

from gis import tables
from gis.db import connect
from gis.errors import NotFound
from gis.locks import Lock, take
from gis.revisions import Change, alive, head
from gis.screening.basis import Basis, Judging
from gis.screening.keeping import Ledger, rules_hash
from gis.screening.onrecord import OnRecord
from gis.screening.rejudging import Progress, Rejudged, rejudge
from gis.screening.scope import Scope
from gis.screening.touched import Touched, touched
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = [
    "SMALL",
    "Judged",
    "RefreshResult",
    "Totals",
    "conflicts_layer",
    "judged_up_to",
    "last_judged",
    "last_judging",
    "refresh",
    "refresh_if_small",
    "rules_hash",
    "scope_since",
    "summary",
    "totals",
]


SMALL = 20_000
"""So many subjects are judged within the command that made it necessary; more by a job."""


@dataclass(frozen=True)
class RefreshResult:
    """What a refresh did.

    ``change`` counts what was judged; rows beyond it are as they were. ``subjects`` counts those that were
    judged, ``retold`` the lists of rules that say or cite something else now. ``full``: all was judged.
    """

    change: Change
    judged_rev: int
    law_date: date
    subjects: int
    retold: int
    full: bool = True


@dataclass(frozen=True)
class Totals:
    """What the ledger holds now.

    ``by_rule`` is (rule, verdict, severity) -> rows; one that lists several rules counts for each. ``open``
    counts the pairs of subject and rule that are unknown for want of coverage, accuracy or access, and so are
    no rows.
    """

    rows: int
    open: int
    by_rule: dict[tuple[str, str, str], int]


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


def refresh(
    engine: Engine,
    definition: MapDefinition,
    *,
    law_date: date | None = None,
    who: str = "onemap",
    full: bool = False,
    progress: Progress | None = None,
    threads: int = 2,
) -> RefreshResult:
    """Bring the conflicts up to date, as one revision unless nothing changed.

    Only what has been touched since the last judging is judged again (see `gis.screening.touched`); the
    result is that of judging everything.

    Parameters
    ----------
    law_date : date, optional
        The day whose law counts; today without one.
    full : bool
        Judge every subject against every zone, whatever was judged before.
    progress : callable, optional
        Called with (layer id, done, total) before each subject layer and at the end, perhaps by another
        thread.
    """
    found = _run(engine, definition, law_date, who, full, progress, threads, None)
    assert found is not None
    return found


def refresh_if_small(
    engine: Engine, definition: MapDefinition, *, at_most: int = SMALL, who: str = "onemap", threads: int = 2
) -> RefreshResult | None:
    """As `refresh`; None where more than ``at_most`` subjects would have to be judged, or nothing was."""
    return _run(engine, definition, None, who, False, None, threads, at_most)


def _run(
    engine: Engine,
    definition: MapDefinition,
    law_date: date | None,
    who: str,
    full: bool,
    progress: Progress | None,
    threads: int,
    at_most: int | None,
) -> RefreshResult | None:
    layer = conflicts_layer(definition)
    law_date = law_date or datetime.now(UTC).date()
    with _judging(engine) as writing:
        ledger = Ledger(writing, definition, layer, who)
        with ledger.record as record, connect(engine) as conn:
            conn.execute(text("SET LOCAL statement_timeout = 0"))
            now = Judging(head(conn), law_date, Basis.of(conn, definition, law_date))
            last = None if full else last_judging(conn, definition, layer)
            found = scope_since(conn, definition, layer, last, now, record)
            scope = found.scope
            if at_most is not None and _size(conn, definition, scope) > at_most:
                return None
            margins = record.margins(scope) if scope.is_apart else None
            if margins is not None:  # the server writes beside, and has a processor of its own
                threads = max(1, min(threads, (os.cpu_count() or 2) - 1))
            parts = rejudge(
                conn, definition, found, threads=threads, progress=progress, recorded=margins
            )  # fmt: skip
            if margins is not None:
                done = ledger.write_beside(scope, parts, now)
            else:
                whole = Rejudged.of(parts)
        if margins is None:  # and nobody reads the ledger any more, so that an empty one can be swapped
            done = ledger.write(scope, whole, now)
    return RefreshResult(done.change, now.rev, law_date, done.subjects, done.retold, scope.everything)


def totals(conn: Connection, definition: MapDefinition) -> Totals:
    """Count the ledger as it is now: all of it is looked at."""
    kinds = _kinds(conn, definition, conflicts_layer(definition), None)
    by_rule = {(row["rule"], row["verdict"], row["severity"]): row["count"] for row in _by_rule(kinds)}
    return Totals(sum(row["count"] for row in kinds), _open_rules(conn), by_rule)


def _size(conn: Connection, definition: MapDefinition, scope: Scope) -> float:
    """How many subjects a scope holds, and rows that are weighed anew; a layer counts by its rows."""
    if scope.everything:
        return float("inf")
    total = 0
    for name in scope.layers():
        if scope.every(name):
            t = tables.table_for(definition.layers[name], definition.district.storage_crs)
            total += conn.scalar(select(func.count()).select_from(t).where(alive(t, None))) or 0
        else:
            total += len(scope.uids(name))
    ledger = tables.table_for(conflicts_layer(definition), definition.district.storage_crs)
    for subject, rule in scope.reweighed:
        own = alive(ledger, None), ledger.c.subject_layer == subject, ledger.c.rules == rule
        total += conn.scalar(select(func.count()).select_from(ledger).where(*own)) or 0
    return total


@contextmanager
def _judging(engine: Engine) -> Iterator[Connection]:
    """Holds the lock of judging: one after the other, so that each knows what the last one left.

    What the connection writes is there for all when the lock is free again.
    """
    with connect(engine, write=True) as conn:
        conn.execute(text("SET LOCAL lock_timeout = 0"))
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        take(conn, Lock.JUDGING)
        conn.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
        yield conn


def last_judged(conn: Connection, definition: MapDefinition) -> int | None:
    """The data revision of the newest judging; None when nothing was ever judged."""
    j = tables.judgings
    newest = select(j.c.judged_rev).where(j.c.layer == conflicts_layer(definition).id)
    return conn.scalar(newest.order_by(j.c.judging_id.desc()).limit(1))


def last_judging(conn: Connection, definition: MapDefinition, layer: Layer) -> Judging | None:
    """What the rows of the ledger rest on; None without any, or when something else changed them."""
    j, touched = tables.judgings, tables.revision_layers
    last = conn.execute(
        select(j).where(j.c.layer == layer.id).order_by(j.c.judging_id.desc()).limit(1)
    ).first()
    if last is None or last.basis is None:
        return None
    own = select(func.coalesce(func.max(j.c.rev), 0)).where(j.c.layer == layer.id)
    theirs = select(func.coalesce(func.max(touched.c.rev), 0)).where(touched.c.layer == layer.id)
    if conn.scalar(own) != conn.scalar(theirs):
        return None
    return Judging(last.judged_rev, last.law_date, Basis.from_record(last.basis))


def scope_since(
    conn: Connection, definition: MapDefinition, layer: Layer, last: Judging | None, now: Judging,
    record: OnRecord | None = None,
) -> Touched:  # fmt: skip
    """What has to be judged to get from ``last`` (None: nothing was) to ``now``."""
    if last is not None:
        return touched(conn, definition, layer, last, now, record=record)
    found = Touched(conn, definition, layer, now, now)
    found.scope = Scope(everything=True)
    return found


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
    rows = _kinds(conn, definition, layer, rev)
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


def _kinds(
    conn: Connection, definition: MapDefinition, layer: Layer, rev: int | None
) -> list[dict[str, Any]]:
    """How many rows there are of the same rules, verdict and severity."""
    t = tables.table_for(layer, definition.district.storage_crs)
    kind = t.c.rules, t.c.verdict, t.c.severity
    query = select(*kind, func.count().label("count")).where(alive(t, rev)).group_by(*kind)
    return [dict(row._mapping) for row in conn.execute(query)]


def _open_rules(conn: Connection) -> int:
    """Pairs of subject and rule that are open without a row."""
    u = tables.uncovered
    listed = func.cardinality(func.string_to_array(u.c.rules, " "))
    return int(conn.scalar(select(func.coalesce(func.sum(listed), 0))) or 0)


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
