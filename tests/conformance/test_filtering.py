"""OGC API Features parts 3 and 5: filters over HTTP, and the schemas that tell what may stand in them."""

from __future__ import annotations

import json
from typing import Any, get_args

import jsonschema
import pytest
from fastapi.testclient import TestClient

from gis.cql2 import FUNCTIONS, LANGUAGES
from layers.model import Field
from tests.api.conftest import uids
from tests.conformance.test_crs import CRS84, SYSTEMS, own_axes

ITEMS = "/collections/wells/items"
REL = "http://www.opengis.net/def/rel/ogc/1.0/"
SCHEMAS = ("queryables", "sortables", "schema")
Described = list[dict[str, Any]]


@pytest.fixture(scope="module")
def schemas(service: TestClient, collections: Described) -> dict[tuple[str, str], dict[str, Any]]:
    """Every schema of every collection, fetched by its link."""
    found = {}
    for described in collections:
        for name in SCHEMAS:
            (link,) = (link for link in described["links"] if link["rel"] == REL + name)
            answer = service.get(link["href"])
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
            assert answer.json()["$id"] == link["href"]
            found[described["id"], name] = answer.json()
    return found


def test_schemas_are_linked_and_valid(schemas: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert len(schemas) % 3 == 0
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert (schema["type"], schema["additionalProperties"]) == ("object", False) and "?" not in schema[
            "$id"
        ]
        properties = schema["properties"].values()
        assert [p["x-ogc-propertySeq"] for p in properties] == list(range(1, len(properties) + 1))
        assert [name for name, p in schema["properties"].items() if p.get("x-ogc-role") == "id"] == ["uid"]
        for each in properties:
            assert isinstance(each.get("x-ogc-role", ""), str)
            assert str(each.get("x-ogc-unit", "m")).isascii()
            own = {key for key in each if key.startswith("x-")}
            assert own <= {"x-ogc-role", "x-ogc-propertySeq", "x-ogc-unit", "x-onemap-unit"}


def test_queryables_have_the_form_of_the_standard(schemas: dict[tuple[str, str], dict[str, Any]]) -> None:
    for schema in schemas.values():
        for name, described in schema["properties"].items():
            if name == "geometry":
                assert described["format"].startswith("geometry-") and not {"type", "$ref"} & set(described)
            else:
                assert described["type"] in ("string", "number", "integer", "boolean") and described["title"]
    wells = schemas["wells", "queryables"]["properties"]
    assert wells["geometry"]["format"] == "geometry-point" and wells["kind"]["enum"] == ["dug", "bored"]
    assert (wells["valid_from"]["type"], wells["valid_from"]["format"]) == ("string", "date")
    assert "geometry" not in schemas["plan_structure", "queryables"]["properties"]


def test_roles_are_those_of_the_standard(schemas: dict[tuple[str, str], dict[str, Any]]) -> None:
    for (layer, name), schema in schemas.items():
        roles = {p["x-ogc-role"]: p for p in schema["properties"].values() if "x-ogc-role" in p}
        assert len(roles) == sum("x-ogc-role" in p for p in schema["properties"].values())
        assert set(roles) <= {"id", "primary-geometry", "primary-interval-start", "primary-interval-end"}
        placed = layer != "plan_structure" and name != "sortables"
        assert ("primary-geometry" in roles) == placed == ("geometry" in schema["properties"])
        assert roles["primary-interval-start"]["format"] == roles["primary-interval-end"]["format"] == "date"


def test_the_schema_tells_what_an_item_holds(
    service: TestClient, schemas: dict[tuple[str, str], dict[str, Any]], collections: Described
) -> None:
    for described in collections:
        schema = schemas[described["id"], "schema"]
        named = [name for name in schema["properties"] if name != "geometry"]
        checker = jsonschema.Draft202012Validator(schema)
        for feature in service.get(f"/collections/{described['id']}/items").json()["features"]:
            assert list(feature["properties"]) == named
            checker.validate({k: v for k, v in feature["properties"].items() if v is not None})
        only_read = [name for name, p in schema["properties"].items() if p.get("readOnly")]
        assert only_read == ["uid", "is_demonstration", "source", "rev_from"]


@pytest.mark.parametrize("name", ["geom", "row_id", "rev_to", "source_id", "title", "nothing", "geom_web"])
def test_only_queryables_are_filtered_by(service: TestClient, name: str) -> None:
    answer = service.get(ITEMS, params={"filter": f"{name} IS NULL"})
    assert answer.status_code == 400 and "depth" in answer.json()["remedy_en"]
    assert service.get(f"{ITEMS}?{name}=1").status_code == 400


def test_each_queryable_is_a_parameter(
    service: TestClient,
    schemas: dict[tuple[str, str], dict[str, Any]],
    parameters: dict[str, dict[str, Any]],
) -> None:
    feature = service.get(f"{ITEMS}/IN").json()["properties"]
    for name, described in schemas["wells", "queryables"]["properties"].items():
        if name == "geometry":
            continue
        assert parameters[name]["schema"]["type"] == described["type"]
        assert parameters[name]["schema"].get("enum") == described.get("enum")
        if feature[name] is not None:
            value = str(feature[name]).lower() if isinstance(feature[name], bool) else feature[name]
            kept = service.get(ITEMS, params={name: value}).json()["features"]
            assert kept and all(each["properties"][name] == feature[name] for each in kept)


def test_filter_parameters_are_defined(parameters: dict[str, dict[str, Any]]) -> None:
    assert parameters["filter"]["schema"]["type"] == "string"
    language = parameters["filter-lang"]["schema"]
    assert (language["enum"], language["default"]) == (list(LANGUAGES), "cql2-text")
    assert parameters["filter-crs"]["schema"]["format"] == "uri"


@pytest.mark.parametrize("uri", SYSTEMS)
def test_a_filter_has_the_axes_of_its_system(service: TestClient, uri: str) -> None:
    low, high = own_axes(uri, 120.004, 28.904), own_axes(uri, 120.006, 28.906)
    (a, b), (c, d) = low, high
    words = f"S_INTERSECTS(geometry, POLYGON(({a} {b}, {c} {b}, {c} {d}, {a} {d}, {a} {b})))"
    assert uids(service.get(ITEMS, params={"filter": words, "filter-crs": uri})) == ["IN", "ALSO"]
    if uri == CRS84:
        assert uids(service.get(ITEMS, params={"filter": words})) == ["IN", "ALSO"]
    tree = {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [a, b, c, d]}]}
    asked = {"filter": json.dumps(tree), "filter-lang": "cql2-json", "filter-crs": uri}
    assert uids(service.get(ITEMS, params=asked)) == ["IN", "ALSO"]


