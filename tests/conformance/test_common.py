"""OGC API Common parts 1 and 2: what Features does not ask for in the same words."""

from __future__ import annotations

from typing import Any

import pytest
import shapely
from fastapi.testclient import TestClient

from tests.api.conftest import SmallMap, uids
from tests.api.test_errors import shape

ITEMS = "/collections/wells/items"


def test_names_and_values_have_a_case_and_escapes_have_none(service: TestClient) -> None:
    for query in ("LIMIT=1", "F=json", "limit=1&BBOX=1,2,3,4", "f=JSON"):
        shape(service.get(f"{ITEMS}?{query}"), 400)
    upper, lower = (
        uids(service.get(f"{ITEMS}?name=%{text}")) for text in ("E9%87%8C%E4%BA%95", "e9%87%8c%e4%ba%95")
    )
    assert upper == lower == ["IN"]


def test_lists_have_commas_and_take_them_escaped(service: TestClient) -> None:
    parameters = {
        each["name"]: each for each in service.get("/api").json()["paths"][ITEMS]["get"]["parameters"]
    }
    for name in ("bbox", "properties", "sortby"):
        assert (parameters[name]["style"], parameters[name]["explode"]) == ("form", False)
    plain, escaped = (service.get(f"{ITEMS}?properties=code{comma}name").json() for comma in (",", "%2C"))
    assert plain["features"] == escaped["features"]
    assert plain["features"][0]["properties"].keys() == {"code", "name"}


def test_an_empty_entry_of_a_list_is_an_empty_text(service: TestClient) -> None:
    features = service.get(f"{ITEMS}?properties=code,,name").json()["features"]
    assert features[0]["properties"].keys() == {"code", "name"}  # nothing is called ""
    shape(service.get(f"{ITEMS}?bbox=1,,3,4"), 400)  # and it is no number


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=2", 200), ("limit=02", 200), ("limit=2.5", 400), ("limit=1e1", 400), ("limit=-1", 400),
     ("count=true", 200), ("count=false", 200), ("count=maybe", 400),
     ("bbox=120,28,121,29", 200), ("bbox=120.,28.0,121.50,29", 200), ("bbox=-1.5,-.5,1,1", 200),
     ("bbox=1.2e2,28,1.21e2,2.9e1", 200), ("bbox=1.2e2.5,28,121,29", 400), ("bbox=a,28,121,29", 400)],
)  # fmt: skip
def test_values_are_written_as_the_standard_has_them(service: TestClient, query: str, status: int) -> None:
    assert service.get(f"{ITEMS}?{query}").status_code == status


def test_each_way_to_write_a_number_means_the_same(service: TestClient) -> None:
    boxes = ("120,28.9,120.008,28.91", "120.000,28.90,120.0080,28.910", "1.2e2,2.89e1,1.20008e2,2.891E1")
    assert {tuple(uids(service.get(f"{ITEMS}?bbox={box}"))) for box in boxes} == {("IN", "ALSO")}


def test_collections_and_each_of_them_come_as_json_and_link_to_themselves(service: TestClient) -> None:
    listed = service.get("/collections").json()
    for told in (listed, *listed["collections"]):
        links = [link for link in told["links"] if link["rel"] in ("self", "alternate")]
        assert {"application/json", "text/html; charset=utf-8"} <= {link["type"] for link in links}
        for link in links:
            answer = service.get(link["href"])
            assert (answer.status_code, answer.headers["content-type"]) == (200, link["type"])
        assert all(link["rel"] for link in told["links"])


def test_boxes_in_the_crs_of_the_store_hold_all_items(
    service: TestClient, collections: list[dict[str, Any]]
) -> None:
    places = [told for told in collections if told["geometryType"] != "none"]
    assert len(places) == 3
    for told in places:
        low, left, high, right = told["extent"]["spatial"]["storageCrsBbox"][0]  # EPSG:4490: latitude first
        box = shapely.box(low, left, high, right)
        asked = {"crs": told["storageCrs"], "limit": 1000}
        for feature in service.get(f"/collections/{told['id']}/items", params=asked).json()["features"]:
            assert box.covers(shapely.geometry.shape(feature["geometry"]))
        # EPSG:4490 and CRS84 agree here, so both boxes are one, each with its own axes.
        assert told["extent"]["spatial"]["bbox"][0] == [left, low, right, high]
    for told in service.get("/collections").json()["collections"]:
        assert ("storageCrsBbox" in told["extent"]["spatial"]) == ("storageCrs" in told)


def test_an_empty_layer_has_the_box_of_the_district(service: TestClient, shared_map: SmallMap) -> None:
    told = service.get("/collections/wells?as-of=1").json()
    assert told["itemCount"] == 0
    west, south, east, north = shared_map.definition.district.extent
    spatial = told["extent"]["spatial"]
    assert spatial["bbox"] == [[west, south, east, north]]
    assert spatial["storageCrsBbox"] == [[south, west, north, east]]


def test_landing_page_and_conformance_are_json_of_the_form_of_the_standard(service: TestClient) -> None:
    landing, conformance = (
        service.get(path, headers={"Accept": "application/json"}) for path in ("/", "/conformance")
    )
    assert {landing.headers["content-type"], conformance.headers["content-type"]} == {"application/json"}
    assert isinstance(landing.json()["title"], str) and isinstance(landing.json()["description"], str)
    for link in landing.json()["links"]:
        assert (
            isinstance(link["href"], str) and isinstance(link["rel"], str) and isinstance(link["title"], str)
        )
    assert all(isinstance(uri, str) for uri in conformance.json()["conformsTo"])
