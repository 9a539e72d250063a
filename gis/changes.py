"""What changed, in commit order: one feed for all layers, row by row.

Revisions are numbered in commit order and their rows never change afterwards, so a position in the feed stays
what it is: whoever reads on from it misses nothing and meets nothing twice, while others write.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Select, Table, and_, func, literal, or_, select, tuple_, union_all

from gis import tables
from gis.errors import QueryError
from gis.revisions import head
from gis.settings import MapDefinition

__all__ = [
    "ChangePage",
    "Position",
    "RowChange",
    "Touch",
    "after_revision",
    "changes",
    "read_cursor",
    "touches",
    "write_cursor",
]

Kind = Literal["added", "changed", "closed"]
_STEPS = 200  # touches looked at for one page: a page may come out short, it never takes long


@dataclass(frozen=True, order=True)
class Position:
    """A place in the feed: all up to and with row ``uid`` of ``layer`` in revision ``rev`` has been read.

    Layers come in the order of their names, rows in the order of their uids, both byte by byte.
    """

    rev: int
    layer: str = ""
    uid: str = ""


@dataclass(frozen=True)
class Touch:
    """What one revision did to one layer, in numbers."""

    rev: int
    at: datetime
    who: str
    kind: str
    layer: str
    added: int
    changed: int
    closed: int


@dataclass(frozen=True)
class RowChange:
    """One row that a revision added, changed or closed."""

    rev: int
    at: datetime
    layer: str
    uid: str
    change: Kind


@dataclass(frozen=True)
class ChangePage:
    """Changes in order, where the next page begins, and whether there is more already."""

    changes: list[RowChange]
    position: Position
    head: int
    more: bool


def after_revision(conn: Connection, rev: int) -> Position:
    """The position behind all of revision ``rev``; QueryError where the store has not come so far."""
    newest = head(conn)
    if not 0 <= rev <= newest:
        raise QueryError(
            f"There is no revision {rev} to go on from; the newest is {newest}.",
            f"没有可接续的修订 {rev}，最新为 {newest}。",
            remedy_en="Begin anew with since=0: the store may have been restored from an older copy.",
            remedy_zh="请以 since=0 重新开始：数据库可能已由较早的备份恢复。",
        )
    return Position(rev + 1)


def write_cursor(position: Position) -> str:
    """A position as a word that clients hand back unread."""
    content = json.dumps([position.rev, position.layer, position.uid], ensure_ascii=False)
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Position:
    """The position that a word of `write_cursor` names; QueryError for any other."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        rev, layer, uid = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        whole = type(rev) is int and 0 <= rev < 2**62 and isinstance(layer, str) and isinstance(uid, str)
        if whole and b"\0" not in (layer + uid).encode():  # lone surrogates are no text either
            return Position(rev, layer, uid)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    raise QueryError(
        f"{text[:40]!r} is no cursor of this feed.",
        f"“{text[:40]}”不是本变更流的游标。",
        remedy_en="Hand back the cursor of an answer as it came, or begin with since=.",
        remedy_zh="请原样交回答复中的游标，或用 since= 重新开始。",
    )


def touches(
    conn: Connection, position: Position, *, layers: Sequence[str] | None = None, limit: int = _STEPS
) -> list[Touch]:
    """What revisions did to layers, from the layer and revision of ``position`` on, in order."""
    t, r = tables.revision_layers, tables.revisions
    name = t.c.layer.collate("C")
    query = (
        select(t, r.c.at, r.c.who, r.c.kind)
        .join(r, r.c.rev == t.c.rev)
        .where(t.c.rev >= position.rev, tuple_(t.c.rev, name) >= tuple_(position.rev, position.layer))
        .order_by(t.c.rev, name)
        .limit(limit)
    )
    if layers is not None:
        query = query.where(t.c.layer.in_(layers))
    return [
        Touch(x.rev, x.at, x.who, x.kind, x.layer, x.added, x.changed, x.closed) for x in conn.execute(query)
    ]


def changes(
    conn: Connection,
    definition: MapDefinition,
    position: Position,
    *,
    layers: Sequence[str] | None = None,
    limit: int = 1000,
) -> ChangePage:
    """The next ``limit`` changes behind ``position`` of ``layers`` (None: all).

    A page may be shorter although there is more; ``position`` of the page then still leads on.
    """
    asked = [name for name in definition.layers if layers is None or name in layers]
    found: list[RowChange] = []
    newest = head(conn)
    steps = touches(conn, position, layers=asked)
    for touch in steps:
        after = position.uid if (touch.rev, touch.layer) == (position.rev, position.layer) else ""
        table = tables.table_for(definition.layers[touch.layer], definition.district.storage_crs)
        for row in _rows(conn, table, touch, after, limit - len(found)):
            found.append(row)
            position = Position(row.rev, row.layer, row.uid)
        if len(found) == limit:
            return ChangePage(found, position, newest, True)
        position = Position(touch.rev, touch.layer + "\x01")  # all of this layer has been read
    more = len(steps) == _STEPS
    if not more:
        position = max(position, Position(newest + 1))
    return ChangePage(found, position, newest, more)


def _rows(conn: Connection, table: Table, touch: Touch, after: str, limit: int) -> Iterator[RowChange]:
    """Rows of one layer that one revision changed, behind the uid ``after``."""
    rows = conn.execute(_query(table, touch, after, limit)) if limit else ()
    for uid, written, closed in rows:
        change: Kind = "changed" if written and closed else "added" if written else "closed"
        yield RowChange(touch.rev, touch.at, touch.layer, uid, change)


def _query(table: Table, touch: Touch, after: str, limit: int) -> Select[Any]:
    uid = table.c.uid.collate("C")
    # A row that came and went within the revision was never to be seen.
    lasts = or_(table.c.rev_to.is_(None), table.c.rev_to > touch.rev)
    parts = [
        select(table.c.uid, literal(True).label("written"), literal(False).label("closed")).where(
            table.c.rev_from == touch.rev, lasts, uid > after
        )
    ]
    if touch.changed or touch.closed:
        parts.append(
            select(table.c.uid, literal(False), literal(True)).where(
                and_(table.c.rev_to == touch.rev, table.c.rev_from < touch.rev), uid > after
            )
        )
    both = union_all(*parts).subquery()
    return (
        select(both.c.uid, func.bool_or(both.c.written), func.bool_or(both.c.closed))
        .group_by(both.c.uid)
        .order_by(both.c.uid.collate("C"))
        .limit(limit)
    )
