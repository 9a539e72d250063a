"""Two parishes and what lies in them: a hidden field, a controlled layer shown generalised, one not shown.

world          the map with a store in step with it, the same for all tests here: they only read
open_world     makes another one for a test that writes
someone        a client of the service whose requests come from a scope that may be changed

West and East are rectangles side by side. What is called W lies in West, E in East, B on the border of both,
O outside; farmland and springs lie around W and E, the red line around E alone. Every farm and every zone
with a farm in it makes a conflict. The farms E and O come from the waterworks bureau, all else from a survey.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine

from api.app import create_app
from gis.access import Role, Scope
from gis.accounts import register
from gis.accounts.keys import add_key
from gis.accounts.passwords import Passwords
from gis.db import connect
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.instep import bring_in_step
from gis.screening.conflicts import refresh
from gis.settings import MapDefinition, Settings
from tests.api.conftest import close_log
from tests.conftest import Databases

WORLD = Path(__file__).parent / "world"
BASE = "http://127.0.0.1"
WEST, EAST, WATER = "330700001", "330700002", "department:水利局"
LAYERS = ("parishes", "farms", "farmland", "redlines", "springs", "keepers", "conflicts")


def box(west: float, south: float, east: float, north: float) -> str:
    return f'"POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))"'


PARISHES = (
    f"code,name,wkt\n{WEST},西乡,{box(120.00, 28.90, 120.05, 28.95)}\n"
    f"{EAST},东乡,{box(120.05, 28.90, 120.10, 28.95)}\n"
)
FARMS = "code,name,parish,phone,lon,lat\nW,西农场,,0579-111,120.02,28.92\nB,界农场,,0579-333,120.05,28.94\n"
WATERED = "code,name,parish,phone,lon,lat\nE,东农场,,0579-222,120.08,28.92\nO,外农场,,0579-444,120.20,28.92\n"
AROUND_W, AROUND_E = box(120.015, 28.915, 120.025, 28.925), box(120.075, 28.915, 120.085, 28.925)
ZONES = f"code,wkt\nW,{AROUND_W}\nE,{AROUND_E}\n"
REDLINES = f"code,wkt\nE,{AROUND_E}\n"
KEEPERS = "code,name,parish\nW,张三,西乡\nE,李四,东乡\nO,王五,\n"
WATERWORKS = SourceInfo("waterworks", bureau="水利局", accuracy_m=1.0)
COVERAGE = f"wkt\n{box(119.5, 28.5, 120.5, 29.3)}\n"


@dataclass(frozen=True)
class World:
    """A store of the two parishes."""

    settings: Settings
    definition: MapDefinition
    engine: Engine
    folder: Path

    def load(self, layer: str, content: str, **options: Any) -> ImportResult:
        """Import CSV text in EPSG:4490 with an accuracy of 1 m."""
        path = self.folder / f"{layer}.csv"
        path.write_text(content, encoding="utf-8")
        source = options.pop("source", SourceInfo("survey", accuracy_m=1.0))
        given = {"crs": "auto" if layer == "keepers" else "EPSG:4490", **options}
        return import_file(self.engine, self.definition, layer, path, ImportOptions(source, **given))

    def fill(self) -> None:
        """All rows, and the conflicts between them."""
        coverage = self.folder / "coverage.csv"
        coverage.write_text(COVERAGE, encoding="utf-8")
        self.load("parishes", PARISHES)
        self.load("farmland", ZONES, coverage=coverage)
        self.load("springs", ZONES, coverage=coverage)
        self.load("redlines", REDLINES, coverage=coverage)
        self.load("farms", FARMS)
        self.load("farms", WATERED, source=WATERWORKS)
        self.load("keepers", KEEPERS)
        refresh(self.engine, self.definition)

    def app(self, **settings: Any) -> FastAPI:
        """The service, with other settings when given."""
        return create_app(self.settings.model_copy(update=settings), self.definition, self.engine)

    def someone(self) -> Someone:
        """A client of the service that shows the key of one scope after the other."""
        with connect(self.engine, write=True) as conn:
            register.add(conn, "somebody", "long enough for a test", Passwords(1, 8, 1), role=Role.VIEWER)
        return Someone(TestClient(self.app(), base_url=BASE, raise_server_exceptions=False), self.engine)


class Someone:
    """Requests as a scope, with a key that has it; as the public, and None, without any."""

    def __init__(self, client: TestClient, engine: Engine) -> None:
        self.client, self._engine = client, engine
        self._keys: dict[Scope, str] = {}

    def ask(self, scope: Scope | None, path: str, method: str = "GET", **given: Any) -> httpx.Response:
        """The answer to one request of ``scope``."""
        headers = dict(given.pop("headers", {}))
        if scope is not None and scope.role != Role.PUBLIC:
            headers["Authorization"] = f"Bearer {self._key(scope)}"
        return self.client.request(method, path, headers=headers, **given)

    def _key(self, scope: Scope) -> str:
        if scope not in self._keys:
            with connect(self._engine, write=True) as conn:
                _, self._keys[scope] = add_key(conn, "test", role=scope.role, areas=scope.areas)
        return self._keys[scope]

    def screen(self, scope: Scope | None, wkt_lonlat: tuple[float, float], **inputs: Any) -> dict[str, Any]:
        """The answer on a point site."""
        site = {"type": "Point", "coordinates": list(wkt_lonlat)}
        answer = self.ask(
            scope, "/processes/screen/execution", "POST",
            json={"inputs": {"site": site, "kind": "new", "accuracy_m": 1.0, **inputs}},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


def scope_of(role: Role, *areas: str) -> Scope:
    """The scope of ``role``, limited to ``areas`` if there are any."""
    return Scope(role, areas or None)


@pytest.fixture(scope="session")
def world_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the shipped district with the layers and rules of the two parishes."""
    root = Path(__file__).parents[2]
    shipped = (root / "layers" / "districts" / "jinhua.toml").read_text(encoding="utf-8")
    changed = shipped.replace('["cn-zhejiang"]', '["controlled"]').replace("../../data", str(root / "data"))
    folder = tmp_path_factory.mktemp("world")
    (folder / "district.toml").write_text(changed, encoding="utf-8")
    return Settings(district=folder / "district.toml", layers=(WORLD,), home=folder)


