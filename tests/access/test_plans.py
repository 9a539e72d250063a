"""What policies cost: who sees all of a layer keeps its spatial index; who sees areas has one on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Select, event, select, text

from gis import tables
from gis.access import Role, Scope
from gis.db import connect
from gis.features import ItemQuery, select_items
from gis.features.query import condition
from gis.filters import BBox
from gis.revisions import head
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
        assert conn.scalar(text(COUNT))


@pytest.fixture(scope="module")
def contested(open_world: Callable[[], World]) -> Iterator[World]:
    """The world with 10,000 conflicts more, like one that it has but for their places."""
    world = open_world()
    table = tables.table_for(world.definition.layers["conflicts"], 4490)
    point = "ST_SetSRID(ST_Point(119 + (g * 7919) % 10000 / 5e3, 28.5 + (g * 1047) % 10000 / 7e3), 4490)"
    own = {"uid": "'C' || g", "rests_on": "'{}'::text[]", "geom": point}
    names = [column.name for column in table.c if column.name != "row_id"]
    values = ", ".join(own.get(name, f"c.{name}") for name in names)
    with connect(world.engine, write=True) as conn:
        conn.execute(
            text(
                f"INSERT INTO layer.conflicts ({', '.join(names)}) SELECT {values} "
                "FROM (SELECT * FROM layer.conflicts LIMIT 1) AS c, generate_series(1, 10000) AS g"
            )
        )
        conn.execute(text("ANALYZE layer.conflicts"))
    yield world


@pytest.mark.parametrize("role", [Role.PUBLIC, Role.ADMIN])
def test_what_rules_tell_costs_conflicts_in_a_box_no_index(contested: World, role: Role) -> None:
    layer = contested.definition.layers["conflicts"]
    with connect(contested.engine, scope=Scope(role)) as conn:
        query = ItemQuery(limit=20, rev=head(conn), bbox=BBox(119.5, 29, 119.6, 29.1))
        statement = select_items(contested.definition, layer, query)
        bare = _bare(contested, query)
        found = conn.execute(statement).all()
        event.listen(conn, "before_cursor_execute", _explained, retval=True)
        plan, without = (list(conn.scalars(each)) for each in (statement, bare))
    assert len(found) == 20 and all(row.title and row.article for row in found)
    # Whose policy asks rows has no spatial index in either (DECISIONS.md, 31).
    assert _scan(plan) == _scan(without)
    if role is Role.ADMIN:
        assert "ix_conflicts_geom" in _scan(plan)


def _bare(world: World, query: ItemQuery) -> Select[Any]:
    """The same rows of the table alone."""
    layer = world.definition.layers["conflicts"]
    table = tables.table_for(layer, 4490)
    kept = condition(world.definition, layer, table, query, query.rev)
    joined = select(table.c.uid).join_from(
        table, tables.sources, table.c.source_id == tables.sources.c.source_id
    )
    return joined.where(kept).order_by(table.c.row_id).limit(query.limit)


def _scan(plan: list[str]) -> set[str]:
    """The indexes or tables by which a plan reaches conflicts."""
    found = re.findall(r"\b(ix_conflicts_\w+|pk_conflicts|Seq Scan on conflicts)\b", "\n".join(plan))
    return set(found)


def _explained(
    _conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    return f"EXPLAIN {statement}", parameters
