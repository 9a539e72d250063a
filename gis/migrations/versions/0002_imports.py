"""Make room for what an import run read, decided and repaired."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables."""


def downgrade() -> None:
    """Drop them again."""
