"""Vector tiles of a layer (MVT 2.1), made by PostGIS from rows and from prepared levels.

What stands at one place is one feature with its number ``n``, at every zoom; a tile with very many rows is
summed on a grid. So bytes stay small, and no row hides under another without the map saying so. Attributes:

    uid, label          of a single row; a summed feature has neither
    <style.by>          the class to draw; of several the first in the order of the legend, so that the
                        gravest shows where the legend lists it first
    n                   how many rows stand here
    is_indicative, is_demonstration     true when any of them is
    bbox                only where n > 1: "west,south,east,north" in degrees, as ``items?bbox=`` takes it

A tile that would be larger than `MAX_BYTES` is drawn again with more put together, until it fits.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis import tables
from gis.cql2 import Filter, computing, filter_condition
from gis.errors import NotFound
from gis.filters import property_condition
from gis.revisions import alive, shown
from gis.settings import MapDefinition
from gis.tiles.cells import MOST_TOUCHED, cell_numbers, cells_of, mended_cells, touched_cells
from gis.tiles.levels import Levels, held_levels, rendering_hash
from gis.tiles.matrix import EXTENT, Tile
from gis.tiles.rows import FEATURE, fenced, has_places, inside, tile_rows
from gis.tiles.sums import CELLS, SUM_FROM_ROWS, cells_on_the_spot, in_tile, places, small_shapes
from layers.model import Layer

__all__ = ["MAX_BYTES", "holds_rows", "map_tile", "vector_tile"]

MAX_BYTES = 500_000

_KEPT_STATEMENTS = 4096


@dataclass(frozen=True)
class _Rung:
    """How much is put together.

    Places on a grid of ``cells`` a side (None: only what stands at one place), shapes smaller than ``small``
    pixels; ``tolerance`` is what simplification may move, in pixels.
    """

    cells: int | None
    small: float
    tolerance: float


_RUNGS = (
    _Rung(None, 0.5, 0.5),
    _Rung(CELLS, 4.0, 0.5),
    _Rung(CELLS, 16.0, 2.0),
    _Rung(CELLS // 2, 64.0, 4.0),
    _Rung(CELLS // 2, float("inf"), 4.0),
    _Rung(CELLS // 8, float("inf"), 4.0),
)


def vector_tile(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    tile: Tile,
    rev: int | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
    filter: Filter | None = None,
    *,
    prepared: bool = True,
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """The tile's bytes at revision ``rev`` (None: now); empty when the layer shows nothing there.

    ``filters`` keeps rows whose property equals one of the values, ``filter`` those for which it is true, as
    for items. A tile is made from one level above the layer's first zoom on, for maps that draw tiles at
    twice their size. Which rows there are the connection's role decides; levels, which are made from all
    rows, are used only for who sees all of them, and only when ``prepared``.

    Features and attributes come in an order that depends on the content only.

    Raises
    ------
    NotFound
        When the layer is a register without geometry.
    QueryError
        For a filter on an unknown property, a value that cannot be read, or a calculation without result.
    """
    if not layer.has_geometry:
        raise NotFound(
            f"{layer.id} is a register without geometry; it has no tiles.",
            f"{layer.id} 是没有几何的名录，没有瓦片。",
        )
    if tile.z < layer.zoom.min - 1:
        return b""
    table: FromClause = tables.table_for(layer, definition.district.storage_crs)
    if filters or filter is not None:
        # What is drawn stands in the table; what is asked about may not.
        table = shown(layer, definition.district.storage_crs, rev)
    kept = [property_condition(layer, table, name, values) for name, values in (filters or {}).items()]
    if filter is not None:
        kept.append(filter_condition(filter, layer, table, definition.district))
    levels = held_levels(conn, layer, rev) if prepared and tile.is_web else Levels()
    shapes = levels.shapes and layer.geometry != "Point"
    drawing = _Drawing(conn, layer, table, tile, shapes, rev, and_(*kept) if kept else None, max_bytes)
    if not kept and levels.finest is not None and tile.z <= levels.finest:
        rows, body = drawing.from_cells(levels)
        if rows > SUM_FROM_ROWS and len(body) <= max_bytes:
            return body
    with computing():
        return drawing.from_rows()


def holds_rows(
    conn: Connection, definition: MapDefinition, layer: Layer, tile: Tile, rev: int | None = None
) -> bool:
    """Whether a row may lie in the tile, by its box; a row may be too thin to be drawn at the tile's zoom."""
    table = tables.table_for(layer, definition.district.storage_crs)
    return _Drawing(conn, layer, table, tile, False, rev, None, MAX_BYTES).count() > 0


