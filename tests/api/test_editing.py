"""Items written one by one: what the store holds afterwards, who wrote it, and when it is not written."""

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
from sqlalchemy import text

from gis import tables
from gis.access import Role
from gis.accounts import register
from gis.accounts.passwords import Passwords
from gis.db import connect
from gis.revisions import revert
from tests.api.conftest import SmallMap, client_of, close_log, uids
from tests.api.test_bounds import serving
from tests.api.test_errors import shape
from tests.api.test_session import COSTS, WORD, key_of, noted, sign_in
from tests.api.wells import CRS84, EPSG, PATCH, SYSTEMS, WELLS, head, made, well

# --- each change is a revision ------------------------------------------------------------------------------


def test_an_item_lives_through_create_replace_update_and_delete(
    writer: TestClient, quiet_map: SmallMap
) -> None:
    before = head(quiet_map)
    created = writer.post(WELLS, json=well("LIFE", kind="dug", depth=3.5, name=" 新井 "))
    assert created.json() == {"id": "LIFE", "change": "created", "revision": before + 1, "findings": []}
    assert created.headers["location"] == f"http://127.0.0.1{WELLS}/LIFE"
    read = writer.get(f"{WELLS}/LIFE").json()
    assert read["geometry"]["coordinates"] == [120.3, 28.7]
    assert read["properties"] | {"rev_from": 0, "accuracy_m": 0} == {
        "uid": "LIFE", "code": "LIFE", "name": "新井", "kind": "dug", "depth": 3.5, "accuracy_m": 0,
        "is_indicative": False, "is_demonstration": False, "source": "edits", "valid_from": None,
        "valid_to": None, "rev_from": 0,
    }  # fmt: skip
    assert (read["provenance"]["who"], read["provenance"]["kind"]) == ("web", "edit")
    replaced = writer.put(f"{WELLS}/LIFE", json=well("LIFE", 120.31, 28.71, depth=4, valid_from="2026-01-01"))
    assert replaced.json()["change"] == "changed"
    read = writer.get(f"{WELLS}/LIFE").json()
    assert read["geometry"]["coordinates"] == [120.31, 28.71]
    assert [read["properties"][n] for n in ("name", "depth", "valid_from")] == [None, 4, "2026-01-01"]
    patch = {"properties": {"name": "井", "depth": None}}
    updated = writer.patch(f"{WELLS}/LIFE", content=json.dumps(patch), headers=PATCH)
    assert updated.status_code == 200
    read = writer.get(f"{WELLS}/LIFE").json()
    assert [read["properties"][n] for n in ("name", "depth", "valid_from")] == ["井", None, "2026-01-01"]
    assert read["geometry"]["coordinates"] == [120.31, 28.71]
    gone = writer.delete(f"{WELLS}/LIFE")
    assert (gone.status_code, gone.content) == (204, b"")
    shape(writer.get(f"{WELLS}/LIFE"), 404)
    shape(writer.delete(f"{WELLS}/LIFE"), 404)
    numbers = [answer.json()["revision"] for answer in (created, replaced, updated)]
    for number, depth in zip(numbers, (3.5, 4, None), strict=True):
        old = writer.get(f"{WELLS}/LIFE?as-of={number}").json()
        assert old["properties"]["depth"] == depth
    again = writer.post(WELLS, json=well("LIFE"))
    assert again.status_code == 201 and again.headers["etag"] != created.headers["etag"]


def test_changes_stand_in_the_feed_one_row_each(writer: TestClient, quiet_map: SmallMap) -> None:
    since = head(quiet_map)
    path, _ = made(writer, code="FEED")
    writer.patch(path, json={"properties": {"depth": 9}})
    writer.delete(path)
    told = writer.get(f"/changes?since={since}").json()["changes"]
    assert [(c["layer"], c["uid"], c["change"]) for c in told if c["layer"] == "wells"] == [
        ("wells", "FEED", "added"), ("wells", "FEED", "changed"), ("wells", "FEED", "closed"),
    ]  # fmt: skip


