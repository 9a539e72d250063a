"""CSV, TSV and other delimited text; every value stays text, so that leading zeros and long codes survive.

Two ways lead to the same rows. Text without any quote is cut at its line ends and parsed by Arrow in blocks;
a block that Arrow refuses (a row too short or long), text with quotes and text of mixed encodings go through
Python's csv module, which tells row from row and fault from fault.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from gis.importing.issues import FILE, Issue, refused
from gis.importing.reading.formats.characters import (
    Coding,
    byte_chunks,
    coding_of,
    guess,
    is_foreign,
    text_lines,
)
from gis.importing.reading.formats.coordinates import ERROR_CELLS, shown
from gis.importing.reading.formats.headings import HEAD_ROWS, Heading, find_heading, is_blank
from gis.importing.reading.formats.roles import find_roles
from gis.importing.reading.formats.tables import Placed
from gis.importing.reading.formats.values import checked_texts
from gis.importing.reading.guards import unguarded
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["read"]

_DELIMITERS = (",", ";", "\t", "|", "，", "；")
_ROWS = 65_536
_BLOCK_TEXT = 8 << 20


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Read a delimited table; points from columns of coordinates, or other geometry from a column of WKT.

    The delimiter (comma, semicolon, tab, bar, full-width comma), the heading row and the columns of
    coordinates are found by content. Blank rows, and rows of nothing but separators, do not count as rows.

    Raises
    ------
    ImportRefused
        not_text, empty_file, encoding_unknown, column_missing, duplicate_column, too_many_columns,
        coordinate_columns_unclear, unclosed_quote.
    """
    coding = coding_of(path, options.encoding)
    with _any_field_size():
        opening = _opening(path, coding)
        table = _Table(opening, options, path.name)
        placed = table.placed
        if opening.heading.row > 0:
            row = str(opening.heading.row + 1)
            spool.issues.append(Issue(FILE, None, row, "header_found", "repair"))
        if opening.plain:
            _read_blocks(path, coding, table, spool, opening.skip + opening.heading.row + 1)
        else:
            with closing(text_lines(path, coding)) as text:
                lines = islice(text, opening.skip, None)
                _read_records(lines, opening.first_line, coding, table, spool)
    if spool.rows == 0:
        raise refused("empty_file", value=path.name)
    return placed.header("csv", encoding=coding.name)


