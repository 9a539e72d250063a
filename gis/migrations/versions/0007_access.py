"""Write of each report what it rests on, and in which areas its maker saw that."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; reports made so far rest on the layers that their records list, seen everywhere."""
    op.add_column(
        "reports",
        sa.Column(
            "rests_on",
            ARRAY(sa.Text()),
            nullable=False,
            server_default="{}",
            comment="layers, and layer.field, whose content it shows",
        ),
        schema="core",
    )
    op.add_column(
        "reports",
        sa.Column(
            "areas", ARRAY(sa.Text()), comment="of the scope it was made for; null: the whole district"
        ),
        schema="core",
    )
    op.execute("ALTER TABLE core.reports DISABLE TRIGGER keep_as_it_is")
    op.execute(
        "UPDATE core.reports SET rests_on = ARRAY(SELECT entry ->> 'id' FROM json_array_elements("
        "convert_from(record, 'UTF8')::json -> 'layers') AS entry)"
    )
    op.execute("ALTER TABLE core.reports ENABLE TRIGGER keep_as_it_is")


def downgrade() -> None:
    """Drop them again."""
    op.drop_column("reports", "areas", schema="core")
    op.drop_column("reports", "rests_on", schema="core")
