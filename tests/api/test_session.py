"""Accounts over HTTP: signing in on the page, keys of programs, and who may write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from api.access import actions_of
from api.identity import Action, cookie_name
from gis.access import Role
from gis.accounts import keys, register
from gis.accounts.audit import entries, verify
from gis.accounts.passwords import Passwords
from gis.db import connect
from tests.api.conftest import SmallMap, client_of, close_log, cookie_of
from tests.api.test_errors import SCREEN, shape

WORD = "three quiet herons"
BATCH = "/processes/screen-batch/execution"
COSTS = {"password_time_cost": 1, "password_memory_kib": 8, "password_lanes": 1}
SITE = {"inputs": {"site": {"type": "Point", "coordinates": [120.005, 28.905]}, "kind": "new"}}
KEEP = {"inputs": SITE["inputs"] | {"report": True}}


@pytest.fixture(scope="module")
def peopled(make_map: Callable[[], SmallMap]) -> SmallMap:
    """A filled small map with an account for each role, called like it."""
    small = make_map()
    with connect(small.engine, write=True) as conn:
        for role in Role:
            if role is not Role.PUBLIC:
                register.add(conn, f"a.{role}".replace("_", "-"), WORD, Passwords(1, 8, 1), role=role)
    return small


@pytest.fixture
def client(peopled: SmallMap) -> Iterator[TestClient]:
    """A browser without a session; what it did is written down when the test ends."""
    with client_of(peopled.app(**COSTS)) as client:
        yield client


def sign_in(client: TestClient, name: str, password: str = WORD, **headers: str) -> httpx.Response:
    return client.post("/session", json={"name": name, "password": password}, headers=headers)


def key_of(small: SmallMap, **owner: Any) -> dict[str, str]:
    """The header of a new key."""
    with connect(small.engine, write=True) as conn:
        return {"Authorization": f"Bearer {keys.add_key(conn, 'test', **owner)[1]}"}


def noted(small: SmallMap, action: str) -> list[tuple[str | None, str, str]]:
    with connect(small.engine) as conn:
        assert verify(conn).fault is None
        return [(e.who, e.object, e.outcome) for e in entries(conn, action=action)]


def test_signing_in_and_out(client: TestClient, peopled: SmallMap) -> None:
    assert client.get("/session").json() | {"actions": 0} == {
        "signed_in": False, "accounts": True, "role": "public", "actions": 0,
        "role_title": {"zh": "公众", "en": "public"},
    }  # fmt: skip
    answer = sign_in(client, "A.Editor")
    told = answer.json()
    assert (answer.status_code, told["name"], told["role"], told["areas"]) == (
        200,
        "a.editor",
        "editor",
        None,
    )
    assert "import" in told["actions"] and "admin" not in told["actions"]
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Secure" not in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/session").json() == told
    name = cookie_of(client)
    token = client.cookies[name]
    assert len(token) == 43 and token not in answer.text
    sign_in(client, "a.viewer")
    assert client.cookies[name] != token
    old = client_of(peopled.app(**COSTS))
    old.cookies.set(name, token)
    shape(old.get("/session"), 401)  # the session before ended
    assert client.delete("/session", headers={"X-CSRF-Token": "x"}).status_code == 403
    csrf = client.get("/session").json()["csrf"]
    assert client.delete("/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert name not in client.cookies and not client.get("/session").json()["signed_in"]
    assert ("a.viewer", "a.viewer", "done") in noted(peopled, "session.close")


def test_a_form_signs_in_and_a_cookie_of_https_is_secure(client: TestClient, peopled: SmallMap) -> None:
    form = {"name": "a.viewer", "password": WORD}
    assert client.post("/session", data=form).json()["name"] == "a.viewer"
    outside = TestClient(peopled.app(**COSTS, hosts=("map.example",)), base_url="https://map.example")
    assert "Secure" in sign_in(outside, "a.viewer").headers["set-cookie"]
    shape(client.post("/session", content=b"<x/>", headers={"Content-Type": "text/xml"}), 415)
    for body in ({}, {"name": "a", "password": "b", "more": 1}, {"name": ["a"], "password": WORD}):
        refused = client.post("/session", json=body)
        shape(refused, 400)
        assert WORD not in refused.text


def test_a_wrong_password_is_told_and_counted(make_map: Callable[[], SmallMap]) -> None:
    small = make_map()
    with connect(small.engine, write=True) as conn:
        register.add(conn, "li", WORD, Passwords(1, 8, 1), role=Role.EDITOR)
    client = client_of(small.app(**COSTS))
    for _ in range(10):
        refused = sign_in(client, "li", "wrong wrong")
        shape(refused, 401)
    assert refused.json()["code"] == "credential_login" and "set-cookie" not in refused.headers
    assert refused.headers["www-authenticate"] == 'Bearer realm="onemap"'
    limited = sign_in(client, "li")
    shape(limited, 429)
    assert 890 < int(limited.headers["retry-after"]) <= 900
    close_log(client)
    refusals = noted(small, "session.open")
    assert refusals.count((None, "li", "refused")) == 10  # each guess that was looked at
    assert refusals.count((None, "", "refused")) == 1  # and that there were more
    with connect(small.engine) as conn:
        rows = str(conn.execute(text("SELECT * FROM core.audit")).all())
    assert "wrong wrong" not in rows and WORD not in rows


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Authorization": "Bearer onemap_abcdefgh_" + "x" * 43}, "key"),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, "token"),
        ({"Authorization": "Basic bGk6bGk="}, "token"),
        ({"Authorization": "Bearer"}, "token"),
        ({"Cookie": "x" * 43}, "session"),
        ({"Cookie": "%00é"}, "session"),
    ],
)
def test_a_credential_that_is_not_valid_is_never_taken_for_none(
    client: TestClient, headers: dict[str, Any], reason: str
) -> None:
    if "Cookie" in headers:
        headers = {"Cookie": f"{cookie_of(client)}={headers['Cookie']}".encode("latin-1")}
    for path in (
        "/collections",
        "/collections/wells/items",
        "/session",
        "/app/config",
        "/healthz",
        "/nothing",
    ):
        refused = client.get(path, headers=headers)
        shape(refused, 401)
        assert refused.json()["code"] == f"credential_{reason}"
        assert refused.headers["www-authenticate"].startswith('Bearer realm="onemap", error="invalid_token"')
    # The page itself comes: somebody must be able to sign in again.
    assert client.get("/", headers=headers | {"Accept": "text/html"}).status_code == 200
    assert client.get("/web/js/main.js", headers=headers).status_code == 200


def test_an_ended_session_is_put_away_and_begun_anew(client: TestClient) -> None:
    ended = {"Cookie": f"{cookie_of(client)}={'x' * 43}"}
    gone = client.delete("/session", headers=ended)
    assert gone.status_code == 204 and "Max-Age=0" in gone.headers["set-cookie"]
    assert sign_in(client, "a.viewer", **ended).status_code == 200


def test_two_maps_on_one_host_have_a_session_each(
    client: TestClient, peopled: SmallMap, make_map: Callable[[], SmallMap]
) -> None:
    """Browsers keep cookies by host: what signs in to one map signs nobody out of the other."""
    other = make_map()
    with connect(other.engine, write=True) as conn:
        register.add(conn, "b.viewer", WORD, Passwords(1, 8, 1), role=Role.VIEWER)
    beside = client_of(other.app(**COSTS))
    beside.cookies.jar = client.cookies.jar  # the one of a browser
    sign_in(client, "a.editor")
    sign_in(beside, "b.viewer")
    assert [each.get("/session").json()["name"] for each in (client, beside)] == ["a.editor", "b.viewer"]
    csrf = beside.get("/session").json()["csrf"]
    assert beside.delete("/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert [each.get("/session").json()["signed_in"] for each in (client, beside)] == [True, False]


def test_all_processes_of_a_map_call_its_cookie_the_same(shared_map: SmallMap, tmp_path: Path) -> None:
    url = "postgresql+psycopg://{}@db.example:5432/{}"
    own = shared_map.settings
    far = own.model_copy(update={"database_url": "set"})
    names = [
        cookie_name(settings, create_engine(url.format(*store)))
        for settings, *store in [
            (far, "one:secret", "map"), (far, "two", "map"),  # another password, the same store
            (far, "one", "other"),
            (own, "one", "map"), (own.model_copy(update={"home": tmp_path}), "one", "map"),
            (far.model_copy(update={"public_url": "https://map.example"}), "one", "map"),
            (own.model_copy(update={"public_url": "https://map.example"}), "one", "other"),
        ]
    ]  # fmt: skip
    assert [names.index(name) for name in names] == [0, 0, 2, 3, 4, 5, 5]
    assert all(name.startswith("onemap_session_") for name in names)


def test_a_key_is_shown_in_the_header_only(client: TestClient, peopled: SmallMap) -> None:
    shown = key_of(peopled, account="a.planner")
    told = client.get("/session", headers=shown).json()
    assert (told["name"], told["via"], told["csrf"]) == ("a.planner", "key", None)
    key = shown["Authorization"].removeprefix("Bearer ")
    for path in ("/collections", "/collections/wells/items", "/session"):
        shape(client.get(path, params={"access_token": key}), 400)
    platform = client.get("/session", headers=key_of(peopled, role="platform", areas=["330702"])).json()
    assert (platform["name"], platform["role"], platform["areas"]) == ("key:test", "platform", ["330702"])


def test_what_a_foreign_page_sends_with_the_cookie_is_refused(client: TestClient) -> None:
    csrf = sign_in(client, "a.editor").json()["csrf"]
    files = {"files": ("w.csv", b"code,lon,lat\nN,120.02,28.9\n")}
    assert client.post("/imports", files=files).status_code == 403
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (
            client.post("/imports", files=files, headers=foreign | {"X-CSRF-Token": csrf}).status_code == 403
        )
        assert client.post(SCREEN, json=SITE, headers=foreign).status_code == 403
        assert sign_in(client, "a.editor", **foreign).status_code == 403
    sent = client.post("/imports", files=files, headers={"X-CSRF-Token": csrf})
    assert sent.status_code == 201
    removed = client.delete(f"/imports/{sent.json()['id']}", headers={"X-CSRF-Token": csrf})
    assert removed.status_code in (204, 409)  # it may be read just now
    assert client.post(SCREEN, json=SITE).status_code == 200


# What each role may of the things that change something or take long; the public: 401, others 403.
@pytest.mark.parametrize(
    ("ask", "roles"),
    [
        (lambda c, h: c.post(SCREEN, json=KEEP, headers=h),
         {"planner", "grid_officer", "editor", "regulator", "admin", "platform"}),
        (lambda c, h: c.get("/imports/none", headers=h), {"editor", "admin"}),
        (lambda c, h: c.get("/jobs", headers=h), {"planner", "editor", "regulator", "admin", "platform"}),
        (lambda c, h: c.get("/collections/wells/items", headers=h), set(Role)),
        (lambda c, h: c.post(SCREEN, json=SITE, headers=h), set(Role)),
    ],
)  # fmt: skip
def test_a_role_may_what_the_table_says(
    client: TestClient, peopled: SmallMap, ask: Callable[..., httpx.Response], roles: set[str]
) -> None:
    for role in Role:
        public = role is Role.PUBLIC
        headers = {} if public else key_of(peopled, role=role)
        answer = ask(client, headers)
        if role in roles:
            assert answer.status_code in (200, 404), (role, answer.text)
            continue
        shape(answer, 401 if public else 403)
        if public:
            assert answer.json()["code"] == "credential_needed"
    assert client.get("/imports").json()["allowed"] is False
    assert client.get("/imports", headers=key_of(peopled, role="editor")).json()["allowed"] is True


def test_imports_that_are_turned_off_are_off_for_everybody(peopled: SmallMap) -> None:
    client = client_of(peopled.app(**COSTS, allow_imports=False))
    shape(client.get("/imports/none", headers=key_of(peopled, role="admin")), 403)
    opened = client_of(peopled.app(**COSTS, allow_imports=True))
    shape(opened.get("/imports/none"), 401)  # where there are accounts, a stranger stays one


def test_every_route_says_what_it_is_for(peopled: SmallMap) -> None:
    found = actions_of(peopled.app())
    assert len(found) > 40 and [at for at, actions in found.items() if len(actions) != 1] == []
    reading = ("GET", "OPTIONS")
    writing = {
        at: actions[0] for at, actions in found.items() if at[0] not in reading and at[1] != "/session"
    }
    screens = {at for at, action in writing.items() if action is Action.SCREEN}
    assert screens == {at for at in writing if at[1].endswith("/execution")} - {("POST", BATCH)}
    assert set(writing.values()) == {
        Action.SCREEN, Action.OPERATE, Action.IMPORT, Action.EDIT, Action.MARK, Action.ADMIN
    }  # fmt: skip
    assert [at for at, action in writing.items() if action is Action.MARK] == [("POST", "/conflicts/marks")]
    assert {at for at, action in writing.items() if action is Action.EDIT} == {
        at for at in writing if "/items" in at[1]
    }
    assert {at for at, action in writing.items() if action is Action.ADMIN} == {
        at for at in writing if at[1].startswith("/webhooks")
    }


def test_a_name_that_the_database_cannot_hold_is_nobodys(client: TestClient) -> None:
    shape(sign_in(client, "a.\0planner"), 401)


def test_looks_and_changes_are_written_down(peopled: SmallMap) -> None:
    shown = key_of(peopled, account="a.planner")
    with client_of(peopled.app(**COSTS)) as client:
        for _ in range(3):
            client.get("/collections/wells/items", headers=shown)
        client.get("/collections/wells/tiles/WebMercatorQuad/14/6821/13648", headers=shown)
        other = {"inputs": KEEP["inputs"] | {"site": {"type": "Point", "coordinates": [120.3, 29.1]}}}
        report = client.post(SCREEN, json=other, headers=shown).json()["report"]["id"]
        client.get(f"/reports/{report}", headers=shown)
        client.get("/imports/none", headers=shown)
    assert ("a.planner", f"report {report}", "done") in noted(peopled, "report")
    assert ("a.planner", report, "done") in noted(peopled, "report.see")
    assert ("a.planner", "/imports/none", "refused") in noted(peopled, "import")
    with connect(peopled.engine) as conn:
        looks = [e for e in entries(conn, who="a.planner", action="layer.see") if e.object == "wells"]
        who = conn.scalar(text("SELECT who FROM core.reports WHERE report_id = :id"), {"id": report})
    # The first look at once, the number of all four when the process ends.
    assert [e.detail["times"] for e in looks] == [4, 1] and looks[0].address == "testclient"
    assert who == "a.planner"
