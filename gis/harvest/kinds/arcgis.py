"""A layer of an ArcGIS FeatureServer or MapServer (ArcGIS REST API, "Query (Feature Service/Layer)").

Coordinates are asked in the layer's own reference system, so that no server transforms them unseen. Pages
go by resultOffset where the layer supports it, else by lists of object ids. Incremental by the layer's edit
date (editFieldsInfo), or by the column that ``updated`` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import shapely

from gis.harvest.kinds.paging import complete
from gis.harvest.model import Ask, Fetched
from gis.harvest.net import shown
from gis.harvest.scratch import FeatureFile
from gis.importing.issues import refused

__all__ = ["fetch", "geometry_of"]

IDS_A_REQUEST = 100
PAGE = 1000
_DATE = "esriFieldTypeDate"
# ArcGIS numbers of its own for systems that EPSG has too.
_WKID = {102100: 3857, 102113: 3857}


def fetch(ask: Ask) -> Fetched:
    """All features of the layer, or those changed since the mark."""
    layer = _asked(ask, ask.url)
    fields = {field["name"]: field["type"] for field in layer.get("fields") or ()}
    oid = layer.get("objectIdField") or next(
        (name for name, kind in fields.items() if kind == "esriFieldTypeOID"), "OBJECTID"
    )
    updated = _updated(ask, layer, fields)
    since = None if ask.whole or updated is None else ask.mark.get("newest")
    where = ask.wishes.where or "1=1"
    if since is not None:
        where = f"({where}) AND {updated} >= TIMESTAMP '{_timestamp(since)}'"
    wkid = _wkid(layer)
    query: dict[str, str | int] = {"where": where, "outFields": "*", "returnZ": "false", "returnM": "false"}
    if wkid is not None:
        query["outSR"] = wkid
    counted = _asked(ask, f"{ask.url}/query", {"where": where, "returnCountOnly": "true"}).get("count")
    latest = ask.mark.get("newest")
    with FeatureFile(ask.folder) as file:
        for features in _pages(ask, layer, query, oid):
            stamps = [f["attributes"].get(updated) for f in features] if updated else []
            latest = max((s for s in [latest, *stamps] if s is not None), default=None)
            file.add(_as_geojson(feature, fields, oid) for feature in features)
            ask.told(file.rows, counted if isinstance(counted, int) else None)
            if isinstance(counted, int) and file.rows > counted:
                break  # a server that knows no offset sends the first page again and again
    complete(file, counted)
    columns = frozenset(fields) or frozenset(file.columns)
    crs = "auto" if wkid is None else f"EPSG:{_WKID.get(wkid, wkid)}"
    mark = {"newest": latest} if updated else {}
    return Fetched(file.path, whole=since is None, rows=file.rows, crs=crs, columns=columns, mark=mark)


def _asked(ask: Ask, url: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
    """An answer in JSON; an error inside an answer of status 200 is an error."""
    token: dict[str, str | int] = {"token": ask.credentials} if ask.credentials else {}
    answer: dict[str, Any] = ask.net.json(url, {**(query or {}), "f": "json", **token})
    error = answer.get("error")
    if isinstance(error, Mapping):
        told = f"{error.get('code', '')} {error.get('message', '')}".strip()
        code = "harvest_denied" if error.get("code") in (401, 403, 498, 499) else "harvest_status"
        raise refused(code, value=told, expected=shown(url))
    return answer


def _pages(
    ask: Ask, layer: Mapping[str, Any], query: Mapping[str, str | int], oid: str
) -> Iterator[list[dict[str, Any]]]:
    most = int(layer.get("maxRecordCount") or PAGE)
    size = min(ask.wishes.page or PAGE, most)
    url = f"{ask.url}/query"
    if (layer.get("advancedQueryCapabilities") or {}).get("supportsPagination"):
        offset = 0
        while True:
            page: dict[str, str | int] = {
                "resultOffset": offset,
                "resultRecordCount": size,
                "orderByFields": oid,
            }
            answer = _asked(ask, url, {**query, **page})
            features = _features(answer, url)
            yield features
            offset += len(features)
            # A short page is no end by itself; only this says so.
            if not answer.get("exceededTransferLimit") or not features:
                return
    ids = sorted(_asked(ask, url, {"where": query["where"], "returnIdsOnly": "true"}).get("objectIds") or ())
    rest = {name: value for name, value in query.items() if name != "where"}
    for start in range(0, len(ids), min(size, IDS_A_REQUEST)):
        chunk = ids[start : start + min(size, IDS_A_REQUEST)]
        yield _features(_asked(ask, url, {**rest, "objectIds": ",".join(map(str, chunk))}), url)


def _features(answer: Mapping[str, Any], url: str) -> list[dict[str, Any]]:
    features = answer.get("features")
    if not isinstance(features, list) or not all(isinstance(f, dict) and "attributes" in f for f in features):
        raise refused("harvest_unreadable", value="features", expected=shown(url))
    return features


def _updated(ask: Ask, layer: Mapping[str, Any], fields: Mapping[str, str]) -> str | None:
    named = str(ask.wishes.updated or (layer.get("editFieldsInfo") or {}).get("editDateField"))
    return named if fields.get(named) == _DATE else None


def _timestamp(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _wkid(layer: Mapping[str, Any]) -> int | None:
    system = (layer.get("extent") or {}).get("spatialReference") or layer.get("sourceSpatialReference") or {}
    found = system.get("latestWkid") or system.get("wkid")
    return int(found) if found else None


def _as_geojson(feature: Mapping[str, Any], fields: Mapping[str, str], oid: str) -> dict[str, Any]:
    given = feature["attributes"]
    properties = {
        name: _date(value) if fields.get(name) == _DATE and value is not None else value
        for name, value in given.items()
    }
    return {"id": given.get(oid), "geometry": geometry_of(feature.get("geometry")), "properties": properties}


def _date(milliseconds: float) -> str:
    """A date of ArcGIS, milliseconds since 1970 in UTC, as ISO 8601; midnight is taken for a mere day."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    midnight = (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
    return at.date().isoformat() if midnight else at.isoformat().replace("+00:00", "Z")


