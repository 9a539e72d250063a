"""1,000,000 points in 2,000 zones: the full list of pairs in memory."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd

from bench.joins import Join
from bench.peers import THREADS, Table
from bench.report import Answer, Limit
from bench.workload import Workload
from gis.kernel import ZoneSet, points_in_zones

__all__ = ["POINTS_IN_ZONES"]


def _kernel(made: Workload, zones: ZoneSet) -> Answer:
    return Answer(*points_in_zones(made.xy, zones, threads=THREADS))


def _geopandas(made: Workload, pieces: Table) -> Callable[[], Answer]:
    points = gpd.GeoDataFrame(geometry=made.points, crs=4549)
    zones = gpd.GeoDataFrame(geometry=made.zones, crs=4549)

    # Zones on the left: then they are prepared and asked of an index of the points; the other way round each
    # point is asked of whole zones, which takes minutes.
    def join() -> Answer:
        found = gpd.sjoin(zones, points, predicate="intersects")
        return Answer(found["index_right"].to_numpy(), found.index.to_numpy())

    points.sindex  # noqa: B018 - built with the inputs
    return join


# A point on a cut edge lies in two pieces, hence DISTINCT.
_WHOLE = "SELECT p.id, z.id AS zone FROM points p JOIN zones z ON ST_Intersects(z.geom, p.geom)"
_PIECES = "SELECT DISTINCT p.id, z.id AS zone FROM points p JOIN pieces z ON ST_Intersects(z.geom, p.geom)"
# Left alone, the planner asks for the pieces of each point, which is several times slower at this size.
_PIECES_FIRST = (
    "SELECT DISTINCT p.id, z.id AS zone FROM pieces z CROSS JOIN LATERAL "
    "(SELECT p.id FROM points p WHERE ST_Intersects(z.geom, p.geom) OFFSET 0) p"
)

POINTS_IN_ZONES = Join(
    name="points-in-zones",
    subjects="points",
    kernel=_kernel,
    geopandas=_geopandas,
    # DuckDB never finishes with whole zones of this size.
    statements={
        "PostGIS": _WHOLE,
        "PostGIS, pieces": _PIECES_FIRST,
        "DuckDB spatial, pieces": _PIECES,
        "SedonaDB": _WHOLE,
        "SedonaDB, pieces": _PIECES,
    },
    limits=(
        Limit(0.5, ("SedonaDB", "SedonaDB, pieces", "DuckDB spatial, pieces", "geopandas")),
        Limit(0.1, ("PostGIS",)),
    ),
)
