"""The feed, the catalogue and the processes show each role its rows and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from starlette.middleware import Middleware

from gis import tables
from gis.access import PUBLIC, Role, Scope
from gis.db import connect
from gis.following import catch_up, follow
from gis.revisions import head, revert
from tests.access.conftest import BASE, EAST, WEST, World, box, scope_of
from tests.access.test_policies import ROWS, rows_for

SCOPES = [*(Scope(role) for role in Role), scope_of(Role.VIEWER, WEST), scope_of(Role.REGULATOR, EAST)]
AROUND = {"type": "Polygon", "coordinates": [[[119.9, 28.7], [120.3, 28.7], [120.3, 29.1], [119.9, 29.1],
                                              [119.9, 28.7]]]}  # fmt: skip


class _Signed:
    """Says whom a request comes from, inside of what finds it out."""

    def __init__(self, app: Any, scope: Scope) -> None:
        self.app, self.scope = app, scope

    async def __call__(self, http: Any, receive: Any, send: Any) -> None:
        http.setdefault("state", {})["scope"] = self.scope
        await self.app(http, receive, send)


def client_as(world: World, scope: Scope) -> TestClient:
    app = world.app()
    app.user_middleware.append(Middleware(_Signed, scope=scope))
    return TestClient(app, base_url=BASE, raise_server_exceptions=False)


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_each_role_is_told_of_its_rows_and_layers(world: World, scope: Scope) -> None:
    client = client_as(world, scope)
    seen = world.definition.seen_by(scope.role).layers
    records = client.get("/collections/catalogue/items?type=dataset").json()["features"]
    assert {record["id"] for record in records} == set(seen)
    told = client.get("/changes?since=0&limit=10000").json()["changes"]
    assert {change["layer"] for change in told} <= set(seen)
    for layer in ROWS:
        if layer not in seen:
            assert client.get(f"/changes?since=0&layer={layer}").status_code == 404
            assert client.get(f"/collections/catalogue/items/{layer}").status_code == 404
            continue
        rows = rows_for(scope, layer)
        if seen[layer].is_generalised:
            page = client.get(f"/collections/{layer}/items?limit=1000").json()
            rows = {cell["id"] for cell in page["features"]}
            assert rows.isdisjoint(ROWS[layer][""])
        assert {change["uid"] for change in told if change["layer"] == layer} == rows, layer
        if seen[layer].has_geometry and not seen[layer].is_generalised:
            asked = {"inputs": {"site": AROUND, "layers": [layer]}}
            near = client.post("/processes/nearest/execution", json=asked)
            assert near.status_code == 200, near.text
            # Whoever sees cells in place of the rows is shown none of the rows.
            assert {each["uid"] for each in near.json()["nearest"]}.isdisjoint(ROWS[layer][""] - rows)


def test_who_sees_cells_is_told_when_they_change_and_of_nothing_else(open_world: Callable[[], World]) -> None:
    """Answers that are kept are asked for again, and the feed names the cells, once cells came or went."""
    world = open_world()
    public = client_as(world, PUBLIC)
    paths = ("/collections/farmland/items", "/collections/farmland", "/collections",
             "/collections/farmland/tiles/WebMercatorQuad/12/3414/1704")  # fmt: skip

    def tags() -> list[str]:
        return [public.get(path).headers["etag"] for path in paths]

    def uids() -> set[str]:
        return {cell["id"] for cell in public.get(paths[0]).json()["features"]}

    def told(since: int) -> dict[str, str]:
        page = public.get(f"/changes?since={since}&layer=farmland").json()
        return {change["uid"]: change["change"] for change in page["changes"]}

    before, first = uids(), public.get("/changes").json()["revision"]
    kept = tags()
    inside = box(120.016, 28.916, 120.02, 28.92)
    assert world.load("farmland", f"code,wkt\nIN,{inside}\n").change.added == 1
    assert (tags(), uids(), told(first)) == (kept, before, {})
    assert public.get("/changes").json()["revision"] == first + 1
    world.load("farmland", f"code,wkt\nFAR,{box(120.15, 28.85, 120.152, 28.852)}\n")
    new = uids() - before
    assert new and told(first + 1) == dict.fromkeys(new, "added")
    assert all(tag != old for tag, old in zip(tags()[:3], kept[:3], strict=True))
    for change in public.get(f"/changes?since={first + 1}&layer=farmland").json()["changes"]:
        assert public.get(change["links"][0]["href"]).status_code == 200
    kept = tags()
    storage = world.definition.district.storage_crs
    layers = [tables.table_for(layer, storage) for layer in world.definition.layers.values()]
    with connect(world.engine, write=True) as conn:
        last = head(conn)
        follow(conn, world.definition, revert(conn, last, layers, who="test").rev, unplaced=True)
    assert uids() == before and told(last) == dict.fromkeys(new, "closed")
    assert all(tag != old for tag, old in zip(tags()[:3], kept[:3], strict=True))


def test_an_older_store_learns_which_touches_changed_cells(open_world: Callable[[], World]) -> None:
    world = open_world()
    with connect(world.engine, write=True) as conn:
        t = tables.revision_layers
        of_cells = select(t.c.rev).where(t.c.cells, t.c.layer == "farmland")
        marked = conn.scalars(of_cells).all()
        conn.execute(t.update().values(cells=False))
    catch_up(world.engine, world.definition)
    with connect(world.engine) as conn:
        assert marked and conn.scalars(of_cells).all() == marked