def test_the_same_content_again_makes_no_revision_and_keeps_the_tag(
    writer: TestClient, quiet_map: SmallMap
) -> None:
    path, read = made(writer, name="同", kind="bored", depth=1.25, accuracy_m=2.5)
    before = head(quiet_map)
    for uri in SYSTEMS:
        shown = writer.get(path, params={"crs": uri}).json()
        same = writer.put(path, json=shown, headers={"Content-Crs": f"<{uri}>"})
        assert same.json()["change"] == "unchanged" and same.json()["revision"] is None, uri
        assert same.headers["etag"] == read.headers["etag"]
    for form in ("geojson", "jsonfg"):
        shown = writer.get(path, params={"f": form, "crs": f"{EPSG}4549" if form == "jsonfg" else CRS84})
        assert writer.put(path, json=shown.json()).json()["change"] == "unchanged"
    assert writer.patch(path, json={"properties": {"depth": 1.25}}).json()["change"] == "unchanged"
    assert writer.patch(path, json={}).json()["change"] == "unchanged"
    assert head(quiet_map) == before and writer.get(path).json() == read.json()


def test_a_row_of_an_import_keeps_its_source_and_every_other_row_its_version(
    writer: TestClient, quiet_map: SmallMap
) -> None:
    others = {uid: writer.get(f"{WELLS}/{uid}").headers["etag"] for uid in ("IN", "OUT", "ALSO")}
    assert writer.patch(f"{WELLS}/RIM", json={"properties": {"depth": 7}}).status_code == 200
    told = writer.get(f"{WELLS}/RIM").json()
    assert (told["properties"]["source"], told["properties"]["depth"]) == ("survey", 7)
    assert (told["provenance"]["who"], told["provenance"]["kind"]) == ("web", "edit")
    assert {uid: writer.get(f"{WELLS}/{uid}").headers["etag"] for uid in others} == others
    with connect(quiet_map.engine) as conn:
        touched = conn.execute(
            text("SELECT added, changed, closed FROM core.revision_layers WHERE layer = 'wells' "
                 "ORDER BY rev DESC LIMIT 1")
        ).one()  # fmt: skip
    assert tuple(touched) == (0, 1, 0)


def test_an_edit_is_undone_as_an_import_is(writer: TestClient, quiet_map: SmallMap) -> None:
    rev = writer.patch(f"{WELLS}/IN", json={"properties": {"depth": 99}}).json()["revision"]
    table = tables.table_for(quiet_map.definition.layers["wells"], quiet_map.definition.district.storage_crs)
    with connect(quiet_map.engine, write=True) as conn:
        revert(conn, rev, [table], who="test")
    assert writer.get(f"{WELLS}/IN").json()["properties"]["depth"] == 3


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


# --- conditions, keys and methods -------------------------------------------------------------------------


def test_a_stale_tag_changes_nothing(writer: TestClient, quiet_map: SmallMap) -> None:
    path, read = made(writer, depth=1)
    old = read.headers["etag"]
    assert old.startswith('"')  # strong: If-Match holds against no other
    fresh = writer.patch(path, json={"properties": {"depth": 2}}, headers={"If-Match": old}).headers["etag"]
    assert fresh != old and writer.get(path).headers["etag"] == fresh
    before = head(quiet_map)
    body = well(path.rpartition("/")[2], depth=3)
    for tag in (old, f"W/{fresh}", '"x"', f'{old}, "y"'):
        for method, given in (("PUT", body), ("PATCH", {"properties": {"depth": 3}}), ("DELETE", None)):
            answer = writer.request(method, path, json=given, headers={"If-Match": tag})
            shape(answer, 412)
            assert answer.json()["remedy_zh"]
    shape(writer.delete(path, headers={"If-Match": "no tag"}), 400)
    assert head(quiet_map) == before and writer.get(path).json()["properties"]["depth"] == 2
    for form in ({"f": "jsonfg"}, {"crs": f"{EPSG}4549"}, {"f": "html"}):  # any form of this version will do
        tag = writer.get(path, params=form).headers["etag"]
        assert tag != fresh
        same = writer.patch(path, json={"properties": {"depth": 2}}, headers={"If-Match": f'"z", {tag}'})
        assert same.status_code == 200
    assert writer.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_a_compressed_answer_has_a_tag_of_its_own(writer: TestClient) -> None:
    path, _ = made(writer, name="长" * 500)
    plain = writer.get(path, headers={"Accept-Encoding": "identity"})
    coded = writer.get(path, headers={"Accept-Encoding": "gzip"})
    assert coded.headers["content-encoding"] == "gzip" and coded.json() == plain.json()
    assert coded.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    for each in (plain, coded):
        known = writer.get(path, headers={"If-None-Match": each.headers["etag"], "Accept-Encoding": "gzip"})
        assert (known.status_code, known.headers["etag"]) == (304, each.headers["etag"])
        tag = {"If-Match": each.headers["etag"]}
        assert writer.patch(path, json={"properties": {}}, headers=tag).status_code == 200


