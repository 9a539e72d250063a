"""Items of 1,000,000 points in random boxes, 1,000 at most, against tipg and pygeoapi on the same database.

onemap              with the exact number of all that match
onemap, no count    the client asks to leave that out
onemap, filter      and a condition in CQL2
onemap, as of       and an older revision
onemap, areas       asked by somebody who sees a part of the areas
..., gzip           by clients that take compressed answers, as most do, and uncompress them

Peers have a table of their own with the same properties, in spatial order and with an index on its geometry
in the CRS of the answer, so they transform nothing. All have two workers and are asked over 16 connections,
in turns; nothing is kept between requests, and no box is asked twice.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import Engine, make_url, text

from bench.ending import taken_down
from bench.ledger_update import SUBJECTS
from bench.report import Row, timed
from bench.servers import CONNECTIONS, WORKERS, onemap_served, tipg_served, uvicorn_served
from bench.tiles import filled
from bench.wire import Run, ask_all
from bench.workload import EXTENT, SEED
from gis.access import Role
from gis.accounts.keys import add_key
from gis.db import connect
from gis.features import prepare_items
from gis.settings import load_settings

__all__ = ["items"]

# A turn takes some seconds, so that its beginning, and its end, when some connections have nothing left to
# ask, count for little.
PAGES, LIVE_PAGES, PEER_PAGES, WARM_UP, LIMIT = 6_000, 750, 400, 64, 1_000
TURNS = 5
SMALLEST, LARGEST = 0.04, 0.4
SCHEMA = "peer_items"


def items(share: float = 1.0) -> list[Row]:
    """Requests a second of onemap, in the ways the module names, and of its peers."""
    with filled(share) as (home, engine):
        definition = load_settings(home=home).load_map()
        prepared_s, prepared = timed(lambda: prepare_items(engine, definition))
        assert prepared.rows
        _give_areas(engine)
        with connect(engine, write=True) as conn:
            _, key = add_key(conn, "bench", role=Role.GRID_OFFICER, areas=["west"])
        _peer_table(engine)
        url = engine.url.render_as_string()
        with (
            onemap_served(home, ONEMAP_RATE_LIMIT="off") as ours,
            tipg_served(url, SCHEMA) as tipg,
            pygeoapi_served(url) as pygeoapi,
        ):
            ways = {
                "onemap": _Way(ours, SUBJECTS, PAGES),
                "onemap, no count": _Way(ours, SUBJECTS, PAGES, "&count=false"),
                "onemap, no count, gzip": _Way(ours, SUBJECTS, PAGES, "&count=false", packed=True),
                "onemap, filter": _Way(ours, SUBJECTS, LIVE_PAGES, "&filter=discharges_pollutants%3Dtrue"),
                "onemap, as of": _Way(ours, SUBJECTS, LIVE_PAGES, "&as-of=1"),
                "onemap, areas": _Way(ours, SUBJECTS, LIVE_PAGES, bearer=key),
                "tipg": _Way(tipg, f"{SCHEMA}.{SUBJECTS}", PEER_PAGES, "&f=geojson"),
                "tipg, gzip": _Way(tipg, f"{SCHEMA}.{SUBJECTS}", PEER_PAGES, "&f=geojson", packed=True),
                "pygeoapi": _Way(pygeoapi, SUBJECTS, PEER_PAGES, "&f=json"),
                "pygeoapi, gzip": _Way(pygeoapi, SUBJECTS, PEER_PAGES, "&f=json", packed=True),
            }
            for way in ways.values():
                way.asked(_boxes(WARM_UP, SEED + 1))
            runs: dict[str, list[Run]] = {name: [] for name in ways}
            for turn in range(TURNS):  # what else the machine does hits all alike
                for name, way in ways.items():
                    runs[name].append(way.asked(_boxes(way.pages, SEED)[turn::TURNS]))
        rows = [_row(name, each) for name, each in runs.items()]
        rows[0].params["prepared_s"] = prepared_s
        return rows


@dataclass(frozen=True)
class _Way:
    """How one of the systems is asked for pages.

    ``bearer`` is the key of whoever asks; ``packed``: the answer may be compressed.
    """

    address: str
    collection: str
    pages: int
    more: str = ""
    bearer: str | None = None
    packed: bool = False

    def asked(self, boxes: list[str]) -> Run:
        paths = [f"/collections/{self.collection}/items?limit={LIMIT}&bbox={box}{self.more}" for box in boxes]
        headers = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        headers |= {"Accept-Encoding": "gzip"} if self.packed else {}
        return ask_all(self.address, paths, CONNECTIONS, headers)


def _row(system: str, runs: list[Run]) -> Row:
    rates = [run.per_s for run in runs]
    run = Run(
        np.concatenate([run.ms for run in runs]),
        np.concatenate([run.sizes for run in runs]),
        sum(run.seconds for run in runs),
    )
    told: dict[str, Any] = {
        "workers": WORKERS, "connections": CONNECTIONS, **run.params(),
        "slowest_turn": min(rates), "fastest_turn": max(rates),
    }  # fmt: skip
    print(f"{system}: {run.per_s:.1f} requests/s, {told}", flush=True)
    return Row("items", system, run.per_s, "requests/s", len(run.ms), told)


def _give_areas(engine: Engine) -> None:
    """Put each enterprise into an area by its longitude; "west" is one of 64, the size of a township."""
    west, _, east, _ = EXTENT
    with connect(engine, write=True) as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        conn.execute(
            text(
                f"UPDATE layer.{SUBJECTS} SET areas = ARRAY[CASE floor((ST_X(geom) - :west) / :wide) "
                "WHEN 16 THEN 'west' ELSE 'east' END]"
            ),
            {"west": west, "wide": (east - west) / 64},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f"VACUUM (ANALYZE) layer.{SUBJECTS}"))


def _boxes(count: int, seed: int) -> list[str]:
    """Random boxes as the parameter says them, from 4 to 40 km wide."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        wide = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
        west = rng.uniform(EXTENT[0], EXTENT[2] - wide)
        south = rng.uniform(EXTENT[1], EXTENT[3] - wide)
        found.append(f"{west:.6f},{south:.6f},{west + wide:.6f},{south + wide:.6f}")
    return found


