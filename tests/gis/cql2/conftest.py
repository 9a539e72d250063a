"""The rows of this folder in a store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.gis.cql2.world import ROWS
from tests.gis.kit import kit, kit_map, put

__all__ = ["kit", "kit_map"]


@pytest.fixture(scope="module")
def rows(kit: Engine) -> Iterator[Engine]:
    """A store whose layer ``shapes`` holds `ROWS`."""
    put(kit, "shapes", ROWS)
    yield kit