def test_a_filter_is_joined_with_all_else(service: TestClient) -> None:
    assert uids(service.get(ITEMS, params={"filter": "depth > 5"})) == ["OUT", "ALSO"]
    assert uids(service.get(ITEMS, params={"filter": "depth > 5", "bbox": "120,28.9,120.009,29"})) == ["ALSO"]
    assert uids(service.get(ITEMS, params={"filter": "depth > 5", "uid": "OUT"})) == ["OUT"]
    assert uids(service.get(ITEMS, params={"filter": "depth > 5", "kind": "dug"})) == []
    assert uids(service.get(ITEMS, params={"filter": "NOT depth > 5"})) == ["IN"]
    assert uids(service.get(ITEMS, params={"filter": "depth > 5", "as-of": "0"})) == []


@pytest.mark.parametrize(
    "query",
    [{"filter": "nothing = 1"}, {"filter": "depth >"}, {"filter": ""}, {"filter": "1/0 > power(1,2)"},
     {"filter": "true", "filter-lang": "cql-text"}, {"filter": "true", "filter-crs": "EPSG:27700"},
     {"filter": "depth = 'deep'"},
     {"filter": "S_INTERSECTS(geometry, POINT(29 120))"}, {"filter": "depth ^ 999999 > 1"},
     {"filter": "{}", "filter-lang": "cql2-json"}],
)  # fmt: skip
def test_wrong_filters_are_refused(service: TestClient, query: dict[str, str]) -> None:
    for form in ("geojson", "csv"):
        answer = service.get(ITEMS, params={**query, "f": form})
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_functions_are_listed_and_work(service: TestClient) -> None:
    (link,) = (link for link in service.get("/?f=json").json()["links"] if link["rel"] == REL + "functions")
    listed = service.get(link["href"]).json()["functions"]
    assert {each["name"] for each in listed} == set(FUNCTIONS)
    types = {"string", "number", "integer", "datetime", "geometry", "boolean"}
    for each in listed:
        assert set(each["returns"]) <= types and all(set(a["type"]) <= types for a in each["arguments"])
    calls = {
        "length": "length(code) = 2", "trim": "trim(code) = 'IN'", "abs": "abs(0 - depth) = 3",
        "floor": "floor(depth / 2) = 1", "ceil": "ceil(depth / 2) = 2",
        "year": "year(DATE('2020-05-06')) = 2020",
        "month": "month(DATE('2020-05-06')) = 5", "day": "day(TIMESTAMP('2020-05-06T00:00:00Z')) = 6",
    }  # fmt: skip
    assert set(calls) == set(FUNCTIONS)
    for words in calls.values():
        assert "IN" in uids(service.get(ITEMS, params={"filter": words})), words
    unknown = service.get(ITEMS, params={"filter": "power(depth, 2) = 9"}).json()
    assert "length" in unknown["remedy_en"]


def test_the_same_filter_works_on_tiles(service: TestClient) -> None:
    tile = "/collections/wells/tiles/WebMercatorQuad/5/13/26"
    whole, part = (service.get(tile, params=p) for p in ({}, {"filter": "kind = 'dug' AND depth > 1"}))
    assert whole.status_code == part.status_code == 200 and len(part.content) < len(whole.content)
    assert part.headers["etag"] != whole.headers["etag"]
    assert service.get(tile, params={"filter": "false"}).status_code == 204
    assert service.get(tile, params={"filter": "nothing = 1"}).status_code == 400


def test_no_queryable_is_an_array(service: TestClient) -> None:
    """Why the array functions of CQL2 do not apply: the kinds of fields that a layer may have are these."""
    kinds = set(get_args(Field.model_fields["type"].annotation))
    assert kinds == {"text", "enum", "integer", "number", "boolean", "date", "datetime"}
    for name in ("wells", "pads", "conflicts", "plan_structure"):
        told = service.get(f"/collections/{name}/queryables").json()["properties"]
        assert "array" not in {each.get("type") for each in told.values()}
    for function in ("A_CONTAINS", "A_CONTAINEDBY", "A_EQUALS", "A_OVERLAPS"):
        refused = service.get("/collections/wells/items", params={"filter": f"{function}(name,('a'))"})
        assert refused.status_code == 400
