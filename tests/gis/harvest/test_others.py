"""Harvests from another PostGIS, through the worker, and of shapes that points do not show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shapely
from sqlalchemy import create_engine, text

from gis.accounts.audit import entries
from gis.db import connect
from gis.errors import ImportRefused
from gis.harvest import Wishes, add_harvest
from gis.harvest.kinds.arcgis import geometry_of
from gis.harvest.kinds.gml import read_gml
from gis.jobs import list_jobs
from gis.jobs.worker import Worker
from gis.settings import Settings
from gis.tasks import TASKS, queue_harvest
from tests.conftest import Databases
from tests.gis.harvest.conftest import Harvester
from tests.gis.harvest.platform import Platform
from tests.waiting import wait_for

TABLE = """
CREATE SCHEMA gis;
CREATE TABLE gis."水井" (gid serial PRIMARY KEY, code text, kind text, tiefe numeric(6, 2),
    changed timestamptz, seen date, shape geometry(PointZ, 4549));
INSERT INTO gis."水井" (code, kind, tiefe, changed, seen, shape)
    SELECT 'W' || n, 'dug', n + 0.5, timestamptz '2024-01-01 00:00+00' + n * interval '1 day', '2024-01-01',
           ST_SetSRID(ST_MakePoint(500000 + n, 3200000, 7), 4549) FROM generate_series(1, 5) n;
"""


@pytest.fixture
def other(databases: Databases) -> Iterator[str]:
    """The URL of somebody else's PostGIS with a table of wells."""
    name = databases.create()
    engine = create_engine(databases.url(name))
    with connect(engine, write=True) as conn:
        conn.execute(text(TABLE))
    engine.dispose()
    yield databases.url(name).replace("postgresql+psycopg", "postgresql")
    databases.drop(name)


def test_another_postgis_is_taken_whole_then_by_its_changes(harvester: Harvester, other: str) -> None:
    harvester.add("postgis", url=other, name="gis.水井", mapping={"depth": "tiefe"}, updated="changed")
    first = harvester.run()
    assert (first.fetched, first.whole) == (5, True)
    found = harvester.scalar("SELECT jsonb_agg(to_jsonb(w) - 'geom' ORDER BY code) FROM now.wells w")
    assert [(w["code"], w["depth"]) for w in found] == [(f"W{n}", n + 0.5) for n in range(1, 6)]
    x, y = harvester.scalar(
        "SELECT array_agg(v) FROM (SELECT unnest(ARRAY[ST_X(geom), ST_Y(geom)]) v FROM now.wells "
        "WHERE code = 'W1') s"
    )
    # 500 001 m east in the plane of 120° E is a metre east of it.
    assert x == pytest.approx(120.00001, abs=1e-6) and y == pytest.approx(28.912, abs=1e-2)
    theirs = create_engine(other.replace("postgresql", "postgresql+psycopg", 1))
    with connect(theirs, write=True) as conn:
        conn.execute(text("UPDATE gis.\"水井\" SET kind = 'bored', changed = '2024-02-01' WHERE code = 'W2'"))
        conn.execute(text("DELETE FROM gis.\"水井\" WHERE code = 'W1'"))
    second = harvester.run()
    assert (second.whole, second.fetched) == (False, 2), "the newest seen, and the one changed since"
    assert harvester.held()["W2"][1] == "bored" and "W1" in harvester.held()
    harvester.run(whole=True)
    assert "W1" not in harvester.held()
    with connect(theirs, write=True) as conn:
        conn.execute(text('ALTER TABLE gis."水井" DROP COLUMN kind'))
    theirs.dispose()
    with pytest.raises(ImportRefused, match="no longer has the columns kind"):
        harvester.run()


def test_the_other_postgis_is_only_read(harvester: Harvester, other: str) -> None:
    where = "set_config('transaction_read_only', 'off', false) <> '' AND nextval('gis.\"水井_gid_seq\"') > 0"
    harvester.add("postgis", url=other, name="gis.水井", where=where)
    with pytest.raises(ImportRefused, match="answered with an error"):
        harvester.run()


def test_a_missing_table_and_a_missing_server_are_told(harvester: Harvester, other: str) -> None:
    harvester.add("postgis", url=other, name="gis.nothing")
    with pytest.raises(ImportRefused, match=r"no table gis\.nothing"):
        harvester.run()
    with connect(harvester.engine, write=True) as conn:
        add_harvest(conn, harvester.definition, "gone", layer="wells", kind="postgis",
                    url="postgresql://127.0.0.1:9/x", wishes=Wishes(name="t"))  # fmt: skip
    from gis.harvest import run_harvest

    with pytest.raises(ImportRefused, match="cannot be reached"):
        run_harvest(harvester.engine, harvester.definition, "gone")


def test_the_worker_runs_what_is_due(harvester: Harvester, platform: Platform) -> None:
    harvester.add("oapif")
    platform.faults.add("500")
    tasks = {name: task for name, task in TASKS.items() if name != "jobs.forget"}
    worker = Worker(Settings(), harvester.definition, harvester.engine, tasks)
    worker.start()
    try:
        # The clock's tick of this minute is made up for at the start.
        wait_for(
            lambda: harvester.scalar("SELECT count(*) FROM core.harvest_runs WHERE state = 'failed'") == 1
        )
        platform.faults.clear()
        job = queue_harvest(harvester.engine, "platform")
        assert queue_harvest(harvester.engine, "platform") >= job
        wait_for(lambda: harvester.held() == harvester.expected())
        wait_for(lambda: _state(harvester, job) == "successful")
    finally:
        worker.stop()
    with connect(harvester.engine) as conn:
        done = {job.id: job for job in list_jobs(conn, task="harvest.run")}
        (noted,) = entries(conn, action="harvest")
    assert (noted.who, noted.via, noted.object) == ("onemap", "service", "platform")
    assert done[job].result == {"layer": "wells", "changed": True, "fetched": 7, "revision": 1}
    assert done[min(done)].error is not None and "500" in done[min(done)].error["en"]  # type: ignore[index]


