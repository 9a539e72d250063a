"""Whatever ends an import at any moment, the store holds the whole revision or nothing of it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text

from gis.db import connect
from gis.errors import DatabaseError
from gis.importing import ImportOptions, SourceInfo, import_file
from gis.importing.failpoints import FAILPOINTS
from gis.settings import MapDefinition
from tests.conftest import Databases
from tests.gis.conftest import OUTSIDE, build_small

ROWS = 2_000
BEFORE_COMMIT = FAILPOINTS[: FAILPOINTS.index("after_commit")]

# Loads everything once, then forks a process for each line of its input: "url failpoint seconds"; a process
# that has not died by itself is killed after so many seconds. Answers with how it ended.
DRIVER = f"""
import os, signal, sys, time
from pathlib import Path
from sqlalchemy import create_engine
from gis.importing.load import ImportOptions, SourceInfo, import_file
from gis.settings import MapDefinition
from layers.district import load_district
from layers.registry import load_layers
layers = load_layers([Path({str(OUTSIDE)!r})])
definition = MapDefinition(load_district(), {{name: layers[name] for name in ("wells", "pads")}}, {{}})
for line in sys.stdin:
    url, point, seconds = line.split()
    child = os.fork()
    if child == 0:
        os.environ["ONEMAP_FAILPOINT"] = point
        options = ImportOptions(SourceInfo("s"), crs="EPSG:4490")
        result = import_file(create_engine(url), definition, "wells", Path(sys.argv[1]), options)
        os._exit(0 if result.bad == 1 else 1)
    if float(seconds):
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "wells.csv"
    rows = [
        f"W{i},井{i},dug,{i % 50},{119.5037 + i % 97 / 100:.4f},{28.6041 + i % 89 / 100:.4f}\n"
        for i in range(ROWS)
    ]
    path.write_text(
        "code,name,kind,depth,lon,lat\n" + "".join([*rows, "bad,坏,pond,1,120,29\n"]), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="module")
def driver(wells: Path) -> Iterator[Callable[..., int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(wells)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None

    def run(url: str, point: str = "-", seconds: float = 0) -> int:
        print(url, point, seconds, file=process.stdin, flush=True)
        assert process.stdout is not None
        return int(process.stdout.readline())

    yield run
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


@pytest.fixture
def fresh(databases: Databases, small_map: MapDefinition) -> Iterator[Callable[[], str]]:
    made: list[str] = []

    def make() -> str:
        made.append(databases.create(databases.template("small", lambda url: build_small(url, small_map))))
        return databases.url(made[-1])

    yield make
    for name in made:
        databases.drop(name)


def held(engine: Engine) -> dict[str, Any]:
    """What an import leaves in the store, and what it must not leave."""
    with connect(engine) as conn:
        counts = {
            name: conn.scalar(text(f"SELECT count(*) FROM {name}"))
            for name in (
                "layer.wells",
                "core.revisions",
                "core.revision_layers",
                "core.import_runs",
                "core.rejects",
            )
        }
        left = "SELECT count(*) FROM pg_class WHERE relname LIKE '%staged%' OR relname LIKE '%~%'"
        return {**counts, "left": conn.scalar(text(left))}


NOTHING = dict.fromkeys(
    ("layer.wells", "core.revisions", "core.revision_layers", "core.import_runs", "core.rejects", "left"), 0
)
WHOLE = NOTHING | {
    "layer.wells": ROWS, "core.revisions": 1, "core.revision_layers": 1, "core.import_runs": 1,
    "core.rejects": 1,
}  # fmt: skip


def die_at(point: str, driver: Callable[..., int], url: str, definition: MapDefinition, wells: Path) -> None:
    """Kill an import at ``point``; look at the store; the next import works."""
    assert driver(url, point) == -9
    engine = create_engine(url)
    try:
        assert _settled(engine) == (NOTHING if point in BEFORE_COMMIT else WHOLE)
        result = import_file(
            engine, definition, "wells", wells, ImportOptions(SourceInfo("s"), crs="EPSG:4490")
        )
        assert (result.good, result.bad) == (ROWS, 1)
        assert held(engine)["layer.wells"] == ROWS
    finally:
        engine.dispose()


def _settled(engine: Engine) -> dict[str, Any]:
    """The store once the server has noticed that the client is gone."""
    import time

    for _ in range(100):
        with connect(engine) as conn:
            others = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            if not conn.scalar(text(others)):
                break
        time.sleep(0.05)
    return held(engine)


@pytest.mark.parametrize("point", ["after_rows"])
def test_killed_at_a_point_the_store_is_whole_or_empty(
    point: str, driver: Callable[..., int], fresh: Callable[[], str], small_map: MapDefinition, wells: Path
) -> None:
    die_at(point, driver, fresh(), small_map, wells)


@pytest.mark.long
@pytest.mark.parametrize("point", FAILPOINTS)
def test_killed_at_each_of_ten_points(
    point: str, driver: Callable[..., int], fresh: Callable[[], str], small_map: MapDefinition, wells: Path
) -> None:
    die_at(point, driver, fresh(), small_map, wells)


@pytest.mark.long
def test_killed_at_forty_random_moments(
    driver: Callable[..., int], fresh: Callable[[], str], small_map: MapDefinition, wells: Path
) -> None:
    import time

    start = time.monotonic()
    assert driver(fresh()) == 0
    usual = time.monotonic() - start
    moments = random.Random(40)
    seen = []
    for _ in range(40):
        url = fresh()
        driver(url, "-", moments.uniform(0.02, 1.1) * usual)
        engine = create_engine(url)
        found = _settled(engine)
        assert found in (NOTHING, WHOLE)
        seen.append(found == WHOLE)
        result = import_file(
            engine, small_map, "wells", wells, ImportOptions(SourceInfo("s"), crs="EPSG:4490")
        )
        assert (result.good, result.bad) == (ROWS, 1)
        engine.dispose()
    assert not all(seen)


@pytest.mark.long
def test_a_full_disk_leaves_nothing(store: Engine, small_map: MapDefinition, tmp_path: Path) -> None:
    """The server's process may write no file beyond 17 MB, as on a full disk; its log takes 16 MB files."""
    path = tmp_path / "wells.csv"
    rows = (
        f"W{i},井{i}{'长' * 40},dug,1,{119.5 + i % 997 / 1000},{28.6 + i % 991 / 1000}\n"
        for i in range(100_000)
    )
    path.write_text("code,name,kind,depth,lon,lat\n" + "".join(rows), encoding="utf-8")
    small = create_engine(store.url)

    @event.listens_for(small, "connect")
    def _no_room(connection: Any, _record: object) -> None:
        process = connection.info.backend_pid
        owner = Path(f"/proc/{process}").stat()
        command = ["prlimit", "--pid", str(process), f"--fsize={17 << 20}"]
        as_owner = {"user": owner.st_uid, "group": owner.st_gid} if owner.st_uid != os.geteuid() else {}
        subprocess.run(command, check=True, **as_owner)

    with pytest.raises(DatabaseError):
        import_file(small, small_map, "wells", path, ImportOptions(SourceInfo("s"), crs="EPSG:4490"))
    small.dispose()
    assert _settled(store) == NOTHING
    result = import_file(store, small_map, "wells", path, ImportOptions(SourceInfo("s"), crs="EPSG:4490"))
    assert (result.good, result.change.rev) == (100_000, 1)
