"""Make room for reports and for what they looked like when they were first opened."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("reports", "report_faces")


def upgrade() -> None:
    """Create both tables, and let the server refuse to change or remove a row of them."""
    now = sa.text("clock_timestamp()")
    op.create_table(
        "reports",
        sa.Column("report_id", sa.Text(), nullable=False, comment="SHA-256 of the record, hexadecimal"),
        sa.Column("record", BYTEA(), nullable=False, comment="canonical JSON"),
        sa.Column("at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_reports")),
        schema="core",
        comment="Answers that were kept, as they were given; rows are only ever added",
    )
    op.create_table(
        "report_faces",
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False, comment="html, pdf, docx, xlsx, gpkg"),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("body", BYTEA(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("engine", sa.Text(), nullable=False, comment="the version that rendered it"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["core.reports.report_id"], name=op.f("fk_report_faces_report_id")
        ),
        sa.PrimaryKeyConstraint("report_id", "face", "lang", name=op.f("pk_report_faces")),
        schema="core",
        comment="Pages and files of reports, as they were first rendered; rows are only ever added",
    )
    op.execute(
        "CREATE FUNCTION core.keep_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'rows of core.% are never changed or removed', TG_TABLE_NAME; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER keep_as_it_is BEFORE UPDATE OR DELETE OR TRUNCATE ON core.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION core.keep_as_it_is()"
        )


def downgrade() -> None:
    """Drop both again."""
    for table in reversed(TABLES):
        op.drop_table(table, schema="core")
    op.execute("DROP FUNCTION core.keep_as_it_is()")
