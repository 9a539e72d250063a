"""Items written one by one: what the store holds afterwards, who wrote it, and what is refused why."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient
from pyproj import Transformer
from sqlalchemy import text

from gis import tables
from gis.access import Role
from gis.accounts import register
from gis.accounts.passwords import Passwords
from gis.db import connect
from gis.revisions import revert
from tests.api.conftest import SmallMap, client_of, uids
from tests.api.test_bounds import serving
from tests.api.test_errors import KEYS, shape
from tests.api.test_session import COSTS, WORD, key_of, noted, sign_in

WELLS = "/collections/wells/items"
PATCH = {"Content-Type": "application/merge-patch+json"}
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SYSTEMS = [CRS84, *(f"{EPSG}{number}" for number in (4326, 3857, 4490, 4549))]


@pytest.fixture(scope="module")
def small(make_map: Callable[[], SmallMap]) -> SmallMap:
    """A map that the tests of this module write to, each to wells of its own; nothing follows from them."""
    whole = make_map()
    layers = {name: layer for name, layer in whole.definition.layers.items() if name != "conflicts"}
    return replace(whole, definition=replace(whole.definition, layers=layers))


@pytest.fixture(scope="module")
def client(small: SmallMap) -> Iterator[TestClient]:
    """What it asks for comes plain, with the tag of the plain form."""
    client = client_of(small.app())
    client.headers["Accept-Encoding"] = "identity"
    yield client
    client.app.state.sightings.close()  # type: ignore[attr-defined]


def well(code: str | None = None, lon: float = 120.3, lat: float = 28.7, **properties: Any) -> dict[str, Any]:
    """A well somewhere in the district, far from the others."""
    named = {"code": code or f"T{uuid4().hex[:12]}", **properties}
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": named}


def made(client: TestClient, **properties: Any) -> tuple[str, httpx.Response]:
    """Address of a new well, and the answer of reading it."""
    answer = client.post(WELLS, json=well(**properties))
    assert answer.status_code == 201, answer.text
    path = httpx.URL(answer.headers["location"]).path
    read = client.get(path)
    assert read.status_code == 200 and read.headers["etag"] == answer.headers["etag"]
    return path, read


def head(small: SmallMap) -> int:
    with connect(small.engine) as conn:
        return int(conn.scalar(text("SELECT max(rev) FROM core.revisions")) or 0)


def codes_of(answer: httpx.Response) -> set[tuple[str, str | None]]:
    """What was found, by code and field; each with words in both languages."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {*KEYS, "findings"}
    found = answer.json()["findings"]
    for each in found:
        assert each["detail_zh"] and each["detail_en"] and each["remedy_zh"] and each["remedy_en"]
    return {(each["code"], each["field"]) for each in found}


# --- each change is a revision ------------------------------------------------------------------------------


