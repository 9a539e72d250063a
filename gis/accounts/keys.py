"""API keys: ``onemap_PREFIX_SECRET``, shown once; PREFIX names the key, SECRET is 256 random bits."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, case, func, insert, or_, select, update

from gis.access import Role, Scope
from gis.accounts.caller import Caller
from gis.accounts.register import require_areas, require_role, row_of, scope_of
from gis.accounts.tables import accounts, api_keys
from gis.db import ask_once, connect
from gis.errors import AccountError, CredentialRefused, NotFound

__all__ = ["PREFIX", "Key", "add_key", "find_key", "list_keys", "revoke_key"]

PREFIX = "onemap_"
_FORM = re.compile(r"onemap_([a-z0-9]{8})_([A-Za-z0-9_-]{43})")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_TOUCH = timedelta(minutes=1)


@dataclass(frozen=True)
class Key:
    """A key without its secret; of an account, or with a role of its own."""

    prefix: str
    label: str
    account: str | None
    role: Role
    areas: tuple[str, ...] | None
    department: str | None
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    revoked: datetime | None


def add_key(
    conn: Connection,
    label: str,
    *,
    account: str | None = None,
    role: str | None = None,
    areas: Sequence[str] | None = None,
    department: str | None = None,
    expires: datetime | None = None,
) -> tuple[Key, str]:
    """A new key and the text to show once.

    A SHA-256 is enough to keep: nobody guesses 256 random bits, so there is nothing to slow down.
    Raises AccountError unless it has either an account or a role.
    """
    if (account is None) == (role is None) or not label.strip():
        raise AccountError(
            "A key has a label, and belongs to an account or has a role of its own.",
            "密钥须有名称，并且要么属于某个账号，要么自带角色。",
            remedy_en="Give either --account or --role.",
            remedy_zh="请给出 --account 或 --role 之一。",
        )
    prefix = "".join(secrets.choice(_LETTERS) for _ in range(8))
    secret = secrets.token_urlsafe(32)
    values = {
        "prefix": prefix,
        "secret_hash": _hash(secret),
        "label": label.strip()[:200],
        "account_id": None if account is None else row_of(conn, account)["account_id"],
        "role": None if role is None else require_role(role),
        "areas": None if role is None else require_areas(areas),
        "department": None if role is None else department,
        "expires": expires,
    }
    conn.execute(insert(api_keys).values(values))
    (key,) = (each for each in list_keys(conn) if each.prefix == prefix)
    return key, f"{PREFIX}{prefix}_{secret}"


def list_keys(conn: Connection) -> list[Key]:
    """All keys, the oldest first; revoked and expired ones too."""
    query = _joined().order_by(api_keys.c.key_id)
    return [_key(row) for row in conn.execute(query).mappings()]


def revoke_key(conn: Connection, prefix: str) -> str:
    """End a key, named by its prefix or by its whole text, and return its prefix.

    Raises NotFound when there is none.
    """
    form = _FORM.fullmatch(prefix)
    wanted = form[1] if form else prefix.removeprefix(PREFIX)
    change = update(api_keys).where(api_keys.c.prefix == wanted)
    done = conn.execute(change.values(revoked=func.coalesce(api_keys.c.revoked, func.clock_timestamp())))
    if not done.rowcount:
        raise NotFound(
            f"There is no key {wanted[:8]!r}.",
            f"没有密钥“{wanted[:8]}”。",
            remedy_en="See `onemap key list`.",
            remedy_zh="见 `onemap key list`。",
        )
    return wanted


def find_key(engine: Engine, text: str) -> Caller:
    """Whoever holds the key ``text``.

    Raises
    ------
    CredentialRefused
        When there is none such, it is revoked or over, or its account is disabled.
    """
    form = _FORM.fullmatch(text)
    row = None
    if form is not None:
        now = func.clock_timestamp()
        lives = api_keys.c.revoked.is_(None) & or_(api_keys.c.expires.is_(None), api_keys.c.expires > now)
        query = _joined().where(api_keys.c.prefix == form[1], lives, accounts.c.disabled.isnot(True))
        with ask_once(engine) as conn:
            row = conn.execute(query).mappings().one_or_none()
    if form is None or row is None or not hmac.compare_digest(bytes(row["secret_hash"]), _hash(form[2])):
        raise CredentialRefused(
            "This key is not valid: unknown, revoked or expired.",
            "该密钥无效：不存在、已吊销或已过期。",
            reason="key",
            remedy_en="Ask for another; an administrator makes it with `onemap key add`.",
            remedy_zh="请重新申请；管理员可用 `onemap key add` 创建。",
        )
    if row["unnoted"]:
        with connect(engine, write=True) as conn:
            used = update(api_keys).where(api_keys.c.prefix == form[1])
            conn.execute(used.values(last_used=func.clock_timestamp()))
    key = _key(row)
    name = key.account or f"key:{key.label}"
    return Caller(Scope(key.role, key.areas, key.department, name), "key", key.label, expires=key.expires)


def _joined() -> Select[Any]:
    """Keys with what they may: their account's or their own."""
    own: dict[str, Any] = {c.name: c for c in api_keys.columns}
    for name in ("role", "areas", "department"):
        # Not coalesce: of an account, null means everywhere.
        mine = case((api_keys.c.account_id.is_(None), api_keys.c[name]), else_=accounts.c[name])
        own[name] = mine.label(name)
    unnoted = or_(api_keys.c.last_used.is_(None), api_keys.c.last_used < func.clock_timestamp() - _TOUCH)
    return (
        select(*own.values(), accounts.c.name, unnoted.label("unnoted"))
        .select_from(api_keys)
        .outerjoin(accounts, accounts.c.account_id == api_keys.c.account_id)
    )


def _key(row: RowMapping) -> Key:
    scope = scope_of(row)
    names = ("prefix", "label", "created", "expires", "last_used", "revoked")
    held = {name: row[name] for name in names}
    return Key(account=row["name"], role=scope.role, areas=scope.areas, department=scope.department, **held)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
