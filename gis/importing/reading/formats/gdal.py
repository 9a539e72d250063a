"""FlatGeobuf, file geodatabase and DXF, and the way through GDAL that GeoPackage and Shapefile share.

GDAL is given only files whose content is known, runs with five drivers, and in the child. Its records come as
an Arrow stream and leave as one: nothing is held but a batch.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
import pyogrio.raw

from gis.errors import ImportRefused
from gis.importing.issues import Issue, refused
from gis.importing.reading.columns import check_columns, clip, plain_column, plain_geometry
from gis.importing.reading.limits import out_of_space
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["choose_layer", "layer_names", "read", "spool_layer"]

_ROWS = 65_536
_CODE_PAGE = re.compile(rb"\$DWGCODEPAGE\s+3\s+(\w+)")
_VERSION = re.compile(rb"\$ACADVER\s+1\s+(AC\d{4})")
_OTHER_PAGES = {"ansi_932", "ansi_949", "ansi_950", "ansi_1250", "ansi_1251"}
# A layer of geometry is what a file is about; tables beside it are looked at only where there is none.
_NO_GEOMETRY = (None, "None", "")


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Spool the one layer, or the one that ``options.member`` names, of a file whose content has been seen.

    Coordinates in the CRS of the file, x,y. An empty layer gives no row.

    Raises
    ------
    ImportRefused
        several_layers, member_missing, file_unreadable, row_count_mismatch, too_many_columns.
    """
    kind = _kind(path)
    names = layer_names(path)
    layer = choose_layer(names, options.member)
    claimed = _claimed(path, layer)
    encoding = _let_bytes_through(path) if kind == "dxf" else None
    facts = spool_layer(path, layer, spool, keep=_looks if kind == "dxf" else None)
    if encoding is not None:
        spool.issues = [issue for issue in spool.issues if issue.code != "encoding_detected"]
    if claimed is not None and spool.rows < claimed:
        raise refused("row_count_mismatch", value=str(spool.rows), expected=str(claimed))
    return Header(
        format=kind,
        member=layer,
        members=tuple(names),
        encoding=encoding,
        declared_crs=declared(facts["crs"]),
        columns=tuple(facts["columns"]),
        rows_claimed=claimed,
    )


def _let_bytes_through(path: Path) -> str | None:
    """Have GDAL hand over a DXF's text as its bytes, to be decoded here; the encoding that the file states.

    A drawing states its code page in $DWGCODEPAGE, from AutoCAD 2007 on (AC1021) it is UTF-8. Chinese
    drawings say ANSI_936, or ANSI_1252 and do not mean it.
    """
    with path.open("rb") as file:
        head = file.read(65_536)
    page = _CODE_PAGE.search(head)
    name = page[1].decode().lower() if page else ""
    version = _VERSION.search(head)
    if version and version[1] >= b"AC1021":
        return "UTF-8"
    if name in _OTHER_PAGES:
        return None
    pyogrio.set_gdal_config_options({"DXF_ENCODING": "UTF-8"})
    return "GB18030" if "936" in name or "gb" in name else None


def _kind(path: Path) -> str:
    if path.is_dir():
        return "filegdb"
    with path.open("rb") as file:
        return "flatgeobuf" if file.read(3) == b"fgb" else "dxf"


def _looks(name: str) -> bool:
    """Of a DXF, what people mean by its attributes: the handles and classes of its objects are not."""
    return name in ("Layer", "Text", "EntityHandle", "BlockName")


def _claimed(path: Path, layer: str) -> int | None:
    with _told():
        count = int(pyogrio.read_info(path, layer=layer)["features"])
    return count if count >= 0 else None


def declared(crs: str | None) -> str | None:
    """The CRS as stated; None for one that says no more than that there are metres."""
    if not crs or crs.lstrip().upper().startswith(("LOCAL_CS", "ENGCRS", "ENGINEERINGCRS")):
        return None
    return crs