def test_an_item_lives_through_create_replace_update_and_delete(client: TestClient, small: SmallMap) -> None:
    before = head(small)
    created = client.post(WELLS, json=well("LIFE", kind="dug", depth=3.5, name=" 新井 "))
    assert created.json() == {"id": "LIFE", "change": "created", "revision": before + 1, "findings": []}
    assert created.headers["location"] == f"http://127.0.0.1{WELLS}/LIFE"
    read = client.get(f"{WELLS}/LIFE").json()
    assert read["geometry"]["coordinates"] == [120.3, 28.7]
    assert read["properties"] | {"rev_from": 0, "accuracy_m": 0} == {
        "uid": "LIFE", "code": "LIFE", "name": "新井", "kind": "dug", "depth": 3.5, "accuracy_m": 0,
        "is_indicative": False, "is_demonstration": False, "source": "edits", "valid_from": None,
        "valid_to": None, "rev_from": 0,
    }  # fmt: skip
    assert (read["provenance"]["who"], read["provenance"]["kind"]) == ("web", "edit")
    replaced = client.put(f"{WELLS}/LIFE", json=well("LIFE", 120.31, 28.71, depth=4, valid_from="2026-01-01"))
    assert replaced.json()["change"] == "changed"
    read = client.get(f"{WELLS}/LIFE").json()
    assert read["geometry"]["coordinates"] == [120.31, 28.71]
    assert [read["properties"][n] for n in ("name", "depth", "valid_from")] == [None, 4, "2026-01-01"]
    patch = {"properties": {"name": "井", "depth": None}}
    updated = client.patch(f"{WELLS}/LIFE", content=json.dumps(patch), headers=PATCH)
    assert updated.status_code == 200
    read = client.get(f"{WELLS}/LIFE").json()
    assert [read["properties"][n] for n in ("name", "depth", "valid_from")] == ["井", None, "2026-01-01"]
    assert read["geometry"]["coordinates"] == [120.31, 28.71]
    gone = client.delete(f"{WELLS}/LIFE")
    assert (gone.status_code, gone.content) == (204, b"")
    shape(client.get(f"{WELLS}/LIFE"), 404)
    shape(client.delete(f"{WELLS}/LIFE"), 404)
    numbers = [answer.json()["revision"] for answer in (created, replaced, updated)]
    for number, depth in zip(numbers, (3.5, 4, None), strict=True):
        old = client.get(f"{WELLS}/LIFE?as-of={number}").json()
        assert old["properties"]["depth"] == depth
    again = client.post(WELLS, json=well("LIFE"))
    assert again.status_code == 201 and again.headers["etag"] != created.headers["etag"]


def test_changes_stand_in_the_feed_one_row_each(client: TestClient, small: SmallMap) -> None:
    since = head(small)
    path, _ = made(client, code="FEED")
    client.patch(path, json={"properties": {"depth": 9}})
    client.delete(path)
    told = client.get(f"/changes?since={since}").json()["changes"]
    assert [(c["layer"], c["uid"], c["change"]) for c in told if c["layer"] == "wells"] == [
        ("wells", "FEED", "added"), ("wells", "FEED", "changed"), ("wells", "FEED", "closed"),
    ]  # fmt: skip


def test_the_same_content_again_makes_no_revision_and_keeps_the_tag(
    client: TestClient, small: SmallMap
) -> None:
    path, read = made(client, name="同", kind="bored", depth=1.25, accuracy_m=2.5)
    before = head(small)
    for uri in SYSTEMS:
        shown = client.get(path, params={"crs": uri}).json()
        same = client.put(path, json=shown, headers={"Content-Crs": f"<{uri}>"})
        assert same.json()["change"] == "unchanged" and same.json()["revision"] is None, uri
        assert same.headers["etag"] == read.headers["etag"]
    for form in ("geojson", "jsonfg"):
        shown = client.get(path, params={"f": form, "crs": f"{EPSG}4549" if form == "jsonfg" else CRS84})
        assert client.put(path, json=shown.json()).json()["change"] == "unchanged"
    assert client.patch(path, json={"properties": {"depth": 1.25}}).json()["change"] == "unchanged"
    assert client.patch(path, json={}).json()["change"] == "unchanged"
    assert head(small) == before and client.get(path).json() == read.json()


def test_a_row_of_an_import_keeps_its_source_and_every_other_row_its_version(
    client: TestClient, small: SmallMap
) -> None:
    others = {uid: client.get(f"{WELLS}/{uid}").headers["etag"] for uid in ("IN", "OUT", "ALSO")}
    assert client.patch(f"{WELLS}/RIM", json={"properties": {"depth": 7}}).status_code == 200
    told = client.get(f"{WELLS}/RIM").json()
    assert (told["properties"]["source"], told["properties"]["depth"]) == ("survey", 7)
    assert (told["provenance"]["who"], told["provenance"]["kind"]) == ("web", "edit")
    assert {uid: client.get(f"{WELLS}/{uid}").headers["etag"] for uid in others} == others
    with connect(small.engine) as conn:
        touched = conn.execute(
            text("SELECT added, changed, closed FROM core.revision_layers WHERE layer = 'wells' "
                 "ORDER BY rev DESC LIMIT 1")
        ).one()  # fmt: skip
    assert tuple(touched) == (0, 1, 0)


