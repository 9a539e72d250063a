"""What a scope is told where something is out of its sight: never "clear", never another's answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gis.access import PUBLIC, Role, Scope
from gis.screening.conflicts import refresh
from tests.access.conftest import EAST, WEST, Someone, World, scope_of

AT_W, AT_E, BETWEEN, OUTSIDE = (120.02, 28.92), (120.08, 28.92), (120.04, 28.92), (120.3, 28.7)
ON_BORDER = (120.0499995, 28.93)
ALL = ("CT-01", "CT-02", "CT-03")


def verdicts(answer: dict[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Verdict and what is missing, by rule."""
    found = {each["rule"]: ("clear", ()) for each in answer["clear"]}
    for theme in answer["themes"]:
        for finding in theme["findings"]:
            missing = tuple(each["name"] for each in finding["missing"])
            found[finding["rule"]] = finding["verdict"], missing
    return found


def test_who_sees_all_is_told_all(someone: Someone) -> None:
    told = someone.screen(Scope(Role.REGULATOR), AT_E)
    assert {rule: verdict for rule, (verdict, _) in verdicts(told).items()} == dict.fromkeys(ALL, "conflict")
    assert "no_access" not in told
    between = verdicts(someone.screen(Scope(Role.ADMIN), BETWEEN))
    assert {verdict for verdict, _ in between.values()} == {"clear"}


@pytest.mark.parametrize("place", [AT_W, AT_E, BETWEEN, OUTSIDE])
def test_a_layer_out_of_sight_is_unknown_for_want_of_access(
    someone: Someone, place: tuple[float, float]
) -> None:
    for scope in (None, PUBLIC, Scope(Role.PLANNER)):
        told = someone.screen(scope, place)
        found = verdicts(told)
        assert found["CT-01"] == found["CT-02"] == ("unknown", ("access",))
        assert found["CT-03"][0] == ("conflict" if place in (AT_W, AT_E) else "clear")
        assert [each["id"] for each in told["no_access"]] == ["farmland", "redlines"]
        assert {each["id"] for each in told["layers"]} == {"springs"}
    half = verdicts(someone.screen(Scope(Role.EDITOR), place))
    assert half["CT-02"] == ("unknown", ("access",)) and half["CT-01"][0] in ("conflict", "clear")


def test_a_site_outside_ones_area_is_unknown(someone: Someone) -> None:
    regulator = scope_of(Role.REGULATOR, WEST)
    assert set(verdicts(someone.screen(regulator, AT_E)).values()) == {("unknown", ("access",))}
    assert verdicts(someone.screen(regulator, AT_W))["CT-01"][0] == "conflict"
    inside = verdicts(someone.screen(regulator, BETWEEN))
    assert inside["CT-02"][0] == "clear"
    nowhere = Scope(Role.REGULATOR, ())
    assert set(verdicts(someone.screen(nowhere, AT_W)).values()) == {("unknown", ("access",))}


def test_what_lies_beyond_the_border_of_ones_area_is_never_clear(someone: Someone) -> None:
    found = verdicts(someone.screen(scope_of(Role.REGULATOR, WEST), ON_BORDER))
    assert {verdict for verdict, _ in found.values()} <= {"unknown", "edge"}
    assert {v for v, _ in verdicts(someone.screen(Scope(Role.REGULATOR), ON_BORDER)).values()} == {"clear"}


def steady(answer: httpx.Response) -> bytes:
    """The content without the moment at which it was sent."""
    return re.sub(rb'"timeStamp":"[^"]*"', b"", answer.content)


