"""The register of sources as an import keeps it: made or brought up to date by name."""

from __future__ import annotations

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gis import tables
from gis.importing.options import SourceInfo
from gis.sources import hand_over

__all__ = ["find_or_make_source", "register_source", "update_source"]


def register_source(
    conn: Connection, info: SourceInfo, *, crs: str | None = None, operation: str | None = None
) -> int:
    """The id of the source called ``info.name``, made or brought up to date with what ``info`` states."""
    source_id = find_or_make_source(conn, info)
    update_source(conn, source_id, info, crs=crs, operation=operation)
    return source_id


def find_or_make_source(conn: Connection, info: SourceInfo) -> int:
    """The id of the source; an existing one is neither changed nor locked."""
    s = tables.sources
    known = conn.scalar(select(s.c.source_id).where(s.c.name == info.name))
    if known is not None:
        return int(known)
    values = {
        "name": info.name,
        "title_zh": info.title_zh or info.name,
        "title_en": info.title_en or info.name,
        "is_demonstration": info.is_demonstration,
    }
    made = upsert(s).values(values).on_conflict_do_update(index_elements=[s.c.name], set_={"name": info.name})
    return int(conn.execute(made.returning(s.c.source_id)).scalar_one())


def update_source(
    conn: Connection,
    source_id: int,
    info: SourceInfo,
    *,
    crs: str | None = None,
    operation: str | None = None,
    rev: int | None = None,
) -> None:
    """Write what ``info`` states; what it leaves out stays as it is. No write when nothing differs.

    ``rev`` is the revision that this transaction has taken already.
    """
    s = tables.sources
    values = {
        "title_zh": info.title_zh, "title_en": info.title_en, "bureau": info.bureau, "licence": info.licence,
        "attribution": info.attribution, "url": info.url, "accuracy_m": info.accuracy_m, "crs": crs,
        "transformation": operation, "is_demonstration": info.is_demonstration,
    }  # fmt: skip
    stated = {k: v for k, v in values.items() if v not in (None, "")}
    held = conn.execute(select(s).where(s.c.source_id == source_id)).one()._mapping
    if stated.get("bureau", held["bureau"]) != held["bureau"]:
        hand_over(conn, source_id, info.name, rev)
    if any(held[name] != value for name, value in stated.items()):
        conn.execute(update(s).where(s.c.source_id == source_id).values(stated))
