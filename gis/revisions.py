"""Numbered revisions: the only way rows of a layer change.

A write stages its rows, compares them with the current ones, and only then takes the lock under which the
number is given (`gis.applying`); the lock is held until the commit. So numbers appear in commit order and a
reader that follows them misses nothing. If the layer was touched between comparison and lock, the comparison
is made again under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    Text,
    and_,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
    union,
    update,
)
from sqlalchemy.types import NULLTYPE

from gis import tables
from gis.errors import RevertRefused, RevisionError
from gis.locks import Lock, take
from layers.model import Layer

_LONGEST_NUMBER = 18  # digits: what a BIGINT surely holds

__all__ = [
    "Change",
    "RevisionRow",
    "alive",
    "differs",
    "head",
    "last_touch",
    "list_revisions",
    "lock_numbers",
    "new_revision",
    "note_touch",
    "plain",
    "resolve_as_of",
    "revert",
    "show_revision",
    "shown",
]

# Any fixed number of our own; every writer of layer rows takes it before it takes a revision number.


@dataclass(frozen=True)
class Change:
    """What a write did, or would do, to one layer. ``rev`` is None when nothing changed."""

    rev: int | None
    added: int
    changed: int
    closed: int
    unchanged: int

    @property
    def is_empty(self) -> bool:
        """True when the store already held exactly this."""
        return self.added == self.changed == self.closed == 0

    def and_then(self, other: Change) -> Change:
        """What both did, one after the other, in the same revision or in none."""
        rev = self.rev if other.rev is None else other.rev
        return Change(
            rev, self.added + other.added, self.changed + other.changed, self.closed + other.closed,
            self.unchanged + other.unchanged,
        )  # fmt: skip


@dataclass(frozen=True)
class RevisionRow:
    """One revision as `onemap revisions list` shows it; ``layers`` maps layer to (added, changed, closed)."""

    rev: int
    at: datetime
    who: str
    kind: str
    note: str
    source: str | None
    reverts: int | None
    layers: dict[str, tuple[int, int, int]]


def alive(table: FromClause, rev: int | None) -> ColumnElement[bool]:
    """The condition that a row of ``table`` lives at revision ``rev``; None means now."""
    if rev is None:
        return table.c.rev_to.is_(None)
    return and_(table.c.rev_from <= rev, or_(table.c.rev_to.is_(None), table.c.rev_to > rev))


def shown(layer: Layer, storage_crs: int, rev: int | None) -> FromClause:
    """The rows of ``layer`` with all its fields, for the condition `alive` at the same revision.

    Most layers keep them all, and this is their table. What conflicts tell by their rules is joined to them
    as it was at ``rev``; the day on which a conflict may change is the sooner one of its own and its rules'.
    """
    table, texts, told = tables.table_for(layer, storage_crs), tables.rule_texts, tables.told(layer)
    if not told:
        return table
    columns: list[ColumnElement[Any]] = [
        func.least(column, texts.c[column.name], type_=column.type).label(column.name)
        if column.name in told
        else column
        for column in table.c
        if column.name not in tables.NOT_CONTENT
    ]
    columns += [texts.c[name] for name in sorted(told - set(table.c.keys()))]
    same = and_(texts.c.rules == table.c.rules, alive(texts, rev))
    return select(*columns).select_from(table.outerjoin(texts, same)).subquery(layer.id)


def head(conn: Connection) -> int:
    """The newest revision; 0 in an empty store."""
    return conn.scalar(select(func.coalesce(func.max(tables.revisions.c.rev), 0))) or 0


def last_touch(conn: Connection, layers: Iterable[str], rev: int | None = None) -> int:
    """The newest revision up to ``rev`` (None: ever) that touched any of ``layers``; 0 when none did."""
    touched = tables.revision_layers
    query = select(func.coalesce(func.max(touched.c.rev), 0)).where(touched.c.layer.in_(list(layers)))
    return conn.scalar(query if rev is None else query.where(touched.c.rev <= rev)) or 0


def resolve_as_of(conn: Connection, as_of: str | int | None) -> int:
    """The revision that ``as_of`` means: a number, an ISO 8601 time (the last one then), or None for now.

    Raises
    ------
    RevisionError
        When the number is beyond the head, or the text is neither a number nor a time.
    """
    newest = head(conn)
    if as_of is None:
        return newest
    said = str(as_of)
    if said.isdecimal():
        if len(said) > _LONGEST_NUMBER or int(said) > newest:
            raise RevisionError(
                f"Revision {said[:40]} does not exist; the newest is {newest}.",
                f"修订 {said[:40]} 不存在，最新为 {newest}。",
            )
        return int(said)
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise RevisionError(
            f"{as_of!r} is neither a revision number nor a time such as 2026-11-22T08:00:00+08:00.",
            f"“{as_of}”既不是修订号，也不是如 2026-11-22T08:00:00+08:00 的时间。",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    until = tables.revisions.c.at <= moment
    return conn.scalar(select(func.coalesce(func.max(tables.revisions.c.rev), 0)).where(until)) or 0


def new_revision(
    conn: Connection,
    *,
    who: str,
    kind: str,
    note: str = "",
    source_id: int | None = None,
    reverts: int | None = None,
) -> int:
    """Take the number lock (held to the commit) and the next number; the caller then writes its rows."""
    lock_numbers(conn)
    values = {
        "rev": head(conn) + 1,
        "who": who,
        "kind": kind,
        "note": note,
        "source_id": source_id,
        "reverts": reverts,
    }
    return int(
        conn.execute(insert(tables.revisions).values(values).returning(tables.revisions.c.rev)).scalar_one()
    )


def lock_numbers(conn: Connection) -> None:
    """Let nobody else write layer rows until this transaction ends."""
    take(conn, Lock.NUMBERS)


def note_touch(conn: Connection, rev: int, layer: str, change: Change, *, cells: bool = False) -> None:
    """Record what ``rev`` did to ``layer``; a layer that is touched twice keeps the sum.

    ``cells``: it also did something to what they see who see the layer generalised, and who know of no other
    touch.
    """
    touched = tables.revision_layers
    counts = {"added": change.added, "changed": change.changed, "closed": change.closed}
    sums: dict[str, Any] = {name: touched.c[name] + n for name, n in counts.items()}
    done = conn.execute(
        update(touched)
        .where(touched.c.rev == rev, touched.c.layer == layer)
        .values(sums | {"cells": or_(touched.c.cells, literal(cells))})
    )
    if not done.rowcount:
        conn.execute(insert(touched).values(rev=rev, layer=layer, **counts, cells=cells))


def plain(column: ColumnElement[object]) -> ColumnElement[object]:
    """The column without GeoAlchemy2's conversion to text or WKB, for copying inside the database."""
    return type_coerce(column, NULLTYPE) if isinstance(column.type, Geometry) else column


