"""Keep features that are ready as text together in compressed blocks."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; `gis.features.prepare_items` makes what is ready anew, and fills it."""
    op.create_table(
        "item_blocks",
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("gy", sa.Integer(), nullable=False, comment="band of the grid, to the north"),
        sa.Column("first_gx", sa.Integer(), nullable=False, comment="cell of the first row"),
        sa.Column("first_row", sa.BigInteger(), nullable=False),
        sa.Column("last_gx", sa.Integer(), nullable=False),
        sa.Column("last_row", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=False, comment="of its rows: gis.features.blocks"),
        sa.Column(
            "texts", sa.LargeBinary(), nullable=False, comment="GeoJSON in UTF-8, deflated, behind check sums"
        ),
        sa.PrimaryKeyConstraint("form", "gy", "first_gx", "first_row", name=op.f("pk_item_blocks")),
        schema="core",
        comment="Current rows in the order of their places, so many together",
    )
    # They are compressed already, and are to lie in the row itself as long as it fits a page.
    op.execute(
        "ALTER TABLE core.item_blocks SET (toast_tuple_target = 8160), "
        "ALTER places SET STORAGE EXTERNAL, ALTER texts SET STORAGE EXTERNAL"
    )
    op.execute("DELETE FROM core.item_forms")


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("item_blocks", schema="core")