def test_an_edit_is_undone_as_an_import_is(client: TestClient, small: SmallMap) -> None:
    rev = client.patch(f"{WELLS}/IN", json={"properties": {"depth": 99}}).json()["revision"]
    table = tables.table_for(small.definition.layers["wells"], small.definition.district.storage_crs)
    with connect(small.engine, write=True) as conn:
        revert(conn, rev, [table], who="test")
    assert client.get(f"{WELLS}/IN").json()["properties"]["depth"] == 3


def test_conflicts_follow_as_they_do_after_an_import(own_map: SmallMap) -> None:
    client = client_of(own_map.app())

    def subjects() -> set[str]:
        found = client.get("/collections/conflicts/items?limit=100").json()
        return {feature["properties"]["subject_uid"] for feature in found["features"]}

    assert "NEW" not in subjects() and "IN" in subjects()
    inside = {"lon": 120.005, "lat": 28.904, "accuracy_m": 1.0}
    assert client.post(WELLS, json=well("NEW", **inside)).status_code == 201
    assert "NEW" in subjects()
    moved = {"geometry": {"type": "Point", "coordinates": [120.4, 28.7]}, "properties": {"accuracy_m": 1.0}}
    assert client.patch(f"{WELLS}/NEW", json=moved).status_code == 200
    assert "NEW" not in subjects()
    assert client.delete(f"{WELLS}/IN").status_code == 204
    assert "IN" not in subjects()
    assert client.get("/collections/conflicts/items").json()["lagging"] is False


# --- coordinates ------------------------------------------------------------------------------------------


def own_axes(uri: str, lon: float, lat: float) -> list[float]:
    """A place of EPSG:4490 with the axes that the authority defines, by PROJ, which keeps to them."""
    if uri == CRS84:
        return [lon, lat]
    first, second = Transformer.from_crs(4490, int(uri.rpartition("/")[2])).transform(lat, lon)
    return [float(first), float(second)]


@pytest.mark.parametrize("uri", SYSTEMS)
def test_a_body_has_the_axes_of_its_system(client: TestClient, small: SmallMap, uri: str) -> None:
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
        with connect(small.engine) as conn:
            where = text("SELECT ST_X(geom), ST_Y(geom) FROM now.wells WHERE uid = :uid")
            stored = conn.execute(where, {"uid": code}).one()
        assert tuple(stored) == pytest.approx((lon, lat), abs=2e-8)

    body = {**well(code), "geometry": sent(120.1234567, 28.7654321)}
    check(client.post(WELLS, json=body, headers=header), 120.1234567, 28.7654321)
    for other in SYSTEMS:
        told = client.get(path, params={"crs": other}).json()["geometry"]["coordinates"]
        wanted = own_axes(other, 120.1234567, 28.7654321)
        assert told == pytest.approx(wanted, abs=1e-3 if abs(told[0]) > 1000 else 1e-7)
    body = {**well(code), "geometry": sent(119.9, 29.1)}
    check(client.put(path, json=body, headers=header), 119.9, 29.1)
    patch = {"geometry": {"coordinates": sent(120.5, 28.8)["coordinates"]}}
    check(client.patch(path, json=patch, headers=header), 120.5, 28.8)
    given = {**body, "geometry": None, "place": sent(120.25, 29.0), "coordRefSys": uri}
    check(client.put(path, content=json.dumps(given), headers=media), 120.25, 29.0)


