"""``onemap db``: the database behind the map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import AsJson, emit_json, grid, say, stage, tell

if TYPE_CHECKING:
    from gis.settings import Settings

__all__ = ["app"]

app = typer.Typer(help=say("The database behind the map.", "地图的数据库。"), no_args_is_help=True)

Backup = Annotated[Path, typer.Argument(help=say("The backup file.", "备份文件。"), dir_okay=False)]


@app.command("start", help=say("Start the private database.", "启动私有数据库。"))
def start() -> None:
    """Nothing happens when it runs already, or when ONEMAP_DATABASE_URL names another."""
    from gis.db import database_url
    from gis.settings import load_settings

    with stage("Starting …", "正在启动……"):
        url = database_url(load_settings())
    tell(_without_password(url))


@app.command("stop", help=say("Stop the private database.", "停止私有数据库。"))
def stop() -> None:
    """Connections are ended; nothing is lost."""
    from gis.cluster import Cluster
    from gis.settings import load_settings

    stopped = Cluster(load_settings().home).stop()
    tell(say("Stopped.", "已停止。") if stopped else say("It was not running.", "未在运行。"))


@app.command("status", help=say("What the database is doing.", "数据库状态。"))
def status(as_json: AsJson = False) -> None:
    """Starts nothing."""
    from gis.cluster import Cluster
    from gis.settings import load_settings

    settings = load_settings()
    if settings.database_url is not None:
        facts = {"private": False, "url": _without_password(settings.database_url)}
    else:
        found = Cluster(settings.home).status()
        facts = {"private": True, **{name: getattr(found, name) for name in found.__dataclass_fields__}}
    if as_json:
        emit_json(facts)
        return
    grid(say("Database", "数据库"), ["", ""], ((name, value) for name, value in facts.items()))


@app.command("sync", help=say("Bring the tables up to the definitions.", "按定义更新数据表。"))
def sync_command(as_json: AsJson = False) -> None:
    """Adds what is new; refuses what would lose data."""
    from gis.db import make_engine
    from gis.following import catch_up
    from gis.intake import draw_again, judge_again
    from gis.settings import load_settings
    from gis.sync import sync

    settings = load_settings()
    definition = settings.load_map()
    with stage("Comparing …", "正在比对……"):
        engine = make_engine(settings)
        try:
            applied = sync(engine, definition).applied
            catch_up(engine, definition)
            judge_again(engine, definition)
            draw_again(engine, definition)
        finally:
            engine.dispose()
    if as_json:
        emit_json({"applied": applied})
        return
    for line in applied or [say("Everything is current.", "已是最新。")]:
        tell(line)


@app.command("backup", help=say("Write the store to a file.", "备份到文件。"))
def backup_command(file: Backup) -> None:
    """All revisions, sources and refused rows."""
    from gis.backup import backup
    from gis.db import database_url
    from gis.settings import load_settings

    settings = load_settings()
    with stage("Writing …", "正在备份……"):
        size = backup(database_url(settings), file)
        _note_backup(settings, file, size)
    tell(say(f"{file}: {size:,} bytes", f"{file}：{size:,} 字节"))


@app.command("restore", help=say("Replace the store by a backup.", "从备份恢复。"))
def restore_command(
    file: Backup,
    yes: Annotated[bool, typer.Option("--yes", help=say("Do not ask.", "不再询问。"))] = False,
) -> None:
    """What the store holds now is gone afterwards, its audit log too; what is restored is brought in step."""
    from api.cli.opening import opened
    from gis.backup import restore
    from gis.db import database_url
    from gis.settings import load_settings

    url = database_url(load_settings())
    question = say("Replace everything in the store?", "确定替换库中全部内容？")
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)
    with stage("Restoring …", "正在恢复……"):
        restore(url, file)
    tell(say("Restored.", "已恢复。"))
    with opened() as onemap:
        onemap.note("store.restore", file.name)


def _note_backup(settings: Settings, file: Path, size: int) -> None:
    """Write it down, unless the store is so old that it has no audit log: backing up changes no tables."""
    from sqlalchemy import inspect

    from gis.accounts.audit import Event, Origin, record_now
    from gis.accounts.caller import operator
    from gis.db import make_engine

    engine = make_engine(settings)
    try:
        if inspect(engine).has_table("audit", schema="core"):
            record_now(engine, Origin(operator()), Event("store.backup", file.name, detail={"bytes": size}))
    finally:
        engine.dispose()


def _without_password(url: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)
