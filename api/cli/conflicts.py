"""``onemap conflicts``: judge everything again, and list what was found."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.console import LANGUAGE, AsJson, day, emit_json, grid, progress, say, tell, title

if TYPE_CHECKING:
    from api.cli.opening import Opened
    from gis.screening.conflicts import RefreshResult

__all__ = ["app", "refresh_if_behind", "show_conflicts"]

app = typer.Typer(help=say("Conflicts of subjects with zones.", "对象与区域的冲突。"), no_args_is_help=True)


@app.command("refresh", help=say("Judge what has changed.", "判定自上次以来有变化的对象。"))
def refresh_command(
    law_date: Annotated[
        str | None,
        typer.Option(help=say("The day whose law counts.", "适用法律的日期。"), metavar="YYYY-MM-DD"),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help=say("Judge every subject anew.", "重新判定全部对象。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge, and write what changed as one revision."""
    from api.cli.opening import opened

    with opened() as onemap:
        result = refresh_now(onemap, day(law_date), full=full)
    change = result.change
    if as_json:
        emit_json({"revision": change.rev, "judged_revision": result.judged_rev, "added": change.added,
                   "changed": change.changed, "closed": change.closed, "unchanged": change.unchanged,
                   "uncovered": result.uncovered, "subjects": result.subjects,
                   "full": result.full})  # fmt: skip
        return
    counts = f"+{change.added} ~{change.changed} -{change.closed} ={change.unchanged}"
    tell(
        say(
            f"Judged {result.subjects} subjects at revision {result.judged_rev}: {counts}",
            f"已按修订 {result.judged_rev} 判定 {result.subjects} 个对象：{counts}",
        )
    )


def refresh_now(onemap: Opened, law_date: date | None = None, *, full: bool = False) -> RefreshResult:
    """Judge what is due, or everything, with a bar for the subject layers."""
    from gis.screening.conflicts import refresh

    with progress() as bar:
        task = bar.add_task(say("Judging", "判定"), total=None)

        def show(layer_id: str, done: int, total: int) -> None:
            layer = onemap.definition.layers.get(layer_id)
            shown = f"{say('Judging', '判定')} {title(layer.title) if layer else ''}"
            bar.update(task, description=shown, completed=done, total=total)

        return refresh(
            onemap.engine,
            onemap.definition,
            law_date=law_date,
            full=full,
            progress=show,
            threads=onemap.settings.threads,
        )


def refresh_if_behind(onemap: Opened) -> None:
    """Judge again when data, rules or the day have moved on since the last judging."""
    from gis.db import connect
    from gis.revisions import head
    from gis.screening.conflicts import judged_up_to

    if onemap.definition.derived("conflicts") is None:
        return
    with connect(onemap.engine) as conn:
        judged = judged_up_to(conn, onemap.definition, head(conn))
    if judged.lagging or not judged.rules_current or judged.law_date != datetime.now(UTC).date():
        refresh_now(onemap)


@app.command("list", help=say("Conflicts in numbers.", "冲突统计。"))
def list_command(
    as_of: Annotated[str | None, typer.Option(help=say("Revision or time.", "修订号或时间。"))] = None,
    as_json: AsJson = False,
) -> None:
    """By rule, verdict and severity."""
    from api.cli.opening import opened

    with opened() as onemap:
        if as_json:
            emit_json(found(onemap, as_of))
        else:
            show_conflicts(onemap, as_of)


def found(onemap: Opened, as_of: str | None = None) -> dict[str, Any]:
    """The summary of conflicts at a revision."""
    from api.shapes import conflict_numbers
    from gis.db import connect
    from gis.revisions import resolve_as_of
    from gis.screening.conflicts import summary

    with connect(onemap.engine) as conn:
        return conflict_numbers(summary(conn, onemap.definition, resolve_as_of(conn, as_of)))


def show_conflicts(onemap: Opened, as_of: str | None = None) -> None:
    """Print a table of conflicts by rule, verdict and severity; nothing where no layer holds them."""
    layer = onemap.definition.derived("conflicts")
    if layer is None:
        return
    counted = found(onemap, as_of)
    rules = {rule.id: rule for pack in onemap.definition.packs.values() for rule in pack.rules}
    words = {
        value.code: value.title.text(LANGUAGE)
        for name in ("verdict", "severity")
        for value in layer.field(name).code_list
    }
    rows = [
        (row["rule"], title(rules[row["rule"]].title) if row["rule"] in rules else "",
         words.get(row["verdict"], row["verdict"]), words.get(row["severity"], row["severity"]), row["count"])
        for row in counted["by_rule"]
    ]  # fmt: skip
    judged = counted["judged_revision"]
    heading = say(f"Conflicts, judged up to revision {judged}", f"冲突（判定至修订 {judged}）")
    columns = [
        say("rule", "规则"),
        say("matter", "事项"),
        say("verdict", "结论"),
        say("severity", "严重程度"),
        say("rows#", "数量#"),
    ]
    grid(heading, columns, rows)