@pytest.mark.parametrize("uri", SYSTEMS)
def test_axes_the_other_way_round_are_told(client: TestClient, uri: str) -> None:
    first, second = own_axes(uri, 120.12, 28.76)
    body = {**well(), "geometry": {"type": "Point", "coordinates": [second, first]}}
    answer = client.post(WELLS, json=body, headers={"Content-Crs": f"<{uri}>"})
    assert codes_of(answer) == {("axes_of_crs", "geom")}
    assert uri in answer.json()["detail"]


def test_metres_without_a_system_and_places_elsewhere_are_refused(client: TestClient) -> None:
    metres = {**well(), "geometry": {"type": "Point", "coordinates": [500_488, 3_198_740]}}
    assert codes_of(client.post(WELLS, json=metres)) == {("crs_of_body", "geom")}
    assert codes_of(client.post(WELLS, json=well(lon=10.0, lat=50.0))) == {("outside_extent", "geom")}


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
    client: TestClient, change: dict[str, Any], header: str | None
) -> None:
    headers = {} if header is None else {"Content-Crs": header}
    answer = client.post(WELLS, json={**well(), **change}, headers=headers)
    shape(answer, 400)
    assert answer.json()["remedy"]


def test_the_position_error_is_that_of_the_place(client: TestClient) -> None:
    path, read = made(client, accuracy_m=2.0)
    bound = read.json()["properties"]["accuracy_m"]
    assert bound == 3.0  # and a metre between WGS 84 and CGCS2000
    client.patch(path, json={"properties": {"depth": 1}})
    assert client.get(path).json()["properties"]["accuracy_m"] == bound
    client.patch(path, json={"geometry": {"type": "Point", "coordinates": [120.2, 28.8]}})
    assert client.get(path).json()["properties"]["accuracy_m"] is None  # nobody said how exact the new one is
    exact = {"geometry": {"coordinates": [28.9, 120.2]}, "properties": {"accuracy_m": 0.5}}
    client.patch(path, json=exact, headers={"Content-Crs": "EPSG:4490"})
    assert client.get(path).json()["properties"]["accuracy_m"] == 0.5


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
    client: TestClient, small: SmallMap, properties: dict[str, Any], found: tuple[str, str]
) -> None:
    before, body = head(small), well()
    body["properties"] |= properties
    answer = client.post(WELLS, json=body)
    assert codes_of(answer) == {found}
    if found[0] == "property_unknown":
        assert "depth" in answer.json()["remedy"]
    if "code" not in properties:
        assert codes_of(client.patch(f"{WELLS}/IN", json={"properties": properties})) == {found}
    assert head(small) == before


def test_all_that_is_wrong_is_told_at_once(client: TestClient) -> None:
    body = well(depth="deep", kind="round", other=1)
    body["geometry"] = {"type": "LineString", "coordinates": [[120, 28.9], [120.1, 28.9]]}
    answer = client.post(WELLS, json=body, headers={"Accept-Language": "zh"})
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
    client: TestClient, geometry: Any, code: str
) -> None:
    assert codes_of(client.post(WELLS, json={**well(), "geometry": geometry})) == {(code, "geom")}


def pad(*rings: list[list[float]]) -> dict[str, Any]:
    shape = {"type": "Polygon", "coordinates": list(rings)}
    return {"type": "Feature", "geometry": shape, "properties": {"code": uuid4().hex[:8]}}


