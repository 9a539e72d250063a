"""What the child may not do, and what its end means to the caller."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from gis.errors import ImportRefused
from gis.importing.reading import Limits, Reading, ReadOptions, read_file
from gis.importing.reading.sandbox import fences, probe, warm_parent
from tests.gis.importing.reading.makers import frame, reason, write
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No scratch folder and no rows stay behind, whatever a test does to the child."""
    yield
    base = Path(tempfile.gettempdir())
    assert list(base.glob(f"onemap-read-{os.getpid()}-*")) == []


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(frame(), tmp_path_factory.mktemp("good") / "a.gpkg")


def test_the_child_reaches_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        host, port = listening.getsockname()
        came = probe(f"{host}:{port}")
        with pytest.raises(TimeoutError):
            listening.accept()
    assert came.pop("thread") is True  # libraries may start threads
    assert came.pop("uid") != 0
    assert {name for name, end in came.items() if end == "done"} == set(), came


def test_the_fences_are_told() -> None:
    held = fences()
    assert held.offline and held.calls and held.account


@pytest.mark.parametrize(
    "how, code",
    [
        ("spin", "reader_timeout"),
        ("sleep", "reader_timeout"),
        ("eat", "reader_memory"),
        ("fill", "reader_memory"),
        ("abort", "reader_killed"),
    ],
)
def test_a_parser_gone_wild_is_a_refused_file(how: str, code: str) -> None:
    started = time.monotonic()
    with pytest.raises(ImportRefused) as told:
        probe(how, Limits(seconds=1, memory_mb=300, spool_mb=30))
    assert told.value.reason == code
    assert time.monotonic() - started < 8


def test_a_large_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x,y\n" + b"1,2\n" * 400_000)
    assert reason(path, limits=Limits(file_mb=1)) == "file_too_large"
    assert reason(tmp_path / "none.csv") == "file_missing"


def test_memory_beyond_the_limit_is_a_refused_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame(5_000).to_parquet(path)
    assert reason(path, limits=Limits(memory_mb=8)) == "reader_memory"
    assert reason(path) == "read"


def test_many_threads_read_at_once(good: Path) -> None:
    def rows(_: int) -> int:
        with read_file(good) as reading:
            return reading.header.rows

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(rows, range(16))) == [12] * 16


def test_the_warm_parent_comes_back_when_killed(good: Path) -> None:
    before = warm_parent.ensure()
    os.kill(before, signal.SIGKILL)
    with read_file(good) as reading:
        assert reading.header.rows == 12
    assert warm_parent.ensure() != before


def test_a_file_under_way_survives_the_warm_parents_death_as_a_refusal(good: Path) -> None:
    warm = warm_parent.ensure()
    killer = threading.Timer(0.3, os.kill, (warm, signal.SIGKILL))
    killer.start()
    with pytest.raises(ImportRefused) as told:
        probe("sleep", Limits(seconds=20))
    killer.join()
    assert told.value.reason == "reader_killed"


def test_nothing_outlives_a_caller_that_is_killed() -> None:
    code = (
        "from gis.importing.reading import Limits\n"
        "from gis.importing.reading.sandbox import probe, warm_parent\n"
        "print(warm_parent.ensure(), flush=True); probe('sleep', Limits(seconds=50))"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    with caller.stdout as said:
        warm = Path("/proc") / said.readline().strip()
    wait_for(lambda: (warm / "task" / warm.name / "children").read_text() != "")
    caller.kill()
    caller.wait()
    base = Path(tempfile.gettempdir())
    wait_for(lambda: not list(base.glob(f"onemap-read-{caller.pid}-*")))
    wait_for(lambda: not warm.exists() or (warm / "cmdline").read_bytes() == b"")


def test_a_child_costs_no_start(good: Path) -> None:
    warm_parent.stop()
    started = time.monotonic()
    warm_parent.ensure()
    start = time.monotonic() - started
    times = []
    for _ in range(5):
        started = time.monotonic()
        read_file(good).close()
        times.append(time.monotonic() - started)
    assert min(times) < start / 3, (start, times)


def test_a_file_that_only_root_may_read_is_read(tmp_path: Path, good: Path) -> None:
    path = tmp_path / "closed.gpkg"
    path.write_bytes(good.read_bytes())
    path.chmod(0o600)
    with read_file(path) as reading:
        assert reading.header.rows == 12


def test_rows_stay_where_the_caller_wants_them(good: Path, tmp_path: Path) -> None:
    read_file(good, folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["reading.json", "rows.arrow"]
    assert all(p.stat().st_mode & 0o077 == 0 for p in tmp_path.iterdir())
    assert Reading.load(tmp_path).header.rows == 12


def test_rows_of_a_closed_reading_are_gone(good: Path) -> None:
    reading = read_file(good, ReadOptions())
    assert reading.path.exists()
    reading.close()
    assert not reading.path.parent.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda held: held["header"].update(rows=11),
        lambda held: held["header"].update(rows="many"),
        lambda held: held["header"].update(columns=["a"]),
        lambda held: held.update(issues=[{"row": 99, "field": None, "value": None, "code": "x"}]),
        lambda held: held.clear(),
    ],
)
def test_a_child_that_lies_is_not_believed(good: Path, tmp_path: Path, damage: object) -> None:
    read_file(good, folder=tmp_path)
    told = tmp_path / "reading.json"
    held = orjson.loads(told.read_bytes())
    damage(held)  # type: ignore[operator]
    told.write_bytes(orjson.dumps(held))
    with pytest.raises(ValueError):
        Reading.load(tmp_path)


def test_rows_that_are_no_rows_are_not_believed(good: Path, tmp_path: Path) -> None:
    read_file(good, folder=tmp_path)
    rows = tmp_path / "rows.arrow"
    rows.write_bytes(rows.read_bytes()[:-100])
    with pytest.raises((ValueError, OSError)):
        Reading.load(tmp_path)
