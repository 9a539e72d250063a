"""GeoPackage: what SQLite says of it first, then GDAL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from gis.errors import ImportRefused
from gis.importing.issues import refused
from gis.importing.reading.columns import clip
from gis.importing.reading.formats.gdal import choose_layer, declared, spool_layer
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["read"]

_UNDEFINED = (
    -1,
    0,
)  # srs_id of an undefined Cartesian and an undefined geographic system (OGC 12-128r18, 1.1.2)


@dataclass(frozen=True)
class _Layer:
    name: str
    geometry: str | None
    srs_id: int
    rows: int


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Spool the one layer with geometry, or the one that ``options.member`` names.

    The database is opened as one that does not change, so no journal of the sender's is replayed; its
    views and triggers are not run. Coordinates in the CRS that gpkg_spatial_ref_sys gives, x,y.

    Raises
    ------
    ImportRefused
        not_a_gpkg, gpkg_unreadable, several_layers, member_missing, row_count_mismatch, too_many_columns.
    """
    with _database(path) as database:
        layers = _layers(database, path)
        chosen = choose_layer(list(layers), options.member)
        layer = layers[chosen]
        try:
            facts = spool_layer(
                path, chosen, spool, lost=_Lost(database, layer) if layer.geometry else None, IMMUTABLE="YES"
            )
        except ImportRefused as error:
            if error.reason == "file_unreadable":
                raise refused("gpkg_unreadable", value=error.en) from error
            raise
    if spool.rows != layer.rows:
        raise refused("row_count_mismatch", value=str(spool.rows), expected=str(layer.rows))
    return Header(
        format="gpkg",
        member=chosen,
        members=tuple(layers),
        declared_crs=None if layer.srs_id in _UNDEFINED else declared(facts["crs"]),
        columns=tuple(facts["columns"]),
        rows_claimed=layer.rows,
    )


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, read-only; what SQLite finds wrong with it becomes a refusal."""
    try:
        address = f"file:{quote(str(path))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
            database.execute("PRAGMA trusted_schema=OFF")
            damage = database.execute("PRAGMA quick_check(1)").fetchone()
            if damage != ("ok",):
                raise refused("gpkg_unreadable", value=clip(damage[0] if damage else "quick_check"))
            yield database
    # A damaged name makes SQLite's own words undecodable, a damaged number is none.
    except (sqlite3.Error, sqlite3.Warning, ValueError, TypeError, OverflowError) as error:
        raise refused("gpkg_unreadable", value=clip(error)) from error


def _layers(database: sqlite3.Connection, path: Path) -> dict[str, _Layer]:
    """The layers with geometry, or the tables where there is none, in the order of the contents table.

    Only what lies in a table of the file counts: a view may run whatever its author wrote.
    """
    tables = {
        str(n): str(n) for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if "gpkg_contents" not in tables:
        raise refused("not_a_gpkg", value=path.name)
    found: dict[str, _Layer] = {}
    plain: dict[str, _Layer] = {}
    shapes: dict[str, tuple[str, int]] = {}
    if "gpkg_geometry_columns" in tables:
        rows = database.execute("SELECT table_name, column_name, srs_id FROM gpkg_geometry_columns")
        shapes = {str(table): (str(column), int(srs or 0)) for table, column, srs in rows}
    for (name,) in database.execute(
        "SELECT table_name FROM gpkg_contents WHERE data_type IN ('features', 'attributes') ORDER BY rowid"
    ):
        if name not in tables:
            continue
        (rows_in,) = database.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()
        geometry, srs = shapes.get(name, (None, 0))
        layer = _Layer(str(name), geometry, srs, int(rows_in))
        (plain if geometry is None else found)[layer.name] = layer
    if not found and not plain:
        raise refused("empty_file" if shapes else "not_a_gpkg", value=path.name)
    return found or plain


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _Lost:
    """Which rows have a geometry blob that GDAL could not read."""

    def __init__(self, database: sqlite3.Connection, layer: _Layer) -> None:
        self.database, self.layer = database, layer

    def __call__(self, fids: np.ndarray[Any, Any]) -> dict[int, str]:
        column, table = _quoted(str(self.layer.geometry)), _quoted(self.layer.name)
        found: dict[int, str] = {}
        for start in range(0, len(fids), 500):
            some = [int(fid) for fid in fids[start : start + 500]]
            marks = ",".join("?" * len(some))
            for fid, blob in self.database.execute(
                f"SELECT rowid, {column} FROM {table} WHERE rowid IN ({marks}) AND {column} IS NOT NULL", some
            ):
                if not _says_empty(blob):
                    found[int(fid)] = clip(blob.hex() if isinstance(blob, bytes) else blob)
        return found


def _says_empty(blob: object) -> bool:
    """Is it a well-formed GeoPackage blob whose flags say that the geometry is empty?"""
    return isinstance(blob, bytes) and blob[:2] == b"GP" and len(blob) >= 8 and bool(blob[3] & 0x10)
