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
    """Wells of which three hold in law between given days, and one up to a day; pads that rounding breaks.

    These have a notch down to their base, a hole along their rim, and less than a centimetre; the well RIM
    touches pad A, and stands in conflict with it.
    """
    small: SmallMap = make_map()
    small.load("pads", AWKWARD, source="awkward")
    rows = (
        "code,lon,lat,valid_from,valid_to\nOLD,120.3,28.9,2000-01-01,\nPAST,120.31,28.9,2000-01-01,2009-12-31\n"
        "DAY,120.32,28.9,2001-05-01,2001-05-01\nEND,120.33,28.9,,2030-01-01\n"
    )
    small.load("wells", rows, source="o")
    return client_of(small.app())


AWKWARD = """code,strict,wkt
NOTCH,true,"POLYGON((120.2 28.9,120.21 28.9,120.21 28.91,120.205 28.90000003,120.2 28.91,120.2 28.9))"
HOLE,true,"POLYGON((120.22 28.9,120.23 28.9,120.23 28.91,120.22 28.91,120.22 28.9),\
(120.221 28.90000003,120.229 28.90000003,120.225 28.905,120.221 28.90000003))"
SMALL,true,"POLYGON((120.24 28.9,120.24000003 28.9,120.24000003 28.90000003,120.24 28.9))"
"""


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


def test_all_geometries_are_valid(dated: TestClient) -> None:
    """As GEOS understands Simple Features, read from the text of the answer; those of pads stay surfaces."""
    shapes = {}
    for uri in SYSTEMS:
        for form in ("jsonfg", "geojson"):
            for layer in ("wells", "pads", "conflicts"):
                asked = {"f": form, "crs": uri, "limit": 1000}
                for feature in dated.get(f"/collections/{layer}/items", params=asked).json()["features"]:
                    shape = shapely.geometry.shape(feature.get("place") or feature["geometry"])
                    assert shapely.is_valid(shape) and not shapely.is_empty(shape), (uri, feature["id"])
                    shapes[layer, feature["id"], form, uri] = shape
    for (layer, _, _, uri), shape in shapes.items():
        assert layer != "pads" or (shape.geom_type == "MultiPolygon" and shape.area > 0)
        assert layer != "pads" or uri != CRS84 or shape.bounds[0] >= 120
    assert len([key for key in shapes if key[0] == "pads"]) == 4 * 2 * len(SYSTEMS)
    # What touches is shown as a point, not as a line without length.
    (rim,) = {shape.geom_type for key, shape in shapes.items() if "RIM" in key[1] and key[0] == "conflicts"}
    assert rim == "Point"


def test_an_item_that_has_more_digits_can_be_sent_back(dated: TestClient) -> None:
    """What was read is what the store holds, in every system: no change, no revision."""
    for uri in SYSTEMS:
        for form, kind in (("geojson", "application/geo+json"), ("jsonfg", "application/fg+json")):
            read = dated.get("/collections/pads/items/NOTCH", params={"f": form, "crs": uri})
            sent = dated.put("/collections/pads/items/NOTCH", content=read.content,
                             headers={"Content-Type": kind, "Content-Crs": f"<{uri}>"})  # fmt: skip
            assert sent.status_code in (200, 204), sent.text
            assert sent.headers["etag"].split("-")[0] == read.headers["etag"].split("-")[0]
