"""Somebody else's platform: a real HTTP server on a loopback port that speaks as such platforms do.

/ogc      OGC API Features (17-069r4), with CQL2 filters on "updated"
/arcgis   a FeatureServer layer, as the ArcGIS REST API describes it, in EPSG:4549
/wfs      WFS 2.0 (09-025r2) with GML 3.2 or GeoJSON, in EPSG:4490
/files    a CSV file with an ETag

Faults are switched on by name; each is one that such servers have.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

import pyproj

TO_PLANE = pyproj.Transformer.from_crs(4490, 4549, always_xy=True)
DAY_MS = 86_400_000


@dataclass
class Well:
    code: str
    name: str
    kind: str
    lon: float
    lat: float
    updated: int = 0  # days since 1970


@dataclass
class Platform:
    """What the platform holds, what is wrong with it, and what it was asked."""

    wells: dict[str, Well] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    pagination: bool = True
    geojson: bool = True
    page: int = 3
    url: str = ""
    token: str | None = None

    def put(self, code: str, name: str = "井", kind: str = "dug", lon: float = 120.0, lat: float = 28.9,
            updated: int = 0) -> None:  # fmt: skip
        self.wells[code] = Well(code, name, kind, lon, lat, updated)

    def rows(self, since_day: int | None = None) -> list[Well]:
        held = sorted(self.wells.values(), key=lambda well: well.code)
        return [well for well in held if since_day is None or well.updated >= since_day]


@contextmanager
def serving(platform: Platform) -> Iterator[Platform]:
    class Handler(_Handler):
        held = platform

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    platform.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    held: Platform
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        platform = self.held
        platform.asked.append(self.path)
        platform.headers.append({name.lower(): value for name, value in self.headers.items()})
        parts = urlsplit(self.path)
        query = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
        if "redirect" in platform.faults:
            return self._send(302, b"", {"Location": "http://localhost:1/elsewhere"})
        if "redirect_within" in platform.faults and not parts.path.endswith("/moved"):
            return self._send(302, b"", {"Location": f"{parts.path}/moved?{parts.query}"})
        if "500" in platform.faults:
            return self._send(500, b"stack trace")
        if "slow" in platform.faults:
            time.sleep(1.5)
        path = parts.path.removesuffix("/moved")
        answers = {"ogc": self._ogc, "arcgis": self._arcgis, "wfs": self._wfs, "files": self._files}
        answers[path.split("/")[1]](path, query)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if "truncate" in self.held.faults:
            body = body[: len(body) // 2]
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _json(self, content: Any) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        if "html" in self.held.faults:
            body = b"<html>Please log in</html>"
        if "cut_json" in self.held.faults:  # well formed HTTP around half a document
            body = body[: len(body) // 2]
        self._send(200, body, {"Content-Type": "application/json"})

    # --- OGC API Features

    def _ogc(self, path: str, query: dict[str, str]) -> None:
        base = f"{self.held.url}/ogc"
        if path == "/ogc/conformance":
            uris = (
                "ogcapi-features-1/1.0/conf/core",
                "ogcapi-features-3/1.0/conf/filter",
                "cql2/1.0/conf/cql2-text",
            )
            return self._json({"conformsTo": [f"http://www.opengis.net/spec/{uri}" for uri in uris]})
        if path == "/ogc/collections/wells":
            items = {
                "rel": "items",
                "type": "application/geo+json",
                "href": f"{base}/collections/wells/items",
            }
            return self._json({"id": "wells", "links": [items]})
        since = re.fullmatch(
            r"\"updated\" >= TIMESTAMP\('(\d{4}-\d\d-\d\d)T00:00:00Z'\)", query.get("filter", "")
        )
        moment = re.fullmatch(r"(\d{4}-\d\d-\d\d)T[\d:]+Z/\.\.", query.get("datetime", ""))
        since = since or moment
        rows = self.held.rows(_day(since[1]) if since else None)
        start, limit = int(query.get("offset", 0)), min(int(query.get("limit", 10)), self.held.page)
        page = rows[start : start + limit]
        links = [{"rel": "self", "href": self.path}]
        if start + limit < len(rows):
            more = f"{base}/collections/wells/items?limit={limit}&offset={start + limit}"
            more += "".join(f"&{name}={query[name]}" for name in ("filter", "datetime") if name in query)
            if "loop" in self.held.faults:
                more = f"{base}/collections/wells/items?limit={limit}&offset={start}"
            if "next_elsewhere" in self.held.faults:
                more = more.replace("127.0.0.1", "localhost")
            if "half" not in self.held.faults:
                links.append(
                    {"rel": "next", "type": "application/geo+json", "href": more.replace(" ", "%20")}
                )
        self._json({"type": "FeatureCollection", "numberMatched": len(rows), "numberReturned": len(page),
                    "links": links, "features": [self._feature(well) for well in page]})  # fmt: skip

    def _feature(self, well: Well) -> dict[str, Any]:
        properties: dict[str, Any] = {"code": well.code, "name": well.name, "kind": well.kind,
                                      "updated": f"{_date(well.updated)}T00:00:00Z"}  # fmt: skip
        if "renamed" in self.held.faults:
            properties["art"] = properties.pop("kind")
        point = {"type": "Point", "coordinates": [well.lon, well.lat]}
        return {"type": "Feature", "id": f"w.{well.code}", "geometry": point, "properties": properties}

    # --- ArcGIS

    def _arcgis(self, path: str, query: dict[str, str]) -> None:
        held = self.held
        if held.token is not None and query.get("token") != held.token:
            return self._json({"error": {"code": 499, "message": "Token Required", "details": []}})
        if path.endswith("/0"):
            return self._json(self._arcgis_layer())
        if "arcgis_error" in held.faults:
            return self._json(
                {"error": {"code": 400, "message": "Unable to complete operation.", "details": []}}
            )
        since = re.search(r"edited >= TIMESTAMP '(\d{4}-\d\d-\d\d) 00:00:00'", query.get("where", ""))
        rows = held.rows(_day(since[1]) if since else None)
        if query.get("returncountonly") == "true":
            return self._json({"count": len(rows)})
        numbered = dict(enumerate(held.rows(), start=1))
        if query.get("returnidsonly") == "true":
            ids = [i for i, well in numbered.items() if well in rows]
            return self._json({"objectIdFieldName": "OBJECTID", "objectIds": ids[::-1]})
        assert query["outsr"] == "4549"
        if "objectids" in query:
            wanted = [int(i) for i in query["objectids"].split(",")]
            page, more = [numbered[i] for i in wanted], False
        else:
            start, size = int(query["resultoffset"]), min(int(query["resultrecordcount"]), held.page)
            start = 0 if "no_offset" in held.faults else start
            page, more = rows[start : start + size], start + size < len(rows) and "half" not in held.faults
        ids = {well.code: i for i, well in numbered.items()}
        features = [self._arcgis_feature(well, ids[well.code]) for well in page]
        content = {"objectIdFieldName": "OBJECTID", "geometryType": "esriGeometryPoint",
                   "spatialReference": {"wkid": 4549, "latestWkid": 4549}, "features": features}  # fmt: skip
        self._json(content | ({"exceededTransferLimit": True} if more else {}))

    def _arcgis_layer(self) -> dict[str, Any]:
        kind = "art" if "renamed" in self.held.faults else "kind"
        fields = [
            ("OBJECTID", "OID"),
            ("code", "String"),
            ("name", "String"),
            (kind, "String"),
            ("edited", "Date"),
        ]
        return {
            "currentVersion": 10.91, "id": 0, "name": "wells", "type": "Feature Layer",
            "geometryType": "esriGeometryPoint", "objectIdField": "OBJECTID",
            "maxRecordCount": self.held.page,
            "fields": [{"name": name, "type": f"esriFieldType{kind}"} for name, kind in fields],
            "extent": {"xmin": 0, "ymin": 0, "xmax": 1, "ymax": 1,
                       "spatialReference": {"wkid": 4549, "latestWkid": 4549}},
            "advancedQueryCapabilities": {"supportsPagination": self.held.pagination},
            "editFieldsInfo": {"editDateField": "edited"}, "supportedQueryFormats": "JSON",
        }  # fmt: skip

    def _arcgis_feature(self, well: Well, oid: int) -> dict[str, Any]:
        x, y = TO_PLANE.transform(well.lon, well.lat)
        kind = "art" if "renamed" in self.held.faults else "kind"
        return {
            "attributes": {"OBJECTID": oid, "code": well.code, "name": well.name, kind: well.kind,
                           "edited": well.updated * DAY_MS},
            "geometry": {"x": x, "y": y},
        }  # fmt: skip

    # --- WFS

    def _wfs(self, path: str, query: dict[str, str]) -> None:
        if query["request"] == "GetCapabilities":
            return self._xml(self._capabilities())
        if "wfs_exception" in self.held.faults:
            return self._xml(
                '<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" version="2.0.0">'
                '<ows:Exception exceptionCode="InvalidParameterValue">'
                "<ows:ExceptionText>Unknown type</ows:ExceptionText>"
                "</ows:Exception></ows:ExceptionReport>"
            )
        since = re.search(r"<fes:Literal>(\d{4}-\d\d-\d\d)</fes:Literal>", query.get("filter", ""))
        rows = self.held.rows(_day(since[1]) if since else None)
        if query.get("resulttype") == "hits":
            return self._xml(self._collection([], len(rows), 0))
        start, count = int(query["startindex"]), min(int(query["count"]), self.held.page)
        page = rows[start : start + count] if "half" not in self.held.faults or not start else []
        if "json" in query.get("outputformat", ""):
            crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
            features = [self._feature(well) for well in page]
            return self._json({"type": "FeatureCollection", "crs": crs, "features": features})
        self._xml(self._collection(page, len(rows), len(page)))

    def _xml(self, text: str) -> None:
        if "entity" in self.held.faults:
            text = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + text
        self._send(200, text.encode(), {"Content-Type": "application/gml+xml; version=3.2"})

    def _capabilities(self) -> str:
        forms = ["application/gml+xml; version=3.2", *(["application/json"] if self.held.geojson else [])]
        values = "".join(f"<ows:Value>{form}</ows:Value>" for form in forms)
        return (
            '<wfs:WFS_Capabilities xmlns:wfs="http://www.opengis.net/wfs/2.0" '
            'xmlns:ows="http://www.opengis.net/ows/1.1" version="2.0.0"><ows:OperationsMetadata>'
            '<ows:Operation name="GetFeature"><ows:Parameter name="outputFormat"><ows:AllowedValues>'
            f"{values}</ows:AllowedValues></ows:Parameter></ows:Operation></ows:OperationsMetadata>"
            "</wfs:WFS_Capabilities>"
        )

    def _collection(self, page: list[Well], matched: int, returned: int) -> str:
        members = "".join(
            f'<wfs:member><p:wells gml:id="w.{escape(well.code)}"><p:code>{escape(well.code)}</p:code>'
            f"<p:name>{escape(well.name)}</p:name><p:kind>{well.kind}</p:kind>"
            f'<p:updated>{_date(well.updated)}</p:updated><p:note xsi:nil="true"/>'
            '<p:geom><gml:Point srsName="urn:ogc:def:crs:EPSG::4490">'
            f"<gml:pos>{well.lat!r} {well.lon!r}</gml:pos></gml:Point></p:geom></p:wells></wfs:member>"
            for well in page
        )
        following = ""
        if returned and "next" in self.held.faults:
            following = f" next={quoteattr(self.path)}"
        return (
            '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" '
            'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:p="urn:platform" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'numberMatched="{matched}" numberReturned="{returned}"{following}>'
            f"{members}</wfs:FeatureCollection>"
        )

    # --- a file

    def _files(self, path: str, query: dict[str, str]) -> None:
        lines = ["code,name,kind,lon,lat"]
        lines += [f"{w.code},{w.name},{w.kind},{w.lon!r},{w.lat!r}" for w in self.held.rows()]
        body = ("\n".join(lines) + "\n").encode()
        tag = f'"{hash(body)}"'
        if "no_etag" in self.held.faults:
            return self._send(200, body)
        if self.headers.get("If-None-Match") == tag:
            return self._send(304, b"")
        self._send(200, body, {"ETag": tag})


def _date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86400))


def _day(date: str) -> int:
    return int(time.mktime(time.strptime(date + " UTC", "%Y-%m-%d %Z")) - time.timezone) // 86400


__all__ = ["Platform", "Well", "serving"]
