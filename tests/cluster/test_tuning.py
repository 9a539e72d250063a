"""Settings follow the memory at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from gis.cluster import tuning


@pytest.mark.parametrize(
    ("memory_mb", "buffers", "sort"),
    [
        (128, "32MB", "4MB"),
        (1024, "170MB", "10MB"),
        (24_576, "4096MB", "256MB"),
        (1_000_000, "4096MB", "256MB"),
    ],
)
def test_buffers_and_sorts_grow_with_memory_within_bounds(memory_mb: int, buffers: str, sort: str) -> None:
    settings = tuning.server_settings(memory_mb, 2, Path("/run/x"), durable=True)
    assert (settings["shared_buffers"], settings["work_mem"]) == (buffers, sort)


def test_a_containers_limit_counts_instead_of_the_machines_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(tuning, "_LIMIT_FILES", (limit, tmp_path / "absent"))
    limit.write_text("max\n")
    unlimited = tuning.machine_memory_mb()
    limit.write_text(f"{64 << 20}\n")
    assert tuning.machine_memory_mb() == 64 < unlimited


def test_only_tests_give_up_crash_safety() -> None:
    assert "fsync" not in tuning.server_settings(1024, 2, Path("/run/x"), durable=True)
    assert tuning.server_settings(1024, 2, Path("/run/x"), durable=False)["fsync"] == "off"


def test_the_log_is_compressed_by_what_the_server_knows() -> None:
    named = [
        tuning.server_settings(1024, 2, Path("/run/x"), durable=True, lz4=lz4)["wal_compression"]
        for lz4 in (True, False)
    ]
    assert named == ["lz4", "on"]


def test_small_shared_memory_of_a_container_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tuning, "_SHARED_MEMORY", tmp_path / "absent")
    assert tuning._dynamic_memory_kind() == "mmap"


def test_the_running_server_has_the_settings(database: Engine) -> None:
    with database.connect() as connection:
        found = {
            name: connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("jit", "shared_buffers", "server_encoding", "data_checksums", "timezone")
        }
    assert found == {
        "jit": "off",
        "shared_buffers": "170MB",
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "timezone": "UTC",
    }


def test_values_are_quoted_for_the_settings_file() -> None:
    assert tuning.render({"a": "it's", "b": 1}, Path("/x/local.conf")).splitlines()[1:] == [
        "a = 'it''s'",
        "b = '1'",
        "include_if_exists = '/x/local.conf'",
    ]