def _peer_table(engine: Engine) -> None:
    """The current enterprises as a plain table, in spatial order, with a key and an index on the place."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        held = conn.scalars(
            text(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 "
                "AND NOT attisdropped ORDER BY attnum"
            ),
            {"table": f"layer.{SUBJECTS}"},
        )
        hidden = {"row_id", "geom", "geom_web", "rev_to", "areas", "source_id"}
        columns = ", ".join(f't."{name}"' for name in held if name not in hidden)
        conn.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        conn.execute(
            text(
                f"CREATE TABLE {SCHEMA}.{SUBJECTS} AS SELECT row_id AS id, {columns}, s.name AS source, "
                "s.is_demonstration, ST_SetSRID(geom, 4326)::geometry(Point, 4326) AS geom "
                f"FROM layer.{SUBJECTS} t JOIN core.sources s USING (source_id) WHERE rev_to IS NULL "
                "ORDER BY t.geom"
            )
        )
        conn.execute(text(f"ALTER TABLE {SCHEMA}.{SUBJECTS} ADD PRIMARY KEY (id)"))
        conn.execute(text(f"CREATE INDEX ON {SCHEMA}.{SUBJECTS} USING gist (geom)"))
        conn.execute(text("VACUUM ANALYZE"))
        conn.execute(text("CHECKPOINT"))


@contextmanager
def pygeoapi_served(url: str) -> Iterator[str]:
    """The address of pygeoapi on the same table, as a Starlette application."""
    folder = Path(tempfile.mkdtemp(prefix="onemap-bench-"))
    with taken_down(lambda: shutil.rmtree(folder)):
        config, description = folder / "config.yml", folder / "openapi.yml"
        config.write_text(yaml.safe_dump(_pygeoapi_config(url)))
        description.write_text("openapi: 3.0.2\npaths: {}\n")
        environment = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(description)}
        with uvicorn_served("pygeoapi.starlette_app:APP", environment, "/conformance?f=json") as address:
            yield address


def _pygeoapi_config(url: str) -> dict[str, object]:
    at = make_url(url)
    words = {"title": "items", "description": "items", "keywords": ["items"]}
    provider = {
        "type": "feature", "name": "PostgreSQL", "id_field": "id", "table": SUBJECTS, "geom_field": "geom",
        "data": {"host": str(at.query["host"]), "dbname": at.database, "user": at.username, "password": "-",
                 "port": 5432, "search_path": [SCHEMA, "public"]},
    }  # fmt: skip
    collection = {
        "type": "collection", **words, "links": [], "providers": [provider],
        "extents": {"spatial": {"bbox": list(EXTENT), "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}},
    }  # fmt: skip
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": 80}, "url": "http://127.0.0.1",
            "mimetype": "application/json", "encoding": "utf-8", "languages": ["en-US"], "gzip": True,
            "limits": {"default_items": 10, "max_items": LIMIT},
            "map": {"url": "", "attribution": ""},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {**words, "terms_of_service": "", "url": "http://127.0.0.1"},
            "license": {"name": "", "url": ""},
            "provider": {"name": "", "url": ""},
            "contact": {"name": ""},
        },
        "resources": {SUBJECTS: collection},
    }  # fmt: skip
