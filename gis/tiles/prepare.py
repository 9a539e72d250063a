"""Bring the prepared levels of the current revision up to date; a tile is right with them and without.

What is not prepared is drawn from its rows, only slower, so this may run whenever there is time: after a
change at once where it is little, else in a job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, Engine, Table, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from gis import tables
from gis.db import connect
from gis.locks import Lock, take
from gis.revisions import alive, last_touch
from gis.settings import MapDefinition
from gis.tiles.levels import demonstration_sources, rendering_hash
from gis.tiles.rows import covering
from gis.tiles.shapes import cut_shapes
from gis.tiles.summing import SUMMED_FROM_ROWS, sum_anew, sum_touched
from layers.model import Layer

__all__ = ["Prepared", "prepare_tiles"]

LARGE_BYTES = 1024
"""A stored shape from this size on, some 64 vertices, is prepared."""

_BATCH_BYTES = 32 * 2**20
_SMALL_BYTES, _SMALL_ROWS = 8 * 2**20, 20_000

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Prepared:
    """How many shapes were cut and how many rows summed; ``left`` are layers that were too much for now."""

    shapes: int = 0
    rows: int = 0
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Due:
    """What of a layer is to be done: rows to cut with their sizes, and from which revision on sums are old.

    ``since`` None: everything is to be summed; ``touched`` counts the rows to be read for the sums.
    """

    layer: Layer
    table: Table
    rev: int
    marks: str
    known: bool
    shapes: Sequence[tuple[int, int]]
    since: int | None
    touched: int

    @property
    def is_small(self) -> bool:
        return sum(size for _, size in self.shapes) <= _SMALL_BYTES and self.touched <= _SMALL_ROWS


def prepare_tiles(
    engine: Engine, definition: MapDefinition, *, small_only: bool = False, progress: Progress | None = None,
    threads: int = 2,
) -> Prepared:  # fmt: skip
    """Cut shapes that are new, forget those of closed rows, and sum what revisions have touched since.

    With ``small_only`` layers with much to do are left, and named in the answer. Each layer is committed by
    itself, large ones piece by piece; a run that is killed goes on where it stopped.
    """
    shapes, rows, left = 0, 0, []
    with connect(engine) as conn:
        changed = _changed(conn, definition)
    for layer in changed:
        table = tables.table_for(layer, definition.district.storage_crs)
        with _alone(engine) as conn:
            due = _due(conn, layer, table)
            if due is None:
                continue
            if small_only and not due.is_small:
                left.append(layer.id)
                continue
            if not due.known:
                _forget(conn, layer.id)
            if not due.shapes and not due.touched:
                _settle(conn, due)
                continue
        for batch in _batches(due.shapes):
            if progress is not None:
                progress(f"tiles: {layer.id}", shapes, None)
            with _alone(engine) as conn:
                shapes += _cut(conn, due, batch, threads)
        if progress is not None:
            progress(f"tiles: {layer.id}", shapes, None)
        with _alone(engine) as conn:
            _settle(conn, due)
        rows += due.touched
    return Prepared(shapes, rows, tuple(left))


def _changed(conn: Connection, definition: MapDefinition) -> list[Layer]:
    """Layers whose levels do not know their last revision, or were drawn otherwise."""
    t, held = tables.revision_layers, tables.tile_levels
    touched = {
        row[0]: row[1] for row in conn.execute(select(t.c.layer, func.max(t.c.rev)).group_by(t.c.layer))
    }
    marks = conn.scalar(select(demonstration_sources()))
    known = {row.layer: (row.rev, row.rendering, row.demonstration) for row in conn.execute(select(held))}
    return [
        layer
        for layer in definition.layers.values()
        if layer.has_geometry and layer.id in touched
        and known.get(layer.id) != (touched[layer.id], rendering_hash(layer), marks)
    ]  # fmt: skip


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A writing connection for as long as it takes, that no other preparing has at the same time."""
    with connect(engine, write=True) as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"))
        take(conn, Lock.TILES)
        yield conn


def _due(conn: Connection, layer: Layer, table: Table) -> _Due | None:
    """What is to be done for ``layer``; None where its levels know its last revision."""
    rev = last_touch(conn, [layer.id])
    marks = conn.scalar(select(demonstration_sources())) or ""
    held = tables.tile_levels
    row = conn.execute(
        select(held.c.rev, held.c.finest).where(
            held.c.layer == layer.id, held.c.rendering == rendering_hash(layer), held.c.demonstration == marks
        )
    ).one_or_none()
    since, finest = (0, None) if row is None else row
    if rev == since:
        return None
    if layer.geometry == "Point":
        return _due_points(conn, layer, table, rev, marks, since if finest is not None else None)
    size = func.pg_column_size(table.c.geom_web)
    new = select(table.c.row_id, size).where(alive(table, rev), table.c.rev_from > since, size >= LARGE_BYTES)
    shapes = [(int(number), int(stored)) for number, stored in conn.execute(new.order_by(table.c.row_id))]
    return _Due(layer, table, rev, marks, row is not None, shapes, since, 0)


