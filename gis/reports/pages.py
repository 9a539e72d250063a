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
from gis.reports.content import WORST_FIRST, Content
from gis.reports.fonts import has_chinese_font
from gis.reports.picture import map_picture, swatch

__all__ = ["html_page", "pdf_file", "qr_picture", "render_pdf"]

_HERE = Path(__file__).parent
_BAR = 200.0


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )


def html_page(content: Content) -> str:
    """The report as one page: no script, no other file, styles named by their hash; prints to A4."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    style = style.replace("REPORT-FOOT", f"{content.beside.report_id[:16]} · {content.record['engine']}")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            c=content,
            t=content.words,
            style=Markup(style),
            style_hash=Markup(f"sha256-{digest}"),
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
