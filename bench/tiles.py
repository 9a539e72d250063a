"""Tiles over 1,000,000 points and 2,000 zones, z8 to z16 at random places, against tipg on the same database.

tiles          every tile is drawn (no cache); half of them of the points, half of the zones
onemap, as-of  the same tiles as they were at an older revision
tiles-cached   tiles that were drawn before, out of memory, against the uncached tiles of tipg

tipg has plain tables in EPSG:3857 with an index, so it transforms nothing. Both have two workers and are
asked over 16 connections, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, create_engine, text

from bench.ending import own_folder
from bench.ledger_update import LAYER, SUBJECTS, fill
from bench.report import Row, timed
from bench.servers import CONNECTIONS, WORKERS, onemap_served, tipg_served
from bench.wire import Run, ask_all
from bench.workload import EXTENT, SEED, workload
from gis.cluster import Cluster
from gis.db import connect
from gis.revisions import Change, new_revision, note_touch
from gis.settings import load_settings
from gis.sync import sync
from gis.tiles import prepare_tiles

__all__ = ["filled", "tiles", "tiles_cached"]

ZOOMS = range(8, 17)
TILES, WARM_UP, CACHED = 400, 40, 10_000


def tiles(share: float = 1.0) -> list[Row]:
    """Uncached: onemap now, onemap as of an older revision, tipg."""
    with _store(share) as (home, url, prepared_s):
        wanted = _random_tiles(TILES + WARM_UP)
        with onemap_served(home, ONEMAP_TILE_CACHE_MB="0") as address:
            ours = _run(address, [_our_path(*tile) for tile in wanted])
            older = _run(address, [_our_path(*tile) + "?as-of=1" for tile in wanted])
        with tipg_served(url, "peer") as address:
            theirs = _run(address, [_their_path(*tile) for tile in wanted])
        assert max(ours.sizes.max(), older.sizes.max()) <= 500_000
        return [
            _row("tiles", "onemap", ours, prepared_s=prepared_s),
            _row("tiles", "onemap, as-of", older),
            _row("tiles", "tipg", theirs),
        ]


def tiles_cached(share: float = 1.0) -> list[Row]:
    """From memory, against uncached tiles of tipg."""
    with _store(share) as (home, url, _):
        wanted = _random_tiles(TILES // 2 + WARM_UP)
        paths = [_our_path(*tile) for tile in wanted]
        with onemap_served(home, ONEMAP_TILE_CACHE_MB="256") as address:
            for _ in range(3):  # both workers
                ask_all(address, paths, CONNECTIONS)
            rng = np.random.default_rng(SEED)
            ours = _run(address, [paths[i] for i in rng.integers(0, len(paths), CACHED + WARM_UP)])
        with tipg_served(url, "peer") as address:
            theirs = _run(address, [_their_path(*tile) for tile in wanted])
        return [_row("tiles-cached", "onemap", ours), _row("tiles-cached", "tipg, uncached", theirs)]


def _run(address: str, paths: list[str]) -> Run:
    ask_all(address, paths[:WARM_UP], CONNECTIONS)
    return ask_all(address, paths[WARM_UP:], CONNECTIONS)


def _row(bench: str, system: str, run: Run, **params: float) -> Row:
    told = {"workers": WORKERS, "connections": CONNECTIONS, **run.params(), **params}
    print(f"{system}: {run.per_s:.1f} requests/s, {told}", flush=True)
    return Row(bench, system, run.per_s, "requests/s", len(run.ms), told)


def _random_tiles(count: int) -> list[tuple[str, int, int, int]]:
    """Layer, zoom, row and column; by turns of points and zones, zoom and place at random."""
    rng = np.random.default_rng(SEED)
    found = []
    for i in range(count):
        z = int(rng.choice(list(ZOOMS)))
        lon, lat = rng.uniform(EXTENT[0], EXTENT[2]), np.radians(rng.uniform(EXTENT[1], EXTENT[3]))
        x = int((lon + 180) / 360 * 2**z)
        y = int((1 - np.arcsinh(np.tan(lat)) / np.pi) / 2 * 2**z)
        found.append(((SUBJECTS, LAYER)[i % 2], z, y, x))
    return found


def _our_path(layer: str, z: int, y: int, x: int) -> str:
    return f"/collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}"


def _their_path(layer: str, z: int, y: int, x: int) -> str:
    return f"/collections/peer.{layer}/tiles/WebMercatorQuad/{z}/{x}/{y}"


@contextmanager
def _store(share: float) -> Iterator[tuple[Path, str, float]]:
    """The filled store: its home, its address, and how long the levels took."""
    with filled(share) as (home, engine):
        definition = load_settings(home=home).load_map()
        prepared_s, _ = timed(lambda: prepare_tiles(engine, definition))
        _peer_tables(engine)
        url = engine.url.render_as_string()
        engine.dispose()
        yield home, url, prepared_s


@contextmanager
def filled(share: float) -> Iterator[tuple[Path, Engine]]:
    """A store with enterprises and zones, and one revision more: its home, and its database."""
    with own_folder() as folder:
        home = folder / "home"
        definition = load_settings(home=home).load_map()
        engine = create_engine(Cluster(home).ensure_running())
        sync(engine, definition)
        fill(engine, definition, workload().share(share))
        _touch(engine)
        yield home, engine
        engine.dispose()


def _touch(engine: Engine) -> None:
    """A revision that closes a row of each layer, so that there is an older state to ask for."""
    with connect(engine, write=True) as conn:
        rev = new_revision(conn, who="bench", kind="import")
        for layer in (SUBJECTS, LAYER):
            one = f'(SELECT max(row_id) FROM layer."{layer}")'
            conn.execute(text(f'UPDATE layer."{layer}" SET rev_to = {rev} WHERE row_id = {one}'))
            note_touch(conn, rev, layer, Change(rev, 0, 0, 1, 0))


def _peer_tables(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("CREATE SCHEMA peer"))
        for layer, columns in ((SUBJECTS, "name, source_type"), (LAYER, "name, grade")):
            conn.execute(
                text(
                    f"CREATE TABLE peer.{layer} AS SELECT row_id AS id, uid, {columns}, is_indicative, "
                    f'geom_web AS geom FROM layer."{layer}" WHERE rev_to IS NULL'
                )
            )
            conn.execute(text(f"ALTER TABLE peer.{layer} ADD PRIMARY KEY (id)"))
            conn.execute(text(f"CREATE INDEX ON peer.{layer} USING gist (geom)"))
        conn.execute(text("VACUUM ANALYZE"))
