"""Text-like files read in this process, as the child does it."""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import shapely

from gis.errors import ImportRefused
from gis.importing.issues import issue_words
from gis.importing.reading.formats import reader
from gis.importing.reading.spool import GEOM, Reading, ReadOptions, Spool


def take(format: str, content: str | bytes, folder: Path, **options: str | None) -> Reading:
    """The reading of a file with ``content``; also holds what must hold for any."""
    held = Path(tempfile.mkdtemp(dir=folder))
    path = held / "given"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    spool = Spool(held)
    spool.finish(reader(format)(path, ReadOptions(**options), spool))
    reading = Reading.load(held)
    assert not (held / "drafts.arrow").exists()
    assert all(issue.code in issue_words() for issue in reading.issues)
    return reading


def reason(format: str, content: str | bytes, folder: Path, **options: str | None) -> str:
    """The code that the file is refused with."""
    with pytest.raises(ImportRefused) as refusal:
        take(format, content, folder, **options)
    assert not _open_in(folder)  # the refusal holds on to the frames that it came through
    assert refusal.value.zh != refusal.value.en
    return refusal.value.reason


def _open_in(folder: Path) -> list[str]:
    """The files in a folder that this process has open."""
    held = []
    for entry in os.scandir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the scan itself
            held.append(os.readlink(entry.path))
    return [path for path in held if path.startswith(f"{folder}/")]


def rows(reading: Reading) -> list[dict[str, object]]:
    return [row for batch in reading.batches() for row in batch.select(reading.header.columns).to_pylist()]


def column(reading: Reading, name: str) -> list[object]:
    return [row[name] for row in rows(reading)]


def wkt(reading: Reading) -> list[str | None]:
    """The geometries with every digit, None where there is none."""
    return [
        None if wkb is None else shapely.to_wkt(shapely.from_wkb(wkb), rounding_precision=-1)
        for batch in reading.batches()
        for wkb in batch.column(GEOM).to_pylist()
    ]


def found(reading: Reading) -> list[tuple[int, str, str]]:
    """Row, severity and code of each issue."""
    return [(issue.row, issue.severity, issue.code) for issue in reading.issues]


def good(reading: Reading) -> int:
    """The rows without an error."""
    return reading.header.rows - len({i.row for i in reading.issues if i.severity == "error"})


def assert_whole(format: str, content: bytes, folder: Path) -> None:
    """Refused in words, or every row is there, good or with a reason."""
    try:
        reading = take(format, content, folder)
    except ImportRefused as refusal:
        assert refusal.reason in issue_words()
        return
    assert sum(batch.num_rows for batch in reading.batches()) == reading.header.rows
    assert 0 <= good(reading) <= reading.header.rows
    assert all(-1 <= issue.row < reading.header.rows for issue in reading.issues)


def damaged(content: bytes, source: random.Random) -> bytes:
    """``content`` with some bytes cut, changed or put in, or its end missing."""
    held = bytearray(content)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(held))
        held[place : place + source.randint(0, 3)] = source.randbytes(source.randint(0, 3))
    return bytes(held if source.random() < 0.9 else held[: source.randrange(len(held))])
