"""``onemap rejects``: rows that imports refused, and why; given back to be mended, and taken again."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say, tell

__all__ = ["app"]

app = typer.Typer(help=say("Rows that imports refused.", "导入时被拒绝的行。"), no_args_is_help=True)

Run = Annotated[int, typer.Argument(help=say("Number of the import run.", "导入批次号。"))]


class Severity(Enum):
    """What a finding means for its row: refused, taken with a repair, taken with a warning."""

    error = "error"
    repair = "repair"
    warning = "warning"


@app.command("list", help=say("Why rows were refused.", "列出被拒绝的行及原因。"))
def list_rejects(
    layer: Annotated[str | None, typer.Option(help=say("Of this layer only.", "仅此图层。"))] = None,
    run: Annotated[int | None, typer.Option(help=say("Of this import run only.", "仅此导入批次。"))] = None,
    code: Annotated[str | None, typer.Option(help=say("For this reason only.", "仅此原因代码。"))] = None,
    severity: Annotated[
        Severity | None, typer.Option(help=say("Refused, repaired or warned of.", "拒绝、修复或警告。"))
    ] = None,
    is_open: Annotated[
        bool, typer.Option("--open", help=say("Not those that were mended since.", "不含已解决的。"))
    ] = False,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """The newest import first."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.rejections import list_rejections

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_rejections(
            conn, layers=onemap.definition.layers, layer=layer, run_id=run, code=code,
            severity=severity.value if severity else None, is_open=is_open, limit=limit,
        )  # fmt: skip
    if as_json:
        emit_json([asdict(entry) for entry in found])
        return
    columns = [
        say("run#", "批次#"), say("layer", "图层"), say("file", "文件"), say("row#", "行#"),
        say("kind", "程度"), say("field", "字段"), say("what", "问题"), say("what to do", "如何处理"),
        say("who", "由谁处理"),
    ]  # fmt: skip
    rows: list[tuple[Any, ...]] = [
        (
            r.run_id, r.layer, r.file, r.row_no, r.severity, r.field, r.zh if LANGUAGE == "zh" else r.en,
            r.remedy_zh if LANGUAGE == "zh" else r.remedy_en, _owner(r.owner),
        )
        for r in found
    ]  # fmt: skip
    grid(say("Refused rows", "被拒绝的行"), columns, rows)


def _owner(owner: str) -> str:
    words = {
        "supplier": say("supplier", "提供单位"),
        "importer": say("importer", "导入人员"),
        "platform": say("platform", "平台"),
    }
    return words.get(owner, owner)


@app.command(
    "export",
    help=say(
        "Give refused rows back with the reasons, as a file of the kind they came in.",
        "将被拒绝的行连同原因按原文件格式导出，供修改后重新导入。",
    ),
)
def export(
    run: Run,
    file: Annotated[
        Path,
        typer.Argument(
            help=say(
                "A file, or a folder: then named and made as the imported one.",
                "文件；若为文件夹，则沿用原文件的名称和格式。",
            )
        ),
    ] = Path("."),
    everything: Annotated[
        bool,
        typer.Option("--all", help=say("Repaired and warned rows too.", "包括已修复和有警告的行。")),
    ] = False,
    is_open: Annotated[
        bool, typer.Option("--open", help=say("Not those that were mended since.", "不含已解决的。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The rows as they were read, with columns beside that an import leaves aside."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.rejections import export_rejects

    severities = ("error", "repair", "warning") if everything else ("error",)
    with opened() as onemap, connect(onemap.engine) as conn:
        given = export_rejects(
            conn, run, file, layers=onemap.definition.layers, severities=severities, is_open=is_open
        )
    if as_json:
        emit_json(asdict(given))
        return
    tell(
        say(
            f"{given.path}: {given.rows} rows. Mend them, then: onemap rejects retry FILE --run {run}",
            f"{given.path}：{given.rows} 行。修改后执行：onemap rejects retry 文件 --run {run}",
        )
    )
    others = ", ".join(part.name for part in given.files if part != given.path)
    if others:
        tell(say(f"With it: {others}", f"同时生成：{others}"))


@app.command(
    "retry",
    help=say(
        "Import mended rows the way their run was made.",
        "按原批次的来源、坐标系和字段对应重新导入修改后的行。",
    ),
)
def retry(
    file: Annotated[Path, typer.Argument(help=say("The mended rows.", "修改后的文件。"))],
    run: Annotated[int, typer.Option(help=say("The import run they come from.", "它们所属的导入批次。"))],
    crs: Annotated[
        str | None, typer.Option(help=say("CRS, if it is another.", "坐标系（若有变化）。"))
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("Only say what would happen.", "只预演。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Says which rows are settled now. Exit status 1 when none is."""
    from api.cli.opening import opened
    from gis.rejections import retry_rejects

    with opened() as onemap:
        done = retry_rejects(
            onemap.engine, onemap.definition, run, file, crs=crs, who=getpass.getuser(), dry_run=dry_run
        )
        if not dry_run:
            onemap.note("rejects.retry", str(run), file=file.name, rows=done.result.good)
    if as_json:
        emit_json(asdict(done))
    else:
        result = done.result
        tell(
            say(
                f"{result.file}: {result.good} of {result.total} rows taken, {result.bad} refused",
                f"{result.file}：{result.total} 行中接受 {result.good} 行，拒绝 {result.bad} 行",
            )
        )
        tell(say(f"Settled rows of run {run}: ", f"批次 {run} 已解决的行：") + _numbers(done.resolved))
        tell(say("Refused again: ", "仍被拒绝：") + _numbers(done.refused))
    if done.result.total and not done.result.good:
        raise typer.Exit(1)


def _numbers(rows: tuple[int, ...]) -> str:
    shown = ", ".join(str(row) for row in rows[:50])
    return (shown or "-") + (f", … ({len(rows)})" if len(rows) > 50 else "")
