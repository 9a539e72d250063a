"""``onemap user``: who may sign in, as what, and where."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gis.access import Role
    from gis.accounts.register import Account

__all__ = ["Areas", "Department", "app", "area_list", "areas_words", "role_word"]

app = typer.Typer(help=say("Accounts of people.", "用户账号。"), no_args_is_help=True)

Name = Annotated[str, typer.Argument(help=say("Name of the account.", "账号名。"))]
RoleOption = Annotated[
    str | None,
    typer.Option(
        "--role",
        help=say(
            "viewer, planner, grid_officer, editor, regulator, admin or platform.",
            "viewer 查看者、planner 规划、grid_officer 网格员、editor 编辑、regulator 监管、admin 管理员、"
            "platform 平台。",
        ),
    ),
]
Areas = Annotated[
    str | None,
    typer.Option(
        help=say(
            "Codes of townships or grids, and department:NAME for what a bureau's sources gave, with commas; "
            "'all' for everywhere.",
            "乡镇或网格编码，department:部门名称 表示该部门提供的数据，以逗号分隔；all 表示全域。",
        )
    ),
]
Department = Annotated[str | None, typer.Option(help=say("The bureau.", "所属部门。"))]
DisplayName = Annotated[str | None, typer.Option(help=say("Name to show.", "显示名称。"))]
FromStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help=say("Read the password from standard input.", "从标准输入读取密码。")
    ),
]


@app.command("add", help=say("Make an account.", "新建账号。"))
def add_command(
    name: Name,
    role: RoleOption = None,
    areas: Areas = None,
    department: Department = None,
    display_name: DisplayName = None,
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Asks for the password twice, without showing it; without --role it is a viewer."""
    from api.cli.opening import opened
    from gis.access import Role
    from gis.accounts import register
    from gis.accounts.audit import Event, Origin, record
    from gis.accounts.caller import operator
    from gis.accounts.names import require_name
    from gis.accounts.passwords import passwords_of
    from gis.db import connect

    require_name(name)  # before anybody types a password
    given = register.require_role(role or Role.VIEWER)
    password = _password(password_stdin)
    with opened() as onemap, connect(onemap.engine, write=True) as conn:
        made = register.add(
            conn,
            name,
            password,
            passwords_of(onemap.settings),
            role=given,
            areas=area_list(areas),
            department=department,
            display_name=display_name,
        )
        record(conn, Origin(operator()), [Event("account.add", made.name, detail=_rights(made))])
    _show(made, as_json)


@app.command("list", help=say("All accounts.", "列出账号。"))
def list_command(as_json: AsJson = False) -> None:
    """By name."""
    from api.cli.opening import opened
    from gis.accounts.register import list_accounts
    from gis.db import connect

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_accounts(conn)
    if as_json:
        emit_json([asdict(account) for account in found])
        return
    columns = [
        say("name", "账号"), say("shown as", "显示名称"), say("role", "角色"), say("areas", "辖区"),
        say("department", "部门"), say("state", "状态"), say("made", "创建时间"),
    ]  # fmt: skip
    rows = (
        (a.name, a.display_name, role_word(a.role), areas_words(a.areas), a.department,
         say("disabled", "已停用") if a.disabled else say("enabled", "启用"),
         a.created.astimezone().strftime("%Y-%m-%d %H:%M"))
        for a in found
    )  # fmt: skip
    grid(say("Accounts", "账号"), columns, rows)


@app.command("set", help=say("Change an account.", "修改账号。"))
def set_command(
    name: Name,
    role: RoleOption = None,
    areas: Areas = None,
    department: Department = None,
    display_name: DisplayName = None,
    as_json: AsJson = False,
) -> None:
    """What is not named stays; it holds from the account's next request on."""
    values: dict[str, Any] = {
        "role": role,
        "display_name": display_name,
        "department": department,
    }
    given = {key: value for key, value in values.items() if value is not None}
    if department == "":
        given["department"] = None
    if areas is not None:
        given["areas"] = area_list(areas)
    if not given:
        raise typer.BadParameter(say("Name something to change.", "请给出要修改的内容。"))
    _show(_changed(name, given, "account.set"), as_json)