def _state(harvester: Harvester, job: int) -> str:
    with connect(harvester.engine) as conn:
        return next(each.state for each in list_jobs(conn) if each.id == job)


OUTER = [[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]  # clockwise
HOLE = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
FAR = [[10, 0], [10, 2], [12, 2], [12, 0], [10, 0]]


@pytest.mark.parametrize(
    ("given", "wkt"),
    [
        ({"rings": [OUTER, HOLE]}, "POLYGON((0 0,0 4,4 4,4 0,0 0),(1 1,2 1,2 2,1 2,1 1))"),
        ({"rings": [FAR, HOLE, OUTER]},
         "MULTIPOLYGON(((10 0,10 2,12 2,12 0,10 0)),((0 0,0 4,4 4,4 0,0 0),(1 1,2 1,2 2,1 2,1 1)))"),
        ({"rings": [OUTER[::-1]]}, "POLYGON((0 0,4 0,4 4,0 4,0 0))"),
        ({"paths": [[[0, 0, 5], [1, 1, 5]]]}, "LINESTRING(0 0,1 1)"),
        ({"paths": [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]}, "MULTILINESTRING((0 0,1 1),(2 2,3 3))"),
        ({"points": [[0, 0], [1, 1]]}, "MULTIPOINT(0 0,1 1)"),
        ({"x": "NaN", "y": "NaN"}, None),
        ({"rings": []}, None),
        (None, None),
    ],
)  # fmt: skip
def test_shapes_of_arcgis(given: dict[str, object] | None, wkt: str | None) -> None:
    found = geometry_of(given)
    if wkt is None:
        assert found is None
    else:
        assert shapely.geometry.shape(found).equals_exact(shapely.from_wkt(wkt))


POS = "<gml:posList>0 0 0 4 4 4 4 0 0 0</gml:posList>"
RING = f"<gml:LinearRing>{POS}</gml:LinearRing>"


@pytest.mark.parametrize(
    ("gml", "wkt"),
    [
        ('<gml:Point srsName="EPSG:4490"><gml:pos>120 29</gml:pos></gml:Point>', "POINT(120 29)"),
        ('<gml:Point srsName="http://www.opengis.net/def/crs/EPSG/0/4490"><gml:pos>29 120</gml:pos>'
         "</gml:Point>", "POINT(120 29)"),
        ('<gml:Point srsName="urn:ogc:def:crs:OGC:1.3:CRS84"><gml:pos>120 29</gml:pos></gml:Point>',
         "POINT(120 29)"),
        ('<gml:Point srsName="urn:ogc:def:crs:EPSG::4549"><gml:pos>3200000 500000 7</gml:pos></gml:Point>',
         "POINT(500000 3200000)"),
        (f"<gml:Polygon><gml:exterior>{RING}</gml:exterior></gml:Polygon>", "POLYGON((0 0,0 4,4 4,4 0,0 0))"),
        (f"<gml:MultiSurface><gml:surfaceMember><gml:Surface><gml:patches><gml:PolygonPatch><gml:exterior>{RING}"
         "</gml:exterior></gml:PolygonPatch></gml:patches></gml:Surface></gml:surfaceMember></gml:MultiSurface>",
         "MULTIPOLYGON(((0 0,0 4,4 4,4 0,0 0)))"),
        ('<gml:LineString><gml:posList srsDimension="3">0 0 9 1 1 9</gml:posList></gml:LineString>',
         "LINESTRING(0 0,1 1)"),
        ("<gml:MultiCurve><gml:curveMember><gml:Curve><gml:segments><gml:LineStringSegment>"
         "<gml:posList>0 0 1 1</gml:posList></gml:LineStringSegment></gml:segments></gml:Curve>"
         "</gml:curveMember></gml:MultiCurve>",
         "MULTILINESTRING((0 0,1 1))"),
    ],
)  # fmt: skip
def test_shapes_of_gml(gml: str, wkt: str) -> None:
    (feature,) = read_gml(collection(gml), "test").features
    assert shapely.geometry.shape(feature["geometry"]).equals_exact(shapely.from_wkt(wkt))


@pytest.mark.parametrize(
    "gml",
    [
        "<gml:Point><gml:pos>1</gml:pos></gml:Point>",
        "<gml:Point><gml:pos>a b</gml:pos></gml:Point>",
        "<gml:Curve><gml:segments><gml:Arc><gml:posList>0 0 1 1 2 0</gml:posList></gml:Arc></gml:segments>"
        "</gml:Curve>",
        "<gml:Solid/>",
        '<gml:Point srsName="urn:ogc:def:crs:EPSG::999999"><gml:pos>1 2</gml:pos></gml:Point>',
    ],
)
def test_what_is_no_simple_shape_refuses_the_page(gml: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        read_gml(collection(gml), "test")
    assert refused.value.reason == "harvest_unreadable"


def collection(gml: str) -> bytes:
    return (
        '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" '
        'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:p="urn:p" numberMatched="1" numberReturned="1">'
        f'<wfs:member><p:t gml:id="a"><p:g>{gml}</p:g></p:t></wfs:member></wfs:FeatureCollection>'
    ).encode()