def geometry_of(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A geometry of the ArcGIS REST API as GeoJSON, x,y only; None for a missing or empty one.

    Rings that run clockwise are outer ones, the others holes of the ring around them ("Geometry objects").
    """
    if not given:
        return None
    if "x" in given:
        return (
            None
            if given["x"] in (None, "NaN")
            else {"type": "Point", "coordinates": _xy([given["x"], given["y"]])}
        )
    if "points" in given:
        points = [_xy(p) for p in given["points"]]
        return {"type": "MultiPoint", "coordinates": points} if points else None
    if "paths" in given:
        paths = [[_xy(p) for p in path] for path in given["paths"] if path]
        if len(paths) == 1:
            return {"type": "LineString", "coordinates": paths[0]}
        return {"type": "MultiLineString", "coordinates": paths} if paths else None
    rings = [[_xy(p) for p in ring] for ring in given.get("rings", ()) if ring]
    return _polygon(rings) if rings else None


def _xy(position: Sequence[float]) -> list[float]:
    return [position[0], position[1]]


def _polygon(rings: list[list[list[float]]]) -> dict[str, Any]:
    outer: list[list[list[float]]] = []
    holes: list[list[list[float]]] = []
    for ring in rings:
        # Signed area of the ring; clockwise is negative.
        twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
        (outer if twice <= 0 else holes).append(ring)
    if not outer:  # written the other way round
        outer, holes = holes, []
    parts: list[list[list[list[float]]]] = [[ring] for ring in outer]
    shells = [shapely.Polygon(ring) if len(ring) > 3 else shapely.Polygon() for ring in outer]
    for hole in holes:
        probe = shapely.Point(hole[0])
        around = [i for i, shell in enumerate(shells) if shell.buffer(0).covers(probe)]
        home = min(around, key=lambda i: shells[i].area, default=0)
        parts[home].append(hole)
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}
