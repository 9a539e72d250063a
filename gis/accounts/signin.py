"""Signing in with name and password."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Engine, RowMapping, select, update

from gis.accounts import throttle
from gis.accounts.audit import Event, Origin, record
from gis.accounts.caller import Caller
from gis.accounts.names import folded
from gis.accounts.passwords import LONGEST, Passwords
from gis.accounts.register import scope_of
from gis.accounts.sessions import Lifetime, close_session, open_session
from gis.accounts.tables import accounts
from gis.db import connect
from gis.errors import CredentialRefused

__all__ = ["SignIn", "sign_in"]


@dataclass(frozen=True)
class SignIn:
    """What a person typed; ``replaces`` is the token of the session that ends with it."""

    name: str
    password: str
    replaces: str | None = None


def sign_in(engine: Engine, passwords: Passwords, lifetime: Lifetime, origin: Origin, given: SignIn) -> str:
    """The token of a new session.

    An unknown name, a disabled account and a wrong password take as long and read the same. No transaction is
    open while the password is hashed.

    Raises
    ------
    CredentialRefused
        When name and password are not those of an enabled account.
    TooManyGuesses
        When name or address have had their share of guesses; the password is not looked at then.
    """
    name = folded(given.name[:LONGEST]).replace("\0", "\ufffd")  # which the database does not take
    with connect(engine, write=True) as conn:
        attempt = throttle.note_guess(conn, name, origin.address)
        row = conn.execute(select(accounts).where(accounts.c.name == name)).mappings().one_or_none()
    right = passwords.fits(given.password, row["password_hash"] if row else None)
    if row is None or not right or row["disabled"]:
        # Only a name that exists is written down: in place of others people type their passwords.
        why = "unknown name" if row is None else "wrong password" if not right else "disabled"
        with connect(engine, write=True) as conn:
            event = Event("session.open", row["name"] if row else "", "refused", {"why": why})
            record(conn, origin, [event])
        raise CredentialRefused(
            "Name and password do not belong together.",
            "账号或密码不正确。",
            reason="login",
            remedy_en="Check both; an administrator can set another password.",
            remedy_zh="请检查后重试；管理员可以重设密码。",
        )
    fresh = passwords.hash(given.password) if passwords.is_stale(row["password_hash"]) else None
    return _open(engine, row, lifetime, origin, given.replaces, attempt, fresh)


def _open(
    engine: Engine,
    row: RowMapping,
    lifetime: Lifetime,
    origin: Origin,
    replaces: str | None,
    attempt: int,
    fresh: str | None,
) -> str:
    """The session of a person who is known now; ``fresh`` is the password's hash at today's costs."""
    signed = replace(origin, caller=Caller(scope_of(row), "session"))
    with connect(engine, write=True) as conn:
        throttle.forgive(conn, row["name"], attempt)
        if replaces:
            close_session(conn, replaces)
        if fresh:
            # Unless it was changed in the meantime.
            same = (accounts.c.account_id == row["account_id"]) & (
                accounts.c.password_hash == row["password_hash"]
            )
            conn.execute(update(accounts).where(same).values(password_hash=fresh))
        token = open_session(conn, row["account_id"], lifetime)
        record(conn, signed, [Event("session.open", row["name"])])
    return token
