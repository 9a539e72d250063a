"""XLSX workbooks (ECMA-376), read through openpyxl after every part has been looked at as bytes.

Numbers, dates and truth values keep their types; rows without a value do not count. What would reach outside
(external links) is not opened, macros and DOCTYPEs are refused. A merged cell has its value in its first row
only, as the file has it: nothing is filled down.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa

from gis.errors import ImportRefused
from gis.importing.issues import FILE, Issue, refused
from gis.importing.reading.formats.coordinates import ERROR_CELLS, shown
from gis.importing.reading.formats.drafts import Drafts
from gis.importing.reading.formats.headings import HEAD_ROWS, Heading, find_heading
from gis.importing.reading.formats.roles import Roles, find_roles, is_identifier
from gis.importing.reading.formats.tables import Placed
from gis.importing.reading.formats.values import text_of
from gis.importing.reading.guards import unsafe_cell
from gis.importing.reading.limits import limits
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["read"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BIFF = (b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)
_DOCTYPES = [f"<!{word}".encode(codec) for word in ("DOCTYPE", "ENTITY")
             for codec in ("ascii", "utf-16-le", "utf-16-be")]  # fmt: skip
_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"']{0,40})")
# A formula, and right behind it the end of the cell, or an empty value.
_NO_VALUE = re.compile(
    rb"(</(\w+:)?f>|<(\w+:)?f\s[^>]*/>)\s*(<(\w+:)?v\s*/>|<(\w+:)?v>\s*</(\w+:)?v>)?\s*</(\w+:)?c>"
)
_PART = 1 << 20
_RATIO_FROM = 1_000_000
_MOST_ROWS = 1_048_576  # of a sheet
_BATCH = 8192
_EXACT_DIGITS = 10**15  # spreadsheets keep 15 digits of a number


@dataclass(frozen=True)
class _Formula:
    """A cell with a formula whose result the file does not hold."""

    text: str


@dataclass(frozen=True)
class _Sheet:
    """A sheet that holds a table: where its heading is and which columns hold the place."""

    title: str
    heading: Heading
    roles: Roles


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Read the one sheet that holds a table, or the one that ``options.member`` names.

    Raises
    ------
    ImportRefused
        not_xlsx, old_xls, file_encrypted, macro_refused, xml_entity, decompression_bomb, several_layers,
        member_missing, and what the heading may lack: column_missing, duplicate_column, too_many_columns,
        coordinate_columns_unclear, empty_file.
    """
    formulas = _inspect(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extensions that openpyxl leaves out
            return _read(path, options, spool, formulas)
    except (ImportRefused, MemoryError):
        raise
    except Exception as error:
        # openpyxl meets a broken part with whatever error its code runs into.
        raise refused("not_xlsx", value=path.name) from error


# --- the package as bytes ---


def _inspect(path: Path) -> bool:
    """Look at all parts before any is parsed; tells whether there are formulas without a value."""
    with path.open("rb") as file:
        head = file.read(8)
        # The directory of such a container names its streams; it may lie anywhere.
        encrypted = head == _OLE and "EncryptedPackage".encode("utf-16-le") in file.read(64 << 20)
    if head == _OLE:
        raise refused("file_encrypted" if encrypted else "old_xls", value=path.name)
    if head[:2] in _BIFF:
        raise refused("old_xls", value=path.name)
    try:
        with zipfile.ZipFile(path) as package:
            return _inspect_parts(package, path.name)
    except _BROKEN as error:
        raise refused("not_xlsx", value=path.name) from error


def _inspect_parts(package: zipfile.ZipFile, name: str) -> bool:
    parts = package.infolist()
    names = [part.filename.lower() for part in parts]
    if any(each.endswith(("vbaproject.bin", "vbadata.xml")) for each in names):
        raise refused("macro_refused", value=name)
    if "[content_types].xml" not in names or not any(each.endswith("workbook.xml") for each in names):
        raise refused("not_xlsx", value=name)
    if len(parts) > limits().zip_entries:
        raise refused("too_many_entries", value=str(len(parts)), expected=str(limits().zip_entries))
    left, formulas = limits().unzipped_mb * 1_000_000, False
    for part in parts:
        if part.flag_bits & 1:
            raise refused("file_encrypted", value=name)
        size, without_value = _inspect_part(package, part, left)
        left -= size
        formulas = formulas or without_value
    return formulas


def _inspect_part(package: zipfile.ZipFile, part: zipfile.ZipInfo, left: int) -> tuple[int, bool]:
    """The size of a part, and whether it has formulas without a value. Raises for what must not be parsed."""
    size, formulas, tail = 0, False, b""
    name = part.filename.lower()
    is_xml = name.endswith((".xml", ".rels", ".vml"))
    with package.open(part) as stream:
        while chunk := stream.read(_PART):
            size += len(chunk)
            if size > left or (size > _RATIO_FROM and size > limits().zip_ratio * max(part.compress_size, 1)):
                told = f"{part.filename[:80]} > {size >> 20} MB"
                raise refused("decompression_bomb", value=told, expected=f"{limits().zip_ratio}:1")
            if not is_xml:
                continue
            if not tail:
                _check_declaration(chunk, part.filename)
                if name == "[content_types].xml" and b"macroEnabled" in chunk:
                    raise refused("macro_refused", value=part.filename)
            window = tail + chunk
            if any(word in window for word in _DOCTYPES):
                raise refused("xml_entity", value=part.filename)
            formulas = formulas or ("/worksheets/" in name and _NO_VALUE.search(window) is not None)
            tail = window[-512:]
    return size, formulas


def _check_declaration(head: bytes, name: str) -> None:
    """Parts are UTF-8 or UTF-16 by the standard; in another encoding a DOCTYPE could hide."""
    match = _ENCODING.search(head[:512].replace(b"\0", b""))
    if match and match[1].lower() not in (b"utf-8", b"utf8", b"utf-16", b"utf16", b"us-ascii", b"ascii"):
        raise refused("not_xlsx", value=f"{name}: {match[1].decode('ascii', 'replace')}")


# --- which sheet ---


def _read(path: Path, options: ReadOptions, spool: Spool, formulas: bool) -> Header:
    with ExitStack() as held:
        book = _opened(path, held, data_only=True)
        written = _opened(path, held, data_only=False) if formulas else None
        sheet, members = _choose(book, written, options, path.name, spool)
        header = _take(_rows(book, written, sheet.title), sheet, spool, path.name)
        return replace(header, member=sheet.title, members=members)


def _opened(path: Path, held: ExitStack, *, data_only: bool) -> Any:
    """The workbook with results or with formulas; as a file, since openpyxl judges a path by its ending."""
    file = held.enter_context(path.open("rb"))
    book = openpyxl.load_workbook(file, read_only=True, data_only=data_only, keep_links=False)
    held.callback(book.close)
    return book


def _choose(
    book: Any, written: Any, options: ReadOptions, name: str, spool: Spool
) -> tuple[_Sheet, tuple[str, ...]]:
    """The sheet to read. Of several with tables it is the only one with coordinates, or nobody can tell."""
    titles = tuple(sheet.title for sheet in book.worksheets)
    if options.member is not None:
        if options.member not in titles:
            raise refused("member_missing", value=options.member, expected="、".join(titles))
        return _look(book, written, options.member, options, name), titles
    seen = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"] or list(titles)
    filled = [title for title in seen if next(_rows(book, written, title), None) is not None]
    if not filled:
        raise refused("empty_file", value=name)
    if len(filled) == 1:
        return _look(book, written, filled[0], options, name), titles
    tables, faults = [], []
    for title in filled:
        try:
            sheet = _look(book, written, title, options, name)
        except ImportRefused as fault:
            faults.append(fault)
            continue
        if len(sheet.heading.names) > 1 and _below(book, written, sheet):
            tables.append(sheet)
    placed = [sheet for sheet in tables if sheet.roles != Roles()]
    if len(tables) == 1 or len(placed) == 1:
        chosen = (placed or tables)[0]
        spool.issues.append(Issue(FILE, None, chosen.title, "sheet_chosen", "repair"))
        return chosen, titles
    if not tables and faults:
        raise faults[-1]
    raise refused("several_layers", value=str(len(tables)), expected="、".join(s.title for s in tables))


def _look(book: Any, written: Any, title: str, options: ReadOptions, name: str) -> _Sheet:
    """The heading of a sheet. Raises ImportRefused when it holds no table."""
    top = [[_text(cell) for cell in cells] for _, cells in islice(_rows(book, written, title), HEAD_ROWS)]
    heading = find_heading(top, name=name)
    return _Sheet(title, heading, find_roles(heading.names, options, top[heading.row + 1 :]))


def _below(book: Any, written: Any, sheet: _Sheet) -> bool:
    rows = _rows(book, written, sheet.title)
    return next(islice(rows, sheet.heading.row + 1, None), None) is not None


# --- rows ---


def _rows(book: Any, written: Any, title: str) -> Iterator[tuple[int, list[Any]]]:
    """The rows of a sheet that hold something: number from 1, and the cells up to the last filled one.

    The size that the sheet states is not believed.
    """
    values = _cells(book[title])
    formulas = _cells(written[title]) if written is not None else None
    for number, row in enumerate(values, start=1):
        if number > _MOST_ROWS:
            raise refused("not_xlsx", value=f"> {_MOST_ROWS}")
        cells = list(row)
        if formulas is not None:
            for at, text in enumerate(next(formulas)):
                if at < len(cells) and cells[at] is None and text is not None:
                    cells[at] = _Formula(str(getattr(text, "text", text)))
        while cells and (cells[-1] is None or (isinstance(cells[-1], str) and not cells[-1].strip())):
            cells.pop()
        if cells:
            yield number, cells


def _cells(sheet: Any) -> Iterator[Sequence[Any]]:
    sheet.reset_dimensions()
    rows: Iterator[Sequence[Any]] = sheet.iter_rows(values_only=True)
    return rows


def _text(cell: Any) -> str | None:
    return cell.text if isinstance(cell, _Formula) else text_of(_plain(cell))


def _plain(cell: Any) -> Any:
    """The cell's value in a type that a column may have."""
    if isinstance(cell, str):
        return unsafe_cell(cell) if cell.strip() else None
    if cell is None or isinstance(cell, bool | int | float | dt.datetime | dt.date):
        return cell
    return text_of(cell)


def _take(rows: Iterator[tuple[int, list[Any]]], sheet: _Sheet, spool: Spool, name: str) -> Header:
    """All rows below the heading to the spool."""
    heading = list(islice(rows, sheet.heading.row + 1))
    if heading[-1][0] > 1:
        spool.issues.append(Issue(FILE, None, str(heading[-1][0]), "header_found", "repair"))
    placed = Placed(sheet.heading.names, sheet.roles)
    drafts = Drafts(spool)
    while batch := [cells for _, cells in islice(rows, _BATCH)]:
        _take_batch(batch, placed, drafts, spool)
    if drafts.rows == 0:
        raise refused("empty_file", value=name)
    return replace(placed.header("xlsx"), columns=drafts.finish())


def _take_batch(batch: list[list[Any]], placed: Placed, drafts: Drafts, spool: Spool) -> None:
    first = drafts.rows
    table = [_checked(cells, placed.names, first + at, spool.issues) for at, cells in enumerate(batch)]
    places = {*placed.roles.x, *placed.roles.y, placed.roles.pair, placed.roles.wkt} - {None}
    columns = [
        pa.array([text_of(row[at]) for row in table], pa.string()) if at in places else pa.nulls(len(table))
        for at in range(len(placed.names))
    ]
    geometry, issues = placed.geometry(columns, first)
    spool.issues.extend(issues)
    kept = placed.attributes()
    width = len(placed.names)
    for wkb, row in zip(geometry.to_pylist(), table, strict=True):
        values = {placed.names[at]: row[at] for at in kept}
        # Cells right of the heading are kept under a name of ours.
        values |= {f"column_{at + 1}": row[at] for at in range(width, len(row)) if row[at] is not None}
        drafts.add(wkb, values)


def _checked(cells: list[Any], names: Sequence[str], row: int, issues: list[Issue]) -> list[Any]:
    """The values of a row, one for each column or more; what is wrong with its cells becomes issues."""
    values: list[Any] = []
    for at, cell in enumerate(cells):
        name = names[at] if at < len(names) else f"column_{at + 1}"
        if isinstance(cell, _Formula):
            issues.append(Issue(row, name, shown(cell.text), "formula_no_value"))
            cell = None
        elif isinstance(cell, str) and cell.strip() in ERROR_CELLS:
            issues.append(Issue(row, name, cell.strip(), "error_cell"))
            cell = None
        elif type(cell) in (int, float) and abs(cell) >= _EXACT_DIGITS and is_identifier(name):
            issues.append(Issue(row, name, text_of(cell), "code_mangled"))
        values.append(_plain(cell))
    return values + [None] * (len(names) - len(values))
