"""Names of files as strangers give them, made fit for a disk and for eyes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from gis.importing.issues import refused

__all__ = ["dataset", "tidy"]

_LONGEST = 80
_KEPT = frozenset("._-()（） ")
# What belongs to a shapefile beside the .shp; anything else next to it makes no dataset of its own either.
_PARTS = frozenset(
    ".shp .shx .dbf .prj .cpg .qix .qpj .sbn .sbx .fbn .fbx .ain .aih .atx .ixs .mxs .xml .cst".split()
)


def tidy(name: str) -> str:
    """``name`` without folders, control characters and what a disk or a reader could take for more.

    The result is never empty, has at most 80 characters, keeps its last ending, begins with a letter, a
    digit or "_", and is in Unicode's composed form, so that the parts of one dataset keep one stem.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    kept = "".join(c if c.isalnum() or c in _KEPT else "_" for c in last).strip(" .")
    stem, dot, ending = kept.rpartition(".")
    if not dot:
        stem, ending = kept, ""
    ending = ending[:12].lower()
    stem = stem[: _LONGEST - len(ending) - 1].strip(" .") or "file"
    if not (stem[0].isalnum() or stem[0] == "_"):
        stem = f"_{stem[1:]}" if len(stem) > 1 else "_"
    return f"{stem}.{ending}" if ending else stem


def dataset(paths: Sequence[Path]) -> Path:
    """The one file among ``paths`` that stands for the dataset they make together.

    Raises
    ------
    ImportRefused
        "upload_several" when they do not belong to one; "upload_parts" for parts without the .shp itself.
    """
    if len(paths) == 1:
        return paths[0]
    names = "、".join(sorted(path.name for path in paths))
    shapes = [path for path in paths if path.suffix == ".shp"]
    stems = {path.name.split(".")[0].lower() for path in paths}
    if not all(path.suffix in _PARTS for path in paths) or len(stems) > 1 or len(shapes) > 1:
        raise refused("upload_several", value=names)
    if not shapes:
        raise refused("upload_parts", value=names)
    return shapes[0]
