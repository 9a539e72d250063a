"""The table beside a file: values that the file's format cannot hold, each with its row, whole."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from gis.importing.reading.guards import safe_cell

__all__ = ["Beside", "beside_path"]


def beside_path(path: Path) -> Path:
    """Where the table beside ``path`` stands."""
    return path.with_name(f"{path.stem}.beside.csv")


class Beside:
    """A CSV file (UTF-8 with a byte order mark) that exists only when something was put into it.

    Its columns: the key of the row, the field, the value as text, and why it is here.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = beside_path(path), key
        self._file: IO[str] | None = None
        self._writer: Any = None
        self.count = 0

    def put(self, key: str, field: str, value: str, reason: str) -> None:
        """Note the value of ``field`` in the row called ``key``."""
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8-sig", newline="")
            self._writer = csv.writer(self._file)
            self._writer.writerow([self._key, "field", "value", "reason"])
        self._writer.writerow([safe_cell(key), field, safe_cell(value), reason])
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
