"""Connections: one engine per process, and a context that turns driver errors into ours.

Reading for somebody happens under the database role of their scope, for one transaction: the server then
decides which rows and columns there are. Without a scope, and for writing, it is the store itself that asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine, event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from gis.access import SYSTEM, Scope
from gis.bounds import READING, still_there
from gis.cluster import Cluster
from gis.errors import DatabaseBusy, DatabaseError
from gis.pipeline import Prepared, Question, Rows, asked_together
from gis.settings import Settings

__all__ = [
    "Question",
    "ask_once",
    "ask_row",
    "ask_rows",
    "connect",
    "database_role",
    "database_url",
    "driver_cursor",
    "entering",
    "make_engine",
    "prepared_of",
    "scope_of",
    "scoped",
    "translated",
]

_SCOPE = "onemap_scope"
_PREPARED = "onemap_prepared"
# The role and the areas hold until the end of the transaction, whatever ends it; one statement, one way.
_ENTER = (
    "SELECT set_config('role', %(role)s, true), set_config('onemap.areas', %(areas)s, true), "
    "set_config('onemap.scope', %(scope)s, true)"
)
# The sources of the departments: looked up each time, so that it holds at once when a source changes hands.
_ENTER_DEPARTMENTS = _ENTER + (
    ", set_config('onemap.sources', (SELECT coalesce(array_agg(source_id), '{}')::text FROM core.sources "
    "WHERE bureau = ANY (%(departments)s)), true)"
)

# 55P03 lock not available, 57014 query cancelled (statement time-out), 40001/40P01 serialisation and deadlock
_BUSY_STATES = {"55P03", "57014", "40001", "40P01", "53300"}


def database_url(settings: Settings) -> str:
    """The configured database, or the private cluster's (started if it is not running)."""
    return settings.database_url or Cluster(settings.home).ensure_running()