def _due_points(
    conn: Connection, layer: Layer, table: Table, rev: int, marks: str, since: int | None
) -> _Due:
    """``since``: up to where its rows have been summed; None: not at all."""
    if since is not None:
        changed = or_(table.c.rev_from > since, table.c.rev_to > since)
        touched = conn.scalar(select(func.count()).select_from(table).where(changed)) or 0
        return _Due(layer, table, rev, marks, True, (), since, touched)
    count = conn.scalar(select(func.count()).select_from(table).where(alive(table, rev))) or 0
    return _Due(layer, table, rev, marks, False, (), None, count if count >= SUMMED_FROM_ROWS else 0)


def _forget(conn: Connection, layer: str) -> None:
    for table in (tables.tile_levels, tables.tile_cells, tables.tile_shapes, tables.tile_rows):
        conn.execute(delete(table).where(table.c.layer == layer))


def _batches(shapes: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for number, stored in shapes:
        if batch and size + stored > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(number)
        size += stored
    if batch:
        yield batch


def _cut(conn: Connection, due: _Due, batch: list[int], threads: int) -> int:
    """Prepare the shapes of the rows in ``batch`` that nobody has prepared meanwhile."""
    p, table, layer = tables.tile_rows, due.table, due.layer
    done = select(p.c.row_id).where(p.c.layer == layer.id)
    found = conn.execute(
        select(table.c.row_id, func.ST_AsBinary(table.c.geom_web))
        .where(table.c.row_id == func.any(batch), table.c.row_id.not_in(done))
        .order_by(table.c.row_id)
    ).all()
    if not found:
        return 0
    numbers = [int(row[0]) for row in found]
    shapes = shapely.from_wkb(np.array([bytes(row[1]) for row in found], dtype=object))
    boxes = shapely.bounds(shapes)
    cursor: Any = conn.connection.cursor()
    with cursor.copy("COPY core.tile_rows (layer, row_id, west, south, east, north) FROM STDIN") as copy:
        for number, box in zip(numbers, boxes.tolist(), strict=True):
            copy.write_row((layer.id, number, *box))
    pieces = cut_shapes(shapes, max(layer.zoom.min - 1, 0), threads=threads)
    with cursor.copy("COPY core.tile_shapes (layer, row_id, z, cx, cy, geom) FROM STDIN") as copy:
        for piece in pieces:
            wkb = None if piece.geom is None else _ewkb(piece.geom)
            z = piece.z if wkb else covering(piece.z)
            copy.write_row((layer.id, numbers[piece.owner], z, piece.x, piece.y, wkb))
    return len(numbers)


def _ewkb(geom: Any) -> str:
    return str(shapely.to_wkb(shapely.set_srid(geom, 3857), hex=True, include_srid=True))


def _settle(conn: Connection, due: _Due) -> None:
    """Forget closed rows, sum what was touched, and say up to which revision the levels know the layer."""
    layer, table, p = due.layer, due.table, tables.tile_rows
    gone = (
        select(p.c.row_id)
        .join(table, table.c.row_id == p.c.row_id)
        .where(p.c.layer == layer.id, table.c.rev_to.is_not(None))
    )
    numbers = [int(number) for number in conn.scalars(gone)]
    for each in (tables.tile_shapes, tables.tile_rows):
        conn.execute(delete(each).where(each.c.layer == layer.id, each.c.row_id == func.any(numbers)))
    held = tables.tile_levels
    finest = None
    if due.since is None:
        finest = sum_anew(conn, layer, table, due.rev) if due.touched else None
    elif layer.geometry == "Point":
        finest = conn.scalar(select(held.c.finest).where(held.c.layer == layer.id))
        if finest is not None:
            sum_touched(conn, layer, table, due.since, due.rev, finest)
    stated = upsert(held).values(
        layer=layer.id, rev=due.rev, rendering=rendering_hash(layer), demonstration=due.marks, finest=finest
    )
    names = ("rev", "rendering", "demonstration", "finest")
    conn.execute(
        stated.on_conflict_do_update(
            index_elements=[held.c.layer], set_={name: stated.excluded[name] for name in names}
        )
    )
