"""Make the fixed tables of schema core."""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of schema core."""
    op.create_table(
        "sources",
        sa.Column("source_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("bureau", sa.Text(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("attribution", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column(
            "accuracy_m",
            sa.Double(),
            nullable=True,
            comment="bound of the position error in metres; null is unknown",
        ),
        sa.Column("crs", sa.Text(), nullable=True, comment="CRS the data came in"),
        sa.Column(
            "transformation",
            sa.Text(),
            nullable=True,
            comment="operation that brought them into the storage CRS",
        ),
        sa.Column("is_demonstration", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_sources_name")),
        schema="core",
        comment="Where rows come from",
    )
    op.create_table(
        "store",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_store")),
        schema="core",
        comment="Facts that the whole store rests on, such as its storage CRS",
    )
    op.create_table(
        "coverage",
        sa.Column("coverage_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column(
            "geom",
            Geometry(geometry_type=None, srid=-1, spatial_index=False),
            nullable=False,
        ),
        sa.Column("rev_from", sa.BigInteger(), nullable=False),
        sa.Column("rev_to", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["core.sources.source_id"],
            name=op.f("fk_coverage_source_id"),
        ),
        sa.PrimaryKeyConstraint("coverage_id", name=op.f("pk_coverage")),
        schema="core",
        comment="Where a source's data of a layer are complete (storage CRS); outside it nothing is known",
    )
    op.create_index(
        op.f("ix_coverage_layer_rev_to"),
        "coverage",
        ["layer", "rev_to"],
        unique=False,
        schema="core",
    )
    op.create_table(
        "revisions",
        sa.Column("rev", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="import, revert, refresh"),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column(
            "reverts",
            sa.BigInteger(),
            nullable=True,
            comment="the revision that this one undoes",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["core.sources.source_id"],
            name=op.f("fk_revisions_source_id"),
        ),
        sa.PrimaryKeyConstraint("rev", name=op.f("pk_revisions")),
        schema="core",
        comment="Every write of layer rows, numbered in commit order",
    )
    op.create_table(
        "import_runs",
        sa.Column("run_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("good", sa.BigInteger(), nullable=False),
        sa.Column("bad", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=True, comment="null when nothing changed"),
        sa.ForeignKeyConstraint(["rev"], ["core.revisions.rev"], name=op.f("fk_import_runs_rev")),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["core.sources.source_id"],
            name=op.f("fk_import_runs_source_id"),
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_import_runs")),
        schema="core",
        comment="Each file that was imported; good + bad = total",
    )
    op.create_table(
        "judgings",
        sa.Column("judging_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column(
            "judged_rev",
            sa.BigInteger(),
            nullable=False,
            comment="the data revision that was judged",
        ),
        sa.Column(
            "rev",
            sa.BigInteger(),
            nullable=True,
            comment="the revision written; null: nothing changed",
        ),
        sa.Column("rules_hash", sa.Text(), nullable=False),
        sa.Column("law_date", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["rev"], ["core.revisions.rev"], name=op.f("fk_judgings_rev")),
        sa.PrimaryKeyConstraint("judging_id", name=op.f("pk_judgings")),
        schema="core",
        comment="Each refresh of the conflicts: up to which revision everything has been judged",
    )
    op.create_table(
        "revision_layers",
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["rev"], ["core.revisions.rev"], name=op.f("fk_revision_layers_rev")),
        sa.PrimaryKeyConstraint("rev", "layer", name=op.f("pk_revision_layers")),
        schema="core",
        comment="What a revision did to each layer; coverage changes count as a touch with zero rows",
    )
    op.create_index(
        op.f("ix_revision_layers_layer_rev"),
        "revision_layers",
        ["layer", "rev"],
        unique=False,
        schema="core",
    )
    op.create_table(
        "rejects",
        sa.Column("reject_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "row_no",
            sa.BigInteger(),
            nullable=False,
            comment="1 is the first data row of the file",
        ),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("row", JSONB(), nullable=True, comment="the row as it was read"),
        sa.ForeignKeyConstraint(["run_id"], ["core.import_runs.run_id"], name=op.f("fk_rejects_run_id")),
        sa.PrimaryKeyConstraint("reject_id", name=op.f("pk_rejects")),
        schema="core",
        comment="Rows that were refused, or stored with a warning, with the reason",
    )
    op.create_index(op.f("ix_rejects_run_id"), "rejects", ["run_id"], unique=False, schema="core")


def downgrade() -> None:
    """Drop them again."""
    for name in (
        "rejects",
        "revision_layers",
        "judgings",
        "import_runs",
        "coverage",
        "revisions",
        "store",
        "sources",
    ):
        op.drop_table(name, schema="core")
