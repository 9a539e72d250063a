"""``onemap import``: files into a layer."""

from __future__ import annotations

import getpass
from collections import Counter
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, progress, say, tell

if TYPE_CHECKING:
    from api.cli.opening import Opened
    from gis.importing import ImportOptions, ImportResult

__all__ = ["import_", "pairs"]


class Mode(Enum):
    """What becomes of rows that the file does not have: see the option's help."""

    upsert = "upsert"
    replace = "replace"
    append = "append"


def import_(
    layer: Annotated[str, typer.Argument(help=say("The layer.", "图层。"))],
    files: Annotated[list[Path], typer.Argument(help=say("The files.", "文件。"))],
    crs: Annotated[str, typer.Option(help=say("auto, EPSG:4549, ...", "auto、EPSG:4549 等。"))] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help=say("Column of a field.", "字段对应的列。")),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help=say("Name of the source; else the file's.", "来源名称，缺省为文件名。"))
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help=say(
                "upsert: add and change; replace: also close what is gone from the source; append: add only.",
                "upsert：新增和修改；replace：并关闭来源中已没有的行；append：只新增。",
            )
        ),
    ] = Mode.upsert,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("Only say what would happen.", "只预演。"))
    ] = False,
    coverage: Annotated[
        Path | None, typer.Option(help=say("Polygons where the data are complete.", "数据完整的范围。"))
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option(min=0, help=say("Bound of the position error in metres.", "位置误差上限（米）。")),
    ] = None,
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help=say("Mark as demonstration data.", "标为演示数据。"))
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help=say("Close many rows without refusal.", "允许关闭大量行。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import files into a layer, each as one revision; refused rows are kept with the reason."""
    from api.cli.opening import opened
    from gis.importing import ImportOptions, SourceInfo

    columns = pairs(mapping or [])
    results = []
    with opened() as onemap, progress() as bar:
        task = bar.add_task(say("Importing", "导入"), total=len(files))
        for file in files:
            bar.update(task, description=f"{say('Importing', '导入')} {file.name}")
            info = SourceInfo(source or file.stem, accuracy_m=accuracy, is_demonstration=demonstration)
            options = ImportOptions(
                info, crs=crs, mapping=columns, mode=mode.value, dry_run=dry_run, coverage=coverage,
                who=getpass.getuser(), allow_large_close=yes,
            )  # fmt: skip
            results.append(_import_one(onemap, layer, file, options))
            bar.advance(task)
    if as_json:
        emit_json([asdict(result) for result in results])
    else:
        for result in results:
            _show_import(result, dry_run=dry_run)
    if any(result.total and not result.good for result in results):
        raise typer.Exit(1)


def _import_one(onemap: Opened, layer: str, file: Path, options: ImportOptions) -> ImportResult:
    from gis.importing import import_file

    return import_file(onemap.engine, onemap.definition, layer, file, options)


def pairs(texts: list[str]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping; a usage error for anything else."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise typer.BadParameter(say(f"{text} is not NAME=VALUE.", f"{text} 不是 名称=值。"))
        found[name] = value
    return found


def _show_import(result: ImportResult, *, dry_run: bool) -> None:
    from layers.vocabulary import load_issues

    change = result.change
    rev = say("dry run", "预演") if dry_run else say(f"revision {change.rev}", f"修订 {change.rev}")
    if not dry_run and change.rev is None:
        rev = say("no change", "无变化")
    counts = f"+{change.added} ~{change.changed} -{change.closed} ={change.unchanged}"
    tell(
        say(
            f"{result.file}: {result.good} of {result.total} rows taken, {result.bad} refused",
            f"{result.file}：{result.total} 行中接受 {result.good} 行，拒绝 {result.bad} 行",
        )
        + f"; {counts}; {rev}"
    )
    words = load_issues()
    kinds = Counter((issue.code, issue.field) for issue in result.issues)
    firsts = {(i.code, i.field): i for i in reversed(result.issues)}
    rows = []
    for (code, field), count in kinds.most_common():
        first = firsts[code, field]
        told = {"field": field, "value": first.value, "expected": ""}
        text = words[code].zh if LANGUAGE == "zh" else words[code].en
        rows.append((count, first.severity, field, text.format(**told), first.row + 1))
    if rows:
        columns = [say("rows#", "行数#"), say("kind", "程度"), say("field", "字段"), say("what", "问题"),
                   say("first row#", "首行#")]  # fmt: skip
        grid(say("Found in the file", "文件中的问题"), columns, rows)
