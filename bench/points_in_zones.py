"""100,000 points in 2,000 zones: every system delivers the full list of pairs into memory, inputs loaded."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import duckdb_extension_spatial
import geopandas as gpd
import numpy as np
import pyarrow as pa
import sedonadb
import shapely
from sqlalchemy import create_engine, text

from bench.report import Row, in_turns, timed
from bench.workload import Workload, workload
from gis.cluster import Cluster
from gis.kernel import ZoneSet, cut
from gis.kernel import points_in_zones as kernel_points_in_zones

__all__ = ["points_in_zones"]

RUNS = 3
THREADS = 2
Work = Callable[[], int]


def points_in_zones() -> list[Row]:
    """All systems in turns. Preparation (cutting, indexes, loading) is measured apart, once."""
    made = workload()
    with ExitStack() as stack:
        systems: dict[str, Work] = {}
        prepared: dict[str, float] = {}
        for name, prepare in _SYSTEMS.items():
            prepared[name], systems[name] = timed(lambda prepare=prepare: stack.enter_context(prepare(made)))
        size = {
            "points": len(made.xy),
            "zones": len(made.zones),
            "workload": made.made_by,
            "threads": THREADS,
        }
        params = {name: {**size, "prepared_s": seconds} for name, seconds in prepared.items()}
        return in_turns("points-in-zones", systems, params, RUNS)


@contextmanager
def _onemap(made: Workload) -> Iterator[Work]:
    zones = ZoneSet.prepare(made.zones, 0.0)
    kernel_points_in_zones(made.xy[:1000], zones, threads=THREADS)
    yield lambda: len(kernel_points_in_zones(made.xy, zones, threads=THREADS)[0])


@contextmanager
def _geopandas(made: Workload) -> Iterator[Work]:
    points = gpd.GeoDataFrame(geometry=shapely.points(made.xy), crs=4549)
    zones = gpd.GeoDataFrame(geometry=made.zones, crs=4549)
    # Zones on the left: then they are prepared and asked of an index of the points; the other way round each
    # point is asked of whole zones, which takes minutes.
    yield lambda: len(gpd.sjoin(zones, points, predicate="intersects"))


@contextmanager
def _postgis(made: Workload) -> Iterator[Work]:
    """Plain ST_Intersects with GiST on both tables, on a private server tuned for the machine."""
    folder = Path(tempfile.mkdtemp(prefix="onemap-bench-", dir="/tmp"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "home", durable=False)
    engine = create_engine(cluster.ensure_running())
    try:
        with engine.begin() as conn:
            cursor: Any = conn.connection.cursor()
            for table, geoms in (("points", shapely.points(made.xy)), ("zones", made.zones)):
                cursor.execute(f"CREATE TABLE {table} (id int, geom geometry)")
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row, wkb in enumerate(shapely.to_wkb(geoms, hex=True)):
                        copy.write_row((row, wkb))
                cursor.execute(f"CREATE INDEX ON {table} USING gist (geom)")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE points"))
            conn.execute(text("VACUUM ANALYZE zones"))
        join = text("SELECT p.id, z.id FROM points p JOIN zones z ON ST_Intersects(z.geom, p.geom)")
        with engine.connect() as conn:
            yield lambda: len(conn.execute(join).all())
    finally:
        engine.dispose()
        cluster.stop()
        shutil.rmtree(folder)


def _tables(made: Workload) -> dict[str, pa.Table]:
    """Points and pieces of zones as Arrow; whole zones of this size never finish in DuckDB."""
    pieces = cut(made.zones, 96)
    return {
        "points": pa.table({"id": np.arange(len(made.xy)), "wkb": shapely.to_wkb(shapely.points(made.xy))}),
        "pieces": pa.table({"id": pieces.owner, "wkb": shapely.to_wkb(pieces.geoms)}),
        "zones": pa.table({"id": np.arange(len(made.zones)), "wkb": shapely.to_wkb(made.zones)}),
    }


@contextmanager
def _duckdb(made: Workload) -> Iterator[Work]:
    # The wheel brings the extension; DuckDB would otherwise fetch it.
    brought = Path(str(duckdb_extension_spatial.__file__)).parent / "extensions"
    (extension,) = brought.glob(f"v{duckdb.__version__}/spatial.duckdb_extension")
    with duckdb.connect(config={"threads": THREADS}) as db:
        db.load_extension(str(extension))
        for name, table in _tables(made).items():
            db.register("arriving", table)
            db.execute(f"CREATE TABLE {name} AS SELECT id, ST_GeomFromWKB(wkb) AS geom FROM arriving")
            db.unregister("arriving")
        join = (
            "SELECT DISTINCT p.id, z.id AS zone FROM points p JOIN pieces z ON ST_Intersects(z.geom, p.geom)"
        )
        yield lambda: len(db.execute(join).fetchnumpy()["zone"])


@contextmanager
def _sedonadb(made: Workload) -> Iterator[Work]:
    db = sedonadb.connect()
    for name, table in _tables(made).items():
        db.create_data_frame(table).to_view(f"{name}_wkb")
        db.sql(f"SELECT id, ST_GeomFromWKB(wkb) AS geom FROM {name}_wkb").to_memtable().to_view(name)
    join = "SELECT p.id, z.id AS zone FROM points p JOIN zones z ON ST_Intersects(z.geom, p.geom)"
    yield lambda: int(pa.RecordBatchReader.from_stream(db.sql(join)).read_all().num_rows)


_SYSTEMS: dict[str, Callable[[Workload], Any]] = {
    "onemap": _onemap,
    "geopandas.sjoin": _geopandas,
    "PostGIS": _postgis,
    "DuckDB spatial (pieces)": _duckdb,
    "SedonaDB": _sedonadb,
}
