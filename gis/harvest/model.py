"""What a harvest is, what a kind of source is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gis.harvest.net import Net

__all__ = ["Ask", "Fetched", "Harvest", "Kind", "Wishes"]

Kind = Literal["oapif", "wfs", "arcgis", "postgis", "http"]


@dataclass(frozen=True)
class Wishes:
    """How a source is to be asked and read; kept as JSON.

    Attributes
    ----------
    crs : str
        What the coordinates are taken as, as for an import; "auto": what the source says.
    mapping : mapping of str to str
        Field to column of the source.
    name : str, optional
        The feature type (wfs) or table (postgis, "schema.table").
    where : str, optional
        Only these rows: a condition in SQL (arcgis, postgis).
    updated : str, optional
        The column with the time of the last change; without one every harvest takes the whole.
    whole_every : str
        ISO 8601 duration: how often the whole is taken all the same, since only then deletions show.
    page : int, optional
        Rows a request.
    credentials : str, optional
        Name of the environment variable that holds them; never the credentials themselves.
    """

    crs: str = "auto"
    mapping: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    where: str | None = None
    updated: str | None = None
    whole_every: str = "P1W"
    page: int | None = None
    credentials: str | None = None


@dataclass(frozen=True)
class Harvest:
    """A source that is asked again by the clock; ``every`` None: only when asked for."""

    id: int
    name: str
    layer: str
    source: str
    kind: Kind
    url: str
    wishes: Wishes
    every: str | None
    enabled: bool
    mark: Mapping[str, Any] | None
    full_at: datetime | None
    next_at: datetime | None
    failures: int


@dataclass(frozen=True)
class Ask:
    """What a kind needs to fetch.

    ``mark`` is what the last good run left (tags, newest change, columns); ``whole`` asks for everything.
    ``told(rows, total)`` is called on the way and may raise to stop.
    """

    url: str
    wishes: Wishes
    net: Net
    folder: Path
    mark: Mapping[str, Any]
    whole: bool
    told: Callable[[int, int | None], None]
    credentials: str | None = None


@dataclass(frozen=True)
class Fetched:
    """What came: a file for the import, or None when the source says that nothing has changed.

    ``crs`` is what the source says of the coordinates ("auto": the file says it itself). ``columns`` are
    those the source has now (None: not known before the file is read).
    """

    path: Path | None
    whole: bool
    rows: int | None = None
    crs: str = "auto"
    columns: frozenset[str] | None = None
    mark: Mapping[str, Any] = field(default_factory=dict)
