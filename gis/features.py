"""Rows of a layer as GeoJSON features: pages, single ones, and what a layer holds as a whole.

Coordinates leave the store through the explicitly chosen transformation, all geometries of a page at once;
the database is never asked to transform. Within one revision the set of rows and their order are fixed for
ever, so a page is named by the revision and the last row of the page before: paging neither skips nor repeats
a row while others write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    and_,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis import tables
from gis.axes import CRS84, NamedCrs
from gis.crs import LONLAT, WEB_MERCATOR, parse_crs, transformation
from gis.errors import NotFound, QueryError
from gis.filters import (
    BBox,
    Interval,
    bbox_condition,
    interval_condition,
    property_condition,
)
from gis.revisions import alive, head, last_touch
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = [
    "Feature",
    "Hit",
    "ItemQuery",
    "LayerFacts",
    "Page",
    "content_stamp",
    "features_of",
    "find_layer",
    "item",
    "items",
    "layer_facts",
    "property_fields",
    "read_rows",
    "rounded",
    "search",
    "select_items",
]

Feature = dict[str, Any]

# Of a degree, about 1 cm; of a metre, 1 mm.
_DECIMALS_DEG, _DECIMALS_M = 7, 3


@dataclass(frozen=True)
class ItemQuery:
    """Which rows of a layer, and in which CRS their geometry is wanted.

    ``after`` is the last row of the page before this one, ``before`` the first row of the page behind it;
    ``rev`` None is the newest revision.
    """

    limit: int
    rev: int | None = None
    before: int | None = None
    bbox: BBox | None = None
    interval: Interval | None = None
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    after: int = 0
    offset: int = 0
    crs: NamedCrs = CRS84


@dataclass(frozen=True)
class Page:
    """``features`` of revision ``rev``, and what opens the pages around it (None: there is none)."""

    rev: int
    features: list[Feature]
    matched: int
    next_after: int | None
    previous_before: int | None


@dataclass(frozen=True)
class LayerFacts:
    """What a layer holds at a revision; ``extent`` is west, south, east, north in degrees."""

    count: int
    last_revision: int
    is_demonstration: bool
    is_indicative: bool
    extent: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Hit:
    """A row whose label or uid holds the searched words; ``point`` is lon, lat."""

    layer: str
    uid: str
    label: str
    point: tuple[float, float] | None


def content_stamp(conn: Connection, layers: Iterable[str], rev: int | None = None) -> tuple[int, str]:
    """What names the content of ``layers`` at ``rev`` (None: now).

    The newest revision that touched them, and a digest of the sources, whose words and marks have none.
    """
    s = tables.sources
    text = func.concat_ws("|", s.c.source_id, s.c.name, s.c.title_zh, s.c.title_en, s.c.is_demonstration)
    digest = conn.scalar(
        select(func.md5(func.string_agg(text, aggregate_order_by(literal(","), s.c.source_id))))
    )
    return last_touch(conn, layers, rev), str(digest)


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


def items(conn: Connection, definition: MapDefinition, layer: Layer, query: ItemQuery) -> Page:
    """One page of ``layer`` in the order of its rows, with the exact number that match.

    Raises
    ------
    QueryError
        For a property the layer does not have, or a value that its type cannot read.
    CrsError
        When no trustworthy transformation leads from the bbox's CRS or to the answer's.
    """
    table = tables.table_for(layer, definition.district.storage_crs)
    rev = head(conn) if query.rev is None else query.rev
    condition = _condition(definition, layer, table, query, rev)
    joined = table.join(tables.sources, table.c.source_id == tables.sources.c.source_id)
    matched = conn.scalar(select(func.count()).select_from(joined).where(condition)) or 0
    rows, more_before, more_after = _window(conn, _select_rows(layer, table).where(condition), table, query)
    return Page(
        rev,
        _features(definition, layer, rows, query.crs),
        matched,
        rows[-1].row_id if more_after else None,
        rows[0].row_id if more_before else None,
    )


def _window(
    conn: Connection, statement: Select[Any], table: Table, query: ItemQuery
) -> tuple[Sequence[Row[Any]], bool, bool]:
    """The rows of one page in order, and whether rows stand before and behind them."""
    key = table.c.row_id
    if query.before is not None:
        back = statement.where(key < query.before).order_by(key.desc()).limit(query.limit + 1)
        rows = conn.execute(back).all()
        return rows[: query.limit][::-1], len(rows) > query.limit, bool(rows)
    onward = statement.where(key > query.after).order_by(key).limit(query.limit + 1)
    rows = conn.execute(onward.offset(query.offset) if query.offset else onward).all()
    return rows[: query.limit], bool(rows and (query.after or query.offset)), len(rows) > query.limit


def item(
    conn: Connection, definition: MapDefinition, layer: Layer, uid: str, *, rev: int, crs: NamedCrs = CRS84
) -> Feature:
    """The feature ``uid`` as it was at revision ``rev``; NotFound when it did not live then."""
    table = tables.table_for(layer, definition.district.storage_crs)
    rows: Sequence[Row[Any]] = []
    if "\0" not in uid:
        rows = conn.execute(_select_rows(layer, table).where(alive(table, rev), table.c.uid == uid)).all()
    if not rows:
        raise NotFound(
            f"{layer.id} has no item {uid[:120]!r} at revision {rev}.",
            f"图层 {layer.id} 在修订 {rev} 时没有“{uid[:120]}”。",
        )
    return _features(definition, layer, rows, crs)[0]


def read_rows(
    conn: Connection, definition: MapDefinition, layer: Layer, rev: int, crs: int
) -> tuple[list[Row[Any]], NDArray[np.object_] | None]:
    """All rows of ``layer`` at ``rev`` in order, and their geometries in EPSG:``crs`` (None: a register)."""
    table = tables.table_for(layer, definition.district.storage_crs)
    statement = _select_rows(layer, table).where(alive(table, rev)).order_by(table.c.row_id)
    rows = list(conn.execute(statement).all())
    return rows, _geometries(definition, rows, crs) if layer.has_geometry else None


def select_items(definition: MapDefinition, layer: Layer, query: ItemQuery) -> Select[Any]:
    """The statement for all rows that ``query`` chooses, in order: row_id, the properties, geom as WKB.

    Page and limit of the query are left aside, and so is its CRS: geometry is in the storage CRS.

    Raises
    ------
    QueryError
        For a property the layer does not have, or a value that its type cannot read.
    """
    table = tables.table_for(layer, definition.district.storage_crs)
    return (
        _select_rows(layer, table)
        .where(_condition(definition, layer, table, query, query.rev))
        .order_by(table.c.row_id)
    )


def _condition(
    definition: MapDefinition, layer: Layer, table: Table, query: ItemQuery, rev: int | None
) -> ColumnElement[bool]:
    conditions = [alive(table, rev)]
    if query.bbox is not None:
        conditions.append(bbox_condition(table, query.bbox, definition.district))
    if query.interval is not None:
        conditions.append(interval_condition(table, query.interval))
    conditions += [property_condition(layer, table, name, values) for name, values in query.filters.items()]
    return and_(*conditions)


def property_fields(layer: Layer) -> dict[str, str]:
    """The properties of a feature in their order, each with its type."""
    of_row = {
        "accuracy_m": "number",
        "is_indicative": "boolean",
        "is_demonstration": "boolean",
        "source": "text",
        "valid_from": "date",
        "valid_to": "date",
        "rev_from": "integer",
    }
    return {"uid": "text", **{field.name: field.type for field in layer.fields}, **of_row}


def _select_rows(layer: Layer, table: Table) -> Select[Any]:
    s = tables.sources
    geometry = func.ST_AsBinary(table.c.geom, type_=LargeBinary) if layer.has_geometry else null()
    of_source: dict[str, ColumnElement[Any]] = {
        "is_demonstration": s.c.is_demonstration,
        "source": s.c.name.label("source"),
    }
    columns = [of_source[name] if name in of_source else table.c[name] for name in property_fields(layer)]
    return select(table.c.row_id, *columns, geometry.label("geom")).join_from(
        table, s, table.c.source_id == s.c.source_id
    )


def _features(
    definition: MapDefinition, layer: Layer, rows: Sequence[Row[Any]], crs: NamedCrs
) -> list[Feature]:
    geometry = _geometries(definition, rows, crs.epsg) if layer.has_geometry and rows else None
    return features_of(layer, rows, geometry, crs)


def features_of(
    layer: Layer, rows: Sequence[Row[Any]], geometry: NDArray[np.object_] | None, crs: NamedCrs = CRS84
) -> list[Feature]:
    """GeoJSON features of rows as `read_rows` gives them; geometry in ``crs``, x,y; None for a register.

    A geometry is a ready piece of JSON text; `orjson.dumps` puts it in.
    """
    texts: NDArray[np.object_] = np.full(len(rows), None, dtype=object)
    if geometry is not None:
        written = rounded(geometry, crs.epsg)
        if crs.swapped:
            written = np.asarray(shapely.transform(written, lambda xy: xy[:, ::-1]))
        texts = np.asarray(shapely.to_geojson(written), dtype=object)
    names = property_fields(layer)
    found = []
    for row, text in zip(rows, texts, strict=True):
        values: dict[str, Any] = dict(zip(names, row[1:-1], strict=True))
        shape = None if text is None else orjson.Fragment(text)
        found.append({"type": "Feature", "id": row.uid, "geometry": shape, "properties": values})
    return found


def _geometries(definition: MapDefinition, rows: Sequence[Row[Any]], crs: int) -> NDArray[np.object_]:
    """The rows' geometries in EPSG:``crs``, x,y order."""
    district = definition.district
    stored = shapely.from_wkb(np.array([row.geom for row in rows], dtype=object))
    return transformation(district.storage_crs, crs, district.extent).geometries(stored)


def rounded(geometries: NDArray[np.object_], crs: int) -> NDArray[np.object_]:
    """Coordinates with 7 decimals of a degree or 3 of a metre, as ``crs`` has them."""
    decimals = _DECIMALS_DEG if parse_crs(crs).is_geographic else _DECIMALS_M
    return np.asarray(shapely.transform(geometries, lambda xy: np.round(xy, decimals)))


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
        round(float(west), _DECIMALS_DEG),
        round(float(south), _DECIMALS_DEG),
        round(float(east), _DECIMALS_DEG),
        round(float(north), _DECIMALS_DEG),
    )


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
    points = rounded(_geometries(definition, rows, LONLAT), LONLAT)
    return [None if p is None or p.is_empty else (p.x, p.y) for p in points]
