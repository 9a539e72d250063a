"""``onemap doctor``: is everything there that the map needs?"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Engine

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say
from gis.access import Role, Scope
from gis.errors import OneMapError

__all__ = ["app"]

app = typer.Typer(help=say("Is everything in order?", "检查是否一切正常。"), invoke_without_command=True)

_SHOWN = 3


@app.callback()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at the machine, the settings, the definitions and the database; starts nothing."""
    if context.invoked_subcommand is not None:
        return
    findings = [_look(name, check) for name, check in _checks()]
    if as_json:
        emit_json([{"check": name, "ok": passed, "note": note} for name, passed, note in findings])
    else:
        rows = [("✓" if passed else "✗", name, note) for name, passed, note in findings]
        grid(say("Examination", "检查"), ["", say("what", "项目"), say("found", "结果")], rows)
    if not all(passed for _, passed, _ in findings):
        raise typer.Exit(1)


@app.command("access", help=say("Compare what each channel shows somebody.", "比对各渠道对某人显示的内容。"))
def access_command(
    account: Annotated[
        str | None, typer.Option("--as", help=say("As this account.", "以该账号身份。"), metavar="USER")
    ] = None,
    role: Annotated[
        Role | None, typer.Option("--as-role", help=say("As a role, not an account.", "以角色而非账号。"))
    ] = None,
    areas: Annotated[
        list[str] | None,
        typer.Option("--area", help=say("Only this area; may be given again.", "仅限此区域，可重复。")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every way to the data, from SQL to reports, beside what is to be seen; 1 on a leak."""
    from dataclasses import asdict

    from api.cli.opening import opened
    from gis.leaks import compare

    if (account is None) == (role is None) or (account is not None and areas):
        raise typer.BadParameter(
            say(
                "Give either --as USER, or --as-role ROLE [--area CODE].",
                "请给出 --as 账号，或 --as-role 角色。",
            )
        )
    with opened() as onemap:
        scope = _scope(onemap.engine, account, role, areas)
        found = list(compare(onemap.engine, onemap.definition, scope))
    if as_json:
        emit_json([asdict(each) for each in found])
    else:
        columns = [
            "", say("channel", "渠道"), say("layer", "图层"), say("to be seen", "应见"),
            say("shown beyond", "多显示"), say("kept back", "未显示"),
        ]  # fmt: skip
        rows = [
            (
                "✗" if each.leaks else "✓",
                each.channel,
                each.layer,
                each.expected,
                _few(each.leaked),
                _few(each.lacking),
            )
            for each in found
        ]
        who = account or str(role)
        grid(say(f"What {who} sees", f"{who} 所见"), columns, rows)
    if any(each.leaks for each in found):
        raise typer.Exit(1)


def _scope(engine: Engine, account: str | None, role: Role | None, areas: list[str] | None) -> Scope:
    """What the account, or the role, sees."""
    from gis.accounts.register import row_of, scope_of
    from gis.db import connect

    if account is not None:
        with connect(engine) as conn:
            return scope_of(row_of(conn, account))
    assert role is not None
    return Scope(role, tuple(sorted(areas)) if areas else None)


def _few(things: tuple[str, ...]) -> str:
    more = f" … {len(things)}" if len(things) > _SHOWN else ""
    return ", ".join(things[:_SHOWN]) + more


def _look(name: str, check: Callable[[], str]) -> tuple[str, bool, str]:
    try:
        return name, True, check()
    except OneMapError as error:
        return name, False, error.text(LANGUAGE)


def _checks() -> list[tuple[str, Callable[[], str]]]:
    return [
        ("Python", lambda: platform.python_version()),
        (say("settings", "设置"), _settings),
        (say("definitions", "定义"), _definitions),
        ("PostgreSQL + PostGIS", _binaries),
        (say("reading of files", "文件读取"), _reading),
        (say("database", "数据库"), _database),
    ]


def _settings() -> str:
    from gis.settings import load_settings

    settings = load_settings()
    return f"ONEMAP_HOME={settings.home}"


def _definitions() -> str:
    from gis.settings import load_settings

    found = load_settings().load_map()
    return f"{found.district.id}: {len(found.layers)}, {' '.join(found.packs)}"


def _binaries() -> str:
    from gis.cluster import find_binaries
    from gis.settings import load_settings

    if load_settings().database_url is not None:
        return say("not needed: ONEMAP_DATABASE_URL is set", "不需要：已设置 ONEMAP_DATABASE_URL")
    found = find_binaries()
    return f"{found.major} ({found.folder})"


def _database() -> str:
    from gis.cluster import Cluster
    from gis.db import connect, make_engine
    from gis.revisions import head
    from gis.settings import load_settings

    settings = load_settings()
    if settings.database_url is None:
        status = Cluster(settings.home).status()
        if not status.running:
            return say("private, not running", "私有，未运行")
    engine = make_engine(settings)
    try:
        with connect(engine) as conn:
            return say(f"answers; revision {head(conn)}", f"正常；修订 {head(conn)}")
    finally:
        engine.dispose()


def _reading() -> str:
    """The fences around a child that reads a file; it must have no way out to the network."""
    from gis.importing.reading.sandbox import fences

    held = fences()
    if not held.offline:
        raise OneMapError(
            "A process that reads files could reach the network: no namespaces, no seccomp.",
            "读取文件的进程可以访问网络：内核既不支持网络命名空间，也不支持 seccomp。",
            remedy_en="Run onemap on a Linux kernel with seccomp, or import only files you trust.",
            remedy_zh="请在支持 seccomp 的 Linux 内核上运行，或只导入可信文件。",
        )
    names = {
        "network": say("no network", "无网络"),
        "calls": say("no sockets or programs", "禁止套接字和新程序"),
        "files": say("own files only", "只见所读文件"),
        "account": say("not root", "非 root"),
    }
    return ", ".join(f"{'✓' if getattr(held, key) else '✗'} {name}" for key, name in names.items())
