"""Keep fewer and cheaper indexes of what the program writes: of places one, of current names none, hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# What `gis.crs.has_web_degrees` knew when this was written, and what named the rows that a row was made from.
_WEB_DEGREES = ("4326", "4490")
_MADE_FROM = ("subject_uid", "uid_shown", "uid_other")


def upgrade() -> None:
    """Drop the indexes that `gis.tables` has otherwise now; `gis.sync.sync` makes the hashes."""
    stored = op.get_bind().scalar(sa.text("SELECT value FROM core.store WHERE key = 'storage_crs'"))
    for index, layer, method in _found():
        is_drawn = index == f"ix_{layer}_geom_web"
        if index == f"uq_{layer}_current_uid" or (is_drawn and stored in _WEB_DEGREES):
            op.drop_index(index, schema="layer")
        elif index in _of_uids(layer) and method == "btree":
            op.drop_index(index, schema="layer")


def downgrade() -> None:
    """Drop the hashes; the `gis.sync.sync` of before makes trees, and what is missing."""
    for index, layer, method in _found():
        if index in _of_uids(layer) and method == "hash":
            op.drop_index(index, schema="layer")


def _of_uids(layer: str) -> list[str]:
    return [f"ix_{layer}_{column}" for column in _MADE_FROM]


def _found() -> list[tuple[str, str, str]]:
    """The indexes of derived layers (the tables that say what a row rests on): name, layer and method."""
    query = sa.text(
        "SELECT c.relname, t.relname, m.amname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_am m ON m.oid = c.relam JOIN pg_class t ON t.oid = i.indrelid "
        "JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid "
        "WHERE n.nspname = 'layer' AND a.attname = 'rests_on'"
    )
    return [(index, layer, method) for index, layer, method in op.get_bind().execute(query)]
