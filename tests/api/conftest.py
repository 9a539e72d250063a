"""A small map behind the service: four wells and a pad of tests/outside, judged, and a register.

service        a client of the service, without a network
live           the same service as a server on a port of its own
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine

from api.app import create_app
from api.cli.serve import address, listen
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.instep import bring_in_step
from gis.screening.conflicts import refresh
from gis.settings import MapDefinition, Settings
from tests.conftest import Databases

OUTSIDE = Path(__file__).parents[1] / "outside"
BASE = "http://127.0.0.1"

WELLS = """code,name,kind,depth,lon,lat
IN,里井,dug,3,120.005,28.905
OUT,Out well,bored,33.5,120.05,28.905
RIM,边井,dug,,120.01,28.905
ALSO,同处,bored,12,120.005,28.905
"""
PADS = 'code,strict,wkt\nA,true,"POLYGON((120.0 28.9,120.01 28.9,120.01 28.91,120.0 28.91,120.0 28.9))"\n'
COVERAGE = 'wkt\n"POLYGON((119.5 28.5,120.5 28.5,120.5 29.3,119.5 29.3,119.5 28.5))"\n'
REGISTER = "element_id,name,kind\nE1,东城产业带,belt\nE2,=2+2,core\n"


@dataclass(frozen=True)
class SmallMap:
    """The small map with a store that is in step with it."""

    settings: Settings
    definition: MapDefinition
    engine: Engine
    folder: Path

    def load(self, layer: str, content: str, source: str = "survey", **options: Any) -> ImportResult:
        """Import CSV text into ``layer``; accuracy 1 m, EPSG:4490 unless ``options`` say otherwise."""
        path = self.folder / f"{layer}-{source}.csv"
        path.write_text(content, encoding="utf-8")
        info = SourceInfo(source, accuracy_m=1.0, is_demonstration=source == "demonstration")
        given = ImportOptions(info, **{"crs": "EPSG:4490", **options})
        return import_file(self.engine, self.definition, layer, path, given)

    def app(self, **settings: Any) -> FastAPI:
        """The service on this map, with other settings when given."""
        return create_app(self.settings.model_copy(update=settings), self.definition, self.engine)


def small_definition(settings: Settings) -> MapDefinition:
    """Wells and pads with their rule, the layer of conflicts, and one register."""
    whole = settings.load_map()
    names = ("wells", "pads", "conflicts", "plan_structure")
    return replace(whole, layers={name: whole.layers[name] for name in names})


def fill(small: SmallMap) -> None:
    """The wells, the pad with its coverage, the register, and the conflicts between them."""
    coverage = small.folder / "coverage.csv"
    coverage.write_text(COVERAGE, encoding="utf-8")
    small.load("pads", PADS, coverage=coverage)
    small.load("wells", WELLS)
    small.load("plan_structure", REGISTER, crs="auto")
    refresh(small.engine, small.definition)


@pytest.fixture(scope="session")
def small_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the shipped district, with the layers of tests/outside and only their rules."""
    shipped = (Path(__file__).parents[2] / "layers" / "districts" / "jinhua.toml").read_text(encoding="utf-8")
    data = Path(__file__).parents[2] / "data"
    changed = shipped.replace('["cn-zhejiang"]', '["wells"]').replace("../../data", str(data))
    district = tmp_path_factory.mktemp("district") / "small.toml"
    district.write_text(changed, encoding="utf-8")
    # Files that tests leave behind would count as those of other runs in the home of this machine.
    return Settings(district=district, layers=(OUTSIDE,), home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def make_map(
    databases: Databases, small_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], SmallMap]]:
    """Makes filled small maps, each on a database of its own."""
    definition = small_definition(small_settings)
    made: list[Engine] = []

    def open_on(url: str) -> SmallMap:
        return SmallMap(small_settings, definition, create_engine(url), tmp_path_factory.mktemp("files"))

    def build(url: str) -> None:
        small = open_on(url)
        # The whole definition, so that commands find the store in step.
        bring_in_step(small.engine, small_settings.load_map())
        fill(small)
        small.engine.dispose()

    def run() -> SmallMap:
        small = open_on(databases.url(databases.create(databases.template("service", build))))
        made.append(small.engine)
        return small

    yield run
    for engine in made:  # the databases go with the run's server, at once
        engine.dispose()


@pytest.fixture(scope="session")
def shared_map(make_map: Callable[[], SmallMap]) -> SmallMap:
    """A filled small map for tests that only read."""
    return make_map()


@pytest.fixture
def own_map(make_map: Callable[[], SmallMap]) -> Iterator[SmallMap]:
    """A filled small map that this test may write to."""
    small = make_map()
    yield small
    small.engine.dispose()


@pytest.fixture(scope="session")
def service(shared_map: SmallMap) -> TestClient:
    """A client of the service on the shared map; reads only."""
    return client_of(shared_map.app())


def client_of(app: FastAPI) -> TestClient:
    """A client that calls itself 127.0.0.1 and gets errors as a browser would."""
    return TestClient(app, base_url=BASE, raise_server_exceptions=False)


def cookie_of(client: TestClient) -> str:
    """What the cookie of a session is called where ``client`` asks."""
    assert isinstance(client.app, FastAPI)
    return str(client.app.state.cookie)


@pytest.fixture(scope="module")
def quiet_map(make_map: Callable[[], SmallMap]) -> SmallMap:
    """A map that the tests of one module write to, each to wells of its own; nothing follows from that."""
    whole = make_map()
    layers = {name: layer for name, layer in whole.definition.layers.items() if name != "conflicts"}
    return replace(whole, definition=replace(whole.definition, layers=layers))


def close_log(client: TestClient) -> None:
    """Have the service of ``client`` write down what was seen, as it does when it ends, and no more."""
    client.app.state.sightings.close()  # type: ignore[attr-defined]  # to its type any ASGI application


@pytest.fixture(scope="module")
def writer(quiet_map: SmallMap) -> Iterator[TestClient]:
    """What it asks for comes plain, with the tag of the plain form."""
    client = client_of(quiet_map.app())
    client.headers["Accept-Encoding"] = "identity"
    yield client
    close_log(client)


@pytest.fixture(scope="session")
def live(shared_map: SmallMap) -> Iterator[str]:
    """Address of the service on the shared map, as a server in a thread; ends with a slash."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(shared_map.app(), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    yield address(listening)
    server.should_exit = True
    thread.join()


def uids(answer: httpx.Response) -> list[str]:
    """The identifiers of the features in an answer."""
    assert answer.status_code == 200, answer.text
    return [feature["id"] for feature in answer.json()["features"]]
