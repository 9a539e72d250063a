"""Rows found by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from gis import tables
from gis.crs import LONLAT
from gis.errors import QueryError
from gis.features.digits import rounded
from gis.features.reading import row_geometries
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Hit", "search"]


@dataclass(frozen=True)
class Hit:
    """A row whose label or uid holds the searched words; ``point`` is lon, lat."""

    layer: str
    uid: str
    label: str
    point: tuple[float, float] | None


def search(conn: Connection, definition: MapDefinition, words: str, *, limit: int = 20) -> list[Hit]:
    """Current rows whose label holds ``words``, or whose uid begins with them; the closest match first.

    Derived layers are left out: their labels repeat those of what they are about.

    Raises
    ------
    QueryError
        When ``words`` is blank or longer than 100 characters.
    """
    words = words.strip()
    if not words or len(words) > 100 or "\0" in words:
        raise QueryError("q holds between 1 and 100 characters.", "q 的长度应为 1 到 100 个字符。")
    storage = definition.district.storage_crs
    parts = [
        _hits_in(layer, tables.table_for(layer, storage), words, limit)
        for layer in definition.layers.values()
        if layer.role != "derived" and not layer.is_generalised
    ]
    found = union_all(*parts).subquery()
    rows = conn.execute(
        select(found)
        .order_by(found.c.rank, func.length(found.c.label), found.c.label, found.c.layer, found.c.uid)
        .limit(limit)
    ).all()
    return [
        Hit(row.layer, row.uid, row.label, point)
        for row, point in zip(rows, _points(definition, rows), strict=True)
    ]


def _hits_in(layer: Layer, table: Table, words: str, limit: int) -> Select[Any]:
    label = func.coalesce(cast(table.c[layer.names.label], Text), table.c.uid)
    place = func.strpos(func.lower(label), words.lower())
    by_uid = table.c.uid.startswith(words, autoescape=True)
    point = (
        func.ST_AsBinary(func.ST_PointOnSurface(table.c.geom), type_=LargeBinary)
        if layer.has_geometry
        else cast(null(), LargeBinary)
    )
    hits = (
        select(
            literal(layer.id).label("layer"),
            table.c.uid,
            label.label("label"),
            func.coalesce(func.nullif(place, 0), 0).label("rank"),
            point.label("geom"),
        )
        .where(alive(table, None), (place > 0) | by_uid)
        .order_by(func.length(label), label, table.c.uid)
        .limit(limit)
        .subquery()
    )
    return select(hits)


def _points(definition: MapDefinition, rows: Sequence[Row[Any]]) -> list[tuple[float, float] | None]:
    if not rows:
        return []
    points = rounded(row_geometries(definition, rows, LONLAT), LONLAT)
    return [None if p is None or p.is_empty else (p.x, p.y) for p in points]