def make_engine(settings: Settings, *, pool_size: int = 8, pool_timeout_s: float = 1.0) -> Engine:
    """An engine on the configured database or on the private cluster, which it starts when needed.

    Sessions run in UTC with ``settings.statement_timeout_s``; long imports lift the limit locally.
    """
    engine = create_engine(
        database_url(settings),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=pool_timeout_s,
    )
    event.listen(engine, "checkout", still_there)
    timeout_ms = int(settings.statement_timeout_s * 1000)

    @event.listens_for(engine, "connect")
    def _session_defaults(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(
            f"SET timezone = 'UTC'; SET statement_timeout = {timeout_ms}; SET lock_timeout = '20s'"
        )
        cursor.close()
        connection.commit()

    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLAlchemy's errors into DatabaseError or DatabaseBusy; SQL text never reaches a user."""
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseBusy(
            "All database connections are in use.",
            "数据库连接已用尽。",
            remedy_en="Try again.",
            remedy_zh="请稍后重试。",
        ) from error
    except exc.DBAPIError as error:
        raise _in_words(error.orig) from error
    except psycopg.Error as error:  # from COPY, which goes past SQLAlchemy
        raise _in_words(error) from error


def _in_words(error: BaseException | None) -> DatabaseError:
    state = getattr(error, "sqlstate", None)
    if state in _BUSY_STATES:
        return DatabaseBusy(
            f"The database did not finish in time ({state}).",
            f"数据库未能及时完成（{state}）。",
            remedy_en="Try again, or ask for less at once.",
            remedy_zh="请重试，或缩小请求范围。",
        )
    reason = str(error).partition("\n")[0]
    return DatabaseError(f"The database refused: {reason}", f"数据库拒绝了请求：{reason}")


def database_role(scope: Scope) -> str:
    """The database role that ``scope`` reads under."""
    if scope.areas is None:
        return f"onemap_{scope.role}"
    return f"onemap_{scope.role}" + ("_department" if scope.departments else "_area")


def scoped(engine: Engine, scope: Scope | None) -> Engine:
    """The same engine and pool, on which `connect` and `ask_once` read as ``scope`` (None: as the store)."""
    return engine.execution_options(**{_SCOPE: None if scope is SYSTEM else scope})


def scope_of(of: Engine | Connection) -> Scope | None:
    """Whom an engine or a connection reads for; None is the store itself."""
    scope: Scope | None = of.get_execution_options().get(_SCOPE)
    return scope


@contextmanager
def connect(engine: Engine, *, write: bool = False, scope: Scope | None = None) -> Iterator[Connection]:
    """A connection in one transaction; committed at the end when ``write``, else rolled back.

    Reads run in REPEATABLE READ, so that the several statements of one answer see one state, under the
    database role of ``scope``, without one that of the engine's (`scoped`). Writing is the store's own.
    """
    if scope is not None:
        engine = scoped(engine, scope)
    with translated():
        with engine.connect() as connection:
            if write:
                with connection.execution_options(**{_SCOPE: None}).begin():
                    yield connection
            else:
                if not connection.get_execution_options().get(READING):
                    connection = connection.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                with connection.begin():
                    _enter(connection)
                    yield connection


def _enter(connection: Connection) -> None:
    """Take the role of the connection's scope until the transaction ends."""
    scope = scope_of(connection)
    if scope is not None:
        with driver_cursor(connection) as cursor:
            cursor.execute(*entering(scope))


@lru_cache(maxsize=256)
def entering(scope: Scope) -> Question:
    """The statement that takes the role of a scope until the transaction ends, and its values."""
    values: dict[str, Any] = {
        "role": database_role(scope), "areas": _literal(scope.areas or ()), "scope": scope.digest
    }  # fmt: skip
    if scope.departments:
        return _ENTER_DEPARTMENTS, values | {"departments": list(scope.departments)}
    return _ENTER, values


def driver_cursor(connection: Connection) -> psycopg.Cursor[Any]:
    """A cursor of the driver itself, for what is asked with every answer: the way there is a third as long.

    Values come in binary, bytes as bytes.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # it has not been given back
    return driver.cursor(binary=True)


def _literal(codes: tuple[str, ...]) -> str:
    """``codes`` as the text of a PostgreSQL array."""
    quoted = ('"' + code.replace("\\", "\\\\").replace('"', '\\"') + '"' for code in codes)
    return "{" + ",".join(quoted) + "}"


@contextmanager
def ask_once(engine: Engine) -> Iterator[Connection]:
    """A connection for a single reading statement, which sees one state without a transaction around it.

    That saves the way to the server and back twice: for what is asked with every answer. A role needs the
    transaction, so for an engine with a scope this is `connect`.
    """
    if scope_of(engine) is not None:
        with connect(engine) as connection:
            yield connection
        return
    with translated(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def ask_row(engine: Engine, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """The one row of a reading statement of the driver, as the engine's scope sees it: `ask_rows` of one."""
    ((row,),) = ask_rows(engine, (statement, parameters))
    return row


def ask_rows(engine: Engine, *asked: Question) -> list[Rows]:
    """The rows of each of the reading statements ``asked``, as the engine's scope sees them.

    They cost one way to the server and back, with a role too, and the server plans each once for a
    connection: for what is asked with every answer. On an engine that only reads (`gis.bounds.companion`)
    they all see one state.
    """
    scope = scope_of(engine)
    # What goes out together is one transaction, with which the role ends.
    first = () if scope is None else (entering(scope),)
    with translated(), closing(engine.raw_connection()) as pooled:
        driver = pooled.driver_connection
        assert isinstance(driver, psycopg.Connection)
        return asked_together(driver, prepared_of(pooled), (*first, *asked))[len(first) :]


def prepared_of(pooled: PoolProxiedConnection) -> Prepared:
    """What is kept with a connection for `asked_together`."""
    found: Prepared | None = pooled.info.get(_PREPARED)
    if found is None:
        driver = pooled.driver_connection
        assert isinstance(driver, psycopg.Connection)
        found = pooled.info[_PREPARED] = Prepared(driver)
    return found
