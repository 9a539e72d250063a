"""OGC API Records: the form of the catalogue and its records."""

from __future__ import annotations

from datetime import datetime

from fastapi.testclient import TestClient

CATALOGUE = "/collections/catalogue"


def test_the_catalogue_is_a_collection_of_records(service: TestClient) -> None:
    told = service.get(CATALOGUE).json()
    assert (told["id"], told["itemType"]) == ("catalogue", "record")
    (items,) = [link["href"] for link in told["links"] if link["rel"] == "items"]
    assert service.get(items).json()["type"] == "FeatureCollection"


def test_records_have_the_form_of_the_standard(service: TestClient) -> None:
    answer = service.get(f"{CATALOGUE}/items")
    assert answer.headers["content-type"] == "application/geo+json"
    for record in answer.json()["features"]:
        assert record["id"] and record["type"] == "Feature"
        assert {"geometry", "time", "properties", "links"} <= record.keys()
        assert record["properties"]["type"] and record["properties"]["title"]
        assert [link["rel"] for link in record["links"]].count("collection") == 1
        assert "linkTemplates" not in record
        for contact in record["properties"].get("contacts", ()):
            assert contact.get("name") or contact.get("organization")
        if record["time"] is not None:
            ends = [datetime.fromisoformat(end) for end in record["time"]["interval"]]
            assert ends == sorted(ends)
            assert all(end.utcoffset() is not None and not end.utcoffset() for end in ends)
        alone = service.get(f"{CATALOGUE}/items/{record['id']}")
        assert alone.headers["content-type"] == "application/geo+json" and alone.json() == record
