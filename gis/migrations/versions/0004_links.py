"""Make room for what people decide about rows that may mean the same thing."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of decisions."""
    op.create_table(
        "links",
        sa.Column("link_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("uid_a", sa.Text(), nullable=False, comment="the smaller of the two"),
        sa.Column("uid_b", sa.Text(), nullable=False),
        sa.Column("same", sa.Boolean(), nullable=False, comment="false: they only look alike"),
        sa.Column("evidence", JSONB(), nullable=False, comment="what spoke for it when it was decided"),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_links")),
        schema="core",
        comment="What people decided about two rows of different sources; nothing is deleted, only undone",
    )
    op.create_index(
        "uq_links_standing",
        "links",
        ["layer", "uid_a", "uid_b"],
        unique=True,
        schema="core",
        postgresql_where=sa.text("undone_at IS NULL"),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("links", schema="core")
