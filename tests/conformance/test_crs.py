"""OGC API Features part 2: every CRS on every channel, with a place whose coordinates cannot be confused."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from pyproj import Transformer

from tests.api.conftest import uids

ITEMS = "/collections/wells/items"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SYSTEMS = [CRS84, *(f"{EPSG}{number}" for number in (4326, 3857, 4490, 4549))]
PARAMETERS = ("crs", "bbox-crs", "filter-crs")


def own_axes(uri: str, lon: float, lat: float) -> tuple[float, float]:
    """A place with the axes that the authority defines, by PROJ, which keeps to them by itself."""
    if uri == CRS84:
        return lon, lat
    number = int(uri.rpartition("/")[2])
    first, second = Transformer.from_crs(4490, number).transform(lat, lon)
    return float(first), float(second)


def test_axes_stand_as_their_authority_says() -> None:
    """The one table of axes, written out: latitude first, northing first, and x first."""
    assert own_axes(f"{EPSG}4326", 120.005, 28.905) == pytest.approx((28.905, 120.005))
    assert own_axes(f"{EPSG}4490", 120.005, 28.905) == pytest.approx((28.905, 120.005))
    assert own_axes(f"{EPSG}4549", 120.005, 28.905) == pytest.approx((3198740.0, 500487.6), abs=1)
    assert own_axes(f"{EPSG}3857", 120.005, 28.905) == pytest.approx((13358895, 3363577), abs=300)


def test_collections_tell_their_systems(service: TestClient, collections: list[dict[str, Any]]) -> None:
    assert service.get("/collections").json()["crs"] == SYSTEMS
    for described in collections:
        if described["geometryType"] == "none":
            assert "crs" not in described and "storageCrs" not in described
            continue
        assert described["crs"] == SYSTEMS and described["storageCrs"] == f"{EPSG}4490"
        assert all(uri.startswith("http://www.opengis.net/def/crs/") for uri in described["crs"])


def test_parameters_are_defined(parameters: dict[str, dict[str, Any]]) -> None:
    for name in PARAMETERS:
        schema = parameters[name]["schema"]
        assert (schema["type"], schema["format"], parameters[name]["required"]) == ("string", "uri", False)


@pytest.mark.parametrize("uri", SYSTEMS)
@pytest.mark.parametrize("form", ["geojson", "jsonfg"])
def test_answers_come_in_the_system_asked_for(service: TestClient, uri: str, form: str) -> None:
    wanted = own_axes(uri, 120.005, 28.905)
    for path in (f"{ITEMS}?filter=uid='IN'&f={form}&crs={uri}", f"{ITEMS}/IN?f={form}&crs={uri}"):
        answer = service.get(path)
        assert answer.headers["content-crs"] == f"<{uri}>"
        body = answer.json()
        feature = body["features"][0] if "features" in body else body
        place = feature["place"] if form == "jsonfg" and uri != CRS84 else feature["geometry"]
        assert place["coordinates"] == pytest.approx(wanted, abs=0.01 if wanted[0] > 1000 else 1e-6)
    assert service.get(f"{ITEMS}/IN").headers["content-crs"] == f"<{CRS84}>"


@pytest.mark.parametrize("uri", SYSTEMS)
def test_a_box_has_the_axes_of_its_system(service: TestClient, uri: str) -> None:
    low, high = own_axes(uri, 120.004, 28.904), own_axes(uri, 120.006, 28.906)
    corners = [
        *(min(a, b) for a, b in zip(low, high, strict=True)),
        *(max(a, b) for a, b in zip(low, high, strict=True)),
    ]
    box = ",".join(map(str, corners))
    assert uids(service.get(ITEMS, params={"bbox": box, "bbox-crs": uri})) == ["IN", "ALSO"]
    turned = ",".join(map(str, (corners[1], corners[0], corners[3], corners[2])))
    answer = service.get(ITEMS, params={"bbox": turned, "bbox-crs": uri})
    assert answer.status_code == 400 or uids(answer) == []
    if uri == CRS84:
        assert uids(service.get(ITEMS, params={"bbox": box})) == ["IN", "ALSO"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_system_that_is_not_offered_is_refused(service: TestClient, name: str) -> None:
    for value in (f"{EPSG}27700", "nothing", "EPSG:999999"):
        answer = service.get(ITEMS, params={name: value, "bbox": "1,2,3,4", "filter": "true"})
        assert answer.status_code == 400
        assert value in answer.json()["detail_en"] and f"{EPSG}4549" in answer.json()["remedy_en"]
