"""A layer into a file: GeoJSON, GeoPackage, FlatGeobuf, CSV, or a map page that opens without a network.

The ending of the file's name says which. A file appears whole or not at all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyogrio
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Row

from gis.crs import LONLAT, parse_crs
from gis.db import connect
from gis.errors import ExportRefused
from gis.features import features_of, property_fields, read_rows, rounded
from gis.mapfile import map_page
from gis.revisions import resolve_as_of
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["FORMATS", "ExportResult", "export_layer", "safe_cell"]

_ARROW = {
    "text": pa.string(),
    "enum": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}
# A spreadsheet runs a cell that begins so as a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class ExportResult:
    """``rows`` of ``layer`` as they were at revision ``rev``, written to ``path`` in EPSG:``crs``."""

    layer: str
    path: Path
    rows: int
    rev: int
    crs: int


@dataclass(frozen=True)
class _Content:
    """What is written: rows in order, and their geometries in EPSG:``crs`` (None for a register)."""

    definition: MapDefinition
    layer: Layer
    rows: Sequence[Row[Any]]
    geometry: NDArray[np.object_] | None
    crs: int
    rev: int
    conn: Connection


def export_layer(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    path: Path,
    *,
    as_of: str | None = None,
    crs: str | None = None,
) -> ExportResult:
    """Write ``layer`` as it was at ``as_of`` (revision or time; None: now) to ``path``, replacing it.

    Parameters
    ----------
    crs : str, optional
        The CRS of the file, x,y order. Without one: lon/lat for GeoJSON, CSV and maps, which know no other or
        lose it, and the storage CRS for GeoPackage and FlatGeobuf.

    Raises
    ------
    ExportRefused
        When the ending is not known, the format cannot carry the CRS, or the file cannot be written.
    CrsError
        When no trustworthy transformation leads to the CRS.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ExportRefused(
            f"{path.name} has an ending that says no format ({suffix or 'none'}).",
            f"无法由扩展名（{suffix or '无'}）判断 {path.name} 的格式。",
            remedy_en=f"Use one of: {' '.join(sorted(FORMATS))}.",
            remedy_zh=f"可用：{' '.join(sorted(FORMATS))}。",
        )
    target = _target_crs(definition, suffix, crs)
    with connect(engine) as conn:
        rev = resolve_as_of(conn, as_of)
        rows, geometry = read_rows(conn, definition, layer, rev, target)
        content = _Content(definition, layer, rows, geometry, target, rev, conn)
        _write_whole(path, lambda scratch: FORMATS[suffix](scratch, content))
    return ExportResult(layer.id, path, len(rows), rev, target)


def _target_crs(definition: MapDefinition, suffix: str, crs: str | None) -> int:
    lonlat_only = suffix in (".geojson", ".json", ".html")
    if crs is None:
        return LONLAT if lonlat_only or suffix == ".csv" else definition.district.storage_crs
    number = parse_crs(crs).to_epsg(min_confidence=70)
    if number is None or (lonlat_only and number != LONLAT):
        raise ExportRefused(
            f"A {suffix} file cannot be written in {crs}.",
            f"{suffix} 文件不能使用 {crs}。",
            remedy_en="GeoJSON (RFC 7946) and maps are in lon/lat; use .gpkg for another CRS.",
            remedy_zh="GeoJSON（RFC 7946）与地图文件只用经纬度；其他坐标系请用 .gpkg。",
        )
    return number


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in its place."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".onemap-") as folder:
            scratch = Path(folder) / path.name
            write(scratch)
            os.replace(scratch, path)
    except (OSError, pyogrio.errors.DataSourceError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ExportRefused(f"{path} cannot be written: {reason}.", f"无法写入 {path}：{reason}。") from error


def _geojson(path: Path, content: _Content) -> None:
    features = features_of(content.layer, content.rows, content.geometry)
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))


def _columns(content: _Content) -> dict[str, pa.Array]:
    """The properties as typed columns."""
    fields = property_fields(content.layer)
    values = zip(*(row[1:-1] for row in content.rows), strict=True) if content.rows else ((),) * len(fields)
    return {
        name: pa.array(column, _ARROW[kind])
        for (name, kind), column in zip(fields.items(), values, strict=True)
    }


def _ogr(driver: str) -> Callable[[Path, _Content], None]:
    def write(path: Path, content: _Content) -> None:
        columns = _columns(content)
        options: dict[str, Any] = {"driver": driver, "layer": content.layer.id}
        if content.geometry is not None:
            columns["geom"] = pa.array(shapely.to_wkb(content.geometry), pa.binary())
            kind = "Unknown" if content.layer.geometry == "Geometry" else content.layer.geometry
            options |= {"geometry_name": "geom", "geometry_type": kind, "crs": f"EPSG:{content.crs}"}
        pyogrio.write_arrow(pa.table(columns), path, **options)

    return write


def _csv(path: Path, content: _Content) -> None:
    """UTF-8 with a byte order mark, so that Excel shows Chinese; no text runs as a formula."""
    columns = {name: column.to_pylist() for name, column in _columns(content).items()}
    columns |= _place_columns(content)
    lines = [",".join(columns)]
    for values in zip(*columns.values(), strict=True):
        lines.append(",".join(_cell(value) for value in values))
    path.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())


def _place_columns(content: _Content) -> dict[str, list[Any]]:
    """Coordinates of points under the names that the import reads, other shapes as WKT."""
    if content.geometry is None:
        return {}
    shapes = rounded(content.geometry, content.crs)
    if content.layer.geometry != "Point":
        return {"wkt": shapely.to_wkt(shapes, rounding_precision=-1).tolist()}
    names = ("lon", "lat") if parse_crs(content.crs).is_geographic else ("x", "y")
    return {names[0]: shapely.get_x(shapes).tolist(), names[1]: shapely.get_y(shapes).tolist()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = safe_cell(value) if isinstance(value, str) else value.isoformat()
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def safe_cell(text: str) -> str:
    """``text`` for a spreadsheet: one that would run as a formula gets an apostrophe in front."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _html(path: Path, content: _Content) -> None:
    page = map_page(
        content.conn, content.definition, content.layer, content.rows, content.geometry, content.rev
    )
    path.write_text(page, encoding="utf-8")


FORMATS: dict[str, Callable[[Path, _Content], None]] = {
    ".geojson": _geojson,
    ".json": _geojson,
    ".gpkg": _ogr("GPKG"),
    ".fgb": _ogr("FlatGeobuf"),
    ".csv": _csv,
    ".html": _html,
}
