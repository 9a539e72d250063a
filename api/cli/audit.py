"""``onemap audit``: who saw and changed what, and whether the log is as it was written."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say, tell

__all__ = ["app"]

app = typer.Typer(help=say("The audit log.", "审计日志。"), no_args_is_help=True)


@app.command("list", help=say("The newest rows.", "列出最近的记录。"))
def list_command(
    limit: Annotated[int, typer.Option(min=1, help=say("At most so many.", "最多条数。"))] = 50,
    who: Annotated[str | None, typer.Option(help=say("Of this account only.", "仅此账号。"))] = None,
    action: Annotated[
        str | None, typer.Option(help=say("Beginning so, such as session.", "操作的开头，如 session。"))
    ] = None,
    since: Annotated[datetime | None, typer.Option(help=say("Not before this time.", "起始时间。"))] = None,
    as_json: AsJson = False,
) -> None:
    """The newest first."""
    from api.cli.opening import opened
    from gis.accounts.audit import entries
    from gis.db import connect

    start = None if since is None else since.astimezone()
    with opened() as onemap, connect(onemap.engine) as conn:
        found = entries(conn, limit=limit, who=who, action=action, since=start)
    if as_json:
        emit_json([asdict(entry) for entry in found])
        return
    columns = [
        say("row#", "行#"), say("at", "时间"), say("who", "操作者"), say("via", "方式"), say("from", "来自"),
        say("action", "操作"), say("object", "对象"), say("outcome", "结果"), say("detail", "详情"),
    ]  # fmt: skip
    rows = (
        (e.seq, e.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"), e.who, e.via, e.address, e.action, e.object,
         e.outcome, " ".join(f"{k}={v}" for k, v in e.detail.items() if v is not None))
        for e in found
    )  # fmt: skip
    grid(say("Audit log", "审计日志"), columns, rows)


@app.command("verify", help=say("Is the log as it was written?", "日志是否未被改动？"))
def verify_command(
    noted: Annotated[
        str | None,
        typer.Option(
            metavar="ROW:HASH",
            help=say(
                "What an earlier verify told, noted elsewhere.", "此前 verify 给出并另处保存的行号与哈希。"
            ),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Names the first row that was altered, taken out or moved; exit status 1 then."""
    from api.cli.opening import opened
    from gis.accounts.audit import verify
    from gis.db import connect

    head = _head(noted)
    with opened() as onemap, connect(onemap.engine) as conn:
        found = verify(conn, noted=head)
    if as_json:
        emit_json(asdict(found))
    elif found.fault is not None:
        tell(found.fault.zh if LANGUAGE == "zh" else found.fault.en)
    else:
        words = say(f"{found.rows} rows, none altered.", f"共 {found.rows} 行，均未改动。")
        tell(f"{words} {found.rows}:{found.head}")
    if found.fault is not None:
        raise typer.Exit(1)


def _head(noted: str | None) -> tuple[int, str] | None:
    if noted is None:
        return None
    row, _, digest = noted.partition(":")
    if not row.isdecimal() or len(digest) != 64:
        raise typer.BadParameter(say(f"{noted} is not ROW:HASH.", f"{noted} 不是 行号:哈希。"))
    return int(row), digest.lower()
