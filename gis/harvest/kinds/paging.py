"""What sources that answer in pages have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gis.harvest.scratch import FeatureFile
from gis.importing.issues import refused

__all__ = ["complete", "newest", "next_link"]


def next_link(page: Mapping[str, Any]) -> str | None:
    """The address of the next page, as the page gives it."""
    for link in page.get("links") or ():
        if isinstance(link, Mapping) and link.get("rel") == "next" and link.get("href"):
            if "html" not in str(link.get("type", "")):
                return str(link["href"])
    return None


def complete(file: FeatureFile, expected: object) -> None:
    """Refuse what is not whole: fewer or more rows than the source says it has, or a row twice."""
    if isinstance(expected, int) and file.rows != expected:
        raise refused("harvest_incomplete", value=str(file.rows), expected=str(expected))
    if file.repeated:
        raise refused(
            "harvest_incomplete", value=f"{file.rows} (-{file.repeated})", expected=str(expected or file.rows)
        )


def newest(latest: Any, features: Iterable[Mapping[str, Any]], column: str | None) -> Any:
    """The greatest value of ``column`` so far; times as ISO 8601 texts compare as they are."""
    if column is None:
        return latest
    values = [f.get("properties", {}).get(column) for f in features]
    return max((v for v in [latest, *values] if v is not None), default=None)