@contextmanager
def _any_field_size() -> Iterator[None]:
    """Let csv take a field of any size within: how long is too long is told row by row."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


# --- the beginning of the file ---


@dataclass(frozen=True)
class _Opening:
    """How the table begins: its delimiter, its heading, the lines and records before the first row."""

    delimiter: str
    rows: list[list[str]]
    heading: Heading
    skip: int  # a line sep=; at the beginning
    plain: bool  # no quotes, one encoding: fit for blocks

    @property
    def first_line(self) -> int:
        """The number of the line that the first record begins in, from 1."""
        return 1 + self.skip


def _opening(path: Path, coding: Coding) -> _Opening:
    lines = list(islice(_clipped(text_lines(path, coding)), 400))
    text = "".join(lines)
    _refuse_binary(text, path.name)
    if not text.strip():
        raise refused("empty_file", value=path.name)
    skip = 0
    if lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        delimiter, skip = lines[0][4], 1
        lines = lines[1:]
    else:
        delimiter = _delimiter(lines)
    rows = list(islice(csv.reader(lines, delimiter=delimiter), 2 * HEAD_ROWS))
    heading = find_heading(rows[:HEAD_ROWS], name=path.name)
    plain = not coding.mixed and delimiter.isascii() and not _has_quotes(path, coding) and "\n" in text
    return _Opening(delimiter, rows, heading, skip, plain)


def _clipped(lines: Iterable[str]) -> Iterator[str]:
    """Lines up to some megabytes in all; the beginning needs no more."""
    size = 0
    for line in lines:
        yield line
        size += len(line)
        if size > _BLOCK_TEXT:
            return


def _refuse_binary(text: str, name: str) -> None:
    head = text[:65_536]
    control = sum(character < " " and character not in "\t\r\n\f\x1a" for character in head)
    if control * 50 > len(head) + 500 or head.startswith(("\ufffdPNG", "%PDF")):
        raise refused("not_text", value=name, field="binary")


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that cuts most lines into the same number of cells, more than one; else a comma."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        counts = Counter(len(row) for row in islice(csv.reader(lines, delimiter=delimiter), 200) if row)
        counts.pop(1, None)
        if not counts:
            continue
        width, often = counts.most_common(1)[0]
        score = (round(often / max(1, sum(1 for line in lines[:200] if line.strip())), 1), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _has_quotes(path: Path, coding: Coding) -> bool:
    return any(b'"' in chunk for chunk in byte_chunks(path, coding))


# --- rows ---


class _Table:
    """Takes batches of text columns to the spool."""

    def __init__(self, opening: _Opening, options: ReadOptions, name: str) -> None:
        self.delimiter, self.heading = opening.delimiter, opening.heading
        self.names = list(opening.heading.names)
        below = opening.rows[opening.heading.row + 1 :]
        self.placed = Placed(self.names, find_roles(self.names, options, below[:50]))
        self.kept = self.placed.attributes()

    def add(
        self, columns: Sequence[pa.Array], spool: Spool, faults: dict[int, tuple[str, str | None]]
    ) -> None:
        """Append rows; ``faults`` maps places of rows that could not be read to code and value."""
        first = spool.rows
        spool.issues.extend(Issue(first + at, None, value, code) for at, (code, value) in faults.items())
        columns = [self._without_errors(column, at, first, spool) for at, column in enumerate(columns)]
        geometry, issues = self.placed.geometry(columns, first, set(faults))
        spool.issues.extend(issues)
        kept = ((self.names[at], unguarded(columns[at])) for at in self.kept)
        held = [checked_texts(column, name, first, spool.issues) for name, column in kept]
        spool.add(geometry, [self.names[at] for at in self.kept], held)

    def _without_errors(self, column: pa.Array, at: int, first: int, spool: Spool) -> pa.Array:
        """The column with the error values of a spreadsheet (#N/A) as null and an issue."""
        if not pc.any(pc.starts_with(column, "#")).as_py():
            return column
        wrong = pc.fill_null(pc.is_in(pc.utf8_trim_whitespace(column), pa.array(sorted(ERROR_CELLS))), False)
        for place in pc.indices_nonzero(wrong).to_pylist():
            spool.issues.append(Issue(first + place, self.names[at], column[place].as_py(), "error_cell"))
        return pc.if_else(wrong, None, column)


def _read_blocks(path: Path, coding: Coding, table: _Table, spool: Spool, skip: int) -> None:
    """The fast way: whole lines but the first ``skip``, block by block, through Arrow."""
    held = b""
    with closing(byte_chunks(path, coding)) as chunks:
        for chunk in chunks:
            held += chunk
            cut = held.rfind(b"\n") + 1
            if cut:
                skip = _take_block(held[:cut], skip, coding, table, spool)
                held = held[cut:]
    if held:
        _take_block(held, skip, coding, table, spool)


def _take_block(block: bytes, skip: int, coding: Coding, table: _Table, spool: Spool) -> int:
    """Read a block of lines; gives how many lines of the heading are still to be left out."""
    while skip and block:
        block = block[block.find(b"\n") + 1 :] if b"\n" in block else b""
        skip -= 1
    if not block.strip():
        return skip
    names = [str(at) for at in range(len(table.names))]
    try:
        read = pa_csv.read_csv(
            io.BytesIO(block),
            pa_csv.ReadOptions(use_threads=False, column_names=names, block_size=max(len(block), 1) + 1),
            pa_csv.ParseOptions(delimiter=table.delimiter, quote_char=False, double_quote=False),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid:
        lines = io.StringIO(block.decode("utf-8", "surrogateescape"), newline="")
        _read_records(lines, 1, coding, table, spool, skip=0)
        return skip
    if pc.any(_empty(read.columns)).as_py():
        read = read.filter(pc.invert(_empty(read.columns)))
    for batch in read.combine_chunks().to_batches(max_chunksize=_ROWS):
        if batch.num_rows:
            table.add(batch.columns, spool, {})
    return skip


def _empty(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Where a row holds nothing."""
    empty: pa.ChunkedArray | None = None
    for column in columns:
        blank = pc.or_kleene(pc.is_null(column), pc.equal(pc.utf8_trim_whitespace(column), ""))
        empty = blank if empty is None else pc.and_(empty, blank)
        if not pc.any(empty).as_py():
            break
    return pc.fill_null(empty, False)


@dataclass
class _Gathered:
    """Records on their way into a batch."""

    rows: list[Sequence[str | None]] = field(default_factory=list)
    faults: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    size: int = 0


def _read_records(
    lines: Iterable[str], line: int, coding: Coding, table: _Table, spool: Spool, skip: int | None = None
) -> None:
    """The careful way: record by record through Python's csv; ``line`` is the number of the first line."""
    skip = table.heading.row + 1 if skip is None else skip
    reader = csv.reader(lines, delimiter=table.delimiter, strict=True)
    held = _Gathered()
    width = len(table.names)
    while True:
        before = reader.line_num
        try:
            row = next(reader, None)
        except csv.Error as error:
            if reader.line_num - before > 1 or "unexpected end" in str(error):
                raise refused("unclosed_quote", value=str(line + before)) from error
            if skip > 0:
                raise refused("unclosed_quote", value=str(line + before)) from error
            held.faults[len(held.rows)] = ("quote_misplaced", str(line + before))
            held.rows.append([None] * width)
            continue
        if row is None:
            break
        if reader.line_num - before > 1:
            _refuse_swallowed(row, table.delimiter, width, line + before)
        if skip > 0:
            skip -= 1
            continue
        if not any(cell and not cell.isspace() for cell in row):
            continue
        _gather(row, width, held)
        if len(held.rows) >= _ROWS or held.size > 32 << 20:
            _flush(held, table, spool)
            held = _Gathered()
    _flush(held, table, spool)


def _refuse_swallowed(row: Sequence[str], delimiter: str, width: int, line: int) -> None:
    """A field over several lines that holds as many delimiters as whole rows have is a quote left open."""
    for cell in row:
        ends = cell.count("\n") or cell.count("\r")
        if width > 2 and ends and cell.count(delimiter) == ends * (width - 1):
            raise refused("unclosed_quote", value=str(line))


def _gather(row: list[str], width: int, held: _Gathered) -> None:
    """Take one record; foreign bytes and a wrong number of cells are faults, empty cells too many are not."""
    at = len(held.rows)
    text = "".join(row)
    held.size += len(text)
    if is_foreign(text):
        held.faults[at] = ("encoding", shown(guess(",".join(row[:6]))))
        held.rows.append([None if is_foreign(cell) else cell or None for cell in _fitted(row, width)])
        return
    if len(row) != width:
        filled = len(row)
        while filled > width and is_blank(row[filled - 1]):
            filled -= 1
        if filled != width:
            held.faults[at] = ("wrong_field_count", f"{filled} / {width}")
    held.rows.append([cell or None for cell in _fitted(row, width)])


def _fitted(row: list[str], width: int) -> Sequence[str]:
    return (row + [""] * (width - len(row)))[:width]


def _flush(held: _Gathered, table: _Table, spool: Spool) -> None:
    if held.rows:
        columns = [pa.array(column, pa.string()) for column in zip(*held.rows, strict=True)]
        table.add(columns, spool, held.faults)
