"""10,000 sites with attributes judged by all rules, from the file to the table of results.

Every second site is a parcel, the others are points. The store holds the demonstration data.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from sqlalchemy import create_engine

from bench.one_parcel import _home, _parcels
from bench.report import Row
from bench.workload import SEED, SHARED, workload
from gis.cluster import Cluster
from gis.instep import bring_in_step
from gis.manifest import load, read_manifest
from gis.screening.batch import BatchOrder, screen_batch
from gis.settings import load_settings

__all__ = ["screen_batch_bench"]

SITES, RUNS = 10_000, 3


def screen_batch_bench() -> list[Row]:
    """The whole run, reading and writing included, each time from nothing."""
    if SHARED.exists():
        workload()  # makes the parcels, once
    with _home() as home:
        definition = load_settings(home=home).load_map()
        engine = create_engine(Cluster(home).ensure_running())
        bring_in_step(engine, definition)
        assert definition.district.demo is not None
        for entry in read_manifest(definition.district.demo, definition):
            load(engine, definition, entry)
        file = home.parent / "sites.gpkg"
        _write(file)
        took = []
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                order = BatchOrder(file, label="name", law_date=date(2026, 9, 1))
                found = screen_batch(engine, definition, order, Path(folder))
                took.append(time.perf_counter() - start)
            assert found.summary["sites"] == SITES, found.summary
        engine.dispose()
    params = {
        "sites": SITES,
        "pairs": SITES,
        "min": min(took),
        "max": max(took),
        **found.summary["by_verdict"],
    }
    return [Row("screen-batch", "onemap", statistics.median(took), "s", RUNS, params)]


def _write(file: Path) -> None:
    rng = np.random.default_rng(SEED)
    sites = np.array(_parcels(SITES), dtype=object)
    sites[::2] = shapely.point_on_surface(sites[::2])
    fields = {
        "name": [f"S{i:05d}" for i in range(SITES)],
        "fuel_banned_in_category": rng.random(SITES) < 0.5,
        "discharges_pollutants": rng.random(SITES) < 0.5,
        "heavy_water_pollution": rng.random(SITES) < 0.3,
    }
    gpd.GeoDataFrame(fields, geometry=sites, crs=4326).to_file(file)
