"""Make room for the register of sources, harvests and their health."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables."""


def downgrade() -> None:
    """Drop them again."""
