"""The same on a database whose user is no superuser: policies then bind the owner of the tables too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from gis.access import Role
from gis.backup import backup, restore
from gis.db import connect
from gis.instep import bring_in_step
from gis.leaks import compare
from gis.rights import DATABASE_ROLES, make_roles
from gis.screening.conflicts import refresh
from tests.access.conftest import FARMS, PARISHES, WATERED, WATERWORKS, WEST, ZONES, World, scope_of
from tests.conftest import Databases


@pytest.fixture
def plain(databases: Databases, world: World, tmp_path: Path) -> Iterator[World]:
    """A world whose connections belong to a user that may make roles and nothing else beyond its database."""
    name = databases.create()
    server = create_engine(databases.url(name), poolclass=NullPool)
    user = f"plain_{name}"
    make_roles(server)
    with connect(server, write=True) as conn:
        conn.execute(text(f"CREATE ROLE {user} NOLOGIN CREATEROLE"))
        conn.execute(text(f'GRANT ALL ON DATABASE "{name}" TO {user}; GRANT ALL ON SCHEMA public TO {user}'))
        # They are there already, and no others than their maker may pass them on (from PostgreSQL 16).
        conn.execute(text(f"GRANT {', '.join(DATABASE_ROLES)} TO {user}"))
    engine = create_engine(databases.url(name))

    @event.listens_for(engine, "connect")
    def _become(connection: Any, _record: object) -> None:
        connection.execute(f"SET SESSION AUTHORIZATION {user}")
        connection.commit()

    yield replace(world, engine=engine, folder=tmp_path)
    engine.dispose()
    with connect(server, write=True) as conn:
        conn.execute(text(f'DROP OWNED BY {user} CASCADE; REVOKE ALL ON DATABASE "{name}" FROM {user}'))
        conn.execute(text(f"DROP ROLE {user}"))
    server.dispose()
    databases.drop(name)


def _clean(engine: Engine, world: World) -> None:
    found = list(compare(engine, world.definition, scope_of(Role.VIEWER, WEST)))
    assert [each for each in found if each.leaks or each.lacking] == []


def test_a_store_without_a_superuser_is_written_and_read_alike(plain: World) -> None:
    bring_in_step(plain.engine, plain.definition)
    for layer, content in (("parishes", PARISHES), ("farms", FARMS), ("springs", ZONES)):
        plain.load(layer, content)
    plain.load("farms", WATERED, source=WATERWORKS)
    refresh(plain.engine, plain.definition)
    with connect(plain.engine) as conn:
        assert conn.scalar(text("SELECT count(*) FROM layer.farms")) == 4
        assert conn.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")) is False
    _clean(plain.engine, plain)


def test_a_restored_store_shows_each_role_the_same(
    databases: Databases, world: World, tmp_path: Path
) -> None:
    name = databases.create()
    try:
        backup(world.engine.url.render_as_string(hide_password=False), tmp_path / "store.dump")
        restore(databases.url(name), tmp_path / "store.dump")
        engine = create_engine(databases.url(name))
        bring_in_step(engine, world.definition)
        _clean(engine, world)
        engine.dispose()
    finally:
        databases.drop(name)
