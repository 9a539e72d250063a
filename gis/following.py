"""What follows from a revision for who may see what, in the transaction that writes it."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from gis import tables
from gis.areas import fill_areas, renew_areas
from gis.cells import note_cells, renew_cells
from gis.db import connect
from gis.revisions import Change, head, last_touch, new_revision, note_touch
from gis.settings import MapDefinition

__all__ = ["catch_up", "follow"]


def follow(conn: Connection, definition: MapDefinition, rev: int | None, *, unplaced: bool = False) -> None:
    """Renew the areas of rows and the cells of controlled layers after revision ``rev`` (None: none).

    With ``unplaced`` it may have left rows that do not know their areas, as a revert does.
    """
    if rev is None:
        return
    t = tables.revision_layers
    names = set(
        conn.scalars(select(t.c.layer).where(t.c.rev == rev, t.c.added + t.c.changed + t.c.closed > 0))
    )
    touched = [definition.layers[name] for name in sorted(names & definition.layers.keys())]
    for layer in touched:
        if layer.access.generalise_m is not None:
            renew_cells(conn, definition, layer, rev)
    if any(layer.access.areas for layer in touched):
        renew_areas(conn, definition, rev)
    elif unplaced:
        fill_areas(conn, definition)


def catch_up(engine: Engine, definition: MapDefinition) -> None:
    """Do the same for what an older store, or one of other definitions, left undone."""
    with connect(engine, write=True) as conn:
        for layer in definition.layers.values():
            if layer.access.generalise_m is not None:
                renew_cells(conn, definition, layer, last_touch(conn, [layer.id]))
                note_cells(conn, definition, layer)
        fill_areas(conn, definition)
        _note_access(conn, definition)


def _note_access(conn: Connection, definition: MapDefinition) -> None:
    """Touch layers whose ``[access]`` is another than at the last time, so that nobody keeps what was shown.

    What is made from other layers is seen by who sees those. A store that notes it for the first time has
    nothing to compare with, and an empty one nothing that could be kept.
    """
    s = tables.store
    stamps = {
        f"access:{name}": hashlib.sha256(layer.access.model_dump_json().encode()).hexdigest()
        for name, layer in definition.whole.layers.items()
    }
    held = dict(conn.execute(select(s.c.key, s.c.value).where(s.c.key.in_(stamps))).all())
    changed = {key.partition(":")[2] for key in held.keys() & stamps.keys() if held[key] != stamps[key]}
    news = [{"key": key, "value": stamp} for key, stamp in stamps.items() if held.get(key) != stamp]
    if news:
        write = insert(s)
        conn.execute(
            write.on_conflict_do_update(index_elements=[s.c.key], set_={"value": write.excluded.value}), news
        )
    if changed and head(conn):
        rev = new_revision(conn, who="onemap", kind="access", note=", ".join(sorted(changed)))
        derived = {layer.id for layer in definition.layers.values() if layer.role == "derived"}
        for name in sorted(changed | derived):
            note_touch(conn, rev, name, Change(rev, 0, 0, 0, 0), cells=True)
