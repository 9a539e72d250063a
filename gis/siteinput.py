"""The site that somebody asks about, as it comes: GeoJSON or WKT in a request, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import shapely

from gis.crs import LONLAT
from gis.errors import ScreeningError
from gis.importing.issues import told
from gis.importing.reading import GEOM, TRUSTED, read_file

__all__ = ["site_from_file", "site_from_json", "site_from_wkt"]

_LONLAT = f"EPSG:{LONLAT}"
_REMEDY_EN = 'Give a GeoJSON geometry or feature in lon/lat, or {"wkt": "...", "crs": "EPSG:4549"}.'
_REMEDY_ZH = '请给出经纬度的 GeoJSON 几何或要素，或 {"wkt": "...", "crs": "EPSG:4549"}。'


def site_from_json(site: Mapping[str, Any]) -> tuple[shapely.Geometry, str]:
    """Geometry (x,y order) and CRS name of a GeoJSON geometry, feature, or ``{"wkt", "crs"}``.

    GeoJSON is in lon/lat unless a "crs" beside it names another. A collection holds exactly one feature.

    Raises
    ------
    ScreeningError
        When it is none of these. Whether the geometry is fit to be screened is checked later.
    """
    crs = site.get("crs", _LONLAT)
    if not isinstance(crs, str):
        raise _unreadable("the CRS is not written as a name")
    if "wkt" in site:
        return site_from_wkt(str(site["wkt"])), crs
    features = site.get("features")
    if isinstance(features, list):
        if len(features) != 1 or not isinstance(features[0], Mapping):
            raise _unreadable(f"it has {len(features)} features instead of one")
        return site_from_json({**features[0], "crs": crs})
    geometry = site.get("geometry") if "geometry" in site else site
    if not isinstance(geometry, Mapping):
        raise _unreadable("it has no geometry")
    plain = {key: geometry[key] for key in ("type", "coordinates") if key in geometry}
    try:
        return shapely.from_geojson(orjson.dumps(plain)), crs
    except (shapely.errors.GEOSException, orjson.JSONEncodeError) as error:
        raise _unreadable("it is no GeoJSON geometry") from error


def site_from_wkt(text: str) -> shapely.Geometry:
    """The geometry that ``text`` writes as WKT; a leading "SRID=4326;" is dropped. Raises ScreeningError."""
    body = text.strip()
    if body[:5].upper() == "SRID=":
        body = body.partition(";")[2]
    try:
        return shapely.force_2d(shapely.from_wkt(body))
    except shapely.errors.GEOSException as error:
        raise _unreadable("it is no WKT") from error


def site_from_file(path: Path) -> tuple[shapely.Geometry, str | None]:
    """All geometries of a file as one, and the CRS it declares (None: none); Z is dropped.

    GeoJSON and KML are in lon/lat unless they say otherwise.

    Raises
    ------
    ImportRefused
        When the file cannot be read.
    ScreeningError
        When it has no geometry, or a row of it cannot be read: half a site is not screened.
    """
    with read_file(path, limits=TRUSTED) as reading:
        wrong = next((issue for issue in reading.issues if issue.severity == "error"), None)
        if wrong is not None:
            raise _unreadable(f"row {wrong.row + 1}: {told(wrong.code, value=wrong.value or '')[1]}")
        shapes: list[shapely.Geometry] = []
        for batch in reading.batches():
            held = batch.column(GEOM).drop_null().to_numpy(zero_copy_only=False)
            shapes.extend(shapely.from_wkb(held))
        declared = reading.header.declared_crs
        if declared == "OGC:CRS84":  # the same in x,y order, under the name that transformations go by
            declared = _LONLAT
    if not shapes:
        raise _unreadable("the file has no geometry")
    try:
        return (shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)), declared
    except shapely.errors.GEOSException as error:
        raise _unreadable("its shapes cross themselves") from error


def _unreadable(reason: str) -> ScreeningError:
    return ScreeningError(
        f"The site cannot be read: {reason}.",
        "无法读取地块。",
        remedy_en=_REMEDY_EN,
        remedy_zh=_REMEDY_ZH,
    )
