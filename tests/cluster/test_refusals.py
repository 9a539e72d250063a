"""Where no server can be, one line says why and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gis.cluster import find_binaries
from gis.cluster.binaries import install_remedy
from gis.errors import ClusterError
from tests.cluster.conftest import call_as, normal_user, small


def fake_server(folder: Path, version: str) -> Path:
    folder.mkdir()
    for name in ("initdb", "pg_ctl", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def one_line(error: ClusterError, language: str) -> str:
    line = error.text(language)
    assert line and "\n" not in line
    return line


def test_nothing_installed_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as caught:
        find_binaries(folders=[tmp_path])
    assert "PostgreSQL 15 or newer with PostGIS was not found" in one_line(caught.value, "en")
    assert install_remedy()[0] in one_line(caught.value, "en")
    assert "没有找到" in one_line(caught.value, "zh")


def test_a_server_without_postgis_names_the_package_of_its_version(tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as caught:
        find_binaries(folders=[fake_server(tmp_path / "a", "17.2"), fake_server(tmp_path / "b", "13.4")])
    assert one_line(caught.value, "en").startswith("PostgreSQL 17 has no PostGIS.")
    assert install_remedy(17)[0] in one_line(caught.value, "en")


def test_a_server_that_is_too_old_does_not_count(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"was not found \(only version 14\)"):
        find_binaries(folders=[fake_server(tmp_path / "bin", "14.9")])


def test_the_newest_server_with_postgis_is_taken(tmp_path: Path) -> None:
    for number in ("16", "17"):
        (tmp_path / number).mkdir()
        fake_server(tmp_path / number / "bin", f"{number}.1")
        extension = tmp_path / number / "share" / "extension"
        extension.mkdir(parents=True)
        (extension / "postgis.control").touch()
    folders = [tmp_path / number / "bin" for number in ("17", "16")]
    assert find_binaries(folders=folders).major == 17
    assert find_binaries(folders=folders, major=16).folder == tmp_path / "16" / "bin"


@pytest.mark.parametrize(
    ("platform", "word"), [("darwin", "brew install postgis"), ("win32", "container"), ("linux", "postgis-3")]
)
def test_each_platform_has_its_remedy(platform: str, word: str) -> None:
    english, chinese = install_remedy(15, platform)
    assert word in english
    assert word in chinese or "容器" in chinese


def test_data_of_a_version_that_is_not_installed_are_not_touched(home: Path) -> None:
    cluster = small(home)
    cluster.layout.data.mkdir(parents=True)
    (cluster.layout.data / "PG_VERSION").write_text("12\n")
    cluster.layout.server.chmod(0o700)
    with pytest.raises(ClusterError, match="made by PostgreSQL 12, which is not installed"):
        cluster.ensure_running()
    assert [entry.name for entry in cluster.layout.data.iterdir()] == ["PG_VERSION"]


def test_a_home_the_servers_account_cannot_reach_names_the_closed_folder(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700 if os.geteuid() == 0 else 0o500)
    with pytest.raises(ClusterError) as caught:
        small(closed / "deep" / "home").ensure_running()
    line = one_line(caught.value, "en")
    assert str(closed) in line
    assert "ONEMAP_HOME" in line
    assert str(closed) in one_line(caught.value, "zh")


def test_a_home_that_cannot_be_made_is_refused(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(ClusterError, match="cannot be used for the database"):
        small(folder / "file" / "home").ensure_running()


def test_a_home_whose_name_a_shell_would_read_is_refused(folder: Path) -> None:
    with pytest.raises(ClusterError, match="cannot be used for the database"):
        small(folder / "$(touch x)").ensure_running()


def test_a_long_home_with_chinese_letters_gets_a_short_private_socket(folder: Path, ready_home: Path) -> None:
    home = folder / ("一张图 " * 12) / ("very-long-" * 9)
    home.parent.mkdir()
    ready_home.rename(home)
    cluster = small(home)
    url = cluster.ensure_running()
    assert url == cluster.url()
    socket = cluster.layout.socket
    assert len(os.fsencode(socket)) < 90
    assert socket.stat().st_mode & 0o077 == 0
    assert cluster.status().running
    cluster.stop()
    socket.rmdir()


def test_a_socket_folder_that_somebody_else_made_is_refused(folder: Path) -> None:
    cluster = small(folder / ("long-name-" * 9))
    socket = cluster.layout.socket
    socket.mkdir(mode=0o777)
    socket.chmod(0o777)
    try:
        with pytest.raises(ClusterError, match="should be a folder of the user"):
            cluster.ensure_running()
    finally:
        socket.rmdir()


def test_a_user_without_the_right_to_write_is_told_so(folder: Path) -> None:
    folder.chmod(0o555)
    answer = call_as(normal_user(), small(folder / "home").ensure_running)
    folder.chmod(0o755)
    assert answer.startswith("ClusterError: The folder")
    assert "cannot be used for the database" in answer
