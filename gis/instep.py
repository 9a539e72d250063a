"""Is the database in step with the definitions? Asking takes a moment, `gis.sync.sync` takes seconds."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Engine, inspect, select
from sqlalchemy.dialects.postgresql import insert

from gis import tables
from gis.db import connect
from gis.following import catch_up
from gis.jobs.schema import progress_table
from gis.settings import MapDefinition
from layers import access

__all__ = ["bring_in_step"]

_KEY = "in-step"
_HERE = Path(__file__).parent


def bring_in_step(engine: Engine, definition: MapDefinition) -> None:
    """Run `gis.sync.sync` unless it has run before for exactly these definitions and this code.

    Raises what sync raises. Changes made to the tables behind our back are not seen; ``onemap db sync`` looks
    at everything each time.
    """
    digest = _digest(definition)
    if _held(engine) == digest:
        return
    from gis.sync import sync  # brings Alembic along, which is often not needed

    sync(engine, definition)
    catch_up(engine, definition)
    remember = insert(tables.store).values(key=_KEY, value=digest)
    with connect(engine, write=True) as conn:
        conn.execute(
            remember.on_conflict_do_update(
                index_elements=[tables.store.c.key], set_={"value": remember.excluded.value}
            )
        )


def _held(engine: Engine) -> str | None:
    with connect(engine) as conn:
        inspector = inspect(conn)
        if not inspector.has_table(tables.store.name, schema=tables.store.schema):
            return None
        if not inspector.has_table(progress_table.name, schema=progress_table.schema):
            return None  # restored from a backup, which leaves the queue out
        return conn.scalar(select(tables.store.c.value).where(tables.store.c.key == _KEY))


def _digest(definition: MapDefinition) -> str:
    digest = hashlib.sha256(str(definition.district.storage_crs).encode())
    digest.update(Path(access.__file__).read_bytes())
    for layer in definition.layers.values():
        digest.update(layer.model_dump_json().encode())
    for file in (
        *sorted((_HERE / "tables").glob("*.py")),
        _HERE / "sync.py",
        _HERE / "rights.py",
        _HERE / "jobs" / "schema.py",
        *sorted((_HERE / "migrations" / "versions").glob("*.py")),
    ):
        digest.update(file.read_bytes())
    digest.update(version("procrastinate").encode())  # its tables are the queue's
    return digest.hexdigest()
