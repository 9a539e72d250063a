"""1,000,000 points and the zones within 1,000 m of each: all pairs, with their distance, in memory."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import pandas as pd
import shapely

from bench.joins import Join
from bench.peers import THREADS, Table
from bench.report import Answer, Limit
from bench.workload import Workload
from gis.kernel import ZoneSet, within

__all__ = ["DISTANCE_JOIN"]

REACH_M = 1000


def _kernel(made: Workload, zones: ZoneSet) -> Answer:
    return Answer(*within(made.points, zones, REACH_M, threads=THREADS, check=False))


def _geopandas(made: Workload, pieces: Table) -> Callable[[], Answer]:
    points = gpd.GeoDataFrame(geometry=made.points, crs=4549)
    cut_up = gpd.GeoDataFrame(geometry=pieces[1], crs=4549)

    def join() -> Answer:
        piece, point = points.sindex.query(cut_up.geometry, predicate="dwithin", distance=REACH_M)
        gap = shapely.distance(points.geometry.values[point], cut_up.geometry.values[piece])
        pairs = pd.DataFrame({"point": point, "zone": pieces[0][piece], "gap": gap})
        nearest = pairs.groupby(["point", "zone"], sort=False)["gap"].min().reset_index()
        return Answer(*(nearest[name].to_numpy() for name in ("point", "zone", "gap")))

    points.sindex  # noqa: B018 - built with the inputs
    return join


_PIECES = (
    "SELECT p.id, z.id AS zone, MIN(ST_Distance(z.geom, p.geom)) AS gap "
    f"FROM points p JOIN pieces z ON ST_DWithin(z.geom, p.geom, {REACH_M}) GROUP BY p.id, z.id"
)

DISTANCE_JOIN = Join(
    name="distance-join",
    subjects="points",
    kernel=_kernel,
    geopandas=_geopandas,
    statements={
        "PostGIS, pieces": _PIECES,
        "DuckDB spatial, pieces": _PIECES,
        "SedonaDB, pieces": _PIECES,
    },
    limits=(Limit(0.5, ("SedonaDB, pieces", "DuckDB spatial, pieces", "geopandas", "PostGIS, pieces")),),
    tolerance=(0.0, 1e-3),
)
