"""Find the versions of what the program writes by hashes of their names."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the indexes that were trees; `gis.sync.sync` makes them anew."""
    _drop("btree")


def downgrade() -> None:
    """Drop the hashes; the `gis.sync.sync` of before makes trees."""
    _drop("hash")


def _drop(method: str) -> None:
    """Drop the index of uids of each derived layer: those are the tables that say what a row rests on."""
    found = sa.text(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_am m ON m.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid "
        "JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = t.oid "
        "WHERE n.nspname = 'layer' AND a.attname = 'rests_on' AND m.amname = :method "
        "AND c.relname = 'ix_' || t.relname || '_uid'"
    )
    for name in op.get_bind().scalars(found, {"method": method}).all():
        op.drop_index(name, schema="layer")
