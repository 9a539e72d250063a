"""Make room for what an import run read, decided and repaired."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _run_columns() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "repaired",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="rows taken with a repair",
        ),
        sa.Column(
            "warned", sa.BigInteger(), server_default="0", nullable=False, comment="rows taken with a warning"
        ),
        sa.Column(
            "rows_claimed", sa.BigInteger(), nullable=True, comment="rows that the file's own header states"
        ),
        sa.Column("who", sa.Text(), server_default="", nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("member", sa.Text(), nullable=True, comment="layer, sheet or inner file that was read"),
        sa.Column("encoding", sa.Text(), nullable=True),
        sa.Column("declared_crs", sa.Text(), nullable=True, comment="what the file says; null: nothing"),
        sa.Column("used_crs", sa.Text(), nullable=True, comment="what its coordinates were taken as"),
        sa.Column("operation", sa.Text(), nullable=True, comment="the way to the storage CRS"),
        sa.Column("sha256", sa.Text(), nullable=True, comment="of the file"),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="of the file in bytes"),
        sa.Column(
            "options", JSONB(), nullable=True, comment="how the file was to be read, column of each field too"
        ),
        sa.Column("proposal", JSONB(), nullable=True, comment="what was found out about its coordinates"),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=True,
            comment="hash of file, options, definition and program; the same again changes nothing",
        ),
        sa.Column(
            "seen", sa.BigInteger(), nullable=True, comment="last revision of the layer when it was done"
        ),
    ]


def upgrade() -> None:
    """Add the columns and tables."""
    for column in _run_columns():
        op.add_column("import_runs", column, schema="core")
    op.create_index(
        op.f("ix_import_runs_layer_source_id"),
        "import_runs",
        ["layer", "source_id"],
        unique=False,
        schema="core",
    )
    op.add_column(
        "rejects",
        sa.Column(
            "owner",
            sa.Text(),
            server_default="supplier",
            nullable=False,
            comment="who mends it: supplier, importer, platform",
        ),
        schema="core",
    )
    op.add_column(
        "rejects",
        sa.Column(
            "original",
            sa.Text(),
            nullable=True,
            comment="what stood there before a repair: text, or a geometry as hexadecimal WKB",
        ),
        schema="core",
    )
    op.add_column(
        "rejects",
        sa.Column(
            "resolved_by",
            sa.BigInteger(),
            sa.ForeignKey("core.import_runs.run_id", name=op.f("fk_rejects_resolved_by")),
            nullable=True,
            comment="the run that took the row when it was mended; null: open",
        ),
        schema="core",
    )
    op.create_table(
        "field_maps",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("mapping", JSONB(), nullable=False, comment="column, unit and codes of each field"),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("who", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["core.sources.source_id"], name=op.f("fk_field_maps_source_id")
        ),
        sa.PrimaryKeyConstraint("source_id", "layer", name=op.f("pk_field_maps")),
        schema="core",
        comment="Which column of a source's files holds which field of a layer",
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("field_maps", schema="core")
    op.drop_column("rejects", "resolved_by", schema="core")
    op.drop_column("rejects", "original", schema="core")
    op.drop_column("rejects", "owner", schema="core")
    op.drop_index(op.f("ix_import_runs_layer_source_id"), table_name="import_runs", schema="core")
    for column in reversed(_run_columns()):
        op.drop_column("import_runs", column.name, schema="core")
