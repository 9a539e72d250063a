"""The demonstration, once for both sides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine

from gis.settings import MapDefinition, Settings
from tests.conftest import Databases
from tests.web.conftest import build_demonstration


@pytest.fixture(scope="session")
def definition() -> MapDefinition:
    """The shipped definitions."""
    return Settings().load_map()


@pytest.fixture(scope="session")
def demonstration_url(databases: Databases) -> str:
    """A database with the demonstration, judged."""
    return databases.url(databases.create(databases.template("demonstration", build_demonstration)))


@pytest.fixture
def demonstration(demonstration_url: str) -> Iterator[Connection]:
    """A transaction on it that is undone."""
    engine = create_engine(demonstration_url)
    with engine.connect() as conn:
        yield conn
    engine.dispose()
