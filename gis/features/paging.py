"""Pages of a layer's rows.

Within one revision the set of rows and their order are fixed for ever, so a page is named by the revision and
the row before it, its sort values and its number: paging neither skips nor repeats a row while others write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, FromClause, Row, Select, func, select

from gis import tables
from gis.cql2 import computing
from gis.features.places import Place
from gis.features.query import ItemQuery, condition
from gis.features.reading import Feature, select_rows, shaped
from gis.features.sorting import behind, in_order, sort_columns
from gis.revisions import head, shown
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Page", "items"]


@dataclass(frozen=True)
class Page:
    """``features`` of revision ``rev``, and what opens the pages around it (None: there is none).

    ``matched`` is the exact number of rows that match; None when it was not asked for.
    """

    rev: int
    features: list[Feature]
    matched: int | None
    next_after: Place | None
    previous_before: Place | None


def items(conn: Connection, definition: MapDefinition, layer: Layer, query: ItemQuery) -> Page:
    """One page of ``layer`` in the order asked for; without one, in the order of its rows.

    Raises
    ------
    QueryError
        For a property the layer does not have, a value that its type cannot read, a filter that does not fit.
    CrsError
        When no trustworthy transformation leads from the bbox's or the filter's CRS, or to the answer's.
    """
    rev = head(conn) if query.rev is None else query.rev
    table = shown(layer, definition.district.storage_crs, rev)
    kept = condition(definition, layer, table, query, rev)
    with computing():
        matched = _count(conn, table, kept, query) if query.count else None
        rows, more_before, more_after = _window(conn, layer, table, kept, query)
    features = shaped(definition, layer, rows, query.crs, query.properties, geometry=query.geometry)
    return Page(
        rev,
        features,
        matched,
        _place(rows[-1], len(query.sort)) if more_after else None,
        _place(rows[0], len(query.sort)) if more_before else None,
    )


def _count(conn: Connection, table: FromClause, kept: Any, query: ItemQuery) -> int:
    counted = table
    if query.filters or query.filter is not None:  # which may ask for what a row's source says
        counted = table.join(tables.sources, table.c.source_id == tables.sources.c.source_id)
    return conn.scalar(select(func.count()).select_from(counted).where(kept)) or 0


def _window(
    conn: Connection, layer: Layer, table: FromClause, kept: Any, query: ItemQuery
) -> tuple[Sequence[Row[Any]], bool, bool]:
    """The rows of one page in order, and whether rows stand before and behind them."""
    assert query.limit is not None
    columns = sort_columns(layer, table, query.sort)
    labelled = [column.label(f"sort_{number}") for number, column in enumerate(columns)]
    statement: Select[Any] = select_rows(
        layer, table, query.properties, geometry=query.geometry, extra=labelled
    ).where(kept)
    back = query.before is not None
    ordered = statement.order_by(*in_order(columns, query.sort, table.c.row_id, back=back))
    place = query.before or query.after
    if place is not None:
        ordered = ordered.where(behind(columns, query.sort, table.c.row_id, place, back=back))
    elif query.offset:
        ordered = ordered.offset(query.offset)
    rows = conn.execute(ordered.limit(query.limit + 1)).all()
    more = len(rows) > query.limit
    if back:
        return rows[: query.limit][::-1], more, bool(rows)
    return rows[: query.limit], bool(rows and (place or query.offset)), more


def _place(row: Row[Any], keys: int) -> Place:
    return Place(row.row_id, tuple(getattr(row, f"sort_{number}") for number in range(keys)))
