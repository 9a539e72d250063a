"""Keep what tiles of the current revision are drawn from: cut shapes, and summed points."""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of prepared levels."""
    op.create_table(
        "tile_levels",
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False, comment="last revision of the layer in the levels"),
        sa.Column(
            "rendering", sa.Text(), nullable=False, comment="what was drawn and how; else it is not used"
        ),
        sa.Column("demonstration", sa.Text(), nullable=False, comment="sources that were demonstration data"),
        sa.Column("finest", sa.SmallInteger(), comment="the last zoom whose points are summed; null: none"),
        sa.PrimaryKeyConstraint("layer", name=op.f("pk_tile_levels")),
        schema="core",
        comment="Up to which revision the levels of a layer have been prepared",
    )
    op.create_table(
        "tile_rows",
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("west", sa.Double(), nullable=False),
        sa.Column("south", sa.Double(), nullable=False),
        sa.Column("east", sa.Double(), nullable=False),
        sa.Column("north", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("layer", "row_id", name=op.f("pk_tile_rows")),
        schema="core",
        comment="Rows whose shape is prepared, each with its box in EPSG:3857",
    )
    op.create_table(
        "tile_shapes",
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("z", sa.SmallInteger(), nullable=False),
        sa.Column("cx", sa.Integer(), nullable=False),
        sa.Column("cy", sa.Integer(), nullable=False),
        sa.Column(
            "geom",
            Geometry(srid=3857, spatial_index=False),
            comment="what of the shape lies in and around the tile; null: it covers it, z is -1 - zoom",
        ),
        sa.PrimaryKeyConstraint("layer", "z", "cx", "cy", "row_id", name=op.f("pk_tile_shapes")),
        schema="core",
        comment="Large shapes, simplified for each zoom and cut by its tiles",
    )
    op.create_index(op.f("ix_tile_shapes_layer_row_id"), "tile_shapes", ["layer", "row_id"], schema="core")
    op.create_table(
        "tile_cells",
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("z", sa.SmallInteger(), nullable=False),
        sa.Column("gx", sa.Integer(), nullable=False),
        sa.Column("gy", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), comment="of a single row"),
        sa.Column("label", sa.Text(), comment="of a single row"),
        sa.Column("rank", sa.SmallInteger(), comment="place in the legend of the first class"),
        sa.Column("is_indicative", sa.Boolean(), nullable=False),
        sa.Column("is_demonstration", sa.Boolean(), nullable=False),
        sa.Column(
            "bbox", sa.Text(), comment="of several rows: the box around them in degrees, as tiles say it"
        ),
        sa.Column("west", sa.Double(), nullable=False),
        sa.Column("south", sa.Double(), nullable=False),
        sa.Column("east", sa.Double(), nullable=False),
        sa.Column("north", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("layer", "z", "gx", "gy", name=op.f("pk_tile_cells")),
        schema="core",
        comment="Current points of a layer summed on the grid of each zoom, 64 cells to the side of a tile",
    )


def downgrade() -> None:
    """Drop them again."""
    for table in ("tile_cells", "tile_shapes", "tile_rows", "tile_levels"):
        op.drop_table(table, schema="core")
