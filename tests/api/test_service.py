"""The way in, the description of the service, and what the map asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import BASE, SmallMap, client_of

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "accept", "is_page"),
    [("/", HTML, True), ("/", "*/*", False), ("/", "application/json", False), ("/?f=json", HTML, False)],
)  # fmt: skip
def test_a_browser_gets_the_map_and_a_program_the_landing_page(
    service: TestClient, path: str, accept: str, is_page: bool
) -> None:
    answer = service.get(path, headers={"Accept": accept})
    assert ("<!doctype html>" in answer.text) is is_page
    assert ("links" in answer.text and answer.headers["content-type"] == "application/json") is not is_page


def test_every_link_of_every_description_leads_somewhere(service: TestClient) -> None:
    waiting, seen = [f"{BASE}/?f=json"], set()
    while waiting:
        address = waiting.pop()
        seen.add(address)
        answer = service.get(address)
        assert answer.status_code == 200, address
        if "json" in answer.headers["content-type"] and "openapi" not in answer.headers["content-type"]:
            waiting += [a for a in addresses(answer.json()) if a not in seen and a not in waiting]
    assert len(seen) > 30


def addresses(node: Any) -> list[str]:
    """The addresses of all links in a document, except templates, what only takes POST, and names of OGC."""
    if isinstance(node, list):
        return [address for entry in node for address in addresses(entry)]
    if not isinstance(node, dict):
        return []
    own = [node["href"]] if "href" in node and not node.get("templated") else []
    inner = [address for value in node.values() for address in addresses(value)]
    elsewhere = "http://www.opengis.net/"
    return [a for a in own + inner if not a.endswith("/execution") and not a.startswith(elsewhere)]


def test_the_description_is_openapi_30_and_complete(service: TestClient) -> None:
    answer = service.get("/api")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
    document = answer.json()
    assert document["openapi"] == "3.0.3"
    text = json.dumps(document)
    assert '"type": "null"' not in text and '"const"' not in text and '"examples"' not in text
    for path, operations in document["paths"].items():
        writes = path.startswith(("/imports", "/webhooks", "/conflicts")) or path == "/session"
        one, several = path == "/collections/{layer}/items/{uid}", path.endswith("/items")
        assert set(operations) <= {"get", "post", "delete"} | ({"put", "patch"} if one else set())
        if not writes:
            kept = path.startswith(("/collections/conflicts/", "/collections/catalogue/"))
            assert ("post" in operations) == (path.endswith("/execution") or (several and not kept))
        for operation in operations.values():
            told = operation["responses"]
            refused = {"$ref": "#/components/responses/Problem"}
            assert "default" not in told and told["400"] == told["401"] == told["503"] == refused
            assert all(int(status) < 400 or answer == refused for status, answer in told.items())
    wells = document["paths"]["/collections/wells/items"]["get"]["parameters"]
    kind = next(p for p in wells if p["name"] == "kind")
    assert kind["schema"] == {"type": "string", "enum": ["dug", "bored"]}
    assert {"bbox", "limit", "as-of", "crs", "depth", "uid"} <= {p["name"] for p in wells}
    ids = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids))


def test_collections_say_what_they_hold(service: TestClient) -> None:
    body = service.get("/collections", headers={"Accept-Language": "en"}).json()
    wells = next(c for c in body["collections"] if c["id"] == "wells")
    assert (wells["title"], wells["itemCount"], wells["itemType"]) == ("Wells", 4, "feature")
    assert wells["extent"]["spatial"]["bbox"] == [[120.005, 28.905, 120.05, 28.905]]
    assert wells["storageCrs"] == "http://www.opengis.net/def/crs/EPSG/0/4490"
    assert wells["crs"][0].endswith("CRS84")
    assert service.get("/collections/wells", headers={"Accept-Language": "en"}).json() == wells


def test_the_configuration_has_what_the_map_draws(service: TestClient, shared_map: SmallMap) -> None:
    config = service.get("/app/config").json()
    assert config["revision"] == service.get("/healthz").json()["revision"]
    assert config["read_only"] is True and config["basemaps"] == []
    assert config["district"]["view"] == {"center": [119.9, 29.06], "zoom": 10}
    layers = {layer["id"]: layer for layer in config["layers"]}
    assert list(layers) == list(shared_map.definition.layers)
    assert sorted(i for theme in config["themes"] for i in theme["layers"]) == sorted(layers)
    wells = layers["wells"]
    assert (wells["count"], wells["geometry"], wells["names"]["label"]) == (4, "Point", "name")
    assert wells["fields"][2]["codes"][0] == {"code": "dug", "zh": "大口井", "en": "Dug well"}
    assert wells["style"]["by"] == "kind" and len(wells["legend"]) == 3
    assert config["conflicts_layer"] == "conflicts"
    assert {rule["id"] for rule in config["rules"]} == {"WL-01"}
    assert {"kind": "new", "title": {"zh": "新建", "en": "New"}} in config["site_kinds"]
    (raster,) = config["rasters"]
    assert (raster["id"], raster["unit"], raster["min"], raster["max"]) == ("elevation", "m", 0, 1500)
    assert raster["legend"][1]["colour"] == "#7fb069"


def test_demonstration_data_are_marked(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    marks = {c["id"]: c["is_demonstration"] for c in client.get("/app/config").json()["layers"]}
    assert not any(marks.values())
    own_map.load("wells", "code,lon,lat\nDEMO,120.3,28.9\n", source="demonstration")
    config = client.get("/app/config").json()
    assert [c["id"] for c in config["layers"] if c["is_demonstration"]] == ["wells"]
    item = client.get("/collections/wells/items/DEMO").json()["properties"]
    assert (item["is_demonstration"], item["source"]) == (True, "demonstration")


def test_the_configuration_is_sent_once(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    tag = client.get("/app/config").headers["etag"]
    assert client.get("/app/config", headers={"If-None-Match": tag}).status_code == 304
    own_map.load("wells", "code,lon,lat\nNEW,120.3,28.9\n")
    assert client.get("/app/config", headers={"If-None-Match": tag}).status_code == 200


def test_conflicts_in_numbers(service: TestClient) -> None:
    numbers = service.get("/app/conflicts").json()
    assert (numbers["total"], numbers["lagging"]) == (3, False)
    assert numbers["by_verdict"] == {"conflict": 2, "edge": 1}
    assert {(r["rule"], r["verdict"], r["count"]) for r in numbers["by_rule"]} == {
        ("WL-01", "conflict", 2), ("WL-01", "edge", 1),
    }  # fmt: skip
    assert sum(row["count"] for row in numbers["by_township"]) == 3
    assert service.get("/app/conflicts?as-of=0").json()["total"] == 0


def test_search_finds_rows_by_name_and_identifier(service: TestClient) -> None:
    (hit,) = service.get("/app/search", params={"q": "里井"}).json()
    assert hit == {"layer": "wells", "uid": "IN", "label": "里井", "point": [120.005, 28.905]}
    assert service.get("/app/search", params={"q": "东城"}).json()[0]["point"] is None


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's, on affine 3
def test_a_raster_has_tiles_and_values(service: TestClient) -> None:
    tile = service.get("/rasters/elevation/tiles/WebMercatorQuad/8/106/213.png")
    assert tile.headers["content-type"] == "image/png" and tile.content.startswith(b"\x89PNG")
    again = service.get(tile.request.url, headers={"If-None-Match": tile.headers["etag"]})
    assert again.status_code == 304
    assert service.get("/rasters/elevation/tiles/WebMercatorQuad/8/0/0.png").status_code == 204
    assert service.get("/rasters/elevation/value?lon=119.9&lat=29.05").json() == {
        "value": 240.0, "unit": "m", "label": None,
    }  # fmt: skip