def map_tile(
    conn: Connection,
    definition: MapDefinition,
    layers: Sequence[Layer],
    tile: Tile,
    rev: int | None = None,
) -> bytes:
    """The tiles of several layers as one; together no larger than a tile of one layer may be.

    Raises what `vector_tile` raises.
    """

    def drawn(layer: Layer, max_bytes: int) -> bytes:
        return vector_tile(conn, definition, layer, tile, rev, max_bytes=max_bytes)

    bodies = [drawn(layer, MAX_BYTES) for layer in layers]
    if sum(map(len, bodies)) > MAX_BYTES:
        share = MAX_BYTES // len(layers)
        bodies = [
            body if len(body) <= share else drawn(layer, share)
            for layer, body in zip(layers, bodies, strict=True)
        ]
    # A vector tile is a list of layers, and one list behind the other is a list.
    return b"".join(bodies)


@dataclass(frozen=True)
class _Drawing:
    conn: Connection
    layer: Layer
    table: FromClause
    tile: Tile
    shapes: bool
    rev: int | None
    kept: ColumnElement[bool] | None
    max_bytes: int

    def from_cells(self, levels: Levels) -> tuple[int, bytes]:
        """How many rows the sums of the tile hold, and the tile drawn from them; 0 where they are of no use.

        Sums of another revision than is wanted hold too, but for the cells that were touched in between.
        """
        numbers: dict[str, Any] = self.tile.numbers | cell_numbers(self.tile)
        what, make = "cells", self._cells
        if levels.upto != levels.wanted:
            numbers["since"], numbers["until"] = sorted((levels.upto, levels.wanted))
            spots = _STATEMENTS.run(self.conn, self._key("touched"), self._touched, numbers).all()
            if len(spots) > MOST_TOUCHED:
                return 0, b""
            if spots:
                what, make = "mended", self._mended
                numbers["touched_x"], numbers["touched_y"] = [x for x, _ in spots], [y for _, y in spots]
        if self.rev is not None:
            numbers["rev"] = self.rev
        row = _STATEMENTS.run(self.conn, self._key(what), make, numbers).one()
        return int(row[0] or 0), bytes(row[1] or b"")

    def from_rows(self) -> bytes:
        """The tile by the first rung that fits into the bytes."""
        body = b""
        for rung in _RUNGS[1:] if self.count() > SUM_FROM_ROWS else _RUNGS:
            body = bytes(self._scalar(rung, lambda rung=rung: self._rung(rung)) or b"")
            if len(body) <= self.max_bytes:
                break
        return body

    def count(self) -> int:
        """How many rows meet the tile and its buffer; counted no further than is asked for."""
        return int(self._scalar("many", self._many) or 0)

    def _scalar(self, what: object, make: Any) -> Any:
        numbers: dict[str, Any] = {**self.tile.numbers, "enough": SUM_FROM_ROWS + 1}
        if self.rev is not None:
            numbers["rev"] = self.rev
        if self.kept is not None:
            return self.conn.scalar(make(), numbers)
        return _STATEMENTS.run(self.conn, self._key(what), make, numbers).scalar()

    def _key(self, what: object) -> tuple[object, ...]:
        # All that a statement depends on besides the numbers it is given.
        place = self.tile.matrix.id, self.tile.z
        return (what, rendering_hash(self.layer), *place, self.shapes, self.rev is None)

    def _condition(self) -> ColumnElement[bool]:
        rev: Any = None if self.rev is None else bindparam("rev", type_=BigInteger)
        lives = alive(self.table, rev)
        return lives if self.kept is None else and_(lives, self.kept)

    def _many(self) -> Select[Any]:
        some = (
            select(literal(1))
            .select_from(self.table)
            .where(self._condition(), inside(self.layer, self.table))
        )
        return select(func.count()).select_from(some.limit(bindparam("enough", type_=Integer)).subquery())

    def _touched(self) -> Select[Any]:
        return touched_cells(self.table, self.tile.z)

    def _cells(self) -> Select[Any]:
        return self._counted(cells_of(self.layer, self.tile))

    def _mended(self) -> Select[Any]:
        parts = mended_cells(self.layer, self.table, self.tile, self._condition())
        return self._counted(select(union_all(*parts).subquery()))

    def _counted(self, features: Select[Any]) -> Select[Any]:
        """The number of rows and the tile, of sums."""
        found = features.cte("found")
        counted = select(func.sum(found.c.n)).scalar_subquery()
        return select(counted, _encoded(self.layer, found).scalar_subquery())

    def _rung(self, rung: _Rung) -> Select[Any]:
        if self.layer.geometry == "Point" and rung.cells is not None:
            condition = and_(self._condition(), inside(self.layer, self.table))
            found = cells_on_the_spot(self.layer, self.table, self.tile, condition, rung.cells)
            return _encoded(self.layer, fenced(found, "found"))
        rows = tile_rows(
            self.layer, self.table, self.tile, self._condition(),
            shapes=self.shapes, small=rung.small, tolerance=rung.tolerance,
        )  # fmt: skip
        parts = []
        if self.layer.geometry != "Point":
            parts.append(_alone(rows, self.tile))
        if has_places(self.layer):
            parts.append(places(rows, self.layer, self.tile, rung.cells))
        else:
            parts.append(small_shapes(rows, self.layer, self.tile, rung.cells or CELLS))
        return _encoded(self.layer, fenced(select(union_all(*parts).subquery()), "found"))


