"""What people decided about two rows: the same thing, or only alike. Nothing is deleted, only undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from gis import tables
from gis.errors import NotFound, QueryError
from gis.linking.pairs import linking_of, table_of
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Decision", "decide", "list_decisions", "undo"]


@dataclass(frozen=True)
class Decision:
    """One decision; ``undone_at`` is None while it stands."""

    link_id: int
    layer: str
    uid_a: str
    uid_b: str
    same: bool
    evidence: Mapping[str, Any]
    who: str
    at: datetime
    undone_by: str | None
    undone_at: datetime | None


def decide(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    uids: tuple[str, str],
    *,
    same: bool,
    who: str,
    evidence: Mapping[str, Any] | None = None,
) -> int:
    """Note that two current rows mean the same thing, or do not; the number of the decision.

    A standing decision about the pair is undone first. Raises NotFound for a row that is not there, and
    QueryError when both names are the same row.
    """
    linking_of(layer)
    a, b = sorted(uids)
    if a == b:
        raise QueryError(f"{a!r} is one row.", f"“{a}”是同一行。")
    t = table_of(definition, layer)
    there = set(conn.scalars(select(t.c.uid).where(alive(t, None), t.c.uid.in_([a, b]))))
    for uid in (a, b):
        if uid not in there:
            raise NotFound(f"Layer {layer.id!r} has no row {uid!r}.", f"图层“{layer.id}”中没有“{uid}”。")
    d = tables.links
    standing = (d.c.layer == layer.id, d.c.uid_a == a, d.c.uid_b == b, d.c.undone_at.is_(None))
    conn.execute(update(d).where(*standing).values(undone_by=who, undone_at=func.clock_timestamp()))
    values = {"layer": layer.id, "uid_a": a, "uid_b": b, "same": same, "who": who}
    made = insert(d).values(**values, evidence=dict(evidence or {})).returning(d.c.link_id)
    return int(conn.execute(made).scalar_one())


def undo(conn: Connection, link_id: int, *, who: str) -> Decision:
    """Undo a standing decision and return it. Raises NotFound when there is none of that number."""
    d = tables.links
    done = conn.execute(
        update(d)
        .where(d.c.link_id == link_id, d.c.undone_at.is_(None))
        .values(undone_by=who, undone_at=func.clock_timestamp())
        .returning(*d.c)
    ).first()
    if done is None:
        raise NotFound(
            f"There is no standing decision {link_id}.",
            f"没有有效的关联决定 {link_id}。",
            remedy_en="See `onemap links list`.",
            remedy_zh="见 `onemap links list`。",
        )
    return Decision(**done._mapping)


def list_decisions(conn: Connection, layer: str | None = None, *, undone: bool = False) -> list[Decision]:
    """Standing decisions, newest first; with ``undone`` the undone ones too."""
    d = tables.links
    query = select(d).order_by(d.c.link_id.desc())
    if layer is not None:
        query = query.where(d.c.layer == layer)
    if not undone:
        query = query.where(d.c.undone_at.is_(None))
    return [Decision(**row._mapping) for row in conn.execute(query)]
