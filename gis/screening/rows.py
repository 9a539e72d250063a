"""The rows of a layer as arrays for screening: attributes, and geometry in the measuring plane."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    any_,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from gis import tables
from gis.crs import transformation
from gis.db import scope_of
from gis.errors import GeometryError
from gis.revisions import alive, last_touch
from gis.screening.columns import read_columns, texts
from gis.screening.seeing import area_seen, scope_key
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["LayerRows", "read_coverage", "read_named", "read_rows", "read_some", "read_where"]

_ARRAYS = (
    "row_ids", "uids", "labels", "sources", "geoms", "accuracy_m", "is_indicative", "is_demonstration",
    "valid_from", "valid_to",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class LayerRows:
    """One layer at one revision.

    Attributes
    ----------
    layer : Layer
    revision : int
        The last revision, up to the one asked for, that touched the layer; 0 when it was never touched.
    row_ids : ndarray of int[n]
        What names each version of a row for ever.
    uids, labels, sources : ndarray of object[n]
    geoms : ndarray of geometry[n]
        In the measuring CRS, metres, x,y order.
    accuracy_m : ndarray of float[n]
        NaN is unknown. Includes the transformation from the storage CRS to the measuring CRS.
    is_indicative, is_demonstration : ndarray of bool[n]
    attributes : mapping of field name to ndarray of object[n]
        None where missing.
    valid_from, valid_to : ndarray of object[n]
        Dates or None (open).
    coverage : geometry or None
        Where the layer is complete, in the measuring CRS; None when no source ever said.
    """

    layer: Layer
    revision: int
    row_ids: NDArray[np.int64]
    uids: NDArray[np.object_]
    labels: NDArray[np.object_]
    sources: NDArray[np.object_]
    geoms: NDArray[np.object_]
    accuracy_m: NDArray[np.float64]
    is_indicative: NDArray[np.bool_]
    is_demonstration: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[np.object_]]
    valid_from: NDArray[np.object_]
    valid_to: NDArray[np.object_]
    coverage: shapely.Geometry | None

    @cached_property
    def source_names(self) -> tuple[str, ...]:
        """The sources of the rows, each once, in order of their names."""
        return tuple(sorted(set(map(str, self.sources))))

    @cached_property
    def any_demonstration(self) -> bool:
        """Whether any row is demonstration data."""
        return bool(self.is_demonstration.any())

    @cached_property
    def any_indicative(self) -> bool:
        """Whether any row is no official delimitation."""
        return bool(self.is_indicative.any())

    def in_force(self, law_date: date) -> NDArray[np.bool_]:
        """Which rows are in force on ``law_date`` (bounds included; an open bound never ends)."""
        began = np.array([v is None or v <= law_date for v in self.valid_from], dtype=bool)
        lasts = np.array([v is None or v >= law_date for v in self.valid_to], dtype=bool)
        inside: NDArray[np.bool_] = began & lasts
        return inside

    def take(self, index: NDArray[np.intp]) -> LayerRows:
        """The rows at ``index``, in that order; layer, revision and coverage stay."""
        arrays = {name: getattr(self, name)[index] for name in _ARRAYS}
        attributes = {name: column[index] for name, column in self.attributes.items()}
        return replace(self, attributes=attributes, **arrays)

    def and_also(self, *others: LayerRows) -> LayerRows:
        """These rows and then ``others``, of the same layer and attributes; revision and coverage stay."""
        if not others:
            return self
        every = [self, *others]
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(rows, name) for rows in every]) for name in _ARRAYS
        }
        attributes = {n: np.concatenate([rows.attributes[n] for rows in every]) for n in self.attributes}
        return replace(self, attributes=attributes, **arrays)

    def by_uid(self) -> LayerRows:
        """In order of uid, each uid once."""
        order = np.asarray(pc.sort_indices(pa.array(self.uids, pa.string())), dtype=np.int64)
        again = np.zeros(len(order), dtype=bool)
        again[1:] = self.uids[order[1:]] == self.uids[order[:-1]]
        return self.take(order[~again])


# Layers change rarely and are read for every screening; the key names content, so nothing here can go stale.
_CACHE: OrderedDict[tuple[object, ...], LayerRows] = OrderedDict()
_CACHE_LOCK = Lock()
_CACHE_SIZE = 64


def read_rows(
    conn: Connection, definition: MapDefinition, layer: Layer, rev: int, touched: int | None = None
) -> LayerRows:
    """The rows of ``layer`` alive at revision ``rev``, cached by the last revision that touched it.

    Who knows that revision already gives it as ``touched``.

    Raises
    ------
    CrsError
        When no trustworthy transformation leads from the storage CRS to the measuring CRS.
    GeometryError
        When a row cannot be brought into the measuring plane (it lies outside the CRS's domain).
    """
    touched = last_touch(conn, [layer.id], rev) if touched is None else touched
    district = definition.district
    fields = (layer.names.label, *(f.name for f in layer.fields))
    scope = scope_key(definition, scope_of(conn))
    key = (
        str(conn.engine.url),
        layer.id,
        fields,
        touched,
        district.storage_crs,
        district.measuring_crs,
        scope,
    )
    with _CACHE_LOCK:
        if key in _CACHE:
            _CACHE.move_to_end(key)
            return _CACHE[key]
    rows = _read(conn, definition, layer, rev, touched)
    with _CACHE_LOCK:
        _CACHE[key] = rows
        while len(_CACHE) > _CACHE_SIZE:
            _CACHE.popitem(last=False)
    return rows


def read_some(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    row_ids: NDArray[np.int64] | None,
    rev: int,
) -> LayerRows:
    """Some versions of rows by their ``row_ids`` (None: those alive at ``rev``), in order of uid.

    The coverage is that of revision ``rev``. Nothing is cached, and nothing else of the layer is read.
    Raises what `read_rows` raises.
    """
    if row_ids is None:
        return _read(conn, definition, layer, rev, rev)
    return _read(
        conn,
        definition,
        layer,
        rev,
        rev,
        lambda t: t.c.row_id == any_(literal(row_ids.tolist(), ARRAY(BigInteger))),
    )


def read_named(
    conn: Connection, definition: MapDefinition, layer: Layer, uids: NDArray[np.object_], rev: int,
    fields: Collection[str] | None = None,
) -> LayerRows:  # fmt: skip
    """The rows alive at revision ``rev`` that have these ``uids``, as `read_some` gives them.

    With ``fields`` only those attributes.
    """

    def wanted(t: Table) -> ColumnElement[bool]:
        return and_(alive(t, rev), t.c.uid == any_(texts(uids)))

    return _read(conn, definition, layer, rev, rev, wanted, fields)


def read_where(
    conn: Connection, definition: MapDefinition, layer: Layer, where: ColumnElement[bool],
    fields: Collection[str], rev: int,
) -> LayerRows:  # fmt: skip
    """The rows of the layer's table for which ``where`` holds, in any order, with no other ``fields``.

    Without a coverage. Raises what `read_rows` raises.
    """
    names = [field.name for field in layer.fields if field.name in fields]
    columns = read_columns(conn, _query(definition, layer, names).where(where))
    return _shaped(definition, layer, columns, names, rev, None)


def _read(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    rev: int,
    touched: int,
    wanted: Callable[[Table], ColumnElement[bool]] | None = None,
    fields: Collection[str] | None = None,
) -> LayerRows:
    t = tables.table_for(layer, definition.district.storage_crs)
    names = [field.name for field in layer.fields if fields is None or field.name in fields]
    query = _query(definition, layer, names).where(alive(t, rev) if wanted is None else wanted(t))
    columns = read_columns(conn, query.order_by(t.c.uid))
    coverage = _coverage_seen(conn, definition, layer, rev)
    return _shaped(definition, layer, columns, names, touched, coverage)


def _query(definition: MapDefinition, layer: Layer, names: Sequence[str]) -> Select[Any]:
    """All rows that have a place, with what `_shaped` asks of them."""
    t, s = tables.table_for(layer, definition.district.storage_crs), tables.sources
    asked = dict.fromkeys((*names, layer.names.label))
    return (
        select(
            t.c.row_id, t.c.uid, func.ST_AsBinary(type_coerce(t.c.geom, BYTEA)).label("wkb"), t.c.accuracy_m,
            t.c.is_indicative, t.c.valid_from, t.c.valid_to, s.c.name.label("source"), s.c.is_demonstration,
            *(t.c[n] for n in asked),
        )
        .join(s, s.c.source_id == t.c.source_id)
        .where(t.c.geom.is_not(None))
    )  # fmt: skip


def _shaped(
    definition: MapDefinition, layer: Layer, columns: Mapping[str, NDArray[np.object_]],
    names: Sequence[str], touched: int, coverage: shapely.Geometry | None,
) -> LayerRows:  # fmt: skip
    district = definition.district
    to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    geoms = to_plane.geometries(columns["wkb"])
    _refuse_unplaced(layer, columns["uid"], geoms)
    return LayerRows(
        layer=layer, revision=touched, row_ids=columns["row_id"].astype(np.int64), uids=columns["uid"],
        labels=columns[layer.names.label], sources=columns["source"], geoms=geoms,
        accuracy_m=columns["accuracy_m"].astype(float) + to_plane.accuracy_m,
        is_indicative=columns["is_indicative"].astype(bool),
        is_demonstration=columns["is_demonstration"].astype(bool),
        attributes={n: columns[n] for n in names},
        valid_from=columns["valid_from"], valid_to=columns["valid_to"], coverage=coverage,
    )  # fmt: skip


def _refuse_unplaced(layer: Layer, uids: NDArray[np.object_], geoms: NDArray[np.object_]) -> None:
    bounds = shapely.bounds(geoms) if len(geoms) else np.empty((0, 4))
    lost = ~np.isfinite(bounds).all(axis=1) & ~shapely.is_empty(geoms)
    if lost.any():
        uid = uids[int(np.argmax(lost))]
        raise GeometryError(
            f"{layer.id}/{uid} lies outside the domain of the measuring CRS.",
            f"{layer.id}/{uid} 超出量算坐标系的适用范围。",
            remedy_en="Check its coordinates and the district's measuring_crs.",
            remedy_zh="请检查其坐标以及区域的 measuring_crs。",
        )


def _coverage_seen(
    conn: Connection, definition: MapDefinition, layer: Layer, rev: int
) -> shapely.Geometry | None:
    """The coverage as far as the connection's scope reaches: beyond its areas it sees no rows."""
    coverage, area = read_coverage(conn, definition, layer, rev), area_seen(conn, definition)
    return coverage if coverage is None or area is None else shapely.intersection(coverage, area)


def read_coverage(
    conn: Connection, definition: MapDefinition, layer: Layer, rev: int
) -> shapely.Geometry | None:
    """The union of what the layer's sources cover, in the measuring CRS; None when none of them says."""
    c = tables.coverage
    at_rev = and_(c.c.rev_from <= rev, or_(c.c.rev_to.is_(None), c.c.rev_to > rev))
    wkb = conn.scalars(
        select(func.ST_AsBinary(type_coerce(c.c.geom, BYTEA))).where(c.c.layer == layer.id, at_rev)
    ).all()
    if not wkb:
        return None
    district = definition.district
    to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    return shapely.union_all(to_plane.geometries(np.asarray(shapely.from_wkb(wkb), dtype=object)))