@pytest.fixture(scope="session")
def open_world(
    databases: Databases, world_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], World]]:
    """Makes filled worlds, each on a database of its own."""
    whole = world_settings.load_map()
    definition = replace(whole, layers={name: whole.layers[name] for name in LAYERS})
    made: list[Engine] = []

    def on(url: str) -> World:
        return World(world_settings, definition, create_engine(url), tmp_path_factory.mktemp("files"))

    def build(url: str) -> None:
        world = on(url)
        bring_in_step(world.engine, definition)
        world.fill()
        world.engine.dispose()

    def make() -> World:
        world = on(databases.url(databases.create(databases.template("parishes", build))))
        made.append(world.engine)
        return world

    yield make
    for engine in made:  # the databases go with the run's server, at once
        engine.dispose()


@pytest.fixture(scope="session")
def world(open_world: Callable[[], World]) -> World:
    """The world whose rows nobody changes."""
    return open_world()


@pytest.fixture(scope="session")
def someone(world: World) -> Someone:
    """Somebody who asks the service of that world."""
    return world.someone()


@pytest.fixture(scope="module")
def own_world(open_world: Callable[[], World]) -> World:
    """A world of a module's own, which it writes to."""
    return open_world()


@pytest.fixture(scope="module")
def own_someone(own_world: World) -> Iterator[Someone]:
    """Somebody who asks the service of that one."""
    someone = own_world.someone()
    yield someone
    close_log(someone.client)
