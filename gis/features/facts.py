"""What a layer holds as a whole, and what names its content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    ScalarSelect,
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
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis import tables
from gis.crs import LONLAT, WEB_MERCATOR, transformation
from gis.errors import NotFound
from gis.features.reading import DECIMALS_DEG
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["LayerFacts", "content_stamp", "find_layer", "layer_facts", "sources_stamp"]


def _sources() -> ScalarSelect[str]:
    s = tables.sources
    told = (s.c.source_id, s.c.name, s.c.title_zh, s.c.title_en, s.c.bureau, s.c.is_demonstration)
    text = func.concat_ws("|", *(func.coalesce(cast(each, Text), "") for each in told))
    listed = func.string_agg(text, aggregate_order_by(literal(","), s.c.source_id))
    return select(func.md5(listed)).scalar_subquery()


SOURCES = _sources()
"""A digest of the words and marks of all sources."""


@dataclass(frozen=True)
class LayerFacts:
    """What a layer holds at a revision; ``extent`` is west, south, east, north in degrees."""

    count: int
    last_revision: int
    is_demonstration: bool
    is_indicative: bool
    extent: tuple[float, float, float, float] | None


def content_stamp(conn: Connection, layers: Iterable[str], rev: int | None = None) -> tuple[int, str]:
    """What names the content of ``layers`` at ``rev`` (None: now).

    The newest revision that touched them, and a digest of the sources, whose words and marks have none.
    """
    touched = tables.revision_layers
    last = select(func.coalesce(func.max(touched.c.rev), 0)).where(touched.c.layer.in_(list(layers)))
    if rev is not None:
        last = last.where(touched.c.rev <= rev)
    newest, digest = conn.execute(select(last.scalar_subquery(), SOURCES)).one()
    return newest, str(digest)


def sources_stamp(conn: Connection) -> str:
    """A digest of the words and marks of all sources."""
    return str(conn.scalar(select(SOURCES)))


def find_layer(definition: MapDefinition, layer_id: str) -> Layer:
    """The layer called ``layer_id``; NotFound when there is none."""
    layer = definition.layers.get(layer_id)
    if layer is None:
        raise NotFound(
            f"There is no layer {layer_id[:80]!r}.",
            f"没有图层“{layer_id[:80]}”。",
            remedy_en="The layers are listed at /collections.",
            remedy_zh="图层目录见 /collections。",
        )
    return layer


def layer_facts(
    conn: Connection, definition: MapDefinition, rev: int, layers: Iterable[Layer] | None = None
) -> dict[str, LayerFacts]:
    """Count, newest touching revision, marks and extent of ``layers`` (None: all) at ``rev``."""
    storage = definition.district.storage_crs
    chosen = definition.layers.values() if layers is None else layers
    parts = [_facts_of(layer, tables.table_for(layer, storage), rev) for layer in chosen]
    touched = tables.revision_layers
    last = (
        select(touched.c.layer, func.max(touched.c.rev)).where(touched.c.rev <= rev).group_by(touched.c.layer)
    )
    newest = {row[0]: row[1] for row in conn.execute(last)}
    return {
        row.layer: LayerFacts(
            row.total,
            newest.get(row.layer, 0),
            bool(row.demonstration),
            bool(row.indicative),
            _lonlat_extent(definition, (row.west, row.south, row.east, row.north)),
        )
        for row in conn.execute(union_all(*parts))
    }


def _facts_of(layer: Layer, table: Table, rev: int) -> Select[Any]:
    s = tables.sources
    extent: list[ColumnElement[Any]] = [cast(null(), Double)] * 4
    if layer.has_geometry:
        box = func.ST_Extent(table.c.geom_web)
        extent = [func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box)]
    return (
        select(
            literal(layer.id).label("layer"),
            func.count().label("total"),
            func.bool_or(s.c.is_demonstration).label("demonstration"),
            func.bool_or(table.c.is_indicative).label("indicative"),
            *(
                value.label(name)
                for value, name in zip(extent, ("west", "south", "east", "north"), strict=True)
            ),
        )
        .join_from(table, s, table.c.source_id == s.c.source_id)
        .where(alive(table, rev))
    )


def _lonlat_extent(
    definition: MapDefinition, web: tuple[float | None, ...]
) -> tuple[float, float, float, float] | None:
    """A box of EPSG:3857 in degrees; exact, since both have their axes alike."""
    if None in web:
        return None
    corners = np.array(web, dtype=float).reshape(2, 2)
    (west, south), (east, north) = transformation(WEB_MERCATOR, LONLAT, definition.district.extent).xy(
        corners
    )
    return (
        round(float(west), DECIMALS_DEG),
        round(float(south), DECIMALS_DEG),
        round(float(east), DECIMALS_DEG),
        round(float(north), DECIMALS_DEG),
    )
