"""Writing staged rows as one revision: which of them say something new, and which current rows end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    SelectBase,
    Table,
    Text,
    and_,
    any_,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    text,
    update,
)

from gis import tables
from gis.errors import ImportRefused
from gis.revisions import Change, alive, differs, last_touch, new_revision, note_touch, plain

__all__ = [
    "Compared",
    "Mode",
    "apply_staged",
    "closing_condition",
    "compare_staged",
    "renew_access",
    "take_back",
]

Mode = Literal["upsert", "replace", "append"]

# Puts staged rows into an empty table as rows of a revision: (connection, table, staged, number) -> done?
Fill = Callable[[Connection, Table, Table, int], bool]


@dataclass(frozen=True)
class Compared:
    """What a comparison found, and the last revision of the layer that it was made against."""

    change: Change
    seen: int


def compare_staged(
    conn: Connection,
    table: Table,
    staged: Table,
    *,
    mode: Mode,
    source_id: int | None,
    volatile: frozenset[str] = frozenset(),
    within: SelectBase | None = None,
) -> Change:
    """What `apply_staged` would do now. Raises ImportRefused for an "append" that would change rows."""
    total = conn.scalar(select(func.count()).select_from(staged)) or 0
    held = None if within is None else _find_held(conn, table, staged, within)
    news = _find_news(conn, table, staged, volatile, held)
    added, changed = conn.execute(
        select(func.count().filter(news.c.row_id.is_(None)), func.count(news.c.row_id)).select_from(news)
    ).one()
    if not any(index.unique for index in table.indexes):
        _refuse_twins(conn, news)
    if mode == "append" and changed:
        raise ImportRefused(
            f"{changed} rows are in the layer already with other content; --mode append adds only new rows.",
            f"{changed} 行已存在且内容不同；追加模式只新增数据。",
            remedy_en="Use --mode upsert to change them.",
            remedy_zh="如需修改请用 --mode upsert。",
        )
    closed = _find_gone(conn, table, staged, mode, source_id, held)
    return Change(None, added, changed, closed, total - added - changed)


def closing_condition(
    table: Table, staged: Table, mode: Mode, source_id: int | None
) -> ColumnElement[bool] | None:
    """Which current rows a "replace" closes: those of the same source that the file no longer has."""
    if mode != "replace":
        return None
    gone = not_(select(literal(1)).where(staged.c.uid == table.c.uid).exists())
    scope = (
        alive(table, None) if source_id is None else and_(alive(table, None), table.c.source_id == source_id)
    )
    return and_(scope, gone)


def _filled(conn: Connection, table: Table, query: SelectBase | None) -> Table:
    """A temporary table with the rows of ``query`` (None: without any), gone at the end of the transaction.

    Where there is one already it is emptied. What the planner knows of its columns stays with it: analysed
    again with each batch that is written, it would tell the same.
    """
    known = conn.scalar(select(func.to_regclass(f'pg_temp."{table.name}"').is_not(None)))
    if known:
        conn.execute(text(f'TRUNCATE pg_temp."{table.name}"'))
    else:
        listed = ", ".join(f"{c.name} {c.type.compile(dialect=conn.dialect)}" for c in table.columns)
        conn.execute(text(f'CREATE TEMP TABLE "{table.name}" ({listed}) ON COMMIT DROP'))
    if query is not None:
        _add(conn, table, query)
        if not known:
            conn.execute(text(f'ANALYZE pg_temp."{table.name}"'))
    return table


def _add(conn: Connection, table: Table, query: SelectBase) -> None:
    conn.execute(insert(table).from_select([c.name for c in table.columns], query))


# The same each time, so that statements about them are put into words once.
@lru_cache(maxsize=64)
def _held(table: Table) -> Table:
    """The current rows that are compared where a write answers for some only."""
    columns = Column("uid", Text), Column("row_id", BigInteger), Column("answered", Boolean)
    return Table(f"held_{table.name}", MetaData(schema="pg_temp"), *columns)


@lru_cache(maxsize=64)
def _news(table: Table) -> Table:
    """The staged rows that say something new, with the row that each replaces, if any; has that ended yet?"""
    columns = Column("uid", Text), Column("row_id", BigInteger), Column("ended", Boolean)
    return Table(f"news_{table.name}", MetaData(schema="pg_temp"), *columns)


@lru_cache(maxsize=64)
def _gone(table: Table) -> Table:
    """The current rows that a "replace" closes."""
    return Table(f"gone_{table.name}", MetaData(schema="pg_temp"), Column("row_id", BigInteger))


def _find_held(conn: Connection, table: Table, staged: Table, within: SelectBase) -> Table:
    """The rows of ``within``, and beside them those with the uid of a staged row, wherever they are.

    They are looked up once; what follows goes by the numbers found.
    """
    some = within.subquery()
    held = _filled(conn, _held(table), select(some.c.uid, some.c.row_id, literal(True)))
    known = select(literal(1)).where(held.c.uid == staged.c.uid).exists()
    same = and_(table.c.uid == staged.c.uid, alive(table, None))
    beside = select(table.c.uid, table.c.row_id, literal(False)).select_from(staged.join(table, same))
    _add(conn, held, beside.where(not_(known)))
    return held


def _find_news(
    conn: Connection, table: Table, staged: Table, volatile: frozenset[str], held: Table | None
) -> Table:
    """The comparison is made once: what follows looks rows up by what it found."""
    joined: FromClause
    if held is None:
        joined = staged.outerjoin(table, and_(table.c.uid == staged.c.uid, alive(table, None)))
    else:
        joined = staged.outerjoin(held, held.c.uid == staged.c.uid)
        joined = joined.outerjoin(table, table.c.row_id == held.c.row_id)
    new = or_(table.c.row_id.is_(None), differs(table, staged, volatile))
    found = select(staged.c.uid, table.c.row_id, table.c.rev_to.is_not(None)).select_from(joined)
    return _filled(conn, _news(table), found.where(new))


def _refuse_twins(conn: Connection, news: Table) -> None:
    """What an index does for most layers: two rows of one uid would both be current."""
    twice = select(news.c.uid).group_by(news.c.uid).having(func.count() > 1).limit(1)
    if (uid := conn.scalar(twice)) is not None:
        raise AssertionError(f"{news.name}: {uid} is staged twice, or current twice")


def _find_gone(
    conn: Connection, table: Table, staged: Table, mode: Mode, source_id: int | None, held: Table | None
) -> int:
    """Find the rows that end, and count them."""
    closing = closing_condition(table, staged, mode, source_id)
    if closing is None:
        _filled(conn, _gone(table), None)
        return 0
    if held is None:
        query = select(table.c.row_id).where(closing)
    else:
        left = not_(select(literal(1)).where(staged.c.uid == held.c.uid).exists())
        query = select(held.c.row_id).where(held.c.answered, left)
    gone = _filled(conn, _gone(table), query)
    return conn.scalar(select(func.count()).select_from(gone)) or 0


def apply_staged(
    conn: Connection,
    table: Table,
    staged: Table,
    *,
    mode: Mode,
    who: str,
    kind: str,
    note: str = "",
    source_id: int | None = None,
    volatile: frozenset[str] = frozenset(),
    rev: int | None = None,
    compared: Compared | None = None,
    fill: Fill | None = None,
    within: SelectBase | None = None,
) -> Change:
    """Write the staged rows as one revision; no revision when they say nothing new.

    ``staged`` has the columns of ``table`` except row_id, rev_from and rev_to, and one row a uid. With
    ``rev`` the rows join a revision that the caller has taken already. ``compared`` is what the comparison
    found in this transaction already; it is made again where the layer was touched since. ``fill`` may
    put the rows into an empty table its own way; False from it leaves that to us. ``within`` asks for row_id
    and uid of the current rows that a "replace" answers for, whatever their source; without it, for all.
    """

    def compare() -> Change:
        return compare_staged(
            conn, table, staged, mode=mode, source_id=source_id, volatile=volatile, within=within
        )

    seen = compared.seen if compared is not None else last_touch(conn, [table.name])
    change = compared.change if compared is not None else compare()
    if change.is_empty and seen == last_touch(conn, [table.name]):
        return change
    if rev is None:
        rev = new_revision(conn, who=who, kind=kind, note=note, source_id=source_id)
        if last_touch(conn, [table.name]) != seen:
            change = compare()
    first = change.changed == change.closed == change.unchanged == 0
    if not (first and fill is not None and fill(conn, table, staged, rev)):
        _close_and_add(conn, table, staged, rev)
    change = replace(change, rev=rev)
    note_touch(conn, rev, table.name, change)
    return change


def _close_and_add(conn: Connection, table: Table, staged: Table, rev: int) -> None:
    news, gone = _news(table), _gone(table)
    replaced = select(news.c.row_id).where(news.c.row_id.is_not(None), not_(news.c.ended))
    ending = replaced.union_all(select(gone.c.row_id))
    # As an array the planner looks the rows up one by one.
    ended = table.c.row_id == any_(func.array(ending.scalar_subquery()))
    conn.execute(update(table).where(ended, alive(table, None)).values(rev_to=rev))
    names = [c.name for c in table.columns if c.name not in ("row_id", "rev_from", "rev_to")]
    rows = select(*(plain(staged.c[n]) for n in names), literal(rev))
    rows = rows.select_from(staged.join(news, news.c.uid == staged.c.uid))
    conn.execute(insert(table).from_select([*names, "rev_from"], rows))


def take_back(conn: Connection, table: Table, staged: Table, rev: int) -> Table:
    """Let rows go on that were ended with ``rev`` before `apply_staged` compared them, and are as they were.

    Returns the rows that it looked at, with their row_id.
    """
    news, held = _news(table), _held(table)
    kept = not_(select(literal(1)).where(news.c.uid == staged.c.uid).exists())
    same = and_(held.c.uid == staged.c.uid, table.c.row_id == held.c.row_id, table.c.rev_to == rev)
    conn.execute(update(table).where(same, kept).values(rev_to=None))
    return held


def renew_access(conn: Connection, table: Table, staged: Table, within: SelectBase | None = None) -> None:
    """Bring who may see a row up to date where `apply_staged` left it as it was; ``within`` as there."""
    news, held = _news(table), _held(table)
    kept = not_(select(literal(1)).where(news.c.uid == staged.c.uid).exists())
    if within is None:
        same = and_(table.c.uid == staged.c.uid, table.c.rev_to.is_(None))
    else:
        same = and_(held.c.uid == staged.c.uid, table.c.row_id == held.c.row_id, table.c.rev_to.is_(None))
    names = sorted(tables.NOT_CONTENT & set(table.c.keys()))
    new = or_(*(table.c[n].is_distinct_from(staged.c[n]) for n in names))
    conn.execute(update(table).where(same, kept, new).values({n: staged.c[n] for n in names}))
