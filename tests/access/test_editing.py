"""Who writes which rows: within their areas, before and after, and without touching what they do not see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from gis.access import PUBLIC, Role, Scope
from gis.accounts.audit import entries
from gis.db import connect
from gis.editing import may_edit
from gis.errors import AccessError
from tests.access.conftest import EAST, WATER, WEST, Someone, World, scope_of
from tests.api.conftest import close_log
from tests.api.test_hostile import requests

FARMS = "/collections/farms/items"
IN_WEST, IN_EAST, ON_BORDER, NOWHERE = (120.03, 28.93), (120.07, 28.93), (120.05, 28.93), (120.3, 28.7)
WESTERN = scope_of(Role.EDITOR, WEST)
EDITOR, ADMIN = Scope(Role.EDITOR), Scope(Role.ADMIN)


def farm(code: str, at: tuple[float, float], **more: Any) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": list(at)}
    return {"type": "Feature", "geometry": place, "properties": {"code": code, "name": code, **more}}


def rows(own_world: World) -> dict[str, tuple[Any, ...]]:
    """All current farms as the store has them: place, phone, areas."""
    place = "round(ST_X(geom)::numeric, 6)::float8"
    asked = f"SELECT uid, {place}, phone, areas FROM layer.farms WHERE rev_to IS NULL"
    with connect(own_world.engine) as conn:
        return {row[0]: tuple(row[1:]) for row in conn.execute(text(asked))}


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert b"0579-" not in answer.content


def test_a_role_with_areas_writes_within_them(own_someone: Someone, own_world: World) -> None:
    made = own_someone.ask(WESTERN, FARMS, "POST", json=farm("NW", IN_WEST))
    assert made.status_code == 201, made.text
    assert rows(own_world)["NW"] == (120.03, None, [WEST])
    assert own_someone.ask(WESTERN, f"{FARMS}/NW", "PUT", json=farm("NW", (120.02, 28.91))).status_code == 200
    patched = own_someone.ask(WESTERN, f"{FARMS}/NW", "PATCH", json={"properties": {"name": "新"}})
    assert patched.status_code == 200
    one = own_someone.ask(WESTERN, f"{FARMS}/NW", "OPTIONS").headers["allow"]
    assert one == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert own_someone.ask(WESTERN, f"{FARMS}/NW", "DELETE").status_code == 204


@pytest.mark.parametrize("at", [IN_EAST, ON_BORDER, NOWHERE])
def test_no_row_is_made_or_moved_out_of_ones_areas(
    own_someone: Someone, own_world: World, at: tuple[float, float]
) -> None:
    before = rows(own_world)
    refused(own_someone.ask(WESTERN, FARMS, "POST", json=farm("OUT", at)), 403)
    refused(own_someone.ask(WESTERN, f"{FARMS}/W", "PUT", json=farm("W", at)), 403)
    moved = {"geometry": {"coordinates": list(at)}}
    refused(own_someone.ask(WESTERN, f"{FARMS}/W", "PATCH", json=moved), 403)
    assert rows(own_world) == before


def test_a_row_of_another_area_is_not_there_and_one_on_the_border_is_not_ones_own(
    own_someone: Someone, own_world: World
) -> None:
    before = rows(own_world)
    for uid, status in (("E", 404), ("O", 404), ("B", 403)):
        path = f"{FARMS}/{uid}"
        refused(own_someone.ask(WESTERN, path, "PATCH", json={"properties": {"name": "x"}}), status)
        refused(own_someone.ask(WESTERN, path, "PUT", json=farm(uid, IN_WEST)), status)  # nor taken into them
        refused(own_someone.ask(WESTERN, path, "DELETE"), status)
        allowed = own_someone.ask(WESTERN, path, "OPTIONS")
        assert allowed.headers.get("allow") == ("GET, HEAD, OPTIONS" if uid == "B" else None)
    # A key that somebody else's row has is taken: what is said is what is said of one's own, and no more.
    hidden, own = (own_someone.ask(WESTERN, FARMS, "POST", json=farm(key, IN_WEST)) for key in ("E", "W"))
    for answer in (hidden, own):
        refused(answer, 409)
    assert hidden.text.replace("'E'", "'W'").replace("“E”", "“W”") == own.text
    assert hidden.headers.keys() == own.headers.keys() and "etag" not in hidden.headers
    # Beyond one's areas nothing is told of keys at all.
    for key in ("E", "NONE"):
        assert own_someone.ask(WESTERN, FARMS, "POST", json=farm(key, IN_EAST)).status_code == 403
    both = scope_of(Role.EDITOR, WEST, EAST)
    assert (
        own_someone.ask(both, f"{FARMS}/B", "PATCH", json={"properties": {"name": "界"}}).status_code == 200
    )
    assert rows(own_world) == before


def test_a_department_writes_what_its_sources_gave(own_someone: Someone, own_world: World) -> None:
    water = scope_of(Role.EDITOR, WATER)
    before = rows(own_world)
    moved = {"geometry": {"coordinates": list(NOWHERE)}}
    assert own_someone.ask(water, f"{FARMS}/E", "PATCH", json=moved).status_code == 200
    assert rows(own_world)["E"][0] == NOWHERE[0]
    back = {"geometry": {"coordinates": [120.08, 28.92]}}
    assert own_someone.ask(water, f"{FARMS}/E", "PATCH", json=back).status_code == 200
    refused(own_someone.ask(water, f"{FARMS}/W", "PATCH", json=moved), 404)
    refused(own_someone.ask(water, FARMS, "POST", json=farm("NEW", IN_EAST)), 403)
    assert rows(own_world) == before


def test_a_register_goes_by_the_township_that_it_names(own_someone: Someone) -> None:
    keepers = "/collections/keepers/items"

    def keeper(code: str, parish: str | None) -> dict[str, Any]:
        values = {"code": code, "name": "某", "parish": parish}
        return {"type": "Feature", "geometry": None, "properties": values}

    assert own_someone.ask(WESTERN, keepers, "POST", json=keeper("K", "西乡")).status_code == 201
    for parish in ("东乡", None):
        refused(own_someone.ask(WESTERN, keepers, "POST", json=keeper("K2", parish)), 403)
        refused(own_someone.ask(WESTERN, f"{keepers}/K", "PUT", json=keeper("K", parish)), 403)


def test_nobody_with_areas_draws_the_areas(own_someone: Someone) -> None:
    path = f"/collections/parishes/items/{WEST}"
    refused(own_someone.ask(WESTERN, path, "PATCH", json={"properties": {"name": "x"}}), 403)
    assert own_someone.ask(WESTERN, path, "OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS"
    assert "PATCH" in own_someone.ask(EDITOR, path, "OPTIONS").headers["allow"]


def test_rows_follow_areas_that_are_edited(open_world: Callable[[], World]) -> None:
    own_world = open_world()
    own_someone = own_world.someone()
    wider = [[[120.0, 28.9], [120.09, 28.9], [120.09, 28.95], [120.0, 28.95], [120.0, 28.9]]]
    patch = {"geometry": {"type": "Polygon", "coordinates": wider}}
    assert own_someone.ask(WESTERN, f"{FARMS}/E").status_code == 404
    answer = own_someone.ask(EDITOR, f"/collections/parishes/items/{WEST}", "PATCH", json=patch)
    assert answer.status_code == 200, answer.text
    assert own_someone.ask(WESTERN, f"{FARMS}/E").status_code == 200


def test_a_hidden_value_is_neither_lost_nor_set(own_someone: Someone, own_world: World) -> None:
    assert own_someone.ask(EDITOR, f"{FARMS}/W").json()["properties"].get("phone", "hidden") == "hidden"
    for answer in (
        own_someone.ask(EDITOR, f"{FARMS}/W", "PUT", json=farm("W", (120.021, 28.921))),
        own_someone.ask(EDITOR, f"{FARMS}/W", "PATCH", json={"properties": {"name": "改"}}),
    ):
        assert answer.status_code == 200, answer.text
    assert rows(own_world)["W"][:2] == (120.021, "0579-111")
    for given in ("0579-999", None, 5):
        for method, body in (
            ("PUT", farm("W", IN_WEST, phone=given)),
            ("PATCH", {"properties": {"name": "y", "phone": given}}),
        ):
            answer = own_someone.ask(EDITOR, f"{FARMS}/W", method, json=body)
            if method == "PATCH" and given is None:
                assert answer.status_code == 200  # it takes away what this editor has not got
            else:
                refused(answer, 422)
                assert answer.json()["findings"][0]["code"] == "property_unknown"
                assert "phone" not in answer.json()["remedy"]
    assert rows(own_world)["W"][1] == "0579-111"
    changed = own_someone.ask(ADMIN, f"{FARMS}/W", "PATCH", json={"properties": {"phone": "0579-112"}})
    assert changed.status_code == 200 and rows(own_world)["W"][1] == "0579-112"


def test_a_layer_shown_as_cells_is_not_written(own_someone: Someone) -> None:
    body = {"type": "Feature", "geometry": None, "properties": {"code": "X"}}
    for path, method in (("", "POST"), ("/E", "PUT"), ("/E", "DELETE")):
        answer = own_someone.ask(EDITOR, f"/collections/redlines/items{path}", method, json=body)
        assert answer.status_code in (403, 404)


def test_while_there_are_no_accounts_nobody_writes_what_is_shown_as_cells(own_world: World) -> None:
    seen = own_world.definition.seen_by(Role.PUBLIC).layers
    cells = [layer for layer in seen.values() if layer.is_generalised]
    assert cells and all(
        isinstance(may_edit(own_world.definition, PUBLIC, each), AccessError) for each in cells
    )
    assert may_edit(own_world.definition, PUBLIC, seen["farms"]) is None


def test_the_hostile_patch_of_another_area_comes_to_nothing(own_someone: Someone, own_world: World) -> None:
    """Number 034 of the corpus of bad requests; it needs an editor of one area, and an item in another."""
    entry = requests().get("034", {"method": "PATCH", "headers": {}, "body": '{"properties":{"name":"x"}}'})
    before = rows(own_world)
    headers = {"Content-Type": "application/json", **entry["headers"]}
    for uid in ("E", "B"):
        answer = own_someone.ask(
            WESTERN, f"{FARMS}/{uid}", entry["method"], content=entry["body"], headers=headers
        )
        assert answer.status_code in (403, 404)
    assert rows(own_world) == before
    close_log(own_someone.client)
    with connect(own_world.engine) as conn:
        told = [e.object for e in entries(conn, action="edit") if e.outcome == "refused"]
    assert f"PATCH {FARMS}/B" in told
