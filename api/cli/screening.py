"""``onemap screen``: may this stand here?"""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from api.cli.console import LANGUAGE, AsOf, LawDate, day, say, stage, tell

if TYPE_CHECKING:
    from api.cli.opening import Opened
    from gis.screening.request import ScreenRequest

__all__ = ["screen"]

_VERDICTS = {
    "conflict": ("CONFLICT", "冲突"),
    "unknown": ("UNKNOWN", "未知"),
    "edge": ("EDGE (within the error)", "临界（误差之内）"),
    "clear": ("CLEAR", "无冲突"),
}


class Format(StrEnum):
    """How the answer is written."""

    text = "text"
    json = "json"
    html = "html"
    pdf = "pdf"
    docx = "docx"
    xlsx = "xlsx"
    gpkg = "gpkg"


class Language(StrEnum):
    """What a report is written in."""

    zh = "zh"
    en = "en"


_LANGUAGE = Language(LANGUAGE)
_FILES = {Format.html, Format.pdf, Format.docx, Format.xlsx, Format.gpkg}


def screen(
    site: Annotated[str, typer.Argument(help=say("A file, or WKT.", "文件，或 WKT。"), metavar="FILE|WKT")],
    kind: Annotated[
        str, typer.Option(help=say("new, expand, existing ...", "new、expand、existing 等。"))
    ] = "new",
    accuracy: Annotated[
        float | None,
        typer.Option(
            min=0, help=say("Bound of the site's position error in metres.", "地块位置误差上限（米）。")
        ),
    ] = None,
    attr: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help=say("What is known of the site.", "地块属性。")),
    ] = None,
    law_date: LawDate = None,
    as_of: AsOf = None,
    crs: Annotated[
        str | None,
        typer.Option(help=say("CRS of the site, x,y; else the file's, else lon/lat.", "地块坐标系。")),
    ] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format", help=say("Form of the answer; from html on a report.", "输出格式；html 起为报告。")
        ),
    ] = Format.text,
    report: Annotated[
        bool, typer.Option("--report", help=say("Store the answer as a report.", "将结果存为报告。"))
    ] = False,
    lang: Annotated[Language, typer.Option(help=say("Language of a report.", "报告语言。"))] = _LANGUAGE,
    out: Annotated[Path | None, typer.Option("-o", help=say("Write to this file.", "写入文件。"))] = None,
) -> None:
    """Screen a site by all rules that are on."""
    from api.cli.files import pairs
    from api.cli.opening import opened
    from gis.screening.request import ScreenRequest
    from gis.siteinput import site_from_file, site_from_wkt

    declared: str | None = None
    if Path(site).suffix and Path(site).is_file():
        geometry, declared = site_from_file(Path(site))
    else:
        geometry = site_from_wkt(site)
    asked = ScreenRequest(
        geometry=geometry,
        crs=crs or declared or "EPSG:4326",
        kind=kind,
        attributes=pairs(attr or []),
        accuracy_m=accuracy,
        law_date=day(law_date),
        as_of=as_of,
    )
    with opened() as onemap:
        if report or form in _FILES:
            _report(onemap, asked, form, lang, out)
        else:
            _answer(onemap, asked, form, out)


def _answer(onemap: Opened, asked: ScreenRequest, form: Format, out: Path | None) -> None:
    """Judge, and say the answer; nothing is stored."""
    from gis.screening.answer import screen as judge

    limits = onemap.settings
    answer = judge(
        onemap.engine, onemap.definition, asked, max_vertices=limits.max_vertices, threads=limits.threads
    )
    if form is Format.json:
        text = orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode()
    else:
        text = "\n".join(_lines(answer))
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    else:
        tell(text)


def _report(onemap: Opened, asked: ScreenRequest, form: Format, lang: Language, out: Path | None) -> None:
    """Store the report, and write it in the form that is asked for; JSON to the byte as it is stored."""
    from gis.reports import keep_report, public_address, report_face

    with stage("Writing the report …", "正在生成报告……"):
        kept = keep_report(onemap.engine, onemap.definition, onemap.settings, asked, who=getpass.getuser())
        onemap.note("report", kept.report_id)
        address = public_address(onemap.settings, kept.report_id)
        if form is Format.text:
            body = "\n".join([*_lines(kept.record), ""]).encode()
        else:
            body = report_face(onemap.engine, kept, form.value, lang.value, address=address)
    if out is None and form in _FILES:
        out = Path(f"onemap-{kept.report_id[:12]}.{form.value}")
    if out is None:
        tell(body.decode().rstrip("\n"))
        if form is Format.json:
            return
    else:
        out.write_bytes(body)
        tell(say(f"Wrote {out}.", f"已写入 {out}。"))
    number = f"{kept.report_id}  {address or ''}".rstrip()
    tell(
        say(
            f"Report {number}, valid until {kept.expires:%Y-%m-%d}",
            f"报告 {number}，有效期至 {kept.expires:%Y-%m-%d}",
        )
    )


def _lines(answer: dict[str, Any]) -> list[str]:
    """The answer in words: the whole, then theme by theme, worst first."""
    site = answer["site"]
    size = f"{site['area_m2']:,.1f} m²" if site.get("area_m2") else ""
    lines = [
        f"{_verdict(answer)}  {size}".rstrip(),
        say(
            f"Law of {answer['law_date']}, data revision {answer['as_of']['revision']}",
            f"适用 {answer['law_date']} 的法律，数据修订 {answer['as_of']['revision']}",
        ),
    ]
    if answer["demonstration"]:
        lines.append(say("Rests on demonstration data.", "依据含演示数据。"))
    lines += _parts(answer["parts"])
    for theme in answer["themes"]:
        lines += ["", f"{theme['title'][LANGUAGE]}: {_verdict(theme)}"]
        for finding in theme["findings"]:
            lines.append(f"  {finding['rule']}  {finding['sentence'][LANGUAGE]}")
            lines += [f"      {_citation(entry)}" for entry in finding["legal"]]
    return lines


def _verdict(part: dict[str, Any]) -> str:
    word = say(*_VERDICTS[part["verdict"]])
    return f"{word} · {part['severity']}" if part.get("severity") else word


def _parts(parts: dict[str, Any] | None) -> list[str]:
    lines = []
    for name, part in (parts or {}).items():
        amount = part.get("area_m2") if part.get("area_m2") is not None else part.get("length_m")
        if amount:
            unit = "m²" if part.get("area_m2") is not None else "m"
            lines.append(f"  {say(*_VERDICTS[name])}: {amount:,.1f} {unit} ({part['share']:.1%})")
    return lines


def _citation(entry: dict[str, Any]) -> str:
    article = entry["article"]
    place = say(f", article {article}", f"第{article}条") if article[:1].isdigit() else f" {article}"
    return f"{entry['law'][LANGUAGE]}{place}"
