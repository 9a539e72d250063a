"""All channels show a scope the same, and the comparison that says so notices when one does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from gis.access import PUBLIC, Role, Scope
from gis.db import connect
from gis.leaks import Compared, compare
from tests.access.conftest import EAST, WATER, WEST, World, scope_of

# One of each way to see: all but the controlled, all but one field, some areas of each, nowhere.
SCOPES = [
    PUBLIC,
    Scope(Role.EDITOR),
    Scope(Role.ADMIN),
    scope_of(Role.VIEWER, WEST),
    scope_of(Role.REGULATOR, EAST),
    scope_of(Role.REGULATOR, WATER),
    scope_of(Role.VIEWER, WEST, WATER),
]


def leaks(found: list[Compared]) -> list[Compared]:
    return [each for each in found if each.leaks or each.lacking]


@pytest.mark.parametrize("scope", SCOPES, ids=lambda s: f"{s.role}-{'+'.join(s.areas or ('all',))}")
def test_no_channel_shows_more_or_less_than_is_to_be_seen(world: World, scope: Scope) -> None:
    found = list(compare(world.engine, world.definition, scope))
    assert leaks(found) == []
    assert {each.channel for each in found} >= {
        "sql", "items", "tiles", "export", "search", "screening", "feed", "catalogue", "processes",
    }  # fmt: skip
    rows = {each.layer: each.expected for each in found if each.channel == "items"}
    if scope == Scope(Role.ADMIN):
        assert rows == {
            "parishes": 2, "farms": 4, "farmland": 2, "redlines": 1, "springs": 2, "keepers": 3,
            "conflicts": 5,
        }  # fmt: skip
    if scope == scope_of(Role.VIEWER, WEST):
        assert (rows["farms"], rows["redlines"], rows["conflicts"], rows["keepers"]) == (2, 0, 1, 1)
        assert rows["farmland"] > 0  # cells


def test_leaks_are_found(open_world: Callable[[], World]) -> None:
    world = open_world()
    # The store's user passes by policies here, as no other would: so a view without its caller leaks all.
    for sabotage in (
        "DROP POLICY area_0 ON layer.farms",
        "CREATE POLICY wide ON layer.farms USING (true)",
        "GRANT SELECT (phone) ON layer.farms TO onemap_viewer_area",
        "ALTER VIEW now.springs SET (security_invoker = false)",
        "UPDATE layer.farms SET areas = '{330700001}' WHERE uid = 'O'",
    ):
        with connect(world.engine, write=True) as conn:
            conn.execute(text(sabotage))
    found = list(compare(world.engine, world.definition, scope_of(Role.VIEWER, WEST)))
    told = {(each.channel, each.layer): each.leaked for each in found if each.leaks}
    assert "E" in told["items", "farms"] and set(told["sql", "farms"]) == {"E", "field phone"}
    assert "E" in told["feed", "farms"] and "E" in told["processes", "farms"] and told["catalogue", "farms"]
    assert told["view", "springs"] == ("E",) and told["areas", "farms"] == ("1 rows",)
