"""A store of the small world, empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from sqlalchemy import create_engine

from gis.sync import sync
from tests.conftest import Databases
from tests.ledger.world import World, definition_of


@pytest.fixture
def new_world(databases: Databases) -> Iterator[Callable[[int], World]]:
    """Makes worlds by their seeds, filled but not judged."""
    worlds: list[tuple[World, str]] = []

    def build(url: str) -> None:
        engine = create_engine(url)
        sync(engine, definition_of())
        engine.dispose()

    def make(seed: int) -> World:
        name = databases.create(databases.template("ledger", build))
        world = World(create_engine(databases.url(name)), np.random.default_rng(seed))
        worlds.append((world, name))
        world.found()
        return world

    yield make
    for world, name in worlds:
        world.engine.dispose()
        databases.drop(name)
