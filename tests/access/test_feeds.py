"""The feed, the catalogue and the processes show each role its rows and layers."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.middleware import Middleware

from gis.access import Role, Scope
from tests.access.conftest import BASE, EAST, WEST, World, scope_of
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
        assert {change["uid"] for change in told if change["layer"] == layer} == rows, layer
        if seen[layer].has_geometry:
            asked = {"inputs": {"site": AROUND, "layers": [layer]}}
            near = client.post("/processes/nearest/execution", json=asked)
            assert near.status_code == 200, near.text
            # Whoever sees cells in place of the rows is shown none of the rows.
            assert {each["uid"] for each in near.json()["nearest"]}.isdisjoint(ROWS[layer][""] - rows)
