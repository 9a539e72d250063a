"""Make room for accounts, sessions, keys and the audit log."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("audit", "login_attempts", "api_keys", "sessions", "accounts")


def _moment(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), **more)


def upgrade() -> None:
    """Create the tables, and let the server refuse to change or remove a row of the audit log."""
    now: dict[str, Any] = {"server_default": sa.text("clock_timestamp()"), "nullable": False}
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="NFKC, case-folded"),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="argon2id in PHC form"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "areas", ARRAY(sa.Text()), comment="codes where the role holds; null: everywhere, empty: nowhere"
        ),
        sa.Column("department", sa.Text()),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _moment("created", **now),
        _moment("password_changed", **now),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
        schema="core",
        comment="People who may sign in",
    )
    op.create_table(
        "sessions",
        sa.Column(
            "token_hash", BYTEA(), nullable=False, comment="SHA-256 of the token; the token is not kept"
        ),
        sa.Column("account_id", sa.Integer(), nullable=False),
        _moment("created", **now),
        _moment("last_used", **now),
        _moment("expires", nullable=False, comment="however much it is used"),
        _moment("idle_until", nullable=False, comment="unless it is used before"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["core.accounts.account_id"],
            name=op.f("fk_sessions_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
        schema="core",
        comment="Who is signed in on the page",
    )
    op.create_index(op.f("ix_sessions_account_id"), "sessions", ["account_id"], schema="core")
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False, comment="names the key; no secret"),
        sa.Column(
            "secret_hash",
            BYTEA(),
            nullable=False,
            comment="SHA-256 of the secret, which is 256 random bits",
        ),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("role", sa.Text(), comment="of a key that belongs to no account"),
        sa.Column("areas", ARRAY(sa.Text()), comment="as in accounts"),
        sa.Column("department", sa.Text()),
        _moment("created", **now),
        _moment("expires", comment="null: never"),
        _moment("last_used", comment="to the minute"),
        _moment("revoked"),
        sa.CheckConstraint("(account_id IS NULL) <> (role IS NULL)", name=op.f("ck_api_keys_owner")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["core.accounts.account_id"],
            name=op.f("fk_api_keys_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
        schema="core",
        comment="What programs show; a key has the role of its account, or one of its own",
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"], schema="core")
    _create_logs(now)


def _create_logs(now: dict[str, Any]) -> None:
    op.create_table(
        "login_attempts",
        sa.Column("attempt_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _moment("at", **now),
        sa.Column(
            "name_hash", BYTEA(), nullable=False, comment="of the name: some type their password there"
        ),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_login_attempts")),
        schema="core",
        comment="Guesses at passwords of the last minutes, by all processes",
    )
    for column in ("name_hash", "address"):
        op.create_index(
            op.f(f"ix_login_attempts_{column}_at"), "login_attempts", [column, "at"], schema="core"
        )
    op.create_table(
        "audit",
        sa.Column(
            "seq",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="1, 2, 3 ... without a gap",
        ),
        _moment("at", nullable=False),
        sa.Column(
            "who", sa.Text(), comment="account, key:LABEL, oidc:SUBJECT, user of the machine; null: unknown"
        ),
        sa.Column("via", sa.Text(), nullable=False, comment="session, key, token, command, service, none"),
        sa.Column("address", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="done, refused, failed"),
        sa.Column("scope", sa.Text(), comment="digest of role, areas and department"),
        sa.Column("trace", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False, comment="canonical JSON"),
        sa.Column("previous", BYTEA(), nullable=False, comment="hash of the row before; zeros for the first"),
        sa.Column("hash", BYTEA(), nullable=False, comment="SHA-256 of the content and of previous"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        schema="core",
        comment="Who saw and changed what; rows are only ever added, each bound to the one before",
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], schema="core")
    op.execute(
        "CREATE TRIGGER keep_as_it_is BEFORE UPDATE OR DELETE OR TRUNCATE ON core.audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION core.keep_as_it_is()"
    )


def downgrade() -> None:
    """Drop them again."""
    for table in TABLES:
        op.drop_table(table, schema="core")
