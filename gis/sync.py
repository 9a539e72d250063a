"""Definitions -> database: adds what is new, refuses what would lose data, says what it did.

Schema ``core`` is migrated by Alembic; schema ``jobs`` by the files of the queue's library; schema ``layer``
follows the definitions; schema ``general`` holds the cells of layers that some see only generalised; schema
``now`` holds one view a layer with the current rows, for QGIS and SQL users. Who sees what: `gis.rights`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import CheckConstraint, Connection, Engine, Inspector, Table, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import AddConstraint, CreateTable
from sqlalchemy.sql.ddl import CreateIndex

from gis import tables
from gis.db import connect
from gis.errors import SettingsError, SyncRefused
from gis.jobs.schema import make_queue
from gis.locks import Lock, take
from gis.rights import make_roles, quoted, secure_core, secure_layer
from gis.settings import MapDefinition
from layers.access import generalised
from layers.model import Layer

__all__ = ["SyncReport", "sync"]


@dataclass
class SyncReport:
    """What a sync changed: sentences such as "enterprises: added column fuel"; empty when all was current."""

    applied: list[str] = field(default_factory=list)


def sync(engine: Engine, definition: MapDefinition) -> SyncReport:
    """Bring the database up to the definitions, in one transaction.

    Raises
    ------
    SyncRefused
        When a field was removed, changed its type, lost codes that rows still use, or became required in a
        table with rows. Nothing is changed then.
    SettingsError
        When the store was made for another storage CRS.
    """
    report = SyncReport()
    make_roles(engine)
    with connect(engine, write=True) as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        take(conn, Lock.SYNC)
        _migrate_core(conn)
        _check_storage_crs(conn, definition.district.storage_crs)
        report.applied += make_queue(conn)
        for schema in ("layer", "general", "now"):
            conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        inspector = inspect(conn)
        existing = set(inspector.get_table_names("layer"))
        generalised_ones = set(inspector.get_table_names("general"))
        for layer in definition.layers.values():
            table = tables.table_for(layer, definition.district.storage_crs)
            if layer.id not in existing:
                _create(conn, table)
                report.applied.append(f"{layer.id}: created")
            else:
                report.applied += _extend(conn, inspector, layer, table)
            if layer.access.generalise_m is not None and layer.id not in generalised_ones:
                _create(conn, tables.table_for(generalised(layer), definition.district.storage_crs))
                report.applied.append(f"{layer.id}: created its generalised form")
            _renew_view(conn, inspector, layer, table)
            secure_layer(conn, definition, layer)
        secure_core(conn, definition)
    return report


def _migrate_core(conn: Connection) -> None:
    conn.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
    conn.execute(text("CREATE SCHEMA IF NOT EXISTS core"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def _check_storage_crs(conn: Connection, storage_crs: int) -> None:
    wanted = str(storage_crs)
    found = conn.scalar(select(tables.store.c.value).where(tables.store.c.key == "storage_crs"))
    if found is None:
        conn.execute(tables.store.insert().values(key="storage_crs", value=wanted))
    elif found != wanted:
        raise SettingsError(
            f"This store keeps its geometry in EPSG:{found}; the district says EPSG:{wanted}.",
            f"该库以 EPSG:{found} 存储几何，而区域设置为 EPSG:{wanted}。",
            remedy_en="Use another ONEMAP_HOME or database for this district.",
            remedy_zh="请为该区域使用另一个 ONEMAP_HOME 或数据库。",
        )


def _create(conn: Connection, table: Table) -> None:
    conn.execute(CreateTable(table))
    for index in sorted(table.indexes, key=lambda i: str(i.name)):
        conn.execute(CreateIndex(index))
    for column in table.columns:
        if column.comment:
            conn.exec_driver_sql(
                f"COMMENT ON COLUMN {table.schema}.{quoted(table.name)}.{quoted(column.name)} IS "
                + "'"
                + column.comment.replace("'", "''").replace("%", "%%")
                + "'"
            )


def _sql_type(conn: Connection, column: object) -> str:
    compiled: str = column.type.compile(dialect=conn.dialect)  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", compiled).replace("FLOAT(53)", "DOUBLE PRECISION").lower()


def _extend(conn: Connection, inspector: Inspector, layer: Layer, table: Table) -> list[str]:
    found = {c["name"]: c for c in inspector.get_columns(layer.id, "layer")}
    wanted = {c.name: c for c in table.columns}
    for name in found.keys() - wanted.keys():
        raise _refusal(
            layer,
            name,
            "was removed from the definition; its values would be lost",
            "已从定义中删除，其数据将会丢失",
        )
    applied = []
    for name, column in wanted.items():
        kind = _sql_type(conn, column)
        if name not in found:
            _add_column(conn, layer, table, name, kind)
            applied.append(f"{layer.id}: added column {name}")
        elif (have := _existing_type(conn, layer.id, name)) != (want := _declared_type(conn, kind)):
            raise _refusal(
                layer,
                name,
                f"is {have} in the store and {want} in the definition",
                f"库中类型为 {have}，定义为 {want}",
            )
    indexes = {index["name"] for index in inspector.get_indexes(layer.id, "layer")}
    for index in sorted(table.indexes, key=lambda i: str(i.name)):
        if str(index.name) not in indexes:
            conn.execute(CreateIndex(index))
            applied.append(f"{layer.id}: added index {index.name}")
    return applied + _renew_checks(conn, inspector, layer, table)


def _existing_type(conn: Connection, table: str, column: str) -> str:
    return str(
        conn.scalar(
            text(
                "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
                "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = 'layer' AND c.relname = :t AND a.attname = :c"
            ),
            {"t": table, "c": column},
        )
    )


def _declared_type(conn: Connection, kind: str) -> str:
    """The type as PostgreSQL itself spells it, so that declared and existing types compare as equal text."""
    if kind.startswith("geometry"):
        inner = re.match(r"geometry\((\w+),(\d+)\)", kind.replace(" ", ""))
        assert inner is not None
        spelled = inner[1].replace("multi", "Multi").replace("linestring", "LineString")
        for word in ("point", "polygon", "geometry"):
            spelled = spelled.replace(word, word.capitalize())
        return f"geometry({spelled},{inner[2]})"
    return str(conn.scalar(text("SELECT format_type(to_regtype(:kind), NULL)"), {"kind": kind}))


def _add_column(conn: Connection, layer: Layer, table: Table, name: str, kind: str) -> None:
    target = f"layer.{quoted(layer.id)}"
    if not table.c[name].nullable and conn.scalar(text(f"SELECT EXISTS (SELECT FROM {target})")):
        raise _refusal(
            layer,
            name,
            "is new and required, but the layer already has rows",
            "为新增必填字段，但图层已有数据",
        )
    not_null = "" if table.c[name].nullable else " NOT NULL"
    conn.execute(text(f"ALTER TABLE {target} ADD COLUMN {quoted(name)} {kind}{not_null}"))


def _renew_checks(conn: Connection, inspector: Inspector, layer: Layer, table: Table) -> list[str]:
    """Replace the code list of an enumeration that changed; refuse when rows use a code that is gone."""
    found = {str(c["name"]) for c in inspector.get_check_constraints(layer.id, "layer")}
    wanted = {
        str(conn.dialect.identifier_preparer.format_constraint(c)).strip('"'): c
        for c in table.constraints
        if isinstance(c, CheckConstraint)
    }
    applied = []
    for name in found - wanted.keys():
        conn.execute(text(f"ALTER TABLE layer.{quoted(layer.id)} DROP CONSTRAINT {quoted(name)}"))
    for name in wanted.keys() - found:
        try:
            with conn.begin_nested():
                conn.execute(AddConstraint(wanted[name]))
        except IntegrityError as error:
            field_name = name.removeprefix(f"ck_{layer.id}_").rpartition("_")[0]
            raise _refusal(
                layer, field_name, "lost codes that rows still use", "删除了仍被数据使用的代码"
            ) from error
        applied.append(f"{layer.id}: renewed check {name}")
    return applied


def _refusal(layer: Layer, name: str, en: str, zh: str) -> SyncRefused:
    return SyncRefused(
        f"{layer.id}.{name} {en}.",
        f"{layer.id}.{name} {zh}。",
        remedy_en="Put the definition back, or move the data by hand first.",
        remedy_zh="请恢复定义，或先手工迁移数据。",
    )


def _renew_view(conn: Connection, inspector: Inspector, layer: Layer, table: Table) -> None:
    """Make now.<layer> when it is missing or shows other columns: current rows, the source in words.

    A field that is hidden from some is left out: who asks a view must be allowed all that it names.
    """
    fields = [f.name for f in layer.fields if f.name not in layer.access.fields]
    names = ["row_id", "uid", *fields] + (["geom"] if layer.has_geometry else [])
    names += ["accuracy_m", "is_indicative", "valid_from", "valid_to", "rev_from"]
    if layer.id in inspector.get_view_names("now"):
        if [c["name"] for c in inspector.get_columns(layer.id, "now")] == [
            *names,
            "source",
            "is_demonstration",
        ]:
            return
        conn.execute(text(f"DROP VIEW now.{quoted(layer.id)}"))
    told = tables.told(layer)
    columns = ", ".join(_shown(table, name, told) for name in names)
    texts = "LEFT JOIN core.rule_texts x ON x.rules = t.rules AND x.rev_to IS NULL " if told else ""
    conn.execute(
        text(
            f"CREATE VIEW now.{quoted(layer.id)} AS SELECT {columns}, s.name AS source, s.is_demonstration "
            f"FROM layer.{quoted(table.name)} t JOIN core.sources s USING (source_id) {texts}"
            "WHERE t.rev_to IS NULL"
        )
    )


def _shown(table: Table, name: str, told: frozenset[str]) -> str:
    """A column of the view: the row's own, what its rules tell, or the sooner of both."""
    own, rules = f"t.{quoted(name)}", f"x.{quoted(name)}"
    if name not in told:
        return own
    return f"LEAST({own}, {rules}) AS {quoted(name)}" if name in table.c else rules
