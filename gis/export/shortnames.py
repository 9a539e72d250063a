"""Field names of a DBF file: 10 bytes, each its own, and the table that says which is which."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from gis.export.content import Column
from gis.importing.reading.fullnames import NAMES_ENDING, NAMES_HEAD
from gis.importing.reading.guards import safe_cell

__all__ = ["names_path", "short_names", "write_names"]

_BYTES = 10


def names_path(path: Path) -> Path:
    """Where the table of names of the Shapefile ``path`` stands."""
    return path.with_name(path.stem + NAMES_ENDING)


def short_names(names: Sequence[str], codec: str) -> list[str]:
    """For each name one of at most 10 bytes in ``codec``, no two alike in upper or lower case.

    A name that is short enough stays as it is; the others are cut, and numbered where they would be alike.
    """
    taken = {name.lower() for name in names if _fits(name, codec)}
    kept: set[str] = set()
    found = []
    for name in names:
        if _fits(name, codec) and name.lower() not in kept:
            kept.add(name.lower())
            found.append(name)
            continue
        short, number = _cut(name, _BYTES, codec), 0
        while short.lower() in taken:
            number += 1
            short = _cut(name, _BYTES - len(str(number)), codec) + str(number)
        taken.add(short.lower())
        found.append(short)
    return found


def _fits(name: str, codec: str) -> bool:
    return 0 < len(name.encode(codec, "replace")) <= _BYTES and _cut(name, _BYTES, codec) == name


def _cut(name: str, size: int, codec: str) -> str:
    """The beginning of ``name`` in ``size`` bytes: whole characters, and only those of ``codec``."""
    whole = name.encode(codec, "ignore")[:size].decode(codec, "ignore").strip()
    return whole or "f"


def write_names(path: Path, columns: Sequence[Column], names: Sequence[str]) -> None:
    """The table beside the Shapefile ``path``: short name, field, titles, unit, type."""
    with names_path(path).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*NAMES_HEAD, "title_zh", "title_en", "unit", "type"])
        for column, short in zip(columns, names, strict=True):
            told = (short, column.name, column.zh, column.en, column.unit or "")
            writer.writerow([*map(safe_cell, told), column.kind])
