"""Every route as every role, in its own area and in another: by the rules of `api.access`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from api.access import RULES, Rule, actions_of, require_rules
from api.identity import Action
from gis.access import PUBLIC, Role, Scope
from gis.accounts.actions import MAY
from gis.db import scoped
from gis.jobs import enqueue
from tests.access.conftest import EAST, WATER, WEST, Someone, World, scope_of
from tests.access.test_policies import EXACT, ROWS, rows_for

# Each role, and of those that see differently also one that is limited to West.
LIMITED = (Role.VIEWER, Role.REGULATOR, Role.EDITOR)
SCOPES = [*(Scope(role) for role in Role), *(scope_of(role, WEST) for role in LIMITED)]
SCOPES.append(scope_of(Role.REGULATOR, WATER))
TRIED = ("farms", "farmland", "redlines", "keepers")
MAKER = scope_of(Role.REGULATOR, EAST)
# Changes nothing, whoever sends it: no item has this version, and none lacks its name.
FROM_ELSEWHERE = {"X-Forwarded-For": "192.0.2.1", "If-Match": '"none"'}
NOTHING = {"type": "Feature", "geometry": None, "properties": {}}
VALUES = {
    "matrix_set": "WebMercatorQuad",
    "matrix": "WebMercatorQuad",
    "process": "screen",
    "z": "8",
    "y": "106",
    "x": "213",
    "raster": "elevation",
    "name": "survey",
}
QUERIES = {
    "/app/search": "?q=E",
    "/rasters/{raster}/value": "?lon=120&lat=29",
    "/imports/{id}/preview": "?crs=EPSG:4490",
}


@pytest.fixture(scope="module")
def made(world: World, someone: Someone) -> dict[str, str]:
    """A report and a job of a regulator of East; the report rests on the red line there."""
    report = someone.screen(MAKER, (120.08, 28.92), report=True)["report"]["id"]
    job = enqueue(scoped(world.engine, MAKER), "screen.batch", {}, queue_key="test")
    return {"report": report, "job": str(job)}


@pytest.fixture(scope="module")
def actions(world: World) -> dict[tuple[str, str], list[Action]]:
    """What each route says that it is for."""
    return actions_of(world.app())


def filled(path: str, made: dict[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    """Addresses of a route, each with the layer and the row that it names."""
    named = {"reports": made["report"], "catalogue": "parishes"}
    found = next((name for part, name in named.items() if part in path), "A" * 22)
    values = VALUES | {"job_id": made["job"], "id": found}
    layers = TRIED if "{layer}" in path or "{style}" in path else (None,)
    for layer in layers:
        uids = sorted(ROWS.get(layer or "", {"": set()})[""] & {"W", "E"}) if "{uid" in path else [None]
        for uid in uids:
            names = values | {"layer": layer or "", "style": layer or "", "uid": uid or ""}
            yield path.replace(":path", "").format_map(names) + QUERIES.get(path, ""), layer, uid


def is_seen(world: World, scope: Scope, path: str, layer: str | None, uid: str | None) -> bool:
    """Whether a route that shows what a scope sees has anything there."""
    if layer is None:
        return True
    seen = world.definition.seen_by(scope.role).layers.get(layer)
    if seen is None:
        return False
    if "/claims/" in path or (not seen.has_geometry and "tiles/" in path):
        return False  # no layer here is linked, and a register has no tiles
    if path.startswith("/styles/"):
        return seen.has_geometry
    return uid is None or uid in rows_for(scope, layer)


def expected(
    rule: Rule, scope: Scope, path: str, world: World, layer: str | None, uid: str | None
) -> set[int]:
    """The statuses that a rule allows, to a role that may do what the route is for."""
    unlimited = scope.areas is None
    if path == "/session":
        return {200, 204, 400, 403, 415}  # who one is; a body, or the word of the session, is missing
    if rule == Rule.OPEN:
        return {200, 204}
    if rule == Rule.SEEN:
        return {200, 204, 400, 422} if is_seen(world, scope, path, layer, uid) else {404}
    if rule == Rule.OWN and "/reports/" in path:
        return {200} if scope.role in EXACT["redlines"] and unlimited else {404}
    if rule == Rule.OWN:
        return {200} if path == "/jobs" else {404}
    if rule == Rule.MEMBER:
        return {400, 415, 422}
    if rule == Rule.EDIT:
        return {edited(scope, path, world, layer, uid)}
    if rule == Rule.ADMIN:
        return {200, 204, 400, 404, 415, 422}
    return {400, 404, 415, 422} if unlimited else {403}


def edited(scope: Scope, path: str, world: World, layer: str | None, uid: str | None) -> int:
    """The status of an item that lacks all values, or that is to be of a version that there never was."""
    assert layer is not None
    if layer not in world.definition.seen_by(scope.role).layers:
        return 404
    if scope.role not in EXACT.get(layer, set(Role)):
        return 403  # it sees cells
    if uid is None:
        return 422
    return 412 if uid in rows_for(scope, layer) else 404


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's, on affine 3
@pytest.mark.parametrize("route", sorted(RULES), ids=lambda route: " ".join(route))
def test_a_route_answers_each_role_by_its_rule(
    world: World,
    someone: Someone,
    made: dict[str, str],
    actions: dict[tuple[str, str], list[Action]],
    route: tuple[str, str],
) -> None:
    method, path = route
    (action,) = actions[route]
    bodies = set()
    for address, layer, uid in filled(path, made):
        for scope in SCOPES:
            # From elsewhere, so that the public has no part in what the machine itself may do.
            given = {"json": NOTHING} if RULES[route] == Rule.EDIT else {}
            answer = someone.ask(scope, address, method, headers=FROM_ELSEWHERE, **given)
            if action in MAY[scope.role]:
                wanted = expected(RULES[route], scope, path, world, layer, uid)
            else:
                wanted = {401 if scope.role == Role.PUBLIC else 403}
            if method == "PUT" and wanted == {404} and layer in world.definition.seen_by(scope.role).layers:
                wanted = {412}  # of what is not there, no version is the right one
            assert answer.status_code in wanted, (address, scope, answer.text[:300])
            bodies.add(answer.content)
            if uid is None or uid not in rows_for(scope, layer or ""):
                assert b"0579-" not in answer.content or scope.role in (Role.REGULATOR, Role.ADMIN)
            if answer.status_code == 200 and "ETag" in answer.headers and scope != PUBLIC:
                assert "private" in answer.headers["Cache-Control"], address
    if RULES[route] == Rule.OPEN and path not in ("/imports", "/session"):
        assert len(bodies) == 1, "an open route answers everybody alike"


def test_a_job_is_its_owners_and_nobody_elses(someone: Someone, made: dict[str, str]) -> None:
    def jobs(scope: Scope) -> list[str]:
        return [job["jobID"] for job in someone.ask(scope, "/jobs").json()["jobs"]]

    assert made["job"] in jobs(MAKER) and someone.ask(MAKER, f"/jobs/{made['job']}").status_code == 200
    for scope in SCOPES:
        if Action.OPERATE in MAY[scope.role]:
            assert made["job"] not in jobs(scope)


def _secret() -> str:
    return "told to everybody"


def test_every_route_has_a_rule_and_none_starts_without(world: World) -> None:
    app = world.app()
    assert actions_of(app).keys() == RULES.keys()
    app.add_api_route("/secrets", _secret, methods=["GET"])
    with pytest.raises(RuntimeError, match="/secrets"):
        require_rules(app)
    with pytest.raises(RuntimeError, match="/collections"):
        require_rules(FastAPI())


def test_a_route_without_an_action_keeps_the_service_from_starting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = world.app()
    app.add_api_route("/secrets", _secret, methods=["GET"])
    monkeypatch.setitem(RULES, ("GET", "/secrets"), Rule.OPEN)
    with pytest.raises(RuntimeError, match=r"one action.*/secrets"):
        require_rules(app)
