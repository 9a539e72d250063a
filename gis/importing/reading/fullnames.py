"""The table beside a Shapefile that tells its field names in full, as an export writes it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

__all__ = ["NAMES_ENDING", "NAMES_HEAD", "full_names"]

NAMES_ENDING = ".fields.csv"  # behind the Shapefile's name
NAMES_HEAD = ("short", "field")  # how its first row begins
_MOST_BYTES = 1_000_000


def full_names(table: Path, names: Sequence[str]) -> list[str]:
    """``names`` as ``table`` tells them; as they are, where it does not, is not there or is no such table."""
    if not table.is_file() or table.stat().st_size > _MOST_BYTES:
        return list(names)
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = csv.reader(file)
    except (UnicodeDecodeError, csv.Error, ValueError):
        return list(names)
    if tuple(head[:2]) != NAMES_HEAD:
        return list(names)
    told = {row[0]: row[1] for row in rows if len(row) > 1 and row[1].strip()}
    full = [told.get(name, name) for name in names]
    return full if len(set(full)) == len(full) else list(names)
