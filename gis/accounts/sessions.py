"""Sessions: what the page holds after signing in, and how long."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from gis.accounts.caller import Caller
from gis.accounts.register import scope_of
from gis.accounts.tables import accounts, sessions
from gis.db import ask_once, connect
from gis.errors import CredentialRefused

__all__ = ["Lifetime", "close_session", "find_session", "open_session"]

_TOUCH = timedelta(minutes=1)
"""A session is noted as used at most once in so long: a look must not write."""


@dataclass(frozen=True)
class Lifetime:
    """How long a session lasts: in all, and unused (OWASP Session Management: hours, and minutes)."""

    whole: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(minutes=60)


def open_session(conn: Connection, account_id: int, lifetime: Lifetime) -> str:
    """A new session's token, 256 random bits; only its hash is kept. Sessions that have ended are removed."""
    token = secrets.token_urlsafe(32)
    now = func.clock_timestamp()
    over = select(sessions.c.token_hash).where((sessions.c.expires < now) | (sessions.c.idle_until < now))
    gone = over.with_for_update(skip_locked=True)
    conn.execute(delete(sessions).where(sessions.c.token_hash.in_(gone)))
    conn.execute(
        insert(sessions).values(
            token_hash=_hash(token),
            account_id=account_id,
            expires=now + lifetime.whole,
            idle_until=now + lifetime.idle,
        )
    )
    return token


def find_session(engine: Engine, token: str, lifetime: Lifetime) -> Caller:
    """Whoever holds ``token``; the session's idle time begins anew.

    Raises
    ------
    CredentialRefused
        When there is no such session: never, no longer, or its account is disabled.
    """
    now = func.clock_timestamp()
    lives = (sessions.c.expires > now) & (sessions.c.idle_until > now) & ~accounts.c.disabled
    used = sessions.c.last_used < now - _TOUCH
    query = (
        select(accounts, sessions.c.expires, used.label("unnoted"))
        .join(sessions, sessions.c.account_id == accounts.c.account_id)
        .where(sessions.c.token_hash == _hash(token), lives)
    )
    with ask_once(engine) as conn:
        row = conn.execute(query).mappings().one_or_none()
    if row is None:
        raise CredentialRefused(
            "The session has ended.",
            "登录已失效。",
            reason="session",
            remedy_en="Sign in again.",
            remedy_zh="请重新登录。",
        )
    if row["unnoted"]:
        _note_use(engine, token, lifetime)
    return Caller(scope_of(row), "session", row["display_name"], _csrf(token), row["expires"])


def close_session(conn: Connection, token: str) -> str | None:
    """End a session; the name of its account, None when there was none."""
    gone = delete(sessions).where(sessions.c.token_hash == _hash(token)).returning(sessions.c.account_id)
    account_id = conn.execute(gone).scalar_one_or_none()
    if account_id is None:
        return None
    return conn.scalar(select(accounts.c.name).where(accounts.c.account_id == account_id))


def _note_use(engine: Engine, token: str, lifetime: Lifetime) -> None:
    now = func.clock_timestamp()
    used = {"last_used": now, "idle_until": func.least(sessions.c.expires, now + lifetime.idle)}
    with connect(engine, write=True) as conn:
        conn.execute(update(sessions).where(sessions.c.token_hash == _hash(token)).values(used))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _csrf(token: str) -> str:
    """A word that follows from the token and does not give it away."""
    return hmac.new(token.encode(), b"onemap csrf", hashlib.sha256).hexdigest()[:32]