def _alone(rows: FromClause, tile: Tile) -> Select[Any]:
    """Lines and areas one by one."""
    return select(
        rows.c.uid,
        rows.c.label,
        rows.c["class"],
        literal(1).label("n"),
        rows.c.is_indicative,
        rows.c.is_demonstration,
        cast(null(), Text).label("bbox"),
        in_tile(rows.c.shape, tile).label("geom"),
    ).where(rows.c.shape.is_not(None))


def _encoded(layer: Layer, found: FromClause) -> Select[Any]:
    by = layer.style.by if layer.style and layer.style.by else "class"
    columns = [found.c["class"].label(by) if name == "class" else found.c[name] for name in FEATURE]
    features = select(*columns).where(found.c.geom.is_not(None)).subquery("features")
    order: Any = aggregate_order_by(literal_column("'geom'"), features.c.uid.nulls_last(), features.c.bbox)
    mvt = func.ST_AsMVT(literal_column("features"), literal(layer.id), EXTENT, order)
    return select(mvt).select_from(features)


class _Statements:
    """Statements as text, each built once: building one takes longer than running it."""

    def __init__(self) -> None:
        self._texts: dict[tuple[object, ...], tuple[str, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def run(self, conn: Connection, key: tuple[object, ...], make: Any, numbers: Mapping[str, Any]) -> Any:
        """The result of the statement that ``make`` builds, its open parameters being ``numbers``."""
        held = self._texts.get(key)
        if held is None:
            built = make().compile(dialect=conn.dialect)
            held = str(built), {name: value for name, value in built.params.items() if value is not None}
            with self._lock:
                if len(self._texts) >= _KEPT_STATEMENTS:
                    self._texts.clear()
                self._texts[key] = held
        text, constants = held
        return conn.exec_driver_sql(text, {**constants, **numbers})


_STATEMENTS = _Statements()
