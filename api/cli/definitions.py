"""``onemap layers``: what the map is made of."""

from __future__ import annotations

import typer

from api.cli.console import AsJson, emit_json, grid, say, tell, title

__all__ = ["layers"]

layers = typer.Typer(help=say("Layer definitions.", "图层定义。"), no_args_is_help=True)


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
