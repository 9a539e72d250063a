"""The catalogue: a record for each layer and report, found by words, place, time and kind; read by OWSLib."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from owslib.ogcapi.records import Records

from gis.db import connect
from gis.errors import QueryError
from gis.sources import set_source
from tests.api.conftest import PADS, SmallMap, client_of
from tests.api.test_errors import shape
from tests.api.test_processes import SQUARE, ask

ITEMS = "/collections/catalogue/items"
SPEC = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf"


def ids(client: TestClient, query: str = "") -> list[str]:
    answer = client.get(f"{ITEMS}?{query}")
    assert answer.status_code == 200, answer.text
    return [feature["id"] for feature in answer.json()["features"]]


def test_each_layer_has_a_record_that_says_where_it_comes_from(service: TestClient) -> None:
    assert ids(service) == ["wells", "pads", "conflicts", "plan_structure"] or set(ids(service)) == {
        "wells", "pads", "conflicts", "plan_structure",
    }  # fmt: skip
    record = service.get(f"{ITEMS}/wells", headers={"Accept-Language": "en"}).json()
    told = record["properties"]
    (source,) = told["sources"]
    assert (record["type"], told["type"], told["title"]) == ("Feature", "dataset", "Wells")
    assert (source["name"], source["accuracy_m"], source["rows"]) == ("survey", 1.0, 4)
    assert source["crs"] and source["transformation"]
    assert told["itemCount"] == 4 and told["isDemonstration"] is False and told["created"] <= told["updated"]
    assert record["geometry"] == {"type": "LineString", "coordinates": [[120.005, 28.905], [120.05, 28.905]]}
    assert service.get(f"{ITEMS}/pads").json()["geometry"]["type"] == "Polygon"
    links = {link["rel"]: link["href"] for link in record["links"]}
    for rel in ("items", "describedby", "status", "related", "collection"):
        assert service.get(urlsplit(links[rel]).path).status_code == 200
    assert service.get("/collections/catalogue").json()["itemType"] == "record"
    assert "catalogue" in [c["id"] for c in service.get("/collections").json()["collections"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=wells", {"wells"}), ("q=nothing,WELLS", {"wells"}), ("q=水井", {"wells"}), ("q=%20", None),
        ("ids=pads,wells", {"wells", "pads"}), ("ids=none", set()), ("type=report", set()),
        ("type=dataset&ids=pads", {"pads"}), ("bbox=120.04,28.9,120.06,28.91&ids=wells,pads", {"wells"}),
        ("bbox=0,0,1,1", {"plan_structure"}), ("bbox=120.04,28.9,120.06,28.91&q=pads", set()),
        ("datetime=2000-01-01/2001-01-01", set()),
        ("datetime=2020-01-01/..&ids=pads", {"pads"}),
    ],
)  # fmt: skip
def test_records_are_found(service: TestClient, query: str, found: set[str] | None) -> None:
    assert found is None or set(ids(service, query)) == found


def test_a_record_is_found_by_what_others_call_it(own_map: SmallMap) -> None:
    own_map.load("pads", PADS.replace("\nA,", "\nB,"), source="city")
    with connect(own_map.engine, write=True) as conn:
        set_source(conn, "city", {"identifier": "https://doi.org:10.1234/pads"})
        set_source(conn, "survey", {"identifier": "330700-0042"})
        for wrong in ("a,b", "x:", ":y", "a b"):
            with pytest.raises(QueryError, match="no identifier"):
                set_source(conn, "city", {"identifier": wrong})
    client = client_of(own_map.app())
    told = client.get(f"{ITEMS}/pads").json()["properties"]["externalIds"]
    assert told == [{"scheme": "https://doi.org", "value": "10.1234/pads"}, {"value": "330700-0042"}]
    assert "externalIds" not in client.get(f"{ITEMS}/conflicts").json()["properties"]
    for wanted, found in [
        ("10.1234/pads", {"pads"}), ("https://doi.org:10.1234/pads", {"pads"}),
        ("https://doi.org:", {"pads"}), ("https://doi.org", {"pads"}),
        ("https://doi.org:330700-0042", set()), ("doi:10.1234/pads", set()), ("none", set()),
        ("330700-0042", {"wells", "pads", "plan_structure"}), ("none,10.1234/pads", {"pads"}),
    ]:  # fmt: skip
        listed = client.get(ITEMS, params={"externalIds": wanted}).json()["features"]
        assert {feature["id"] for feature in listed} == found, wanted
    assert client.get("/sources/city").json()["identifier"] == "https://doi.org:10.1234/pads"


@pytest.mark.parametrize("query", ["limit=0", "colour=red", "bbox=1,2,3", "datetime=x", "offset=-1"])
def test_what_cannot_be_asked_is_refused(service: TestClient, query: str) -> None:
    shape(service.get(f"{ITEMS}?{query}"), 400)


def test_pages_hold_each_record_once(service: TestClient) -> None:
    seen: list[str] = []
    target: str | None = f"{ITEMS}?limit=3"
    while target is not None:
        body: Any = service.get(target).json()
        assert body["numberMatched"] == 4
        seen += [feature["id"] for feature in body["features"]]
        target = next((link["href"] for link in body["links"] if link["rel"] == "next"), None)
    assert len(seen) == len(set(seen)) == 4


def test_a_report_has_a_record_for_whom_it_is_listed(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    number = ask(client, SQUARE, report=True).json()["report"]["id"]
    (found,) = ids(client, "type=report")
    assert found == number
    record = client.get(f"{ITEMS}/{number}").json()
    assert record["properties"]["verdict"] == "conflict"
    links = {link["rel"]: link["href"] for link in record["links"]}
    assert client.get(links["item"]).json()["verdict"] == "conflict"
    assert ids(client, "type=report&bbox=120,28.9,120.01,28.91") == [number]
    public = client_of(own_map.app(allow_imports=False))
    assert ids(public, "type=report") == []
    shape(public.get(f"{ITEMS}/{number}"), 404)


def test_owslib_reads_the_records(live: str) -> None:
    records = Records(live)
    assert records.records() == ["catalogue"]
    found = records.collection_items("catalogue", q="wells")
    assert (found["numberMatched"], found["features"][0]["id"]) == (1, "wells")
    assert records.collection_item("catalogue", "pads")["properties"]["sources"]
    assert records.collection("catalogue")["type"] == "Collection"
    assert records.collection_items("catalogue", externalIds="none", limit=10)["numberMatched"] == 0
    assert f"{SPEC}/searchable-catalog" in records.conformance()["conformsTo"]
