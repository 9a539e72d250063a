"""What the database lets each role see: its roles, grants of columns, and policies of rows.

A `gis.access.Scope` reads under one of these roles, none of which logs in, owns anything, is a superuser or
passes by policies. Each role of people has three: for the whole district, for areas (``..._area``), whose
codes are in the setting ``onemap.areas`` of the transaction, and for areas and departments
(``..._department``), whose sources are in ``onemap.sources``. Policies compare plain columns with constants
and with these settings, never geometry: a policy ``USING (true)`` costs nothing and leaves the planner the
spatial index, and all that a layer's definition decides is decided here, once, when it is synchronised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from gis import tables
from gis.access import DEPARTMENT, Role, Scope
from gis.db import connect, database_role
from gis.errors import SettingsError
from gis.settings import MapDefinition
from layers.access import generalised
from layers.model import Layer

__all__ = ["DATABASE_ROLES", "OPEN_VIEWS", "carried", "make_roles", "quoted", "secure_core", "secure_layer"]

_WHOLE = {role: database_role(Scope(role)) for role in Role}
_AREA = {role: database_role(Scope(role, areas=())) for role in Role}
_DEPARTMENT = {role: database_role(Scope(role, areas=(DEPARTMENT,))) for role in Role}
DATABASE_ROLES = (*_WHOLE.values(), *_AREA.values(), *_DEPARTMENT.values())
OPEN_VIEWS = "now"

# What anybody may know of the store, and what of it is told by layer: only to those who see the layer. The
# latter says how much a layer holds as a whole, which is not for those who see but a part of it.
_FOR_ALL = ("store", "revisions", "sources", "rule_texts")
_BY_LAYER = ("coverage", "judgings")
_BY_WHOLE_LAYER = ("promises", "import_runs", "links", "uncovered", "harvests")
# Made from all rows of a layer: for those only from whom no row of it is withheld.
_BY_EVERY_ROW = ("tile_levels", "tile_rows", "tile_shapes", "tile_cells")
# Whole features: for those only who see every row and just the fields that they tell.
_BY_FORM = ("item_forms", "item_rows", "item_blocks", "item_cells")
_COLUMNS = {
    "harvests": ("harvest_id", "name", "layer", "source_id", "kind", "every", "enabled", "mark", "full_at",
                 "next_at", "failures"),
    "rejects": ("reject_id", "run_id", "row_no", "field", "code", "severity", "owner", "resolved_by"),
    "procrastinate_jobs": ("id", "task_name", "status", "attempts", "abort_requested", "queueing_lock"),
}  # fmt: skip
# Rows that belong to rows of another table, which has its own policies: they are seen with those.
_BY_ROW = {
    "rejects": ("run_id", "import_runs"),
    "harvest_runs": ("harvest_id", "harvests"),
    "report_faces": ("report_id", "reports"),
}
# Planned as a constant, so that the planner knows how many rows an area has.
_AREAS = "nullif(current_setting('onemap.areas', true), '')::text[]"
_SOURCES = "nullif(current_setting('onemap.sources', true), '')::int[]"
_SEES_CONFLICT = "core.sees_conflict"
_SEES_ROW = "core.sees_row"
_TRIES = 5
_OWN = "store"
"""The policy of a table's owner, who writes; its comment names what was applied to the table."""


def quoted(name: str) -> str:
    """``name`` as an SQL identifier. Names come from definitions only, never from a request."""
    return '"' + name.replace('"', '""') + '"'


def _value(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def _texts(words: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(map(_value, sorted(words)))}]::text[]"


# --- roles ------------------------------------------------------------------------------------------------


def make_roles(engine: Engine) -> None:
    """Make the roles that are missing, and let the user who logs in take them.

    Roles belong to the whole server, so others may be at it at the same moment, for other databases.

    Raises
    ------
    SettingsError
        When the user may not make roles; it says what somebody who may has to run.
    """
    for attempt in range(_TRIES):
        try:
            with connect(engine, write=True) as conn:
                lacking = _lacking(conn)
                if lacking:
                    _make(conn, lacking)
            return
        except _Raced:
            if attempt + 1 == _TRIES:
                raise


