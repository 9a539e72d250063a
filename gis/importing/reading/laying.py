"""What lies on disk, made ready for the child: one file, or the parts of a Shapefile or geodatabase."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gis.importing.issues import refused
from gis.importing.reading.fence import NOBODY
from gis.importing.reading.fullnames import NAMES_ENDING
from gis.importing.reading.limits import Limits
from gis.importing.reading.sniff import SHP_MAGIC

__all__ = ["lay_out"]

_PARTS = (".shp", ".dbf", ".shx", ".prj", ".cpg")
_TABLE = re.compile(r"a[0-9a-f]{8}\.[A-Za-z0-9_.]{1,60}|gdb|timestamps")


@contextmanager
def lay_out(path: Path, limits: Limits) -> Iterator[Path]:
    """``path`` itself, or a folder with copies of the parts that belong together, gone at the end.

    Raises
    ------
    ImportRefused
        file_missing, file_too_large, no_shapefile, several_layers.
    """
    if not path.exists():
        raise refused("file_missing", value=str(path))
    parts = _parts(path, limits)
    size = sum(_size(part) for part in parts)
    if size > limits.file_mb * 2**20:
        raise refused("file_too_large", value=f"{size // 1_000_000} MB", expected=f"{limits.file_mb} MB")
    if parts == [path]:
        yield path
        return
    from gis.importing.reading.sandbox import scratch_folder

    with scratch_folder() as outer:
        laid = outer / ("a.gdb" if _is_geodatabase(parts) else "a")
        laid.mkdir()
        for part in parts:
            copy = laid / (part.name if laid.suffix else f"a{part.suffix.lower()}")
            shutil.copyfile(part, copy)
            if os.geteuid() == 0:
                os.chown(copy, NOBODY, NOBODY)
        if os.geteuid() == 0:
            os.chown(laid, NOBODY, NOBODY)
        yield laid


def _parts(path: Path, limits: Limits) -> list[Path]:
    if path.is_file():
        if path.suffix.lower() != ".shp":
            return [path]
        with path.open("rb") as file:
            genuine = file.read(4) == SHP_MAGIC
        return _beside(path) if genuine else [path]
    if not path.is_dir():
        raise refused("file_missing", value=str(path))
    files = []
    for entry in os.scandir(path):
        if entry.is_file(follow_symlinks=False):
            files.append(Path(entry.path))
        if len(files) > limits.zip_entries:
            raise refused("too_many_entries", value=str(len(files)), expected=str(limits.zip_entries))
    tables = [file for file in sorted(files) if _TABLE.fullmatch(file.name)]
    if _is_geodatabase(tables):
        return tables
    shapes = [file for file in files if file.suffix.lower() == ".shp"]
    if not shapes:
        raise refused("no_shapefile", value=path.name)
    if len(shapes) > 1:
        raise refused("several_layers", value=str(len(shapes)),
                      expected="、".join(sorted(s.stem for s in shapes)))  # fmt: skip
    return _beside(shapes[0])


def _beside(shp: Path) -> list[Path]:
    """The parts of one Shapefile, case aside, each once."""
    found = {".shp": shp}
    for file in shp.parent.iterdir():
        suffix = file.suffix.lower()
        if suffix in _PARTS and file.stem.lower() == shp.stem.lower() and stat.S_ISREG(file.lstat().st_mode):
            found.setdefault(suffix, file)
        elif file.name.lower() == f"{shp.stem.lower()}{NAMES_ENDING}" and stat.S_ISREG(file.lstat().st_mode):
            found.setdefault(NAMES_ENDING, file)
    return list(found.values())


def _is_geodatabase(files: list[Path]) -> bool:
    return any(file.suffix == ".gdbtable" for file in files)


def _size(path: Path) -> int:
    return path.stat().st_size
