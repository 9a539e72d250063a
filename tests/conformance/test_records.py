"""OGC API Records: the form of the catalogue and its records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import shapely
from fastapi.testclient import TestClient
from lxml import html

from gis.db import connect
from gis.sources import set_source
from tests.api.conftest import PADS, SmallMap, client_of

CATALOGUE = "/collections/catalogue"
CATALOG = "application/ogc-catalog+json"
SPEC = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf"


def profiles(body: dict[str, Any]) -> list[str]:
    """The profiles of the register of OGC that a document says it follows."""
    register = "http://www.opengis.net/def/profile/OGC/0/"
    return [link["href"].removeprefix(register) for link in body["links"] if link["rel"] == "profile"]


@pytest.fixture(scope="module")
def pads(make_map: Callable[[], SmallMap]) -> SmallMap:
    """A map whose pads come from the sources survey and town."""
    small = make_map()
    small.load("pads", PADS.replace("\nA,", "\nB,"), source="town")
    return small


def test_the_service_says_what_it_is(service: TestClient) -> None:
    told = set(service.get("/conformance").json()["conformsTo"])
    names = ("searchable-catalog", "records-api", "record-core", "record-collection",
             "record-core-query-parameters", "json", "html", "oas30", "autodiscovery")  # fmt: skip
    assert {f"{SPEC}/{name}" for name in names} <= told
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in told


def test_the_catalogue_is_a_collection_of_records(service: TestClient) -> None:
    told = service.get(CATALOGUE).json()
    assert (told["id"], told["type"], told["itemType"]) == ("catalogue", "Collection", "record")
    links = {link["rel"]: link for link in told["links"]}
    assert service.get(links["items"]["href"]).json()["type"] == "FeatureCollection"
    others = [link for link in told["links"] if link["rel"] in ("self", "alternate")]
    assert len({link["type"] for link in others}) == len(others) == 3
    for link in others:
        assert service.get(link["href"]).headers["content-type"] == link["type"]
    # It stands alone, and its records are at an address of their own.
    assert {"child", "related", "next", "item"}.isdisjoint(links)
    assert {"records", "recordsArrayName", "contacts", "license", "linkTemplates"}.isdisjoint(told)


def test_the_list_of_collections_tells_catalogues_apart(service: TestClient) -> None:
    listed = service.get("/collections").json()["collections"]
    (told,) = (each for each in listed if each["itemType"] == "record")
    assert told == service.get(CATALOGUE).json()


@pytest.mark.parametrize("accepted", [None, "*/*", CATALOG, f"application/json;q=0.5, {CATALOG}"])
def test_the_catalogue_comes_in_the_type_of_catalogues(service: TestClient, accepted: str | None) -> None:
    answer = service.get(CATALOGUE, headers={} if accepted is None else {"Accept": accepted})
    assert answer.headers["content-type"] == CATALOG and "Accept" in answer.headers["vary"]
    told = answer.json()
    plain = service.get(CATALOGUE, headers={"Accept": "application/json"})
    assert plain.headers["content-type"] == "application/json" and told == plain.json()
    assert isinstance(told["id"], str) and told["itemType"] == "record"
    assert all(isinstance(link["href"], str) and isinstance(link["rel"], str) for link in told["links"])
    assert len(told["extent"]["spatial"]["bbox"][0]) == 4


def test_records_have_the_form_of_the_standard(service: TestClient) -> None:
    answer = service.get(f"{CATALOGUE}/items")
    assert answer.headers["content-type"] == "application/geo+json"
    assert f"{SPEC}/json" in service.get("/conformance").json()["conformsTo"]
    assert "link-template" not in answer.headers
    assert profiles(answer.json()) == ["ogc-record", "ogc-catalog", "rfc7946"]
    for record in answer.json()["features"]:
        assert record["conformsTo"] == [f"{SPEC}/record-core", f"{SPEC}/json"]
        assert record["id"] and record["type"] == "Feature"
        assert {"geometry", "time", "properties", "links"} <= record.keys()
        assert record["properties"]["type"] and record["properties"]["title"]
        rels = [link["rel"] for link in record["links"]]
        assert rels.count("collection") == 1 and {"self", "alternate"} <= set(rels)
        assert all(link["type"] for link in record["links"] if link["rel"] == "alternate")
        assert profiles(record) == ["ogc-record", "ogc-catalog"]
        assert "linkTemplates" not in record
        for contact in record["properties"].get("contacts", ()):
            assert contact.get("name") or contact.get("organization")
            assert {"logo", "links"}.isdisjoint(contact)
        if record["geometry"] is not None:
            assert shapely.is_valid(shapely.geometry.shape(record["geometry"]))
            assert len(record["extent"]["spatial"]["bbox"][0]) == 4
        if record["time"] is not None:
            assert record["time"].keys() == {"interval"}
            ends = [datetime.fromisoformat(end) for end in record["time"]["interval"]]
            assert ends == sorted(ends)
            assert all(end.endswith("Z") for end in record["time"]["interval"])
        alone = service.get(f"{CATALOGUE}/items/{record['id']}")
        assert alone.headers["content-type"] == "application/geo+json"
        *links, plain = alone.json()["links"]
        assert alone.json() | {"links": links} == record and plain["href"].endswith("/rfc7946")


def test_the_parameters_of_records_are_defined_as_the_standard_has_them(service: TestClient) -> None:
    way = service.get("/api").json()["paths"][f"{CATALOGUE}/items"]["get"]
    told = {each["name"]: each for each in way["parameters"]}
    for name in ("q", "type", "ids", "externalIds"):
        assert (told[name]["schema"]["type"], told[name]["explode"]) == ("array", False)
        pattern = {"pattern": "([^:]+:)?[^:]+"} if name == "externalIds" else {}
        assert told[name]["schema"]["items"] == {"type": "string", **pattern} and not told[name]["required"]
    assert told["bbox"]["schema"]["items"] == {"type": "number"} and told["bbox"]["explode"] is False
    assert told["datetime"]["schema"]["type"] == "string"
    assert told["limit"]["schema"]["type"] == "integer" and told["limit"]["schema"]["minimum"] == 1


def test_pages_of_records_are_pages_of_features(service: TestClient) -> None:
    body = service.get(f"{CATALOGUE}/items?limit=2&offset=1").json()
    assert (body["type"], body["numberMatched"], body["numberReturned"]) == ("FeatureCollection", 4, 2)
    for link in body["links"]:
        if link["rel"] in ("self", "alternate", "next", "prev", "collection"):
            answer = service.get(link["href"])
            assert answer.status_code == 200 and link["type"] in answer.headers["content-type"]
    for query in ("nothing=1", "limit=0", "bbox=1,2,3", "datetime=x"):
        assert service.get(f"{CATALOGUE}/items?{query}").status_code == 400
    assert service.get(f"{CATALOGUE}/items/none").status_code == 404


def test_pages_lead_to_the_catalogue(service: TestClient) -> None:
    for address in ("/", "/?f=html"):
        page = html.fromstring(service.get(address, headers={"Accept": "text/html"}).text)
        (link,) = set(page.xpath("//a[@rel='http://www.opengis.net/def/rel/ogc/1.0/ogc-catalog']/@href"))
        assert service.get(link).json()["features"]


@pytest.mark.parametrize(
    ("words", "told", "texts"),
    [(("CC BY 4.0", "cc-by-4.0 (of the city)"), "CC-BY-4.0", ["CC-BY-4.0"]),
     (("CC BY 4.0", "ODbL-1.0"), "other", ["CC-BY-4.0", "ODbL-1.0"]),
     (("CC BY 4.0; MIT", "LicenseRef-x"), "other", ["survey", "town"]),
     (("只供内部使用", ""), "other", ["survey", "town"]), (("", ""), None, [])],
)  # fmt: skip
def test_a_licence_is_one_of_the_list_of_spdx_or_other_with_links(
    pads: SmallMap, words: tuple[str, str], told: str | None, texts: list[str]
) -> None:
    with connect(pads.engine, write=True) as conn:
        for source, licence in zip(("survey", "town"), words, strict=True):
            set_source(conn, source, {"licence": licence})
    client = client_of(pads.app())
    record = client.get(f"{CATALOGUE}/items/pads").json()
    assert record["properties"].get("license") == told
    found = [link["href"] for link in record["links"] if link["rel"] == "license"]
    assert sorted(link.rpartition("/")[2].removesuffix(".html") for link in found) == texts
    for link in found:
        if not link.startswith("https://spdx.org/licenses/"):
            assert (client.get(link).json()["licence"] or "") == words[link.endswith("town")]
