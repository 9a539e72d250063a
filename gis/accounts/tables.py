"""The tables of accounts and of the audit log, in schema ``core``."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from gis.tables import CORE

__all__ = ["accounts", "api_keys", "audit", "login_attempts", "sessions"]

_MOMENT = DateTime(timezone=True)

accounts = Table(
    "accounts",
    CORE,
    Column("account_id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True, comment="NFKC, case-folded"),
    Column("display_name", Text, nullable=False),
    Column("password_hash", Text, nullable=False, comment="argon2id in PHC form"),
    Column("role", Text, nullable=False),
    Column("areas", ARRAY(Text), comment="codes where the role holds; null: everywhere, empty: nowhere"),
    Column("department", Text),
    Column("disabled", Boolean, nullable=False, server_default="false"),
    Column("created", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("password_changed", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    comment="People who may sign in",
)

sessions = Table(
    "sessions",
    CORE,
    Column("token_hash", BYTEA, primary_key=True, comment="SHA-256 of the token; the token is not kept"),
    Column(
        "account_id",
        Integer,
        ForeignKey(accounts.c.account_id, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("created", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("last_used", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("expires", _MOMENT, nullable=False, comment="however much it is used"),
    Column("idle_until", _MOMENT, nullable=False, comment="unless it is used before"),
    comment="Who is signed in on the page",
)

api_keys = Table(
    "api_keys",
    CORE,
    Column("key_id", Integer, Identity(), primary_key=True),
    Column("prefix", Text, nullable=False, unique=True, comment="names the key; no secret"),
    Column("secret_hash", BYTEA, nullable=False, comment="SHA-256 of the secret, which is 256 random bits"),
    Column("label", Text, nullable=False),
    Column("account_id", Integer, ForeignKey(accounts.c.account_id, ondelete="CASCADE"), index=True),
    Column("role", Text, comment="of a key that belongs to no account"),
    Column("areas", ARRAY(Text), comment="as in accounts"),
    Column("department", Text),
    Column("created", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("expires", _MOMENT, comment="null: never"),
    Column("last_used", _MOMENT, comment="to the minute"),
    Column("revoked", _MOMENT),
    CheckConstraint("(account_id IS NULL) <> (role IS NULL)", name="owner"),
    comment="What programs show; a key has the role of its account, or one of its own",
)

login_attempts = Table(
    "login_attempts",
    CORE,
    Column("attempt_id", BigInteger, Identity(), primary_key=True),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("name_hash", BYTEA, nullable=False, comment="of the name: some type their password there"),
    Column("address", Text, nullable=False),
    Index(None, "name_hash", "at"),
    Index(None, "address", "at"),
    comment="Guesses at passwords of the last minutes, by all processes",
)

audit = Table(
    "audit",
    CORE,
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="1, 2, 3 ... without a gap"),
    Column("at", _MOMENT, nullable=False),
    Column("who", Text, comment="account, key:LABEL, oidc:SUBJECT, user of the machine; null: unknown"),
    Column("via", Text, nullable=False, comment="session, key, token, command, service, none"),
    Column("address", Text),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("outcome", Text, nullable=False, comment="done, refused, failed"),
    Column("scope", Text, comment="digest of role, areas and department"),
    Column("trace", Text),
    Column("detail", Text, nullable=False, comment="canonical JSON"),
    Column("previous", BYTEA, nullable=False, comment="hash of the row before; zeros for the first"),
    Column("hash", BYTEA, nullable=False, comment="SHA-256 of the content and of previous"),
    Index(None, "at"),
    comment="Who saw and changed what; rows are only ever added, each bound to the one before",
)
