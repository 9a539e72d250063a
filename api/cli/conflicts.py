"""``onemap conflicts``: judge everything again, and list what was found."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import UTC, date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.console import LANGUAGE, AsJson, AsOf, LawDate, day, emit_json, grid, progress, say, tell, title

if TYPE_CHECKING:
    from api.cli.opening import Opened
    from gis.screening.conflicts import RefreshResult

__all__ = ["app", "refresh_if_behind", "show_conflicts"]


class MarkName(Enum):
    """What people may say of a conflict."""

    challenged = "challenged"
    accepted = "accepted"
    withdrawn = "withdrawn"


class StatusName(Enum):
    """How a conflict stands with people."""

    open = "open"
    challenged = "challenged"
    accepted = "accepted"
    expired = "expired"


app = typer.Typer(help=say("Conflicts of subjects with zones.", "对象与区域的冲突。"), no_args_is_help=True)


@app.command("refresh", help=say("Judge what has changed.", "判定自上次以来有变化的对象。"))
def refresh_command(
    law_date: LawDate = None,
    full: Annotated[
        bool, typer.Option("--full", help=say("Judge every subject anew.", "重新判定全部对象。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge, and write what changed as one revision."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.screening.conflicts import totals

    with opened() as onemap:
        result = refresh_now(onemap, day(law_date), full=full)
        with connect(onemap.engine) as conn:
            all_of_it = totals(conn, onemap.definition)
    change = result.change
    unchanged = all_of_it.rows - change.added - change.changed
    if as_json:
        emit_json({"revision": change.rev, "judged_revision": result.judged_rev, "added": change.added,
                   "changed": change.changed, "closed": change.closed, "unchanged": unchanged,
                   "retold": result.retold, "uncovered": all_of_it.open, "subjects": result.subjects,
                   "full": result.full})  # fmt: skip
        return
    counts = f"+{change.added} ~{change.changed} -{change.closed} ={unchanged}"
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


@app.command("list", help=say("Conflicts in numbers, or one by one.", "冲突统计或逐条列出。"))
def list_command(
    as_of: AsOf = None,
    each: Annotated[
        bool, typer.Option("--each", help=say("One by one, oldest first.", "逐条，最早在前。"))
    ] = False,
    status: Annotated[
        StatusName | None, typer.Option(help=say("Only those marked so; one by one.", "仅此标记状态，逐条。"))
    ] = None,
    rule: Annotated[
        str | None, typer.Option(help=say("Only this rule; one by one.", "仅此规则，逐条。"))
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help=say("At most so many.", "最多条数。"))] = 50,
    as_json: AsJson = False,
) -> None:
    """By rule, verdict and severity; or single ones with their age and mark."""
    from api.cli.opening import opened

    singly = each or status is not None or rule is not None
    if singly and as_of is not None:
        raise typer.BadParameter(say("--as-of goes with the numbers only.", "--as-of 仅用于统计。"))
    with opened() as onemap:
        if singly:
            _list_each(onemap, status, rule, limit, as_json=as_json)
        elif as_json:
            emit_json(found(onemap, as_of))
        else:
            show_conflicts(onemap, as_of)


def _list_each(
    onemap: Opened, status: StatusName | None, rule: str | None, limit: int, *, as_json: bool
) -> None:
    from gis.db import connect
    from gis.screening.marks import listed

    today = datetime.now(UTC).date()
    with connect(onemap.engine) as conn:
        rows = listed(
            conn, onemap.definition, status=None if status is None else status.value, rule=rule, limit=limit
        )
    if as_json:
        emit_json([asdict(row) | {"standing": row.standing.as_json(today)} for row in rows])
        return
    words = _mark_words()
    columns = [say("conflict", "冲突"), say("rules", "规则"), say("subject", "对象"), say("zone", "区域"),
               say("since", "自"), say("days#", "天数#"), say("mark", "标记")]  # fmt: skip
    grid(
        say("Conflicts, oldest first", "冲突（最早在前）"), columns,
        [
            (row.uid, row.rules, row.subject, row.zone, f"{row.standing.opened_at:%Y-%m-%d}",
             (today - row.standing.opened_at.date()).days, words[row.standing.status])
            for row in rows
        ],
    )  # fmt: skip


def _mark_words() -> dict[str, str]:
    return {
        "open": "",
        "challenged": say("challenged", "有异议"),
        "accepted": say("accepted", "已接受"),
        "expired": say("mark expired", "标记已过期"),
    }


@app.command("mark", help=say("Say something of a conflict.", "给冲突加标记。"))
def mark_command(
    uid: Annotated[str, typer.Argument(help=say("The conflict.", "冲突标识。"))],
    kind: Annotated[MarkName, typer.Option("--as", help=say("What it is.", "标记。"))],
    why: Annotated[str, typer.Option(help=say("The reason.", "理由。"))],
    until: Annotated[
        str | None, typer.Option(help=say("The last day it holds.", "有效至。"), metavar="YYYY-MM-DD")
    ] = None,
    who: Annotated[str | None, typer.Option(help=say("Who says so.", "标记人。"))] = None,
    as_json: AsJson = False,
) -> None:
    """The conflict stays what it is; marks are kept, the newest counts."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.screening.marks import mark

    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            standing = mark(
                conn, onemap.definition, uid, kind.value, why=why, who=who or getpass.getuser(),
                until=day(until),
            )  # fmt: skip
        onemap.note("mark", uid, mark=kind.value)
    if as_json:
        emit_json(standing.as_json(datetime.now(UTC).date()))
        return
    word = _mark_words()[standing.status] or say("mark withdrawn", "标记已撤回")
    tell(f"{uid}: {word}")


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
