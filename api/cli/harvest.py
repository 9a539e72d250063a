"""``onemap harvest``: other platforms as sources, asked again by the clock."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import AsJson, emit_json, fail, grid, progress, say, tell
from gis.errors import OneMapError

if TYPE_CHECKING:
    from api.cli.opening import Opened
    from gis.harvest import HarvestResult

__all__ = ["app"]

app = typer.Typer(
    help=say("Sources that are asked by the clock.", "定时获取其他平台的数据。"), no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help=say("Name of the harvest.", "获取任务名称。"))]


class Kind(Enum):
    """What the other platform speaks."""

    oapif = "oapif"
    wfs = "wfs"
    arcgis = "arcgis"
    postgis = "postgis"
    http = "http"


@app.command("add", help=say("Set up a harvest.", "登记获取任务。"))
def add(
    name: Name,
    layer: Annotated[str, typer.Option(help=say("The layer to fill.", "目标图层。"))],
    kind: Annotated[Kind, typer.Option(help=say("What the platform speaks.", "平台接口类型。"))],
    url: Annotated[
        str,
        typer.Option(
            help=say(
                "Its address, without secrets. Only its host will be asked; it may be in a private network.",
                "接口地址，不含口令。只会访问该主机，可以是内网地址。",
            )
        ),
    ],
    every: Annotated[
        str | None,
        typer.Option(help=say("PT6H, daily, ...; else only when asked.", "PT6H、每日等；缺省为手动。")),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option("--name", help=say("Feature type or schema.table.", "要素类型或 模式.表名。")),
    ] = None,
    crs: Annotated[
        str,
        typer.Option(
            help=say("What its coordinates are; else what it says.", "坐标系，缺省以来源声明为准。")
        ),
    ] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help=say("Column of a field.", "字段对应的列。")),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help=say("Name in the register; else the harvest's.", "来源名称，缺省同任务名。")),
    ] = None,
    where: Annotated[
        str | None, typer.Option(help=say("Only these rows (SQL; arcgis, postgis).", "行筛选条件（SQL）。"))
    ] = None,
    updated: Annotated[
        str | None, typer.Option(help=say("Column with the time of the last change.", "最后修改时间列。"))
    ] = None,
    whole_every: Annotated[
        str, typer.Option(help=say("How often to look for deletions too.", "全量获取的频率。"))
    ] = "P1W",
    page: Annotated[int | None, typer.Option(min=1, help=say("Rows a request.", "每次请求行数。"))] = None,
    credentials: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE",
            help=say(
                "Environment variable with user:password or token.", "存放用户名:口令或令牌的环境变量名。"
            ),
        ),
    ] = None,
) -> None:
    """It is due at once when it has a rhythm; a worker (`onemap serve`, `onemap worker`) runs it."""
    from api.cli.files import pairs
    from api.cli.opening import opened
    from gis.db import connect
    from gis.harvest import Wishes, add_harvest

    wishes = Wishes(
        crs=crs, mapping=pairs(mapping or []), name=member, where=where, updated=updated,
        whole_every=whole_every, page=page, credentials=credentials,
    )  # fmt: skip
    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            add_harvest(
                conn, onemap.definition, name, layer=layer, kind=kind.value, url=url, every=every,
                wishes=wishes, source=source,
            )  # fmt: skip
        onemap.note("harvest.add", name, layer=layer)
    tell(
        say(
            f"{name}: set up. Try it: onemap harvest run {name}",
            f"{name}：已登记。试运行：onemap harvest run {name}",
        )
    )


@app.command("run", help=say("Ask sources now.", "立即获取。"))
def run(
    name: Annotated[str | None, typer.Argument(help=say("Name of the harvest.", "任务名称。"))] = None,
    due: Annotated[
        bool, typer.Option("--due", help=say("All whose time has come.", "所有到期任务。"))
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help=say("Take everything, not only what is new.", "全量获取。"))
    ] = False,
    accept_columns: Annotated[
        bool, typer.Option("--accept-columns", help=say("Go on without lost columns.", "接受缺失的列。"))
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help=say("Close many rows without refusal.", "允许关闭大量行。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One after the other; the exit status is 1 when one of them failed."""
    from api.cli.opening import opened

    if (name is None) == (not due):
        raise typer.BadParameter(say("Give a name, or --due.", "请给出名称或 --due。"))
    results, failed = [], False
    with opened() as onemap:
        for each in _chosen(onemap, name):
            try:
                results.append(_run_one(onemap, each, whole, accept_columns, yes))
            except OneMapError as error:
                failed = True
                fail(error)
    if as_json:
        emit_json([{"name": r.name, "layer": r.layer, "changed": r.changed, "whole": r.whole,
                    "fetched": r.fetched, "revision": r.rev} for r in results])  # fmt: skip
    else:
        for result in results:
            tell(_words(result))
    if failed:
        raise typer.Exit(1)


def _chosen(onemap: Opened, name: str | None) -> list[str]:
    from gis.db import connect
    from gis.harvest import due

    if name is not None:
        return [name]
    with connect(onemap.engine) as conn:
        return due(conn)


def _run_one(onemap: Opened, name: str, whole: bool, accept_columns: bool, yes: bool) -> HarvestResult:
    from gis.harvest import NetLimits, run_harvest

    with progress() as bar:
        task = bar.add_task(name, total=None)
        done = run_harvest(
            onemap.engine, onemap.definition, name, whole=whole, accept_columns=accept_columns,
            allow_large_close=yes, who=getpass.getuser(),
            limits=NetLimits(total_mb=onemap.settings.harvest_max_mb),
            progress=lambda phase, done, total: bar.update(
                task, description=f"{name} {phase}", completed=done, total=total
            ),
        )  # fmt: skip
    onemap.note("harvest", name, changed=done.changed)
    return done


def _words(result: HarvestResult) -> str:
    if result.fetched is None and result.result is None:
        return say(f"{result.name}: the source has not changed", f"{result.name}：来源无变化")
    if result.result is None or not result.changed:
        return say(f"{result.name}: nothing new", f"{result.name}：无新内容")
    change = result.result.change
    counts = f"+{change.added} ~{change.changed} -{change.closed} ={change.unchanged}"
    refused = result.result.bad
    return say(
        f"{result.name}: {counts}; {refused} rows refused; revision {result.rev}",
        f"{result.name}：{counts}；拒绝 {refused} 行；修订 {result.rev}",
    )


@app.command("list", help=say("All harvests.", "列出获取任务。"))
def list_command(as_json: AsJson = False) -> None:
    """Credentials are named by their variable, never shown."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.harvest import list_harvests

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_harvests(conn)
    if as_json:
        emit_json([{k: v for k, v in asdict(h).items() if k != "mark"} for h in found])
        return
    columns = [say("name", "名称"), say("layer", "图层"), say("kind", "类型"), say("address", "地址"),
               say("every", "频率"), say("next", "下次"), say("failures#", "连续失败#")]  # fmt: skip
    rows = (
        (h.name, h.layer, h.kind, h.url, h.every,
         h.next_at.astimezone().strftime("%Y-%m-%d %H:%M") if h.next_at else None, h.failures or None)
        for h in found
    )  # fmt: skip
    grid(say("Harvests", "获取任务"), columns, rows)


@app.command("remove", help=say("Forget a harvest; its rows stay.", "删除任务，已有数据保留。"))
def remove(name: Name) -> None:
    """The rows it brought stay in the layer."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.harvest import remove_harvest

    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            remove_harvest(conn, name)
        onemap.note("harvest.remove", name)
    tell(say(f"{name}: removed.", f"{name}：已删除。"))
