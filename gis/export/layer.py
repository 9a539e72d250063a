"""A layer into a file, as it was at a revision."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, Engine

from gis.crs import LONLAT, WEB_MERCATOR, parse_crs
from gis.db import connect
from gis.errors import ExportRefused
from gis.export.formats import LONLAT_ONLY, TILED, writer_for, written_whole
from gis.export.options import WriteOptions
from gis.export.page import write_page
from gis.export.pmtiles import Progress, write_pmtiles
from gis.export.stored import stored_content
from gis.features import ItemQuery
from gis.filters import BBox
from gis.revisions import resolve_as_of
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["ExportResult", "export_layer", "write_items"]


@dataclass(frozen=True)
class ExportResult:
    """``rows`` of ``layer`` as they were at revision ``rev``, written to ``path`` in EPSG:``crs``.

    ``files`` are all files that were made, ``path`` among them; ``beside`` of the values did not fit into
    ``path`` and stand in the table beside it.
    """

    layer: str
    path: Path
    rows: int
    rev: int
    crs: int
    files: tuple[Path, ...] = ()
    beside: int = 0


def export_layer(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    path: Path,
    *,
    as_of: str | None = None,
    crs: str | None = None,
    bbox: BBox | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
    options: WriteOptions | None = None,
    progress: Progress | None = None,
) -> ExportResult:
    """Write ``layer`` as it was at ``as_of`` (revision or time; None: now) to ``path``, replacing it.

    Rows are read through a cursor of the server and written as they come; memory does not grow with them,
    except for a map page. ``progress`` is told of tiles, the only thing that takes long.

    Parameters
    ----------
    crs : str, optional
        The CRS of the file, x,y order. Without one: lon/lat for GeoJSON, KML, CSV, XLSX and maps, which know
        no other or lose it, and the storage CRS for all others.
    bbox, filters :
        Rows that meet the box; rows whose property is one of the values ("source" is one too).

    Raises
    ------
    ExportRefused
        When the ending is not known, the format cannot carry the CRS or the content, or the file cannot be
        written.
    CrsError
        When no trustworthy transformation leads to the CRS.
    QueryError
        For a property the layer does not have, or a value that its type cannot read.
    """
    options = options or WriteOptions()
    suffix = path.suffix.lower()
    target = _target_crs(definition, suffix, crs)
    with connect(engine) as conn:
        rev = resolve_as_of(conn, as_of)
        if suffix == ".html":
            _refuse_part_of_map(bbox, filters)
            written, files = written_whole(path, lambda at: write_page(at, conn, definition, layer, rev))
        elif suffix == ".pmtiles":
            _refuse_part_of_map(bbox, filters)
            written, files = written_whole(
                path, lambda at: write_pmtiles(at, conn, definition, layer, rev, progress)
            )
        else:
            write = writer_for(path)
            query = ItemQuery(limit=None, rev=rev, bbox=bbox, filters=filters or {})
            with stored_content(conn, definition, layer, query, target) as content:
                written, files = written_whole(path, lambda at: write(at, content, options))
    return ExportResult(layer.id, path, written.rows, rev, target, files, written.beside)


def write_items(
    conn: Connection, definition: MapDefinition, layer: Layer, query: ItemQuery, path: Path
) -> Path:
    """Write the rows that ``query`` chooses to ``path`` in its CRS, x,y; gives what to send.

    That is ``path``. Where values do not fit the format, the file goes into an archive with the table beside
    it. Rows have their uid whether it is among the properties asked for or not. Errors as `export_layer`.
    """
    write = writer_for(path)
    if query.properties is not None:
        query = replace(query, properties=("uid", *query.properties))
    with stored_content(conn, definition, layer, query, query.crs.epsg) as content:
        _, files = written_whole(path, lambda at: write(at, content, WriteOptions()))
    if files == (path,):
        return path
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in files:
            packed.write(file, file.name)
    return archive


def _refuse_part_of_map(bbox: BBox | None, filters: Mapping[str, Sequence[str]] | None) -> None:
    if bbox is not None or filters:
        raise ExportRefused(
            "A map page, or an archive of tiles, holds a whole layer.", "地图页面和瓦片包只能包含整个图层。"
        )


def _target_crs(definition: MapDefinition, suffix: str, crs: str | None) -> int:
    if crs is None:
        if suffix in TILED:
            return WEB_MERCATOR
        return LONLAT if suffix in LONLAT_ONLY | {".csv", ".xlsx"} else definition.district.storage_crs
    number = parse_crs(crs).to_epsg(min_confidence=70)
    only = LONLAT if suffix in LONLAT_ONLY else WEB_MERCATOR if suffix in TILED else number
    if number is None or number != only:
        raise ExportRefused(
            f"A {suffix} file cannot be written in {crs}.",
            f"{suffix} 文件不能使用 {crs}。",
            remedy_en="GeoJSON, KML and maps are in lon/lat, tiles in EPSG:3857; use .gpkg for others.",
            remedy_zh="GeoJSON、KML 与地图只用经纬度，瓦片只用 EPSG:3857；其他坐标系请用 .gpkg。",
        )
    return number
