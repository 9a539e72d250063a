"""``onemap upstream``: who may have discharged what is found here?"""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from api.cli.console import LANGUAGE, AsJson, AsOf, emit_json, grid, say, tell

__all__ = ["upstream"]


def upstream(
    place: Annotated[str, typer.Argument(metavar="LON,LAT", help=say("A point on a river.", "河流上的点。"))],
    within: Annotated[
        str, typer.Option(metavar="DISTANCE", help=say("How far up the river.", "沿河上溯距离。"))
    ] = "10km",
    aside: Annotated[
        str, typer.Option(metavar="DISTANCE", help=say("How far from the river.", "距河流的距离。"))
    ] = "1km",
    pollutant: Annotated[
        str | None, typer.Option(help=say("What was found, such as COD.", "检出的污染物，如 化学需氧量。"))
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option(min=0, help=say("Bound of the point's error in metres.", "点位误差上限（米）。")),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help=say("List at most so many.", "最多列出条数。"))] = 20,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """List candidate sources upstream of a point, the likeliest first."""
    from api.cli.opening import opened
    from gis.screening.candidates import UpstreamRequest, sources_upstream

    lon, lat = _lonlat(place)
    asked = UpstreamRequest(
        lon=lon,
        lat=lat,
        within_m=_metres(within, "--within"),
        aside_m=_metres(aside, "--aside"),
        pollutant=pollutant,
        accuracy_m=accuracy,
        as_of=as_of,
        limit=limit,
    )
    with opened() as onemap:
        answer = sources_upstream(onemap.engine, onemap.definition, asked)
    if as_json:
        emit_json(answer)
        return
    if not answer["candidates"]:
        tell(_head(answer))
        return
    columns = (
        say("Rank#", "序#"),
        say("Score#", "得分#"),
        say("Along#", "沿河#"),
        say("Name", "名称"),
        say("Evidence", "依据"),
    )
    grid(_head(answer), columns, [_row(entry) for entry in answer["candidates"]])


def _lonlat(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"\s*(-?[\d.]+)\s*[,，]\s*(-?[\d.]+)\s*", text)
    try:
        if found:
            return float(found[1]), float(found[2])
    except ValueError:
        pass
    raise typer.BadParameter(say(f"{text!r} is not LON,LAT.", f"{text!r} 不是 经度,纬度。"))


def _metres(text: str, option: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(km|m|公里|千米|米)?\s*", text)
    if found is None:
        hint = say(
            f"{text!r} is no distance; write 500m or 10km.", f"{text!r} 不是距离，请写作 500m 或 10km。"
        )
        raise typer.BadParameter(hint, param_hint=option)
    return float(found[1]) * (1000.0 if found[2] in ("km", "公里", "千米") else 1.0)


def _head(answer: dict[str, Any]) -> str:
    river = answer["point"]["river"] or say("a river without name", "未命名河流")
    matched, shown = answer["matched"], len(answer["candidates"])
    far = f"{answer['within_m'] / 1000:g} km"
    text = say(
        f"{matched} candidates within {far} upstream along {river}",
        f"沿{river}上溯 {far} 内有 {matched} 个可能来源",
    )
    if shown < matched:
        text += say(f"; the first {shown} are listed", f"，列出前 {shown} 个")
    if answer["point"]["river_accuracy_m"] is None:
        text += say(
            ". The accuracy of the river line is not known: no proof.",
            "。河流线的精度未知，仅供排查，不作证据。",
        )
    return text


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    why = "; ".join(factor["why"][LANGUAGE] for factor in entry["factors"])
    name = f"{entry['layer_title'][LANGUAGE]} {entry['name']}"
    return str(entry["rank"]), f"{entry['score']:.2f}", f"{entry['along_m']:,.0f} m", name, why
