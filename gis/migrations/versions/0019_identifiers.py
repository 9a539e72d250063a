"""Let a source say what its data are called elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "sources",
        sa.Column("identifier", sa.Text(), comment="what others call the data: scheme:value, or value"),
        schema="core",
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("sources", "identifier", schema="core")
