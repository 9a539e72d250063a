"""Ask whether whoever reads sees a row: for rows that were made from others."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KINDS = "import, revert, refresh"


def upgrade() -> None:
    """Create the function: by names, as a table may be replaced by another of its name."""
    op.execute(
        """
        CREATE FUNCTION core.sees_row(layer text, uid text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
        DECLARE seen boolean;
        BEGIN
            IF to_regclass(format('layer.%I', layer)) IS NULL
               OR NOT has_column_privilege(format('layer.%I', layer), 'uid', 'SELECT') THEN
                RETURN false;
            END IF;
            EXECUTE format('SELECT EXISTS (SELECT FROM layer.%I AS t WHERE t.uid = $1)', layer)
                INTO seen USING uid;
            RETURN seen;
        END $$
        """
    )

    op.alter_column(
        "revisions", "kind", schema="core", existing_comment=_KINDS,
        comment=f"{_KINDS}, edit, source, access", existing_type=sa.Text(), existing_nullable=False,
    )  # fmt: skip


def downgrade() -> None:
    """Drop it again."""
    op.alter_column(
        "revisions", "kind", schema="core", comment=_KINDS, existing_type=sa.Text(), existing_nullable=False
    )
    op.execute("DROP FUNCTION core.sees_row")
