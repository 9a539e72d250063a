"""The catalogue: a record for each layer and report, found by words, place, time and kind; read by OWSLib."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from owslib.ogcapi.records import Records

from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape
from tests.api.test_processes import SQUARE, ask

ITEMS = "/collections/catalogue/items"


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
    assert record["geometry"]["type"] == "Polygon"
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
        ("bbox=0,0,1,1", set()), ("datetime=2000-01-01/2001-01-01", set()),
        ("datetime=2020-01-01/..&ids=pads", {"pads"}),
    ],
)  # fmt: skip
def test_records_are_found(service: TestClient, query: str, found: set[str] | None) -> None:
    assert found is None or set(ids(service, query)) == found


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
