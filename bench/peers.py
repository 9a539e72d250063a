"""The other engines, each with its tables loaded and indexed, and a way to ask it for a list of pairs.

A table is an object array of geometries in the plane EPSG:4549 with the number that each stands for; what a
statement selects (subject, zone and perhaps a measure) comes back as numpy arrays, as fast as the engine can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import duckdb_extension_spatial
import numpy as np
import pyarrow as pa
import sedonadb
import shapely
from numpy.typing import NDArray
from sqlalchemy import create_engine, text

from bench.ending import own_folder
from bench.report import Answer
from gis.cluster import Cluster

__all__ = ["THREADS", "Ask", "Table", "duckdb_spatial", "postgis", "sedona"]

THREADS = 2
Table = tuple[NDArray[np.int64], NDArray[np.object_]]
Ask = Callable[[str], Answer]


@contextmanager
def postgis(tables: Mapping[str, Table]) -> Iterator[Ask]:
    """A private server tuned for the machine, GiST indexes, two processes to a statement."""
    with own_folder() as folder:
        cluster = Cluster(folder / "home", durable=False)
        engine = create_engine(cluster.ensure_running(), isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            for setting in ("work_mem = '256MB'", "jit = off", "max_parallel_workers_per_gather = 2"):
                conn.execute(text(f"SET {setting}"))
            cursor: Any = conn.connection.cursor()
            for name, (ids, geoms) in tables.items():
                cursor.execute(f"CREATE TABLE {name} (id int, geom geometry)")
                with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                    for row in zip(ids.tolist(), shapely.to_wkb(geoms, hex=True), strict=True):
                        copy.write_row(row)
                cursor.execute(f"CREATE INDEX ON {name} USING gist (geom)")
                cursor.execute(f"VACUUM ANALYZE {name}")
            yield lambda sql: _copied(cursor, sql)
        engine.dispose()


def _copied(cursor: Any, sql: str) -> Answer:
    """Rows (int4, int4[, float8]) by binary COPY: 15 times quicker than fetching them one by one."""
    with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT BINARY)") as copy:
        body = b"".join(copy)
    header, trailer = 19, 2
    fields = int.from_bytes(body[header : header + 2], "big")
    layout = [("fields", ">i2"), ("a", ">i4"), ("subject", ">i4"), ("b", ">i4"), ("zone", ">i4")]
    if fields == 3:
        layout += [("c", ">i4"), ("measure", ">f8")]
    rows = np.frombuffer(body[header:-trailer], dtype=layout)
    measure = rows["measure"].astype(np.float64) if fields == 3 else None
    return Answer(rows["subject"].astype(np.int64), rows["zone"].astype(np.int64), measure)


def _arrow(table: Table) -> pa.Table:
    ids, geoms = table
    return pa.table({"id": ids, "wkb": shapely.to_wkb(geoms)})


def _answer(columns: Any) -> Answer:
    subject, zone, *measure = columns
    return Answer(subject, zone, measure[0] if measure else None)


@contextmanager
def duckdb_spatial(tables: Mapping[str, Table]) -> Iterator[Ask]:
    """DuckDB in memory with its spatial extension, which the wheel brings."""
    brought = Path(str(duckdb_extension_spatial.__file__)).parent / "extensions"
    (extension,) = brought.glob(f"v{duckdb.__version__}/spatial.duckdb_extension")
    with duckdb.connect(config={"threads": THREADS}) as db:
        db.load_extension(str(extension))
        for name, table in tables.items():
            db.register("arriving", _arrow(table))
            db.execute(f"CREATE TABLE {name} AS SELECT id, ST_GeomFromWKB(wkb) AS geom FROM arriving")
            db.unregister("arriving")
        yield lambda sql: _answer(db.execute(sql).fetchnumpy().values())


@contextmanager
def sedona(tables: Mapping[str, Table]) -> Iterator[Ask]:
    """SedonaDB with its tables in memory."""
    db = sedonadb.connect()
    for name, table in tables.items():
        db.create_data_frame(_arrow(table)).to_view(f"{name}_wkb")
        db.sql(f"SELECT id, ST_GeomFromWKB(wkb) AS geom FROM {name}_wkb").to_memtable().to_view(name)
    yield lambda sql: _answer(
        column.to_numpy() for column in pa.RecordBatchReader.from_stream(db.sql(sql)).read_all().columns
    )
