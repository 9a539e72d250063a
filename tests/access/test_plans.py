"""What policies cost: who sees all of a layer keeps its spatial index; who sees areas has one on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from gis.access import Role, Scope
from gis.db import connect
from tests.access.conftest import World, scope_of

BOX = "geom && ST_MakeEnvelope(119.5, 29, 119.6, 29.1, 4490)"
COUNT = f"SELECT count(*) FROM layer.farms WHERE rev_to IS NULL AND {BOX}"
ROWS = 100_000


@pytest.fixture(scope="module")
def crowded(open_world: Callable[[], World]) -> Iterator[World]:
    """The world with 100,000 farms more, in 144 areas."""
    world = open_world()
    with connect(world.engine, write=True) as conn:
        conn.execute(
            text(
                "INSERT INTO layer.farms (uid, code, name, geom, geom_web, source_id, rev_from, areas) "
                "SELECT 'F' || g, g::text, 'farm', ST_SetSRID(ST_Point(119 + x * 2, 28.5 + y * 1.5), 4490), "
                "ST_SetSRID(ST_Point(x, y), 3857), 1, 1, "
                "ARRAY['a' || (floor(x * 12)::int * 12 + floor(y * 12)::int)] "
                "FROM (SELECT g, (g * 7919) % 100000 / 1e5 AS x, (g * 104729) % 100000 / 1e5 AS y "
                f"FROM generate_series(1::bigint, {ROWS}) AS g) AS f"
            )
        )
        conn.execute(text("ANALYZE layer.farms"))
    yield world


@pytest.mark.parametrize("role", Role)
def test_who_sees_the_whole_layer_counts_by_the_spatial_index(crowded: World, role: Role) -> None:
    with connect(crowded.engine) as conn:
        owner = "\n".join(conn.scalars(text(f"EXPLAIN (COSTS OFF) {COUNT}")))
    with connect(crowded.engine, scope=Scope(role)) as conn:
        plan = "\n".join(conn.scalars(text(f"EXPLAIN (COSTS OFF) {COUNT}")))
    assert "ix_farms_geom" in plan and plan == owner


@pytest.mark.parametrize("role", Role)
def test_who_sees_areas_counts_by_their_index(crowded: World, role: Role) -> None:
    areas = [f"a{n}" for n in range(36, 48)]
    with connect(crowded.engine, scope=scope_of(role, *areas)) as conn:
        plan = "\n".join(conn.scalars(text(f"EXPLAIN (COSTS OFF) {COUNT}")))
        assert "ix_farms_areas" in plan and "Seq Scan" not in plan
        took = []
        for _ in range(20):
            start = time.perf_counter()
            assert conn.scalar(text(COUNT))
            took.append(time.perf_counter() - start)
    # The issue bounds it at 1 s for a million rows; this table has a tenth.
    assert sorted(took)[-1] < 1.0