def test_a_shape_is_mended_and_said_so_or_refused(client: TestClient) -> None:
    pads = "/collections/pads/items"
    bowtie = [[120.2, 28.7], [120.21, 28.71], [120.21, 28.7], [120.2, 28.71], [120.2, 28.7]]
    mended = client.post(pads, json=pad(bowtie))
    (told,) = mended.json()["findings"]
    assert mended.status_code == 201 and (told["code"], told["severity"]) == ("geometry_repaired", "repair")
    stored = client.get(mended.headers["location"]).json()["geometry"]
    assert stored["type"] == "MultiPolygon" and len(stored["coordinates"]) == 2
    twice = [[120.2, 28.7], [120.21, 28.7], [120.21, 28.71], [120.2, 28.71], [120.2, 28.7]]
    inner = [[120.202, 28.702], [120.208, 28.702], [120.208, 28.708], [120.202, 28.708]]
    assert codes_of(client.post(pads, json=pad([*twice[:-1], twice[0], *inner, inner[0], twice[0]]))) == {
        ("geometry_invalid", "geom")
    }
    open_ring = client.post(pads, json=pad(twice[:-1]))
    assert codes_of(open_ring) == {("geometry_unreadable", "geom")}
    high = pad([[x, y, 12.0] for x, y in twice])
    assert [each["code"] for each in client.post(pads, json=high).json()["findings"]] == ["height_dropped"]


def test_more_vertices_than_a_layer_takes_are_refused(small: SmallMap) -> None:
    client = client_of(small.app(import_vertices=4))
    ring = [[120.2, 28.7], [120.21, 28.7], [120.21, 28.71], [120.2, 28.71], [120.2, 28.7]]
    assert codes_of(client.post("/collections/pads/items", json=pad(ring))) == {("too_many_vertices", "geom")}


def test_a_register_has_no_geometry(client: TestClient) -> None:
    items = "/collections/plan_structure/items"
    entry = {
        "type": "Feature",
        "geometry": None,
        "properties": {"element_id": "E9", "name": "n", "kind": "core"},
    }
    assert client.post(items, json=entry).status_code == 201
    assert client.put(f"{items}/E9", json=entry).json()["change"] == "unchanged"
    placed = {**entry, "geometry": {"type": "Point", "coordinates": [120, 28.9]}}
    assert codes_of(client.put(f"{items}/E9", json=placed)) == {("geometry_not_held", "geom")}
    assert client.delete(f"{items}/E9").status_code == 204


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
def test_a_body_that_is_no_feature_is_refused(client: TestClient, body: str) -> None:
    media = {"Content-Type": "application/geo+json"}
    shape(client.post(WELLS, content=body, headers=media), 400)
    shape(client.put(f"{WELLS}/IN", content=body, headers=media), 400)


def test_a_patch_that_is_none_is_refused(client: TestClient) -> None:
    for body in ("[]", "4", "null", '{"properties": 3}', '{"a":' * 100 + "1" + "}" * 100):
        answer = client.patch(f"{WELLS}/IN", content=body, headers=PATCH)
        shape(answer, 400)
    for body in ({"properties": None}, {"properties": {"code": None}}):
        assert codes_of(client.patch(f"{WELLS}/IN", json=body)) == {("required_missing", "code")}


