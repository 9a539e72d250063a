"""OGC API Records: the form of the catalogue and its records."""

from __future__ import annotations

from datetime import datetime

from fastapi.testclient import TestClient

CATALOGUE = "/collections/catalogue"


def test_the_catalogue_is_a_collection_of_records(service: TestClient) -> None:
    told = service.get(CATALOGUE).json()
    assert (told["id"], told["itemType"]) == ("catalogue", "record")
    links = {link["rel"]: link for link in told["links"]}
    assert service.get(links["items"]["href"]).json()["type"] == "FeatureCollection"
    for rel in ("self", "alternate"):
        assert service.get(links[rel]["href"]).headers["content-type"] == links[rel]["type"]
    # It stands alone, and its records are at an address of their own.
    assert {"child", "related", "next", "item"}.isdisjoint(links)
    assert {"records", "recordsArrayName", "contacts", "linkTemplates"}.isdisjoint(told)


def test_the_catalogue_comes_in_the_type_of_catalogues(service: TestClient) -> None:
    kind = "application/ogc-catalog+json"
    answer = service.get(CATALOGUE, headers={"Accept": kind})
    assert answer.headers["content-type"] == kind and "Accept" in answer.headers["vary"]
    told = answer.json()
    assert told == service.get(CATALOGUE).json()
    assert isinstance(told["id"], str) and told["itemType"] == "record"
    assert all(isinstance(link["href"], str) and isinstance(link["rel"], str) for link in told["links"])
    assert len(told["extent"]["spatial"]["bbox"][0]) == 4


def test_records_have_the_form_of_the_standard(service: TestClient) -> None:
    answer = service.get(f"{CATALOGUE}/items")
    assert answer.headers["content-type"] == "application/geo+json"
    spec = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf"
    assert f"{spec}/json" in service.get("/conformance").json()["conformsTo"]
    assert "link-template" not in answer.headers
    for record in answer.json()["features"]:
        assert record["conformsTo"] == [f"{spec}/record-core", f"{spec}/json"]
        assert record["id"] and record["type"] == "Feature"
        assert {"geometry", "time", "properties", "links"} <= record.keys()
        assert record["properties"]["type"] and record["properties"]["title"]
        assert [link["rel"] for link in record["links"]].count("collection") == 1
        assert "linkTemplates" not in record
        for contact in record["properties"].get("contacts", ()):
            assert contact.get("name") or contact.get("organization")
        if record["time"] is not None:
            assert record["time"].keys() == {"interval"}
            ends = [datetime.fromisoformat(end) for end in record["time"]["interval"]]
            assert ends == sorted(ends)
            assert all(end.utcoffset() is not None and not end.utcoffset() for end in ends)
        alone = service.get(f"{CATALOGUE}/items/{record['id']}")
        assert alone.headers["content-type"] == "application/geo+json" and alone.json() == record


def test_the_parameters_of_records_are_defined_as_the_standard_has_them(service: TestClient) -> None:
    way = service.get("/api").json()["paths"][f"{CATALOGUE}/items"]["get"]
    told = {each["name"]: each for each in way["parameters"]}
    for name in ("q", "type", "ids"):
        assert (told[name]["schema"]["type"], told[name]["explode"]) == ("array", False)
        assert told[name]["schema"]["items"] == {"type": "string"} and not told[name]["required"]
    assert told["bbox"]["schema"]["items"] == {"type": "number"} and told["bbox"]["explode"] is False
    assert told["datetime"]["schema"]["type"] == "string"
    assert told["limit"]["schema"]["type"] == "integer" and told["limit"]["schema"]["minimum"] == 1
