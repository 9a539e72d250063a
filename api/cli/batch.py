"""``onemap screen-batch``: a file of sites, one answer a row."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.console import AsJson, AsOf, LawDate, day, emit_json, grid, progress, say, tell

__all__ = ["screen_batch"]


def screen_batch(
    file: Annotated[Path, typer.Argument(help=say("The sites, one a row.", "地块文件，一行一块。"))],
    out: Annotated[
        Path,
        typer.Option("-o", help=say("Results: .csv, .gpkg or .parquet.", "结果：.csv、.gpkg 或 .parquet。")),
    ],
    kind: Annotated[
        str, typer.Option(help=say("new, expand, existing ...", "new、expand、existing 等。"))
    ] = "new",
    accuracy: Annotated[
        float | None,
        typer.Option(min=0, help=say("Bound of the position errors in metres.", "位置误差上限（米）。")),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="ATTRIBUTE=COLUMN", help=say("Column of an attribute.", "属性对应的列。")
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help=say("Column that names the sites.", "地块名称列。"))
    ] = None,
    law_date: LawDate = None,
    as_of: AsOf = None,
    crs: Annotated[
        str | None,
        typer.Option(help=say("CRS of the sites, x,y; else the file's, else lon/lat.", "地块坐标系。")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Screen every row of a file; broken off, the same command goes on where it stopped."""
    from api.cli.files import pairs
    from api.cli.opening import opened
    from gis.screening.batch import BatchOrder, write_as
    from gis.screening.batch import screen_batch as judge_all

    order = BatchOrder(
        file, kind=kind, crs=crs, columns=pairs(mapping or []), label=label, accuracy_m=accuracy,
        law_date=day(law_date), as_of=as_of,
    )  # fmt: skip
    with opened() as onemap, progress() as bar:
        folder = onemap.settings.home / "batches" / _name(order)
        task = bar.add_task(say("Screening", "审查"), total=None)
        found = judge_all(
            onemap.engine, onemap.definition, order, folder, threads=onemap.settings.threads,
            progress=lambda _phase, done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
        if found.summary["sites"]:
            write_as(found.table, out)
        shutil.rmtree(folder)
    if as_json:
        emit_json(found.summary)
    else:
        _show(found.summary, out)


def _name(order: Any) -> str:
    """The same for the same question about the same file, so that it can go on."""
    stat = order.file.stat() if order.file.exists() else None
    parts = (order, stat and (stat.st_size, stat.st_mtime_ns), order.file.resolve())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _show(summary: dict[str, Any], out: Path) -> None:
    count, law, rev = f"{summary['sites']:,}", summary["law_date"], summary["revision"]
    tell(
        say(
            f"{count} sites, law of {law}, data revision {rev}: {out}",
            f"{count} 个地块，适用 {law} 的法律，数据修订 {rev}：{out}",
        )
    )
    rows = [(verdict, count) for verdict, count in summary["by_verdict"].items()]
    grid(say("Sites", "地块"), (say("verdict", "结论"), say("sites#", "地块数#")), rows)
    rules = [(each["rule"], each["verdict"], each["count"]) for each in summary["by_rule"]]
    grid(say("Rules", "规则"), (say("rule", "规则"), say("verdict", "结论"), say("sites#", "地块数#")), rules)
