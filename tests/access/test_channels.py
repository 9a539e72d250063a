"""All channels show a scope the same, and the comparison that says so notices when one does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from gis.access import PUBLIC, Role, Scope
from gis.db import connect
from gis.leaks import Compared, compare
from tests.access.conftest import EAST, WEST, World, scope_of

# One of each way to see: all but the controlled, all but one field, some areas of each, nowhere.
SCOPES = [
    PUBLIC,
    Scope(Role.EDITOR),
    Scope(Role.ADMIN),
    scope_of(Role.VIEWER, WEST),
    scope_of(Role.REGULATOR, EAST),
    Scope(Role.VIEWER, ("no such area",)),
]


def leaks(found: list[Compared]) -> list[Compared]:
    return [each for each in found if each.leaks or each.lacking]


@pytest.mark.parametrize("scope", SCOPES, ids=lambda s: f"{s.role}-{'+'.join(s.areas or ('all',))}")
def test_no_channel_shows_more_or_less_than_is_to_be_seen(world: World, scope: Scope) -> None:
    found = list(compare(world.engine, world.definition, scope))
    assert leaks(found) == []
    assert {each.channel for each in found} >= {"sql", "items", "tiles", "export", "search", "screening"}


def test_everybody_sees_something_and_only_some_see_all(world: World) -> None:
    def rows(scope: Scope) -> dict[str, int]:
        found = compare(world.engine, world.definition, scope)
        return {each.layer: each.expected for each in found if each.channel == "items"}

    assert rows(Scope(Role.ADMIN)) == {
        "parishes": 2, "farms": 4, "farmland": 2, "redlines": 1, "springs": 2, "keepers": 3, "conflicts": 5,
    }  # fmt: skip
    west = rows(scope_of(Role.VIEWER, WEST))
    assert (west["farms"], west["redlines"], west["conflicts"], west["keepers"]) == (2, 0, 1, 1)
    assert west["farmland"] > 0  # cells


@pytest.mark.parametrize(
    ("sabotage", "channel"),
    [
        ("DROP POLICY area_0 ON layer.farms; CREATE POLICY wide ON layer.farms USING (true)", "items"),
        ("GRANT SELECT (phone) ON layer.farms TO onemap_viewer_area", "sql"),
        ("ALTER VIEW now.springs SET (security_invoker = false)", "view"),
        ("UPDATE layer.farms SET areas = '{330700001}' WHERE uid = 'O'", "areas"),
    ],
)
def test_a_leak_is_found(open_world: Callable[[], World], sabotage: str, channel: str) -> None:
    world = open_world()
    scope = scope_of(Role.VIEWER, WEST)
    with connect(world.engine, write=True) as conn:
        conn.execute(text(sabotage))
        if channel == "view":  # the store's user passes by policies here, as no other user would
            conn.execute(text("GRANT SELECT ON now.springs TO onemap_viewer_area"))
    found = list(compare(world.engine, world.definition, scope))
    assert channel in {each.channel for each in found if each.leaks}
