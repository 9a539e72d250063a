"""Make room for subscriptions to changes, for what could not be delivered, and for answers that are kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables."""
    now, time = sa.text("clock_timestamp()"), sa.DateTime(timezone=True)
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("layers", JSONB(), comment="names of layers; null: all"),
        sa.Column("secret", sa.Text(), nullable=False, comment="signs what is sent; never shown again"),
        sa.Column("made_at", time, server_default=now, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("paused", sa.Text(), comment="why nothing is sent; null: it is"),
        sa.Column("next_rev", sa.BigInteger(), nullable=False, comment="all before it was delivered"),
        sa.Column("next_layer", sa.Text(), server_default="", nullable=False, comment="and before this"),
        sa.Column("next_at", time, server_default=now, nullable=False, comment="not before then"),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False, comment="in a row"),
        sa.Column("delivered", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_at", time, comment="of the last attempt"),
        sa.Column("last_words", sa.Text(), comment="what came of it"),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("name", name=op.f("uq_subscriptions_name")),
        schema="core",
        comment="Who is told of changes, and how far",
    )
    op.create_table(
        "dead_letters",
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", time, server_default=now, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["core.subscriptions.subscription_id"],
            name=op.f("fk_dead_letters_subscription_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "rev", "layer", name=op.f("pk_dead_letters")),
        schema="core",
        comment="Events that were given up",
    )
    op.create_table(
        "kept_answers",
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="the client's Idempotency-Key"),
        sa.Column("request", BYTEA(), comment="hash of what was asked; null: still being read"),
        sa.Column("at", time, server_default=now, nullable=False),
        sa.Column("status", sa.Integer(), comment="of the answer; null: under way"),
        sa.Column("headers", JSONB()),
        sa.Column("body", BYTEA()),
        sa.PrimaryKeyConstraint("who", "key", name=op.f("pk_kept_answers")),
        schema="core",
        comment="Answers to requests that named themselves by a key, for a day",
    )


def downgrade() -> None:
    """Drop them again."""
    for table in ("kept_answers", "dead_letters", "subscriptions"):
        op.drop_table(table, schema="core")
