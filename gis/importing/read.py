"""A file as a table of raw values with its geometry and the CRS it declares.

GeoJSON, GeoPackage, FlatGeobuf and Shapefile through GDAL; CSV with lon/lat or WKT columns, or with no
place at all (a register).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import pyogrio
import shapely

from gis.errors import ImportRefused

__all__ = ["RawTable", "read_file"]

# How a file of each kind begins. GDAL chooses its driver by content and would open a VRT, or a JSON that
# describes a GDAL pipeline, under any name; so the content must be what the name says before GDAL sees it.
_MAGIC = {
    ".geojson": re.compile(rb"(\xef\xbb\xbf)?\s*\{"),
    ".json": re.compile(rb"(\xef\xbb\xbf)?\s*\{"),
    ".gpkg": re.compile(rb"SQLite format 3\x00"),
    ".fgb": re.compile(rb"fgb\x03fgb"),
    ".shp": re.compile(rb"\x00\x00\x27\x0a"),
}
_GEOJSON_TYPES = {"FeatureCollection", "Feature", "GeometryCollection", "Point", "LineString", "Polygon"} | {
    "MultiPoint", "MultiLineString", "MultiPolygon",
}  # fmt: skip
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
    if suffix not in _MAGIC:
        raise ImportRefused(
            f"{path.name} is of a kind that cannot be imported ({suffix or 'no ending'}).",
            f"不支持导入 {path.name} 的格式（{suffix or '无扩展名'}）。",
            remedy_en=f"Give one of: .csv {' '.join(sorted(_MAGIC))}.",
            remedy_zh=f"支持：.csv {' '.join(sorted(_MAGIC))}。",
        )
    _refuse_disguised(path, suffix)
    return _read_vector(path, layer)


def _refuse_disguised(path: Path, suffix: str) -> None:
    with path.open("rb") as file:
        genuine = _MAGIC[suffix].match(file.read(64)) is not None
    if genuine and suffix in (".geojson", ".json"):
        try:
            held = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            raise ImportRefused(
                f"{path.name} is not valid JSON: {error}", f"{path.name} 不是有效的 JSON：{error}"
            ) from error
        genuine = held.get("type") in _GEOJSON_TYPES
    if not genuine:
        raise ImportRefused(
            f"{path.name} is not what its ending {suffix} says.",
            f"{path.name} 的内容与扩展名 {suffix} 不符。",
            remedy_en="Export it again from the program that made it.",
            remedy_zh="请从原软件重新导出。",
        )


def _read_vector(path: Path, layer: str | None) -> RawTable:
    try:
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
        texts = [v if isinstance(v, str) else None for v in frame[wkt]]
        geometry = shapely.from_wkt(np.array(texts, dtype=object), on_invalid="ignore")
        frame = frame.drop(columns=wkt)
    elif lon is not None and lat is not None:
        x = pd.to_numeric(frame[lon], errors="coerce").to_numpy(dtype=float)
        y = pd.to_numeric(frame[lat], errors="coerce").to_numpy(dtype=float)
        placed = np.isfinite(x) & np.isfinite(y)
        geometry[placed] = shapely.points(x[placed], y[placed])
        frame = frame.drop(columns=[lon, lat])
    return RawTable(frame, geometry, None, None)
