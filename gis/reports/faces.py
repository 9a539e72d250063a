"""The faces of a report: one record, shown as a page, a print, a document, a workbook or a GeoPackage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gis.reports.content import Beside, Content, write_content
from gis.screening.answer import Record

__all__ = ["FACES", "JSON", "Face", "rendered"]

JSON = "json"
"""The face that is the record itself, in no language."""


@dataclass(frozen=True)
class Face:
    """One form of a report: the ending of its file, its media type, and what makes it."""

    suffix: str
    media_type: str
    render: Callable[[Content], bytes]


def _html(content: Content) -> bytes:
    from gis.reports.pages import html_page

    return html_page(content).encode()


def _pdf(content: Content) -> bytes:
    from gis.reports.pages import pdf_file

    return pdf_file(content)


def _docx(content: Content) -> bytes:
    from gis.reports.document import docx_file

    return docx_file(content)


def _xlsx(content: Content) -> bytes:
    from gis.reports.sheets import xlsx_file

    return xlsx_file(content)


def _gpkg(content: Content) -> bytes:
    from gis.reports.layers import gpkg_file

    return gpkg_file(content)


_OFFICE = "application/vnd.openxmlformats-officedocument"
# The libraries behind them take a second to import, so each is imported by whoever first asks for it.
FACES: Mapping[str, Face] = MappingProxyType(
    {
        "html": Face(".html", "text/html; charset=utf-8", _html),
        "pdf": Face(".pdf", "application/pdf", _pdf),
        "docx": Face(".docx", f"{_OFFICE}.wordprocessingml.document", _docx),
        "xlsx": Face(".xlsx", f"{_OFFICE}.spreadsheetml.sheet", _xlsx),
        "gpkg": Face(".gpkg", "application/geopackage+sqlite3", _gpkg),
    }
)
"""All but JSON, which is the record."""


def rendered(record: Record, beside: Beside, face: str, lang: str) -> bytes:
    """One face of a record in "zh" or "en"; from the record alone, without a database or a definition.

    Raises
    ------
    PrintUnavailable
        When the machine lacks what a print needs.
    """
    return FACES[face].render(write_content(record, beside, lang))
