"""``onemap demo``: everything at once, with the district's own data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import grid, progress, say, tell, title
from api.cli.serve import Host, Port, address, listen, run
from gis.errors import SettingsError

if TYPE_CHECKING:
    from api.cli.opening import Opened

__all__ = ["demo"]


def demo(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    home: Annotated[
        Path | None,
        typer.Option(help=say("Folder of the private database.", "私有数据库目录。"), file_okay=False),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help=say("Probe every page and endpoint, then stop.", "检查所有页面和接口后退出。")
        ),
    ] = False,
) -> None:
    """Start the database, load the district's data, judge, and serve the map."""
    from api.app import create_app
    from api.cli.conflicts import refresh_if_behind, show_conflicts
    from api.cli.opening import opened
    from api.cli.probe import probe

    with opened(home) as onemap:
        listening = listen(host, port)
        load_data(onemap)
        refresh_if_behind(onemap)
        show_layers(onemap)
        show_conflicts(onemap)
        app = create_app(onemap.settings, onemap.definition, onemap.engine)
        if check:
            raise typer.Exit(0 if probe(app, listening) else 1)
        tell(
            say(
                f"The map is at {address(listening)}  (Ctrl-C ends)",
                f"地图地址：{address(listening)}（Ctrl-C 结束）",
            )
        )
        run(app, listening)


def load_data(onemap: Opened) -> None:
    """Import those files of the district's manifest that the store does not hold yet."""
    from gis.db import connect
    from gis.manifest import load, pending, read_manifest

    manifest = onemap.definition.district.demo
    if manifest is None:
        raise SettingsError(
            "The district names no demonstration data.",
            "该区域未指定演示数据。",
            remedy_en="Use `onemap serve`.",
            remedy_zh="请使用 `onemap serve`。",
        )
    loads = read_manifest(manifest, onemap.definition)
    with connect(onemap.engine) as conn:
        waiting = pending(conn, loads)
    with progress() as bar:
        task = bar.add_task(say("Loading", "载入"), total=len(waiting))
        for entry in waiting:
            shown = title(onemap.definition.layers[entry.layer].title)
            bar.update(task, description=f"{say('Loading', '载入')} {shown}")
            result = load(onemap.engine, onemap.definition, entry)
            bar.advance(task)
            if result.bad:
                bar.console.print(
                    say(
                        f"{result.file}: {result.bad} of {result.total} rows refused (onemap rejects list)",
                        f"{result.file}：{result.total} 行中有 {result.bad} 行被拒绝（onemap rejects list）",
                    )
                )


def show_layers(onemap: Opened) -> None:
    """Print a table of all layers: rows, newest revision, and which hold demonstration data."""
    from gis.db import connect
    from gis.features import layer_facts
    from gis.revisions import head

    with connect(onemap.engine) as conn:
        facts = layer_facts(conn, onemap.definition, head(conn))
    rows = [
        (layer.id, title(layer.title), facts[layer.id].count, facts[layer.id].last_revision or None,
         say("demonstration", "演示") if facts[layer.id].is_demonstration else None)
        for layer in onemap.definition.layers.values()
    ]  # fmt: skip
    grid(
        say("Layers", "图层"),
        ["id", say("layer", "图层"), say("rows#", "行数#"), say("revision#", "修订#"), say("data", "数据")],
        rows,
    )
