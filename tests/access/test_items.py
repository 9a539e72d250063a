"""Features that are kept ready as text tell each role what the rows tell it, and nobody more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson
import pytest
from sqlalchemy import text

from gis import tables
from gis.access import Role, Scope
from gis.db import connect
from gis.features import ItemQuery, find_layer, items, prepare_items
from gis.features.standing import standing_of
from gis.filters import BBox
from tests.access.conftest import World
from tests.access.test_policies import SCOPES

POINTS = ("farms",)
WORLD = BBox(-180, -90, 180, 90)


@pytest.fixture(scope="module")
def prepared(open_world: Callable[[], World]) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gis.features.preparing.READY_FROM_ROWS", 1)
        world = open_world()
        prepare_items(world.engine, world.definition)
        yield world


@pytest.mark.parametrize("scope", SCOPES, ids=lambda s: f"{s.role}-{'+'.join(s.areas or ('all',))}")
def test_each_role_reads_the_same_with_ready_texts_and_without(prepared: World, scope: Scope) -> None:
    seen = prepared.definition.seen_by(scope.role)
    with connect(prepared.engine, scope=scope) as conn:
        for name in POINTS:
            layer = find_layer(seen, name)
            kept, live = (
                items(conn, seen, layer, ItemQuery(limit=100, bbox=WORLD, as_text=way))
                for way in (True, False)
            )
            said = kept.texts or [orjson.dumps(feature) for feature in kept.features]
            assert list(said) == [orjson.dumps(feature) for feature in live.features]
            assert (kept.matched, kept.returned) == (live.matched, live.returned)
            # Who sees the telephone, or some areas only, has it from the rows.
            whole = scope.areas is None and scope.role not in (Role.REGULATOR, Role.ADMIN)
            assert (standing_of(conn, layer).ready is not None) is whole
            assert (kept.texts is not None) is whole


@pytest.mark.parametrize("scope", SCOPES, ids=lambda s: f"{s.role}-{'+'.join(s.areas or ('all',))}")
def test_the_database_shows_a_role_its_own_forms_alone(prepared: World, scope: Scope) -> None:
    own = {tables.form_of(layer) for layer in prepared.definition.seen_by(scope.role).layers.values()}
    with connect(prepared.engine) as conn:
        kept = set(conn.scalars(text("SELECT form FROM core.item_forms")))
        assert len(kept) == len(POINTS)
        assert not conn.scalar(text("SELECT count(*) FROM core.item_rows WHERE feature LIKE '%phone%'"))
    with connect(prepared.engine, scope=scope) as conn:
        for table in ("item_forms", "item_rows", "item_blocks", "item_cells"):
            found = set(conn.scalars(text(f"SELECT DISTINCT form FROM core.{table}")))
            assert found == (kept & own if scope.areas is None else set()), table


def test_a_page_of_the_public_walks_the_index(prepared: World) -> None:
    """Neither the policy nor the bands make the planner read or sort what is not on the page."""
    with connect(prepared.engine, write=True) as conn:
        conn.execute(
            text(
                "INSERT INTO core.item_rows SELECT form, 7000 + n / 300, n % 300, 1000000 + n, 0, 0, feature "
                "FROM (SELECT * FROM core.item_rows LIMIT 1) AS one, generate_series(1, 30000) AS n"
            )
        )
        conn.execute(text("ANALYZE core.item_rows"))
    question = (
        "EXPLAIN (COSTS OFF) SELECT r.feature FROM generate_series(7000, 7050) AS band CROSS JOIN LATERAL "
        "(SELECT * FROM core.item_rows WHERE form = :form AND gy = band AND gx BETWEEN 10 AND 60 "
        "ORDER BY gx, row_id LIMIT 100) AS r ORDER BY band, r.gx, r.row_id LIMIT 100"
    )
    form = tables.form_of(find_layer(prepared.definition.seen_by(Role.PUBLIC), "farms"))
    with connect(prepared.engine, scope=Scope(Role.PUBLIC)) as conn:
        plan = "\n".join(conn.scalars(text(question), {"form": form}))
    assert "Index Scan using pk_item_rows" in plan and "Seq Scan" not in plan
