"""Killed servers, killed starters and what they leave behind; only processes of these tests are signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from gis.cluster import Cluster
from gis.errors import ClusterError
from tests.cluster.conftest import small
from tests.waiting import wait_for

Process = Callable[..., subprocess.Popen[str]]


def connect(cluster: Cluster) -> psycopg.Connection[Any]:
    return psycopg.connect(host=str(cluster.layout.socket), user="onemap", dbname="onemap", autocommit=True)


def kill_server(cluster: Cluster) -> None:
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.01)


@contextmanager
def foreign_process(cluster: Cluster) -> Iterator[subprocess.Popen[bytes]]:
    """A living process of the server's account that is no server."""
    uid = cluster.layout.server.stat().st_uid
    process = subprocess.Popen(["sleep", "60"], user=uid if os.geteuid() == 0 else None)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wake_once_told(pid: int, log: Path, words: str) -> None:
    """Let a stopped process go on as soon as ``log`` says ``words``, or after 20 s."""
    until = time.monotonic() + 20
    while words not in log.read_text() and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(pid, signal.SIGCONT)


def test_after_the_server_is_killed_the_next_start_has_every_committed_row(ready_home: Path) -> None:
    cluster = Cluster(ready_home, memory_mb=256)
    cluster.ensure_running()
    with connect(cluster) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    kill_server(cluster)
    assert cluster.status().running is False

    assert cluster.ensure_running() == cluster.url()
    with connect(cluster) as connection:
        assert connection.execute("SELECT sum(n) FROM kept").fetchone() == (500500,)


def test_a_start_waits_for_a_process_of_the_killed_server_that_has_not_noticed(ready_home: Path) -> None:
    cluster = small(ready_home)
    cluster.ensure_running()
    with connect(cluster) as connection:
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        kill_server(cluster)
        # It notices only after a start has met it, however slow the machine is.
        met = "pre-existing shared memory block"
        wakes = Thread(target=_wake_once_told, args=(backend, cluster.layout.log, met))
        wakes.start()

        cluster.ensure_running()
        wakes.join()
    assert met in cluster.layout.log.read_text()
    with connect(cluster) as after:
        assert after.execute("SELECT 1").fetchone() == (1,)


def test_a_starter_killed_in_initdb_leaves_no_half_made_data(home: Path, second_process: Process) -> None:
    starter = second_process(home)
    cluster = small(home)
    wait_for(lambda: list(cluster.layout.server.glob("making-*/base")))
    starter.kill()
    starter.wait()
    assert not cluster.layout.data.exists()

    cluster.ensure_running()
    assert list(cluster.layout.server.glob("making-*")) == []
    with connect(cluster) as connection:
        assert connection.execute("SELECT postgis_lib_version() IS NOT NULL").fetchone() == (True,)


def test_a_starter_killed_while_it_makes_the_database_is_finished_by_the_next(
    home: Path, second_process: Process
) -> None:
    starter = second_process(home)
    cluster = small(home)
    wait_for(cluster.layout.data.exists)
    wait_for(lambda: list(cluster.layout.data.glob("base/1638[4-9]")))
    starter.kill()
    starter.wait()

    cluster.ensure_running()
    with connect(cluster) as connection:
        names = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        assert names == {"postgres", "template0", "template1", "onemap"}
        assert connection.execute("SELECT postgis_lib_version() IS NOT NULL").fetchone() == (True,)


def test_the_lock_of_a_killed_starter_is_no_lock(ready_home: Path, second_process: Process) -> None:
    cluster = small(ready_home)
    cluster.ensure_running()
    user = second_process(ready_home, "stay")
    assert user.stdout is not None and user.stdout.readline()
    user.kill()
    user.wait()
    wait_for(lambda: not cluster.status().connections)  # the server notices a little later
    assert cluster.stop_if_unused() is True
    assert (ready_home / "lock").exists()
    cluster.ensure_running()
    assert cluster.status().running


def test_left_over_files_that_name_a_foreign_process_neither_stop_the_start_nor_harm_it(
    ready_home: Path,
) -> None:
    cluster = small(ready_home)
    cluster.ensure_running()
    pid_file = cluster.layout.data / "postmaster.pid"
    socket_lock = cluster.layout.socket / ".s.PGSQL.5432.lock"
    left = {file: file.read_text().split("\n", 1)[1] for file in (pid_file, socket_lock)}
    cluster.stop()
    with foreign_process(cluster) as foreign:
        for file, rest in left.items():
            file.write_text(f"{foreign.pid}\n{rest}")
        (cluster.layout.socket / ".s.PGSQL.5432").touch()

        assert cluster.status().running is False
        assert cluster.stop() is False
        assert foreign.poll() is None
        cluster.ensure_running()
        assert foreign.poll() is None
        assert cluster.status().pid != foreign.pid


def test_a_server_that_lost_its_socket_is_reported_and_can_be_stopped(
    ready_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gis.cluster.server._REFUSAL_WAIT_S", 0.1)
    cluster = small(ready_home)
    cluster.ensure_running()
    (cluster.layout.socket / ".s.PGSQL.5432").unlink()
    with pytest.raises(ClusterError, match="runs but does not answer"):
        cluster.ensure_running()
    assert cluster.stop() is True
    cluster.ensure_running()
