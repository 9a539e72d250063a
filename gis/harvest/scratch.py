"""Features that came in pages, put together as one GeoJSON file for the import."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["FeatureFile"]


class FeatureFile:
    """Writes features as they come; use as a context manager.

    Attributes
    ----------
    rows : int
        Features so far.
    columns : set of str
        The names of their properties.
    ids : set
        Their identifiers; one that comes twice says that pages overlapped.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "harvest.geojson"
        self.rows = 0
        self.repeated = 0
        self.columns: set[str] = set()
        self.ids: set[str | int] = set()

    def __enter__(self) -> Self:
        self._file = self.path.open("w", encoding="utf-8")
        self._file.write('{"type":"FeatureCollection","features":[')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.write("\n]}\n")
        self._file.close()

    def add(self, features: Iterable[Mapping[str, Any]]) -> None:
        """Append features; of each only id, geometry and properties are kept."""
        for feature in features:
            properties = feature.get("properties") or {}
            kept: dict[str, Any] = {
                "type": "Feature", "geometry": feature.get("geometry"), "properties": properties,
            }  # fmt: skip
            own = feature.get("id")
            if isinstance(own, str | int):
                kept["id"] = own
                if own in self.ids:
                    self.repeated += 1
                self.ids.add(own)
            self.columns.update(properties)
            self._file.write(",\n" if self.rows else "\n")
            json.dump(kept, self._file, ensure_ascii=False, separators=(",", ":"))
            self.rows += 1
