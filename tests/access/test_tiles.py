"""Tiles drawn from prepared levels show to each scope what its items show, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mapbox_vector_tile
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from gis.access import Role, Scope
from gis.accounts.audit import entries
from gis.accounts.keys import add_key
from gis.db import connect
from gis.features import ItemQuery, items
from gis.tiles import QUAD, Tile, map_tile, prepare_tiles, vector_tile
from gis.tiles.levels import held_levels
from tests.access.conftest import BASE, WEST, World
from tests.access.test_policies import EXACT, SCOPES
from tests.api.conftest import cookie_of

DRAWN = ("parishes", "farms", "farmland", "redlines", "springs", "conflicts")
LEVELS = ("tile_levels", "tile_rows", "tile_shapes", "tile_cells")
# All of the world, what lies in West, what lies in East.
SPOTS = ((120.05, 28.92, 8), (120.02, 28.92, 12), (120.08, 28.92, 14))
SOME = [scope for scope in SCOPES if scope.areas in (None, (WEST,))]


def tile_around(lon: float, lat: float, z: int) -> Tile:
    (within,) = QUAD.limits((lon, lat, lon, lat), z, z)
    return Tile(z, within["minTileCol"], within["minTileRow"])


TILES = [tile_around(*spot) for spot in SPOTS]


@pytest.fixture(scope="module")
def prepared(open_world: Callable[[], World]) -> Iterator[World]:
    """A world of which every shape has been cut and every place been summed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gis.tiles.prepare.LARGE_BYTES", 0)
        patched.setattr("gis.tiles.prepare.SUMMED_FROM_ROWS", 1)
        patched.setattr("gis.tiles.summing._WORTH", 0)
        for module in ("gis.tiles.drawing", "gis.tiles.summing"):
            patched.setattr(f"{module}.SUM_FROM_ROWS", 0)
        world = open_world()
        prepare_tiles(world.engine, world.definition)
        yield world


@pytest.fixture(scope="module")
def made(prepared: World) -> dict[str, set[str]]:
    """The layers in each table of levels."""
    with connect(prepared.engine) as conn:
        found = {
            table: set(conn.scalars(text(f"SELECT DISTINCT layer FROM core.{table}"))) for table in LEVELS
        }
    shapes = set(DRAWN) - {"farms"}
    assert [found[table] for table in LEVELS] == [set(DRAWN), shapes, shapes, {"farms"}]
    return found


def sees_every_row(scope: Scope, layer: str) -> bool:
    """By the table of `test_policies`: the whole layer as it is, and for conflicts all that they rest on."""
    named = EXACT if layer == "conflicts" else {layer: EXACT.get(layer, set(Role))}
    whole = scope.areas is None and all(scope.role in roles for roles in named.values())
    # The telephone is hidden from others, and a conflict may rest on it.
    return whole and (layer != "conflicts" or scope.role in (Role.REGULATOR, Role.ADMIN))


def features(body: bytes) -> dict[str, list[str]]:
    """The features of each layer of a tile as text, in order; where a ring begins says nothing."""
    found = mapbox_vector_tile.decode(body) if body else {}
    return {
        name: sorted(f"{_outline(f)} {sorted(f['properties'].items())}" for f in each["features"])
        for name, each in found.items()
    }


def _outline(feature: dict[str, Any]) -> str:
    return shapely.geometry.shape(feature["geometry"]).simplify(0).normalize().wkt


@pytest.mark.parametrize("scope", SCOPES, ids=lambda s: f"{s.role}-{'+'.join(s.areas or ('all',))}")
def test_levels_serve_only_who_sees_every_row(
    prepared: World, made: dict[str, set[str]], scope: Scope
) -> None:
    seen = prepared.definition.seen_by(scope.role)
    expected = {layer for layer in DRAWN if sees_every_row(scope, layer)}
    with connect(prepared.engine, scope=scope) as conn:
        for table, layers in made.items():
            found = set(conn.scalars(text(f"SELECT DISTINCT layer FROM core.{table}")))
            assert found == expected & layers, table
        for name in DRAWN:
            if name in seen.layers:
                assert held_levels(conn, seen.layers[name], None).shapes == (name in expected), name


