"""Telling one receiver what it does not know yet: in order, again and again until it has it or is given up.

How far it has come is written down after it said that it has an event, never before: a worker that dies in
between tells it once more. Two that work on one receiver at once would tell it twice, but neither skips.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import Connection, Engine, and_, func, insert, select, update

from gis.changes import Position, Touch, touches
from gis.db import connect
from gis.errors import NotFound
from gis.revisions import head
from gis.settings import MapDefinition
from gis.webhooks.book import Subscription, find_subscription
from gis.webhooks.events import MEDIA_TYPE, event_of
from gis.webhooks.sending import Reply, Sender
from gis.webhooks.tables import letters, subscriptions

__all__ = ["Delivered", "Patience", "deliver"]

GONE = 410
_AT_ONCE = 20  # events looked up together


@dataclass(frozen=True)
class Patience:
    """How often an event is tried, and how long is waited in between.

    After failure n ``first_s`` doubled n times, at most ``most_s``, of it between half and all by chance; or
    what the receiver asks for, at most ``asked_s``. After ``attempts`` it is given up: eight hours as it is.
    """

    first_s: float = 5.0
    most_s: float = 3600.0
    attempts: int = 16
    asked_s: float = 86_400.0

    def wait_s(self, failures: int, asked_s: float | None) -> float:
        """How long to wait after ``failures`` in a row."""
        grown = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 60))
        own = grown * random.uniform(0.5, 1.0)
        return own if asked_s is None else max(own, min(asked_s, self.asked_s))


@dataclass(frozen=True)
class Delivered:
    """What one turn did: events taken, and given up."""

    taken: int
    given_up: int


def deliver(
    engine: Engine,
    definition: MapDefinition,
    subscription_id: int,
    sender: Sender,
    *,
    public_url: str | None = None,
    patience: Patience = Patience(),
    turn_s: float = 30.0,
    told: Callable[[], None] = lambda: None,
) -> Delivered:
    """Tell a receiver what is next until it knows all, fails, or ``turn_s`` seconds are over.

    ``told`` is called before each event and may raise to end the turn. A subscription that was removed is
    no error.
    """
    taken = given_up = 0
    until = time.monotonic() + turn_s
    try:
        while time.monotonic() < until:
            with connect(engine) as conn:
                subscription = find_subscription(conn, subscription_id)
                if subscription.paused is not None or subscription.next_at > datetime.now(UTC):
                    break
                asked = _asked(definition, subscription)
                batch = touches(conn, subscription.position, layers=asked, limit=_AT_ONCE)
                end = Position(head(conn) + 1)
            if not batch:
                _note(engine, subscription, end)
                break
            for touch in batch:
                told()
                reply = _tell(engine, definition, subscription, touch, sender, public_url)
                after = Position(touch.rev, touch.layer + "\x01")
                if not reply.taken:
                    given_up += _note_failure(engine, subscription, touch, after, reply, patience)
                    return Delivered(taken, given_up)
                if not _note(engine, subscription, after, reply):
                    break  # somebody set it back, or tells it too
                taken += 1
                with connect(engine) as conn:
                    subscription = find_subscription(conn, subscription_id)
                if time.monotonic() > until:
                    break
    except NotFound:
        pass
    return Delivered(taken, given_up)


def _asked(definition: MapDefinition, subscription: Subscription) -> list[str]:
    return [n for n in definition.layers if subscription.layers is None or n in subscription.layers]


def _tell(
    engine: Engine, definition: MapDefinition, subscription: Subscription, touch: Touch, sender: Sender,
    public_url: str | None,
) -> Reply:  # fmt: skip
    with connect(engine) as conn:
        event = event_of(conn, definition, touch, public_url)
        is_it = subscriptions.c.subscription_id == subscription.subscription_id
        secret = conn.scalar(select(subscriptions.c.secret).where(is_it))
    if secret is None:
        raise NotFound("The subscription was removed.", "该订阅已删除。")
    return sender.send(subscription.url, secret, event["id"], MEDIA_TYPE, orjson.dumps(event))


def _note(engine: Engine, subscription: Subscription, position: Position, reply: Reply | None = None) -> bool:
    """Write down that all before ``position`` is known; False when the position was moved meanwhile."""
    values: dict[str, object] = {"next_rev": position.rev, "next_layer": position.layer, "failures": 0}
    if reply is not None:
        one_more, now = subscriptions.c.delivered + 1, func.clock_timestamp()
        values |= {"delivered": one_more, "last_at": now, "last_words": reply.words}
    with connect(engine, write=True) as conn:
        return _update(conn, subscription, values)


def _update(conn: Connection, subscription: Subscription, values: dict[str, object]) -> bool:
    s, held = subscriptions, subscription.position
    same = and_(
        s.c.subscription_id == subscription.subscription_id,
        s.c.next_rev == held.rev, s.c.next_layer == held.layer,
    )  # fmt: skip
    return conn.execute(update(s).where(same).values(values)).rowcount > 0


def _note_failure(
    engine: Engine,
    subscription: Subscription,
    touch: Touch,
    after: Position,
    reply: Reply,
    patience: Patience,
) -> int:
    """Write down when to try again; or give the event up (1) and go on with the next; or pause."""
    failures = subscription.failures + 1
    values: dict[str, object] = {"last_at": func.clock_timestamp(), "last_words": reply.words}
    over = failures >= patience.attempts
    if reply.status == GONE:
        values |= {"paused": "410: the receiver wants no more", "failures": failures}
    elif over:
        values |= {"next_rev": after.rev, "next_layer": after.layer, "failures": 0}
    else:
        wait = timedelta(seconds=patience.wait_s(failures, reply.retry_after_s))
        values |= {"failures": failures, "next_at": datetime.now(UTC) + wait}
    with connect(engine, write=True) as conn:
        if not _update(conn, subscription, values) or reply.status == GONE or not over:
            return 0
        letter = {"rev": touch.rev, "layer": touch.layer, "attempts": failures, "reason": reply.words}
        conn.execute(insert(letters).values(subscription_id=subscription.subscription_id, **letter))
    return 1
