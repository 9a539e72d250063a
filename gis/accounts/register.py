"""Accounts: who may sign in, as what, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gis.access import DEPARTMENT, Role, Scope
from gis.accounts.names import folded, require_name
from gis.accounts.passwords import Passwords, require_password
from gis.accounts.tables import accounts, sessions
from gis.errors import AccountError, NotFound

__all__ = [
    "Account",
    "add",
    "any_enabled",
    "change",
    "find",
    "list_accounts",
    "remove",
    "require_role",
    "scope_of",
    "set_password",
]

_AREA_CODE_MOST = 200


@dataclass(frozen=True)
class Account:
    """An account without its password."""

    name: str
    display_name: str
    role: Role
    areas: tuple[str, ...] | None
    department: str | None
    disabled: bool
    created: datetime
    password_changed: datetime


def scope_of(row: RowMapping, account: str | None = None) -> Scope:
    """The scope that a row with role, areas and department stands for."""
    areas = row["areas"]
    return Scope(
        Role(row["role"]),
        None if areas is None else tuple(areas),
        row["department"],
        account or row["name"],
    )


def any_enabled(conn: Connection) -> bool:
    """Whether anybody could sign in."""
    return bool(conn.scalar(select(select(accounts.c.account_id).where(~accounts.c.disabled).exists())))


def list_accounts(conn: Connection) -> list[Account]:
    """All accounts by name."""
    return [_account(row) for row in conn.execute(select(accounts).order_by(accounts.c.name)).mappings()]


def find(conn: Connection, name: str) -> Account:
    """The account called ``name``, however it is written; NotFound when there is none."""
    return _account(row_of(conn, name))


def row_of(conn: Connection, name: str) -> RowMapping:
    """The row of the account called ``name``; NotFound when there is none."""
    row = conn.execute(select(accounts).where(accounts.c.name == folded(name))).mappings().one_or_none()
    if row is None:
        raise NotFound(
            f"There is no account {name[:80]!r}.",
            f"没有账号“{name[:80]}”。",
            remedy_en="See `onemap user list`.",
            remedy_zh="见 `onemap user list`。",
        )
    return row


def add(
    conn: Connection,
    name: str,
    password: str,
    passwords: Passwords,
    *,
    role: Role,
    areas: Sequence[str] | None = None,
    department: str | None = None,
    display_name: str | None = None,
) -> Account:
    """A new account; AccountError when the name is taken, or name, password, role or areas will not do."""
    called = require_name(name)
    values = {
        "name": called,
        "display_name": (display_name or name).strip()[:200],
        "password_hash": passwords.hash(require_password(password, called)),
        "role": require_role(role),
        "areas": require_areas(areas),
        "department": department or None,
    }
    try:
        with conn.begin_nested():
            row = conn.execute(insert(accounts).values(values).returning(accounts)).mappings().one()
    except IntegrityError:
        raise AccountError(
            f"There is an account {called!r} already.",
            f"账号“{called}”已存在。",
            remedy_en="Choose another name, or change that one with `onemap user set`.",
            remedy_zh="请换一个名称，或用 `onemap user set` 修改该账号。",
        ) from None
    return _account(row)


def change(conn: Connection, name: str, values: Mapping[str, Any]) -> Account:
    """Change display_name, role, areas, department or disabled; disabling ends the account's sessions."""
    checked = dict(values)
    if "role" in checked:
        checked["role"] = require_role(checked["role"])
    if "areas" in checked:
        checked["areas"] = require_areas(checked["areas"])
    account_id = row_of(conn, name)["account_id"]
    if checked:
        conn.execute(update(accounts).where(accounts.c.account_id == account_id).values(checked))
    if checked.get("disabled"):
        end_sessions(conn, account_id)
    return find(conn, name)


def set_password(conn: Connection, name: str, password: str, passwords: Passwords) -> None:
    """Another password; ends the account's sessions."""
    row = row_of(conn, name)
    hashed = passwords.hash(require_password(password, row["name"]))
    changed = {"password_hash": hashed, "password_changed": func.clock_timestamp()}
    conn.execute(update(accounts).where(accounts.c.account_id == row["account_id"]).values(changed))
    end_sessions(conn, row["account_id"])


def remove(conn: Connection, name: str) -> None:
    """Take an account away with its sessions and keys; what it did stays in the audit log."""
    conn.execute(delete(accounts).where(accounts.c.account_id == row_of(conn, name)["account_id"]))


def end_sessions(conn: Connection, account_id: int) -> None:
    """Sign an account out everywhere."""
    conn.execute(delete(sessions).where(sessions.c.account_id == account_id))


def require_role(role: str) -> Role:
    """``role`` as one that can be given; AccountError otherwise."""
    given = [each for each in Role if each is not Role.PUBLIC]
    if role not in given:
        raise AccountError(
            f"{role[:40]!r} is no role that can be given.",
            f"没有可授予的角色“{role[:40]}”。",
            remedy_en=f"Roles: {', '.join(given)}.",
            remedy_zh=f"角色：{'、'.join(given)}。",
        )
    return Role(role)


def require_areas(areas: Sequence[str] | None) -> list[str] | None:
    """``areas`` sorted and without repetition; None is everywhere, empty nowhere."""
    if areas is None:
        return None
    found = sorted({area.strip() for area in areas} - {""})
    if len(found) > _AREA_CODE_MOST or any(len(area) > 100 or "," in area or "\0" in area for area in found):
        raise AccountError(
            f"Areas are at most {_AREA_CODE_MOST} codes of townships or grids, or {DEPARTMENT}NAME, "
            "separated by commas.",
            f"辖区为以逗号分隔的乡镇或网格编码，或 {DEPARTMENT}部门名称，最多 {_AREA_CODE_MOST} 个。",
        )
    return found


def _account(row: RowMapping) -> Account:
    scope = scope_of(row)
    held = {name: row[name] for name in ("name", "display_name", "disabled", "created", "password_changed")}
    return Account(role=scope.role, areas=scope.areas, department=scope.department, **held)
