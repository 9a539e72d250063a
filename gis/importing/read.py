"""A file as a table of raw values with its geometry and the CRS it declares.

GeoJSON, GeoPackage, FlatGeobuf and Shapefile through GDAL; CSV with lon/lat or WKT columns, or with no
place at all (a register).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from gis.errors import ImportRefused

__all__ = ["RawTable", "read_file"]

# Only drivers that read a plain local file: GDAL opens VRT and network formats by content otherwise.
_DRIVERS = {
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".gpkg": "GPKG",
    ".fgb": "FlatGeobuf",
    ".shp": "ESRI Shapefile",
}
_LON = ("lon", "lng", "longitude", "经度", "x")
_LAT = ("lat", "latitude", "纬度", "y")
_WKT = ("wkt", "geom", "geometry")


@dataclass(frozen=True)
class RawTable:
    """Rows as read: ``frame`` of attribute columns, ``geometry`` (None where absent) and the declared CRS.

    ``source_ids`` are the file's own row identifiers, where it has any.
    """

    frame: pd.DataFrame
    geometry: np.ndarray[tuple[int], np.dtype[np.object_]]
    declared_crs: str | None
    source_ids: list[str] | None


def read_file(path: Path, *, layer: str | None = None) -> RawTable:
    """Read ``path``; coordinates stay as they are in the file, x,y order, Z dropped.

    Raises
    ------
    ImportRefused
        When the file is missing, empty, of an unknown kind or unreadable.
    """
    if not path.is_file():
        raise ImportRefused(f"There is no file {path}.", f"文件 {path} 不存在。")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix not in _DRIVERS:
        raise ImportRefused(
            f"{path.name} is of a kind that cannot be imported ({suffix or 'no ending'}).",
            f"不支持导入 {path.name} 的格式（{suffix or '无扩展名'}）。",
            remedy_en=f"Give one of: .csv {' '.join(sorted(_DRIVERS))}.",
            remedy_zh=f"支持：.csv {' '.join(sorted(_DRIVERS))}。",
        )
    return _read_vector(path, _DRIVERS[suffix], layer)


def _read_vector(path: Path, driver: str, layer: str | None) -> RawTable:
    try:
        found = pyogrio.detect_write_driver(str(path))
        if found != driver:
            raise ImportRefused(
                f"{path.name} is {found}, not {driver}.", f"{path.name} 实为 {found}，而非 {driver}。"
            )
        frame = pyogrio.read_dataframe(path, layer=layer, fid_as_index=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ImportRefused(
            f"{path.name} cannot be read: {reason}", f"无法读取 {path.name}：{reason}"
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        return RawTable(frame.reset_index(drop=True), np.full(len(frame), None, dtype=object), None, None)
    crs = frame.crs.to_string() if frame.crs is not None else None
    ids = [str(i) for i in frame["id"]] if "id" in frame.columns else None
    attributes = pd.DataFrame(frame.drop(columns=frame.geometry.name)).reset_index(drop=True)
    return RawTable(attributes, shapely.force_2d(np.asarray(frame.geometry.values, dtype=object)), crs, ids)


def _read_csv(path: Path) -> RawTable:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ImportRefused(
            f"{path.name} cannot be read: {error}", f"无法读取 {path.name}：{error}"
        ) from error
    lower = {str(c).strip().lower(): str(c) for c in frame.columns}
    wkt = next((lower[n] for n in _WKT if n in lower), None)
    lon = next((lower[n] for n in _LON if n in lower), None)
    lat = next((lower[n] for n in _LAT if n in lower), None)
    geometry = np.full(len(frame), None, dtype=object)
    if wkt is not None:
        geometry = shapely.from_wkt(
            frame[wkt].where(frame[wkt].notna(), None).to_numpy(dtype=object), on_invalid="ignore"
        )
        frame = frame.drop(columns=wkt)
    elif lon is not None and lat is not None:
        x = pd.to_numeric(frame[lon], errors="coerce").to_numpy(dtype=float)
        y = pd.to_numeric(frame[lat], errors="coerce").to_numpy(dtype=float)
        placed = np.isfinite(x) & np.isfinite(y)
        geometry[placed] = shapely.points(x[placed], y[placed])
        frame = frame.drop(columns=[lon, lat])
    return RawTable(frame, geometry, None, None)
