"""Ask whether whoever reads sees a row: for rows that were made from others."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


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


def downgrade() -> None:
    """Drop it again."""
    op.execute("DROP FUNCTION core.sees_row")
