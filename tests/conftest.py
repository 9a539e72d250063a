"""What every test may ask for: a real PostGIS and a real browser. Where one is missing the tests fail.

cluster        the private server of this test run, shared by all its processes
databases      makes databases on it, and templates that are built once for all processes
postgis        an engine on an empty database with PostGIS, the same for the whole session
database       an engine on an empty database with PostGIS, fresh for each test
browser        Chromium
new_page       opens pages in it, each in a profile of its own, with foreign requests blocked
page           one such page
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Request, sync_playwright
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from gis.cluster import Cluster

_FOLDER_PREFIX = "onemap-tests-"
# A run makes and drops hundreds of databases of a thousand files each: in memory that takes half the time,
# where there is room for them (4 GB at the end) and for all else.
_IN_MEMORY, _ON_DISK, _ROOM_BYTES = Path("/dev/shm"), Path("/tmp"), 14 * 2**30
_HOME = pytest.StashKey[Path]()
# Folders of data that only some machines have: the corpus of bad files, and real files without a licence.
_FOLDERS_OF_TESTS = {"ONEMAP_BADINPUTS", "ONEMAP_LOCAL_DATA"}


# The same examples at every run; the machine may be slow. `make test-long` draws many new ones.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder of the run's server: once, also when the tests run in several processes."""
    for name in [name for name in os.environ if name.startswith("ONEMAP_") and name not in _FOLDERS_OF_TESTS]:
        del os.environ[name]  # nobody's own database or district takes part in the tests
    hypothesis.settings.load_profile("fixed" if config.option.markexpr == "not long" else "long")
    if hasattr(config, "workerinput"):
        config.stash[_HOME] = Path(config.workerinput["onemap_home"])
        return
    _sweep()
    # Not under pytest's own temporary folder: that is closed to the account which runs the server for root.
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=_roomy()))
    folder.chmod(0o755)
    config.stash[_HOME] = folder
    # A run that is told to end must still stop its server; the default would end it on the spot.
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _ShareHome:
    """Tells the processes of pytest-xdist where the run's server is."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["onemap_home"] = str(node.config.stash[_HOME])


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_ShareHome())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the run's server and remove its folder."""
    if hasattr(config, "workerinput") or _HOME not in config.stash:
        return
    _remove(config.stash[_HOME])


def _remove(folder: Path) -> None:
    Cluster(folder / "home").stop()
    shutil.rmtree(folder)


def _roomy() -> Path:
    """Where the run's server has its files."""
    try:
        told = Path("/proc/meminfo").read_text(encoding="ascii")
        available = int(told.partition("MemAvailable:")[2].split()[0]) * 1024
        return _IN_MEMORY if min(available, shutil.disk_usage(_IN_MEMORY).free) > _ROOM_BYTES else _ON_DISK
    except (OSError, IndexError):  # not Linux
        return _ON_DISK


def _sweep() -> None:
    """Remove what killed runs left behind: folders of ours, old enough, whose server nobody uses."""
    for folder in itertools.chain(*(place.glob(f"{_FOLDER_PREFIX}*") for place in (_IN_MEMORY, _ON_DISK))):
        try:
            found = folder.lstat()
            if found.st_uid != os.geteuid() or time.time() - found.st_mtime < 1800:
                continue
            cluster = Cluster(folder / "home")
            if cluster.stop_if_unused() or not cluster.status().running:
                shutil.rmtree(folder)
        except FileNotFoundError:  # another run sweeps too
            continue


# --- PostGIS ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The private server of this test run; ``cluster.url(name)`` is a database's URL."""
    cluster = Cluster(pytestconfig.stash[_HOME] / "home", durable=False, memory_mb=1024)
    cluster.ensure_running()
    return cluster


