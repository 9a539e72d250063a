"""Pages of a layer's rows.

Within one revision the set of rows and their order are fixed for ever, so a page is named by the revision and
the row before it, its sort values and its number: paging neither skips nor repeats a row while others write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    any_,
    func,
    literal,
    select,
)

from gis import tables
from gis.axes import CRS84
from gis.cql2 import computing
from gis.db import scope_of
from gis.features.blocks import Chosen
from gis.features.earlier import Changed, Key, changed_since
from gis.features.grid import Box, box_of, cell_columns, in_grid_order
from gis.features.places import Place
from gis.features.query import ItemQuery, condition
from gis.features.reading import Feature, select_rows, shaped
from gis.features.ready import count_ready, place_of, read_ready, read_texts
from gis.features.sorting import SortKey, behind, in_order, sort_columns
from gis.features.standing import Ready, Standing, standing_of
from gis.features.texts import Texts
from gis.revisions import shown
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Page", "items", "page_of", "says_all"]

_GRID = (SortKey("gy"), SortKey("gx"))


@dataclass(frozen=True)
class Page:
    """``returned`` features of revision ``rev``, and what opens the pages around it (None: there is none).

    ``texts`` has the features as JSON in UTF-8, where they are kept so and `ItemQuery.as_text` allows it;
    then ``features`` is empty. ``matched`` is the exact number of rows that match; None when it was not asked
    for.
    """

    rev: int
    features: Sequence[Feature]
    returned: int
    matched: int | None
    next_after: Place | None
    previous_before: Place | None
    texts: Texts | None = None


def items(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    query: ItemQuery,
    standing: Standing | None = None,
) -> Page:
    """One page of ``layer`` in the order asked for; without one, in the order of its rows.

    Points in a box of which nothing else is asked come in the order of a grid, from south to north and in
    bands of some 400 m from west to east: what is kept ready of large layers has that order. ``standing`` is
    that of the layer at the query's revision, for whoever knows it.

    Raises
    ------
    QueryError
        For a property the layer does not have, a value that its type cannot read, a filter that does not fit.
    CrsError
        When no trustworthy transformation leads from the bbox's or the filter's CRS, or to the answer's.
    """
    if standing is None:
        standing = standing_of(conn, layer, query.rev)
    rev, ready = standing.rev, standing.ready
    box = box_of(query, definition.district) if in_grid_order(layer, query) else None
    texts = says_all(query)
    table = shown(layer, definition.district.storage_crs, rev)
    if ready and ready.is_newest and box and texts:
        page = _from_ready(conn, definition, layer, table, standing, box, query)
        if page is not None:
            return page
    kept = condition(definition, layer, table, query, rev)
    matched = None
    # All rows that match are read once, for the order and the count, where not all of the layer do.
    at_once = not (query.before or query.after or query.offset) and _chooses(conn, query)
    with computing():
        if query.count and ready and ready.is_current and box:
            matched = count_ready(conn, ready, box)
        elif query.count and not at_once:
            matched = _count(conn, table, kept, query)
        counted = query.count and matched is None
        bare = counted or bool(ready and texts)
        rows, before, after = _window(conn, definition, layer, table, kept, query, bare=bare, counted=counted)
        if counted:
            matched = rows[0].matched if rows else 0
        numbers = [row.row_id for row in rows]
        if ready and texts:
            found = _texts(conn, definition, layer, table, ready, numbers)
            return Page(rev, (), len(rows), matched, after, before, found)
        if bare:
            rows = _rows(conn, layer, table, numbers, query)
    features = shaped(definition, layer, rows, query.crs, query.properties, geometry=query.geometry)
    return Page(rev, features, len(features), matched, after, before)


def _chooses(conn: Connection, query: ItemQuery) -> bool:
    """Whether a part of the layer is asked for, or whoever asks sees a part of it."""
    scope = scope_of(conn)
    chosen = query.bbox or query.interval or query.filters or query.filter
    return bool(chosen) or (scope is not None and scope.areas is not None)


def _rows(
    conn: Connection, layer: Layer, table: FromClause, row_ids: Sequence[int], query: ItemQuery
) -> list[Row[Any]]:
    """Whole rows, in the order of their numbers ``row_ids``."""
    listed = literal(row_ids, ARRAY(BigInteger))
    statement = select_rows(layer, table, query.properties, geometry=query.geometry)
    held = {row.row_id: row for row in conn.execute(statement.where(table.c.row_id == any_(listed)))}
    return [held[number] for number in row_ids]


def _texts(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    table: FromClause,
    ready: Ready,
    row_ids: Sequence[int],
) -> Texts:
    """The features of rows as text: those that are kept, and of others, such as closed rows, made here."""
    held = read_texts(conn, ready, row_ids)
    lacking = [number for number in row_ids if number not in held]
    if lacking:
        listed = literal(lacking, ARRAY(BigInteger))
        rows = conn.execute(select_rows(layer, table).where(table.c.row_id == any_(listed))).all()
        made = shaped(definition, layer, rows, CRS84)
        held |= {row.row_id: orjson.dumps(each) for row, each in zip(rows, made, strict=True)}
    return Texts.of([held[number] for number in row_ids])


def says_all(query: ItemQuery) -> bool:
    """Whether a ready text is what is wanted of a row."""
    return query.as_text and query.geometry and query.properties is None and query.crs == CRS84


def _count(conn: Connection, table: FromClause, kept: Any, query: ItemQuery) -> int:
    counted = table
    if query.filters or query.filter is not None:  # which may ask for what a row's source says
        counted = table.join(tables.sources, table.c.source_id == tables.sources.c.source_id)
    return conn.scalar(select(func.count()).select_from(counted).where(kept)) or 0


def _from_ready(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    table: FromClause,
    standing: Standing,
    box: Box,
    query: ItemQuery,
) -> Page | None:
    """A page out of what is kept ready; None where too much has changed since the revision asked for."""
    ready, limit = standing.ready, query.limit
    assert ready is not None and limit is not None
    since = Changed(frozenset(), ())
    if not ready.is_current:
        found = changed_since(conn, definition, layer, table, query, standing.rev)
        if found is None or query.offset:
            return None
        since = found
    back, place = query.before is not None, query.before or query.after
    matched = None
    if query.count:
        matched = count_ready(conn, ready, box) - len(since.came) + len(since.gone)
    if place is None and query.offset:
        place = place_of(conn, ready, box, query.offset)
        if place is None:
            return Page(standing.rev, (), 0, matched, None, None, Texts.of([]))
    page, more = read_ready(conn, ready, box, limit=limit + len(since.came), place=place, back=back)
    if since.came or since.gone:
        page, more = _turned_back(
            page, since, lambda row_ids: _texts(conn, definition, layer, table, ready, row_ids),
            limit=limit, more=more, place=place, back=back,
        )  # fmt: skip
    some = bool(page.texts)
    before, after = (more, some) if back else (place is not None and some, more)
    return page_of(standing, page, matched, before=before, after=after)


def page_of(standing: Standing, chosen: Chosen, matched: int | None, *, before: bool, after: bool) -> Page:
    """A page of ready texts; ``before`` and ``after``: whether there are more."""
    return Page(
        standing.rev,
        (),
        len(chosen.texts),
        matched,
        chosen.place(-1) if after else None,
        chosen.place(0) if before else None,
        chosen.texts,
    )


def _turned_back(
    page: Chosen,
    since: Changed,
    made: Callable[[Sequence[int]], Texts],
    *,
    limit: int,
    more: bool,
    place: Place | None,
    back: bool,
) -> tuple[Chosen, bool]:
    """``page``, which has as many features too many as came since, without those and with those gone."""
    came, gone = since.came, since.gone
    if place is not None:
        at = (*place.values, place.row_id)
        gone = tuple(key for key in gone if (key < at if back else key > at))
    keys: list[Key] = list(zip(page.gy.tolist(), page.gx.tolist(), page.row_id.tolist(), strict=True))
    held = dict(zip(keys, page.texts, strict=True))
    order = sorted([*(key for key in keys if key not in came), *gone])
    more = more or len(order) > limit
    order = order[-limit:] if back else order[:limit]
    lacking = [key for key in order if key not in held]
    held |= zip(lacking, made([key[2] for key in lacking]), strict=True)
    gy, gx, row_id = np.array(order, dtype=np.int64).reshape(-1, 3).T
    return Chosen(Texts.of([held[key] for key in order]), gy, gx, row_id), more


def _cut(rows: Sequence[Any], query: ItemQuery) -> tuple[Sequence[Any], bool, bool]:
    """Of a page and one row more its own rows in order, and whether there are more before and behind them."""
    assert query.limit is not None
    more, rows = len(rows) > query.limit, rows[: query.limit]
    if query.before is not None:
        return rows[::-1], more, bool(rows)
    return rows, bool(rows and (query.after or query.offset)), more


def _window(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    table: FromClause,
    kept: Any,
    query: ItemQuery,
    *,
    bare: bool = False,
    counted: bool = False,
) -> tuple[Sequence[Row[Any]], Place | None, Place | None]:
    """The rows of one page in order, and the places behind and before which there are more.

    ``bare``: without their properties and geometry; ``counted``: each with the number of all that match.
    """
    assert query.limit is not None
    sort, columns = _order(definition, layer, table, query)
    labelled = [column.label(f"sort_{number}") for number, column in enumerate(columns)]
    wanted, geometry = ((), False) if bare else (query.properties, query.geometry)
    statement: Select[Any] = select_rows(layer, table, wanted, geometry=geometry, extra=labelled).where(kept)
    back, row_id = query.before is not None, table.c.row_id
    if counted:
        # Apart, since the planner would look for the rows of one page only, and count them all on that way.
        found = statement.cte("found")
        total = select(func.count()).select_from(found).scalar_subquery()
        statement, row_id = select(found, total.label("matched")), found.c.row_id
        columns = [found.c[column.name] for column in labelled]
    ordered = statement.order_by(*in_order(columns, sort, row_id, back=back))
    place = query.before or query.after
    if place is not None:
        ordered = ordered.where(behind(columns, sort, row_id, place, back=back))
    elif query.offset:
        ordered = ordered.offset(query.offset)
    rows = conn.execute(ordered.limit(query.limit + 1)).all()
    rows, before, after = _cut(rows, query)
    return (
        rows,
        _place(rows[0], len(sort)) if before else None,
        _place(rows[-1], len(sort)) if after else None,
    )


def _order(
    definition: MapDefinition, layer: Layer, table: FromClause, query: ItemQuery
) -> tuple[Sequence[SortKey], Sequence[ColumnElement[Any]]]:
    if in_grid_order(layer, query):
        return _GRID, cell_columns(table, definition.district.storage_crs)
    return query.sort, sort_columns(layer, table, query.sort)


def _place(row: Row[Any], keys: int) -> Place:
    return Place(row.row_id, tuple(getattr(row, f"sort_{number}") for number in range(keys)))
