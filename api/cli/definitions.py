"""``onemap layers`` and ``onemap rules``: what the map and its judgements are made of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.console import AsJson, emit_json, grid, say, tell, title

__all__ = ["layers", "rules"]

layers = typer.Typer(help=say("Layer definitions.", "图层定义。"), no_args_is_help=True)
rules = typer.Typer(help=say("Rule packs.", "规则包。"), no_args_is_help=True)


@layers.command("list", help=say("All layers.", "列出图层。"))
def list_layers(as_json: AsJson = False) -> None:
    """As defined; needs no database."""
    from gis.settings import load_settings

    defined = load_settings().load_map().layers.values()
    if as_json:
        emit_json([layer.model_dump(mode="json", exclude={"examples"}) for layer in defined])
        return
    columns = ["id", say("layer", "图层"), say("role", "角色"), say("geometry", "几何"), say("key", "主键"),
               say("fields#", "字段#")]  # fmt: skip
    rows = (
        (layer.id, title(layer.title), layer.role, layer.geometry, " ".join(layer.key), len(layer.fields))
        for layer in defined
    )
    grid(say("Layers", "图层"), columns, rows)


@layers.command("check", help=say("Check the definitions.", "检查定义。"))
def check_layers() -> None:
    """Reads district, layers and rule packs; the first thing that is wrong ends it with status 1."""
    from gis.settings import load_settings

    found = load_settings().load_map()
    fields = sum(len(layer.fields) for layer in found.layers.values())
    tell(
        say(
            f"District {found.district.id}: {len(found.layers)} layers with {fields} fields, "
            f"{len(found.packs)} rule packs. All well.",
            f"区域 {found.district.id}：{len(found.layers)} 个图层、{fields} 个字段、"
            f"{len(found.packs)} 个规则包，均无误。",
        )
    )


@layers.command("schema", help=say("The JSON Schema of layer.toml.", "layer.toml 的 JSON Schema。"))
def schema() -> None:
    """For editors."""
    from layers.registry import layer_schema

    emit_json(layer_schema())


@rules.command("list", help=say("All rules that are on.", "列出启用的规则。"))
def list_rules(
    group: Annotated[str | None, typer.Option(help=say("Of this group only.", "仅此组。"))] = None,
    as_json: AsJson = False,
) -> None:
    """By pack and group."""
    from gis.settings import load_settings

    packs = load_settings().load_map().packs.values()
    chosen = [rule for pack in packs for rule in pack.rules if group in (None, rule.group)]
    if as_json:
        emit_json([rule.model_dump(mode="json", by_alias=True) for rule in chosen])
        return
    columns = [
        say("rule", "规则"),
        say("matter", "事项"),
        say("severity", "严重程度"),
        say("subjects", "对象"),
        say("zones", "区域"),
        say("legal", "依据"),
    ]
    rows = (
        (r.id, title(r.title), r.severity, " ".join(r.subjects), r.zone_layer or "—", " ".join(r.legal))
        for r in chosen
    )
    grid(say("Rules", "规则"), columns, rows)


@rules.command("check", help=say("Run the fixtures of all rule packs.", "运行规则包的样例。"))
def check_rules(as_json: AsJson = False) -> None:
    """Every fixture must get the verdict that it states; status 1 when one does not."""
    from gis.screening.fixtures import outcome_of
    from gis.settings import load_settings

    wrong: list[dict[str, Any]] = []
    total = 0
    for pack in load_settings().load_map().packs.values():
        for fixture in pack.fixtures:
            total += 1
            found = outcome_of(pack, fixture)
            if found != fixture.expect:
                wrong.append(
                    {"rule": fixture.rule, "note": fixture.note, "expected": fixture.expect.model_dump(),
                     "found": found.model_dump()}
                )  # fmt: skip
    if as_json:
        emit_json({"fixtures": total, "wrong": wrong})
    else:
        for entry in wrong:
            tell(f"✗ {entry['rule']} {entry['note']}: {entry['found']} ≠ {entry['expected']}")
        tell(say(f"{total} fixtures, {len(wrong)} wrong", f"{total} 个样例，{len(wrong)} 个不符"))
    if wrong:
        raise typer.Exit(1)
