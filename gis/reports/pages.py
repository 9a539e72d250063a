"""The page and the print: one HTML file that needs nothing else, and the PDF made from it."""

from __future__ import annotations

import base64
import hashlib
import io
from functools import cache
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gis.errors import PrintUnavailable
from gis.reports.content import Content
from gis.reports.fonts import has_chinese_font
from gis.reports.picture import map_picture, swatch
from gis.reports.words import Words, plain
from gis.screening.answer import Record
from gis.screening.findings import WORST_FIRST

__all__ = ["current_page", "html_page", "pdf_file", "qr_picture", "render_pdf"]

_HERE = Path(__file__).parent
_BAR = 200.0


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )


def html_page(content: Content) -> str:
    """The report as one page: no script, no other file, styles named by their hash; prints to A4."""
    style, digest = _style(f"{content.beside.report_id[:16]} · {content.record['engine']}")
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            c=content,
            t=content.words,
            style=style,
            style_hash=digest,
            swatches={verdict: Markup(swatch(verdict, "s")) for verdict in WORST_FIRST},
            bars={
                part["verdict"]: Markup(swatch(part["verdict"], "b", max(_BAR * part["part"], 4.0)))
                if part["size"] > 0
                else ""
                for part in content.parts
            },
            map=Markup(map_picture(content)),
            qr=Markup(qr_picture(content.beside.address)) if content.beside.address else "",
        )
    )


def current_page(found: Record, lang: str) -> str:
    """What `gis.reports.current.current_state` found, as a page in ``lang`` ("zh" or "en")."""
    words = Words(lang)
    style, digest = _style(found["report"][:16])
    state = "valid" if found["valid"] else "expired" if found["unchanged"] else "changed"
    return (
        _templates()
        .get_template("current.html.j2")
        .render(
            f=plain(found),
            t=words,
            state=state,
            because=[_cause(words, each) for each in plain(found["because"])],
            style=style,
            style_hash=digest,
            swatches={verdict: Markup(swatch(verdict, "s")) for verdict in WORST_FIRST},
        )
    )


def _cause(words: Words, cause: Record) -> str:
    told = {**cause, "rules": words.listed(cause["rules"])}
    if cause["cause"] == "revision":
        rows = cause["layers"].values()
        told |= {name: sum(row[name] for row in rows) for name in ("added", "changed", "closed")}
        told["source"] = words.pick(cause["source_title"]) or cause["source"] or ""
        told["at"] = words.moment(cause["at"])
    elif cause["cause"] == "rules":
        told |= {name: (cause[name] or {}).get("version", "") for name in ("before", "now")}
    return words(f"current.{cause['cause']}", **told)


def _style(foot: str) -> tuple[Markup, Markup]:
    """The styles of a page with ``foot`` below each printed one, and their hash for its policy."""
    style = (_HERE / "page.css").read_text(encoding="utf-8").replace("REPORT-FOOT", foot)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Markup(style), Markup(f"sha256-{digest}")


def qr_picture(address: str) -> str:
    """A QR code of ``address`` as an ``<svg>`` element."""
    out = io.BytesIO()
    segno.make(address, error="m").save(
        out, kind="svg", xmldecl=False, border=2, omitsize=True, svgclass=None
    )
    return out.getvalue().decode()


def pdf_file(content: Content) -> bytes:
    """The page as PDF, A4. Raises PrintUnavailable as `render_pdf` does."""
    return render_pdf(html_page(content))


def render_pdf(html: str) -> bytes:
    """``html`` as PDF; it may refer to nothing outside itself.

    Raises
    ------
    PrintUnavailable
        When the machine has no Pango, or no font with Chinese letters: a print without them is no print.
    """
    try:
        import weasyprint
    except OSError as error:
        raise PrintUnavailable(
            "A PDF needs Pango, which is not on this machine.",
            "生成 PDF 需要 Pango，本机未安装。",
            remedy_en="Install it: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0.",
            remedy_zh="请安装：apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0。",
        ) from error
    if not has_chinese_font():
        raise PrintUnavailable(
            "A PDF needs a font with Chinese letters, and there is none on this machine.",
            "生成 PDF 需要中文字体，本机没有。",
            remedy_en="Install one: apt-get install fonts-noto-cjk.",
            remedy_zh="请安装：apt-get install fonts-noto-cjk。",
        )
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=())
    made: bytes = weasyprint.HTML(string=html, url_fetcher=fetcher).write_pdf()
    return made