@contextmanager
def _told() -> Iterator[None]:
    """Turn what GDAL says into a refusal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImportRefused:
        raise
    except MemoryError:
        raise
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.FieldError,
        pyogrio.errors.CRSError,
        pa.ArrowException,
        RuntimeError,
        ValueError,
        UnicodeDecodeError,
        OSError,
    ) as error:
        if out_of_space(error):
            raise
        raise refused("file_unreadable", value=clip(str(error).partition("\n")[0])) from error


def layer_names(path: Path) -> list[str]:
    """The layers with geometry, or the tables where there is none. Raises ImportRefused."""
    with _told():
        rows = pyogrio.list_layers(path)
    with_geometry = [str(name) for name, kind in rows if kind not in _NO_GEOMETRY]
    names = with_geometry or [str(name) for name, _ in rows]
    if not names:
        raise refused("empty_file", value=path.name)
    return names


def choose_layer(names: list[str], member: str | None) -> str:
    """``member`` if it is one of ``names``, else the only one.

    Raises
    ------
    ImportRefused
        member_missing, several_layers.
    """
    shown = "、".join(names[:50])
    if member is not None:
        if member in names:
            return member
        raise refused("member_missing", value=member, expected=shown)
    if len(names) > 1:
        raise refused("several_layers", value=str(len(names)), expected=shown)
    return names[0]


def spool_layer(
    path: Path,
    layer: str | None,
    spool: Spool,
    *,
    keep: Callable[[str], bool] | None = None,
    lost: Callable[[np.ndarray[Any, Any]], dict[int, str]] | None = None,
    **open_options: object,
) -> dict[str, Any]:
    """Stream a layer into the spool; the facts that GDAL states of it ("crs", "columns").

    ``keep`` says which columns to take. ``lost`` is asked, for the identifiers of rows that have come
    without geometry, which of them should have had one, and why it is unreadable.
    """
    with (
        _told(),
        pyogrio.raw.open_arrow(
            path, layer=layer, use_pyarrow=True, return_fids=True, batch_size=_ROWS, **open_options
        ) as (facts, stream),
    ):
        # The stream has fid first and geometry last; attributes may well bear the same names.
        fields = [str(name) for name in facts["fields"]]
        places = {name: number for number, name in enumerate(fields, 1) if keep is None or keep(name)}
        check_columns(list(places))
        for batch in stream:
            first = spool.rows
            shape, issues = _geometry(batch, len(fields), first, lambda a, n: _again(path, layer, a, n))
            if lost is not None and shape.null_count:
                rows = np.flatnonzero(shape.is_null().to_numpy(zero_copy_only=False))
                fids = batch.column(0).to_numpy()[rows]
                by_fid, told = lost(fids), {issue.row for issue in issues}
                issues += [
                    Issue(first + int(row), None, by_fid[int(number)], "geometry_unreadable")
                    for row, number in zip(rows, fids, strict=True)
                    if int(number) in by_fid and first + int(row) not in told
                ]
            columns = []
            for name, place in places.items():
                if not _steady(batch.column(place)):
                    raise refused("file_unreadable", value=name)
                column, found = plain_column(batch.column(place), name, first)
                columns.append(column)
                issues += found
            spool.issues += issues
            spool.add(shape, list(places), columns)
    return {"crs": facts["crs"], "columns": list(places)}


def _geometry(
    batch: pa.RecordBatch, fields: int, first: int, again: Callable[[int, int], pa.Array]
) -> tuple[pa.Array, list[Issue]]:
    if batch.num_columns < fields + 2:  # a table without geometry
        return pa.nulls(batch.num_rows, pa.binary()), []
    shape = batch.column(batch.num_columns - 1)
    shape = shape.storage if isinstance(shape, pa.ExtensionArray) else shape
    if not _steady(shape):
        shape = again(first, batch.num_rows)
    # A record of a FlatGeobuf table without geometry comes with no bytes instead of null.
    return plain_geometry(pc.if_else(pc.equal(pc.binary_length(shape), 0), None, shape), first)


def _steady(column: pa.Array) -> bool:
    """Does each value begin where the one before it ends?

    GDAL 3.12 writes the geometry that follows a null one of a FlatGeobuf over the first of the batch.
    """
    if not (pa.types.is_binary(column.type) or pa.types.is_string(column.type)):
        return True
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    return bool((offsets[1:] >= offsets[:-1]).all())


def _again(path: Path, layer: str | None, first: int, rows: int) -> pa.Array:
    """The geometry of some rows, read one by one."""
    found = pyogrio.raw.read(path, layer=layer, columns=[], skip_features=first, max_features=rows)[2]
    return pa.array(list(found), pa.binary())
