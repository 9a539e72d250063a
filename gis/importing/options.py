"""What an import is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection

from gis.applying import Mode
from gis.importing.issues import Issue
from gis.importing.reading.spool import Header, ReadOptions
from gis.revisions import Change

__all__ = [
    "ISSUES_SHOWN",
    "Count",
    "ImportOptions",
    "ImportResult",
    "Outside",
    "Progress",
    "SourceInfo",
    "no_progress",
]

# So many findings travel with a result; all are in core.rejects, and `ImportResult.counts` counts all.
ISSUES_SHOWN = 10_000

Outside = Literal["refuse", "keep"]
Progress = Callable[[str, int, int | None], None]


def no_progress(_phase: str, _done: int, _total: int | None) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class SourceInfo:
    """Where data come from. ``accuracy_m`` is a bound of the position error; None is unknown, not zero."""

    name: str
    title_zh: str = ""
    title_en: str = ""
    bureau: str | None = None
    licence: str | None = None
    attribution: str | None = None
    url: str | None = None
    accuracy_m: float | None = None
    is_demonstration: bool = False


@dataclass(frozen=True)
class ImportOptions:
    """How to read a file and what to do with it.

    Attributes
    ----------
    crs : str
        "auto" takes what the file declares, or a clear winner of the evidence; else a name such as
        "EPSG:4549", "GCJ-02", "BD-09", with " swapped" behind it when y comes first.
    crs_groups : mapping of int to str
        The CRS of single groups of rows, as the proposal numbers them.
    mapping : mapping of str to str
        Field to column, where the names do not say it.
    outside : "refuse" or "keep"
        What becomes of rows that lie wholly beyond the district's extent.
    accept_offer : bool
        Take the first candidate of the CRS proposal also where it is no clear winner.
    coverage : Path, optional
        Polygons within which the data are complete.
    map_file : Path, optional
        On a dry run: where to draw the difference, .html or .geojson.
    map_rows : int, optional
        The most rows of each kind of change that are drawn there.
    rehearsed : callable, optional
        On a dry run that would change something: called with the connection while the rows are written for
        a trial; everything is taken back afterwards.
    allow_large_close : bool
        Let a replace close more than a fifth of the source's rows.
    close_beside_refused : bool
        Let a replace close rows although some of the file's rows were refused; those may be the very same
        rows, so nobody who imports unseen should.
    """

    source: SourceInfo
    crs: str = "auto"
    mapping: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "upsert"
    dry_run: bool = False
    coverage: Path | None = None
    who: str = "onemap"
    allow_large_close: bool = False
    close_beside_refused: bool = True
    crs_groups: Mapping[int, str] = field(default_factory=dict)
    read: ReadOptions = field(default_factory=ReadOptions)
    outside: Outside = "refuse"
    accept_offer: bool = False
    map_file: Path | None = None
    map_rows: int | None = None
    rehearsed: Callable[[Connection], None] | None = None


@dataclass(frozen=True)
class Count:
    """How many findings of one kind are in one field, and the first of them (row from 0; -1: the file)."""

    code: str
    field: str | None
    severity: str
    rows: int
    first_row: int
    first_value: str | None


@dataclass(frozen=True)
class ImportResult:
    """What came of a file. Always ``good + bad == total``.

    ``change.rev`` is None when nothing changed or on a dry run; ``issues`` holds at most `ISSUES_SHOWN` of
    the findings, ``counts`` counts them all; ``repeated`` says that the very same import was made before and
    that nothing has touched the layer since.
    """

    layer: str
    file: str
    total: int
    good: int
    bad: int
    change: Change
    issues: list[Issue]
    transformation: str | None
    repaired: int = 0
    warned: int = 0
    run_id: int | None = None
    counts: tuple[Count, ...] = ()
    header: Header | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    used_crs: str | None = None
    proposal: dict[str, Any] | None = None
    repeated: bool = False
    map_file: str | None = None