class _Raced(Exception):
    """Somebody else made or granted the same role meanwhile."""


def _lacking(conn: Connection) -> list[str]:
    """The roles that are not there or that the user may not take."""
    listed = text(
        "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE NOT coalesce((SELECT "
        "pg_has_role(session_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = name), false)"
    )
    return list(conn.scalars(listed, {"names": list(DATABASE_ROLES)}))


def _make(conn: Connection, names: Sequence[str]) -> None:
    # From PostgreSQL 16 on a member need not inherit what it may become: then nothing is read by accident.
    parted = conn.scalar(text("SELECT current_setting('server_version_num')::int >= 160000"))
    how = " WITH INHERIT FALSE, SET TRUE" if parted else ""
    statements = [f"GRANT {', '.join(names)} TO SESSION_USER{how}"]
    there = set(conn.scalars(text("SELECT rolname FROM pg_roles")))
    for name in names:
        if name not in there:
            statements.insert(0, f"CREATE ROLE {name} NOLOGIN NOINHERIT")
    try:
        for statement in statements:
            conn.exec_driver_sql(statement)
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", "")
        if state == "42501":
            raise _may_not(statements) from error
        # Another's role (23505, 42710), or its grant in the same moment ("tuple concurrently updated").
        if state in ("23505", "42710", "XX000", "40001"):
            raise _Raced from error
        raise


def _may_not(statements: Sequence[str]) -> SettingsError:
    run = "; ".join(statements).replace("SESSION_USER", "<the user of ONEMAP_DATABASE_URL>")
    return SettingsError(
        "The database user may not make the roles that people read under.",
        "数据库用户无权创建访问所用的角色。",
        remedy_en=f"Let an administrator of the server run once: {run}",
        remedy_zh=f"请由数据库管理员执行一次：{run}",
    )


# --- what is said of a table ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Policy:
    """Which rows some roles see; several of one table are alternatives."""

    name: str
    roles: tuple[str, ...]
    rows: str


def _renewed(
    target: str,
    columns: Mapping[str, Sequence[str] | None],
    policies: Iterable[_Policy],
    owner: str,
    *,
    forced: bool,
) -> Iterator[str]:
    """The statements that let roles see ``columns`` (None: all) of a table and its rows, and nobody else."""
    yield f"REVOKE ALL ON {target} FROM {', '.join(DATABASE_ROLES)}"
    by_columns: dict[tuple[str, ...] | None, list[str]] = {}
    for role, names in columns.items():
        by_columns.setdefault(None if names is None else tuple(names), []).append(role)
    for names, roles in by_columns.items():
        listed = "" if names is None else f" ({', '.join(map(quoted, names))})"
        yield f"GRANT SELECT{listed} ON {target} TO {', '.join(roles)}"
    yield f"ALTER TABLE {target} ENABLE ROW LEVEL SECURITY"
    if forced:
        yield f"ALTER TABLE {target} FORCE ROW LEVEL SECURITY"
    own = _Policy(_OWN, (quoted(owner),), "true")
    for policy in (own, *policies):
        check = " WITH CHECK (true)" if policy is own else ""
        kind = "ALL" if policy is own else "SELECT"
        yield (
            f"CREATE POLICY {policy.name} ON {target} FOR {kind} TO {', '.join(policy.roles)} "
            f"USING ({policy.rows}){check}"
        )


