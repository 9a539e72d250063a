"""Which writer makes a file, by its ending, and how a file comes to its place: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pyogrio

from gis.errors import ExportRefused
from gis.export.beside import beside_path
from gis.export.content import Content, Written
from gis.export.geojson import write_geojson
from gis.export.kml import write_kml, write_kmz
from gis.export.ogr import write_ogr
from gis.export.options import WriteOptions
from gis.export.parquet import write_parquet
from gis.export.shapefile import write_shapefile, write_zipped
from gis.export.sheets import write_csv, write_xlsx
from gis.export.shortnames import names_path

__all__ = ["FORMATS", "LONLAT_ONLY", "TILED", "writer_for", "written_whole"]

Writer = Callable[[Path, Content, WriteOptions], Written]

FORMATS: Mapping[str, Writer] = MappingProxyType(
    {
        ".geojson": write_geojson,
        ".json": write_geojson,
        ".gpkg": write_ogr("GPKG"),
        ".fgb": write_ogr("FlatGeobuf"),
        ".parquet": write_parquet,
        ".geoparquet": write_parquet,
        ".shp": write_shapefile,
        ".zip": write_zipped,
        ".csv": write_csv,
        ".xlsx": write_xlsx,
        ".kml": write_kml,
        ".kmz": write_kmz,
    }
)
"""The writer of each ending. ".zip" is a Shapefile; ".html", a map page, and
".pmtiles" are made from the store directly."""

LONLAT_ONLY = frozenset({".geojson", ".json", ".kml", ".kmz", ".html"})
TILED = frozenset({".pmtiles"})
# Parts of a Shapefile that an earlier export, or another program, may have left with the same name.
_SISTERS = (".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qmd")


def writer_for(path: Path) -> Writer:
    """The writer for the ending of ``path``; ExportRefused when there is none."""
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    known = " ".join(sorted([*FORMATS, *TILED, ".html"]))
    raise ExportRefused(
        f"{path.name} has an ending that says no format ({suffix or 'none'}).",
        f"无法由扩展名（{suffix or '无'}）判断 {path.name} 的格式。",
        remedy_en=f"Use one of: {known}.",
        remedy_zh=f"可用：{known}。",
    )


def written_whole(path: Path, write: Callable[[Path], Written]) -> tuple[Written, tuple[Path, ...]]:
    """Let ``write`` fill a folder beside ``path``, then put its files in their places; what they are.

    Tables beside an earlier file of that name are removed where the new one has none.

    Raises
    ------
    ExportRefused
        When the place cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".onemap-") as folder:
            scratch = Path(folder) / path.name
            written = write(scratch)
            made = sorted(Path(folder).iterdir(), key=lambda part: part == scratch)
            stale = {beside_path(path), *_stale_parts(path)} - {path.with_name(part.name) for part in made}
            for old in stale:
                old.unlink(missing_ok=True)
            for part in made:
                os.replace(part, path.with_name(part.name))
            return written, tuple(path.with_name(part.name) for part in reversed(made))
    except (OSError, pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ExportRefused(f"{path} cannot be written: {reason}.", f"无法写入 {path}：{reason}。") from error


def _stale_parts(path: Path) -> set[Path]:
    if path.suffix.lower() != ".shp":
        return set()
    return {names_path(path), *(path.with_suffix(suffix) for suffix in _SISTERS)}
