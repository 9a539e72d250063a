"""2,000 random parcels, one request each, against all zones by all rules, through HTTP at concurrency 4.

onemap            the whole answer, with parts, sentences, law and sources
onemap, live      the verdict that follows the hand while a site is drawn
PostGIS (pieces)  of the same parcels only which zones they overlap and by how much, without HTTP and rules

The store holds the demonstration data and 2,000 further red lines, of which 20 have 50,000 vertices and more.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import numpy as np
import orjson
import psycopg
import shapely
from sqlalchemy import create_engine

from bench.ending import own_folder, taken_down
from bench.latency import figures, latency
from bench.report import Row
from bench.wire import Run, ask_all
from bench.workload import EXTENT, ROOT, SEED, SHARED, _ring, _towns, workload
from gis.cluster import Cluster
from gis.crs import transformation
from gis.importing.load import ImportOptions, SourceInfo, import_file
from gis.instep import bring_in_step
from gis.kernel import cut
from gis.manifest import load, read_manifest
from gis.settings import load_settings

__all__ = ["one_parcel"]

PARCELS, WARM_UP, CONCURRENCY, WORKERS = 2_000, 200, 4, 2
QUIET_WITHIN_S = 300
PLANE = 4549
_EXECUTE = "/processes/screen/execution"


def one_parcel() -> list[Row]:
    """Each system in turn, after its own warm-up."""
    with _home() as home:
        settings = load_settings(home=home)
        zones = workload().zones
        sites = _parcels(PARCELS)
        _fill(settings, zones, home)
        with _served(home) as (address, pid):
            rows = []
            for name, detail in (("onemap", None), ("onemap, live", "live")):
                bodies = [_body(site, detail) for site in sites]
                rows.append(_asked(name, address, bodies, pid))
        rows.append(_postgis(settings.home, zones, sites))
    return rows


def _parcels(count: int) -> list[Any]:
    """Parcels of some 120 m and 20 to 60 vertices, drawn at random from the workload; lon/lat."""
    rng = np.random.default_rng(SEED)
    if SHARED.exists():
        every = gpd.read_parquet(ROOT / "build" / "bench-data" / "parcels.parquet").geometry.values
        return list(every[rng.choice(len(every), count, replace=False)])
    radii = np.clip(rng.lognormal(np.log(0.0006), 0.6, count), 0.00015, 0.006)
    places = zip(radii, _towns(rng, count), strict=True)
    return [shapely.Polygon(_ring(rng, int(rng.integers(20, 61)), radius, at)) for radius, at in places]


@contextmanager
def _home() -> Iterator[Path]:
    with own_folder() as folder:
        yield folder / "home"


def _fill(settings: Any, zones: Any, home: Path) -> None:
    """The demonstration data and the large zones, in a store of its own."""
    definition = settings.load_map()
    engine = create_engine(Cluster(home).ensure_running())
    bring_in_step(engine, definition)
    for entry in read_manifest(definition.district.demo, definition):
        load(engine, definition, entry)
    file = home.parent / "zones.gpkg"
    names = [f"Z{i:05d}" for i in range(len(zones))]
    fields = {"name": names, "is_core_reserve": False, "kind": "biodiversity"}
    gpd.GeoDataFrame(fields, geometry=zones, crs=PLANE).to_file(file)
    options = ImportOptions(SourceInfo("bench", accuracy_m=5.0), outside="keep")
    result = import_file(engine, definition, "eco_redlines", file, options)
    assert result.good == len(zones), result
    engine.dispose()


@contextmanager
def _served(home: Path) -> Iterator[tuple[str, int]]:
    """The service as its users run it; its address and process."""
    log = home.parent / "log"
    command = [str(Path(sys.executable).with_name("onemap")), "serve", "--port", "0", "--no-worker"]
    environment = os.environ | {"ONEMAP_HOME": str(home)}
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*command, "--workers", str(WORKERS)], cwd=ROOT, env=environment, stdout=output, stderr=output
        ) as served,
    ):
        with taken_down(served.terminate):
            yield _address(served, log), served.pid


def _address(served: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        told = re.search(r"http://[\d.]+:\d+", log.read_text())
        if told and _answers(told[0]):
            return told[0]
        assert served.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _answers(address: str) -> bool:
    try:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=2)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _body(site: Any, detail: str | None) -> bytes:
    inputs = {"site": orjson.loads(shapely.to_geojson(site))}
    return orjson.dumps({"inputs": inputs | ({"detail": detail} if detail else {})})


def _asked(name: str, address: str, bodies: Sequence[bytes], pid: int) -> Row:
    """One request for each of ``bodies``, of a service that is warm and quiet."""

    def ask(some: Sequence[bytes]) -> Run:
        return ask_all(address, [_EXECUTE] * len(some), CONCURRENCY, bodies=some)

    for _ in range(2):  # one process may still have been starting when the other was asked
        ask(bodies[:WARM_UP])
        _quiet(pid)
    before = _cpu_s(pid)
    run = ask(bodies)
    p50, told = figures(run.ms, run.seconds, _cpu_s(pid) - before, CONCURRENCY)
    return Row("one-parcel", name, p50, "ms", len(bodies), {"workers": WORKERS, **told})


def _quiet(pid: int) -> None:
    """Wait until what the service makes behind its first answers is made."""
    for _ in range(QUIET_WITHIN_S):
        before = _cpu_s(pid)
        time.sleep(1)
        if _cpu_s(pid) - before < 0.05:
            return
    raise AssertionError(f"the service is not quiet after {QUIET_WITHIN_S} s")


def _cpu_s(pid: int) -> float:
    """Processor time of a process and its children so far."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(entry.name) == pid or int(fields[1]) == pid:
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _postgis(home: Path, zones: Any, sites: Sequence[Any]) -> Row:
    """Which zones a parcel overlaps and by how much, by the pieces of the zones, in the same server."""
    url = Cluster(home).ensure_running().replace("+psycopg", "")
    pieces = cut(zones, 96)
    moved = transformation(4326, PLANE, EXTENT).geometries(np.array(sites, dtype=object))
    given = shapely.to_wkb(moved)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE public.bench_pieces (zone int, geom geometry)")
        with db.cursor().copy("COPY public.bench_pieces FROM STDIN") as copy:
            for zone, wkb in zip(pieces.owner, shapely.to_wkb(pieces.geoms, hex=True), strict=True):
                copy.write_row((int(zone), wkb))
        db.execute("CREATE INDEX ON public.bench_pieces USING gist (geom)")
        db.execute("VACUUM ANALYZE public.bench_pieces")
    query = (
        "WITH p AS (SELECT ST_GeomFromWKB(%s) AS geom) "
        "SELECT zone, sum(ST_Area(ST_Intersection(z.geom, p.geom))) FROM p, public.bench_pieces z "
        "WHERE ST_Intersects(z.geom, p.geom) GROUP BY zone"
    )
    held = threading.local()
    opened: list[psycopg.Connection[Any]] = []

    def ask(i: int) -> None:
        if not hasattr(held, "db"):
            held.db = psycopg.connect(url, autocommit=True)
            opened.append(held.db)
        held.db.execute(query, (given[i],), prepare=True).fetchall()

    p50, told = latency(ask, PARCELS, warm_up=WARM_UP, concurrency=CONCURRENCY)
    for connection in opened:
        connection.close()
    return Row("one-parcel", "PostGIS (pieces)", p50, "ms", PARCELS, told)
