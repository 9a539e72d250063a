"""Hostile requests of somebody who is known, or claims to be, to a server of the two parishes.

They are those of ``hostile_http.json`` that tests/api/test_hostile.py leaves to this file. Where this service
has another address for the same thing (accounts are kept from the command line alone), that is asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import mapbox_vector_tile
import pytest
from sqlalchemy import text

from gis.access import Role
from gis.accounts import register
from gis.accounts.audit import entries, verify
from gis.accounts.keys import add_key
from gis.accounts.passwords import Passwords
from gis.db import connect
from tests.access.conftest import WEST, World
from tests.access.test_tiles import tile_around
from tests.api.test_bounds import serving
from tests.api.test_hostile import BY_SOMEBODY, Told, check, requests, send
from tests.api.test_session import COSTS, WORD

# Who asks, by what the corpus calls them.
PEOPLE = {
    "editor_region_a": ("west", Role.EDITOR, (WEST,)),
    "viewer": ("looker", Role.VIEWER, None),
    "admin": ("keeper", Role.ADMIN, None),
    "cookie": ("keeper", Role.ADMIN, None),
}
HOOK = {"name": "mine", "url": "https://1.1.1.1/hook"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@dataclass(frozen=True)
class Here:
    """What the request is here; the method, body and headers are those of the corpus where none is named."""

    target: str
    method: str | None = None
    body: dict[str, Any] | bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


def _tile_of_the_other_region() -> str:
    tile = tile_around(120.08, 28.92, 14)
    return f"/collections/farms/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"


AS_HERE = {
    "033": Here("/collections/farms/items/E"),
    "035": Here("/collections/keepers/items?filter=parish%3D%27%E4%B8%9C%E4%B9%A1%27"),
    "036": Here(_tile_of_the_other_region()),
    "037": Here("/session", "POST", {"name": "west", "password": WORD, "role": "admin", "areas": None}),
    "038": Here("/webhooks", "POST", HOOK),
    "039": Here("/metrics"),
    "040": Here("/webhooks"),
    "041": Here("/webhooks", headers=(("Authorization", "Bearer onemap_' OR 1=1--"),)),
    "042": Here("/session"),
    "044": Here("/api/audit/1"),
    "056": Here("/session"),
    "057": Here("/webhooks", "POST", HOOK),
    # The length that it says is enough: not a byte of the 300 MB is read.
    "058": Here("/imports", "POST", b"--b\r\n", (*FORM.items(), ("Content-Length", str(300 * 2**20)))),
}


@pytest.fixture(scope="module")
def peopled(open_world: Callable[[], World]) -> World:
    """The two parishes with people who have a password and a key."""
    world = open_world()
    with connect(world.engine, write=True) as conn:
        for name, role, areas in set(PEOPLE.values()):
            register.add(conn, name, WORD, Passwords(1, 8, 1), role=role, areas=areas)
    return world


@pytest.fixture(scope="module")
def server(peopled: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(peopled, home=tmp_path_factory.mktemp("home"), **COSTS) as base:
        yield base


@pytest.fixture(scope="module")
def known_by(peopled: World, server: str) -> dict[str, dict[str, str]]:
    """The header by which the service knows each of the people; made before any password is guessed."""
    signed = httpx.post(f"{server}session", json={"name": PEOPLE["cookie"][0], "password": WORD})
    ((name, token),) = signed.cookies.items()
    shown = {"none": {}, "cookie": {"Cookie": f"{name}={token}"}}
    with connect(peopled.engine, write=True) as conn:
        for who in PEOPLE.keys() - shown.keys():
            shown[who] = {"Authorization": f"Bearer {add_key(conn, 'test', account=PEOPLE[who][0])[1]}"}
    return shown


def held(world: World) -> tuple[Any, ...]:
    """What no hostile request may change: roles and areas of accounts, subscriptions, rows, revisions."""
    with connect(world.engine) as conn:
        found = []
        for question in (
            "SELECT name, role, areas FROM core.accounts ORDER BY name",
            "SELECT count(*) FROM core.subscriptions",
            "SELECT uid, rev_from FROM layer.farms ORDER BY 1, 2",
            "SELECT max(rev) FROM core.revisions",
        ):
            found.append([tuple(row) for row in conn.execute(text(question))])
        return tuple(found)


def body_of(number: str, turn: int) -> bytes | None:
    given, own = requests()[number]["body"], AS_HERE[number].body
    if number == "042":
        # Half of the guesses are at an account that is there.
        name = "keeper" if turn % 2 else "nobody"
        return json.dumps({"name": name, "password": f"guess number {turn}"}).encode()
    if own is not None:
        return own if isinstance(own, bytes) else json.dumps(own).encode()
    return None if given is None else given.encode()


@pytest.mark.parametrize("number", sorted(BY_SOMEBODY & requests().keys()))
def test_a_hostile_request_of_somebody_comes_to_nothing(
    number: str, server: str, peopled: World, known_by: dict[str, dict[str, str]]
) -> None:
    entry, here = requests()[number], AS_HERE[number]
    asked = {"Content-Type": "application/json"} | entry["headers"] | dict(here.headers)
    headers = asked | known_by[entry["auth"]]
    before, log = held(peopled), _log(peopled)
    told = [
        send(server, here.method or entry["method"], here.target, headers, body_of(number, turn))
        for turn in range(min(entry["repeat"], 30))
    ]
    statuses = [each.status for each in told]
    assert {str(status) for status in statuses} <= set(entry["expect"]), statuses
    assert held(peopled) == before
    for must in entry["must"]:
        judge(must, entry, told, server, peopled, log)


def judge(
    must: str, entry: dict[str, Any], told: list[Told], base: str, world: World, log: list[tuple[Any, ...]]
) -> None:
    """Hold the answers against one demand that only accounts and areas give rise to, or as all others."""
    if must == "zero_features_of_other_region":
        (answer,) = told
        if answer.headers.get("content-type") == "application/vnd.mapbox-vector-tile":
            layers = mapbox_vector_tile.decode(answer.body).values()
            shown = [feature["properties"]["uid"] for layer in layers for feature in layer["features"]]
        elif answer.status == 200:
            shown = [feature["id"] for feature in json.loads(answer.body)["features"]]
        else:
            shown = []
        assert "E" not in shown
    elif must == "denial_in_audit":
        assert _refusal_is_noted(world, PEOPLE[entry["auth"]][0])
    elif must == "429_seen":
        assert 429 in {each.status for each in told}
    elif must == "same_time_known_and_unknown_user":
        # A hash is reckoned for both (`Passwords.fits`), so that both take as long; they read the same too.
        answers = [_without_own_names(each) for each in told if each.status == 401]
        assert len(answers) > 2 and all(answer == answers[0] for answer in answers)
    elif must == "audit_unchanged":
        assert _log(world)[: len(log)] == log
        with connect(world.engine) as conn:
            assert verify(conn).fault is None
    elif must == "no_allow_origin_with_credentials":
        for each in told:
            assert not {name for name in each.headers if name.startswith("access-control-allow-")}
    elif must not in ("system_fields_unchanged", "nothing_changed"):  # `held` was looked at for all
        check(must, entry, told, base)


def _refusal_is_noted(world: World, who: str) -> bool:
    """Whether the log says so; it is written when the answer has gone, so a moment later at the latest."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with connect(world.engine) as conn:
            if any(each.outcome == "refused" for each in entries(conn, who=who, action="admin")):
                return True
        time.sleep(0.02)
    return False


def _log(world: World) -> list[tuple[Any, ...]]:
    with connect(world.engine) as conn:
        rows = conn.execute(text("SELECT seq, hash FROM core.audit ORDER BY seq"))
        return [(row.seq, bytes(row.hash)) for row in rows]


def _without_own_names(answer: Told) -> dict[str, Any]:
    return {key: value for key, value in json.loads(answer.body).items() if key not in ("instance", "trace")}


def test_what_is_left_to_somebody_is_sent() -> None:
    assert AS_HERE.keys() == BY_SOMEBODY
