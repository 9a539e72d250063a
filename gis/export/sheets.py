"""Tables for spreadsheets, CSV and XLSX: no text runs as a formula; points are two columns, others WKT."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import shapely
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from gis.crs import parse_crs
from gis.errors import ExportRefused
from gis.export.beside import Beside
from gis.export.content import Batch, Column, Content, Written, as_text, finite
from gis.export.geojson import with_decimals
from gis.export.options import WriteOptions
from gis.importing.reading.guards import safe_cell

__all__ = ["write_csv", "write_xlsx"]

_SHEET_ROWS, _CELL_CHARACTERS, _DIGITS = 1_048_576, 32_767, 15
_FIRST_DAY = date(1900, 3, 1)  # before it, Excel counts a day that never was
_ESCAPE = re.compile(r"_x[0-9A-Fa-f]{4}_")  # Excel reads this as one character


def write_csv(path: Path, content: Content, options: WriteOptions) -> Written:
    """UTF-8 with a byte order mark, so that Excel shows Chinese; an empty text is "", no text is nothing."""
    rows = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        columns = (*content.columns, *_place_columns(content))
        file.write(",".join(_quoted(column.name) for column in columns) + "\r\n")
        for batch in content.batches():
            values = [*batch.columns, *_places(content, batch, options.decimals)]
            for row in zip(*values, strict=True):
                file.write(",".join(_cell(value) for value in row) + "\r\n")
            rows += batch.rows
    return Written(rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return _quoted(safe_cell(value)) if isinstance(value, str) else as_text(value)


def _quoted(text: str) -> str:
    needs = not text or text != text.strip() or any(c in text for c in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if needs else text


def _place_columns(content: Content) -> tuple[Column, ...]:
    """Coordinates of points under the names that the import reads, other shapes as WKT."""
    if content.geometry is None:
        return ()
    if content.geometry != "Point":
        return (Column("wkt", "text", "几何（WKT）", "Geometry (WKT)"),)
    if content.crs is None or parse_crs(content.crs).is_geographic:
        return (
            Column("lon", "number", "经度", "Longitude", "°"),
            Column("lat", "number", "纬度", "Latitude", "°"),
        )
    return (Column("x", "number", "横坐标", "Easting", "m"), Column("y", "number", "纵坐标", "Northing", "m"))


def _places(content: Content, batch: Batch, decimals: int | None) -> list[list[Any]]:
    if batch.geometry is None:
        return []
    shapes = with_decimals(batch.geometry, decimals)
    if content.geometry != "Point":
        return [shapely.to_wkt(shapes, rounding_precision=-1).tolist()]
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    return [
        [value if is_there else None for value, is_there in zip(of(shapes).tolist(), there, strict=True)]
        for of in (shapely.get_x, shapely.get_y)
    ]


def write_xlsx(path: Path, content: Content, options: WriteOptions) -> Written:
    """A sheet with the rows (field names in row 1) and a sheet "fields" with titles, units and types.

    Days are dates of the sheet; times are ISO 8601 texts, because a sheet knows no time zone; whole numbers
    of more than 15 digits are texts. A text that a cell cannot hold goes whole into the table beside.

    Raises
    ------
    ExportRefused
        For more rows than a sheet has, and for a number that is not finite.
    """
    book = Workbook(write_only=True)
    try:
        written = _rows_sheet(book, path, content, options)
        _fields_sheet(book, content)
    except BaseException:
        _abandon(book)
        raise
    book.save(path)
    return written


def _rows_sheet(book: Workbook, path: Path, content: Content, options: WriteOptions) -> Written:
    sheet = book.create_sheet(content.name[:31])
    sheet.freeze_panes = "A2"
    columns = (*content.columns, *_place_columns(content))
    sheet.append([_bold(sheet, column.name) for column in columns])
    rows = 0
    key = content.place(content.key)
    with Beside(path, content.key) as beside:
        for batch in finite(content, content.batches(), "XLSX"):
            rows += batch.rows
            if rows >= _SHEET_ROWS:
                raise _too_many()
            values = [*batch.columns, *_places(content, batch, options.decimals)]
            for row in zip(*values, strict=True):
                cells = zip(columns, row, strict=True)
                sheet.append([_sheet_cell(sheet, c, v, str(row[key]), beside) for c, v in cells])
    return Written(rows, beside.count)


def _abandon(book: Workbook) -> None:
    """End what openpyxl has begun to write, and remove the files in which it keeps the sheets."""
    for sheet in book.worksheets:
        sheet.close()
        sheet._writer.cleanup()


def _too_many() -> ExportRefused:
    return ExportRefused(
        f"A sheet holds {_SHEET_ROWS - 1:,} rows; there are more.",
        f"工作表最多 {_SHEET_ROWS - 1} 行，数据超出。",
        remedy_en="Use .csv or .gpkg.",
        remedy_zh="请用 .csv 或 .gpkg。",
    )


def _bold(sheet: Any, text: str) -> Any:
    cell = _text_cell(sheet, text)
    cell.font = Font(bold=True)
    return cell


def _text_cell(sheet: Any, text: str) -> Any:
    """A cell that holds a text whatever it looks like; left to itself openpyxl makes "=..." a formula."""
    cell = WriteOnlyCell(sheet, value=None)
    cell.value = safe_cell(text)
    cell.data_type = "s"
    return cell


def _exact_cell(sheet: Any, value: float) -> Any:
    """A number with all its digits; left to itself openpyxl writes 16."""
    cell = WriteOnlyCell(sheet, value=repr(value))
    cell.data_type = "n"
    return cell


def _sheet_cell(sheet: Any, column: Column, value: Any, key: str, beside: Beside) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        reason = _unfit(value)
        if reason is None:
            return _text_cell(sheet, value)
        beside.put(key, column.name, value, reason)
        return None
    if isinstance(value, int) and abs(value) >= 10**_DIGITS:
        return _text_cell(sheet, as_text(value))
    if isinstance(value, float) and (float(f"{value:.16g}") != value or str(value) == "-0.0"):
        return _exact_cell(sheet, value)
    if isinstance(value, datetime) or (isinstance(value, date) and value < _FIRST_DAY):
        return _text_cell(sheet, as_text(value))
    return value


def _unfit(text: str) -> str | None:
    if not text:
        return "empty_text"
    if len(safe_cell(text).encode("utf-16-le")) // 2 > _CELL_CHARACTERS:
        return "text_too_long"
    if (
        ILLEGAL_CHARACTERS_RE.search(text)
        or _ESCAPE.search(text)
        or "\r" in text
        or "\ufffe" in text
        or "\uffff" in text
    ):
        return "character_not_allowed"
    return None


def _fields_sheet(book: Workbook, content: Content) -> None:
    sheet = book.create_sheet("fields" if content.name != "fields" else "fields (2)")
    sheet.append([_bold(sheet, name) for name in ("field", "title_zh", "title_en", "unit", "type", "crs")])
    places = _place_columns(content)
    for column in (*content.columns, *places):
        crs = (content.crs or "") if column in places else ""
        told = (column.name, column.zh, column.en, column.unit or "", column.kind, crs)
        sheet.append([_text_cell(sheet, text) if text else None for text in told])
