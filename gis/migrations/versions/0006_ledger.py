"""Keep what conflicts were judged by, what no zone decides, and what people say of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Extend the judgings; create the tables of open rules and of marks."""
    op.add_column(
        "judgings",
        sa.Column(
            "basis", JSONB(), comment="rules and settings it was judged by; null: judge everything anew"
        ),
        schema="core",
    )
    op.add_column(
        "judgings",
        sa.Column("rejudged", sa.BigInteger(), comment="how many subjects were judged; null: all"),
        schema="core",
    )
    op.create_table(
        "uncovered",
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False, comment="separated by spaces, in order"),
        sa.PrimaryKeyConstraint("layer", "uid", name=op.f("pk_uncovered")),
        schema="core",
        comment="Rules that are open for a subject although it meets no zone: now, at the last judging",
    )
    op.create_table(
        "conflict_marks",
        sa.Column("mark_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False, comment="of the conflict"),
        sa.Column("mark", sa.Text(), nullable=False, comment="challenged, accepted, or withdrawn"),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column(
            "until",
            sa.Date(),
            nullable=True,
            comment="the last day it holds; null: as long as the conflict stands",
        ),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "opened_rev", sa.BigInteger(), nullable=False, comment="the revision that opened the conflict"
        ),
        sa.CheckConstraint(
            "mark IN ('challenged', 'accepted', 'withdrawn')", name=op.f("ck_conflict_marks_mark")
        ),
        sa.PrimaryKeyConstraint("mark_id", name=op.f("pk_conflict_marks")),
        schema="core",
        comment="What people said of single conflicts; only ever added to, the newest of a conflict counts",
    )
    op.create_index(
        op.f("ix_conflict_marks_uid_mark_id"), "conflict_marks", ["uid", "mark_id"], schema="core"
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("conflict_marks", schema="core")
    op.drop_table("uncovered", schema="core")
    op.drop_column("judgings", "rejudged", schema="core")
    op.drop_column("judgings", "basis", schema="core")
