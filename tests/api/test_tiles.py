"""Tiles, tilesets and styles over HTTP."""

from __future__ import annotations

from typing import Any

import mapbox_vector_tile
import morecantile
import pytest
from fastapi.testclient import TestClient

from gis.tiles import vector_tile
from tests.api.conftest import PADS, SmallMap, client_of, cookie_of

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


@pytest.mark.parametrize("name", ["WebMercatorQuad", "WorldCRS84Quad", "TiandituC"])
def test_a_tileset_leads_to_its_tiles_and_its_matrix_set(service: TestClient, name: str) -> None:
    listed = service.get("/collections/wells/tiles").json()["tilesets"]
    item = next(each for each in listed if each["links"][0]["href"].endswith(f"/{name}"))
    tileset = service.get(item["links"][0]["href"]).json()
    links = {link["rel"].rpartition("/")[2]: link for link in tileset["links"]}
    assert service.get(links["self"]["href"]).json() == tileset
    assert {key: tileset[key] for key in item if key != "links"} == {
        k: v for k, v in item.items() if k != "links"
    }
    matrix = service.get(links["tiling-scheme"]["href"]).json()
    assert tileset["tileMatrixSetURI"] == matrix["uri"] and tileset["crs"] == matrix["crs"]
    limits = next(each for each in tileset["tileMatrixSetLimits"] if each["tileMatrix"] == "12")
    found: list[str | int] = []
    for row in range(limits["minTileRow"], limits["maxTileRow"] + 1):
        for column in range(limits["minTileCol"], limits["maxTileCol"] + 1):
            address = links["item"]["href"].format(tileMatrix=12, tileRow=row, tileCol=column)
            if body := service.get(address).content:
                found += names(body)
    assert {"OUT", "RIM", 2} <= set(found), "the limits hold every well"
    whole = {each["id"]: each for each in matrix["tileMatrices"]}["12"]
    assert limits["maxTileRow"] < whole["matrixHeight"] and limits["maxTileCol"] < whole["matrixWidth"]


def test_matrix_sets_are_those_of_the_register_and_tianditus(service: TestClient) -> None:
    for name in ("WebMercatorQuad", "WorldCRS84Quad"):
        ours = service.get(f"/tileMatrixSets/{name}").json()
        theirs = morecantile.tms.get(name).model_dump(mode="json", exclude_none=True, by_alias=True)
        for a, b in zip(ours["tileMatrices"], theirs["tileMatrices"], strict=False):
            assert a.pop("scaleDenominator") == pytest.approx(b.pop("scaleDenominator"), rel=1e-9)
            assert a.pop("cellSize") == pytest.approx(b.pop("cellSize"), rel=1e-9)
            assert a.pop("pointOfOrigin") == pytest.approx(b.pop("pointOfOrigin"))
            assert a == b
        assert (ours["uri"], ours["crs"], ours["orderedAxes"]) == (
            theirs["uri"], str(theirs["crs"]), theirs["orderedAxes"],
        )  # fmt: skip
    tianditu = service.get("/tileMatrixSets/TiandituC").json()
    first, last = tianditu["tileMatrices"][0], tianditu["tileMatrices"][-1]
    # Its capabilities: level 1 has 2 by 1 tiles from 90, -180; 295829355.4545656 at 96 dots an inch.
    assert (first["id"], first["matrixWidth"], first["matrixHeight"]) == ("1", 2, 1)
    assert (last["id"], last["matrixWidth"], last["matrixHeight"]) == ("18", 262144, 131072)
    assert first["pointOfOrigin"] == [90, -180] and tianditu["orderedAxes"] == ["Lat", "Lon"]
    assert first["scaleDenominator"] * 0.28 / (25.4 / 96) == pytest.approx(295829355.4545656)


def test_a_register_and_an_unknown_set_have_no_tiles(service: TestClient) -> None:
    assert service.get("/collections/plan_structure/tiles").json()["tilesets"] == []
    for path in (
        "/collections/plan_structure/tiles/WebMercatorQuad", "/collections/wells/tiles/Nowhere",
        "/collections/wells/tiles/TiandituC/0/0/0", "/tileMatrixSets/Nowhere", "/tiles/WebMercatorQuad/1/2/0",
    ):  # fmt: skip
        assert service.get(path).status_code == 404, path
    refused = service.get("/tiles/WebMercatorQuad/12/1704/3413?collections=plan_structure")
    assert refused.status_code == 400 and "plan_structure" in refused.text