def test_bodies_of_other_kinds_are_not_read(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/gml+xml", ""):
        headers = {"Content-Type": kind}
        for method, path in (("POST", WELLS), ("PUT", f"{WELLS}/IN"), ("PATCH", f"{WELLS}/IN")):
            shape(client.request(method, path, content=b"{}", headers=headers), 415)
    shape(client.put(f"{WELLS}/IN", content=b"{}", headers=PATCH), 415)


def test_an_item_keeps_its_name(client: TestClient) -> None:
    path, _ = made(client, code="NAME")
    renamed = well("OTHER")
    assert codes_of(client.put(path, json=renamed)) == {("key_changed", "code")}
    assert codes_of(client.patch(path, json={"properties": {"code": "OTHER"}})) == {("key_changed", "code")}
    assert codes_of(client.patch(path, json={"properties": {"uid": "OTHER"}})) == {("key_changed", "uid")}
    ignored = {**well("NAME"), "id": "OTHER"}
    ignored["properties"] |= {"uid": "OTHER", "source": "me", "rev_from": 1, "is_demonstration": True}
    assert client.put(path, json=ignored).status_code == 200
    told = client.get(path).json()
    assert (told["id"], told["properties"]["source"]) == ("NAME", "edits")
    shape(client.post(WELLS, json=well("NAME")), 409)


def test_time_of_json_fg_is_when_the_item_holds(client: TestClient) -> None:
    path, _ = made(client)
    body = {**well(path.rpartition("/")[2]), "time": {"interval": ["2026-01-01", ".."]}}
    assert client.put(path, json=body).status_code == 200
    assert client.get(f"{path}?f=jsonfg").json()["time"] == {"interval": ["2026-01-01", ".."]}
    body["properties"]["valid_from"] = "2025-01-01"
    assert codes_of(client.put(path, json=body)) == {("time_contradicts", "valid_from")}
    body["time"] = {"interval": "soon"}
    assert codes_of(client.put(path, json=body)) == {("wrong_type", "time")}


# --- conditions, keys and methods -------------------------------------------------------------------------


def test_a_stale_tag_changes_nothing(client: TestClient, small: SmallMap) -> None:
    path, read = made(client, depth=1)
    old = read.headers["etag"]
    assert old.startswith('"')  # strong: If-Match holds against no other
    fresh = client.patch(path, json={"properties": {"depth": 2}}, headers={"If-Match": old}).headers["etag"]
    assert fresh != old and client.get(path).headers["etag"] == fresh
    before = head(small)
    body = well(path.rpartition("/")[2], depth=3)
    for tag in (old, f"W/{fresh}", '"x"', f'{old}, "y"'):
        for method, given in (("PUT", body), ("PATCH", {"properties": {"depth": 3}}), ("DELETE", None)):
            answer = client.request(method, path, json=given, headers={"If-Match": tag})
            shape(answer, 412)
            assert answer.json()["remedy_zh"]
    shape(client.delete(path, headers={"If-Match": "no tag"}), 400)
    assert head(small) == before and client.get(path).json()["properties"]["depth"] == 2
    for form in ({"f": "jsonfg"}, {"crs": f"{EPSG}4549"}, {"f": "html"}):  # any form of this version will do
        tag = client.get(path, params=form).headers["etag"]
        assert tag != fresh
        same = client.patch(path, json={"properties": {"depth": 2}}, headers={"If-Match": f'"z", {tag}'})
        assert same.status_code == 200
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_a_compressed_answer_has_a_tag_of_its_own(client: TestClient) -> None:
    path, _ = made(client, name="长" * 500)
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    coded = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert coded.headers["content-encoding"] == "gzip" and coded.json() == plain.json()
    assert coded.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    for each in (plain, coded):
        known = client.get(path, headers={"If-None-Match": each.headers["etag"], "Accept-Encoding": "gzip"})
        assert (known.status_code, known.headers["etag"]) == (304, each.headers["etag"])
        tag = {"If-Match": each.headers["etag"]}
        assert client.patch(path, json={"properties": {}}, headers=tag).status_code == 200


def test_of_two_writers_one_is_refused(small: SmallMap) -> None:
    client = client_of(small.app())
    path, read = made(client, depth=0)
    meet = threading.Barrier(2)

    def write(depth: int) -> int:
        meet.wait(timeout=20)
        tag = {"If-Match": read.headers["etag"]}
        return client.patch(path, json={"properties": {"depth": depth}}, headers=tag).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(write, (1, 2))) == [200, 412]
    with ThreadPoolExecutor(2) as pool:  # without a tag both are done, one after the other
        names = list(pool.map(lambda n: client.patch(path, json={"properties": n}).status_code,
                              ({"name": "a"}, {"kind": "dug"})))  # fmt: skip
    assert names == [200, 200]
    told = client.get(path).json()["properties"]
    assert (told["name"], told["kind"]) == ("a", "dug")
    code = f"B{uuid4().hex[:8]}"
    with ThreadPoolExecutor(2) as pool:
        both = pool.map(lambda n: client.post(WELLS, json=well(code, depth=n)).status_code, (1, 2))
        assert sorted(both) == [201, 409]


