"""Marks over HTTP: who may, of which conflicts, and that what was said is on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gis.access import PUBLIC, Role, Scope
from gis.accounts.audit import entries
from gis.db import connect
from tests.access.conftest import EAST, WATER, WEST, Someone, World, scope_of
from tests.access.test_policies import asked

TODAY = datetime.now(UTC).date()
ADMIN = Scope(Role.ADMIN)
MARKED = "/conflicts/marks"


def conflict(own_world: World, subject: str, zone: str) -> str:
    wanted = f"subject_uid = '{subject}' AND zone_layer = '{zone}' AND rev_to IS NULL"
    return str(asked(own_world.engine, None, f"SELECT uid FROM layer.conflicts WHERE {wanted}")[0][0])


def say(
    own_someone: Someone, scope: Scope, uid: str, kind: str = "challenged", **more: Any
) -> httpx.Response:
    body = {"uid": uid, "mark": kind, "why": "量错", **more}
    return own_someone.ask(scope, MARKED, "POST", json=body, headers={"X-Forwarded-For": "192.0.2.1"})


def test_a_mark_is_said_seen_and_taken_back(own_world: World, own_someone: Someone) -> None:
    uid = conflict(own_world, "W", "springs")
    item = f"/collections/conflicts/items/{uid}"
    before = own_someone.ask(ADMIN, item).headers["ETag"]
    until = (TODAY + timedelta(days=30)).isoformat()
    made = say(own_someone, ADMIN, uid, "accepted", until=until)
    assert made.status_code == 201, made.text
    assert (made.json()["status"], made.json()["mark"]["until"]) == ("accepted", until)
    seen = own_someone.ask(ADMIN, item)
    assert seen.headers["ETag"] != before
    assert seen.json()["standing"] == made.json()
    with connect(own_world.engine) as conn:
        kept = [each for each in entries(conn) if each.action == "mark"]
    assert [(each.object, each.outcome, each.who) for each in kept] == [(uid, "done", "key:test")]
    assert made.json()["mark"]["who"] == "key:test"
    assert say(own_someone, ADMIN, uid, "withdrawn").json()["status"] == "open"
    assert [each["mark"] for each in own_someone.ask(ADMIN, item).json()["standing"]["marks"]] == [
        "withdrawn", "accepted",
    ]  # fmt: skip


def test_who_may_not_mark_or_does_not_see_the_conflict_is_refused(
    own_world: World, own_someone: Someone
) -> None:
    west, east = conflict(own_world, "W", "springs"), conflict(own_world, "E", "springs")
    red = conflict(own_world, "E", "redlines")
    officer = scope_of(Role.GRID_OFFICER, WEST)
    before = asked(own_world.engine, None, "SELECT count(*) FROM core.conflict_marks")
    assert say(own_someone, PUBLIC, west).status_code == 401
    for role in (Role.VIEWER, Role.PLATFORM):
        assert say(own_someone, Scope(role), west).status_code == 403
    assert say(own_someone, officer, east).status_code == 404
    assert say(own_someone, Scope(Role.PLANNER), red).status_code == 404  # a layer that planners do not see
    assert say(own_someone, scope_of(Role.GRID_OFFICER, WATER), west).status_code == 404
    for wrong in ("", "nobody", "a\0b", "x" * 2000):
        assert say(own_someone, ADMIN, wrong).status_code in (400, 404, 422)
    for more in ({"why": ""}, {"why": "  "}, {"kind": "closed"}, {"until": "2020-01-01"}, {"until": "soon"}):
        assert say(own_someone, ADMIN, west, **more).status_code in (400, 422), more
    assert asked(own_world.engine, None, "SELECT count(*) FROM core.conflict_marks") == before
    assert say(own_someone, officer, west).status_code == 201
    assert say(own_someone, scope_of(Role.GRID_OFFICER, EAST, WATER), east).status_code == 201
    assert say(own_someone, Scope(Role.REGULATOR), red).status_code == 201
