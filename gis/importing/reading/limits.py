"""How large, deep and slow a file may be before it is refused."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gis.settings import Settings

__all__ = ["TRUSTED", "Limits", "limits", "limits_of", "limits_set", "out_of_space"]


@dataclass(frozen=True)
class Limits:
    """Bounds for one file; the defaults are those for files from people we do not know.

    Attributes
    ----------
    file_mb, unzipped_mb, spool_mb : int
        Bytes of the file, of everything in an archive together, and of one file that the reader writes.
    zip_ratio, zip_entries : int
        Unpacked over packed bytes of one entry (asked from 1 MB on), and entries of an archive.
    vertices : int
        Positions of one geometry.
    json_depth, columns, text_chars : int
        Nesting of JSON or XML, attribute columns, characters of one value.
    memory_mb, seconds : int
        What the reading child may take.
    """

    file_mb: int = 200
    unzipped_mb: int = 250
    spool_mb: int = 2048
    zip_ratio: int = 200
    zip_entries: int = 10_000
    vertices: int = 1_000_000
    json_depth: int = 64
    columns: int = 1000
    text_chars: int = 10_000
    memory_mb: int = 1024
    seconds: int = 60


def limits_of(settings: Settings) -> Limits:
    """The limits that ``ONEMAP_IMPORT_*`` sets for files that users send."""
    return Limits(
        file_mb=settings.import_file_mb,
        unzipped_mb=settings.import_unzipped_mb,
        zip_ratio=settings.import_zip_ratio,
        zip_entries=settings.import_zip_entries,
        vertices=settings.import_vertices,
        memory_mb=settings.import_memory_mb,
        seconds=settings.import_seconds,
    )


# For the command line: somebody with a shell on the server may read what is large.
TRUSTED = replace(Limits(), file_mb=20_000, unzipped_mb=20_000, spool_mb=40_000, seconds=3600)

_current: ContextVar[Limits | None] = ContextVar("limits", default=None)


def limits() -> Limits:
    """The limits that hold for the file being read."""
    return _current.get() or Limits()


@contextmanager
def limits_set(held: Limits) -> Iterator[None]:
    """Let ``held`` be what `limits` says within the block."""
    token = _current.set(held)
    try:
        yield
    finally:
        _current.reset(token)


def out_of_space(error: BaseException) -> bool:
    """Does ``error`` say that the disk, or what may be put there, is full? That is no fault of the file."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
