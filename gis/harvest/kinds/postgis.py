"""A table or view of another PostGIS, read only. Incremental by the column that ``updated`` names."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import shapely
from psycopg import sql
from psycopg.rows import dict_row

from gis.harvest.model import Ask, Fetched
from gis.harvest.scratch import FeatureFile
from gis.importing.issues import refused

__all__ = ["fetch"]

PAGE = 2000
_CONNECT_S = 10
_STATEMENT_S = 1800


def fetch(ask: Ask) -> Fetched:
    """All rows of the table, or those changed since the mark, in one snapshot of the other database."""
    shown = f"{urlsplit(ask.url).hostname or ''}{urlsplit(ask.url).path}"
    try:
        with _connected(ask) as conn, FeatureFile(ask.folder) as file:
            columns, geometry, key, srid = _described(conn, ask)
            updated = ask.wishes.updated
            since = None if ask.whole or updated is None else ask.mark.get("newest")
            latest = ask.mark.get("newest")
            for rows in _rows(conn, ask, columns, geometry, since):
                if updated is not None:
                    stamps = [_plain(row[updated]) for row in rows]
                    latest = max((s for s in [latest, *stamps] if s is not None), default=None)
                file.add(_feature(row, geometry, key) for row in rows)
                ask.told(file.rows, None)
    except psycopg.errors.QueryCanceled:
        raise refused("harvest_timeout", value=str(_STATEMENT_S), expected=shown) from None
    except psycopg.OperationalError as error:
        reason = (str(error).strip().splitlines() or ["?"])[-1]
        denied = isinstance(error, psycopg.errors.InvalidPassword) or "authentication" in reason
        raise refused(
            "harvest_denied" if denied else "harvest_unreachable", value=reason, expected=shown
        ) from None
    except psycopg.Error as error:
        raise refused("harvest_status", value=str(error).partition("\n")[0], expected=shown) from None
    named = frozenset(name for name in columns if name != geometry)
    mark = {"newest": latest} if updated else {}
    crs = f"EPSG:{srid}" if srid else "auto"
    return Fetched(file.path, whole=since is None, rows=file.rows, crs=crs, columns=named, mark=mark)


def _connected(ask: Ask) -> psycopg.Connection[tuple[Any, ...]]:
    conn = psycopg.connect(
        ask.url, password=ask.credentials, connect_timeout=_CONNECT_S,
        options=f"-c default_transaction_read_only=on -c statement_timeout={_STATEMENT_S * 1000}",
    )  # fmt: skip
    conn.read_only = True
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return conn


def _described(
    conn: psycopg.Connection[tuple[Any, ...]], ask: Ask
) -> tuple[list[str], str | None, list[str], int | None]:
    """Columns of the table, the geometry among them, its key, and the SRID of the geometry."""
    schema, table = _named(ask)
    found = conn.execute(
        "SELECT column_name, udt_name FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        (schema, table),
    ).fetchall()
    if not found:
        raise refused("harvest_status", value=f"no table {schema}.{table}", expected=urlsplit(ask.url).path)
    geometry = next((str(name) for name, kind in found if kind in ("geometry", "geography")), None)
    key = conn.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
        "AND a.attnum = ANY (i.indkey) WHERE i.indrelid = %s::regclass AND i.indisprimary",
        (sql.Identifier(schema, table).as_string(conn),),
    ).fetchall()
    srid = None
    if geometry is not None:
        row = conn.execute(
            sql.SQL("SELECT ST_SRID({g}::geometry) FROM {t} WHERE {g} IS NOT NULL LIMIT 1").format(
                g=sql.Identifier(geometry), t=sql.Identifier(schema, table)
            )
        ).fetchone()
        srid = row[0] if row else None
    return [str(name) for name, _ in found], geometry, [str(name) for (name,) in key], srid


def _named(ask: Ask) -> tuple[str, str]:
    schema, _, table = (ask.wishes.name or "").rpartition(".")
    return schema or "public", table


def _rows(
    conn: psycopg.Connection[tuple[Any, ...]],
    ask: Ask,
    columns: list[str],
    geometry: str | None,
    since: str | None,
) -> Iterator[list[dict[str, Any]]]:
    shown = [
        sql.SQL("ST_AsBinary(ST_Force2D({c}::geometry)) AS {c}").format(c=sql.Identifier(name))
        if name == geometry
        else sql.Identifier(name)
        for name in columns
    ]
    statement = sql.SQL("SELECT {columns} FROM {table}").format(
        columns=sql.SQL(", ").join(shown), table=sql.Identifier(*_named(ask))
    )
    conditions: list[sql.Composable] = []
    given: list[object] = []
    if ask.wishes.where:  # the operator's own words, run by a session that can only read
        conditions.append(sql.SQL("(" + ask.wishes.where.replace("%", "%%") + ")"))
    if since is not None:
        conditions.append(sql.SQL("{} >= %s").format(sql.Identifier(str(ask.wishes.updated))))
        given.append(since)
    if conditions:
        statement += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
    with conn.cursor(name="harvest", row_factory=dict_row) as cursor:
        cursor.itersize = ask.wishes.page or PAGE
        cursor.execute(statement, given or None)
        while rows := cursor.fetchmany(ask.wishes.page or PAGE):
            yield rows


def _feature(row: Mapping[str, Any], geometry: str | None, key: list[str]) -> dict[str, Any]:
    wkb = row[geometry] if geometry else None
    shape = None if wkb is None else json.loads(shapely.to_geojson(shapely.from_wkb(bytes(wkb))))
    properties = {name: _plain(value) for name, value in row.items() if name != geometry}
    own = "/".join(str(properties[name]) for name in key) if key else None
    return {"id": own, "geometry": shape, "properties": properties}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return str(value)
