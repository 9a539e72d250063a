"""Whatever becomes of the bytes of a good file: rows that add up, or a refusal in words."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gis.errors import ImportRefused
from gis.importing.issues import issue_words
from gis.importing.reading import read_file
from tests.gis.importing.reading.makers import frame, shapefile, write

KINDS: dict[str, Callable[[Path], object]] = {
    "shapefile": lambda folder: shapefile(folder),
    "gpkg": lambda folder: write(frame(), folder / "a.gpkg"),
    "flatgeobuf": lambda folder: write(frame(), folder / "a.fgb"),
    "geoparquet": lambda folder: frame().to_parquet(folder / "a.parquet"),
    "filegdb": lambda folder: write(frame(), folder / "a.gdb", driver="OpenFileGDB"),
    "dxf": lambda folder: write(frame()[["geometry"]], folder / "a.dxf", driver="DXF"),
}


def _damage(content: bytes, chance: random.Random) -> bytes:
    raw = bytearray(content)
    kind = chance.random()
    if kind < 0.25:
        return bytes(raw[: chance.randrange(len(raw))])
    if kind < 0.75:
        for _ in range(chance.choice([1, 2, 8, 64])):
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        return bytes(raw)
    at, length = chance.randrange(len(raw)), chance.choice([4, 64, 500])
    raw[at : at + length] = chance.randbytes(length)
    return bytes(raw)


def _holds(path: Path) -> None:
    try:
        with read_file(path) as reading:
            rows = 0
            for batch in reading.batches():
                rows += len(batch.to_pylist())
            assert rows == reading.header.rows
            assert all(-1 <= issue.row < rows and issue.code in issue_words() for issue in reading.issues)
    except ImportRefused as error:
        assert error.reason in issue_words()
        assert not error.reason.startswith("reader_"), f"{path} broke its reader"


def _try(kind: str, folder: Path, times: int, seed: int) -> None:
    good = folder / "good"
    good.mkdir()
    KINDS[kind](good)
    whole = good / "a.gdb" if kind == "filegdb" else good
    chance = random.Random(seed)
    for number in range(times):
        copy = folder / f"{number}{whole.suffix}"
        shutil.copytree(whole, copy)
        files = sorted(f for f in copy.iterdir() if f.stat().st_size)
        hit = chance.choice(files)
        hit.write_bytes(_damage(hit.read_bytes(), chance))
        _holds(copy if kind in ("filegdb", "shapefile") else hit)
        shutil.rmtree(copy)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    _try(kind, tmp_path, 6, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files(tmp_path: Path, kind: str, seed: int) -> None:
    _try(kind, tmp_path, 100, seed=100 + seed)
