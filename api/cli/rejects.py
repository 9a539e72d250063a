"""``onemap rejects``: rows that imports refused, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say

__all__ = ["app"]

app = typer.Typer(help=say("Rows that imports refused.", "导入时被拒绝的行。"), no_args_is_help=True)


@app.command("list", help=say("Why rows were refused.", "列出被拒绝的行及原因。"))
def list_rejects(
    layer: Annotated[str | None, typer.Option(help=say("Of this layer only.", "仅此图层。"))] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """The newest import first."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.rejections import list_rejections

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_rejections(conn, layer=layer, limit=limit)
    if as_json:
        emit_json([asdict(entry) for entry in found])
        return
    columns = [
        say("layer", "图层"),
        say("file", "文件"),
        say("row#", "行#"),
        say("field", "字段"),
        say("what", "问题"),
    ]
    rows: list[tuple[Any, ...]] = [
        (r.layer, r.file, r.row_no, r.field, r.zh if LANGUAGE == "zh" else r.en) for r in found
    ]
    grid(say("Refused rows", "被拒绝的行"), columns, rows)
