"""100,000 parcels over 2,000 zones: all pairs that meet, with the area shared, in memory."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd

from bench.joins import Join
from bench.peers import THREADS, Table
from bench.report import Answer, Limit
from bench.workload import Workload
from gis.kernel import ZoneSet, intersecting, overlap

__all__ = ["PARCEL_OVERLAP"]


def _kernel(made: Workload, zones: ZoneSet) -> Answer:
    parcel, zone = intersecting(made.parcels, zones, threads=THREADS, check=False)
    return Answer(parcel, zone, overlap(made.parcels, zones, parcel, zone, threads=THREADS, check=False))


def _geopandas(made: Workload, pieces: Table) -> Callable[[], Answer]:
    parcels = gpd.GeoDataFrame(geometry=made.parcels, crs=4549).rename_axis("parcel").reset_index()
    cut_up = gpd.GeoDataFrame({"zone": pieces[0]}, geometry=pieces[1], crs=4549)

    # overlay() of whole zones takes a hundred times as long; pieces are its best form.
    def join() -> Answer:
        shared = gpd.overlay(parcels, cut_up, how="intersection", keep_geom_type=False)
        area = shared.assign(area=shared.area).groupby(["parcel", "zone"], sort=False)["area"].sum()
        parcel, zone = (area.index.get_level_values(name).to_numpy() for name in ("parcel", "zone"))
        return Answer(parcel, zone, area.to_numpy())

    parcels.sindex, cut_up.sindex  # noqa: B018 - built with the inputs
    return join


# A parcel that a piece holds in full need not be intersected.
_PIECES = (
    "SELECT p.id, z.id AS zone, SUM(CASE WHEN ST_{covers} THEN ST_Area(p.geom) "
    "ELSE ST_Area(ST_Intersection(z.geom, p.geom)) END) AS area "
    "FROM parcels p JOIN pieces z ON ST_Intersects(z.geom, p.geom) GROUP BY p.id, z.id"
)
_COVERS = "Covers(z.geom, p.geom)"

PARCEL_OVERLAP = Join(
    name="parcel-overlap",
    subjects="parcels",
    kernel=_kernel,
    geopandas=_geopandas,
    # With whole zones none of them finishes within minutes.
    statements={
        "PostGIS, pieces": _PIECES.format(covers=_COVERS),
        "DuckDB spatial, pieces": _PIECES.format(covers=_COVERS),
        "SedonaDB, pieces": _PIECES.format(covers=_COVERS),
    },
    limits=(Limit(0.5, ("SedonaDB, pieces", "DuckDB spatial, pieces", "geopandas", "PostGIS, pieces")),),
    tolerance=(1e-9, 1e-6),
)
