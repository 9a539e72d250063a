"""Tiles, tilesets and styles over HTTP."""

from __future__ import annotations

import mapbox_vector_tile
from fastapi.testclient import TestClient

from tests.api.conftest import SmallMap, client_of

TILE = "/collections/wells/tiles/WebMercatorQuad/12/1704/3413"


def names(body: bytes) -> list[str | int]:
    """The uid of each feature, or how many it stands for."""
    features = mapbox_vector_tile.decode(body)["wells"]["features"]
    return [f["properties"].get("uid", f["properties"]["n"]) for f in features]


def test_a_tile_holds_the_items_and_is_named_by_its_content(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    tile = client.get(TILE)
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert names(tile.content) == ["OUT", "RIM", 2]
    tag = tile.headers["etag"]
    assert client.get(TILE, headers={"If-None-Match": tag}).status_code == 304
    own_map.load("wells", "code,lon,lat\nNEW,120.02,28.905\n")
    changed = client.get(TILE, headers={"If-None-Match": tag})
    assert "NEW" in names(changed.content) and changed.headers["etag"] != tag
    before = client.get(f"{TILE}?as-of=3")
    assert before.content == tile.content and before.headers["etag"] == tag


def test_an_empty_tile_has_no_content_and_a_tag(service: TestClient) -> None:
    empty = service.get("/collections/wells/tiles/WebMercatorQuad/12/0/0")
    assert (empty.status_code, empty.content) == (204, b"")
    held = service.get(empty.request.url, headers={"If-None-Match": empty.headers["etag"]})
    assert held.status_code == 304


def test_a_tileset_leads_to_its_tiles_and_its_matrix_set(service: TestClient) -> None:
    (tileset,) = service.get("/collections/wells/tiles").json()["tilesets"]
    links = {link["rel"].rpartition("/")[2]: link for link in tileset["links"]}
    template = links["item"]["href"]
    address = template.format(tileMatrix=12, tileRow=1704, tileCol=3413)
    assert service.get(address).content == service.get(TILE).content
    matrix = service.get(links["tiling-scheme"]["href"]).json()
    assert matrix["tileMatrices"][12]["matrixWidth"] == 4096
    assert service.get(links["self"]["href"]).json() == tileset
    assert service.get("/collections/plan_structure/tiles").json() == {"tilesets": []}


def test_a_style_draws_each_class_in_its_colour(service: TestClient) -> None:
    style = service.get("/styles/wells", headers={"Accept-Language": "en"}).json()
    assert (style["version"], style["name"]) == (8, "Wells")
    (circle,) = style["layers"]
    assert circle["source-layer"] == "wells"
    assert circle["paint"]["circle-color"] == [
        "match", ["get", "kind"], "dug", "#2266aa", "bored", "#aa6622", "#225588",
    ]  # fmt: skip
    legend = style["metadata"]["onemap:legend"]
    assert [row["value"] for row in legend] == ["dug", "bored", None]
    assert style["sources"]["wells"]["tiles"][0].endswith("/{z}/{y}/{x}")
    listed = [entry["id"] for entry in service.get("/styles").json()["styles"]]
    assert "pads" in listed and "plan_structure" not in listed
