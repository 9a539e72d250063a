"""A limit of guesses at passwords, for each account and each address, shared by all processes.

A guess is noted before it is looked at, under locks for its name and address, so that a hundred at once count
as a hundred. A right password takes the guesses at its account back. 10 an account and 50 an address in 15
minutes let an account be tried 960 times a day, and keep an office behind one address working; NIST
SP 800-63B, 3.2.2, has 100 as the most in a row.
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from gis.accounts.tables import login_attempts as attempts
from gis.errors import TooManyGuesses
from gis.locks import Lock, take

__all__ = ["PER_ACCOUNT", "PER_ADDRESS", "WINDOW", "forgive", "note_guess"]

PER_ACCOUNT = 10
PER_ADDRESS = 50
WINDOW = timedelta(minutes=15)
_LOCKS = (Lock.GUESSES_AT_NAME, Lock.GUESSES_FROM_ADDRESS)  # always in this order


def note_guess(conn: Connection, name: str, address: str | None) -> int:
    """Note a guess at the account ``name`` (folded) and return its number; commit before looking at it.

    Raises
    ------
    TooManyGuesses
        When the name or the address has had its share; such a guess is not noted.
    """
    of_name, of_address = _hash(name), network(address)
    for lock, key in zip(_LOCKS, (of_name, of_address.encode()), strict=True):
        take(conn, lock, _int32(key))
    now = conn.execute(select(func.clock_timestamp())).scalar_one()
    over = select(attempts.c.attempt_id).where(attempts.c.at < now - 2 * WINDOW)
    # What another process is removing just now need not be waited for.
    gone = over.with_for_update(skip_locked=True)
    conn.execute(delete(attempts).where(attempts.c.attempt_id.in_(gone)))
    free = max(
        _free_at(conn, attempts.c.name_hash == of_name, PER_ACCOUNT, now),
        _free_at(conn, attempts.c.address == of_address, PER_ADDRESS, now),
    )
    if free > now:
        raise _refusal(ceil((free - now).total_seconds()))
    noted = insert(attempts).values(at=now, name_hash=of_name, address=of_address)
    return int(conn.execute(noted.returning(attempts.c.attempt_id)).scalar_one())


def forgive(conn: Connection, name: str, attempt: int) -> None:
    """Take the guesses at ``name`` back, the right one ``attempt`` among them."""
    conn.execute(
        delete(attempts).where((attempts.c.name_hash == _hash(name)) | (attempts.c.attempt_id == attempt))
    )


def network(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which one subscriber holds."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _free_at(conn: Connection, mine: ColumnElement[bool], most: int, now: datetime) -> datetime:
    """When the guess that is one too many leaves the window; ``now`` when there is room."""
    query = select(attempts.c.at).where(mine, attempts.c.at > now - WINDOW)
    oldest = conn.scalar(query.order_by(attempts.c.at.desc()).offset(most - 1).limit(1))
    return now if oldest is None else oldest + WINDOW


def _refusal(seconds: int) -> TooManyGuesses:
    minutes = ceil(seconds / 60)
    return TooManyGuesses(
        f"Too many wrong passwords; try again in {minutes} minutes.",
        f"密码错误次数过多，请在 {minutes} 分钟后重试。",
        retry_after_s=seconds,
    )


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "replace")).digest()


def _int32(key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(key).digest()[:4], signed=True)
