"""A platform to harvest from, and a store that harvests it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from gis.db import connect
from gis.harvest import HarvestResult, NetLimits, Wishes, add_harvest, run_harvest
from gis.health import HealthCard, cards
from gis.settings import MapDefinition
from tests.gis.conftest import load, small_map, store
from tests.gis.harvest.platform import Platform, serving

__all__ = ["load", "small_map", "store"]

WHERE = {
    "oapif": "/ogc/collections/wells",
    "arcgis": "/arcgis/rest/services/wells/FeatureServer/0",
    "wfs": "/wfs",
    "http": "/files/wells.csv",
}


@pytest.fixture
def platform() -> Iterator[Platform]:
    """Seven wells, three a page."""
    held = Platform()
    for number in range(7):
        held.put(f"W{number}", f"井{number}", "dug", 120.0 + number / 100, 28.9, updated=100 + number)
    with serving(held):
        yield held


class Harvester:
    """Sets up and runs one harvest of the wells, and looks at what came of it."""

    def __init__(self, engine: Engine, definition: MapDefinition, platform: Platform) -> None:
        self.engine, self.definition, self.platform = engine, definition, platform

    def add(self, kind: str, url: str | None = None, **wishes: Any) -> None:
        given = {"crs": "EPSG:4490"} if kind == "http" else {}
        if kind == "wfs":
            given["name"] = "p:wells"
        with connect(self.engine, write=True) as conn:
            add_harvest(
                conn, self.definition, "platform", layer="wells", kind=kind, every="PT1H",
                url=url or self.platform.url + WHERE[kind], wishes=Wishes(**{**given, **wishes}),
            )  # fmt: skip

    def run(self, **options: Any) -> HarvestResult:
        # Impatient only with a platform that is slow on purpose: a busy machine is slow too.
        idle_s = 0.5 if "slow" in self.platform.faults else 15
        options.setdefault("limits", NetLimits(idle_s=idle_s, total_s=20, total_mb=20))
        return run_harvest(self.engine, self.definition, "platform", **options)

    def held(self) -> dict[str, tuple[str, str, float, float]]:
        """The wells as they stand: code -> name, kind, lon, lat (7 decimals)."""
        with connect(self.engine) as conn:
            rows = conn.execute(text("SELECT code, name, kind, ST_X(geom), ST_Y(geom) FROM now.wells"))
            return {row[0]: (row[1], row[2], round(row[3], 7), round(row[4], 7)) for row in rows}

    def expected(self) -> dict[str, tuple[str, str, float, float]]:
        return {w.code: (w.name, w.kind, round(w.lon, 7), round(w.lat, 7)) for w in self.platform.rows()}

    def card(self) -> HealthCard:
        with connect(self.engine) as conn:
            return cards(conn, self.definition, only="wells")[0]

    def scalar(self, statement: str) -> Any:
        with connect(self.engine) as conn:
            return conn.scalar(text(statement))


@pytest.fixture
def harvester(store: Engine, small_map: MapDefinition, platform: Platform) -> Harvester:
    """A store that harvests the platform."""
    return Harvester(store, small_map, platform)


Wait = Callable[[Path], None]
