"""What the database itself shows to each role, whatever the program asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from gis.access import PUBLIC, Role, Scope
from gis.db import ask_once, ask_row, connect, database_role, make_engine, scoped
from gis.errors import DatabaseError, SettingsError
from gis.instep import bring_in_step
from gis.rights import DATABASE_ROLES, make_roles
from gis.settings import Settings
from gis.sources import set_source
from gis.sync import sync
from tests.access.conftest import EAST, WATER, WEST, World, scope_of

NOTHING: frozenset[str] = frozenset()
EXACT = {"farmland": {Role.EDITOR, Role.REGULATOR, Role.ADMIN}, "redlines": {Role.REGULATOR, Role.ADMIN}}
ROWS = {
    "parishes": {WEST: {WEST, EAST}, EAST: {WEST, EAST}, WATER: set(), "": {WEST, EAST}},
    "farms": {WEST: {"W", "B"}, EAST: {"E", "B"}, WATER: {"E", "O"}, "": {"W", "E", "B", "O"}},
    "farmland": {WEST: {"W"}, EAST: {"E"}, WATER: set(), "": {"W", "E"}},
    "springs": {WEST: {"W"}, EAST: {"E"}, WATER: set(), "": {"W", "E"}},
    "redlines": {WEST: set(), EAST: {"E"}, WATER: set(), "": {"E"}},
    "keepers": {WEST: {"W"}, EAST: {"E"}, WATER: set(), "": {"W", "E", "O"}},
}
SCOPES = [scope_of(role, *areas) for role in Role for areas in ((), (WEST,), (EAST,), (WEST, EAST))]
SCOPES += [scope_of(Role.REGULATOR, WATER), scope_of(Role.VIEWER, WEST, WATER)]


def rows_for(scope: Scope, layer: str) -> set[str]:
    """The uids that ``scope`` is to see, from the table above."""
    if scope.role not in EXACT.get(layer, set(Role)):
        return set()
    areas = [""] if scope.areas is None else scope.areas
    return set().union(*(ROWS[layer][area] for area in areas))


def conflicts_for(scope: Scope) -> set[tuple[str, str]]:
    """Subject and zone layer of the conflicts that ``scope`` is to see: where it sees both."""
    every = {("W", "farmland"), ("E", "farmland"), ("W", "springs"), ("E", "springs"), ("E", "redlines")}
    farms = rows_for(scope, "farms")
    return {(s, z) for s, z in every if s in farms and scope.role in EXACT.get(z, set(Role))}


def asked(engine: Engine, scope: Scope | None, question: str) -> list[tuple[object, ...]]:
    with connect(engine, scope=scope) as conn:
        return [tuple(row) for row in conn.execute(text(question))]


@pytest.mark.parametrize("scope", SCOPES, ids=lambda s: f"{s.role}-{'+'.join(s.areas or ('all',))}")
def test_each_role_sees_its_rows_and_no_others(world: World, scope: Scope) -> None:
    with connect(world.engine, scope=scope) as conn:
        for layer in ROWS:
            if scope.role not in EXACT.get(layer, set(Role)):
                continue
            for name in (f"layer.{layer}", f"now.{layer}"):
                found = set(conn.scalars(text(f"SELECT uid FROM {name}")))
                assert found == rows_for(scope, layer), name
        found = conn.execute(text("SELECT subject_uid, zone_layer FROM layer.conflicts WHERE rev_to IS NULL"))
        assert {tuple(row) for row in found} == conflicts_for(scope)


@pytest.mark.parametrize("role", Role)
def test_a_role_without_the_layer_may_not_even_ask(world: World, role: Role) -> None:
    for layer, readers in EXACT.items():
        for question in (f"SELECT uid FROM layer.{layer}", f"SELECT uid FROM now.{layer}"):
            if role not in readers:
                with pytest.raises(DatabaseError, match="permission denied"):
                    asked(world.engine, Scope(role), question)


@pytest.mark.parametrize("role", Role)
def test_a_hidden_field_cannot_be_asked_for(world: World, role: Role) -> None:
    for scope in (Scope(role), scope_of(role, WEST)):
        for question in ("SELECT phone FROM layer.farms", "SELECT * FROM layer.farms"):
            if role in (Role.REGULATOR, Role.ADMIN):
                assert asked(world.engine, scope, question)
            else:
                with pytest.raises(DatabaseError, match="permission denied"):
                    asked(world.engine, scope, question)
    assert asked(world.engine, Scope(role), "SELECT code FROM now.farms")


@pytest.mark.parametrize("role", Role)
def test_others_see_cells_that_hold_what_they_stand_for(world: World, role: Role) -> None:
    cells = "SELECT uid FROM general.farmland WHERE rev_to IS NULL"
    if role in EXACT["farmland"]:
        with pytest.raises(DatabaseError, match="permission denied"):
            asked(world.engine, Scope(role), cells)
        return
    seen = {str(row[0]) for row in asked(world.engine, Scope(role), cells)}
    west = {str(row[0]) for row in asked(world.engine, scope_of(role, WEST), cells)}
    east = {str(row[0]) for row in asked(world.engine, scope_of(role, EAST), cells)}
    assert west and east and not west & east and west | east == seen


def test_cells_are_all_that_the_layer_touches_and_tell_no_outline(world: World) -> None:
    with connect(world.engine) as conn:
        missed = conn.scalar(
            text(
                "SELECT count(*) FROM layer.farmland f WHERE NOT ST_Covers("
                "(SELECT ST_Buffer(ST_Union(geom), 1e-9) FROM general.farmland), f.geom)"
            )
        )
        idle = conn.scalar(
            text(
                "SELECT count(*) FROM general.farmland c WHERE NOT EXISTS "
                "(SELECT FROM layer.farmland f WHERE ST_Intersects(c.geom, f.geom))"
            )
        )
        corners = conn.execute(
            text(
                "SELECT DISTINCT round(ST_X(p)::numeric, 3) % 1000, round(ST_Y(p)::numeric, 3) % 1000 FROM ("
                "SELECT (ST_DumpPoints(ST_Transform(geom, 4549))).geom AS p FROM general.farmland) AS d"
            )
        ).all()
    assert missed == idle == 0
    assert all(min(float(v), 1000 - float(v)) < 0.01 for row in corners for v in row)


def test_no_role_can_do_more_than_read(world: World) -> None:
    with connect(world.engine) as conn:
        held = conn.execute(
            text(
                "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb "
                "FROM pg_roles WHERE rolname = ANY(:names)"
            ),
            {"names": list(DATABASE_ROLES)},
        ).all()
        owned = conn.scalars(
            text("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = ANY(:names)"),
            {"names": list(DATABASE_ROLES)},
        ).all()
        written = conn.scalars(
            text(
                "SELECT table_name FROM information_schema.role_table_grants "
                "WHERE grantee = ANY(:names) AND privilege_type <> 'SELECT'"
            ),
            {"names": list(DATABASE_ROLES)},
        ).all()
        loose = conn.scalars(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname IN ('layer', 'general') AND c.relkind = 'r' "
                "AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
            )
        ).all()
        views = conn.scalars(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = 'now' AND NOT 'security_invoker=true' = ANY(coalesce(c.reloptions, '{}'))"
            )
        ).all()
    assert len(held) == len(DATABASE_ROLES) == 3 * len(Role)
    assert not any(any(row[1:]) for row in held)
    assert owned == written == loose == views == []


def test_a_pooled_connection_forgets_whom_it_asked_for(world: World) -> None:
    engine = create_engine(world.engine.url, pool_size=1, max_overflow=0)
    who = text("SELECT current_user, nullif(current_setting('onemap.areas', true), '')")
    west = scope_of(Role.VIEWER, WEST)
    try:
        with connect(engine) as conn:
            (store,) = conn.execute(who).all()
            backend = conn.scalar(text("SELECT pg_backend_pid()"))

        def is_the_stores() -> None:
            with connect(engine) as conn:
                assert conn.execute(who).all() == [store]
                assert conn.scalar(text("SELECT pg_backend_pid()")) == backend
            with ask_once(engine) as conn:
                assert conn.execute(who).all() == [store]
            with connect(engine, write=True) as conn:
                assert conn.execute(who).all() == [store]

        for ending in ("well", "in an error of the database", "in one of ours"):
            try:
                with connect(engine, scope=west) as conn:
                    assert conn.execute(who).one() == (database_role(west), '{"330700001"}')
                    if ending == "in an error of the database":
                        conn.execute(text("SELECT 1 / 0"))
                    if ending == "in one of ours":
                        raise LookupError
            except (DatabaseError, LookupError):
                assert ending != "well"
            is_the_stores()
        with ask_once(scoped(engine, west)) as conn:
            assert conn.execute(who).one() == (database_role(west), '{"330700001"}')
        is_the_stores()
        assert ask_row(scoped(engine, west), str(who), {}) == (database_role(west), '{"330700001"}')
        is_the_stores()
        with pytest.raises(DatabaseError):
            ask_row(scoped(engine, west), "SELECT 1 / 0", {})
        is_the_stores()
        assert ask_row(engine, str(who), {}) == store
        with connect(scoped(engine, west), write=True) as conn:
            assert conn.execute(who).all() == [store]
        with connect(engine, scope=PUBLIC) as conn:
            assert conn.execute(who).one() == ("onemap_public", "{}")
    finally:
        engine.dispose()


def test_codes_are_codes_and_nothing_else(world: World) -> None:
    for code in ('","', "'", "\\", "}", "330700001,330700002", "NULL", ""):
        assert asked(world.engine, scope_of(Role.VIEWER, code), "SELECT uid FROM layer.farms") == []


def test_rows_follow_the_areas_when_these_change(open_world: Callable[[], World]) -> None:
    world = open_world()
    moved = "code,name,wkt\n330700001,西乡,{}\n330700002,东乡,{}\n".format(
        '"POLYGON((120.00 28.90,120.09 28.90,120.09 28.95,120.00 28.95,120.00 28.90))"',
        '"POLYGON((120.09 28.90,120.10 28.90,120.10 28.95,120.09 28.95,120.09 28.90))"',
    )
    rev = world.load("parishes", moved).change.rev
    west = scope_of(Role.VIEWER, WEST)
    farms = asked(world.engine, west, "SELECT uid FROM layer.farms ORDER BY uid")
    assert [row[0] for row in farms] == ["B", "E", "W"]
    seen = asked(world.engine, west, "SELECT DISTINCT subject_uid FROM layer.conflicts ORDER BY 1")
    assert [row[0] for row in seen] == ["E", "W"]
    touched = asked(world.engine, None, f"SELECT layer FROM core.revision_layers WHERE rev = {rev}")
    assert {row[0] for row in touched} >= {"parishes", "farms", "conflicts"}


def test_a_department_sees_what_its_sources_gave(world: World) -> None:
    water = scope_of(Role.VIEWER, WATER)
    farms = "SELECT uid FROM layer.farms ORDER BY uid"
    assert [row[0] for row in asked(world.engine, water, farms)] == ["E", "O"]
    west_too = scope_of(Role.VIEWER, WEST, WATER)
    assert [row[0] for row in asked(world.engine, west_too, farms)] == ["B", "E", "O", "W"]
    for nobody in ("department:", "department:水利", "水利局", "department:水利局 "):
        assert asked(world.engine, scope_of(Role.VIEWER, nobody), farms) == []
    for layer in ("springs", "keepers", "parishes"):
        assert asked(world.engine, water, f"SELECT uid FROM layer.{layer}") == []
    regulator = scope_of(Role.REGULATOR, WATER)
    subjects = asked(world.engine, regulator, "SELECT DISTINCT subject_uid FROM layer.conflicts ORDER BY 1")
    assert [row[0] for row in subjects] == ["E"]


def test_a_department_sees_a_source_that_is_handed_to_it(open_world: Callable[[], World]) -> None:
    world = open_world()
    farms = "SELECT uid FROM layer.farms ORDER BY uid"
    parks, water = (scope_of(Role.VIEWER, f"department:{name}") for name in ("园林局", "水利局"))
    before = asked(world.engine, None, "SELECT max(rev) FROM core.revisions")
    with connect(world.engine, write=True) as conn:
        set_source(conn, "waterworks", {"bureau": "园林局", "contact": "赵工"})
        set_source(conn, "waterworks", {"bureau": "园林局"})
    assert [row[0] for row in asked(world.engine, parks, farms)] == ["E", "O"]
    assert asked(world.engine, water, farms) == []
    (rev,) = asked(world.engine, None, "SELECT max(rev) FROM core.revisions")[0]
    assert rev == before[0][0] + 1
    touched = asked(world.engine, None, f"SELECT layer FROM core.revision_layers WHERE rev = {rev}")
    assert {row[0] for row in touched} == {"farms", "conflicts"}


def test_who_keeps_what_a_layer_showed_asks_again_when_its_access_changes(
    open_world: Callable[[], World],
) -> None:
    world = open_world()
    bring_in_step(world.engine, world.definition)
    (before,) = asked(world.engine, None, "SELECT max(rev) FROM core.revisions")[0]
    bring_in_step(world.engine, world.definition)
    assert asked(world.engine, None, "SELECT max(rev) FROM core.revisions") == [(before,)]
    springs = world.definition.layers["springs"]
    access = springs.access.model_copy(update={"read": (Role.ADMIN,)})
    layers = world.definition.layers | {"springs": springs.model_copy(update={"access": access})}
    bring_in_step(world.engine, replace(world.definition, layers=layers))
    touched = asked(world.engine, None, f"SELECT rev, layer FROM core.revision_layers WHERE rev > {before}")
    assert {row[1] for row in touched} == {"springs", "conflicts"} and len({row[0] for row in touched}) == 1


def test_a_user_who_may_not_make_roles_is_told_what_to_run(database: Engine) -> None:
    with connect(database, write=True) as conn:
        name = f"plain_{conn.scalar(text('SELECT pg_backend_pid()'))}"
        conn.execute(text(f"CREATE ROLE {name} NOLOGIN"))
    plain = create_engine(database.url, poolclass=NullPool)
    try:
        from sqlalchemy import event

        @event.listens_for(plain, "connect")
        def _become(connection: Any, _record: object) -> None:
            connection.execute(f"SET SESSION AUTHORIZATION {name}")
            connection.commit()

        with pytest.raises(SettingsError) as refused:
            make_roles(plain)
        assert "onemap_public" in refused.value.remedy_en and "GRANT" in refused.value.remedy_en
    finally:
        plain.dispose()
        with connect(database, write=True) as conn:
            conn.execute(text(f"DROP ROLE {name}"))


def test_a_second_sync_grants_nothing_anew(world: World) -> None:
    stamps = "SELECT oid, xmin::text FROM pg_policy ORDER BY oid"
    before = asked(world.engine, None, stamps)
    sync(world.engine, world.definition)
    assert asked(world.engine, None, stamps) == before


def test_a_pool_with_settings_reads_for_a_scope_too(world: World) -> None:
    settings = Settings(
        database_url=world.engine.url.render_as_string(hide_password=False), home=world.folder
    )
    engine = make_engine(settings, pool_size=1)
    try:
        assert len(asked(engine, scope_of(Role.VIEWER, EAST), "SELECT uid FROM layer.farms")) == 2
    finally:
        engine.dispose()
