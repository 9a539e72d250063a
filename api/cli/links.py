"""``onemap links``: which rows of different sources mean the same thing."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say, tell

if TYPE_CHECKING:
    from api.cli.opening import Opened

__all__ = ["app"]

app = typer.Typer(
    help=say("Rows of several sources that mean one thing.", "多个来源中的同一对象。"), no_args_is_help=True
)

LayerName = Annotated[str, typer.Argument(metavar="LAYER", help=say("The layer.", "图层。"))]
Uid = Annotated[str, typer.Argument(metavar="UID", help=say("A row.", "一行的标识。"))]


@app.command("candidates", help=say("Pairs that may be one thing.", "可能是同一对象的两行。"))
def candidates_command(
    layer: LayerName,
    limit: Annotated[int, typer.Option(min=1, help=say("At most so many.", "最多列出几对。"))] = 20,
    as_json: AsJson = False,
) -> None:
    """List the likeliest pairs with what speaks for them."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.features import find_layer
    from gis.linking import candidates

    with opened() as onemap, connect(onemap.engine) as conn:
        found = candidates(conn, onemap.definition, find_layer(onemap.definition, layer), limit=limit)
    if as_json:
        emit_json([pair.as_dict() for pair in found])
        return
    if not found:
        tell(say("No pairs to decide.", "没有待确认的关联。"))
        return
    chinese = LANGUAGE == "zh"
    rows = [
        [f"{p.score:.2f}", f"{p.uid_a}\n{p.uid_b}", f"{p.name_a}\n{p.name_b}", f"{p.source_a}\n{p.source_b}",
         "\n".join(zh if chinese else en for zh, en in p.reasons)]
        for p in found
    ]  # fmt: skip
    heads = [say("Score", "得分"), "UID", say("Name", "名称"), say("Source", "来源"), say("Why", "依据")]
    grid(say("May be one thing", "可能是同一对象"), heads, rows)
    tell(
        say(
            f"Decide with: onemap links confirm {layer} UID UID",
            f"确认：onemap links confirm {layer} UID UID",
        )
    )


@app.command("confirm", help=say("Two rows mean one thing.", "确认两行是同一对象。"))
def confirm(layer: LayerName, first: Uid, second: Uid) -> None:
    """Link two rows and compare what they state."""
    _decide(layer, (first, second), same=True)


@app.command("part", help=say("Two rows mean two things.", "确认两行不是同一对象。"))
def part(layer: LayerName, first: Uid, second: Uid) -> None:
    """Keep two rows apart, whatever their codes say."""
    _decide(layer, (first, second), same=False)


def _decide(layer: str, uids: tuple[str, str], *, same: bool) -> None:
    from api.cli.opening import opened
    from gis.db import connect
    from gis.features import find_layer
    from gis.linking import candidates, decide

    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            found = find_layer(onemap.definition, layer)
            pairs = candidates(conn, onemap.definition, found, limit=10_000) if same else []
            seen = next((p.as_dict() for p in pairs if {p.uid_a, p.uid_b} == set(uids)), None)
            who = getpass.getuser()
            number = decide(conn, onemap.definition, found, uids, same=same, who=who, evidence=seen)
        onemap.note("link.decide", str(number), layer=layer, first=uids[0], second=uids[1], same=same)
        tell(
            say(
                f"Decision {number}; undo: onemap links undo {number}",
                f"决定 {number}；撤销：onemap links undo {number}",
            )
        )
        _compare(onemap)


@app.command("undo", help=say("Take a decision back.", "撤销一个决定。"))
def undo_command(
    number: Annotated[int, typer.Argument(help=say("The decision's number.", "决定的编号。"))],
) -> None:
    """Undo a decision; the rows are compared as before it."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.linking import undo

    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            undo(conn, number, who=getpass.getuser())
        onemap.note("link.undo", str(number))
        _compare(onemap)


@app.command("list", help=say("Decisions, newest first.", "列出决定，最新在前。"))
def list_command(
    layer: Annotated[str | None, typer.Option(help=say("Only of this layer.", "只列此图层。"))] = None,
    undone: Annotated[bool, typer.Option("--undone", help=say("The undone too.", "包括已撤销的。"))] = False,
    as_json: AsJson = False,
) -> None:
    """List what people decided."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.linking import list_decisions

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_decisions(conn, layer, undone=undone)
    if as_json:
        emit_json([asdict(decision) for decision in found])
        return
    rows = [
        [str(d.link_id), d.layer, d.uid_a, "=" if d.same else "≠", d.uid_b, d.who, f"{d.at:%Y-%m-%d}",
         f"{d.undone_at:%Y-%m-%d}" if d.undone_at else ""]
        for d in found
    ]  # fmt: skip
    heads = [
        "#",
        say("Layer", "图层"),
        "UID",
        "",
        "UID",
        say("Who", "操作人"),
        say("On", "日期"),
        say("Undone", "撤销"),
    ]
    grid(say("Decisions", "关联决定"), heads, rows)


@app.command("refresh", help=say("Compare linked rows anew.", "重新比对已关联的行。"))
def refresh_command() -> None:
    """Write the layer of disagreements anew."""
    from api.cli.opening import opened

    with opened() as onemap:
        _compare(onemap)


def _compare(onemap: Opened) -> None:
    from gis.linking import refresh

    change = refresh(onemap.engine, onemap.definition, who=getpass.getuser())
    counts = f"+{change.added} ~{change.changed} -{change.closed} ={change.unchanged}"
    tell(say(f"Disagreements: {counts}", f"数据分歧：{counts}"))
