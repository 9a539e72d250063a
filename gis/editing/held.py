"""The row that a request is about, as the store holds it, and whether who asks may change it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from sqlalchemy import Connection, Engine, LargeBinary, func, null, select

from gis import tables
from gis.access import Role, Scope
from gis.db import connect, scope_of, scoped
from gis.editing.errors import ReadOnly, StaleItem
from gis.errors import AccessError, NotFound
from gis.importing.checks import ROW_VALUES
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["ANY", "Held", "Versions", "hold", "may_edit", "require_areas", "stored_version", "version_of"]

Versions = frozenset[str]
"""The versions that a request was made for; with `ANY` among them whichever there is."""
ANY = "*"


@dataclass(frozen=True)
class Held:
    """A current row. ``values`` are its fields and `ROW_VALUES`; ``geometry`` is in the storage CRS, x,y."""

    row_id: int
    uid: str
    source_id: int
    values: Mapping[str, Any]
    geometry: shapely.Geometry | None
    areas: tuple[str, ...] | None
    bureau: str | None
    stated_m: float | None


def version_of(layer: str, row_id: int) -> str:
    """What names one version of one item, the same for everybody and in every form."""
    return hashlib.sha256(f"{layer}\0{row_id}".encode()).hexdigest()[:20]


def stored_version(
    conn: Connection, definition: MapDefinition, layer: Layer, uid: str, rev: int | None
) -> str:
    """The version of ``uid`` at revision ``rev`` (None: now); NotFound where the connection sees none."""
    return version_of(layer.id, _row_id(conn, definition, layer, uid, rev))


def _row_id(conn: Connection, definition: MapDefinition, layer: Layer, uid: str, rev: int | None) -> int:
    table = tables.table_for(layer, definition.district.storage_crs)
    row_id: int | None = None
    if "\0" not in uid:
        row_id = conn.scalar(select(table.c.row_id).where(alive(table, rev), table.c.uid == uid))
    if row_id is None:
        raise NotFound(
            f"{layer.id} has no item {uid[:120]!r}" + ("." if rev is None else f" at revision {rev}."),
            f"图层 {layer.id} " + (f"在修订 {rev} 时" if rev is not None else "") + f"没有“{uid[:120]}”。",
        )
    return row_id


def may_edit(definition: MapDefinition, scope: Scope | None, layer: Layer) -> AccessError | ReadOnly | None:
    """Why nobody, or not this scope (None: the store's own), changes items of ``layer``; None: it may."""
    if layer.role == "derived":
        return ReadOnly(layer.id, en="onemap makes them from other layers", zh="其内容由系统根据其他图层生成")
    whole = definition.whole.layers[layer.id]
    if scope is None:
        return None
    # Whoever did not say who they are has passed the route: there are no accounts. They see no more for that.
    unknown = scope.role is Role.PUBLIC and whole.access.reads(scope.role)
    if not unknown and not whole.access.edits(scope.role):
        return AccessError(
            f"The role {scope.role} may not change layer {layer.id!r}.",
            f"角色 {scope.role} 不能修改图层“{layer.id}”。",
            remedy_en="Roles that may are in [access] of the layer, or in the district's file.",
            remedy_zh="可修改的角色见图层定义的 [access] 或区域设置文件。",
        )
    if scope.areas is not None and whole.access.areas:
        return AccessError(
            f"Layer {layer.id!r} draws the areas that access is limited to.",
            f"图层“{layer.id}”决定区域权限的范围。",
            remedy_en="Let somebody change it whose access is not limited.",
            remedy_zh="请由权限不受区域限制的人员修改。",
        )
    return None


def hold(
    engine: Engine, definition: MapDefinition, layer: Layer, uid: str, versions: Versions | None
) -> Held:
    """The current row ``uid`` of ``layer`` (as whoever asks sees it), read by the scope of ``engine``.

    Raises
    ------
    NotFound
        When the scope sees no such row.
    StaleItem
        When it is none of the ``versions`` (None: any will do).
    AccessError
        When it lies in areas beyond the scope's, or comes from a source that is taken by the clock.
    """
    with connect(engine) as conn:
        row_id = _row_id(conn, definition, layer, uid, None)
    if versions is not None and not versions & {ANY, version_of(layer.id, row_id)}:
        raise StaleItem(layer.id, uid)
    whole = definition.whole.layers[layer.id]
    with connect(scoped(engine, None)) as conn:
        held = _read(conn, definition, whole, row_id)
        harvest = _harvest(conn, layer.id, held.source_id)
    require_areas(scope_of(engine), held.areas, held.bureau, layer.id)
    if harvest is not None:
        raise AccessError(
            f"{layer.id} {uid[:120]!r} is taken from its source by the clock ({harvest}): "
            "a change here would be undone.",
            f"图层 {layer.id} 的“{uid[:120]}”由定时任务（{harvest}）从来源获取，在此处的修改会被覆盖。",
            remedy_en="Change it at its source, or pause the harvest.",
            remedy_zh="请在来源处修改，或先停用该定时任务。",
        )
    return held


def _read(conn: Connection, definition: MapDefinition, layer: Layer, row_id: int) -> Held:
    t, s = tables.table_for(layer, definition.district.storage_crs), tables.sources
    names = [*(field.name for field in layer.stored_fields), *ROW_VALUES]
    shape = func.ST_AsBinary(t.c.geom, type_=LargeBinary) if layer.has_geometry else null()
    query = select(
        t.c.row_id, t.c.uid, t.c.source_id, t.c.areas, s.c.bureau, s.c.accuracy_m.label("stated_m"),
        shape.label("shape"), *(t.c[name].label(f"v_{name}") for name in names),
    ).join_from(t, s, t.c.source_id == s.c.source_id)  # fmt: skip
    row = conn.execute(query.where(t.c.row_id == row_id)).mappings().one()
    return Held(
        row["row_id"], row["uid"], row["source_id"], {name: row[f"v_{name}"] for name in names},
        None if row["shape"] is None else shapely.from_wkb(bytes(row["shape"])),
        None if row["areas"] is None else tuple(row["areas"]), row["bureau"], row["stated_m"],
    )  # fmt: skip


def _harvest(conn: Connection, layer: str, source_id: int) -> str | None:
    """The name of what takes the source into the layer by the clock."""
    h = tables.harvests
    named = select(h.c.name).where(h.c.layer == layer, h.c.source_id == source_id, h.c.enabled)
    found: str | None = conn.scalar(named.limit(1))
    return found


def require_areas(scope: Scope | None, areas: tuple[str, ...] | None, bureau: str | None, layer: str) -> None:
    """Refuse a row that reaches into areas which are not the scope's, or whose areas are not known.

    A row of a bureau that the scope holds for may lie anywhere.
    """
    if scope is None or scope.areas is None or bureau in scope.departments:
        return
    if areas and set(areas) <= set(scope.areas):
        return
    beyond = ", ".join(sorted(set(areas or ()) - set(scope.areas)))
    raise AccessError(
        f"The item of {layer} lies, or would lie, beyond your areas" + (f" ({beyond})." if beyond else "."),
        f"该要素（图层 {layer}）位于或将位于您的区域权限之外" + (f"（{beyond}）。" if beyond else "。"),
        remedy_en="Only who holds all areas of an item, before and after, may change it.",
        remedy_zh="只有修改前后所涉区域均在权限内，才能修改。",
    )