def _apply(conn: Connection, schema: str, name: str, statements: Iterable[str]) -> None:
    """Run ``statements`` for a table in place of its policies, unless they are what it has already."""
    wanted = list(statements)
    stamp = _stamp(wanted)
    named = text(
        "SELECT p.polname, coalesce(obj_description(p.oid, 'pg_policy'), '') FROM pg_policy p "
        "WHERE p.polrelid = to_regclass(:table)"
    )
    found = conn.execute(named, {"table": f"{schema}.{quoted(name)}"}).all()
    policies = {row[0]: row[1] for row in found}
    if policies.get(_OWN) == stamp and _granted(conn, f"{schema}.{quoted(name)}", wanted):
        return
    wanted.append(f"COMMENT ON POLICY {_OWN} ON {schema}.{quoted(name)} IS {_value(stamp)}")
    for policy in policies:
        conn.exec_driver_sql(f"DROP POLICY {quoted(policy)} ON {schema}.{quoted(name)}")
    for statement in wanted:
        conn.exec_driver_sql(statement.replace("%", "%%"))


def _apply_to_view(conn: Connection, name: str, readers: Sequence[Role]) -> None:
    """Let ``readers`` ask the view ``name``, as themselves."""
    view = f"{OPEN_VIEWS}.{quoted(name)}"
    wanted = [
        f"ALTER VIEW {view} SET (security_invoker = true)",
        f"REVOKE ALL ON {view} FROM {', '.join(DATABASE_ROLES)}",
        *([f"GRANT SELECT ON {view} TO {', '.join(_all_of(readers))}"] if readers else []),
    ]
    stamp = _stamp(wanted)
    held = text("SELECT obj_description(to_regclass(:view), 'pg_class')")
    if conn.scalar(held, {"view": view}) == stamp and _granted(conn, view, wanted):
        return
    for statement in (*wanted, f"COMMENT ON VIEW {view} IS {_value(stamp)}"):
        conn.exec_driver_sql(statement.replace("%", "%%"))


def _granted(conn: Connection, target: str, statements: Iterable[str]) -> bool:
    """Whether anything is granted on a table or view as ``statements`` want it: a restore brings none."""
    wanted = any(statement.startswith("GRANT") for statement in statements)
    mine = text(
        "SELECT EXISTS (SELECT FROM unnest(CAST(:roles AS text[])) AS role "
        "WHERE has_any_column_privilege(role, :target, 'SELECT'))"
    )
    return not wanted or bool(conn.scalar(mine, {"roles": list(DATABASE_ROLES), "target": target}))


def _stamp(statements: Iterable[str]) -> str:
    return "rights " + hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]


_CARRIED = """
SELECT 1, format('GRANT %s ON %s TO %s', string_agg(a.privilege_type, ', '), c.oid::regclass, {who})
FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass(:name) AND a.grantee <> c.relowner
GROUP BY c.oid, a.grantee
UNION ALL
SELECT 2, format('GRANT %s (%s) ON %s TO %s', a.privilege_type, string_agg(quote_ident(t.attname), ', '),
                 c.oid::regclass, {who})
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
WHERE c.oid = to_regclass(:name) AND a.grantee <> c.relowner GROUP BY c.oid, a.privilege_type, a.grantee
UNION ALL
SELECT 3, format('ALTER TABLE %s %s', c.oid::regclass, what) FROM pg_class c, unnest(ARRAY[
    CASE WHEN c.relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END,
    CASE WHEN c.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END]) AS what
WHERE c.oid = to_regclass(:name) AND what IS NOT NULL
UNION ALL
SELECT 4, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.policyname, to_regclass(:name), p.permissive,
                 p.cmd, (SELECT string_agg(quote_ident(r), ', ') FROM unnest(p.roles) AS r))
    || coalesce(' USING (' || p.qual || ')', '') || coalesce(' WITH CHECK (' || p.with_check || ')', '')
FROM pg_policies p WHERE format('%I.%I', p.schemaname, p.tablename)::regclass = to_regclass(:name)
UNION ALL
SELECT 5, format('COMMENT ON POLICY %I ON %s IS %L', p.polname, to_regclass(:name), d)
FROM pg_policy p, obj_description(p.oid, 'pg_policy') AS d
WHERE p.polrelid = to_regclass(:name) AND d IS NOT NULL
UNION ALL
SELECT 6, format('ALTER VIEW %s SET (%s)', c.oid::regclass, array_to_string(c.reloptions, ', '))
FROM pg_class c WHERE c.oid = to_regclass(:name) AND c.relkind = 'v' AND c.reloptions IS NOT NULL
UNION ALL
SELECT 7, format('COMMENT ON VIEW %s IS %L', c.oid::regclass, d)
FROM pg_class c, obj_description(c.oid, 'pg_class') AS d
WHERE c.oid = to_regclass(:name) AND c.relkind = 'v' AND d IS NOT NULL
ORDER BY 1
""".replace("{who}", "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END")


