"""The real service on the demonstration data, and pages on it.

demo_server    address of a served map with all demonstration data, judged
map_page       opens the map at a link and waits until it stands
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine

from tests.conftest import Databases

_ONEMAP = Path(sys.executable).with_name("onemap")
_START_S = 120.0

# Long: a machine that is shared may stand still for seconds.
expect.set_options(timeout=40_000)


def build_demonstration(url: str) -> None:
    """Load the district's demonstration data into an empty database and judge them."""
    from api.cli.demo import prepare, waiting
    from api.cli.opening import Opened
    from gis.settings import Settings
    from gis.sync import sync

    settings = Settings(database_url=url)
    definition = settings.load_map()
    engine = create_engine(url)
    sync(engine, definition)
    opened = Opened(settings, definition, engine)
    prepare(opened, waiting(opened))
    engine.dispose()


@pytest.fixture(scope="session")
def demo_server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the service, as a process of its own on a copy of the demonstration database."""
    name = databases.create(databases.template("demonstration", build_demonstration))
    with serving(databases.url(name), tmp_path_factory.mktemp("served")) as address:
        yield address
    databases.drop(name)


@contextmanager
def serving(url: str, folder: Path) -> Iterator[str]:
    """A service on the database ``url`` with its files in ``folder``, as a process; its address."""
    environment = os.environ | {"ONEMAP_DATABASE_URL": url, "ONEMAP_HOME": str(folder / "home")}
    log = folder / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [_ONEMAP, "serve", "--port", "0"], env=environment, stdout=output, stderr=output
        ) as served,
    ):
        try:
            yield _address(served, log)
        finally:
            served.terminate()


def _address(served: subprocess.Popen[bytes], log: Path) -> str:
    """Where the service listens, once it answers."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        told = re.search(r"http://[\d.]+:\d+", log.read_text())
        if told and _answers(told[0]):
            return told[0]
        if served.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"the service did not start:\n{log.read_text()}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def map_page(demo_server: str, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the map: map_page("lang=zh", viewport=...); keyword arguments go to playwright's new_context."""

    def open_map(link: str = "lang=zh", **options: Any) -> Page:
        page = new_page(**options)
        page.goto(f"{demo_server}/#{link}")
        settled(page)
        return page

    return open_map


def eventually(page: Page, told: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until ``told()`` is true; the page's policy forbids the polling that playwright would inject."""
    until = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        page.wait_for_timeout(50)


def settled(page: Page) -> None:
    """Wait until the map stands and nothing more is being loaded."""
    expect(page.locator("#start")).to_have_count(0, timeout=60_000)
    expect(page.locator(".progress")).to_be_hidden(timeout=60_000)
