"""The report as a Word document, for those who write their own text around it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import pypdfium2
import segno
from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from gis.reports.content import Content
from gis.reports.pages import render_pdf
from gis.reports.picture import COLOURS, map_picture

__all__ = ["docx_file"]

_TEXT_WIDTH_MM = 174.0
_LATIN, _CHINESE = "Arial", "微软雅黑"
_MARKS = {"conflict": "▨", "unknown": "▩", "edge": "▤", "clear": "□"}
_MAP_DPI = 200
_SOFT = RGBColor(0x4C, 0x62, 0x5D)


def docx_file(content: Content) -> bytes:
    """The report as .docx on A4, the map in it as a picture.

    Raises
    ------
    PrintUnavailable
        When the map cannot be drawn; see `gis.reports.pages.render_pdf`.
    """
    document = _Document(content)
    document.write()
    return document.saved()


class _Document:
    """Puts the content of one report into paragraphs, tables and pictures."""

    def __init__(self, content: Content) -> None:
        self._c, self._t = content, content.words
        self._d = Document()
        self._style()

    def saved(self) -> bytes:
        out = io.BytesIO()
        self._d.save(out)
        return out.getvalue()

    def write(self) -> None:
        self._head()
        self._site()
        self._map()
        self._themes()
        self._findings()
        self._passing()
        self._lists()
        self._sources()
        self._proof()

    # --- form ---------------------------------------------------------------------------------------------

    def _style(self) -> None:
        section = self._d.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.left_margin = section.right_margin = Mm(18)
        section.top_margin, section.bottom_margin = Mm(18), Mm(18)
        sizes = {"Normal": 10.5, "Title": 20, "Heading 1": 14, "Heading 2": 12, "Heading 3": 10.5}
        for name, size in sizes.items():
            font = self._d.styles[name].font
            font.name, font.size = _LATIN, Pt(size)
            font.color.rgb = RGBColor(0x14, 0x30, 0x2B)
            fonts = font.element.rPr.get_or_add_rFonts()
            for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
                fonts.attrib.pop(qn(f"w:{theme}"), None)
            fonts.set(qn("w:eastAsia"), _CHINESE)
        self._d.styles["Normal"].paragraph_format.space_after = Pt(4)
        self._d.core_properties.title = self._c.title
        self._d.core_properties.author = self._c.record["engine"]
        self._d.core_properties.created = self._c.beside.created.replace(tzinfo=None)
        foot = section.footer.paragraphs[0]
        self._run(
            foot, f"{self._c.beside.report_id[:16]} · {self._c.record['engine']}    ", size=8, soft=True
        )
        for code in ("PAGE", "NUMPAGES"):
            self._field(foot, code)
            self._run(foot, " / " if code == "PAGE" else "", size=8, soft=True)

    def _field(self, paragraph: Any, code: str) -> None:
        """A number that Word fills in, such as that of the page."""
        run = paragraph.add_run()
        run.font.size = Pt(8)
        for kind, text in (("begin", None), (None, code), ("end", None)):
            element = OxmlElement("w:instrText" if text else "w:fldChar")
            if text:
                element.text = text
            else:
                element.set(qn("w:fldCharType"), str(kind))
            run._r.append(element)

    def _run(
        self, paragraph: Any, text: str, *, bold: bool = False, size: float | None = None,
        colour: str = "", soft: bool = False,
    ) -> None:  # fmt: skip
        run = paragraph.add_run(text)
        run.bold = bold
        if size:
            run.font.size = Pt(size)
        if colour:
            run.font.color.rgb = RGBColor.from_string(colour.lstrip("#").upper())
        elif soft:
            run.font.color.rgb = _SOFT

    def _line(self, text: str, **look: Any) -> Any:
        paragraph = self._d.add_paragraph()
        self._run(paragraph, text, **look)
        return paragraph

    def _bullets(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._d.add_paragraph(line, style="List Bullet")

    def _heading(self, name: str, level: int = 1) -> None:
        self._d.add_heading(self._t(f"section.{name}"), level)

    def _table(self, heads: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[float]) -> None:
        """A table whose first row is repeated on each page; ``widths`` are parts of the text's width."""
        table = self._d.add_table(rows=0, cols=len(widths), style="Table Grid")
        table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
        for number, row in enumerate([heads, *rows] if heads else rows):
            cells = table.add_row().cells
            for cell, text, width in zip(cells, row, widths, strict=True):
                cell.width = Mm(_TEXT_WIDTH_MM * width / sum(widths))
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.space_after = Pt(1)
                self._run(paragraph, text, bold=bool(heads) and number == 0, size=9)
        if heads and table.rows:
            repeated = OxmlElement("w:tblHeader")
            repeated.set(qn("w:val"), "true")
            table.rows[0]._tr.get_or_add_trPr().append(repeated)
        self._d.add_paragraph().paragraph_format.space_after = Pt(2)

    def _told(self, of: dict[str, Any]) -> str:
        severity = f" · {of['severity']}" if of["severity"] else ""
        return f"{_MARKS[of['verdict']]} {of['word']}{severity}"

    # --- content ------------------------------------------------------------------------------------------

    def _head(self) -> None:
        c, t = self._c, self._t
        self._line(t.pick(c.record["district"]["name"]), soft=True)
        self._d.add_paragraph(t("title"), style="Title")
        self._line(t.labelled(t("label.report_id"), c.beside.report_id), size=8.5, soft=True)
        made = t.labelled(t("label.created"), t.moment(c.beside.created))
        until = t.labelled(t("label.expires"), t.moment(c.beside.expires))
        self._line(f"{made} · {until}", size=8.5, soft=True)
        if c.beside.address:
            code = io.BytesIO()
            segno.make(c.beside.address, error="m").save(code, kind="png", scale=6, border=2)
            code.seek(0)
            self._d.add_picture(code, width=Mm(26))
            self._line(t.labelled(t("label.address"), c.beside.address), size=8.5, soft=True)
        if c.warning:
            self._line(c.warning, bold=True, colour="#6d3f8f")
        self._heading("verdict")
        self._line(self._told(c.headline), bold=True, size=16, colour=COLOURS[c.headline["verdict"]])
        self._line(c.headline["means"])
        if c.parts:
            self._table(
                [
                    t("label.verdict"),
                    t("label.amount"),
                    t.pick((c.record["district"]["area_unit_local"] or {}).get("name")),
                    t("label.share"),
                ],
                [
                    [f"{_MARKS[p['verdict']]} {p['word']}", p["amount"], p["local"], p["share"]]
                    for p in c.parts
                ],
                [3, 2, 2, 2],
            )

    def _site(self) -> None:
        t = self._t
        stated = [t.labelled(label, value) for label, value in self._c.attributes]
        self._heading("site")
        told = "\n".join(stated) or t("label.none_stated")
        self._table([], [*self._c.site, (t("label.attributes"), told)], [3, 7])

    def _map(self) -> None:
        self._heading("map")
        self._d.add_picture(io.BytesIO(_map_png(self._c)), width=Mm(_TEXT_WIDTH_MM))
        note = f"{self._t.pick(self._c.record['district']['attribution'])} · {self._c.record['map']['crs']}"
        self._line(note, size=8, soft=True).alignment = WD_ALIGN_PARAGRAPH.RIGHT

    def _themes(self) -> None:
        c, t = self._c, self._t
        self._heading("themes")
        heads = [t("label.theme"), t("label.verdict"), t("label.severity"), t("label.amount")]
        rows = [
            [x["title"], f"{_MARKS[x['verdict']]} {x['word']}", x["severity"], x["share"]] for x in c.themes
        ]
        if rows:
            self._table(heads, rows, [4, 2, 2, 3])
        else:
            self._line(t("phrase.nothing_found"))
        if c.clear_themes:
            self._line(c.clear_themes)

    def _findings(self) -> None:
        self._heading("findings")
        for theme in self._c.themes:
            self._d.add_heading(f"{theme['title']} · {theme['word']}", 2)
            for finding in theme["findings"]:
                self._finding(finding)

    def _finding(self, finding: dict[str, Any]) -> None:
        t = self._t
        self._d.add_heading(f"{finding['rule']}  {finding['title']}", 3)
        line = self._line(self._told(finding), bold=True, colour=COLOURS[finding["verdict"]])
        if finding["marks"]:
            self._run(line, f"  [{t.listed(finding['marks'])}]", size=8.5, soft=True)
        self._line(finding["sentence"])
        if finding["missing"]:
            self._line(t.labelled(t("label.missing"), finding["missing"]), bold=True)
        for zone in finding["zones"]:
            line = self._d.add_paragraph(style="List Bullet")
            self._run(line, zone["name"], bold=True)
            marks = f" [{zone['marks']}]" if zone["marks"] else ""
            self._run(line, f" {zone['layer']}{marks}\n{zone['facts']}")
            office = " · ".join(text for text in (zone["source"], zone["bureau"]) if text)
            if office:
                self._run(line, f"\n{t.labelled(t('label.source'), office)}", size=8.5, soft=True)
        cited = [f"{law['citation']} [{law['number']}]" for law in finding["laws"]]
        if cited:
            self._line(t.labelled(t("section.laws"), t.listed(cited)), size=9.5)
        for label, text in finding["notes"]:
            self._line(t.labelled(label, text), size=9.5)

    def _passing(self) -> None:
        c, t = self._c, self._t
        self._heading("passing")
        self._bullets(c.passing)
        self._heading("deciding", 2)
        heads = [t("label.attribute"), t("label.now"), t("label.would"), t("label.rules")]
        rows = [[d["title"], d["now"], "\n".join(d["options"]), d["rules"]] for d in c.deciding]
        if rows:
            self._table(heads, rows, [3, 2, 5, 3])
        else:
            self._line(t("phrase.nothing_decides"))

    def _lists(self) -> None:
        c, t = self._c, self._t
        self._heading("unknown")
        self._bullets(c.unknown or [t("phrase.nothing_unknown")])
        self._heading("laws")
        for law in c.laws:
            line = self._line(f"[{law['number']}] {law['citation']}", bold=True, size=9.5)
            marks = f" [{law['marks']}]" if law["marks"] else ""
            self._run(line, f"{marks}\n{law['text']}\n", size=9.5)
            self._run(line, f"{law['force']} · {law['rules']}", size=8.5, soft=True)
        self._heading("clear")
        if c.clear:
            heads = [t("label.rule"), t("label.item"), t("label.reason")]
            self._table(heads, [[r["rule"], r["title"], r["reason"]] for r in c.clear], [1.4, 5, 4])
        else:
            self._line(t("phrase.nothing_clear"))

    def _sources(self) -> None:
        c, t = self._c, self._t
        self._heading("sources")
        names = ("layer", "revision", "date", "source", "bureau", "coverage", "remark")
        keys = ("layer", "revision", "date", "source", "bureau", "coverage", "marks")
        rows = [[source[key] for key in keys] for source in c.sources]
        self._table([t(f"label.{name}") for name in names], rows, [3, 1.2, 1.9, 3, 2, 1.5, 2.4])
        self._heading("packs", 2)
        self._bullets(f"{p['title']} ({p['id']} {p['version']}) {p['hash']}" for p in c.packs)

    def _proof(self) -> None:
        t = self._t
        self._heading("proof")
        self._table([], self._c.proof, [3, 7])
        self._line(t("phrase.proof"), size=9, soft=True)
        self._line(t("phrase.aid"))
        self._line("\n" + t("phrase.signature"))


def _map_png(content: Content) -> bytes:
    """The map as PNG: drawn as for print, since Word shows SVG only where it is new."""
    style = "<style>@page { size: 190mm 190mm; margin: 0 } svg { width: 190mm }</style>"
    pdf = pypdfium2.PdfDocument(render_pdf(style + map_picture(content)))
    try:
        image = pdf[0].render(scale=_MAP_DPI / 72).to_pil()
    finally:
        pdf.close()
    out = io.BytesIO()
    _without_margin(image).save(out, format="PNG", optimize=True)
    return out.getvalue()


def _without_margin(image: Any) -> Any:
    """The picture without the empty rest of its page."""
    from PIL import ImageOps

    box = ImageOps.invert(image.convert("L")).getbbox()
    return image.crop((0, 0, image.width, box[3] + 8)) if box else image
