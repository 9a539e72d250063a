"""``onemap mapping``: which column of a file goes to which field of a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say, tell

__all__ = ["app"]

app = typer.Typer(help=say("Columns and fields.", "列与字段的对应。"), no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``show`` a command of its own while it is the only one."""


@app.command("show", help=say("What an import would take for each field.", "预览导入时的字段对应。"))
def show(
    file: Annotated[Path, typer.Argument(help=say("The file.", "文件。"))],
    layer: Annotated[str, typer.Argument(help=say("The layer.", "图层。"))],
    source: Annotated[
        str | None, typer.Option(help=say("With what is saved for this source.", "按该来源已保存的对应。"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Needs no database, unless what is saved for a source is asked for; nothing is stored."""
    from api.cli.opening import opened
    from gis.errors import NotFound
    from gis.importing.mapping import load_saved, propose
    from gis.importing.mapping.sample import columns_of, placing_columns
    from gis.importing.reading import TRUSTED, read_file
    from gis.settings import load_settings

    defined = load_settings().load_map().layers
    if layer not in defined:
        raise NotFound(
            f"There is no layer {layer!r}.",
            f"没有图层“{layer}”。",
            remedy_en="See `onemap layers list`.",
            remedy_zh="见 `onemap layers list`。",
        )
    saved: dict[str, str] = {}
    if source is not None:
        from gis.db import connect

        with opened() as onemap, connect(onemap.engine) as conn:
            saved = load_saved(conn, source, layer)
    with read_file(file, limits=TRUSTED) as reading:
        proposals = propose(defined[layer], reading, saved)
        taken = {p.column for p in proposals} | placing_columns(reading)
        left = [column for column in columns_of(reading) if column not in taken]
    if as_json:
        emit_json({"proposals": [p.as_dict() for p in proposals], "unmapped": left})
        return
    columns = [say("field", "字段"), say("column", "列"), say("taken", "采用"), say("score#", "得分#"),
               say("why", "理由"), say("or", "其次")]  # fmt: skip
    taken_how = (say("if confirmed", "须确认"), say("yes", "是"))
    rows = (
        (
            p.field,
            p.column,
            taken_how[p.certain],
            f"{p.score:.2f}",
            p.why_zh if LANGUAGE == "zh" else p.why_en,
            " ".join(column for column, _ in p.others),
        )
        for p in proposals
        if p.column is not None
    )
    grid(say("Proposed columns", "建议的字段对应"), columns, rows)
    if left:
        tell(say("Columns that go nowhere: ", "未使用的列：") + ", ".join(left))
