"""Profiles of GeoJSON (OGC 21-045r1, 14 and 15; 23-058r2, 13; 20-004r1): asked for, and told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import shapely
from fastapi.testclient import TestClient

SPEC = "http://www.opengis.net/spec/json-fg-1/1.0/conf"
REGISTER = "http://www.opengis.net/def/profile/OGC/0/"
GEOJSON = "/collections/wells/items", "/collections/wells/items/IN", "/collections/catalogue/items", \
    "/collections/catalogue/items/wells"  # fmt: skip
ITEMS = GEOJSON[:2]
PLANE = "http://www.opengis.net/def/crs/EPSG/0/4549"


def asked(service: TestClient, path: str, **query: str) -> dict[str, Any]:
    answer = service.get(path, params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/geo+json")
    found: dict[str, Any] = answer.json()
    return found


def profiles(body: dict[str, Any]) -> set[str]:
    """The profiles of GeoJSON that a document says it follows; records follow others too."""
    told = {link["href"].removeprefix(REGISTER) for link in body["links"] if link["rel"] == "profile"}
    return told - {"ogc-record", "ogc-catalog"}


def features(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body.get("features", [body])
    return found


def test_each_way_to_geojson_takes_a_profile(service: TestClient) -> None:
    document = service.get("/api").json()["paths"]
    ways = {
        path
        for path, way in document.items()
        if "application/geo+json" in str(way.get("get", {}).get("responses"))
    }
    assert {"/collections/wells/items", "/collections/{layer}/items/{uid}", "/collections/catalogue/items",
            "/collections/catalogue/items/{id}"} <= ways  # fmt: skip
    for path in ways:
        given = {each["name"]: each for each in document[path]["get"]["parameters"]}["profile"]
        assert (given["required"], given["style"], given["explode"]) == (False, "form", False)
        assert given["schema"]["type"] == "array" and given["schema"]["items"] == {"type": "string"}
    assert all(service.head(path, params={"profile": "jsonfg"}).status_code == 200 for path in GEOJSON)


@pytest.mark.parametrize("path", GEOJSON)
@pytest.mark.parametrize(
    ("wanted", "got"),
    [(None, "rfc7946"), ("rfc7946", "rfc7946"), ("jsonfg", "jsonfg"), ("jsonfg-plus", "jsonfg-plus"),
     (f"{REGISTER}jsonfg", "jsonfg"), ("[ogc-profile:jsonfg]", "jsonfg"), ("none,jsonfg,rfc7946", "jsonfg"),
     ("none", "rfc7946"), ("", "rfc7946"), ("http://example.org/profile", "rfc7946")],
)  # fmt: skip
def test_the_first_profile_that_is_offered_is_followed_and_told(
    service: TestClient, path: str, wanted: str | None, got: str
) -> None:
    query = {} if wanted is None else {"profile": wanted}
    body = asked(service, path, **query)
    assert profiles(body) == {got}
    assert f'<{REGISTER}{got}>; rel="profile"' in service.get(path, params=query).headers["link"]
    assert (f"{SPEC}/core" in body.get("conformsTo", ())) == (got != "rfc7946")
    assert all(("place" in feature) == (got != "rfc7946") for feature in features(body))


@pytest.mark.parametrize("path", GEOJSON)
def test_plain_geojson_has_nothing_of_jsonfg(service: TestClient, path: str) -> None:
    body = asked(service, path, profile="rfc7946")
    assert not any(name.startswith(SPEC) for name in body.get("conformsTo", ()))
    for each in features(body):
        assert {"place", "coordRefSys", "featureType"}.isdisjoint(each)
        assert each["type"] == "Feature" and {"geometry", "properties"} <= each.keys()


@pytest.mark.parametrize("path", GEOJSON)
@pytest.mark.parametrize("profile", ["jsonfg", "jsonfg-plus"])
def test_documents_of_jsonfg_conform_to_its_core(service: TestClient, path: str, profile: str) -> None:
    """What test_jsonfg.py shows of application/fg+json, of each document of the profile."""
    for crs in ({}, {"crs": PLANE}) if path in ITEMS else ({},):
        body = asked(service, path, profile=profile, **crs)
        assert body["conformsTo"][0] == f"{SPEC}/core"
        assert body.get("coordRefSys") == crs.get("crs")
        for each in features(body):
            assert each is body or {"conformsTo", "coordRefSys"}.isdisjoint(each)
            assert {"type", "id", "time", "geometry", "place", "properties"} <= each.keys()
            assert each["geometry"] != each["place"] or each["geometry"] is None
            assert (each["place"] is None) == (not crs)
            for shape in filter(None, (each["geometry"], each["place"])):
                assert shapely.is_valid(shapely.geometry.shape(shape))
                assert {"coordRefSys", "measures", "conformsTo"}.isdisjoint(shape)
            if each["time"] is not None:
                assert all(end == ".." or end.endswith("Z") for end in each["time"]["interval"])


@pytest.mark.parametrize("path", ITEMS)
def test_the_profile_for_readers_of_geojson_has_both_geometries(service: TestClient, path: str) -> None:
    there = {each["id"]: each["geometry"] for each in features(asked(service, path))}
    fallback = asked(service, path, profile="jsonfg", crs=PLANE)
    plane = {each["id"]: each["place"] for each in features(fallback)}
    for each in features(asked(service, path, profile="jsonfg-plus", crs=PLANE)):
        assert each["geometry"] == there[each["id"]] and each["place"] == plane[each["id"]]
    assert plane.keys() == there.keys()
    assert all(each["geometry"] is None for each in features(fallback))


@pytest.mark.parametrize("path", ITEMS)
def test_the_media_type_of_jsonfg_has_its_profiles_too(service: TestClient, path: str) -> None:
    for wanted, got in ((None, "jsonfg"), ("rfc7946", "jsonfg"), ("jsonfg-plus", "jsonfg-plus")):
        query = {"f": "jsonfg", "crs": PLANE} | ({} if wanted is None else {"profile": wanted})
        answer = service.get(path, params=query)
        assert answer.headers["content-type"] == "application/fg+json" and profiles(answer.json()) == {got}
        assert all((each["geometry"] is None) == (got == "jsonfg") for each in features(answer.json()))


def test_pages_keep_the_profile(service: TestClient) -> None:
    first = asked(service, ITEMS[0], profile="jsonfg-plus", crs=PLANE, limit="2")
    (after,) = (link["href"] for link in first["links"] if link["rel"] == "next")
    second = service.get(str(httpx.URL(after))).json()
    assert profiles(second) == {"jsonfg-plus"} and second["features"][0]["geometry"] is not None
    assert {each["id"] for each in first["features"]}.isdisjoint(each["id"] for each in second["features"])


def test_what_has_no_profile_ignores_it(service: TestClient) -> None:
    for form in ("csv", "html"):
        answer = service.get(ITEMS[0], params={"f": form, "profile": "jsonfg"})
        assert answer.status_code == 200
    assert 'rel="profile"' not in service.get(f"{ITEMS[0]}?f=csv&profile=jsonfg").headers.get("link", "")
    assert service.get("/collections?profile=jsonfg").status_code == 400
