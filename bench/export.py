"""Layers over HTTP: time, and the most memory of the service, for a quarter of 1,000,000 points and for all.

GeoJSON and JSON-FG come page by page, from one next link to the other; the others as one file each. A quarter
is what lies west of a meridian. The peak is that of the service's processes together, above their state
before; each begins with a new service, so that none finds memory that another has left.
"""

from __future__ import annotations

import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import orjson

from bench.ledger_update import SUBJECTS
from bench.memory import memory_mb, processes
from bench.report import Row
from bench.servers import onemap_served
from bench.tiles import filled
from bench.workload import EXTENT, workload
from gis.crs import transformation
from gis.features import prepare_items
from gis.settings import load_settings

__all__ = ["export"]

PAGED, FILES = ("geojson", "jsonfg"), ("csv", "parquet", "fgb", "gpkg", "xlsx")
PAGE = 10_000
_PIECE = 1 << 20


def export(share: float = 1.0) -> list[Row]:
    """Seconds and peak megabytes of each format."""
    with filled(share) as (home, engine):
        definition = load_settings(home=home).load_map()
        prepare_items(engine, definition)
        back = transformation(4549, 4326, EXTENT)
        west = float(np.quantile(back.xy(workload().share(share).xy)[:, 0], 0.25))
        rows = []
        for form in (*PAGED, *FILES):
            for part, box in (("25 %", f"&bbox=-180,-90,{west:.6f},90"), ("100 %", "")):
                with onemap_served(home, workers=1, ONEMAP_RATE_LIMIT="off") as address:
                    rows.append(_measured(address, form, part, box))
        return rows


def _measured(address: str, form: str, part: str, box: str) -> Row:
    path = f"/collections/{SUBJECTS}/items?f={form}{box}"
    at = HTTPConnection(urlsplit(address).netloc, timeout=1800)
    _sent(at, f"/collections/{SUBJECTS}/items?f={form}&bbox=0,0,1,1")  # libraries are loaded
    served = list(processes())
    before = sum(memory_mb(process, "VmRSS") for process in served)
    for process in served:
        Path(f"/proc/{process}/clear_refs").write_text("5")  # the peak counts from here
    start = time.perf_counter()
    if form in PAGED:
        size, found = _pages(at, f"{path}&limit={PAGE}&count=false")
    else:
        size, found = _sent(at, path)[0], 0
    seconds = time.perf_counter() - start
    peak = sum(memory_mb(process, "VmHWM") for process in processes())
    params = {"part": part, "MB": size / 1e6, "before_mb": before, "peak_mb": peak, "rows": found}
    print(f"{form}, {part}: {seconds:.1f} s, {params}", flush=True)
    return Row("export", f"onemap, {form}, {part}", seconds, "s", 1, params)


def _sent(at: HTTPConnection, path: str) -> tuple[int, bytes]:
    """How many bytes came, and the last MiB of them."""
    at.request("GET", path)
    answer = at.getresponse()
    size, last = 0, b""
    while piece := answer.read(_PIECE):
        size, last = size + len(piece), piece
    assert answer.status == 200, (path, answer.status, last[:500])
    return size, last


def _pages(at: HTTPConnection, path: str) -> tuple[int, int]:
    """Bytes and features of all pages."""
    size = found = 0
    while path:
        at.request("GET", path)
        answer = at.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:500])
        page = orjson.loads(body)
        size, found = size + len(body), found + page["numberReturned"]
        following = urlsplit(next((link["href"] for link in page["links"] if link["rel"] == "next"), ""))
        path = f"{following.path}?{following.query}" if following.query else ""
    return size, found
