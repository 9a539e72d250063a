"""``onemap webhooks``: who is told of changes."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from api.cli.console import AsJson, emit_json, grid, say, tell
from api.shapes import dead_letter, subscription_entry

__all__ = ["app"]

app = typer.Typer(help=say("Receivers that are told of changes.", "变更通知的订阅。"), no_args_is_help=True)

Name = Annotated[str, typer.Argument(help=say("Name of the subscription.", "订阅名称。"))]


@app.command("add", help=say("Subscribe a receiver; its secret is shown once.", "登记订阅；密钥只显示一次。"))
def add(
    name: Name,
    url: Annotated[str, typer.Argument(help=say("https://host/path", "https://主机/路径"))],
    layer: Annotated[
        list[str] | None, typer.Option(help=say("Only this layer (may be repeated).", "仅此图层（可重复）。"))
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(
            min=0, help=say("Begin after this revision; else with what comes.", "从此修订之后开始。")
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Subscribe it."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.webhooks import Sender, add_subscription

    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            made, secret = add_subscription(
                conn, onemap.definition, Sender(onemap.settings.webhook_hosts), name, url,
                layers=layer or None, since=since, who=getpass.getuser(),
            )  # fmt: skip
        onemap.note("webhook.add", name)
    if as_json:
        emit_json(subscription_entry(made) | {"secret": secret})
        return
    tell(say(f"{name} is told of changes. Its secret, shown this once:", f"已订阅 {name}。密钥仅显示一次："))
    tell(secret)


@app.command("list", help=say("All subscriptions.", "列出订阅。"))
def list_command(as_json: AsJson = False) -> None:
    """With how far each has been told."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.webhooks import list_subscriptions

    with opened() as onemap, connect(onemap.engine) as conn:
        found = [subscription_entry(each) for each in list_subscriptions(conn)]
    if as_json:
        emit_json(found)
        return
    columns = [say("name", "名称"), say("receiver", "接收方"), say("layers", "图层"), say("state", "状态"),
               say("told up to#", "已通知至#"), say("last attempt", "最近一次")]  # fmt: skip
    rows = (
        (each["name"], each["url"], ", ".join(each["layers"] or ()) or say("all", "全部"), each["status"],
         each["told"], each["lastWords"])
        for each in found
    )  # fmt: skip
    grid(say("Subscriptions", "变更订阅"), columns, rows)


@app.command("remove", help=say("End a subscription.", "取消订阅。"))
def remove(name: Name) -> None:
    """Nothing more is sent."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.webhooks import remove_subscription

    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            remove_subscription(conn, name)
        onemap.note("webhook.remove", name)
    tell(say(f"{name} is told no more.", f"已取消订阅 {name}。"))


@app.command("replay", help=say("Tell everything after a revision again.", "重发某修订之后的全部通知。"))
def replay_command(
    name: Name,
    since: Annotated[
        int, typer.Option(min=0, help=say("The last revision to leave out.", "起始修订（不含）。"))
    ],
) -> None:
    """At once, what was given up too."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.webhooks import replay

    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            replay(conn, name, since)
        onemap.note("webhook.replay", name, since=since)
    tell(
        say(
            f"{name} is told everything after revision {since} again.",
            f"将向 {name} 重发修订 {since} 之后的通知。",
        )
    )


@app.command("dead", help=say("What was given up.", "列出放弃投递的通知。"))
def dead(name: Name, as_json: AsJson = False) -> None:
    """Events that the receiver did not take in all attempts."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.webhooks import dead_letters

    with opened() as onemap, connect(onemap.engine) as conn:
        found = [dead_letter(letter) for letter in dead_letters(conn, name)]
    if as_json:
        emit_json(found)
        return
    columns = [say("revision#", "修订#"), say("layer", "图层"), say("attempts#", "次数#"),
               say("reason", "原因"), say("given up", "放弃时间")]  # fmt: skip
    rows = ((each["rev"], each["layer"], each["attempts"], each["reason"], f"{each['at']:%Y-%m-%d %H:%M}")
            for each in found)  # fmt: skip
    grid(say("Given up", "放弃投递"), columns, rows)
