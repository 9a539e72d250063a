"""``onemap revisions``: what was written, when, by whom, and how to undo it."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import AsJson, emit_json, grid, say, tell

if TYPE_CHECKING:
    from gis.revisions import RevisionRow

__all__ = ["app"]

app = typer.Typer(help=say("Revisions of the store.", "库的修订。"), no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1, help=say("The revision.", "修订号。"))]


@app.command("list", help=say("The newest revisions.", "列出最近的修订。"))
def list_command(
    limit: Annotated[int, typer.Option(min=1, help=say("At most so many.", "最多条数。"))] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest first."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.revisions import list_revisions

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_revisions(conn, limit=limit)
    if as_json:
        emit_json([asdict(row) for row in found])
        return
    _show(found)


@app.command("show", help=say("One revision.", "查看一个修订。"))
def show_command(number: Number, as_json: AsJson = False) -> None:
    """What it did to which layers."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.revisions import show_revision

    with opened() as onemap, connect(onemap.engine) as conn:
        found = show_revision(conn, number)
    if as_json:
        emit_json(asdict(found))
        return
    _show([found])


def _show(rows: list[RevisionRow]) -> None:
    columns = [
        say("revision#", "修订#"),
        say("at", "时间"),
        say("who", "操作者"),
        say("kind", "类型"),
        say("source", "来源"),
        say("note", "备注"),
        say("layers (+ added ~ changed - closed)", "图层（+新增 ~修改 -关闭）"),
    ]
    table = [
        (r.rev, r.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"), r.who, r.kind, r.source, r.note,
         ", ".join(f"{layer} +{a} ~{c} -{x}" for layer, (a, c, x) in r.layers.items()))
        for r in rows
    ]  # fmt: skip
    grid(say("Revisions", "修订"), columns, table)


@app.command("revert", help=say("Undo a revision by a new one.", "以新修订撤销。"))
def revert_command(number: Number, as_json: AsJson = False) -> None:
    """Refused when later revisions changed the same rows."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.following import follow
    from gis.intake import draw_again, judge_again
    from gis.revisions import revert
    from gis.tables import table_for

    with opened() as onemap:
        storage = onemap.definition.district.storage_crs
        tables = [table_for(layer, storage) for layer in onemap.definition.layers.values()]
        with connect(onemap.engine, write=True) as conn:
            change = revert(conn, number, tables, who=getpass.getuser())
            follow(conn, onemap.definition, change.rev, unplaced=True)
        onemap.note("revert", str(number), rev=change.rev)
        job = judge_again(onemap.engine, onemap.definition)
        draw_again(onemap.engine, onemap.definition)
    if as_json:
        emit_json(asdict(change))
        return
    counts = f"+{change.added} ~{change.changed} -{change.closed}"
    tell(
        say(
            f"Revision {number} is undone by revision {change.rev}: {counts}.",
            f"修订 {number} 已由修订 {change.rev} 撤销：{counts}。",
        )
    )
    if job is not None:
        tell(say(f"Conflicts are judged again by job {job}.", f"冲突由任务 {job} 重新判定。"))
