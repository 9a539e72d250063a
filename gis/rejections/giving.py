"""The refused rows of a run as a file of the kind they came in, with the reasons, to be mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from sqlalchemy import Connection, RowMapping, select

from gis import tables
from gis.errors import ExportRefused, NotFound
from gis.export import WriteOptions
from gis.export.formats import FORMATS, writer_for, written_whole
from gis.rejections.held import HeldRows
from layers.model import Layer

__all__ = ["GivenBack", "export_rejects", "find_run"]

# What a file of each kind is given back as: the same where it can be written, else what holds the same.
_ENDINGS = {
    "geojson": ".geojson",
    "geojsonseq": ".geojson",
    "shapefile": ".zip",
    "gpkg": ".gpkg",
    "flatgeobuf": ".fgb",
    "geoparquet": ".parquet",
    "filegdb": ".gpkg",
    "kml": ".kml",
    "dxf": ".gpkg",
    "csv": ".csv",
    "xlsx": ".xlsx",
    "boundary-points": ".geojson",
    "wkt": ".csv",
    "wkb": ".csv",
}
_TABLES = (".csv", ".xlsx")
_CODECS = {"gbk": "gbk", "cp936": "gbk", "gb2312": "gbk", "gb18030": "gb18030"}


@dataclass(frozen=True)
class GivenBack:
    """``rows`` of run ``run_id`` in the file ``path``; ``files`` are all that were made."""

    run_id: int
    path: Path
    rows: int
    files: tuple[Path, ...]
    beside: int


def find_run(conn: Connection, run_id: int) -> RowMapping:
    """The import run ``run_id``; NotFound when there is none."""
    runs = tables.import_runs
    row = conn.execute(select(runs).where(runs.c.run_id == run_id)).mappings().first()
    if row is None:
        raise NotFound(
            f"There is no import run {run_id}.",
            f"没有导入批次 {run_id}。",
            remedy_en="See `onemap rejects list`.",
            remedy_zh="见 `onemap rejects list`。",
        )
    return row


def export_rejects(
    conn: Connection,
    run_id: int,
    place: Path,
    *,
    layers: Mapping[str, Layer] | None = None,
    ending: str | None = None,
    severities: Sequence[str] = ("error",),
    is_open: bool = False,
) -> GivenBack:
    """Write the rows of import run ``run_id`` that were refused, as they were read, with the reasons.

    All columns and values of the file come back, the geometry in the file's own coordinates, and beside them
    `ROW_NUMBER` and `REASONS` of `gis.importing.returned`, which an import leaves aside.

    Parameters
    ----------
    place : Path
        A file whose ending says the format, or a folder: then the file is called after the imported one and
        has its format, or one that holds the same.
    layers :
        The definitions, from which the words say what a value should have been.
    ending : str, optional
        The format for a folder, such as ".xlsx".
    severities :
        Of "error", "repair" and "warning"; by default only rows that were refused.
    is_open :
        Leave out rows that a later run has taken.

    Raises
    ------
    NotFound
        When there is no such run.
    ExportRefused
        When the format is not known or cannot hold the rows, or the file cannot be written.
    """
    run = find_run(conn, run_id)
    held = HeldRows(conn, run, (layers or {}).get(run["layer"]), severities, is_open)
    if not place.is_dir():
        return _write(held, place)
    stem = PurePath(run["file"]).stem
    if ending is not None:
        return _write(held, place / f"{stem}-rejects{ending}")
    own = _own_ending(run, held)
    try:
        return _write(held, place / f"{stem}-rejects{own}")
    except ExportRefused:
        # Shapes of several kinds, or rows without a place: what this one can hold anyway.
        if own in (".gpkg", *_TABLES):
            raise
        return _write(held, place / f"{stem}-rejects.gpkg")


def _own_ending(run: RowMapping, held: HeldRows) -> str:
    suffix = PurePath(run["file"]).suffix.lower()
    known = _ENDINGS.get(run["format"] or "", suffix if suffix in FORMATS else "")
    return known or (".geojson" if held.shapes else ".csv")


def _write(held: HeldRows, path: Path) -> GivenBack:
    write = writer_for(path)
    content = held.content(as_table=path.suffix.lower() in _TABLES)
    encoding = _CODECS.get((held.run["encoding"] or "").lower().replace("-", ""), "UTF-8")
    options = WriteOptions(decimals=17, encoding=encoding, turn_rings=False)
    try:
        written, files = written_whole(path, lambda at: write(at, content, options))
    finally:
        held.close()
    return GivenBack(held.run["run_id"], path, written.rows, files, written.beside)
