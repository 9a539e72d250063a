"""The mapping of a source's files to a layer, kept from one import to the next."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from gis import tables

__all__ = ["load_saved", "save"]


def load_saved(conn: Connection, source: str | int, layer: str) -> dict[str, str]:
    """Field -> column, as saved for the source (its name or number) and layer; empty when nothing is."""
    maps, sources = tables.field_maps, tables.sources
    statement = select(maps.c.mapping).where(maps.c.layer == layer)
    if isinstance(source, int):
        statement = statement.where(maps.c.source_id == source)
    else:
        statement = statement.join(sources, sources.c.source_id == maps.c.source_id).where(
            sources.c.name == source
        )
    held = conn.scalar(statement)
    return {str(name): str(column) for name, column in held.items()} if held else {}


def save(conn: Connection, source_id: int, layer: str, mapping: Mapping[str, str], who: str = "") -> None:
    """Keep ``mapping`` (field -> column) for the next file of the source; it replaces the one before.

    Within the caller's transaction: an import that fails leaves the mapping as it was.
    """
    maps = tables.field_maps
    values = {"mapping": dict(mapping), "who": who, "at": func.clock_timestamp()}
    conn.execute(
        insert(maps)
        .values(source_id=source_id, layer=layer, **values)
        .on_conflict_do_update(index_elements=[maps.c.source_id, maps.c.layer], set_=values)
    )
