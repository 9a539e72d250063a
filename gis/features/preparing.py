"""Keep features of points ready as text, in the order of the grid, for the current revision of their layers.

A page is right with them and without, only slower, so this may run whenever there is time: after a change at
once where it is little, else in a job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    Connection,
    Engine,
    Integer,
    Row,
    Table,
    delete,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from gis import tables
from gis.access import Role
from gis.axes import CRS84
from gis.db import connect
from gis.features.blocks import BLOCK_ROWS, Block, packed
from gis.features.grid import NOWHERE, PLACELESS, cell_columns
from gis.features.reading import select_rows, shaped
from gis.features.standing import source_words
from gis.locks import Lock, take
from gis.revisions import alive, last_touch
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["PreparedItems", "prepare_items"]

READY_FROM_ROWS = 5_000
"""Layers with fewer rows are read as they are."""

_SMALL_ROWS = 20_000
_BATCH = 10_000

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class PreparedItems:
    """How many ``rows`` were written; ``left`` are layers that were too much for now."""

    rows: int = 0
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Due:
    """A layer as the public sees it, the revision wanted, and the one up to which rows are written."""

    layer: Layer
    form: str
    table: Table
    rev: int
    since: int | None
    rows: int


def prepare_items(
    engine: Engine, definition: MapDefinition, *, small_only: bool = False, progress: Progress | None = None
) -> PreparedItems:
    """Write the features of rows that are new, forget closed ones, and count the bands that changed.

    What the public sees of a layer is what is kept. With ``small_only`` layers with much to do are left, and
    named in the answer. Each layer is committed by itself.
    """
    rows, left = 0, []
    shown = definition.seen_by(Role.PUBLIC).layers.values()
    wanted = {form: layer for layer in shown if (form := tables.form_of(layer)) is not None}
    with _alone(engine) as conn:
        f = tables.item_forms
        for form in conn.scalars(select(f.c.form).where(f.c.form.not_in(wanted))).all():
            _forget(conn, form)  # of other definitions
    for form, layer in wanted.items():
        with _alone(engine) as conn:
            due = _due(conn, definition, layer, form)
            if due is None:
                continue
            if small_only and due.rows > _SMALL_ROWS:
                left.append(layer.id)
                continue
            _write(conn, definition, due, progress, rows)
            rows += due.rows
        if due.rows > _SMALL_ROWS:
            _tidy(engine)
    return PreparedItems(rows, tuple(left))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A writing connection for as long as it takes, that no other preparing has at the same time."""
    with connect(engine, write=True) as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"))
        take(conn, Lock.ITEMS)
        yield conn


def _due(conn: Connection, definition: MapDefinition, layer: Layer, form: str) -> _Due | None:
    """What is to be done for ``layer``; None where nothing is."""
    f, table = tables.item_forms, tables.table_for(layer, definition.district.storage_crs)
    rev = last_touch(conn, [layer.id])
    known = select(f.c.rev).where(f.c.form == form, f.c.sources == source_words(f.c.source_ids))
    since = conn.scalar(known)
    if since == rev:
        return None
    total = _counted(conn, table, alive(table, rev))
    if total < READY_FROM_ROWS:
        if conn.scalar(select(f.c.form).where(f.c.form == form)) is not None:
            _forget(conn, form)
        return None
    if since is None:
        return _Due(layer, form, table, rev, None, total)
    return _Due(layer, form, table, rev, since, _counted(conn, table, _changed(table, since, rev)))


def _counted(conn: Connection, table: Table, condition: Any) -> int:
    return conn.scalar(select(func.count()).select_from(table).where(condition)) or 0


def _changed(table: Table, since: int, rev: int) -> Any:
    return or_(table.c.rev_from.between(since + 1, rev), table.c.rev_to.between(since + 1, rev))


def _forget(conn: Connection, form: str) -> None:
    for table in (tables.item_forms, tables.item_cells, tables.item_blocks, tables.item_rows):
        conn.execute(delete(table).where(table.c.form == form))


def _write(
    conn: Connection, definition: MapDefinition, due: _Due, progress: Progress | None, before: int
) -> None:
    r = tables.item_rows
    bands: set[int] | None = None
    new = alive(due.table, due.rev)
    if due.since is None:
        _forget(conn, due.form)
    else:
        closed = select(due.table.c.row_id).where(due.table.c.rev_to.between(due.since + 1, due.rev))
        gone = delete(r).where(r.c.form == due.form, r.c.row_id.in_(closed)).returning(r.c.gy)
        bands = set(conn.scalars(gone))
        new = new & (due.table.c.rev_from > due.since)
    done = 0
    for batch in _batches(conn, definition, due, new):
        _copy(conn, definition, due, batch)
        if bands is not None:
            bands |= {row.gy for row in batch}
        done += len(batch)
        if progress is not None:
            progress(f"items: {due.layer.id}", before + done, None)
    _pack_bands(conn, due.form, bands)
    _count_bands(conn, due.form, bands)
    _state(conn, due)