@pytest.mark.parametrize("scope", SOME, ids=lambda s: f"{s.role}-{'+'.join(s.areas or ('all',))}")
def test_a_tile_shows_what_the_rows_that_are_seen_show(prepared: World, scope: Scope) -> None:
    seen = prepared.definition.seen_by(scope.role)
    layers = [seen.layers[name] for name in DRAWN if name in seen.layers]
    with connect(prepared.engine, scope=scope) as conn:
        for tile in TILES:
            whole = features(map_tile(conn, seen, layers, tile))
            for layer in layers:
                live = features(vector_tile(conn, seen, layer, tile, prepared=False))
                assert features(vector_tile(conn, seen, layer, tile)) == live, (layer.id, tile)
                assert whole.get(layer.id) == live.get(layer.id)
        for layer in layers:
            page = items(conn, seen, layer, ItemQuery(limit=100))
            there: list[Any] = []
            if body := vector_tile(conn, seen, layer, TILES[0]):
                there = mapbox_vector_tile.decode(body)[layer.id]["features"]
            uids = {f["properties"]["uid"] for f in there if "uid" in f["properties"]}
            assert uids <= {str(feature["id"]) for feature in page.features}
            assert sum(f["properties"]["n"] for f in there) == page.matched, layer.id


@pytest.fixture(scope="module")
def client(prepared: World) -> Iterator[TestClient]:
    with TestClient(prepared.app(), base_url=BASE) as client:
        yield client


def path_of(layer: str) -> str:
    tile = TILES[0]
    return f"/collections/{layer}/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"


@pytest.fixture(scope="module")
def key(prepared: World) -> dict[str, str]:
    """Headers of an editor in West."""
    with connect(prepared.engine, write=True) as conn:
        _, word = add_key(conn, "test", role=Role.EDITOR, areas=(WEST,))
    return {"Authorization": f"Bearer {word}"}


def test_tiles_in_memory_are_the_publics_alone(client: TestClient, key: dict[str, str]) -> None:
    path = path_of("farms")
    first = client.get(path)
    kept = client.get(path)
    assert first.headers["cache-control"] == "no-cache" and kept.content == first.content
    own = client.get(path, headers=key)
    assert own.status_code == 200 and own.content != first.content
    assert (
        own.headers["cache-control"] == "private, no-cache" and own.headers["etag"] != first.headers["etag"]
    )
    assert client.get(path).content == first.content
    assert client.get(path, headers={"Authorization": "Bearer onemap_wrong"}).status_code == 401
    assert client.get(path, headers={"Cookie": f"{cookie_of(client)}=wrong"}).status_code == 401


def test_looks_at_tiles_in_memory_are_counted_too(prepared: World) -> None:
    with TestClient(prepared.app(), base_url=BASE) as client:
        for _ in range(3):
            assert client.get(path_of("farmland")).status_code == 200
        tile = TILES[0]
        some = f"/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?collections=springs,farmland"
        assert client.get(some).status_code == 200
    with connect(prepared.engine) as conn:
        looks = [(e.object, e.detail["times"]) for e in entries(conn, action="layer.see")]
    # The first look at once, the number of all when the process ends.
    assert {("farmland", 1), ("farmland", 4), ("springs", 1)} <= set(looks)


def test_what_the_public_does_not_see_is_nowhere(client: TestClient, key: dict[str, str]) -> None:
    cells = client.get(path_of("farmland"))
    exact = client.get(path_of("farmland"), headers=key)
    assert cells.status_code == exact.status_code == 200 and cells.content != exact.content
    for path in (path_of("redlines"), "/styles/redlines", "/styles/redlines/metadata"):
        assert [client.get(path).status_code for _ in range(2)] == [404, 404]
    tile = TILES[0]
    everything = f"/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"
    assert client.get(everything).status_code == 200
    assert client.get(f"{everything}?collections=farms,redlines").status_code == 404
    assert client.get("/tiles/WebMercatorQuad?collections=farms,redlines").status_code == 404
    project = client.get("/qgis").text
    assert "farmland" in project and "redlines" not in project


def test_only_the_public_may_keep_a_tile_unasked(client: TestClient, key: dict[str, str]) -> None:
    def named(headers: dict[str, str]) -> tuple[str, str]:
        layers = client.get("/app/config", headers=headers).json()["layers"]
        name = next(each["content"] for each in layers if each["id"] == "farms")
        answer = client.get(f"{path_of('farms')}?rev={name}", headers=headers)
        return name, answer.headers["cache-control"]

    public, own = named({}), named(key)
    assert public[1] == "public, max-age=31536000, immutable" and own[1] == "private, no-cache"
    assert public[0] != own[0], "a browser that kept the public's tiles asks anew once it has signed in"
