"""``onemap key``: what programs show to be let in."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from api.cli.console import AsJson, day, emit_json, grid, say, tell
from api.cli.user import Areas, Department, area_list, areas_words, role_word

__all__ = ["app"]

app = typer.Typer(help=say("Keys of programs.", "程序密钥。"), no_args_is_help=True)


@app.command("add", help=say("Make a key.", "新建密钥。"))
def add_command(
    label: Annotated[str, typer.Argument(help=say("What it is for.", "用途。"))],
    account: Annotated[
        str | None, typer.Option(help=say("The account it acts for.", "所代表的账号。"))
    ] = None,
    role: Annotated[
        str | None, typer.Option(help=say("A role of its own, such as platform.", "自带角色，如 platform。"))
    ] = None,
    areas: Areas = None,
    department: Department = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="DAY|DAYS", help=say("Its last day.", "到期日。")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Its text is shown once and kept nowhere; put it into the header "Authorization: Bearer ..."."""
    from api.cli.opening import opened
    from gis.accounts.audit import Event, Origin, record
    from gis.accounts.caller import operator
    from gis.accounts.keys import add_key
    from gis.db import connect

    until = _until(expires)
    with opened() as onemap, connect(onemap.engine, write=True) as conn:
        made, text = add_key(
            conn, label, account=account, role=role, areas=area_list(areas), department=department,
            expires=until,
        )  # fmt: skip
        detail = {"label": made.label, "account": made.account, "role": str(made.role)}
        record(conn, Origin(operator()), [Event("key.add", made.prefix, detail=detail)])
    if as_json:
        emit_json(asdict(made) | {"key": text})
        return
    tell(text)
    tell(say("Keep it now: it is not shown again.", "请立即保存：不会再次显示。"))


def _until(expires: str | None) -> datetime | None:
    """The end of the last day on which a key holds."""
    if expires is None:
        return None
    if expires.isdecimal() and len(expires) <= 5:
        return datetime.now(UTC) + timedelta(days=int(expires))
    last = day(expires)
    assert last is not None
    return datetime(last.year, last.month, last.day).astimezone() + timedelta(days=1)


@app.command("list", help=say("All keys, without their secrets.", "列出密钥（不含密文）。"))
def list_command(as_json: AsJson = False) -> None:
    """The oldest first."""
    from api.cli.opening import opened
    from gis.accounts.keys import list_keys
    from gis.db import connect

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_keys(conn)
    if as_json:
        emit_json([asdict(key) for key in found])
        return
    columns = [
        say("key", "密钥"), say("label", "用途"), say("of", "归属"), say("role", "角色"),
        say("areas", "辖区"), say("expires", "到期"), say("last used", "最近使用"), say("revoked", "已吊销"),
    ]  # fmt: skip
    rows = (
        (k.prefix, k.label, k.account, role_word(k.role), areas_words(k.areas), _minute(k.expires),
         _minute(k.last_used), _minute(k.revoked))
        for k in found
    )  # fmt: skip
    grid(say("Keys", "密钥"), columns, rows)


@app.command("revoke", help=say("End a key.", "吊销密钥。"))
def revoke_command(
    key: Annotated[
        str, typer.Argument(help=say("Its first eight characters, see list.", "前八位，见 list。"))
    ],
) -> None:
    """At once, and for good."""
    from api.cli.opening import opened
    from gis.accounts.audit import Event, Origin, record
    from gis.accounts.caller import operator
    from gis.accounts.keys import revoke_key
    from gis.db import connect

    with opened() as onemap, connect(onemap.engine, write=True) as conn:
        prefix = revoke_key(conn, key)
        record(conn, Origin(operator()), [Event("key.revoke", prefix)])
    tell(say(f"Key {prefix} is revoked.", f"密钥 {prefix} 已吊销。"))


def _minute(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")
