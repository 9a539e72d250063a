"""Bodies of items that are written: their coordinates, and what of them is refused or mended, and why."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient
from pyproj import Transformer
from sqlalchemy import text

from gis.db import connect
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape
from tests.api.wells import CRS84, EPSG, PATCH, SYSTEMS, WELLS, codes_of, head, made, well

# --- coordinates ------------------------------------------------------------------------------------------


def own_axes(uri: str, lon: float, lat: float) -> list[float]:
    """A place of EPSG:4490 with the axes that the authority defines, by PROJ, which keeps to them."""
    if uri == CRS84:
        return [lon, lat]
    first, second = Transformer.from_crs(4490, int(uri.rpartition("/")[2])).transform(lat, lon)
    return [float(first), float(second)]


@pytest.mark.parametrize("uri", SYSTEMS)
def test_a_body_has_the_axes_of_its_system(writer: TestClient, quiet_map: SmallMap, uri: str) -> None:
    code = f"X{uuid4().hex[:10]}"
    path, header, media = (
        f"{WELLS}/{code}",
        {"Content-Crs": f"<{uri}>"},
        {"Content-Type": "application/fg+json"},
    )

    def sent(lon: float, lat: float) -> dict[str, Any]:
        return {"type": "Point", "coordinates": own_axes(uri, lon, lat)}

    def check(answer: httpx.Response, lon: float, lat: float) -> None:
        assert answer.is_success, answer.text
        with connect(quiet_map.engine) as conn:
            where = text("SELECT ST_X(geom), ST_Y(geom) FROM now.wells WHERE uid = :uid")
            stored = conn.execute(where, {"uid": code}).one()
        assert tuple(stored) == pytest.approx((lon, lat), abs=2e-8)

    body = {**well(code), "geometry": sent(120.1234567, 28.7654321)}
    check(writer.post(WELLS, json=body, headers=header), 120.1234567, 28.7654321)
    for other in SYSTEMS:
        told = writer.get(path, params={"crs": other}).json()["geometry"]["coordinates"]
        wanted = own_axes(other, 120.1234567, 28.7654321)
        assert told == pytest.approx(wanted, abs=1e-3 if abs(told[0]) > 1000 else 1e-7)
    body = {**well(code), "geometry": sent(119.9, 29.1)}
    check(writer.put(path, json=body, headers=header), 119.9, 29.1)
    patch = {"geometry": {"coordinates": sent(120.5, 28.8)["coordinates"]}}
    check(writer.patch(path, json=patch, headers=header), 120.5, 28.8)
    given = {**body, "geometry": None, "place": sent(120.25, 29.0), "coordRefSys": uri}
    check(writer.put(path, content=json.dumps(given), headers=media), 120.25, 29.0)


@pytest.mark.parametrize("uri", SYSTEMS)
def test_axes_the_other_way_round_are_told(writer: TestClient, uri: str) -> None:
    first, second = own_axes(uri, 120.12, 28.76)
    body = {**well(), "geometry": {"type": "Point", "coordinates": [second, first]}}
    answer = writer.post(WELLS, json=body, headers={"Content-Crs": f"<{uri}>"})
    assert codes_of(answer) == {("axes_of_crs", "geom")}
    assert uri in answer.json()["detail"]


def test_metres_without_a_system_and_places_elsewhere_are_refused(writer: TestClient) -> None:
    metres = {**well(), "geometry": {"type": "Point", "coordinates": [500_488, 3_198_740]}}
    assert codes_of(writer.post(WELLS, json=metres)) == {("crs_of_body", "geom")}
    assert codes_of(writer.post(WELLS, json=well(lon=10.0, lat=50.0))) == {("outside_extent", "geom")}


@pytest.mark.parametrize(
    ("change", "header"),
    [
        ({"coordRefSys": f"{EPSG}4549", "place": {"type": "Point", "coordinates": [1, 2]}}, f"{EPSG}4490"),
        ({"coordRefSys": f"{EPSG}4549"}, None),
        ({"coordRefSys": f"{EPSG}27700"}, None),
        ({"coordRefSys": [1]}, None),
        ({"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}}, None),
        ({}, "EPSG:27700"),
    ],
)
def test_a_system_that_is_unclear_or_not_offered_is_refused(
    writer: TestClient, change: dict[str, Any], header: str | None
) -> None:
    headers = {} if header is None else {"Content-Crs": header}
    answer = writer.post(WELLS, json={**well(), **change}, headers=headers)
    shape(answer, 400)
    assert answer.json()["remedy"]


def test_the_position_error_is_that_of_the_place(writer: TestClient) -> None:
    path, read = made(writer, accuracy_m=2.0)
    bound = read.json()["properties"]["accuracy_m"]
    assert bound == 3.0  # and a metre between WGS 84 and CGCS2000
    writer.patch(path, json={"properties": {"depth": 1}})
    assert writer.get(path).json()["properties"]["accuracy_m"] == bound
    writer.patch(path, json={"geometry": {"type": "Point", "coordinates": [120.2, 28.8]}})
    assert writer.get(path).json()["properties"]["accuracy_m"] is None  # nobody said how exact the new one is
    exact = {"geometry": {"coordinates": [28.9, 120.2]}, "properties": {"accuracy_m": 0.5}}
    writer.patch(path, json=exact, headers={"Content-Crs": "EPSG:4490"})
    assert writer.get(path).json()["properties"]["accuracy_m"] == 0.5


# --- what is refused, and mended --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ({"code": None}, ("required_missing", "code")),
        ({"code": " "}, ("required_missing", "code")),
        ({"code": 5}, ("wrong_type", "code")),
        ({"name": "a\0b"}, ("wrong_type", "name")),
        ({"code": "K" * 3000}, ("key_too_long", "code")),
        ({"depth": "3"}, ("wrong_type", "depth")),
        ({"depth": True}, ("wrong_type", "depth")),
        ({"depth": -1}, ("out_of_range", "depth")),
        ({"depth": [1]}, ("wrong_type", "depth")),
        ({"kind": "round"}, ("unknown_code", "kind")),
        ({"dpeth": 1}, ("property_unknown", "dpeth")),
        ({"geom": "POINT(1 2)"}, ("property_unknown", "geom")),
        ({"row_id": 1}, ("property_unknown", "row_id")),
        ({"accuracy_m": -1}, ("out_of_range", "accuracy_m")),
        ({"accuracy_m": "1"}, ("wrong_type", "accuracy_m")),
        ({"valid_from": "2026-13-01"}, ("wrong_type", "valid_from")),
        ({"valid_from": "tomorrow"}, ("wrong_type", "valid_from")),
        ({"is_indicative": "yes"}, ("wrong_type", "is_indicative")),
    ],
)
def test_a_value_that_the_layer_does_not_take_is_named(
    writer: TestClient, quiet_map: SmallMap, properties: dict[str, Any], found: tuple[str, str]
) -> None:
    before, body = head(quiet_map), well()
    body["properties"] |= properties
    answer = writer.post(WELLS, json=body)
    assert codes_of(answer) == {found}
    if found[0] == "property_unknown":
        assert "depth" in answer.json()["remedy"]
    if "code" not in properties:
        assert codes_of(writer.patch(f"{WELLS}/IN", json={"properties": properties})) == {found}
    assert head(quiet_map) == before


def test_all_that_is_wrong_is_told_at_once(writer: TestClient) -> None:
    body = well(depth="deep", kind="round", other=1)
    body["geometry"] = {"type": "LineString", "coordinates": [[120, 28.9], [120.1, 28.9]]}
    answer = writer.post(WELLS, json=body, headers={"Accept-Language": "zh"})
    assert codes_of(answer) == {
        ("wrong_type", "depth"), ("unknown_code", "kind"), ("property_unknown", "other"),
        ("geometry_type", "geom"),
    }  # fmt: skip
    assert "Point" in answer.json()["detail"] and "不" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("geometry", "code"),
    [
        (None, "geometry_missing"),
        ({"type": "Point", "coordinates": []}, "geometry_empty"),
        ({"type": "Point", "coordinates": [120.1]}, "geometry_unreadable"),
        ({"type": "Point", "coordinates": ["120.1", "28.9"]}, "geometry_unreadable"),
        ({"type": "Blob", "coordinates": [120.1, 28.9]}, "geometry_unreadable"),
        ({}, "geometry_unreadable"),
        ({"type": "MultiPoint", "coordinates": [[120.1, 28.9], [120.2, 28.9]]}, "geometry_type"),
        ({"type": "Point", "coordinates": [1e300, 28.9]}, "crs_of_body"),
    ],
)
def test_a_geometry_that_the_layer_does_not_take_is_named(
    writer: TestClient, geometry: Any, code: str
) -> None:
    assert codes_of(writer.post(WELLS, json={**well(), "geometry": geometry})) == {(code, "geom")}


def pad(*rings: list[list[float]]) -> dict[str, Any]:
    shape = {"type": "Polygon", "coordinates": list(rings)}
    return {"type": "Feature", "geometry": shape, "properties": {"code": uuid4().hex[:8]}}


def test_a_shape_is_mended_and_said_so_or_refused(writer: TestClient) -> None:
    pads = "/collections/pads/items"
    bowtie = [[120.2, 28.7], [120.21, 28.71], [120.21, 28.7], [120.2, 28.71], [120.2, 28.7]]
    mended = writer.post(pads, json=pad(bowtie))
    (told,) = mended.json()["findings"]
    assert mended.status_code == 201 and (told["code"], told["severity"]) == ("geometry_repaired", "repair")
    stored = writer.get(mended.headers["location"]).json()["geometry"]
    assert stored["type"] == "MultiPolygon" and len(stored["coordinates"]) == 2
    twice = [[120.2, 28.7], [120.21, 28.7], [120.21, 28.71], [120.2, 28.71], [120.2, 28.7]]
    inner = [[120.202, 28.702], [120.208, 28.702], [120.208, 28.708], [120.202, 28.708]]
    assert codes_of(writer.post(pads, json=pad([*twice[:-1], twice[0], *inner, inner[0], twice[0]]))) == {
        ("geometry_invalid", "geom")
    }
    open_ring = writer.post(pads, json=pad(twice[:-1]))
    assert codes_of(open_ring) == {("geometry_unreadable", "geom")}
    high = pad([[x, y, 12.0] for x, y in twice])
    assert [each["code"] for each in writer.post(pads, json=high).json()["findings"]] == ["height_dropped"]


def test_more_vertices_than_a_layer_takes_are_refused(quiet_map: SmallMap) -> None:
    client = client_of(quiet_map.app(import_vertices=4))
    ring = [[120.2, 28.7], [120.21, 28.7], [120.21, 28.71], [120.2, 28.71], [120.2, 28.7]]
    assert codes_of(client.post("/collections/pads/items", json=pad(ring))) == {("too_many_vertices", "geom")}


def test_a_register_has_no_geometry(writer: TestClient) -> None:
    items = "/collections/plan_structure/items"
    entry = {
        "type": "Feature",
        "geometry": None,
        "properties": {"element_id": "E9", "name": "n", "kind": "core"},
    }
    assert writer.post(items, json=entry).status_code == 201
    assert writer.put(f"{items}/E9", json=entry).json()["change"] == "unchanged"
    placed = {**entry, "geometry": {"type": "Point", "coordinates": [120, 28.9]}}
    assert codes_of(writer.put(f"{items}/E9", json=placed)) == {("geometry_not_held", "geom")}
    assert writer.delete(f"{items}/E9").status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[]", "1", "1e400", "[" * 3000),
        '{"type": "FeatureCollection", "features": []}',
        '{"type": "Feature", "properties": 3}',
        '{"type": "Feature", "geometry": [1]}',
        '{"type": "Feature", "time": 4}',
    ],
)
def test_a_body_that_is_no_feature_is_refused(writer: TestClient, body: str) -> None:
    media = {"Content-Type": "application/geo+json"}
    shape(writer.post(WELLS, content=body, headers=media), 400)
    shape(writer.put(f"{WELLS}/IN", content=body, headers=media), 400)


def test_a_patch_that_is_none_is_refused(writer: TestClient) -> None:
    for body in ("[]", "4", "null", '{"properties": 3}', '{"a":' * 100 + "1" + "}" * 100):
        answer = writer.patch(f"{WELLS}/IN", content=body, headers=PATCH)
        shape(answer, 400)
    for body in ({"properties": None}, {"properties": {"code": None}}):
        assert codes_of(writer.patch(f"{WELLS}/IN", json=body)) == {("required_missing", "code")}


def test_bodies_of_other_kinds_are_not_read(writer: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/gml+xml", ""):
        headers = {"Content-Type": kind}
        for method, path in (("POST", WELLS), ("PUT", f"{WELLS}/IN"), ("PATCH", f"{WELLS}/IN")):
            shape(writer.request(method, path, content=b"{}", headers=headers), 415)
    shape(writer.put(f"{WELLS}/IN", content=b"{}", headers=PATCH), 415)


def test_an_item_keeps_its_name(writer: TestClient) -> None:
    path, _ = made(writer, code="NAME")
    renamed = well("OTHER")
    assert codes_of(writer.put(path, json=renamed)) == {("key_changed", "code")}
    assert codes_of(writer.patch(path, json={"properties": {"code": "OTHER"}})) == {("key_changed", "code")}
    assert codes_of(writer.patch(path, json={"properties": {"uid": "OTHER"}})) == {("key_changed", "uid")}
    ignored = {**well("NAME"), "id": "OTHER"}
    ignored["properties"] |= {"uid": "OTHER", "source": "me", "rev_from": 1, "is_demonstration": True}
    assert writer.put(path, json=ignored).status_code == 200
    told = writer.get(path).json()
    assert (told["id"], told["properties"]["source"]) == ("NAME", "edits")
    shape(writer.post(WELLS, json=well("NAME")), 409)


def test_time_of_json_fg_is_when_the_item_holds(writer: TestClient) -> None:
    path, _ = made(writer)
    body = {**well(path.rpartition("/")[2]), "time": {"interval": ["2026-01-01", ".."]}}
    assert writer.put(path, json=body).status_code == 200
    assert writer.get(f"{path}?f=jsonfg").json()["time"] == {"interval": ["2026-01-01", ".."]}
    body["properties"]["valid_from"] = "2025-01-01"
    assert codes_of(writer.put(path, json=body)) == {("time_contradicts", "valid_from")}
    body["time"] = {"interval": "soon"}
    assert codes_of(writer.put(path, json=body)) == {("wrong_type", "time")}