def differs(
    table: FromClause, staged: FromClause, volatile: frozenset[str] = frozenset()
) -> ColumnElement[bool]:
    """True where a staged row says something else than the current row of the same uid."""
    skipped = {"row_id", "coverage_id", "uid", "geom_web", "rev_from", "rev_to"} | volatile
    skipped |= tables.NOT_CONTENT
    names = [c.name for c in table.columns if c.name not in skipped]
    pairs = [
        (func.ST_AsBinary(plain(table.c[n])), func.ST_AsBinary(plain(staged.c[n])))
        if n == "geom"
        else (table.c[n], staged.c[n])
        for n in names
    ]
    return tuple_(*(a for a, _ in pairs)).is_distinct_from(tuple_(*(b for _, b in pairs)))


def revert(conn: Connection, number: int, layer_tables: Sequence[Table], *, who: str) -> Change:
    """Undo revision ``number`` by a new revision; nothing is erased.

    Raises
    ------
    RevisionError
        When there is no such revision.
    RevertRefused
        When later revisions changed the same rows; they are named.

    Rows that come back do not know their areas: `gis.following.follow` is to be called.
    """
    if conn.scalar(select(func.count()).where(tables.revisions.c.rev == number)) == 0:
        raise RevisionError(f"Revision {number} does not exist.", f"修订 {number} 不存在。")
    rev = new_revision(conn, who=who, kind="revert", note=f"reverts {number}", reverts=number)
    touched = set(
        conn.scalars(select(tables.revision_layers.c.layer).where(tables.revision_layers.c.rev == number))
    )
    total = Change(rev, 0, 0, 0, 0)
    for table in [*(t for t in layer_tables if t.name in touched), tables.coverage]:
        total = _revert_table(conn, table, number, rev, total)
    return total


