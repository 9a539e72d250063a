"""What is kept ready of the newest revision, turned back to an older one that little has changed since.

Rows that came since are left out, and rows that were closed since are put in at their places in the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, FromClause, and_, func, literal, select

from gis import tables
from gis.features.grid import cell_columns
from gis.features.query import ItemQuery
from gis.filters import bbox_condition
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Changed", "Key", "changed_since"]

_MOST_CHANGES = 2_000
_MOST_REVISIONS = 500
"""Of the layer up to the older one: rows closed since are looked up by the revision that wrote them."""

Key = tuple[int, int, int]
"""Band, cell, row_id: where a row stands in the order."""


@dataclass(frozen=True)
class Changed:
    """Of the rows in a box those that ``came`` since, and those that have ``gone``, in order."""

    came: frozenset[Key]
    gone: tuple[Key, ...]


def changed_since(
    conn: Connection, definition: MapDefinition, layer: Layer, table: FromClause, query: ItemQuery, rev: int
) -> Changed | None:
    """What has changed in the query's box since ``rev``; None where that is too much to look through."""
    t = tables.revision_layers.c
    touches = conn.execute(
        select(t.rev, t.added + t.changed + t.closed).where(t.layer == layer.id).order_by(t.rev)
    ).all()
    until = [row[0] for row in touches if row[0] <= rev]
    if sum(row[1] for row in touches if row[0] > rev) > _MOST_CHANGES or len(until) > _MOST_REVISIONS:
        return None
    assert query.bbox is not None
    inside = bbox_condition(table, query.bbox, definition.district)
    key = (*cell_columns(table, definition.district.storage_crs), table.c.row_id)
    came = select(*key).where(table.c.rev_from > rev, table.c.rev_to.is_(None), inside)
    written = func.unnest(literal(until, ARRAY(BigInteger))).table_valued("rev").render_derived("written")
    closed = and_(table.c.rev_from == written.c.rev, table.c.rev_to > rev)
    gone = select(*key).select_from(written).join(table, closed).where(inside)
    return Changed(
        frozenset(_keys(conn, came)),
        tuple(sorted(_keys(conn, gone))),
    )


def _keys(conn: Connection, statement: Any) -> list[Key]:
    return [(row[0], row[1], row[2]) for row in conn.execute(statement)]
