"""``onemap export``: a layer into a file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import AsJson, AsOf, emit_json, progress, say, tell
from api.cli.files import pairs

if TYPE_CHECKING:
    from gis.export import ExportResult

__all__ = ["export"]

_ENDINGS = ".geojson .gpkg .fgb .parquet .shp .zip .csv .xlsx .kml .kmz .html .pmtiles"


class Encoding(Enum):
    """How the texts of a Shapefile are written."""

    utf8 = "utf-8"
    gbk = "gbk"
    gb18030 = "gb18030"


def export(
    layer: Annotated[str, typer.Argument(help=say("The layer.", "图层。"))],
    file: Annotated[
        Path,
        typer.Argument(
            help=say(
                f"{_ENDINGS}; .zip is a Shapefile, .html a map, .pmtiles vector tiles.",
                f"{_ENDINGS}；.zip 为 Shapefile，.html 为地图，.pmtiles 为矢量瓦片。",
            ),
            dir_okay=False,
        ),
    ],
    as_of: AsOf = None,
    crs: Annotated[str | None, typer.Option(help=say("CRS of the file.", "文件的坐标系。"))] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE",
            help=say("Only these rows; source=NAME too.", "只导出这些行，也可用 source=名称。"),
        ),
    ] = None,
    bbox: Annotated[
        str | None, typer.Option(help=say("Only in west,south,east,north.", "范围：西,南,东,北。"))
    ] = None,
    decimals: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=say(
                "Decimals of coordinates in text (GeoJSON: 7); 15 and more: every bit.",
                "文本坐标的小数位（GeoJSON 缺省 7），15 以上不作舍入。",
            ),
        ),
    ] = None,
    encoding: Annotated[
        Encoding, typer.Option(help=say("Texts of a Shapefile.", "Shapefile 的文字编码。"))
    ] = Encoding.utf8,
    as_json: AsJson = False,
) -> None:
    """Write a layer to a file; the ending says the format. docs/formats.md says what each can hold."""
    from api.cli.opening import opened
    from gis.export import WriteOptions, export_layer
    from gis.features import find_layer
    from gis.filters import parse_bbox

    filters = defaultdict(list)
    for text in where or []:
        ((name, value),) = pairs([text]).items()
        filters[name].append(value)
    with opened() as onemap, progress() as bar:
        task = bar.add_task(say("Writing", "写出"), total=None)
        result = export_layer(
            onemap.engine, onemap.definition, find_layer(onemap.definition, layer), file,
            as_of=as_of, crs=crs, filters=filters, bbox=parse_bbox(bbox) if bbox else None,
            options=WriteOptions(decimals, encoding.value),
            progress=lambda z, done, total: bar.update(
                task, description=f"{say('Zoom', '级别')} {z}", completed=done, total=total
            ),
        )  # fmt: skip
        onemap.note("export", layer, file=file.name, rows=result.rows, rev=result.rev)
    if as_json:
        emit_json(asdict(result))
    else:
        _tell(result)


def _tell(result: ExportResult) -> None:
    tell(
        say(
            f"{result.path}: {result.rows} rows of {result.layer} at revision {result.rev}",
            f"{result.path}：{result.layer} 修订 {result.rev} 的 {result.rows} 行",
        )
        + f", EPSG:{result.crs}"
    )
    others = ", ".join(part.name for part in result.files if part != result.path)
    if others:
        tell(say(f"With it: {others}", f"同时生成：{others}"))
    if result.beside:
        tell(
            say(
                f"{result.beside} values do not fit the format and stand whole in the table beside it.",
                f"{result.beside} 个值超出该格式的限制，已完整写入旁边的 .beside.csv 表。",
            )
        )
