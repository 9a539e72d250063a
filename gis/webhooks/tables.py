"""The tables of subscriptions, in schema ``core``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Integer, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from gis.tables import CORE

__all__ = ["letters", "subscriptions"]

subscriptions = Table(
    "subscriptions",
    CORE,
    Column("subscription_id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("layers", JSONB(none_as_null=True), comment="names of layers; null: all"),
    Column("secret", Text, nullable=False, comment="signs what is sent; never shown again"),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("who", Text, nullable=False),
    Column("paused", Text, comment="why nothing is sent; null: it is"),
    Column("next_rev", BigInteger, nullable=False, comment="all before it was delivered"),
    Column("next_layer", Text, nullable=False, server_default="", comment="and before this"),
    Column(
        "next_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment="not before then",
    ),
    Column("failures", Integer, nullable=False, server_default="0", comment="in a row"),
    Column("delivered", BigInteger, nullable=False, server_default="0"),
    Column("last_at", DateTime(timezone=True), comment="of the last attempt"),
    Column("last_words", Text, comment="what came of it"),
    comment="Who is told of changes, and how far",
)

letters = Table(
    "dead_letters",
    CORE,
    Column(
        "subscription_id",
        BigInteger,
        ForeignKey(subscriptions.c.subscription_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("rev", BigInteger, primary_key=True, autoincrement=False),
    Column("layer", Text, primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    comment="Events that were given up",
)
