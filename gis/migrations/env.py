"""Alembic's entry point: migrates schema ``core`` on the connection that gis.sync hands over."""

from alembic import context

from gis.tables import CORE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=CORE,
    version_table_schema="core",
    include_schemas=True,
    include_name=lambda name, kind, _parents: name == "core" if kind == "schema" else True,
)

with context.begin_transaction():
    context.run_migrations()