def carried(conn: Connection, name: str) -> list[str]:
    """The statements that give a new table or view called ``name`` (quoted) all rights of the present one."""
    return [
        row[1] for row in conn.execute(text(_CARRIED.replace(":regclass", "\\:regclass")), {"name": name})
    ]


def _owner(conn: Connection, schema: str, name: str) -> str:
    owner = text("SELECT tableowner FROM pg_tables WHERE schemaname = :schema AND tablename = :name")
    return str(conn.scalar(owner, {"schema": schema, "name": name}))


# --- layers -----------------------------------------------------------------------------------------------


def secure_layer(conn: Connection, definition: MapDefinition, layer: Layer) -> None:
    """Give each role what ``layer`` and what it rests on let it see: of its table, view and cells."""
    readers = tuple(role for role in Role if layer.access.reads(role))
    table = tables.table_for(layer, definition.district.storage_crs)
    names = [column.name for column in table.columns]
    _apply(conn, "layer", layer.id, _of_rows(conn, definition, layer, readers, names))
    _apply_to_view(conn, layer.id, readers)
    if layer.access.generalise_m is not None:
        cells = generalised(layer)
        others = tuple(role for role in Role if role not in readers)
        table = tables.table_for(cells, definition.district.storage_crs)
        rights = _of_rows(conn, definition, cells, others, [c.name for c in table.columns], "general")
        _apply(conn, "general", layer.id, rights)


def _all_of(roles: Iterable[Role]) -> tuple[str, ...]:
    roles = tuple(roles)
    return tuple(names[role] for names in (_WHOLE, _AREA, _DEPARTMENT) for role in roles)


def _of_rows(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    readers: Sequence[Role],
    names: Sequence[str],
    schema: str = "layer",
) -> Iterator[str]:
    target = f"{schema}.{quoted(layer.id)}"
    columns: dict[str, Sequence[str] | None] = {}
    for role in readers:
        hidden = layer.access.hidden(role) if schema == "layer" else frozenset[str]()
        seen = [name for name in names if name not in hidden] if hidden else None
        columns[_WHOLE[role]] = columns[_AREA[role]] = columns[_DEPARTMENT[role]] = seen
    policies = []
    for number, (withheld, roles) in enumerate(_withheld(definition, layer, readers).items()):
        rested = f"NOT (rests_on && {_texts(withheld)})" if withheld else "true"
        also = f" AND {rested}" if withheld else ""
        within = f"areas && {_AREAS}"
        given = f"({within} OR {_given(layer)})"
        policies.append(_Policy(f"whole_{number}", tuple(_WHOLE[role] for role in roles), rested))
        policies.append(_Policy(f"area_{number}", tuple(_AREA[role] for role in roles), within + also))
        policies.append(
            _Policy(f"department_{number}", tuple(_DEPARTMENT[role] for role in roles), given + also)
        )
    yield from _renewed(target, columns, policies, _owner(conn, schema, layer.id), forced=True)


def _given(layer: Layer) -> str:
    """The condition for a row of ``layer`` that a department gave, or that rests on rows it gave."""
    if layer.derived is None or layer.derived not in tables.MADE_FROM:
        return f"source_id = ANY ({_SOURCES})"
    named, uids = tables.MADE_FROM[layer.derived]
    return "(" + " AND ".join(f"{_SEES_ROW}({quoted(named)}, {quoted(uid)})" for uid in uids) + ")"