def _key(table: FromClause) -> ColumnElement[Any]:
    """What names one thing through its versions: the uid, or layer and source for a coverage."""
    return table.c.uid if "uid" in table.c else table.c.layer + "/" + cast(table.c.source_id, Text)


def _revert_table(conn: Connection, table: Table, number: int, rev: int, total: Change) -> Change:
    _refuse_if_overwritten(conn, table, number)
    key = _key(table)
    written = set(conn.scalars(select(key).where(table.c.rev_from == number)))
    closed = set(conn.scalars(select(key).where(table.c.rev_to == number)))
    names = [
        c.name for c in table.columns if not c.primary_key and c.name not in ("rev_from", "rev_to", "areas")
    ]
    before = select(*(plain(table.c[n]) for n in names), literal(rev)).where(table.c.rev_to == number)
    of_number = select(key).where(table.c.rev_from == number)
    conn.execute(update(table).where(alive(table, None), key.in_(of_number)).values(rev_to=rev))
    conn.execute(insert(table).from_select([*names, "rev_from"], before))
    both = len(written & closed)
    change = Change(rev, len(closed) - both, both, len(written) - both, 0)
    if table is tables.coverage:
        for layer in sorted({k.rpartition("/")[0] for k in written | closed}):
            note_touch(conn, rev, layer, Change(rev, 0, 0, 0, 0))
        return total
    note_touch(conn, rev, table.name, change)
    return Change(
        rev, total.added + change.added, total.changed + change.changed, total.closed + change.closed, 0
    )


def _refuse_if_overwritten(conn: Connection, table: Table, number: int) -> None:
    """Each thing that ``number`` touched must stand now as ``number`` left it, by content.

    So a revision whose later changes were themselves undone can be undone too.
    """
    after, now = table.alias(), table.alias()
    same = and_(_key(now) == _key(after), alive(now, None))
    moved = (
        select(_key(after))
        .select_from(after.outerjoin(now, same))
        .where(
            after.c.rev_from == number,
            or_(now.c.rev_to.is_not(None), now.c.rev_from.is_(None), differs(after, now)),
        )
    )
    written = select(_key(table)).where(table.c.rev_from == number)
    gone = select(_key(table)).where(table.c.rev_to == number, _key(table).not_in(written))
    returned = select(_key(table)).where(alive(table, None), _key(table).in_(gone))
    keys = list(conn.scalars(union(moved, returned)))
    if not keys:
        return
    touched = select(table.c.rev_from).where(_key(table).in_(keys), table.c.rev_from > number)
    closed = select(table.c.rev_to).where(_key(table).in_(keys), table.c.rev_to > number)
    listed = ", ".join(str(n) for n in sorted(conn.scalars(union(touched, closed))))
    raise RevertRefused(
        f"Revision {number} cannot be undone: revisions {listed} changed the same rows of {table.name} "
        "later.",
        f"不能撤销修订 {number}：修订 {listed} 之后修改了 {table.name} 的同一些行。",
        remedy_en="Undo those first, newest first.",
        remedy_zh="请先从最新的开始撤销那些修订。",
    )


def list_revisions(conn: Connection, *, limit: int = 50, before: int | None = None) -> list[RevisionRow]:
    """The newest revisions first, at most ``limit``, older than ``before`` when given."""
    r, s = tables.revisions, tables.sources
    query = select(r, s.c.name.label("source")).outerjoin(s, r.c.source_id == s.c.source_id)
    if before is not None:
        query = query.where(r.c.rev < before)
    rows = conn.execute(query.order_by(r.c.rev.desc()).limit(limit)).all()
    touched = tables.revision_layers
    layers: dict[int, dict[str, tuple[int, int, int]]] = {row.rev: {} for row in rows}
    for t in conn.execute(select(touched).where(touched.c.rev.in_(list(layers)))):
        layers[t.rev][t.layer] = (t.added, t.changed, t.closed)
    return [RevisionRow(x.rev, x.at, x.who, x.kind, x.note, x.source, x.reverts, layers[x.rev]) for x in rows]


def show_revision(conn: Connection, number: int) -> RevisionRow:
    """Revision ``number``; RevisionError when it does not exist."""
    rows = list_revisions(conn, limit=1, before=number + 1)
    if not rows or rows[0].rev != number:
        raise RevisionError(f"Revision {number} does not exist.", f"修订 {number} 不存在。")
    return rows[0]
