"""Rows whose key another source holds already get a uid of their own."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select, update

from gis import tables
from gis.revisions import alive
from layers.model import Layer

__all__ = ["APART", "keep_apart"]

# Between a row's key and the name of its source.
APART = "@"


def keep_apart(conn: Connection, layer: Layer, table: Table, staged: Table, source_id: int) -> int:
    """Rename the rows of ``staged`` whose uid another source holds; how many there were.

    So what one bureau states never overwrites what another stated: both rows live, linked by their key
    (`gis.linking`). Does nothing for a layer without [linking].
    """
    if layer.linking is None:
        return 0
    name = conn.scalar(select(tables.sources.c.name).where(tables.sources.c.source_id == source_id))
    held = (
        select(table.c.uid)
        .where(table.c.uid == staged.c.uid, alive(table, None), table.c.source_id != source_id)
        .exists()
    )
    renamed = update(staged).where(staged.c.source_id == source_id, held)
    return conn.execute(renamed.values(uid=staged.c.uid + APART + name)).rowcount
