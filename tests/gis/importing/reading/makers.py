"""Real files for the tests of reading, made in the test."""

from __future__ import annotations

import shutil
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import shapely

from gis.errors import ImportRefused
from gis.importing.issues import issue_words
from gis.importing.reading import Header, Limits, ReadOptions, read_file
from gis.importing.reading.spool import GEOM, Reading

NAMES = ["金华江上游站", "𠮷㐂化工", "plain", "婺城区“双龙”厂"]


def frame(rows: int = 12, *, geometry: Iterable[shapely.Geometry] | None = None) -> gpd.GeoDataFrame:
    """Rows of all kinds of columns with nulls in them, at points that use every bit of their coordinates."""
    points = [shapely.Point(119.6 + i / 7, 29.1 + i / 13) for i in range(rows)]
    return gpd.GeoDataFrame(
        {
            "code": [f"{i:04d}" for i in range(rows)],
            "name": [NAMES[i % len(NAMES)] for i in range(rows)],
            "note": [None if i % 3 == 0 else f"n{i}" for i in range(rows)],
            "size": [i / 3 if i % 4 else None for i in range(rows)],
            "count": [10**12 + i for i in range(rows)],
            "since": [pd.Timestamp(2024, 1, 1 + i % 28).date() for i in range(rows)],
        },
        geometry=list(geometry) if geometry is not None else points,
        crs=4490,
    )


def write(held: gpd.GeoDataFrame, path: Path, **options: Any) -> Path:
    """Write with GDAL, whose remarks on names and types are not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        held.to_file(path, engine="pyogrio", use_arrow=True, **options)
    return path


def shapefile(folder: Path, held: gpd.GeoDataFrame | None = None, *, encoding: str = "UTF-8") -> Path:
    """A Shapefile a.shp in ``folder``."""
    folder.mkdir(exist_ok=True)
    return write(frame() if held is None else held, folder / "a.shp", encoding=encoding)


def zipped(path: Path, files: Mapping[str, bytes], **options: Any) -> Path:
    """A ZIP of ``files``."""
    with zipfile.ZipFile(path, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def parts(shp: Path, stem: str = "a") -> dict[str, bytes]:
    """The files of a Shapefile as the members of an archive."""
    return {f"{stem}{p.suffix}": p.read_bytes() for p in sorted(shp.parent.glob(f"{shp.stem}.*"))}


def table(path: Path, options: ReadOptions | None = None) -> tuple[Header, pa.Table, Reading]:
    """What is read: header, rows, reading (whose rows are gone)."""
    with read_file(path, options or ReadOptions()) as reading:
        return reading.header, pa.Table.from_batches(list(reading.batches())), reading


def coordinates(rows: pa.Table) -> list[tuple[float, float] | None]:
    """x and y of the rows, which are points or null."""
    return [None if wkb is None else struct.unpack("<dd", wkb[5:]) for wkb in rows.column(GEOM).to_pylist()]


def reason(path: Path, options: ReadOptions | None = None, limits: Limits | None = None) -> str:
    """The code with which the file is refused; its words are there in both languages."""
    try:
        read_file(path, options or ReadOptions(), limits=limits or Limits()).close()
    except ImportRefused as error:
        assert error.reason in issue_words() and error.zh and error.en != error.zh
        assert error.remedy_zh
        return error.reason
    return "read"


def patched(content: bytes, at: int, new: bytes) -> bytes:
    """``content`` with ``new`` put over what is at ``at``."""
    return content[:at] + new + content[at + len(new) :]


def png() -> bytes:
    """The beginning of a picture."""
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2


def copy_tree(source: Path, target: Path, change: Callable[[Path], object]) -> Path:
    """A copy of a folder, changed."""
    shutil.copytree(source, target)
    change(target)
    return target
