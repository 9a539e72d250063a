"""A card of an enterprise that two bureaux know, in the browser and over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, create_engine

from api.app import create_app
from api.cli.serve import address, listen
from gis.importing import ImportOptions, SourceInfo, import_file
from gis.instep import bring_in_step
from gis.linking import refresh
from gis.settings import Settings
from tests.conftest import Databases

HEAD = "ent_id,name,uscc,permit_class,address,lon,lat\n"
ROWS = {
    "市场监管": "E1,浙江永康五金有限公司,91330784704222681N,simplified,永康市金山路1号,120.0470,28.8880\n",
    "排污许可": "P1,永康五金有限公司,91330784704222681N,key,永康市金山路1号,120.0530,28.8920\n",
}


@pytest.fixture(scope="module")
def linked_server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a map whose only enterprise stands in two registers."""
    name = databases.create()
    settings = Settings(database_url=databases.url(name))
    definition = settings.load_map()
    engine = create_engine(databases.url(name))
    bring_in_step(engine, definition)
    folder = tmp_path_factory.mktemp("linked")
    for source, rows in ROWS.items():
        _load(engine, settings, folder / f"{source}.csv", source, rows)
    refresh(engine, definition)
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(settings, definition, engine), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    yield address(listening)
    server.should_exit = True
    thread.join()
    engine.dispose()
    databases.drop(name)


def _load(engine: Engine, settings: Settings, path: Path, source: str, rows: str) -> None:
    path.write_text(HEAD + rows, encoding="utf-8")
    info = SourceInfo(source, f"{source}库", f"{source} register", bureau=f"{source}局", accuracy_m=20.0)
    import_file(engine, settings.load_map(), "enterprises", path, ImportOptions(info, crs="EPSG:4490"))


def test_each_field_comes_with_its_sources(linked_server: str) -> None:
    thing = httpx.get(f"{linked_server}collections/enterprises/claims/E1").json()
    assert thing["uids"] == ["E1", "P1"]
    assert [(c["value"], c["source"]) for c in thing["fields"]["permit_class"]] == [
        ("key", "排污许可"), ("simplified", "市场监管"),
    ]  # fmt: skip
    assert thing["places"][0]["bureau"] == "排污许可局"
    assert httpx.get(f"{linked_server}collections/enterprises/claims/nobody").status_code == 404
    assert httpx.get(f"{linked_server}collections/parks/claims/1").status_code == 404
    rows = httpx.get(f"{linked_server}collections/disagreements/items").json()
    assert rows["numberMatched"] == 3
    assert {row["properties"]["owner"] for row in rows["features"]} == {"市场监管局"}


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.long), 390])
def test_a_card_shows_what_each_source_states(
    linked_server: str, new_page: Callable[..., Page], width: int
) -> None:
    page = new_page(viewport={"width": width, "height": 844})
    page.goto(f"{linked_server}#lang=zh&layers=enterprises&sel=enterprises/E1")
    section = page.locator(".claims")
    expect(section).to_contain_text("2 个来源的 2 行记录指同一对象")
    expect(section).to_contain_text("相距 734 m")
    shown = section.locator(".claim.shown")
    expect(shown).to_have_count(4)
    expect(shown.filter(has_text="永康五金有限公司")).to_contain_text("排污许可库")
    assert section.evaluate("element => element.scrollWidth <= element.clientWidth")
