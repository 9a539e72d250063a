"""PostGIS as the independent witness: the same geometry in the same plane gives the same facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import Connection, Engine, text

from gis.kernel import ZoneSet, distance, intersecting, overlap, points_in_zones, signed_margin, within
from tests.kernel import shapes

SRID = 4549
NEAR_M = 137.5
Pairs = set[tuple[int, int]]


@dataclass(frozen=True)
class Both:
    """One seeded workload, in the kernel and in PostGIS."""

    connection: Connection
    subjects: np.ndarray[Any, Any]
    points: np.ndarray[Any, Any]
    zones: ZoneSet

    def ask(self, sql: str) -> np.ndarray[Any, Any]:
        rows = self.connection.execute(text(sql)).all()
        return np.array([tuple(row) for row in rows], dtype=float)


def load(connection: Connection, name: str, geoms: np.ndarray[Any, Any]) -> None:
    connection.execute(text(f"CREATE TEMP TABLE {name} (id int PRIMARY KEY, geom geometry)"))
    with connection.connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {name} VALUES (%s, ST_GeomFromWKB(%s, {SRID}))",
            list(enumerate(shapely.to_wkb(geoms))),
        )
    connection.execute(text(f"CREATE INDEX ON {name} USING gist (geom)"))
    connection.execute(text(f"ANALYZE {name}"))


@pytest.fixture(scope="module")
def both(postgis: Engine) -> Any:
    rng = np.random.default_rng(20261121)
    zones, subjects = shapes.zone_mix(rng), shapes.subject_mix(rng)
    scattered = np.array([shapes.EAST, shapes.NORTH]) + rng.uniform(0, 5000, (8000, 2))
    points = np.r_[scattered, shapes.vertices_of(rng, list(zones), 3000)]
    with postgis.connect() as connection:
        load(connection, "zone", zones)
        load(connection, "subject", subjects)
        load(connection, "place", shapely.points(points))
        yield Both(connection, subjects, points, ZoneSet.prepare(zones, 1.0, max_vertices=64))
        connection.rollback()


def as_set(first: Any, second: Any) -> Pairs:
    return set(zip(first.astype(int).tolist(), second.astype(int).tolist(), strict=True))


def test_pairs_that_meet_are_those_of_postgis(both: Both) -> None:
    theirs = both.ask("SELECT s.id, z.id FROM subject s JOIN zone z ON ST_Intersects(s.geom, z.geom)")
    s, z = intersecting(both.subjects, both.zones)
    assert as_set(s, z) == as_set(*theirs.T)
    assert len(s) > 10_000


def test_pairs_of_a_few_subjects_are_those_of_many(both: Both) -> None:
    s, z = intersecting(both.subjects, both.zones)
    for first in range(0, len(both.subjects), 173):
        few, zone = intersecting(both.subjects[first : first + 7], both.zones)
        mine = (s >= first) & (s < first + 7)
        assert as_set(few + first, zone) == as_set(s[mine], z[mine])


def test_pairs_within_a_distance_of_a_few_subjects_are_those_of_many(both: Both) -> None:
    s, z, gap = within(both.subjects, both.zones, NEAR_M)
    for first in range(0, len(both.subjects), 173):
        few, zone, away = within(both.subjects[first : first + 7], both.zones, NEAR_M)
        mine = (s >= first) & (s < first + 7)
        assert (few + first).tolist() == s[mine].tolist() and zone.tolist() == z[mine].tolist()
        assert np.abs(away - gap[mine]).max(initial=0.0) < 1e-6


def test_points_in_zones_are_those_of_postgis_also_on_vertices_and_edges(both: Both) -> None:
    theirs = both.ask("SELECT p.id, z.id FROM place p JOIN zone z ON ST_Intersects(p.geom, z.geom)")
    p, z = points_in_zones(both.points, both.zones)
    assert as_set(p, z) == as_set(*theirs.T)
    assert len(p) > 10_000


def test_areas_and_lengths_are_those_of_postgis(both: Both) -> None:
    theirs = both.ask(
        """SELECT s.id, z.id,
                  CASE ST_Dimension(s.geom) WHEN 2 THEN ST_Area(g) WHEN 1 THEN ST_Length(g) ELSE 0 END
           FROM subject s JOIN zone z ON ST_Intersects(s.geom, z.geom), ST_Intersection(s.geom, z.geom) g"""
    )
    s, z = theirs[:, 0].astype(int), theirs[:, 1].astype(int)
    ours = overlap(both.subjects, both.zones, s, z)
    off = np.abs(ours - theirs[:, 2])
    assert len(s) > 10_000
    assert (off <= np.maximum(1e-9 * theirs[:, 2], 1e-6)).all(), off.max()


def test_pairs_within_a_distance_and_the_distances_are_those_of_postgis(both: Both) -> None:
    theirs = both.ask(
        f"""SELECT s.id, z.id, ST_Distance(s.geom, z.geom)
            FROM subject s JOIN zone z ON ST_DWithin(s.geom, z.geom, {NEAR_M}) ORDER BY 1, 2"""
    )
    s, z, gap = within(both.subjects, both.zones, NEAR_M)
    assert as_set(s, z) == as_set(*theirs[:, :2].T)
    assert np.abs(gap - theirs[:, 2]).max() < 1e-3
    assert np.count_nonzero(gap) > 5_000


def test_distances_of_far_pairs_are_those_of_postgis(both: Both) -> None:
    theirs = both.ask(
        """SELECT s.id, z.id, ST_Distance(s.geom, z.geom) FROM subject s JOIN zone z
           ON (s.id * 31 + z.id * 17) % 23 = 0"""
    )
    ours = distance(both.subjects, both.zones, theirs[:, 0].astype(int), theirs[:, 1].astype(int))
    assert len(theirs) > 10_000
    assert np.abs(ours - theirs[:, 2]).max() < 1e-3


def test_margins_are_the_distances_to_the_boundary_of_the_union_in_postgis(both: Both) -> None:
    chosen = np.flatnonzero(np.arange(len(both.zones)) % 4 == 0)
    both.connection.execute(
        text("""CREATE TEMP TABLE rim AS
        SELECT (ST_Dump(ST_Subdivide(ST_Boundary(ST_Union(geom)), 64))).geom AS line
        FROM zone WHERE id % 4 = 0""")
    )
    both.connection.execute(text("CREATE INDEX ON rim USING gist (line)"))
    theirs = both.ask(
        """WITH asked AS (SELECT id, geom, 0 AS kind FROM place WHERE id % 20 = 0
                          UNION ALL SELECT id, geom, 1 FROM subject WHERE id % 3 = 0)
           SELECT a.kind, a.id, near.gap, EXISTS (
                    SELECT FROM zone WHERE zone.id % 4 = 0 AND ST_Intersects(a.geom, zone.geom))::int
           FROM asked a, LATERAL (SELECT ST_Distance(a.geom, line) AS gap FROM rim ORDER BY a.geom <-> line
                                  LIMIT 1) near ORDER BY 1, 2"""
    )
    place, index = theirs[:, 0] == 0, theirs[:, 1].astype(int)
    asked = np.concatenate([shapely.points(both.points[index[place]]), both.subjects[index[~place]]])
    ours = signed_margin(asked, both.zones.take(chosen))
    signed = np.where(theirs[:, 3] == 1, theirs[:, 2], -theirs[:, 2])
    assert np.abs(ours.margin_m - signed).max() < 1e-3
    assert min((signed > 10).sum(), (signed < -10).sum(), (signed == 0).sum()) > 50