def test_of_two_writers_one_is_refused(writer: TestClient) -> None:
    path, read = made(writer, depth=0)
    meet = threading.Barrier(2)

    def write(depth: int) -> int:
        meet.wait(timeout=20)
        tag = {"If-Match": read.headers["etag"]}
        return writer.patch(path, json={"properties": {"depth": depth}}, headers=tag).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(write, (1, 2))) == [200, 412]
    with ThreadPoolExecutor(2) as pool:  # without a tag both are done, one after the other
        names = list(pool.map(lambda n: writer.patch(path, json={"properties": n}).status_code,
                              ({"name": "a"}, {"kind": "dug"})))  # fmt: skip
    assert names == [200, 200]
    told = writer.get(path).json()["properties"]
    assert (told["name"], told["kind"]) == ("a", "dug")
    code = f"B{uuid4().hex[:8]}"
    with ThreadPoolExecutor(2) as pool:
        both = pool.map(lambda n: writer.post(WELLS, json=well(code, depth=n)).status_code, (1, 2))
        assert sorted(both) == [201, 409]


def test_pages_neither_skip_nor_repeat_while_somebody_writes(quiet_map: SmallMap) -> None:
    with serving(quiet_map) as base, httpx.Client(base_url=base, timeout=20) as client:
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


def test_a_key_does_each_method_once(writer: TestClient, quiet_map: SmallMap) -> None:
    code, key = f"I{uuid4().hex[:8]}", uuid4().hex
    path, body = f"{WELLS}/{code}", well(code)
    before = head(quiet_map)
    asked: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", WELLS, body),
        ("PUT", path, well(code, depth=4)),
        ("PATCH", path, {"properties": {"depth": 5}}),
        ("DELETE", path, None),
    ]
    for method, address, given in asked:
        headers = {"Idempotency-Key": f"{key}-{method}"}
        first, again = (writer.request(method, address, json=given, headers=headers) for _ in range(2))
        assert first.status_code < 300 and (again.status_code, again.content) == (
            first.status_code, first.content,
        )  # fmt: skip
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("etag") == first.headers.get("etag")
        other = {**headers, "Content-Crs": "EPSG:4490"}
        shape(writer.request(method, address, json=given, headers=other), 422)
    assert head(quiet_map) == before + 4


def test_bare_answers_are_given_on_request(writer: TestClient) -> None:
    path, _ = made(writer)
    bare = writer.patch(path, json={"properties": {"depth": 1}}, headers={"Prefer": "return=minimal"})
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
    assert {each for each in noted(peopled, "edit") if each[0]} == {
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
    close_log(client)


def test_a_page_of_another_site_writes_nothing(peopled: SmallMap, writer: TestClient) -> None:
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
        shape(writer.request(method, path, json=well(), headers=foreign), 403)
        shape(writer.request(method, path, json=well(), headers={"X-Forwarded-For": "192.0.2.1"}), 403)
    close_log(signed_in)