def _withheld(
    definition: MapDefinition, layer: Layer, readers: Sequence[Role]
) -> dict[frozenset[str], list[Role]]:
    """Roles by the layers, and layer.field, that a row of ``layer`` they see must not rest on."""
    found: dict[frozenset[str], list[Role]] = {}
    for role in readers:
        names = withheld(definition, role) if layer.role == "derived" else frozenset[str]()
        found.setdefault(names, []).append(role)
    return found


def withheld(definition: MapDefinition, role: Role) -> frozenset[str]:
    """The ids of layers that ``role`` does not see as they are, and layer.field of fields it does not see."""
    found = set()
    for layer in definition.layers.values():
        if not layer.access.reads(role):
            found.add(layer.id)
        found |= {f"{layer.id}.{name}" for name in layer.access.hidden(role)}
    return frozenset(found)


def _limited(definition: MapDefinition, role: Role) -> frozenset[str]:
    """The ids of derived layers of which ``role`` may see some rows and others not."""
    derived = (layer.id for layer in definition.layers.values() if layer.role == "derived")
    return frozenset(derived if withheld(definition, role) else ())


# --- what stands beside the layers ------------------------------------------------------------------------


def secure_core(conn: Connection, definition: MapDefinition) -> None:
    """Let roles read of schema core what answers need: of the layers that they see, and no more."""
    listed = ", ".join(DATABASE_ROLES)
    for schema in ("core", "layer", "general", OPEN_VIEWS):
        conn.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {listed}")
    for name in _FOR_ALL:
        conn.exec_driver_sql(f"GRANT SELECT ON core.{name} TO {listed}")
    by_layers: dict[frozenset[str], list[Role]] = {}
    by_rows: dict[frozenset[str], list[Role]] = {}
    for role in Role:
        unseen = frozenset(name for name in withheld(definition, role) if "." not in name)
        by_layers.setdefault(unseen, []).append(role)
        by_rows.setdefault(unseen | _limited(definition, role), []).append(role)
    _secure(conn, "revision_layers", _of_touches(definition, by_layers))
    for name in _BY_LAYER:
        _secure(conn, name, _by_layer(by_layers, "layer <> ALL ({})", whole=False))
    for name in _BY_WHOLE_LAYER:
        _secure(conn, name, _by_layer(by_layers, "layer <> ALL ({})", whole=True))
    for name in _BY_EVERY_ROW:
        _secure(conn, name, _by_layer(by_rows, "layer <> ALL ({})", whole=True))
    for name in _BY_FORM:
        _secure(conn, name, _by_form(definition))
    _secure(conn, "reports", _of_reports(definition))
    ledger = definition.derived("conflicts")
    if ledger is not None:
        # A function and no part of the policy: that would hold on to a table which the first rows replace.
        conn.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {_SEES_CONFLICT}(text) RETURNS boolean LANGUAGE sql STABLE AS "
            f"$$ SELECT EXISTS (SELECT FROM layer.{quoted(ledger.id)} WHERE uid = $1) $$"
        )
        _secure(conn, "conflict_marks", _of_marks(definition))
    _secure_jobs(conn, definition)
    for name, (key, parent) in _BY_ROW.items():
        _secure(
            conn, name, [_Policy("with_its", DATABASE_ROLES, f"{key} IN (SELECT {key} FROM core.{parent})")]
        )


def _secure(conn: Connection, name: str, policies: Iterable[_Policy], schema: str = "core") -> None:
    columns: dict[str, Sequence[str] | None] = {role: _COLUMNS.get(name) for role in DATABASE_ROLES}
    owner = _owner(conn, schema, name)
    _apply(conn, schema, name, _renewed(f"{schema}.{name}", columns, policies, owner, forced=False))


