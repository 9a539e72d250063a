"""The subscriptions: kept in core.subscriptions; a secret is shown once and never again."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gis.changes import Position, after_revision
from gis.errors import NotFound, QueryError
from gis.revisions import head
from gis.settings import MapDefinition
from gis.webhooks.sending import Sender
from gis.webhooks.tables import letters, subscriptions

__all__ = [
    "DeadLetter",
    "Subscription",
    "add_subscription",
    "dead_letters",
    "due",
    "find_subscription",
    "list_subscriptions",
    "remove_subscription",
    "replay",
]

SECRET_PREFIX = "whsec_"
MOST = 100
"""Subscriptions of one map: each is asked about every second."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_SECRET_BYTES = 32  # Standard Webhooks asks for 24 to 64


@dataclass(frozen=True)
class Subscription:
    """One receiver; everything before ``position`` was delivered, or given up.

    Attributes
    ----------
    layers : tuple of str or None
        None: all.
    paused : str or None
        Why nothing is sent; None: it is.
    failures : int
        In a row, of the event that is next.
    """

    subscription_id: int
    name: str
    url: str
    layers: tuple[str, ...] | None
    who: str
    made_at: datetime
    paused: str | None
    position: Position
    next_at: datetime
    failures: int
    delivered: int
    last_at: datetime | None
    last_words: str | None


@dataclass(frozen=True)
class DeadLetter:
    """An event that was given up."""

    rev: int
    layer: str
    attempts: int
    reason: str
    at: datetime


def add_subscription(
    conn: Connection,
    definition: MapDefinition,
    sender: Sender,
    name: str,
    url: str,
    *,
    layers: Sequence[str] | None = None,
    since: int | None = None,
    who: str,
) -> tuple[Subscription, str]:
    """Subscribe ``url``; the subscription and its secret, which is not shown again.

    Parameters
    ----------
    layers : sequence of str, optional
        Only these; all, and those to come, without it.
    since : int, optional
        Tell everything after this revision; without it only what comes.

    Raises
    ------
    QueryError
        For a name that is taken or not plain, an address that is no receiver's or that may not be reached
        (`Sender.check`), a revision beyond the head, and the subscription after the hundredth.
    NotFound
        For an unknown layer.
    """
    if not _NAME.fullmatch(name):
        raise QueryError(
            f"{name[:80]!r} is no name for a subscription.",
            f"“{name[:80]}”不能作为订阅名称。",
            remedy_en="Use up to 63 letters, digits, dots, hyphens and underscores.",
            remedy_zh="请使用最多 63 个字母、数字、点、连字符或下划线。",
        )
    sender.check(url)
    unknown = [layer for layer in layers or () if layer not in definition.layers]
    if unknown:
        raise NotFound(f"There is no layer {unknown[0][:80]!r}.", f"没有图层“{unknown[0][:80]}”。")
    if (conn.scalar(select(func.count()).select_from(subscriptions)) or 0) >= MOST:
        raise QueryError(f"There are {MOST} subscriptions already.", f"订阅已达 {MOST} 个上限。")
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    start = after_revision(conn, since if since is not None else head(conn))
    row = {"name": name, "url": url, "layers": None if layers is None else sorted(set(layers)),
           "secret": secret, "who": who, "next_rev": start.rev}  # fmt: skip
    try:
        with conn.begin_nested():
            conn.execute(insert(subscriptions).values(row))
    except IntegrityError:
        raise QueryError(f"There is a subscription {name!r} already.", f"已有订阅“{name}”。") from None
    return find_subscription(conn, name), secret


def list_subscriptions(conn: Connection) -> list[Subscription]:
    """All, by name."""
    rows = conn.execute(select(subscriptions).order_by(subscriptions.c.name))
    return [_subscription(row) for row in rows]


def find_subscription(conn: Connection, name: str | int) -> Subscription:
    """The subscription called ``name``, or of that number; NotFound when there is none."""
    s = subscriptions
    is_it = s.c.name == name if isinstance(name, str) else s.c.subscription_id == name
    row = None if "\0" in str(name) else conn.execute(select(s).where(is_it)).one_or_none()
    if row is None:
        raise NotFound(f"There is no subscription {str(name)[:80]!r}.", f"没有订阅“{str(name)[:80]}”。")
    return _subscription(row)


def remove_subscription(conn: Connection, name: str) -> None:
    """Forget the subscription and what it could not be told; NotFound when there is none."""
    found = find_subscription(conn, name)
    conn.execute(delete(subscriptions).where(subscriptions.c.subscription_id == found.subscription_id))


def replay(conn: Connection, name: str, since: int) -> Subscription:
    """Tell everything after revision ``since`` again, at once, also what was given up; ends a pause."""
    found = find_subscription(conn, name)
    start = after_revision(conn, since)
    is_it = subscriptions.c.subscription_id == found.subscription_id
    conn.execute(
        update(subscriptions)
        .where(is_it)
        # Since it was made, whatever a clock that is put back says: at once.
        .values(next_rev=start.rev, next_layer="", next_at=subscriptions.c.made_at, failures=0, paused=None)
    )
    mine = letters.c.subscription_id == found.subscription_id
    conn.execute(delete(letters).where(mine, letters.c.rev >= start.rev))
    return find_subscription(conn, name)


def dead_letters(conn: Connection, name: str) -> list[DeadLetter]:
    """What ``name`` was not told because it could not be, in order; NotFound when there is no such."""
    mine = letters.c.subscription_id == find_subscription(conn, name).subscription_id
    rows = conn.execute(select(letters).where(mine).order_by(letters.c.rev, letters.c.layer.collate("C")))
    return [DeadLetter(row.rev, row.layer, row.attempts, row.reason, row.at) for row in rows]


def due(conn: Connection) -> list[int]:
    """Numbers of the subscriptions that there is something new for, and that may be told now."""
    s = subscriptions
    ready = s.c.paused.is_(None) & (s.c.next_at <= func.clock_timestamp()) & (s.c.next_rev <= head(conn))
    return list(conn.scalars(select(s.c.subscription_id).where(ready).order_by(s.c.next_at)))


def _subscription(row: Row[tuple[object, ...]]) -> Subscription:
    return Subscription(
        row.subscription_id, row.name, row.url, None if row.layers is None else tuple(row.layers), row.who,
        row.made_at, row.paused, Position(row.next_rev, row.next_layer), row.next_at, row.failures,
        row.delivered, row.last_at, row.last_words,
    )  # fmt: skip