def test_pages_neither_skip_nor_repeat_while_somebody_writes(small: SmallMap) -> None:
    with serving(small) as base, httpx.Client(base_url=base, timeout=20) as client:
        names = [f"P{number}" for number in range(9)]
        for name in names:
            assert client.post(WELLS, json=well(name, name="paged")).status_code == 201
        page = client.get(WELLS, params={"limit": 2, "sortby": "code", "name": "paged"}).json()
        seen = uids_of(page)
        for number in (1, 5, 8, 3):
            following = [link["href"] for link in page["links"] if link["rel"] == "next"]
            # One goes, one comes before the place where the reader stands, and one is written anew.
            assert client.delete(f"{WELLS}/P{number}").status_code == 204
            assert client.post(WELLS, json=well(f"A{number}", name="paged")).status_code == 201
            assert client.patch(f"{WELLS}/P0", json={"properties": {"depth": number}}).status_code == 200
            page = client.get(following[0]).json()
            seen += uids_of(page)
        assert not [link for link in page["links"] if link["rel"] == "next"]
    assert seen == names


def uids_of(page: dict[str, Any]) -> list[str]:
    return [str(feature["id"]) for feature in page["features"]]


def test_a_key_does_each_method_once(client: TestClient, small: SmallMap) -> None:
    code, key = f"I{uuid4().hex[:8]}", uuid4().hex
    path, body = f"{WELLS}/{code}", well(code)
    before = head(small)
    asked: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", WELLS, body),
        ("PUT", path, well(code, depth=4)),
        ("PATCH", path, {"properties": {"depth": 5}}),
        ("DELETE", path, None),
    ]
    for method, address, given in asked:
        headers = {"Idempotency-Key": f"{key}-{method}"}
        first, again = (client.request(method, address, json=given, headers=headers) for _ in range(2))
        assert first.status_code < 300 and (again.status_code, again.content) == (
            first.status_code, first.content,
        )  # fmt: skip
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("etag") == first.headers.get("etag")
        other = {**headers, "Content-Crs": "EPSG:4490"}
        shape(client.request(method, address, json=given, headers=other), 422)
    assert head(small) == before + 4


def test_bare_answers_are_given_on_request(client: TestClient) -> None:
    path, _ = made(client)
    bare = client.patch(path, json={"properties": {"depth": 1}}, headers={"Prefer": "return=minimal"})
    assert (bare.status_code, bare.content) == (204, b"")
    assert bare.headers["preference-applied"] == "return=minimal" and bare.headers["etag"]


def test_layers_that_nobody_writes_say_why(service: TestClient) -> None:
    (conflict,) = uids(service.get("/collections/conflicts/items?limit=1"))
    for items, one in (("/collections/conflicts/items", conflict), ("/collections/catalogue/items", "wells")):
        for method, path in (("POST", items), ("PUT", f"{items}/{one}"), ("DELETE", f"{items}/{one}")):
            answer = service.request(method, path, json=well())
            shape(answer, 405)
            assert answer.headers["allow"] == "GET, HEAD, OPTIONS" and answer.json()["remedy"]
        for path in (items, f"{items}/{one}"):
            assert service.options(path).headers["allow"] == "GET, HEAD, OPTIONS"
    shape(service.post("/collections/nothing/items", json=well()), 404)
    shape(service.options("/collections/nothing/items"), 404)
    shape(service.options(f"{WELLS}/NONE"), 404)


