"""JSON-FG (21-045r1): requirement by requirement, in every CRS that is offered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import shapely
from fastapi.testclient import TestClient

from tests.api.conftest import SmallMap, client_of

SPEC = "http://www.opengis.net/spec/json-fg-1/1.0/conf"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
SYSTEMS = [CRS84, *(f"http://www.opengis.net/def/crs/EPSG/0/{code}" for code in (4326, 3857, 4490, 4549))]


@pytest.fixture(scope="module")
def dated(make_map: Any) -> TestClient:
    """Wells of which three hold in law between given days, and one up to a day."""
    small: SmallMap = make_map()
    rows = (
        "code,lon,lat,valid_from,valid_to\nOLD,120.3,28.9,2000-01-01,\nPAST,120.31,28.9,2000-01-01,2009-12-31\n"
        "DAY,120.32,28.9,2001-05-01,2001-05-01\nEND,120.33,28.9,,2030-01-01\n"
    )
    small.load("wells", rows, source="o")
    return client_of(small.app())


def documents(client: TestClient) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Pages and an item of each layer with each CRS: the CRS, the root object, its features."""
    for uri in SYSTEMS:
        for path in ("wells/items", "pads/items", "conflicts/items", "wells/items/OLD"):
            answer = client.get(f"/collections/{path}", params={"f": "jsonfg", "crs": uri})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fg+json")
            root = answer.json()
            yield uri, root, root.get("features", [root])


def test_a_document_has_the_members_of_the_standard(dated: TestClient) -> None:
    for _, root, features in documents(dated):
        assert root["type"] in ("Feature", "FeatureCollection") and features
        for feature in features:
            assert {"type", "id", "time", "geometry", "place", "properties"} <= feature.keys()
            assert feature["type"] == "Feature" and isinstance(feature["properties"], dict)


def test_only_the_root_tells_classes_system_and_kind(dated: TestClient) -> None:
    for uri, root, features in documents(dated):
        assert root["conformsTo"] == [f"{SPEC}/core", f"{SPEC}/types-schemas"]
        assert root.get("coordRefSys") == (None if uri == CRS84 else uri)
        assert root["featureType"] and "featureSchema" not in root
        for feature in features:
            if feature is not root:
                assert {"conformsTo", "coordRefSys", "featureType", "featureSchema"}.isdisjoint(feature)
            for shape in (feature["geometry"], feature["place"]):
                assert shape is None or {"coordRefSys", "measures", "conformsTo"}.isdisjoint(shape)


def test_the_dimension_is_that_of_every_geometry(dated: TestClient) -> None:
    for _, root, features in documents(dated):
        for feature in features:
            shape = feature["place"] or feature["geometry"]
            if root.get("geometryDimension") is not None and shape is not None:
                assert shapely.get_dimensions(shapely.geometry.shape(shape)) == root["geometryDimension"]


def test_time_is_an_interval_of_days_or_nothing(dated: TestClient) -> None:
    told = {}
    for _, _, features in documents(dated):
        for feature in features:
            if feature["time"] is not None:
                assert feature["time"].keys() == {"interval"}
                start, end = feature["time"]["interval"]
                days = [date.fromisoformat(each) for each in (start, end) if each != ".."]
                assert days == sorted(days)
                told[feature["id"]] = [start, end]
    assert told == {
        "OLD": ["2000-01-01", ".."], "PAST": ["2000-01-01", "2009-12-31"],
        "DAY": ["2001-05-01", "2001-05-01"], "END": ["..", "2030-01-01"],
    }  # fmt: skip


def test_geometry_is_in_lonlat_and_place_in_another_system(dated: TestClient) -> None:
    for uri, _, features in documents(dated):
        for feature in features:
            plain, place = feature["geometry"], feature["place"]
            assert (plain is None, place is None) == ((False, True) if uri == CRS84 else (True, False))
            shape = shapely.geometry.shape(plain or place)
            assert shapely.get_coordinate_dimension(shape) == 2
            if plain is not None:
                west, south, east, north = shape.bounds
                assert -180 <= west <= east <= 180 and -90 <= south <= north <= 90
