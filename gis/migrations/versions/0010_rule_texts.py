"""Keep what rules say and rest on once for all conflicts of the same rules, no more in each row."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOVED = ("title", "article", "article_en", "rule_hash")


def upgrade() -> None:
    """Create the table, fill it from the rows there are, and take the columns out of them."""
    op.create_table(
        "rule_texts",
        sa.Column("text_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False, comment="ids as rows of the conflicts list them"),
        sa.Column("title", sa.Text()),
        sa.Column("article", sa.Text()),
        sa.Column("article_en", sa.Text()),
        sa.Column("rule_hash", sa.Text(), nullable=False),
        sa.Column(
            "next_date",
            sa.Date(),
            comment="the next day on which a legal text behind the rules begins or ends",
        ),
        sa.Column("rev_from", sa.BigInteger(), nullable=False),
        sa.Column("rev_to", sa.BigInteger()),
        sa.PrimaryKeyConstraint("text_id", name=op.f("pk_rule_texts")),
        schema="core",
        comment="What rules say and rest on, for all conflicts that list them: from revision to revision",
    )
    op.create_index(
        "uq_rule_texts_current", "rule_texts", ["rules"], unique=True, schema="core",
        postgresql_where=sa.text("rev_to IS NULL"),
    )  # fmt: skip
    op.create_index(op.f("ix_rule_texts_rules_rev_from"), "rule_texts", ["rules", "rev_from"], schema="core")
    if _has_rows():
        _move()
    # The next judging compares with nothing and judges everything: records of old judgings know less.
    op.execute("UPDATE core.judgings SET basis = NULL")


def _has_rows() -> bool:
    """Whether the conflicts were made with the columns that move."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'layer' "
            "AND table_name = 'conflicts' AND column_name = ANY(:names)"
        ),
        {"names": list(_MOVED)},
    )
    return bool(found.scalar_one() == len(_MOVED))


def _move() -> None:
    op.execute(
        "INSERT INTO core.rule_texts (rules, title, article, article_en, rule_hash, rev_from, rev_to) "
        "SELECT rules, title, article, article_en, rule_hash, rev_from, "
        "lead(rev_from) OVER (PARTITION BY rules ORDER BY rev_from) FROM ("
        "SELECT DISTINCT ON (rules, rev_from) * FROM ("
        "SELECT rules, title, article, article_en, min(rule_hash) AS rule_hash, min(rev_from) AS rev_from "
        "FROM layer.conflicts GROUP BY rules, title, article, article_en) AS told "
        "ORDER BY rules, rev_from) AS spans"
    )
    op.execute("DROP VIEW IF EXISTS now.conflicts")
    for name in _MOVED:
        op.execute(f"ALTER TABLE layer.conflicts DROP COLUMN {name}")


def downgrade() -> None:
    """Drop the table again; the columns of the conflicts stay away until they are judged anew."""
    op.drop_table("rule_texts", schema="core")