def _by_layer(
    by_layers: Mapping[frozenset[str], Sequence[Role]], rows: str, *, whole: bool
) -> Iterator[_Policy]:
    for number, (unseen, roles) in enumerate(by_layers.items()):
        seen = rows.format(_texts(unseen)) if unseen else "true"
        names = tuple(_WHOLE[role] for role in roles) if whole else _all_of(roles)
        yield _Policy(f"layers_{number}", names, seen)


def _of_touches(
    definition: MapDefinition, by_layers: Mapping[frozenset[str], Sequence[Role]]
) -> Iterator[_Policy]:
    """Touches of a layer are for who sees it; who sees its cells is told of those that changed the cells."""
    general = {layer.id for layer in definition.layers.values() if layer.access.generalise_m is not None}
    for number, (unseen, roles) in enumerate(by_layers.items()):
        seen = f"layer <> ALL ({_texts(unseen)})" if unseen else "true"
        cells = f" OR (cells AND layer = ANY ({_texts(unseen & general)}))" if unseen & general else ""
        yield _Policy(f"layers_{number}", _all_of(roles), seen + cells)


def _by_form(definition: MapDefinition) -> Iterator[_Policy]:
    """Each role that is not limited to areas sees the forms in which it sees layers, and no others."""
    by_forms: dict[frozenset[str], list[Role]] = {}
    for role in Role:
        seen = map(tables.form_of, definition.seen_by(role).layers.values())
        by_forms.setdefault(frozenset(form for form in seen if form), []).append(role)
    for number, (forms, roles) in enumerate(by_forms.items()):
        yield _Policy(
            f"forms_{number}", tuple(_WHOLE[role] for role in roles), f"form = ANY ({_texts(forms)})"
        )


def _of_marks(definition: MapDefinition) -> Iterator[_Policy]:
    """What people said of a conflict is seen with the conflict."""
    all_of_it = tuple(_WHOLE[role] for role in Role if not withheld(definition, role))
    others = tuple(role for role in DATABASE_ROLES if role not in all_of_it)
    if all_of_it:
        yield _Policy("whole", all_of_it, "true")
    yield _Policy("with_its", others, f"{_SEES_CONFLICT}(uid)")


def _secure_jobs(conn: Connection, definition: MapDefinition) -> None:
    """A job is seen by whom it was queued for; one of the store's own by who sees the whole map.

    Its progress says whom it is for; what the queue's library keeps of it shows with that.
    """
    listed = ", ".join(DATABASE_ROLES)
    conn.exec_driver_sql(f"GRANT USAGE ON SCHEMA jobs TO {listed}")
    conn.exec_driver_sql(f"GRANT SELECT ON jobs.procrastinate_workers TO {listed}")
    mine = "scope = current_setting('onemap.scope', true)"
    everything = tuple(_WHOLE[role] for role in Role if not withheld(definition, role))
    policies = [_Policy("mine", DATABASE_ROLES, mine)]
    if everything:
        policies.append(_Policy("of_the_store", everything, "scope IS NULL"))
    _secure(conn, "progress", policies, "jobs")
    with_it = _Policy("with_progress", DATABASE_ROLES, "id IN (SELECT job_id FROM jobs.progress)")
    _secure(conn, "procrastinate_jobs", [with_it], "jobs")


def _of_reports(definition: MapDefinition) -> Iterator[_Policy]:
    """A report is read by who sees, as it is, each layer it rests on, everywhere where its maker saw it."""
    by_names: dict[frozenset[str], list[Role]] = {}
    for role in Role:
        by_names.setdefault(withheld(definition, role), []).append(role)
    for number, (names, roles) in enumerate(by_names.items()):
        rested = f"NOT (rests_on && {_texts(names)})" if names else "true"
        yield _Policy(f"whole_{number}", tuple(_WHOLE[role] for role in roles), rested)
        within = f"areas <@ {_AREAS} AND {rested}"
        limited = tuple(names[role] for names in (_AREA, _DEPARTMENT) for role in roles)
        yield _Policy(f"area_{number}", limited, within)
