"""Changes of one item, each a revision by whoever asked for it.

What is sent is read, placed and checked first. Only then the lock is taken under which revisions are
numbered, and it is seen whether the row and the areas are still those that were looked at. If not, all is
done again on what there is now; with ``versions`` that ends as StaleItem. So nothing is lost between writers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import orjson
import pyarrow as pa
import shapely
from sqlalchemy import Connection, Engine, select

from gis import tables
from gis.applying import apply_staged
from gis.areas import Areas, area_layers, read_areas
from gis.axes import CRS84, NamedCrs
from gis.crs import WEB_MERCATOR, transformation
from gis.db import connect, scope_of, scoped
from gis.editing.documents import Document, as_document, merged, read_document
from gis.editing.errors import ItemExists, RowRefused
from gis.editing.findings import Finding, finding
from gis.editing.held import Held, Versions, hold, may_edit, require_areas, version_of
from gis.editing.places import written
from gis.editing.rows import Row, as_row
from gis.errors import DatabaseBusy, OneMapError
from gis.features import property_fields
from gis.following import follow
from gis.importing.issues import Issue
from gis.importing.options import SourceInfo
from gis.importing.register import find_or_make_source
from gis.importing.stage import Stage
from gis.importing.uids import uid_array
from gis.intake import carry_on
from gis.revisions import Change, alive, last_touch, lock_numbers
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["EDITS", "Edited", "create", "delete", "replace", "update"]

EDITS = SourceInfo("edits", title_zh="在线录入", title_en="Entered over the API")
"""The source of items that were created so; an item that is changed keeps its own."""
_TRIES = 5
log = logging.getLogger("onemap")
_ONE = np.zeros(1, dtype=np.int64)


@dataclass(frozen=True)
class Edited:
    """What came of a change; ``rev`` is None when the store held exactly this; ``version``: `version_of`."""

    uid: str
    version: str | None
    rev: int | None
    change: Literal["created", "changed", "unchanged", "deleted"]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Author:
    """Whoever asks, by the scope of ``engine``, and the layer as they see it."""

    engine: Engine
    definition: MapDefinition
    layer: Layer
    who: str
    most_vertices: int

    @property
    def whole(self) -> Layer:
        return self.definition.whole.layers[self.layer.id]


def create(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    document: Document,
    *,
    who: str,
    most_vertices: int,
) -> Edited:
    """A new item of ``layer``, named by its key, or without a key by a name of its own.

    Raises
    ------
    RowRefused
        When the layer does not take it; with all that was found.
    ItemExists
        When there is an item of its key.
    AccessError, ReadOnly
        When it would lie beyond the areas of the scope of ``engine``, or the scope may not change the layer.
    """
    author = _author(engine, definition, layer, who, most_vertices)
    for _ in range(_TRIES):
        row = as_row(engine, definition, layer, document, None, most_vertices=most_vertices)
        uid = _new_uid(author.whole, row)
        done = _commit(author, uid, None, row)
        if done is not None:
            return done
    raise _busy()


def replace(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    uid: str,
    document: Document,
    *,
    versions: Versions | None,
    who: str,
    most_vertices: int,
) -> Edited:
    """Make the item ``uid`` what ``document`` says; what it does not say is not known any more.

    Raises as `create`; NotFound, StaleItem and AccessError as `gis.editing.held.hold`.
    """
    author = _author(engine, definition, layer, who, most_vertices)
    return _change(author, uid, versions, lambda _held: document)


def update(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    uid: str,
    patch: Any,
    crs: NamedCrs | None,
    *,
    versions: Versions | None,
    who: str,
    most_vertices: int,
) -> Edited:
    """Change the item ``uid`` by a JSON merge patch (RFC 7396); a geometry in it is in ``crs``, else CRS84.

    A new place without an ``accuracy_m`` has not the bound of the old one. Raises as `replace`, and
    QueryError for a patch that is none.
    """
    author = _author(engine, definition, layer, who, most_vertices)
    return _change(author, uid, versions, lambda held: _patched(author, held, patch, crs))


def delete(
    engine: Engine, definition: MapDefinition, layer: Layer, uid: str, *, versions: Versions | None, who: str
) -> Edited:
    """End the item ``uid``; as of earlier revisions it is still there. Raises as `gis.editing.held.hold`."""
    author = _author(engine, definition, layer, who, 0)
    for _ in range(_TRIES):
        held = hold(engine, definition, layer, uid, versions)
        done = _commit(author, uid, held, None)
        if done is not None:
            return done
    raise _busy()


def _author(engine: Engine, definition: MapDefinition, layer: Layer, who: str, most_vertices: int) -> _Author:
    refused = may_edit(definition, scope_of(engine), layer)
    if refused is not None:
        raise refused
    return _Author(engine, definition, layer, who, most_vertices)


def _change(
    author: _Author, uid: str, versions: Versions | None, wanted: Callable[[Held], Document]
) -> Edited:
    for _ in range(_TRIES):
        held = hold(author.engine, author.definition, author.layer, uid, versions)
        row = as_row(
            author.engine, author.definition, author.layer, wanted(held), held,
            most_vertices=author.most_vertices,
        )  # fmt: skip
        done = _commit(author, uid, held, row)
        if done is not None:
            return done
    raise _busy()


def _busy() -> DatabaseBusy:
    return DatabaseBusy(
        "Others change the same item all the time.", "其他人正在不断修改同一要素。",
        remedy_en="Try again.", remedy_zh="请重试。",
    )  # fmt: skip


def _new_uid(layer: Layer, row: Row) -> str:
    if not layer.key:
        return f"{EDITS.name}:{uuid4().hex}"
    return str(uid_array(layer, row.values, row.geometry, EDITS.name, None)[0].as_py())


def _patched(author: _Author, held: Held, patch: Any, crs: NamedCrs | None) -> Document:
    """The item as it would be after ``patch``."""
    definition, layer = author.definition, author.layer
    shown = {name: held.values[name] for name in property_fields(layer) if name in held.values}
    shape = written(definition, held.geometry, crs or CRS84)
    shape = None if shape is None else orjson.Fragment(shapely.to_geojson(shape))
    base = orjson.loads(orjson.dumps(as_document(shown, shape)))
    _refuse_renaming(layer, held, patch)
    wanted = merged(base, patch)
    if isinstance(wanted, dict):
        wanted["type"] = "Feature"
        if _moves(base, wanted) and "accuracy_m" not in _properties(patch):
            _properties(wanted).pop("accuracy_m", None)
    return read_document(wanted, crs, definition.district)


def _properties(document: Any) -> Any:
    found = document.get("properties") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _moves(base: Any, wanted: Any) -> bool:
    return wanted.get("geometry") != base["geometry"] or wanted.get("place") is not None


def _refuse_renaming(layer: Layer, held: Held, patch: Any) -> None:
    """A patch does not give the item another identifier (20-002r1, update-json-merge-patch B)."""
    given = _properties(patch)
    if "uid" in given and given["uid"] != held.uid:
        changed = Issue(0, "uid", str(given["uid"])[:200], "key_changed")
        raise RowRefused([finding(changed, layer, held.uid)])


def _commit(author: _Author, uid: str, held: Held | None, row: Row | None) -> Edited | None:
    """Write ``row`` (None: nothing) in place of ``held``; None when something else was written first."""
    engine, definition, layer = author.engine, author.definition.whole, author.whole
    store = scoped(engine, None)
    with connect(store) as conn:
        seen = _areas_stamp(conn, definition)
        areas = read_areas(conn, definition)
    if row is not None:
        bureau = None if held is None else held.bureau
        require_areas(scope_of(engine), _areas_of(areas, layer, row), bureau, layer.id)
    with connect(store, write=True) as conn:
        lock_numbers(conn)
        table = tables.table_for(layer, definition.district.storage_crs)
        now = conn.scalar(select(table.c.row_id).where(alive(table, None), table.c.uid == uid))
        if held is None and now is not None:
            raise ItemExists(layer.id, uid)
        if (held is not None and now != held.row_id) or seen != _areas_stamp(conn, definition):
            return None
        change = _write(conn, author, areas, uid, held, row)
        follow(conn, definition, change.rev)
        row_id = conn.scalar(select(table.c.row_id).where(alive(table, None), table.c.uid == uid))
    if change.rev is not None:
        try:
            carry_on(store, definition, layer.id, who=author.who)
        except OneMapError as error:  # the change itself is made; the next one brings up what follows
            log.error("what follows from revision %s was not done: %s", change.rev, error)
    return _told(layer, uid, held, row, change, row_id)


def _areas_stamp(conn: Connection, definition: MapDefinition) -> int:
    return last_touch(conn, [layer.id for layer in area_layers(definition)])


def _areas_of(areas: Areas, layer: Layer, row: Row) -> tuple[str, ...] | None:
    """In which areas the row lies or touches; None: not known."""
    names = layer.names
    township, county = (row.values[n].to_pylist() if n else None for n in (names.township, names.county))
    (at,), kinds = areas.of(row.geometry, township, county, rows=1)
    return None if at < 0 else kinds[at]


def _write(
    conn: Connection, author: _Author, areas: Areas, uid: str, held: Held | None, row: Row | None
) -> Change:
    definition, layer = author.definition.whole, author.whole
    district = definition.district
    table = tables.table_for(layer, district.storage_crs)
    source_id = find_or_make_source(conn, EDITS) if held is None else held.source_id
    to_web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
    stage = Stage(conn, layer, table, to_web, areas)
    if row is not None:
        stage.add(stage.columns(_ONE, row.values, row.geometry, pa.array([uid], pa.string()), source_id))
    mine = select(table.c.uid, table.c.row_id).where(alive(table, None), table.c.uid == uid)
    return apply_staged(
        conn, table, stage.table, mode="upsert" if row is not None else "replace", who=author.who,
        kind="edit", note=uid, source_id=source_id, within=mine,
    )  # fmt: skip


def _told(
    layer: Layer, uid: str, held: Held | None, row: Row | None, change: Change, row_id: int | None
) -> Edited:
    findings = () if row is None else row.findings
    if row is None:
        return Edited(uid, None, change.rev, "deleted")
    assert row_id is not None
    version = version_of(layer.id, row_id)
    if change.is_empty:
        return Edited(uid, version, None, "unchanged", findings)
    return Edited(uid, version, change.rev, "created" if held is None else "changed", findings)
