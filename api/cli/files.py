"""``onemap import``: files into a layer."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from api.cli.blast import show_blast
from api.cli.console import LANGUAGE, AsJson, emit_json, fail, grid, progress, say, tell

if TYPE_CHECKING:
    from api.cli.opening import Opened
    from gis.errors import ImportRefused
    from gis.importing import ImportOptions, ImportResult
    from gis.screening.blast import Blast

__all__ = ["import_", "pairs"]


class Mode(Enum):
    """What becomes of rows that the file does not have: see the option's help."""

    upsert = "upsert"
    replace = "replace"
    append = "append"


class Outside(Enum):
    """What becomes of rows beyond the district."""

    refuse = "refuse"
    keep = "keep"


def import_(
    layer: Annotated[str, typer.Argument(help=say("The layer.", "图层。"))],
    files: Annotated[list[Path], typer.Argument(help=say("The files.", "文件。"))],
    crs: Annotated[
        str,
        typer.Option(
            help=say(
                'auto, EPSG:4549, GCJ-02, BD-09 ...; "EPSG:4549 swapped" when y comes first.',
                "auto、EPSG:4549、GCJ-02、BD-09 等；纵坐标在前时写“EPSG:4549 swapped”。",
            )
        ),
    ] = "auto",
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
    map_file: Annotated[
        Path | None,
        typer.Option(
            help=say(
                "With --dry-run: draw what would change, .html or .geojson.",
                "与 --dry-run 同用：把差异画成地图（.html 或 .geojson）。",
            ),
            dir_okay=False,
        ),
    ] = None,
    outside: Annotated[
        Outside, typer.Option(help=say("Rows beyond the district.", "区域范围以外的行。"))
    ] = Outside.refuse,
    encoding: Annotated[
        str | None, typer.Option(help=say("Encoding of the text, such as GBK.", "文本编码，如 GBK。"))
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(
            "--member", "--layer-in-file", help=say("Layer, sheet or file inside.", "文件内的图层或工作表。")
        ),
    ] = None,
    x: Annotated[str | None, typer.Option("--x", help=say("Column of x.", "横坐标（经度）所在列。"))] = None,
    y: Annotated[str | None, typer.Option("--y", help=say("Column of y.", "纵坐标（纬度）所在列。"))] = None,
    wkt: Annotated[str | None, typer.Option("--wkt", help=say("Column of WKT.", "WKT 所在列。"))] = None,
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
    accept_offer: Annotated[
        bool,
        typer.Option(
            "--accept-offer", help=say("Take the first CRS that is proposed.", "采用排在第一的坐标系建议。")
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help=say("Close many rows without refusal.", "允许关闭大量行。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import files into a layer, each as one revision; refused rows are kept with the reason."""
    from api.cli.opening import opened
    from gis.errors import ImportRefused
    from gis.importing import ImportOptions, SourceInfo
    from gis.importing.reading import ReadOptions
    from gis.screening.blast import Rehearsal, draw

    if map_file is not None and not dry_run:
        raise typer.BadParameter(say("--map-file goes with --dry-run.", "--map-file 须与 --dry-run 同用。"))
    columns = pairs(mapping or [])
    read = ReadOptions(member=member, x=x, y=y, wkt=wkt, encoding=encoding)
    results: list[ImportResult] = []
    blasts: dict[str, Blast] = {}
    with opened() as onemap, progress() as bar:
        for file in files:
            info = SourceInfo(source or file.stem, accuracy_m=accuracy, is_demonstration=demonstration)
            options = ImportOptions(
                info, crs=crs, mapping=columns, mode=mode.value, dry_run=dry_run, coverage=coverage,
                who=getpass.getuser(), allow_large_close=yes, read=read, outside=outside.value,
                accept_offer=accept_offer, map_file=map_file,
            )  # fmt: skip
            rehearsal = Rehearsal(onemap.definition, onemap.settings.threads) if dry_run else None
            if rehearsal is not None:
                options = replace(options, rehearsed=rehearsal.look)
            try:
                done = _import_one(onemap, layer, file, options, bar)
                results.append(done)
                if not dry_run:
                    onemap.note("import", layer, file=file.name, rev=done.change.rev, rows=done.good)
                if rehearsal is not None and rehearsal.found is not None:
                    blasts[file.name] = rehearsal.found
                    if map_file is not None:
                        draw(onemap.definition, rehearsal.places, beside(map_file))
            except ImportRefused as error:
                bar.stop()
                _tell_done(results, as_json=as_json, dry_run=dry_run)
                _show_refusal(error)
                raise typer.Exit(1) from error
    _tell_done(results, as_json=as_json, dry_run=dry_run, blasts=blasts)
    if not as_json:
        for name, blast in blasts.items():
            show_blast(blast, name, None if map_file is None else beside(map_file))
    if any(result.total and not result.good for result in results):
        raise typer.Exit(1)


def beside(map_file: Path) -> Path:
    """Where the map of changed conflicts goes: beside that of changed rows."""
    return map_file.with_name(f"{map_file.stem}-conflicts{map_file.suffix}")


def _tell_done(
    results: list[ImportResult], *, as_json: bool, dry_run: bool, blasts: Mapping[str, Blast] | None = None
) -> None:
    if as_json:
        found = {name: blast.as_json() for name, blast in (blasts or {}).items()}
        emit_json([asdict(each) | {"conflicts": found.get(each.file)} for each in results])
        return
    for result in results:
        _show_import(result, dry_run=dry_run)


def _import_one(
    onemap: Opened, layer: str, file: Path, options: ImportOptions, bar: Progress
) -> ImportResult:
    from gis.intake import take_in

    task = bar.add_task(file.name, total=None)
    return take_in(
        onemap.engine, onemap.definition, layer, file, options, progress=_phases(bar, task, file.name)
    )


def _phases(bar: Progress, task: object, name: str) -> Callable[[str, int, int | None], None]:
    """Shows how far the import of a file is."""
    words = {
        "reading": say("reading", "读取"),
        "placing": say("finding its coordinate system", "判定坐标系"),
        "checking": say("checking", "检查"),
        "comparing": say("comparing", "比对"),
        "writing": say("writing", "写入"),
        "judging": say("judging conflicts", "判定冲突"),
    }

    def tell_phase(phase: str, done: int, total: int | None) -> None:
        bar.update(task, description=f"{name}: {words.get(phase, phase)}", completed=done, total=total)  # type: ignore[arg-type]

    return tell_phase


def pairs(texts: list[str]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping; a usage error for anything else."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise typer.BadParameter(say(f"{text} is not NAME=VALUE.", f"{text} 不是 名称=值。"))
        found[name] = value
    return found


def _show_refusal(error: ImportRefused) -> None:
    """Why the whole file was refused; where it is about its CRS, the ranked proposal with its evidence."""
    fail(error)
    proposal = getattr(error, "proposal", None)
    if proposal is None:
        return
    for group in proposal.as_dict()["groups"]:
        rows = [
            (c["crs"], f"{c['score']:.2f}", "; ".join(e[LANGUAGE] for e in c["evidence"]))
            for c in group["candidates"][:5]
        ]
        heading = say(
            f"What fits the {group['rows']} rows of group {group['number']}, best first",
            f"第 {group['number']} 组（{group['rows']} 行）可能的坐标系，最合适的在前",
        )
        columns = ["--crs", say("score#", "得分#"), say("evidence", "依据")]
        grid(heading, columns, rows)


def _show_import(result: ImportResult, *, dry_run: bool) -> None:
    change = result.change
    rev = say("dry run", "预演") if dry_run else say(f"revision {change.rev}", f"修订 {change.rev}")
    if result.repeated:
        rev = say("imported before, nothing to do", "此前已导入，无变化")
    elif not dry_run and change.rev is None:
        rev = say("no change", "无变化")
    counts = f"+{change.added} ~{change.changed} -{change.closed} ={change.unchanged}"
    mended = (
        say(f" ({result.repaired} mended)", f"（其中修复 {result.repaired} 行）") if result.repaired else ""
    )
    tell(
        say(
            f"{result.file}: {result.good} of {result.total} rows taken{mended}, {result.bad} refused",
            f"{result.file}：{result.total} 行中接受 {result.good} 行{mended}，拒绝 {result.bad} 行",
        )
        + f"; {counts}; {rev}"
    )
    _show_how(result)
    _show_findings(result)
    if result.map_file is not None:
        tell(say(f"What would change: {result.map_file}", f"差异地图：{result.map_file}"))
    if dry_run and not change.is_empty:
        tell(say("To import it: the same command without --dry-run", "确认导入：去掉 --dry-run 再执行一次"))
    elif result.bad and result.run_id is not None:
        tell(
            say(
                f"To mend the refused rows: onemap rejects export {result.run_id} FILE",
                f"导出被拒绝的行以便修改：onemap rejects export {result.run_id} 文件",
            )
        )


def _show_how(result: ImportResult) -> None:
    """How the file was read: format, CRS, and where a field's column has another name."""
    header = result.header
    parts = [header.format, header.member or "", header.encoding or ""] if header is not None else []
    if result.used_crs is not None:
        parts.append(f"{result.used_crs} → {result.transformation}")
    mapped = [f"{field}={column}" for field, column in result.mapping.items() if field != column]
    if mapped:
        parts.append(say("columns: ", "列：") + ", ".join(mapped))
    if any(parts):
        tell("  " + "; ".join(part for part in parts if part))


def _show_findings(result: ImportResult) -> None:
    from gis.importing.issues import told

    rows = []
    for count in result.counts:
        zh, en, _, _ = told(count.code, field=count.field or "", value=count.first_value or "")
        sentence = zh if LANGUAGE == "zh" else en
        first = count.first_row + 1 if count.first_row >= 0 else ""
        rows.append((count.rows, count.severity, count.field, sentence, first))
    if rows:
        columns = [say("rows#", "行数#"), say("kind", "程度"), say("field", "字段"), say("what", "问题"),
                   say("first row#", "首行#")]  # fmt: skip
        grid(say("Found in the file", "文件中的问题"), columns, rows)
