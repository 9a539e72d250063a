"""``onemap demo``: everything at once, with the district's own data."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import fail, grid, progress, say, tell, title
from api.cli.serve import Host, Port, address, listen, run
from gis.errors import OneMapError, SettingsError

if TYPE_CHECKING:
    import socket

    from api.cli.opening import Opened
    from gis.manifest import Load

__all__ = ["demo"]

# The report waits this long, so that the first tiles are drawn before it asks for the processor.
_HEAD_START_S = 3.0


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
    from api.cli.opening import opened

    with opened(home, while_needed=True) as onemap:
        listening = listen(host, port)
        loads = waiting(onemap)
        if check:
            prepare(onemap, loads)
            raise typer.Exit(_probed(onemap, listening))
        _serve(onemap, listening, loads)


def _probed(onemap: Opened, listening: socket.socket) -> int:
    from api.app import create_app
    from api.cli.probe import probe

    app = create_app(onemap.settings, onemap.definition, onemap.engine)
    return 0 if probe(app, listening) else 1


def _serve(onemap: Opened, listening: socket.socket, loads: list[Load]) -> None:
    """Serve at once where everything is loaded already and judge meanwhile; else prepare first."""
    from api.app import create_app
    from api.cli.worker import working

    here = address(listening)
    words = say(f"The map is at {here}  (Ctrl-C ends)", f"地图地址：{here}（Ctrl-C 结束）")
    if loads:
        prepare(onemap, loads)
    else:
        threading.Thread(target=_report_beside, args=(onemap,), daemon=True).start()
    app = create_app(onemap.settings, onemap.definition, onemap.engine)
    tell(words)
    with working(onemap):
        run(app, listening)


def _report_beside(onemap: Opened) -> None:
    """Judge and report while the map is served; a failure is told and the map goes on."""
    from api.app import warm_up

    time.sleep(_HEAD_START_S)
    try:
        prepare(onemap, [])
        warm_up()
    except OneMapError as error:
        fail(error)


def prepare(onemap: Opened, loads: list[Load]) -> None:
    """Load, judge, and print the tables of layers and conflicts."""
    from api.cli.conflicts import refresh_if_behind, show_conflicts

    load_data(onemap, loads)
    refresh_if_behind(onemap)
    show_layers(onemap)
    show_conflicts(onemap)


def waiting(onemap: Opened) -> list[Load]:
    """Those files of the district's manifest that the store does not hold yet."""
    from gis.db import connect
    from gis.manifest import pending, read_manifest

    manifest = onemap.definition.district.demo
    if manifest is None:
        raise SettingsError(
            "The district names no demonstration data.",
            "该区域未指定演示数据。",
            remedy_en="Use `onemap serve`.",
            remedy_zh="请使用 `onemap serve`。",
        )
    with connect(onemap.engine) as conn:
        return pending(conn, read_manifest(manifest, onemap.definition))


def load_data(onemap: Opened, loads: list[Load]) -> None:
    """Import ``loads``, with a bar; tell of refused rows."""
    from gis.manifest import load

    if not loads:
        return
    with progress() as bar:
        task = bar.add_task(say("Loading", "载入"), total=len(loads))
        for entry in loads:
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