def _batches(
    conn: Connection, definition: MapDefinition, due: _Due, condition: Any
) -> Iterator[Sequence[Row[Any]]]:
    """Rows in the order of the grid, as `select_rows` has them, with gy, gx, x and y."""
    gy, gx = cell_columns(due.table, definition.district.storage_crs)
    geom = due.table.c.geom
    extra = [gy.label("gy"), gx.label("gx"), func.ST_X(geom).label("x"), func.ST_Y(geom).label("y")]
    statement = select_rows(due.layer, due.table, extra=extra).where(condition)
    ordered = statement.order_by(gy, gx, due.table.c.row_id)
    streamed = conn.execute(ordered, execution_options={"yield_per": _BATCH})
    yield from streamed.partitions()


def _copy(conn: Connection, definition: MapDefinition, due: _Due, rows: Sequence[Row[Any]]) -> None:
    features = shaped(definition, due.layer, rows, CRS84)
    cursor: Any = conn.connection.cursor()
    with cursor.copy(
        "COPY core.item_rows (form, gy, gx, row_id, x, y, feature) FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["text", "int4", "int4", "int8", "float8", "float8", "bytea"])
        for row, feature in zip(rows, features, strict=True):
            copy.write_row((due.form, row.gy, row.gx, row.row_id, row.x, row.y, orjson.dumps(feature)))


def _pack_bands(conn: Connection, form: str, bands: set[int] | None) -> None:
    """Put the rows of ``bands`` (None: of all) together in blocks."""
    b, r = tables.item_blocks, tables.item_rows
    within = [r.c.form == form]
    if bands is not None:
        conn.execute(delete(b).where(b.c.form == form, b.c.gy == func.any(sorted(bands))))
        within.append(r.c.gy == func.any(sorted(bands)))
    rows: Iterable[Row[Any]] = conn.execute(
        select(r.c.gy, r.c.gx, r.c.row_id, r.c.x, r.c.y, r.c.feature)
        .where(*within)
        .order_by(r.c.gy, r.c.gx, r.c.row_id),
        execution_options={"yield_per": _BATCH},
    )
    for each in _together(groupby(rows, lambda row: row.gy)):
        _copy_blocks(conn, form, each)


def _together(bands: Iterable[tuple[int, Iterable[Row[Any]]]]) -> Iterator[list[tuple[Any, Any, Block]]]:
    """Blocks, so many at a time as are copied at once: the rows come over the same connection."""
    held: list[tuple[Any, Any, Block]] = []
    for gy, rows in bands:
        held += packed(gy, list(rows))
        if len(held) * BLOCK_ROWS >= _BATCH:
            yield held
            held = []
    yield held


def _copy_blocks(conn: Connection, form: str, blocks: Iterable[tuple[Any, Any, Block]]) -> None:
    cursor: Any = conn.connection.cursor()
    with cursor.copy(
        "COPY core.item_blocks (form, first_gx, first_row, last_gx, last_row, gy, places, texts) FROM STDIN "
        "(FORMAT BINARY)"
    ) as copy:
        copy.set_types(["text", "int4", "int8", "int4", "int8", "int4", "bytea", "bytea"])
        for first, last, block in blocks:
            copy.write_row((form, first.gx, first.row_id, last.gx, last.row_id, *block))


def _count_bands(conn: Connection, form: str, bands: set[int] | None) -> None:
    """Count the rows in the cells of ``bands`` (None: of all)."""
    c, r = tables.item_cells, tables.item_rows
    within = [r.c.form == form, r.c.gy < NOWHERE]
    if bands is not None:
        conn.execute(delete(c).where(c.c.form == form, c.c.gy == func.any(sorted(bands))))
        within.append(r.c.gy == func.any(sorted(bands)))
    upto = func.sum(func.count()).over(partition_by=r.c.gy, order_by=r.c.gx)
    counted = select(r.c.form, r.c.gy, r.c.gx, upto).where(*within).group_by(r.c.form, r.c.gy, r.c.gx)
    conn.execute(c.insert().from_select(["form", "gy", "gx", "upto"], counted))


def _state(conn: Connection, due: _Due) -> None:
    """Say up to which revision, and with which sources, the form is known."""
    f, r, t = tables.item_forms, tables.item_rows, due.table
    sources = list(conn.scalars(select(t.c.source_id).where(alive(t, due.rev)).distinct()))
    placed = select(func.min(r.c.gy), func.max(r.c.gy)).where(r.c.form == due.form, r.c.gy < NOWHERE)
    south, north = conn.execute(placed).one()
    placeless = select(func.count()).where(r.c.form == due.form, r.c.gy == PLACELESS)
    values = {
        "layer": due.layer.id, "rev": due.rev, "source_ids": sources, "south": south, "north": north,
        "sources": conn.scalar(select(source_words(literal(sources, ARRAY(Integer))))),
        "placeless": conn.scalar(placeless) or 0,
    }  # fmt: skip
    stated = upsert(f).values(form=due.form, **values)
    conn.execute(stated.on_conflict_do_update(index_elements=[f.c.form], set_=values))


def _tidy(engine: Engine) -> None:
    """After much writing: let the planner know, and counts be read off the index alone."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("SET statement_timeout = 0"))
        conn.execute(text("VACUUM (ANALYZE) core.item_rows, core.item_blocks, core.item_cells"))
        conn.execute(text("RESET statement_timeout"))
