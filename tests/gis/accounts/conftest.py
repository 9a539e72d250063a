"""A store for accounts and their log.

costs    argon2 at next to no cost
ground   an engine on a store, the same for a module
log      the same, its audit log empty
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from gis.accounts.passwords import Passwords
from gis.db import connect
from gis.settings import MapDefinition
from tests.conftest import Databases
from tests.gis.conftest import build_small


@pytest.fixture(scope="session")
def costs() -> Passwords:
    """Cheap ones: what argon2 costs is no matter of these tests."""
    return Passwords(1, 8, 1)


@pytest.fixture(scope="module")
def ground(databases: Databases, small_map: MapDefinition) -> Iterator[Engine]:
    """An engine on a store without rows."""
    name = databases.create(databases.template("small", lambda url: build_small(url, small_map)))
    engine = create_engine(databases.url(name))
    yield engine
    engine.dispose()
    databases.drop(name)


@pytest.fixture
def log(ground: Engine) -> Engine:
    """The store of a module, its log emptied by force."""
    emptied(ground)
    return ground


def forced(engine: Engine, *statements: str) -> None:
    """Change the log as somebody would who owns the database."""
    with connect(engine, write=True) as conn:
        conn.execute(text("ALTER TABLE core.audit DISABLE TRIGGER ALL"))
        for statement in statements:
            conn.execute(text(statement))
        conn.execute(text("ALTER TABLE core.audit ENABLE TRIGGER ALL"))


def emptied(engine: Engine) -> None:
    """Take everything out of the log."""
    forced(engine, "DELETE FROM core.audit")
