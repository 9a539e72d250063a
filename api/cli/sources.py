"""``onemap sources`` and ``onemap health``: who the data come from, and whether they keep their promises."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from api.cli.console import LANGUAGE, AsJson, emit_json, grid, say, tell, title

__all__ = ["app", "health"]

app = typer.Typer(help=say("Where data come from.", "数据来源登记。"), no_args_is_help=True)

Name = Annotated[str, typer.Argument(help=say("Name of the source.", "来源名称。"))]


@app.command("list", help=say("All sources.", "列出来源。"))
def list_command(as_json: AsJson = False) -> None:
    """With what each holds and promises."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.sources import list_sources

    with opened() as onemap, connect(onemap.engine) as conn:
        found = list_sources(conn, onemap.definition)
    if as_json:
        emit_json([asdict(source) for source in found])
        return
    columns = [say("name", "名称"), say("title", "标题"), say("bureau", "单位"), say("rhythm", "更新频率"),
               say("accuracy m#", "精度（米）#"), say("layers (rows)", "图层（行数）")]  # fmt: skip
    rows = (
        (s.name, s.title_zh if LANGUAGE == "zh" else s.title_en, s.bureau, _rhythm(s.rhythm), s.accuracy_m,
         ", ".join(f"{held.layer} ({held.rows})" for held in s.layers))
        for s in found
    )  # fmt: skip
    grid(say("Sources", "数据来源"), columns, rows)


@app.command("show", help=say("One source.", "查看一个来源。"))
def show(name: Name, as_json: AsJson = False) -> None:
    """Everything the register knows of it."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.sources import show_source

    with opened() as onemap, connect(onemap.engine) as conn:
        found = asdict(show_source(conn, onemap.definition, name))
    if as_json:
        emit_json(found)
        return
    layers = found.pop("layers")
    found["rhythm"] = _rhythm(found["rhythm"])
    grid(name, ["", ""], ((key, value) for key, value in found.items() if value is not None))
    columns = [say("layer", "图层"), say("rows#", "行数#"), say("expected#", "应有#"),
               say("rhythm", "更新频率"), say("confirmed", "最近确认"), say("coverage", "范围")]  # fmt: skip
    rows = (
        (h["layer"], h["rows"], h["expected_rows"], _rhythm(h["rhythm"]), _minute(h["confirmed_at"]),
         say("stated", "已说明") if h["has_coverage"] else None)
        for h in layers
    )  # fmt: skip
    grid(say("Layers", "图层"), columns, rows)


@app.command("set", help=say("State facts of a source.", "登记来源信息。"))
def set_command(
    name: Name,
    title_zh: Annotated[str | None, typer.Option(help=say("Chinese title.", "中文标题。"))] = None,
    title_en: Annotated[str | None, typer.Option(help=say("English title.", "英文标题。"))] = None,
    bureau: Annotated[str | None, typer.Option(help=say("Who keeps the data.", "主管单位。"))] = None,
    contact: Annotated[str | None, typer.Option(help=say("Who answers for them.", "联系人。"))] = None,
    licence: Annotated[str | None, typer.Option(help=say("Terms of use.", "使用许可。"))] = None,
    attribution: Annotated[str | None, typer.Option(help=say("Words to show.", "署名文字。"))] = None,
    url: Annotated[str | None, typer.Option(help=say("Where they are from.", "出处地址。"))] = None,
    rhythm: Annotated[
        str | None, typer.Option(help=say("monthly, P1M, irregular ...", "每月、P1M、不定期等。"))
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option(min=0, help=say("Bound of the position error, m.", "位置误差上限（米）。"))
    ] = None,
    notes: Annotated[str | None, typer.Option(help=say("Anything else.", "备注。"))] = None,
    identifier: Annotated[
        str | None,
        typer.Option(help=say("What others call them: doi:10.1234/abc.", "外部标识：doi:10.1234/abc。")),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help=say("State rhythm and rows of this layer.", "仅针对此图层。"))
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=0, help=say("Rows to expect of the layer.", "该图层应有行数。"))
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help=say("Make it when new.", "不存在则新建。"))
    ] = False,
) -> None:
    """What is not named stays; an empty text takes a fact back."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.features import find_layer
    from gis.sources import promise, set_source

    given = {
        "title_zh": title_zh, "title_en": title_en, "bureau": bureau, "contact": contact, "licence": licence,
        "attribution": attribution, "url": url, "accuracy_m": accuracy, "notes": notes,
        "identifier": identifier,
        "rhythm": None if layer else rhythm,
    }  # fmt: skip
    if rows is not None and layer is None:
        raise typer.BadParameter(say("--rows needs --layer.", "--rows 需要同时给出 --layer。"))
    stated = {key: v for key, v in given.items() if v is not None}
    with opened() as onemap:
        with connect(onemap.engine, write=True) as conn:
            set_source(conn, name, stated, create=create)
            if layer is not None:
                promise(conn, name, find_layer(onemap.definition, layer), expected_rows=rows, rhythm=rhythm)
        onemap.note("source.set", name, layer=layer, stated=", ".join(stated))
    tell(say(f"{name}: stated.", f"{name}：已登记。"))


def health(
    layer: Annotated[str | None, typer.Option(help=say("Of this layer only.", "仅此图层。"))] = None,
    as_json: AsJson = False,
) -> None:
    """How well each layer stands: age, rows, refused rows, coverage, accuracy, harvests."""
    from api.cli.opening import opened
    from api.shapes import health_card
    from gis.db import connect
    from gis.features import find_layer
    from gis.health import cards

    with opened() as onemap, connect(onemap.engine) as conn:
        if layer is not None:
            find_layer(onemap.definition, layer)
        found = cards(conn, onemap.definition, only=layer)
    if as_json:
        emit_json([health_card(card) for card in found])
        return
    states = {"green": say("green", "正常"), "amber": say("amber", "注意"), "red": say("red", "告警"),
              "grey": say("grey", "未知")}  # fmt: skip
    columns = ["id", say("layer", "图层"), say("state", "状态"), say("rows#", "行数#"),
               say("confirmed", "最近确认"), say("why", "原因")]  # fmt: skip
    rows = (
        (card.layer, title(card.title), states[card.state], card.rows, _minute(card.confirmed_at),
         "; ".join(r.zh if LANGUAGE == "zh" else r.en for r in card.reasons))
        for card in found
    )  # fmt: skip
    grid(say("Health of the layers", "图层健康状况"), columns, rows)


def _rhythm(rhythm: str | None) -> str | None:
    from gis.rhythms import rhythm_words

    return None if rhythm is None else title(rhythm_words(rhythm))


def _minute(at: Any) -> str | None:
    return None if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")
