"""Start, share and stop: as root, as a normal user, from several processes."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from gis.cluster import Cluster, locks, server
from gis.errors import ClusterError
from tests.cluster.conftest import call_as, normal_user, small
from tests.waiting import wait_for

Process = Callable[..., subprocess.Popen[str]]


def owner_of(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_the_server_never_runs_as_root_and_belongs_to_the_owner_of_its_data(ready_home: Path) -> None:
    cluster = small(ready_home)
    cluster.ensure_running()
    uid = owner_of(cluster.status().pid)
    assert uid != 0
    assert uid == cluster.layout.data.stat().st_uid
    assert cluster.layout.server.stat().st_mode & 0o077 == 0
    assert os.geteuid() == 0 or uid == os.geteuid()


def test_the_server_orders_names_itself_by_their_bytes_and_knows_all_letters(ready_home: Path) -> None:
    cluster = small(ready_home)
    cluster.ensure_running()
    with psycopg.connect(host=str(cluster.layout.socket), user="onemap", dbname="onemap") as conn:
        collation = conn.execute("SELECT datcollate FROM pg_database WHERE datname = 'onemap'").fetchone()
        order = conn.execute("SELECT n FROM unnest(ARRAY['ä', 'b', 'Z', '中', 'a']) n ORDER BY n").fetchall()
        letters = conn.execute("SELECT lower('ÄЖ'), 'Ж' ~ '[[:alpha:]]'").fetchone()
    assert collation == ("C",)
    assert [name for (name,) in order] == ["Z", "a", "b", "ä", "中"]
    assert letters == ("äж", True)


def test_a_normal_user_starts_and_stops_a_server_of_their_own(folder: Path) -> None:
    user = normal_user()
    home = folder / "own"
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)
    cluster = small(home)

    assert call_as(user, cluster.ensure_running) == cluster.url()
    assert owner_of(cluster.status().pid) == user.pw_uid
    assert call_as(user, cluster.stop) == "True"
    assert not cluster.status().running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be in another user's home")
def test_root_in_a_users_home_leaves_the_server_to_that_user(ready_home: Path) -> None:
    user = normal_user()
    for path in (ready_home, *ready_home.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    cluster = small(ready_home)
    cluster.ensure_running()
    assert owner_of(cluster.status().pid) == user.pw_uid
    assert call_as(user, cluster.ensure_running) == cluster.url()


def test_another_user_may_neither_start_stop_nor_enter_the_server(cluster: Cluster) -> None:
    if os.geteuid() == 0:
        for attempt in (cluster.ensure_running, cluster.stop, cluster.stop_if_unused, cluster.status):
            answer = call_as(normal_user(), attempt)
            assert answer.startswith("ClusterError: ")
            assert str(cluster.layout.home) in answer
            assert "\n" not in answer
    with psycopg.connect(host=str(cluster.layout.socket), user="onemap", dbname="postgres") as connection:
        rows = connection.execute("SELECT DISTINCT sys_name FROM pg_ident_file_mappings").fetchall()
    owner = pwd.getpwuid(cluster.layout.data.stat().st_uid).pw_name
    assert {name for (name,) in rows} == {"root", owner}


def test_a_second_process_uses_the_running_server_and_the_first_does_not_take_it_away(
    ready_home: Path, second_process: Process
) -> None:
    first = small(ready_home)
    first.ensure_running()
    pid = first.status().pid

    second = second_process(ready_home, "stay")
    assert second.stdout is not None
    assert second.stdout.readline().split() == ["False", str(pid)]
    assert first.stop_if_unused() is False
    assert first.status().pid == pid

    second.kill()
    second.wait()
    wait_for(lambda: not first.status().connections)
    assert first.stop_if_unused() is True


def test_a_server_started_for_a_while_stops_after_it_and_one_found_running_stays(ready_home: Path) -> None:
    with small(ready_home).while_needed():
        with small(ready_home).while_needed():
            assert small(ready_home).status().running
        assert small(ready_home).status().running
    assert not small(ready_home).status().running


def test_an_idle_client_that_is_no_onemap_keeps_the_server_up(ready_home: Path) -> None:
    cluster = small(ready_home)
    cluster.ensure_running()
    with psycopg.connect(host=str(cluster.layout.socket), user="onemap", dbname="onemap"):
        assert cluster.status().connections == 1
        assert cluster.stop_if_unused() is False


def test_three_processes_that_start_at_once_share_one_server(home: Path, second_process: Process) -> None:
    answers = [process.communicate()[0].split() for process in [second_process(home) for _ in range(3)]]
    assert sorted(started for started, _pid in answers) == ["False", "False", "True"]
    assert len({pid for _started, pid in answers}) == 1


def test_status_and_stop_of_a_home_that_was_never_used_start_nothing(home: Path) -> None:
    cluster = small(home)
    assert cluster.status().running is False
    assert cluster.stop() is False
    assert not home.exists()


def test_a_starter_that_takes_too_long_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LOCK_WAIT_S", 0.1)
    home.mkdir()
    with (
        locks.exclusive(home / "lock", 1),
        pytest.raises(ClusterError, match="Another onemap has been starting or stopping"),
    ):
        small(home).ensure_running()
