"""Points of the current revision summed into cells: all of them, or those that revisions have touched."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    case,
    collate,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
)

from gis import tables
from gis.crs import WEB_MERCATOR
from gis.revisions import alive
from gis.tiles.cells import cell_of, cell_size
from gis.tiles.sums import SUM_FROM_ROWS, bbox_of, points_summed
from layers.model import Layer

__all__ = ["SUMMED_FROM_ROWS", "sum_anew", "sum_touched"]

SUMMED_FROM_ROWS = 20_000
"""Layers with fewer rows are summed as a tile is asked for."""

_FINEST = 14
_WORTH = 3
_COLUMNS = (
    "layer", "z", "gx", "gy", "n", "uid", "label", "rank", "is_indicative", "is_demonstration",
    "bbox", "west", "south", "east", "north",
)  # fmt: skip

Expression = ColumnElement[Any]


def sum_anew(conn: Connection, layer: Layer, table: FromClause, rev: int) -> int | None:
    """Sum all rows of ``layer`` at ``rev``; the finest zoom where a tile may need it, None when none does."""
    c = tables.tile_cells
    conn.execute(delete(c).where(c.c.layer == layer.id))
    finest = _finest(conn, table, rev)
    first = max(layer.zoom.min - 1, 0)
    if finest is None or finest < first:
        return None
    conn.execute(insert(c).from_select(_COLUMNS, _rows_summed(layer, table, finest, alive(table, rev))))
    for z in range(finest - 1, first - 1, -1):
        finer = select(c).where(c.c.layer == layer.id, c.c.z == z + 1).subquery()
        conn.execute(insert(c).from_select(_COLUMNS, _cells_summed(layer, finer, z)))
    conn.execute(text("ANALYZE core.tile_cells"))
    return finest


def _finest(conn: Connection, table: FromClause, rev: int) -> int | None:
    """The finest zoom with a tile of so many rows that it is summed (its buffer not counted).

    Where a cell holds fewer than `_WORTH` rows on average, reading the rows themselves costs no more.
    """
    size = cell_size(_FINEST)
    gx, gy = cell_of(func.ST_X(table.c.geom_web), size), cell_of(func.ST_Y(table.c.geom_web), size)
    counted = select(gx, gy, func.count()).where(alive(table, rev), table.c.geom_web.is_not(None))
    counts = _made(conn, "tile_counts", ("gx", "gy", "n"))
    conn.execute(insert(counts).from_select(["gx", "gy", "n"], counted.group_by(gx, gy)))
    rows = conn.scalar(select(func.sum(counts.c.n))) or 0
    for z in range(_FINEST, -1, -1):
        up = _FINEST - z
        cells = select(counts.c.gx.op(">>")(up), counts.c.gy.op(">>")(up)).distinct().subquery()
        if (conn.scalar(select(func.count()).select_from(cells)) or 0) * _WORTH > rows:
            continue
        # 64 cells to a side.
        tiles = select(func.sum(counts.c.n).label("n")).group_by(
            counts.c.gx.op(">>")(up + 6), counts.c.gy.op(">>")(up + 6)
        )
        if (conn.scalar(select(func.max(tiles.subquery().c.n))) or 0) > SUM_FROM_ROWS:
            return z
    return None


def _made(conn: Connection, name: str, columns: tuple[str, ...]) -> Table:
    """A temporary table of integers, gone at the commit."""
    listed = ", ".join(f"{each} integer" for each in columns)
    conn.execute(text(f"DROP TABLE IF EXISTS pg_temp.{name}"))
    conn.execute(text(f"CREATE TEMPORARY TABLE {name} ({listed}) ON COMMIT DROP"))
    return Table(name, MetaData(), *(Column(each, Integer) for each in columns))


def sum_touched(conn: Connection, layer: Layer, table: FromClause, since: int, rev: int, finest: int) -> None:
    """Sum anew the cells of every zoom in which rows came or went after ``since`` up to ``rev``."""
    c, web, size = tables.tile_cells, table.c.geom_web, cell_size(finest)
    changed = or_(
        and_(table.c.rev_from > since, table.c.rev_from <= rev),
        and_(table.c.rev_to > since, table.c.rev_to <= rev),
    )
    gx, gy = cell_of(func.ST_X(web), size), cell_of(func.ST_Y(web), size)
    touched = _made(conn, "tile_touched", ("gx", "gy"))
    conn.execute(insert(touched).from_select(["gx", "gy"], select(gx, gy).where(changed).distinct()))
    conn.execute(text("ANALYZE tile_touched"))
    first = max(layer.zoom.min - 1, 0)
    for z in range(finest, first - 1, -1):
        if z < finest:
            _coarser(conn)
        conn.execute(
            delete(c).where(c.c.layer == layer.id, c.c.z == z, c.c.gx == touched.c.gx, c.c.gy == touched.c.gy)
        )
        if z == finest:
            square = func.ST_MakeEnvelope(
                touched.c.gx * size, touched.c.gy * size, (touched.c.gx + 1) * size,
                (touched.c.gy + 1) * size, WEB_MERCATOR,
            )  # fmt: skip
            inside = and_(web.op("&&")(square), gx == touched.c.gx, gy == touched.c.gy)
            summed = _rows_summed(layer, table, z, and_(alive(table, rev), inside))
        else:
            children = [
                select(c).where(
                    c.c.layer == layer.id, c.c.z == z + 1,
                    c.c.gx == 2 * touched.c.gx + i, c.c.gy == 2 * touched.c.gy + j,
                )
                for i in (0, 1) for j in (0, 1)
            ]  # fmt: skip
            summed = _cells_summed(layer, children[0].union_all(*children[1:]).subquery(), z)
        conn.execute(insert(c).from_select(_COLUMNS, summed))


def _coarser(conn: Connection) -> None:
    conn.execute(text("CREATE TEMPORARY TABLE tile_next ON COMMIT DROP AS "
                      "SELECT DISTINCT gx >> 1 AS gx, gy >> 1 AS gy FROM tile_touched"))  # fmt: skip
    conn.execute(text("TRUNCATE tile_touched"))
    conn.execute(text("INSERT INTO tile_touched SELECT gx, gy FROM tile_next"))
    conn.execute(text("DROP TABLE tile_next"))


def _half(value: Expression) -> Expression:
    return value.op(">>")(1)


def _rows_summed(layer: Layer, table: FromClause, z: int, condition: ColumnElement[bool]) -> Select[Any]:
    web, size = table.c.geom_web, cell_size(z)
    found = points_summed(
        layer, table, cell_of(func.ST_X(web), size), cell_of(func.ST_Y(web), size), condition
    )
    return _as_cells(layer, z, found)


def _cells_summed(layer: Layer, finer: FromClause, z: int) -> Select[Any]:
    f, n = finer.c, func.sum(finer.c.n)
    gx, gy = _half(f.gx), _half(f.gy)
    summed = select(
        gx.label("gx"), gy.label("gy"), n.label("n"),
        case((n == 1, func.min(collate(f.uid, "C")))).label("uid"),
        case((n == 1, func.min(collate(f.label, "C")))).label("label"),
        func.min(f.rank).label("rank"),
        func.bool_or(f.is_indicative).label("is_indicative"),
        func.bool_or(f.is_demonstration).label("is_demonstration"),
        func.min(f.west).label("west"), func.min(f.south).label("south"),
        func.max(f.east).label("east"), func.max(f.north).label("north"),
    ).group_by(gx, gy)  # fmt: skip
    return _as_cells(layer, z, summed)


def _as_cells(layer: Layer, z: int, summed: Select[Any]) -> Select[Any]:
    found = summed.subquery("summed").c
    made: dict[str, Expression] = {"layer": literal(layer.id), "z": literal(z), "bbox": bbox_of(found)}
    return select(*(made[name] if name in made else found[name] for name in _COLUMNS))