def test_a_row_that_is_taken_by_the_clock_is_changed_at_its_source(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    with connect(own_map.engine, write=True) as conn:
        conn.execute(
            text("INSERT INTO core.harvests (name, layer, source_id, kind, url, options) SELECT 'nightly', "
                 "'wells', source_id, 'oapif', 'https://example.org', '{}' FROM core.sources "
                 "WHERE name = 'survey'")
        )  # fmt: skip
    refused = client.patch(f"{WELLS}/IN", json={"properties": {"depth": 1}})
    shape(refused, 403)
    assert "nightly" in refused.json()["detail"]
    shape(client.delete(f"{WELLS}/IN"), 403)
    assert client.post(WELLS, json=well("OWN")).status_code == 201
    assert client.delete(f"{WELLS}/OWN").status_code == 204


# --- who --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peopled(make_map: Callable[[], SmallMap]) -> Iterator[SmallMap]:
    """A map with an editor and a viewer."""
    small = make_map()
    small = replace(
        small, definition=replace(small.definition, layers={"wells": small.definition.layers["wells"]})
    )
    with connect(small.engine, write=True) as conn:
        for name, role in (("ed", Role.EDITOR), ("vi", Role.VIEWER)):
            register.add(conn, name, WORD, Passwords(1, 8, 1), role=role)
    yield small


def test_the_account_is_the_author_and_stands_in_the_audit_log(peopled: SmallMap) -> None:
    client = client_of(peopled.app(**COSTS))
    editor, viewer = key_of(peopled, account="ed"), key_of(peopled, account="vi")
    assert client.post(WELLS, json=well("AU"), headers=editor).status_code == 201
    assert client.get(f"{WELLS}/AU").json()["provenance"]["who"] == "ed"
    change = {"properties": {"depth": 1}}
    assert client.patch(f"{WELLS}/AU", json=change, headers=editor).status_code == 200
    shape(client.patch(f"{WELLS}/AU", json=change, headers=viewer), 403)
    shape(client.patch(f"{WELLS}/AU", json=change), 401)
    shape(client.delete(f"{WELLS}/AU", headers={**editor, "If-Match": '"x"'}), 412)
    assert client.delete(f"{WELLS}/AU", headers=editor).status_code == 204
    assert set(noted(peopled, "edit")) == {
        ("ed", f"POST {WELLS}/AU", "done"), ("ed", f"PATCH {WELLS}/AU", "done"),
        ("vi", f"PATCH {WELLS}/AU", "refused"), ("ed", f"DELETE {WELLS}/AU", "failed"),
        ("ed", f"DELETE {WELLS}/AU", "done"),
    }  # fmt: skip
    reads = "GET, HEAD, OPTIONS"
    assert (
        client.options(WELLS).headers["allow"]
        == client.options(WELLS, headers=viewer).headers["allow"]
        == reads
    )
    assert client.options(WELLS, headers=editor).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    one = client.options(f"{WELLS}/IN", headers=editor).headers["allow"]
    assert one == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"


def test_a_page_of_another_site_writes_nothing(peopled: SmallMap, client: TestClient) -> None:
    signed_in = client_of(peopled.app(**COSTS))
    sign_in(signed_in, "ed")
    media = {"Content-Type": "application/geo+json"}
    body = json.dumps(well("CSRF"))
    shape(signed_in.post(WELLS, content=body, headers=media), 403)  # without the session's word
    shape(signed_in.delete(f"{WELLS}/IN"), 403)
    csrf = {"X-CSRF-Token": signed_in.get("/session").json()["csrf"]}
    foreign = {"Origin": "https://evil.example"}
    shape(signed_in.post(WELLS, content=body, headers={**media, **csrf, **foreign}), 403)
    assert signed_in.post(WELLS, content=body, headers={**media, **csrf}).status_code == 201
    assert signed_in.delete(f"{WELLS}/CSRF", headers=csrf).status_code == 204
    for method in ("POST", "PUT", "PATCH", "DELETE"):  # while there are no accounts
        path = WELLS if method == "POST" else f"{WELLS}/IN"
        shape(client.request(method, path, json=well(), headers=foreign), 403)
        shape(client.request(method, path, json=well(), headers={"X-Forwarded-For": "192.0.2.1"}), 403)
