"""Keep features of points ready as text, and count them by cells."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; `gis.features.prepare_items` fills them."""
    op.create_table(
        "item_forms",
        sa.Column(
            "form", sa.Text(), nullable=False, comment="a layer with the fields that a text tells: gis.tables"
        ),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False, comment="last revision of the layer that is in it"),
        sa.Column("source_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False, comment="what these sources were called"),
        sa.Column("south", sa.Integer(), comment="first band with a row; null: none has a place"),
        sa.Column("north", sa.Integer()),
        sa.Column("placeless", sa.Integer(), nullable=False, comment="rows without a place"),
        sa.PrimaryKeyConstraint("form", name=op.f("pk_item_forms")),
        schema="core",
        comment="Of which layers the current rows are kept ready, and up to which revision",
    )
    op.create_table(
        "item_rows",
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("gy", sa.Integer(), nullable=False, comment="band of the grid, to the north"),
        sa.Column("gx", sa.Integer(), nullable=False, comment="cell in the band, to the east"),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("x", sa.Double(), comment="in the storage CRS"),
        sa.Column("y", sa.Double()),
        sa.Column("feature", sa.LargeBinary(), nullable=False, comment="GeoJSON in UTF-8"),
        sa.PrimaryKeyConstraint(
            "form", "gy", "gx", "row_id", name=op.f("pk_item_rows"), postgresql_include=["x", "y"]
        ),
        schema="core",
        comment="Current rows in the order of their places, each with its feature as text",
    )
    op.create_index(op.f("ix_item_rows_form_row_id"), "item_rows", ["form", "row_id"], schema="core")
    op.create_table(
        "item_cells",
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("gy", sa.Integer(), nullable=False),
        sa.Column("gx", sa.Integer(), nullable=False),
        sa.Column(
            "upto",
            sa.Integer(),
            nullable=False,
            comment="rows in the band from its west end through this cell",
        ),
        sa.PrimaryKeyConstraint("form", "gy", "gx", name=op.f("pk_item_cells")),
        schema="core",
        comment="How many current rows lie in the cells of each band",
    )


def downgrade() -> None:
    """Drop them again."""
    for table in ("item_cells", "item_rows", "item_forms"):
        op.drop_table(table, schema="core")
