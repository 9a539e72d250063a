"""Let a source say what its data are called elsewhere, and a touch whether it changed cells."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; `gis.following.catch_up` says of older touches which of them changed cells."""
    op.add_column(
        "sources",
        sa.Column("identifier", sa.Text(), comment="what others call the data: scheme:value, or value"),
        schema="core",
    )
    op.add_column(
        "revision_layers",
        sa.Column(
            "cells",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="whether whoever sees the layer generalised sees something else since then",
        ),
        schema="core",
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_column("revision_layers", "cells", schema="core")
    op.drop_column("sources", "identifier", schema="core")
