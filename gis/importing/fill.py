"""The first rows of a layer, many at once: into a new table whose indexes are built last, then swapped in.

Keeping five indexes in step row by row costs several times what building them afterwards does. Building them
on the layer's own table would lock its readers out meanwhile; a new table is nobody's, and the swap takes a
moment.
"""

from __future__ import annotations

import re

from sqlalchemy import Connection, Table, exc, text

from gis.rights import carried

__all__ = ["FILL_ROWS", "fill_empty"]

# Below this many rows the ordinary way is as fast.
FILL_ROWS = 20_000
_PATIENCE = "3s"
# PostgreSQL cuts names at 63 bytes; the names of indexes and of the sequence hold the layer's and "~".
_LONGEST = 45
_INDEX = re.compile(r'CREATE (UNIQUE )?INDEX (\S+|"[^"]+") ON (?:\S+|"[^"]+") (USING .*)', re.DOTALL)


def fill_empty(conn: Connection, table: Table, staged: Table, rev: int) -> bool:
    """Put all rows of ``staged`` into the empty ``table`` as rows of revision ``rev``.

    Call under the lock of the revision numbers. False, with nothing done, when there are few rows, the table
    has or had rows, somebody else's view or a trigger hangs on it, or its readers do not leave it for
    a moment; then the rows are to be inserted as usual.
    """
    name = table.name
    if not _worth_it(conn, staged) or not _swappable(conn, name):
        return False
    point = conn.begin_nested()
    try:
        _make(conn, table, staged, rev)
        _swap(conn, name)
    except exc.OperationalError as error:  # a reader stayed longer than our patience
        point.rollback()
        if getattr(error.orig, "sqlstate", None) not in ("55P03", "40P01"):
            raise
        return False
    point.commit()
    return True


def _worth_it(conn: Connection, staged: Table) -> bool:
    enough = f'SELECT count(*) FROM (SELECT FROM pg_temp."{staged.name}" LIMIT {FILL_ROWS}) AS s'
    return int(conn.scalar(text(enough)) or 0) >= FILL_ROWS


def _swappable(conn: Connection, name: str) -> bool:
    """Whether the table is empty and nothing but its own view in schema now hangs on it."""
    if len(name) > _LONGEST or conn.scalar(text(f'SELECT EXISTS (SELECT FROM layer."{name}")')):
        return False
    hanging = conn.scalar(
        text(
            "SELECT count(*) FROM pg_class c LEFT JOIN pg_depend d ON d.refobjid = c.oid AND d.deptype = 'n' "
            "AND d.classid = 'pg_rewrite'::regclass LEFT JOIN pg_rewrite r ON r.oid = d.objid "
            "LEFT JOIN pg_class v ON v.oid = r.ev_class WHERE c.oid = to_regclass(:table) AND ("
            "c.relhastriggers OR c.relhassubclass OR "
            "(v.oid IS NOT NULL AND v.oid IS DISTINCT FROM to_regclass(:view)))"
        ),
        {"table": f'layer."{name}"', "view": f'now."{name}"'},
    )
    return bool(hanging == 0)


def _make(conn: Connection, table: Table, staged: Table, rev: int) -> None:
    """The table and its indexes under the names they will have, with "~" behind."""
    name = table.name
    conn.execute(text(f'LOCK TABLE layer."{name}" IN SHARE UPDATE EXCLUSIVE MODE'))
    conn.execute(text(f'CREATE TABLE layer."{name}~" (LIKE layer."{name}" INCLUDING ALL EXCLUDING INDEXES)'))
    columns = [c.name for c in table.columns if c.name not in ("row_id", "rev_from", "rev_to")]
    listed = ", ".join(f'"{c}"' for c in columns)
    conn.execute(
        text(
            f'INSERT INTO layer."{name}~" ({listed}, rev_from) '
            f'SELECT {listed}, :rev FROM pg_temp."{staged.name}"'
        ),
        {"rev": rev},
    )
    for index, definition, primary in _indexes(conn, name):
        found = _INDEX.fullmatch(definition)
        assert found is not None, definition
        conn.exec_driver_sql(
            f'CREATE {found[1] or ""}INDEX "{index}~" ON layer."{name}~" {found[3]}'.replace("%", "%%")
        )
        if primary:
            conn.execute(
                text(
                    f'ALTER TABLE layer."{name}~" '
                    f'ADD CONSTRAINT "{index}~" PRIMARY KEY USING INDEX "{index}~"'
                )
            )
    conn.execute(text(f'ANALYZE layer."{name}~"'))


def _indexes(conn: Connection, name: str) -> list[tuple[str, str, bool]]:
    rows = conn.execute(
        text(
            "SELECT i.relname, pg_get_indexdef(i.oid), x.indisprimary FROM pg_index x "
            "JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = to_regclass(:table) ORDER BY 1"
        ),
        {"table": f'layer."{name}"'},
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _swap(conn: Connection, name: str) -> None:
    """Take the old table away and give the new one its names; readers wait from here to the commit."""
    conn.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
    conn.execute(text(f'LOCK TABLE layer."{name}" IN ACCESS EXCLUSIVE MODE'))
    if conn.scalar(text(f'SELECT EXISTS (SELECT FROM layer."{name}")')):
        raise AssertionError("rows came in under the lock of the revision numbers")
    view = conn.scalar(text("SELECT pg_get_viewdef(to_regclass(:view))"), {"view": f'now."{name}"'})
    seen = carried(conn, f'now."{name}"')
    if view is not None:
        conn.execute(text(f'DROP VIEW now."{name}"'))
    indexes = _indexes(conn, name)
    rights = carried(conn, f'layer."{name}"')
    conn.execute(text(f'DROP TABLE layer."{name}"'))
    conn.execute(text(f'ALTER TABLE layer."{name}~" RENAME TO "{name}"'))
    for index, _, _ in indexes:
        conn.execute(text(f'ALTER INDEX layer."{index}~" RENAME TO "{index}"'))
    conn.execute(text(f'ALTER SEQUENCE layer."{name}~_row_id_seq" RENAME TO "{name}_row_id_seq"'))
    if view is not None:
        conn.exec_driver_sql(f'CREATE VIEW now."{name}" AS {view}'.replace("%", "%%"))
    for statement in (*rights, *seen):
        conn.exec_driver_sql(statement.replace("%", "%%"))
    conn.execute(text("SET LOCAL lock_timeout = '10min'"))