@app.command("disable", help=say("Keep an account out, or let it in again.", "停用或重新启用账号。"))
def disable_command(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help=say("Let it in again.", "重新启用。"))] = False,
    as_json: AsJson = False,
) -> None:
    """Ends its sessions; its keys do not work while it is disabled."""
    _show(_changed(name, {"disabled": not undo}, "account.enable" if undo else "account.disable"), as_json)


@app.command("passwd", help=say("Set another password.", "重设密码。"))
def passwd_command(name: Name, password_stdin: FromStdin = False) -> None:
    """Ends the account's sessions."""
    from api.cli.opening import opened
    from gis.accounts import register
    from gis.accounts.audit import Event, Origin, record
    from gis.accounts.caller import operator
    from gis.accounts.passwords import passwords_of
    from gis.db import connect

    with opened() as onemap:
        with connect(onemap.engine) as conn:
            held = register.find(conn, name)
        password = _password(password_stdin)
        with connect(onemap.engine, write=True) as conn:
            register.set_password(conn, name, password, passwords_of(onemap.settings))
            record(conn, Origin(operator()), [Event("account.passwd", held.name)])
    tell(say(f"{held.name}: the password is changed.", f"{held.name}：密码已修改。"))


@app.command("remove", help=say("Remove an account.", "删除账号。"))
def remove_command(
    name: Name, yes: Annotated[bool, typer.Option("--yes", help=say("Do not ask.", "不再询问。"))] = False
) -> None:
    """With its sessions and keys; what it did stays in the audit log."""
    from api.cli.opening import opened
    from gis.accounts import register
    from gis.accounts.audit import Event, Origin, record
    from gis.accounts.caller import operator
    from gis.db import connect

    with opened() as onemap:
        with connect(onemap.engine) as conn:
            held = register.find(conn, name)
        if not yes and not typer.confirm(say(f"Remove {held.name}?", f"确定删除 {held.name}？")):
            raise typer.Exit(1)
        with connect(onemap.engine, write=True) as conn:
            register.remove(conn, name)
            record(conn, Origin(operator()), [Event("account.remove", held.name)])
    tell(say(f"{held.name} is removed.", f"已删除 {held.name}。"))


def area_list(areas: str | None) -> list[str] | None:
    """What ``--areas`` means: None for everywhere, which is also what nothing means."""
    return None if areas is None or areas.strip() == "all" else areas.split(",")


def areas_words(areas: Sequence[str] | None) -> str:
    """Areas in a table."""
    return say("everywhere", "全域") if areas is None else ", ".join(areas) or say("nowhere", "无")


def role_word(role: Role) -> str:
    """A role in the user's language, with its name for commands."""
    from gis.accounts.actions import ROLE_TITLES

    zh, en = ROLE_TITLES[role]
    return f"{zh} {role}" if LANGUAGE == "zh" else en if en == role else f"{en} ({role})"


def _changed(name: str, values: dict[str, Any], action: str) -> Account:
    from api.cli.opening import opened
    from gis.accounts import register
    from gis.accounts.audit import Event, Origin, record
    from gis.accounts.caller import operator
    from gis.db import connect

    with opened() as onemap, connect(onemap.engine, write=True) as conn:
        account = register.change(conn, name, values)
        record(conn, Origin(operator()), [Event(action, account.name, detail=_rights(account))])
    return account


def _rights(account: Account) -> dict[str, str | int | bool | None]:
    areas = None if account.areas is None else ",".join(account.areas)
    return {"role": account.role, "areas": areas, "department": account.department}


def _password(from_stdin: bool) -> str:
    """One line of standard input, or what is typed twice without an echo."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt(say("Password", "密码"), hide_input=True, confirmation_prompt=True)
    return typed


def _show(account: Account, as_json: bool) -> None:
    if as_json:
        emit_json(asdict(account))
        return
    state = say(", disabled", "，已停用") if account.disabled else ""
    where = areas_words(account.areas)
    tell(f"{account.name}: {role_word(account.role)}, {where}{state}")
