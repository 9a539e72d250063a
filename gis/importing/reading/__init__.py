"""Any file as rows: what kind it is, what it holds, and the rows themselves, read in a child process."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from gis.importing.issues import refused
from gis.importing.reading.limits import TRUSTED, Limits, limits_of, out_of_space
from gis.importing.reading.spool import GEOM, ROW, Header, Reading, ReadOptions, Spool

__all__ = [
    "GEOM",
    "ROW",
    "TRUSTED",
    "Header",
    "Limits",
    "ReadOptions",
    "Reading",
    "Spool",
    "limits_of",
    "read_file",
]

_DEFAULT_OPTIONS, _DEFAULT_LIMITS = ReadOptions(), Limits()


def read_file(
    path: Path,
    options: ReadOptions = _DEFAULT_OPTIONS,
    *,
    folder: Path | None = None,
    limits: Limits = _DEFAULT_LIMITS,
    name: str | None = None,
) -> Reading:
    """What the file, or the folder of a Shapefile or file geodatabase, holds.

    Coordinates stay as they are in the file, in x,y order, in the CRS that ``header.declared_crs``
    states (None: it states none); Z and M are dropped. Each row of the file is a row of the reading;
    one that cannot be read is there with nulls and an issue of severity "error".

    Parameters
    ----------
    path :
        Read by content; its name decides only what content leaves open. A .shp takes its parts from
        beside it.
    folder :
        Where the rows are kept; by default a folder of the reading's own, removed when it is closed.
    limits :
        Untrusted files by default; `TRUSTED` for the command line.
    name :
        What the uploader called the file, if ``path`` has another name.

    Raises
    ------
    ImportRefused
        When the file is missing, empty, too large, of an unknown kind, broken, hostile, or its reader had to
        be ended; ``reason`` says which. Nothing else is raised for anything a file may hold.
    """
    from gis.importing.reading.laying import lay_out
    from gis.importing.reading.sandbox import read_in_child

    name = name or path.name
    held = folder or Path(tempfile.mkdtemp(prefix=f"onemap-rows-{os.getpid()}-"))
    try:
        with lay_out(path, limits) as laid:
            read_in_child(laid, name, options, limits, held)
        try:
            return Reading.load(held, owned=folder is None)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise refused("reader_failed", value=name) from error
    except BaseException as error:
        _tidy(held, whole=folder is None)
        if out_of_space(error):
            raise refused("disk_full") from error
        raise


def _tidy(held: Path, *, whole: bool) -> None:
    if whole:
        shutil.rmtree(held, ignore_errors=True)
    for made in ("reading.json", "rows.arrow"):
        (held / made).unlink(missing_ok=True)
