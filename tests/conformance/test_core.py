"""OGC API Features part 1, requirement by requirement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import shapely
from fastapi.testclient import TestClient
from jsonschema import Draft4Validator
from schemathesis.specs.openapi.definitions import OPENAPI_30

from tests.api.conftest import SmallMap, client_of, cookie_of, uids
from tests.conformance.table import claimed

ITEMS = "/collections/wells/items"
Described = list[dict[str, Any]]


def by_rel(links: list[dict[str, str]], rel: str) -> list[dict[str, str]]:
    return [link for link in links if link["rel"] == rel]


def test_the_landing_page_leads_to_all(service: TestClient) -> None:
    answer = service.get("/", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    links = answer.json()["links"]
    for rel in ("service-desc", "service-doc", "conformance", "data"):
        (link,) = by_rel(links, rel)
        told = service.get(link["href"]).headers["content-type"]
        assert link["type"] in (told, told.partition(";")[0])
    assert answer.json()["title"] and answer.json()["description"]


def test_the_api_definition_is_what_the_link_says(service: TestClient) -> None:
    (link,) = by_rel(service.get("/?f=json").json()["links"], "service-desc")
    answer = service.get(link["href"], headers={"Accept": link["type"]})
    assert (answer.status_code, answer.headers["content-type"]) == (200, link["type"])
    assert answer.json()["openapi"] == "3.0.3"


def test_the_conformance_is_that_of_this_table(service: TestClient) -> None:
    answer = service.get("/conformance")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"conformsTo": claimed()}
    assert any(uri.endswith("ogcapi-features-1/1.0/conf/core") for uri in claimed())


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/collections", "/collections/wells", ITEMS, f"{ITEMS}/IN", f"{ITEMS}?f=csv", "/healthz",
     "/collections/wells/tiles/WebMercatorQuad/0/0/0", "/web/js/api.js"],
)  # fmt: skip
def test_head_and_options_follow_http(service: TestClient, path: str) -> None:
    read, asked = service.get(path), service.head(path)
    assert (asked.status_code, asked.content) == (read.status_code, b"")
    assert asked.headers["content-type"] == read.headers["content-type"]
    assert asked.headers.get("etag") == read.headers.get("etag")
    allowed = service.options(path)
    assert allowed.status_code == 200 and {"GET", "HEAD", "OPTIONS"} <= set(
        allowed.headers["allow"].split(", ")
    )


def test_head_and_options_of_nothing(service: TestClient) -> None:
    assert (service.head("/nothing").status_code, service.options("/nothing").status_code) == (404, 404)
    assert service.options("/processes/screen/execution").headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize(
    "query",
    ["nothing=1", "limit=0", "limit=many", "bbox=1,2,3", "bbox=1,2,3,4,5", "datetime=tomorrow", "crs=x",
     "offset=-1", "sortby=nothing", "properties=nothing", "skipGeometry=perhaps", "count=perhaps", "page=x",
     "filter-lang=sql", "f=x", "filter-crs=x&filter=true", "bbox=29,120,30,121"],
)  # fmt: skip
def test_unknown_and_invalid_parameters_are_refused(service: TestClient, query: str) -> None:
    answer = service.get(f"{ITEMS}?{query}")
    assert answer.status_code == 400 and answer.json()["detail_en"] and answer.json()["detail_zh"]
    assert service.get("/collections?nothing=1").status_code == 400
    assert service.get(f"{ITEMS}/IN?nothing=1").status_code == 400


def test_items_are_in_lonlat_unless_asked_otherwise(service: TestClient) -> None:
    for answer in (service.get(f"{ITEMS}?filter=uid='IN'"), service.get(f"{ITEMS}/IN")):
        body = answer.json()
        feature = body["features"][0] if "features" in body else body
        assert feature["geometry"]["coordinates"] == [120.005, 28.905]
        assert answer.headers["content-crs"].endswith("/OGC/1.3/CRS84>")


def test_collections_describe_all_layers(service: TestClient, shared_map: SmallMap) -> None:
    answer = service.get("/collections")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    body = answer.json()
    (link,) = by_rel(body["links"], "self")
    assert link["type"] == "application/json" and service.get(link["href"]).status_code == 200
    (page,) = by_rel(body["links"], "alternate")
    assert service.get(page["href"]).headers["content-type"] == page["type"]
    assert [c["id"] for c in body["collections"]] == [*shared_map.definition.layers, "catalogue"]
    for described in body["collections"]:
        kind = "record" if described["id"] == "catalogue" else "feature"
        assert isinstance(described["links"], list) and described["itemType"] == kind
        assert described["title"] and described["extent"]["spatial"]["bbox"]


def test_a_collection_links_to_items_in_every_form(service: TestClient, collections: Described) -> None:
    wells = next(c for c in collections if c["id"] == "wells")
    links = by_rel(wells["links"], "items")
    assert len(links) == len({link["type"] for link in links}) == 8
    for link in links:
        answer = service.get(link["href"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, link["type"])


def test_the_extent_holds_all_items(service: TestClient, collections: Described) -> None:
    for described in collections:
        box = shapely.box(*described["extent"]["spatial"]["bbox"][0]).buffer(1e-7)
        for feature in service.get(f"/collections/{described['id']}/items").json()["features"]:
            if feature["geometry"] is not None:
                assert box.covers(shapely.geometry.shape(feature["geometry"]))


def test_a_collection_alone_is_that_of_the_list(service: TestClient, collections: Described) -> None:
    for described in collections:
        alone = service.get(f"/collections/{described['id']}", headers={"Accept-Language": "en"})
        assert (alone.status_code, alone.json()) == (200, described)


def test_items_have_the_form_of_the_standard(service: TestClient, collections: Described) -> None:
    for described in collections:
        answer = service.get(f"/collections/{described['id']}/items")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/geo+json")
        body = answer.json()
        assert body["type"] == "FeatureCollection" and isinstance(body["links"], list)
        moment = datetime.fromisoformat(body["timeStamp"])
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
        for feature in body["features"]:
            assert feature["type"] == "Feature" and {"id", "geometry", "properties"} <= set(feature)


def test_parameters_are_defined_as_the_standard_has_them(parameters: dict[str, dict[str, Any]]) -> None:
    limit, bbox, datetime_ = (parameters[name] for name in ("limit", "bbox", "datetime"))
    assert (
        limit["schema"] | {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100}
        == limit["schema"]
    )
    box = {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}
    assert bbox["schema"] == box and (bbox["style"], bbox["explode"]) == ("form", False)
    assert datetime_["schema"]["type"] == "string"
    assert not any(each["required"] for each in (limit, bbox, datetime_))


def test_limit_is_kept(shared_map: SmallMap) -> None:
    client = client_of(shared_map.app(max_features=3))
    assert [len(uids(client.get(f"{ITEMS}?limit={n}"))) for n in (1, 2, 3, 50)] == [1, 2, 3, 3]


def test_bbox_keeps_what_it_meets_and_what_has_no_place(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    assert uids(client.get(f"{ITEMS}?bbox=120.0,28.9,120.008,28.91")) == ["IN", "ALSO"]
    assert uids(client.get(f"{ITEMS}?bbox=120.0,28.9,0,120.008,28.91,100")) == ["IN", "ALSO"]
    assert uids(client.get(f"{ITEMS}?bbox=170,28.9,-170,28.91")) == []
    register = client.get("/collections/plan_structure/items?bbox=0,0,1,1")
    assert len(uids(register)) == 2


def test_datetime_keeps_what_holds_then(own_map: SmallMap) -> None:
    rows = "code,lon,lat,valid_from,valid_to\nOLD,120.3,28.9,2000-01-01,2009-12-31\n"
    own_map.load("wells", rows, source="old")
    client = client_of(own_map.app())
    others = ["IN", "OUT", "RIM", "ALSO"]
    for asked, is_there in [
        ("2005-06-01", True), ("2009-12-31T23:00:00Z", True), ("2010-01-01", False),
        ("1999-01-01/2000-01-01", True), ("../1999-12-31", False), ("2010-01-01/..", False),
        ("2000-01-01T00:00:00Z/..", True), ("/2000-01-01", True),
    ]:  # fmt: skip
        assert uids(client.get(ITEMS, params={"datetime": asked})) == others + ["OLD"] * is_there, asked


def test_a_page_links_to_itself_and_its_other_forms(service: TestClient) -> None:
    body = service.get(f"{ITEMS}?limit=2&offset=1").json()
    (own,) = by_rel(body["links"], "self")
    assert own["type"] == "application/geo+json"
    assert uids(service.get(own["href"])) == [feature["id"] for feature in body["features"]]
    for link in by_rel(body["links"], "alternate"):
        answer = service.get(link["href"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, link["type"])
    for rel in ("next", "prev"):
        (link,) = by_rel(body["links"], rel)
        assert link["type"] == "application/geo+json"


def test_the_numbers_are_right(service: TestClient) -> None:
    body = service.get(f"{ITEMS}?filter=kind='bored'&limit=1").json()
    assert (body["numberMatched"], body["numberReturned"]) == (2, 1)
    bare = service.get(f"{ITEMS}?filter=kind='bored'&limit=1&count=false").json()
    assert "numberMatched" not in bare
    assert (bare["numberReturned"], bare["features"]) == (1, body["features"])


def test_an_item_alone_has_links_and_its_identifier(service: TestClient, collections: Described) -> None:
    for described in collections:
        for feature in service.get(f"/collections/{described['id']}/items").json()["features"]:
            address = f"/collections/{described['id']}/items/{feature['id'].replace('/', '%2F')}"
            answer = service.get(address)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/geo+json")
            body = answer.json()
            assert (body["type"], body["id"]) == ("Feature", feature["id"])
            assert {link["rel"] for link in body["links"]} == {"self", "alternate", "collection", "profile"}
            assert all(link["type"] for link in body["links"] if link["rel"] != "profile")
            assert body["properties"] == feature["properties"]


def test_the_api_definition_is_valid_openapi(service: TestClient) -> None:
    document = service.get("/api").json()
    Draft4Validator(OPENAPI_30).validate(document)
    for path in document["paths"].values():
        for operation in path.values():
            assert {"400", "404", "503"} <= operation["responses"].keys()
            names = [(p["in"], p["name"]) for p in operation.get("parameters", ())]
            assert len(names) == len(set(names))
            assert all(
                "schema" in p and not set(p["schema"]) & {"x-list", "x-maximum"}
                for p in operation.get("parameters", ())
            )


def test_the_landing_page_links_to_the_definition_in_both_forms(service: TestClient) -> None:
    links = service.get("/?f=json").json()["links"]
    kinds = {rel: [link["type"] for link in by_rel(links, rel)] for rel in ("service-desc", "service-doc")}
    assert kinds == {
        "service-desc": ["application/vnd.oai.openapi+json;version=3.0"], "service-doc": ["text/html"],
    }  # fmt: skip


def test_the_api_definition_tells_how_access_is_controlled(service: TestClient) -> None:
    document = service.get("/api").json()
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {
        "bearer": "http",
        "session": "apiKey",
    }
    # Nobody must say who they are; whoever does uses one of the schemes.
    assert document["security"] == [{}, *({name: []} for name in schemes)]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert not any("security" in operation for operation in operations)
    refused = service.get(ITEMS, headers={"Authorization": "Bearer onemap_none"})
    assert (refused.status_code, refused.headers["www-authenticate"].partition(" ")[0]) == (401, "Bearer")
    assert schemes["session"] | {"in": "cookie", "name": cookie_of(service)} == schemes["session"]
    service.cookies.set(cookie_of(service), "none")
    try:
        assert service.get(ITEMS).status_code == 401
    finally:
        service.cookies.clear()


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"url": f"{ITEMS}?nothing=1"}, 400), ({"url": f"{ITEMS}/NONE"}, 404),
     ({"url": ITEMS, "headers": {"Authorization": "Bearer x"}}, 401),
     ({"url": ITEMS, "headers": {"Host": "elsewhere.example"}}, 421),
     ({"url": "/jobs/999999/results"}, 404), ({"url": f"{ITEMS}?f=geojson"}, 304)],
)  # fmt: skip
def test_the_api_definition_names_the_status_of_each_error(
    service: TestClient, asked: dict[str, Any], status: int
) -> None:
    if status == 304:
        asked = asked | {"headers": {"If-None-Match": service.get(**asked).headers["etag"]}}
    answer = service.get(**asked)
    assert answer.status_code == status
    for path, operations in service.get("/api").json()["paths"].items():
        told = operations.get("get", {}).get("responses", {})
        assert not told or str(status) in told, path
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_path_of_the_definition_is_there(service: TestClient) -> None:
    values = {
        "layer": "wells",
        "uid": "IN",
        "matrix": "WebMercatorQuad",
        "tileMatrix": "0",
        "tileRow": "0",
        "tileCol": "0",
        "id": "pads",
    }
    for path, operations in service.get("/api").json()["paths"].items():
        if "get" in operations and path.startswith("/collections") and "/claims/" not in path:
            address = path.replace("{uid}", "IN")
            for name, value in values.items():
                address = address.replace(f"{{{name}}}", value)
            assert service.get(address).status_code in (200, 204), address
