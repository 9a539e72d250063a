"""The report as a workbook: one table a sheet, numbers as numbers, and no text that runs as a formula."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import segno
from openpyxl import Workbook
from openpyxl.drawing.image import Image
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter

from gis.export import safe_cell
from gis.reports.content import Content

__all__ = ["xlsx_file"]

_LONGEST = 32_000
# Told apart in black and white too: Excel has patterns for cells.
_FILLS = {
    "conflict": ("lightUp", "B3261E"),
    "unknown": ("lightGrid", "5D5877"),
    "edge": ("lightHorizontal", "8F5200"),
    "clear": ("gray0625", "1B6E3F"),
}
_HEAD = PatternFill("solid", fgColor="E2EFEA")
_RIM = Border(bottom=Side(style="hair", color="A9BAB4"))


def xlsx_file(content: Content) -> bytes:
    """The report as .xlsx: summary, parts, findings, zones, legal texts, what would pass, clear, sources."""
    book = Workbook()
    book.remove(book.active)
    for name, heads, rows, widths in _tables(content):
        _sheet(book, content.words(f"table.{name}"), heads, rows, widths)
    if content.beside.address:
        _code(book.worksheets[0], content.beside.address)
    book.properties.title, book.properties.creator = content.title, content.record["engine"]
    book.properties.created = content.beside.created.replace(tzinfo=None)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


Table = tuple[str, list[str], Iterable[Sequence[Any]], list[int]]


def _tables(c: Content) -> list[Table]:
    t = c.words

    def heads(*names: str) -> list[str]:
        return [t(f"label.{name}") for name in names]

    findings = [finding | {"theme": theme["title"]} for theme in c.themes for finding in theme["findings"]]
    zones = [zone | {"rule": finding["rule"]} for finding in findings for zone in finding["zones"]]
    return [
        ("summary", heads("item", "value"), _summary(c), [30, 90]),
        (
            "parts", heads("verdict", "amount", "share", "remark"),
            [(_verdict(p), p["size"], p["part"], t.listed([p["amount"], p["local"]])) for p in c.parts],
            [16, 18, 12, 34],
        ),
        (
            "findings",
            heads("theme", "rule", "item", "verdict", "severity", "sentence", "missing", "remark"),
            [
                (*_of(f, "theme", "rule", "title"), _verdict(f), *_of(f, "severity", "sentence", "missing"),
                 t.listed(f["marks"]))
                for f in findings
            ],
            [18, 10, 34, 12, 12, 60, 30, 34],
        ),
        (
            "zones",
            [*heads("rule", "zone", "layer", "verdict", "overlap", "distance"),
             *heads("facts", "source", "bureau", "remark")],
            [
                (*_of(z, "rule", "name", "layer"), _verdict(z),
                 *_of(z, "overlap", "distance_m", "facts", "source", "bureau", "marks"))
                for z in zones
            ],
            [10, 34, 20, 12, 14, 14, 50, 24, 24, 30],
        ),
        (
            "laws", heads("article", "text", "force", "remark", "rules"),
            [_of(law, "citation", "text", "force", "marks", "rules") for law in c.laws], [36, 80, 26, 26, 30],
        ),
        ("passing", heads("attribute", "now", "would", "rules"), _ways(c), [50, 20, 60, 30]),
        (
            "clear", heads("rule", "item", "reason"),
            [_of(r, "rule", "title", "reason") for r in c.clear], [10, 50, 60],
        ),
        (
            "sources", heads("layer", "revision", "date", "source", "bureau", "coverage", "remark"),
            [_of(s, "layer", "revision", "date", "source", "bureau", "coverage", "marks") for s in c.sources],
            [26, 12, 14, 34, 30, 14, 34],
        ),
    ]  # fmt: skip


def _of(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _ways(c: Content) -> list[Sequence[Any]]:
    lines: list[Sequence[Any]] = [(line, "", "", "") for line in c.passing]
    return [*lines, *((d["title"], d["now"], "\n".join(d["options"]), d["rules"]) for d in c.deciding)]


class _Verdict(str):
    """A verdict's word that also has its pattern."""

    code: str


def _verdict(of: dict[str, Any]) -> _Verdict:
    word = _Verdict(of["word"])
    word.code = of["verdict"]
    return word


def _summary(c: Content) -> list[Sequence[Any]]:
    t = c.words
    severity = f" · {c.headline['severity']}" if c.headline["severity"] else ""
    rows: list[Sequence[Any]] = [
        (t("title"), t.pick(c.record["district"]["name"])),
        (t("label.verdict"), _verdict(c.headline)),
        ("", f"{c.headline['means']}{severity}"),
    ]
    if c.warning:
        rows.append((t("label.remark"), c.warning))
    rows += [*c.site, *c.attributes]
    rows += [(t("section.unknown"), line) for line in c.unknown]
    rows += [(t("label.pack"), f"{p['title']} {p['id']} {p['version']} {p['hash']}") for p in c.packs]
    return [*rows, *c.proof, (t("label.remark"), t("phrase.proof")), ("", t("phrase.aid"))]


def _sheet(
    book: Workbook, name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], widths: Sequence[int]
) -> None:
    sheet = book.create_sheet(name[:31])
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"
    for at, (head, width) in enumerate(zip(heads, widths, strict=True), start=1):
        cell = _put(sheet, 1, at, head)
        cell.font, cell.fill = Font(bold=True), _HEAD
        sheet.column_dimensions[get_column_letter(at)].width = width
    for number, row in enumerate(rows, start=2):
        for at, value in enumerate(row, start=1):
            cell = _put(sheet, number, at, value)
            cell.alignment, cell.border = Alignment(wrap_text=True, vertical="top"), _RIM


def _put(sheet: Any, row: int, column: int, value: Any) -> Any:
    cell = sheet.cell(row, column)
    if value is None:
        return cell
    if isinstance(value, str):
        cell.value = safe_cell(value[:_LONGEST])
        # Left to itself openpyxl takes a text that begins with "=" for a formula.
        cell.data_type = "s"
        if isinstance(value, _Verdict):
            pattern, colour = _FILLS[value.code]
            cell.fill, cell.font = PatternFill(pattern, fgColor=colour), Font(bold=True)
        return cell
    cell.value = value
    cell.number_format = "0.0%" if isinstance(value, float) and value <= 1 and column == 3 else "#,##0.0"
    return cell


def _code(sheet: Any, address: str) -> None:
    """The QR code of the report's address, beside the summary."""
    out = io.BytesIO()
    segno.make(address, error="m").save(out, kind="png", scale=4, border=2)
    out.seek(0)
    sheet.add_image(Image(out), "D2")
