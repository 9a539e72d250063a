"""What follows from a revision for who may see what, in the transaction that writes it."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select

from gis import tables
from gis.areas import fill_areas, renew_areas
from gis.cells import renew_cells
from gis.db import connect
from gis.revisions import last_touch
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
        fill_areas(conn, definition)
