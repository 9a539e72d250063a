"""``onemap rules preview``, and what `import --dry-run` shows of conflicts: whose verdict would change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import AsJson, emit_json, grid, say, tell

if TYPE_CHECKING:
    from gis.screening.blast import Blast
    from gis.settings import MapDefinition

__all__ = ["preview", "show_blast"]

_SHOWN = 30


def preview(
    pack: Annotated[Path, typer.Argument(help=say("Folder of the pack.", "规则包文件夹。"), file_okay=False)],
    map_file: Annotated[
        Path | None,
        typer.Option(help=say("Map, .html or .geojson.", "受影响对象地图。"), dir_okay=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge with the pack in the place of the one with its id, or beside the others; nothing is written."""
    from api.cli.opening import opened
    from gis.db import connect
    from gis.screening.blast import draw, features, preview_rules

    with opened() as onemap:
        changed = with_pack(onemap.definition, pack, onemap.settings.layers)
        blast = preview_rules(onemap.engine, onemap.definition, changed, threads=onemap.settings.threads)
        if map_file is not None:
            with connect(onemap.engine) as conn:
                draw(onemap.definition, features(conn, onemap.definition, blast), map_file)
    if as_json:
        emit_json(blast.as_json())
    else:
        show_blast(blast, pack.name, map_file)


def with_pack(definition: MapDefinition, folder: Path, outside: tuple[Path, ...]) -> MapDefinition:
    """The definition with the pack of a folder, which need not lie where packs are looked for."""
    from gis.errors import SettingsError
    from layers.model import DefinitionError
    from layers.rulepacks import load_pack

    try:
        found = load_pack(folder, definition.layers, outside)
    except DefinitionError as error:
        raise SettingsError(
            f"{error.path}: {error.what}", remedy_en=error.remedy, remedy_zh=error.remedy
        ) from error
    return replace(definition, packs={**definition.packs, found.id: found})


def show_blast(blast: Blast, name: str, map_file: Path | None) -> None:
    """A table by rule, the first of the subjects, and where the map is."""
    count = len(blast.affected)
    tell(
        say(
            f"{name}: the conflicts on record would change for {count} subjects ({blast.judged} looked at)",
            f"{name}：{count} 个对象的冲突记录将变化（已检查 {blast.judged} 个）",
        )
    )
    if blast.lagging:
        tell(
            say(
                "The conflicts were not up to date; what they lacked is included. First: "
                "onemap conflicts refresh",
                "冲突记录尚未更新，差异包含此前未判定的变化。请先执行：onemap conflicts refresh",
            )
        )
    if blast.by_rule:
        columns = [say("rule", "规则"), say("verdict", "结论"), say("severity", "严重程度"),
                   say("before#", "此前#"), say("after#", "此后#")]  # fmt: skip
        grid(say("Findings on them", "相关判断"), columns, blast.by_rule)
    rows = [
        (each.layer, each.uid, each.name, " ".join(each.before or ("—",)), " ".join(each.after or ("—",)))
        for each in blast.affected[:_SHOWN]
    ]
    if rows:
        columns = [
            say("layer", "图层"),
            "UID",
            say("name", "名称"),
            say("before", "此前"),
            say("after", "此后"),
        ]
        heading = say(f"The first {len(rows)} of {count}", f"{count} 个中的前 {len(rows)} 个")
        grid(heading, columns, rows)
    if blast.reports:
        tell(
            say(
                f"{len(blast.reports)} reports rest on these layers: ",
                f"{len(blast.reports)} 份报告依据这些图层：",
            )
            + ", ".join(report[:12] for report in blast.reports[:10])
        )
    if map_file is not None:
        tell(say(f"Whom it changes: {map_file}", f"受影响对象地图：{map_file}"))
