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
from gis.features.digits import decimals_of
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["LayerFacts", "content_stamp", "district_box", "find_layer", "layer_facts", "sources_stamp"]

Box = tuple[float, float, float, float]
_SIDES = ("west", "south", "east", "north", "left", "bottom", "right", "top")
_SIDE = 21  # places along each side of the district, for its box in another CRS


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
    """What a layer holds at a revision.

    ``extent`` is west, south, east, north in degrees, ``stored_extent`` the same in the storage CRS, x,y;
    both hold all places as items are written, and are None where there are none.
    """

    count: int
    last_revision: int
    is_demonstration: bool
    is_indicative: bool
    extent: Box | None
    stored_extent: Box | None


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
            _around((row.left, row.bottom, row.right, row.top), storage),
        )
        for row in conn.execute(union_all(*parts))
    }


def district_box(definition: MapDefinition) -> Box:
    """The extent of the district in the storage CRS, x,y: where an empty layer will have its rows."""
    west, south, east, north = definition.district.extent
    along, up = np.linspace(west, east, _SIDE), np.linspace(south, north, _SIDE)
    rim = np.concatenate(
        [np.column_stack([along, np.full(_SIDE, y)]) for y in (south, north)]
        + [np.column_stack([np.full(_SIDE, x), up]) for x in (west, east)]
    )
    storage = definition.district.storage_crs
    there = transformation(LONLAT, storage, definition.district.extent).xy(rim)
    found = _around((*there.min(axis=0), *there.max(axis=0)), storage)
    assert found is not None
    return found


def _facts_of(layer: Layer, table: Table, rev: int) -> Select[Any]:
    s = tables.sources
    extents: list[ColumnElement[Any]] = [cast(null(), Double)] * len(_SIDES)
    if layer.has_geometry:
        sides = (func.ST_XMin, func.ST_YMin, func.ST_XMax, func.ST_YMax)
        boxes = func.ST_Extent(table.c.geom_web), func.ST_Extent(table.c.geom)
        extents = [side(box) for box in boxes for side in sides]
    return (
        select(
            literal(layer.id).label("layer"),
            func.count().label("total"),
            func.bool_or(s.c.is_demonstration).label("demonstration"),
            func.bool_or(table.c.is_indicative).label("indicative"),
            *(value.label(name) for value, name in zip(extents, _SIDES, strict=True)),
        )
        .join_from(table, s, table.c.source_id == s.c.source_id)
        .where(alive(table, rev))
    )


def _lonlat_extent(definition: MapDefinition, web: tuple[float | None, ...]) -> Box | None:
    """A box of EPSG:3857 in degrees; exact, since both have their axes alike."""
    if None in web:
        return None
    corners = np.array(web, dtype=float).reshape(2, 2)
    (west, south), (east, north) = transformation(WEB_MERCATOR, LONLAT, definition.district.extent).xy(
        corners
    )
    return _around((west, south, east, north), LONLAT)


def _around(box: tuple[float | None, ...], crs: int) -> Box | None:
    """``box`` with as many decimals as items have in ``crs``, and nothing cut off by that.

    What is less than a thousandth of the last decimal is noise of the way through EPSG:3857.
    """
    if None in box:
        return None
    exact = np.array(box, dtype=float)
    decimals = decimals_of(crs)
    near, outward = np.round(exact, decimals), np.array([-1, -1, 1, 1])
    short = (exact - near) * outward > 10.0 ** -(decimals + 3)
    west, south, east, north = np.round(near + short * outward * 10.0**-decimals, decimals).tolist()
    return west, south, east, north
