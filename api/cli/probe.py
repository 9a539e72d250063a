"""``onemap demo --check``: ask a running service for every page and endpoint it has."""

from __future__ import annotations

import math
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson

from api.cli.console import grid, progress, say
from api.cli.serve import address

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["Finding", "probe", "probe_address"]

_START_S = 120.0
# Files of this service that the page names.
_REFERENCE = re.compile(r'(?:src|href)="(?!data:|https?:|#)([^"]+)"')


@dataclass(frozen=True)
class Finding:
    """One request: of which kind, whether the answer was right, and why not."""

    kind: str
    request: str
    milliseconds: float
    wrong: str = ""


def probe(app: FastAPI, listening: socket.socket) -> bool:
    """Serve ``app`` in a thread, ask it for everything, print a table; whether all answers were right."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        deadline = time.monotonic() + _START_S
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        findings = probe_address(address(listening))
    finally:
        server.should_exit = True
        thread.join()
    _show(findings)
    return not any(finding.wrong for finding in findings)


def _show(findings: list[Finding]) -> None:
    """One line a kind of request, and one for each wrong answer."""
    kinds = dict.fromkeys(finding.kind for finding in findings)
    rows = []
    for kind in kinds:
        mine = [finding for finding in findings if finding.kind == kind]
        failed = sum(1 for finding in mine if finding.wrong)
        slowest = max(finding.milliseconds for finding in mine)
        rows.append(("✗" if failed else "✓", kind, len(mine), failed, f"{slowest:.0f}"))
    columns = [
        "",
        say("asked for", "检查内容"),
        say("asked#", "次数#"),
        say("failed#", "失败#"),
        say("slowest ms#", "最慢 ms#"),
    ]
    grid(say("Probed", "检查"), columns, rows)
    wrong = [(f.request, f.wrong) for f in findings if f.wrong]
    if wrong:
        grid(say("Failed", "失败"), [say("request", "请求"), say("reason", "原因")], wrong)


def probe_address(base: str) -> list[Finding]:
    """Ask the service at ``base`` for everything its landing page, collections and page lead to."""
    probing = _Probing(base)
    with progress() as bar:
        task = bar.add_task(say("Probing", "检查"), total=None)
        for _ in probing.run():
            bar.advance(task)
    return probing.findings


class _Probing:
    """One round of requests over one connection; each adds a finding."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self.connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self.findings: list[Finding] = []

    def run(self) -> Iterator[None]:
        """Do the round, giving way now and then."""
        yield from self._pages()
        config = self._json("config", "/app/config")
        for layer in config.get("layers", []):
            yield from self._layer(layer)
        yield from self._rasters(config.get("rasters", []))
        yield from self._screening(config)
        if config.get("conflicts_layer"):
            self._json("conflicts", "/app/conflicts")
        self._json("search", "/app/search?q=1")
        self._ask("errors", "/collections/no-such-layer", status=404, media="application/problem+json")
        self._ask("errors", "/no-such-page", status=404, media="application/problem+json")
        self.connection.close()

    def _pages(self) -> Iterator[None]:
        page = self._ask("page", "/", media="text/html", accept="text/html").decode()
        for reference in sorted(set(_REFERENCE.findall(page))):
            self._ask("page files", "/" + reference.removeprefix("./"))
            yield
        self._json("landing", "/")
        self._json("conformance", "/conformance")
        self._json("health", "/healthz")
        self._json("OpenAPI", "/api", media="application/vnd.oai.openapi+json;version=3.0")
        self._json("collections", "/collections")
        self._json("processes", "/processes")
        self._json("processes", "/processes/screen")
        self._json("styles", "/styles")
        self._json("tile matrix sets", "/tileMatrixSets")
        self._json("tile matrix sets", "/tileMatrixSets/WebMercatorQuad")
        yield

    def _layer(self, layer: dict[str, Any]) -> Iterator[None]:
        own = f"/collections/{quote(layer['id'])}"
        self._json("collection", own)
        self._json("queryables", f"{own}/queryables", media="application/schema+json")
        self._json("schema", f"{own}/schema", media="application/schema+json")
        yield
        page = self._json("items", f"{own}/items?limit=2", media="application/geo+json")
        if page.get("numberMatched") != layer["count"]:
            self._wrong("items", own, f"numberMatched {page.get('numberMatched')}, not {layer['count']}")
        for feature in page.get("features", [])[:1]:
            address = f"{own}/items/{quote(str(feature['id']), safe='')}"
            self._json("one item", address, media="application/geo+json")
        yield
        if layer["geometry"] != "none":
            style = f"/styles/{quote(layer['id'])}"
            self._json("style", style, media="application/vnd.mapbox.style+json")
            self._json("tileset", f"{own}/tiles/WebMercatorQuad")
            self._tile(own, layer)
        yield

    def _tile(self, own: str, layer: dict[str, Any]) -> None:
        """A tile over the layer's extent must not be empty; a layer without rows has none but empty ones."""
        lowest = layer["zoom"]["min"]
        if layer["extent"] is None:
            self._ask("tile", f"{own}/tiles/WebMercatorQuad/{lowest}/0/0", status=204)
            return
        z, y, x = _tile_over(layer["extent"], lowest)
        address = f"{own}/tiles/WebMercatorQuad/{z}/{y}/{x}"
        self._ask("tile", address, media="application/vnd.mapbox-vector-tile")

    def _rasters(self, rasters: list[dict[str, Any]]) -> Iterator[None]:
        for raster in rasters:
            west, south, east, north = raster["bounds"]
            z, y, x = _tile_over(raster["bounds"], 0)
            own = f"/rasters/{quote(raster['id'])}"
            self._ask("raster tile", f"{own}/tiles/WebMercatorQuad/{z}/{y}/{x}.png", media="image/png")
            self._json("raster value", f"{own}/value?lon={(west + east) / 2}&lat={(south + north) / 2}")
            yield

    def _screening(self, config: dict[str, Any]) -> Iterator[None]:
        """A point and an area in the middle of the map, for each kind of site."""
        lon, lat = config["district"]["view"]["center"]
        ring = [[lon, lat], [lon + 0.01, lat], [lon + 0.01, lat + 0.01], [lon, lat + 0.01], [lon, lat]]
        sites = [
            {"type": "Point", "coordinates": [lon, lat]},
            {"type": "Polygon", "coordinates": [ring]},
        ]
        for kind in config.get("site_kinds", []):
            for site in sites:
                body = orjson.dumps({"inputs": {"site": site, "kind": kind["kind"]}})
                answer = self._json("screening", "/processes/screen/execution", body=body)
                if answer.get("verdict") not in ("conflict", "unknown", "edge", "clear"):
                    self._wrong("screening", f"{kind['kind']} {site['type']}", "no verdict")
                yield
        yield from self._report(config, sites[1])

    def _report(self, config: dict[str, Any], site: dict[str, Any]) -> Iterator[None]:
        """A stored report in each of its forms; its number is the hash of its record."""
        kind = next((each["kind"] for each in config.get("site_kinds", [])), None)
        if kind is None:
            return
        body = orjson.dumps({"inputs": {"site": site, "kind": kind, "report": True}})
        link = self._json("report", "/processes/screen/execution", body=body).get("report")
        if link is None:
            self._wrong("report", kind, "no report")
            return
        own = f"/reports/{link['id']}"
        if sha256(self._ask("report", f"{own}?f=json")).hexdigest() != link["id"]:
            self._wrong("report", own, "its number is not the hash of its record")
        for each in link["links"]:
            path = urlsplit(each["href"])
            self._ask("report", f"{path.path}?{path.query}" if path.query else path.path, media=each["type"])
            yield

    def _json(
        self, kind: str, path: str, *, media: str = "application/json", body: bytes | None = None
    ) -> Any:
        content = self._ask(kind, path, media=media, body=body)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            self._wrong(kind, path, "no JSON")
            return {}

    def _ask(
        self, kind: str, path: str, *, status: int = 200, media: str = "", accept: str = "*/*",
        body: bytes | None = None,
    ) -> bytes:  # fmt: skip
        """The body of one answer; a wrong status or type makes the finding a failure."""
        request = f"{'GET' if body is None else 'POST'} {path}"
        started = time.perf_counter()
        try:
            headers = {"Accept": accept, "Content-Type": "application/json"}
            self.connection.request(request.split()[0], path, body, headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            self.connection.close()
            self._wrong(kind, request, f"{type(error).__name__}: {error}")
            return b""
        spent_ms = (time.perf_counter() - started) * 1000
        wrong = [] if answer.status == status else [f"{answer.status} instead of {status}"]
        found = answer.getheader("Content-Type", "")
        if not found.startswith(media):
            wrong.append(f"{found or 'no type'} instead of {media}")
        self.findings.append(Finding(kind, request, spent_ms, "; ".join(wrong)))
        return content

    def _wrong(self, kind: str, request: str, reason: str) -> None:
        self.findings.append(Finding(kind, request, 0.0, reason))


def _tile_over(extent: list[float], lowest: int) -> tuple[int, int, int]:
    """Zoom, row and column of the smallest tile that holds ``extent`` (degrees), no lower than ``lowest``."""
    west, south, east, north = (
        min(max(value, -limit), limit) for value, limit in zip(extent, (180, 85, 180, 85), strict=True)
    )
    for z in range(12, -1, -1):
        corners = {_tile_of(lon, lat, z) for lon, lat in ((west, south), (east, north))}
        if len(corners) == 1 and z >= lowest:
            return (z, *corners.pop())
    return (lowest, *_tile_of((west + east) / 2, (south + north) / 2, lowest))


def _tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    """Row and column of the tile around a place."""
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    side = 1 << z
    return min(int(y * side), side - 1), min(int((lon + 180) / 360 * side), side - 1)