class Databases:
    """Makes databases on the run's server. Names are unique over all processes of the run."""

    def __init__(self, cluster: Cluster, lock: Path) -> None:
        self._cluster = cluster
        self._lock = lock
        self._numbers = itertools.count()
        self._server = create_engine(
            cluster.url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )

    def url(self, name: str) -> str:
        """The URL of the database ``name``."""
        return self._cluster.url(name)

    def create(self, template: str | None = None) -> str:
        """The name of a new database: a copy of ``template``, by default empty with PostGIS (some 0.1 s)."""
        source = template or self.template("blank", lambda _url: None)
        name = f"t{os.getpid()}_{next(self._numbers)}"
        with self._server.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY FILE_COPY'))
        return name

    def drop(self, name: str) -> None:
        """Remove a database, ending its connections."""
        with self._server.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))

    def template(self, name: str, build: Callable[[str], object]) -> str:
        """The name of a template; ``build(url)`` fills it, once for all processes of the run.

        ``build`` starts on an empty database with PostGIS and closes its connections at the end.
        """
        target = f"template_{name}"
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if target not in self._names():
                self._build(target, build)
        return target

    def _build(self, target: str, build: Callable[[str], object]) -> None:
        with self._server.connect() as connection:
            connection.execute(text('DROP DATABASE IF EXISTS "making" WITH (FORCE)'))
            source = "template_blank" if "template_blank" in self._names() else "onemap"
            connection.execute(text(f'CREATE DATABASE "making" TEMPLATE "{source}" STRATEGY FILE_COPY'))
            build(self.url("making"))
            connection.execute(text(f'ALTER DATABASE "making" RENAME TO "{target}"'))

    def _names(self) -> set[str]:
        with self._server.connect() as connection:
            return set(connection.execute(text("SELECT datname FROM pg_database")).scalars())


@pytest.fixture(scope="session")
def databases(cluster: Cluster, pytestconfig: pytest.Config) -> Databases:
    """Makes databases and templates on the run's server."""
    return Databases(cluster, pytestconfig.stash[_HOME] / "templates.lock")


@pytest.fixture(scope="session")
def postgis(databases: Databases) -> Iterator[Engine]:
    """An engine on an empty database with PostGIS, shared by the session: leave nothing behind in it."""
    yield from _engine(databases)


@pytest.fixture
def database(databases: Databases) -> Iterator[Engine]:
    """An engine on an empty database with PostGIS that this test has for itself."""
    yield from _engine(databases)


def _engine(databases: Databases) -> Iterator[Engine]:
    name = databases.create()
    engine = create_engine(databases.url(name))
    try:
        yield engine
    finally:
        engine.dispose()
        databases.drop(name)


# --- Chromium ---------------------------------------------------------------------------------------------

# Chromium refuses its sandbox as root; without a graphics card WebGL is drawn by software. Names of other
# hosts lead nowhere: to ask each request about it in Python would cost more than all else a page does.
_CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
_LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1"}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the machine, or the one that playwright keeps."""
    installed = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=installed, args=_CHROMIUM_ARGUMENTS)
        except Error as error:
            pytest.fail(f"Chromium does not start (apt-get install chromium): {error}", pytrace=False)
        yield browser
        browser.close()


class PageLog:
    """What the pages of a test did that no page should do; checked when the test ends."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        """Note page errors and console errors in ``context``, and requests to other hosts."""
        context.on("weberror", lambda found: self.errors.append(str(found.error)))
        context.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        context.on("request", self._note_foreign)

    def _note_foreign(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "file") and parts.hostname not in _LOCAL_HOSTS:
            self.foreign.append(request.url)


@pytest.fixture
def page_log() -> PageLog:
    """The errors and foreign requests of this test's pages; a test that provokes one clears it."""
    return PageLog()


@pytest.fixture
def new_page(browser: Browser, page_log: PageLog) -> Iterator[Callable[..., Page]]:
    """Opens a page in a fresh profile; keyword arguments are those of playwright's ``new_context``."""
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page_log.watch(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert page_log.errors == [], "a page reported errors"
    assert page_log.foreign == [], "a page asked other hosts"


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """A desktop-sized page; the test fails at its end if the page had errors or asked a foreign host."""
    return new_page()
