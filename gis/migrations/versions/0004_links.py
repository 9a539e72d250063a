"""Make room for which rows of different sources mean the same thing."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables."""


def downgrade() -> None:
    """Drop them again."""