def test_nobody_is_given_what_was_kept_for_another(someone: Someone) -> None:
    """The same questions in every order: a cache that forgets whom it answered would show here."""
    scopes = [Scope(Role.ADMIN), PUBLIC, scope_of(Role.REGULATOR, WEST), scope_of(Role.REGULATOR, EAST)]
    tile = "/collections/farmland/tiles/WebMercatorQuad/10/425/853"
    for path in (
        "/collections/farmland/items",
        "/app/config",
        tile,
        "/health/layers/farms",
        "/app/conflicts",
    ):
        first = [someone.ask(scope, path) for scope in scopes]
        again = [someone.ask(scope, path) for scope in reversed(scopes)][::-1]
        for scope, one, other in zip(scopes, first, again, strict=True):
            assert one.status_code == other.status_code, (path, scope)
            if path != "/health/layers/farms":  # tells the time of day
                assert steady(one) == steady(other) and one.headers["ETag"] == other.headers["ETag"]
        tags = [one.headers.get("ETag") for one in first if "ETag" in one.headers]
        assert len(set(tags)) == len(tags), path
        held = someone.ask(scopes[0], path, headers={"If-None-Match": str(tags[1] if tags else "")})
        assert held.status_code == 200, "a tag of another's answer is no match"


def test_the_public_map_says_that_a_layer_is_generalised(someone: Someone) -> None:
    config = someone.ask(None, "/app/config").json()
    layers = {layer["id"]: layer for layer in config["layers"]}
    assert "redlines" not in layers and "generalised to 1 km" in layers["farmland"]["title"]["en"]
    assert "概略" in layers["farmland"]["title"]["zh"] and layers["farmland"]["is_indicative"]
    page = someone.ask(None, "/collections/farmland/items").json()
    assert page["numberMatched"] == len(page["features"]) > 0
    assert all(feature["properties"]["is_indicative"] for feature in page["features"])
    assert "phone" not in {field["name"] for field in layers["farms"]["fields"]}
    assert "phone" not in someone.ask(None, "/collections/farms/schema").json()["properties"]
    assert someone.ask(None, "/collections/farms/items?phone=0579-111").status_code == 400
    assert (
        someone.ask(Scope(Role.ADMIN), "/collections/farms/items?phone=0579-111").json()["numberMatched"] == 1
    )


def test_a_report_opens_for_who_sees_what_it_rests_on(someone: Someone) -> None:
    def opens(scope: Scope | None, report: str) -> bool:
        return someone.ask(scope, f"/reports/{report}?f=json").status_code == 200

    whole = someone.screen(Scope(Role.REGULATOR), AT_E, report=True)["report"]["id"]
    assert opens(Scope(Role.ADMIN), whole) and not opens(PUBLIC, whole) and not opens(None, whole)
    assert not opens(scope_of(Role.REGULATOR, EAST), whole), "it was made from more than East"
    east = someone.screen(scope_of(Role.REGULATOR, EAST), AT_E, report=True)["report"]["id"]
    assert opens(scope_of(Role.REGULATOR, EAST), east) and opens(scope_of(Role.ADMIN, EAST, WEST), east)
    assert not opens(scope_of(Role.REGULATOR, WEST), east) and not opens(scope_of(Role.EDITOR, EAST), east)
    public = someone.screen(Scope(Role.PLATFORM), AT_E, report=True)["report"]["id"]
    assert len({whole, east, public}) == 3
    assert all(opens(scope, public) for scope in (None, PUBLIC, Scope(Role.EDITOR), Scope(Role.ADMIN)))
    assert someone.ask(None, f"/reports/{public}/current").json()["unchanged"] is True
    assert someone.ask(None, f"/reports/{whole}/current").status_code == 404


def test_a_layer_that_is_filled_at_once_keeps_its_rights(
    open_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import text

    from gis.db import connect
    from gis.leaks import compare
    from gis.sync import sync

    monkeypatch.setattr("gis.importing.fill.FILL_ROWS", 1)
    world = open_world()
    with connect(world.engine, write=True) as conn:
        conn.execute(text("TRUNCATE layer.farms, layer.conflicts"))
        oid = conn.scalar(text("SELECT 'layer.farms'::regclass::oid"))
    from tests.access.conftest import FARMS

    world.load("farms", FARMS, mode="append")
    with connect(world.engine) as conn:
        assert conn.scalar(text("SELECT 'layer.farms'::regclass::oid")) != oid, "it was not swapped"
    refresh(world.engine, world.definition)
    found = list(compare(world.engine, world.definition, scope_of(Role.VIEWER, WEST)))
    assert [each for each in found if each.leaks or each.lacking] == []
    assert sync(world.engine, world.definition).applied == []