def test_a_tile_of_the_map_holds_a_layer_for_each_collection(service: TestClient) -> None:
    listed = service.get("/tiles").json()["tilesets"]
    tileset = service.get(listed[0]["links"][0]["href"] + "?collections=wells,pads").json()
    assert [layer["id"] for layer in tileset["layers"]] == ["wells", "pads"]
    template = next(link["href"] for link in tileset["links"] if link["rel"] == "item")
    tile = service.get(template.format(tileMatrix=12, tileRow=1704, tileCol=3413))
    assert set(mapbox_vector_tile.decode(tile.content)) == {"wells", "pads"}
    alone = service.get(TILE).content
    assert mapbox_vector_tile.decode(tile.content)["wells"] == mapbox_vector_tile.decode(alone)["wells"]


def test_a_tile_from_memory_is_the_same_and_never_stale(own_map: SmallMap) -> None:
    app = own_map.app()
    client, drawn = client_of(app), []
    plain = vector_tile

    def counted(*given: Any) -> bytes:
        drawn.append(given)
        return plain(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.routes.tiles.vector_tile", counted)
        first, again = client.get(TILE), client.get(TILE)
        assert len(drawn) == 1
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
        assert "content-security-policy" in again.headers
        held = client.get(TILE, headers={"If-None-Match": first.headers["etag"]})
        assert (held.status_code, held.content, len(drawn)) == (304, b"", 1)
        for shown in ({"Authorization": "Bearer x"}, {"Cookie": f"{cookie_of(client)}=x"}):
            assert client.get(TILE, headers=shown).status_code == 401, "memory answers no credential"
        own_map.load("pads", PADS.replace("\nA,", "\nB,"))
        client.get(TILE)
        assert len(drawn) == 1, "another layer's revision is none of this one's"
        own_map.load("wells", "code,lon,lat\nNEW,120.02,28.905\n")
        assert "NEW" in names(client.get(TILE).content)


def test_an_address_that_names_the_content_holds_for_ever(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    layers = {layer["id"]: layer for layer in client.get("/app/config").json()["layers"]}
    named = f"{TILE}?rev={layers['wells']['content']}"
    assert "immutable" in client.get(named).headers["cache-control"]
    assert client.get(TILE).headers["cache-control"] == "no-cache"
    own_map.load("wells", "code,lon,lat\nNEW,120.02,28.905\n")
    assert client.get(named).headers["cache-control"] == "no-cache", "the name is that of older content"


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


def test_a_style_comes_in_the_notation_that_was_asked_for(service: TestClient) -> None:
    for f, accept, begin in (
        ("sld11", "application/vnd.ogc.sld+xml;version=1.1", "StyledLayerDescriptor"),
        ("sld10", "application/vnd.ogc.sld+xml;version=1.0", "StyledLayerDescriptor"),
        ("qml", "application/x-qgis-layer-settings", "qgis"),
        ("mbs", "application/vnd.mapbox.style+json", "version"),
    ):
        by_name = service.get(f"/styles/wells?f={f}")
        by_accept = service.get("/styles/wells", headers={"Accept": accept})
        assert by_name.content == by_accept.content and begin in by_name.text
        assert by_name.headers["content-type"].replace(" ", "").startswith(accept)
    sheets = [
        link for link in service.get("/styles").json()["styles"][0]["links"] if link["rel"] == "stylesheet"
    ]
    assert [service.get(link["href"]).status_code for link in sheets] == [200] * 4
    assert service.get("/styles/wells/metadata").json()["id"] == "wells"
    assert service.get("/styles/wells?f=css").status_code == 400


def test_a_project_for_qgis_is_ready(service: TestClient) -> None:
    project = service.get("/qgis")
    assert project.headers["content-disposition"].endswith('.qgs"')
    assert "typename='wells'" in project.text


def test_the_description_names_every_way_to_tiles(service: TestClient) -> None:
    paths = service.get("/api").json()["paths"]
    found = {path: way["get"]["operationId"] for path, way in paths.items() if "/tiles" in path}
    for kind, base in (("dataset", "/tiles"), ("collection", "/collections/{layer}/tiles")):
        for suffix, name in (
            ("", "TileSetsList"),
            ("/{matrix}", "TileSet"),
            ("/{matrix}/{tileMatrix}/{tileRow}/{tileCol}", "Tile"),
        ):
            assert found[base + suffix] == f"{kind}.vector.get{name}"
    rel = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
    for page in ("/?f=json", "/collections/wells"):
        (link,) = [link for link in service.get(page).json()["links"] if link["rel"] == rel]
        assert len(service.get(link["href"]).json()["tilesets"]) == 3
