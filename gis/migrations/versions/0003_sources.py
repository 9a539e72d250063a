"""Make room for the register of sources, harvests and their health."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables."""
    _extend_sources()
    _make_harvests()


def _extend_sources() -> None:
    rhythm = "promised time between updates: ISO 8601 duration, or irregular"
    for name, comment in (("contact", "who answers for the data"), ("rhythm", rhythm), ("notes", None)):
        op.add_column("sources", sa.Column(name, sa.Text(), nullable=True, comment=comment), schema="core")
    op.create_table(
        "promises",
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column(
            "expected_rows",
            sa.BigInteger(),
            nullable=True,
            comment="about so many rows the source has of the layer",
        ),
        sa.Column(
            "rhythm",
            sa.Text(),
            nullable=True,
            comment="where the layer has another than the source as a whole",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["core.sources.source_id"], name=op.f("fk_promises_source_id")
        ),
        sa.PrimaryKeyConstraint("source_id", "layer", name=op.f("pk_promises")),
        schema="core",
        comment="What a source promises of one layer",
    )


def _make_harvests() -> None:
    now = sa.text("clock_timestamp()")
    op.create_table(
        "harvests",
        sa.Column("harvest_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="oapif, wfs, arcgis, postgis, http"),
        sa.Column("url", sa.Text(), nullable=False, comment="without user name and password"),
        sa.Column(
            "options", JSONB(), nullable=False, comment="how to ask and how to read; secrets by variable name"
        ),
        sa.Column("every", sa.Text(), nullable=True, comment="ISO 8601 duration; null: only when asked"),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column(
            "mark",
            JSONB(),
            nullable=True,
            comment="how far the source has been taken: its tag, or the newest change seen",
        ),
        sa.Column(
            "full_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the source was last taken as a whole",
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "failures", sa.Integer(), server_default="0", nullable=False, comment="failed runs in a row"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["core.sources.source_id"], name=op.f("fk_harvests_source_id")
        ),
        sa.PrimaryKeyConstraint("harvest_id", name=op.f("pk_harvests")),
        sa.UniqueConstraint("name", name=op.f("uq_harvests_name")),
        schema="core",
        comment="Sources that are asked again by the clock",
    )
    op.create_table(
        "harvest_runs",
        sa.Column("harvest_run_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("harvest_id", sa.Integer(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False, comment="running, changed, unchanged, failed"),
        sa.Column(
            "whole", sa.Boolean(), nullable=False, comment="the source as a whole, not only what is new"
        ),
        sa.Column("fetched", sa.BigInteger(), nullable=True, comment="rows that the source sent"),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "rev", sa.BigInteger(), nullable=True, comment="the revision written; null: nothing changed"
        ),
        sa.Column(
            "error",
            JSONB(),
            nullable=True,
            comment="code, and what went wrong and what to do in both languages",
        ),
        sa.ForeignKeyConstraint(
            ["harvest_id"],
            ["core.harvests.harvest_id"],
            name=op.f("fk_harvest_runs_harvest_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["core.import_runs.run_id"], name=op.f("fk_harvest_runs_run_id")),
        sa.PrimaryKeyConstraint("harvest_run_id", name=op.f("pk_harvest_runs")),
        schema="core",
        comment="Each time a source was asked, and what came of it",
    )
    op.create_index(
        op.f("ix_harvest_runs_harvest_id"), "harvest_runs", ["harvest_id"], unique=False, schema="core"
    )


def downgrade() -> None:
    """Drop them again."""
    for name in ("harvest_runs", "harvests", "promises"):
        op.drop_table(name, schema="core")
    for name in ("contact", "rhythm", "notes"):
        op.drop_column("sources", name, schema="core")
