"""Which row of a table is its heading? Titles and notes may stand above it, and cells of it may be merged."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gis.importing.issues import refused
from gis.importing.reading.formats.characters import guess, is_foreign
from gis.importing.reading.formats.coordinates import ERROR_CELLS, shown
from gis.importing.reading.limits import limits

__all__ = ["HEAD_ROWS", "Heading", "find_heading", "is_blank"]

HEAD_ROWS = 60  # rows looked at to find the heading
_NUMBER = re.compile(r"[+-]?(\d[\d,]*\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
_YEAR = re.compile(r"(19|20)\d\d")
_DATE = re.compile(r"\d{2,4}[-/.年]\d{1,2}([-/.月]\d{1,4}日?)?([ T]\d{1,2}:\d{2}(:\d{2})?)?")
_DEGREES = re.compile(r"[东西南北经纬EWNS]*\s*\d+(\.\d+)?\s*[°º˚度:].*")


@dataclass(frozen=True)
class Heading:
    """``row`` is the index of the heading's last row among those given, ``names`` the columns in their order.

    ``merged`` tells that two rows were joined.
    """

    row: int
    names: tuple[str, ...]
    merged: bool = False


def is_blank(cell: str | None) -> bool:
    """Is there nothing in the cell?"""
    return cell is None or not cell.strip()


def _is_value(cell: str) -> bool:
    """Is this a value and not the name of a column? A year may be a name."""
    cell = unicodedata.normalize("NFKC", cell).strip()
    if _YEAR.fullmatch(cell):
        return False
    patterns = (_NUMBER, _DATE, _DEGREES)
    return cell in ERROR_CELLS or len(cell) > 100 or any(p.fullmatch(cell) for p in patterns)


def find_heading(rows: Sequence[Sequence[str | None]], *, name: str) -> Heading:
    """The heading among the first rows of a table.

    It is the first row that has as many cells as most rows (at least half of that), none of them a number, a
    date or a coordinate. Titles have fewer cells. A second row below that completes merged cells (坐标
    over 经度 and 纬度) is joined to it.

    Raises
    ------
    ImportRefused
        column_missing when there is no such row, duplicate_column, too_many_columns, encoding_unknown for a
        heading in another encoding; empty_file for no rows.
    """
    filled = [sum(not is_blank(cell) for cell in row) for row in rows]
    if not any(filled):
        raise refused("empty_file", value=name)
    usual = Counter(n for n in filled if n).most_common(1)[0][0]
    usual = max(usual, 1 if max(filled) == 1 else 2)
    for at, row in enumerate(rows):
        cells = [cell.strip() for cell in row if cell is not None and cell.strip()]
        if filled[at] * 2 < usual or filled[at] < min(2, max(filled)):
            continue
        if any(_is_value(cell) for cell in cells):
            break  # values before any heading: there is none
        return _named(rows, at, name)
    first = next(row for row, n in zip(rows, filled, strict=True) if n)
    told = shown(", ".join(cell for cell in first[:6] if cell)) or ""
    raise refused("column_missing", expected="表头 / heading", value=told)


def _named(rows: Sequence[Sequence[str | None]], at: int, name: str) -> Heading:
    upper = [_clean(cell) for cell in rows[at]]
    merged = False
    if at + 1 < len(rows) and _completes(upper, rows[at + 1]):
        lower = [_clean(cell) for cell in rows[at + 1]]
        width = max(len(upper), len(lower))
        upper += [""] * (width - len(upper))
        lower += [""] * (width - len(lower))
        upper, merged = [low or up for up, low in zip(upper, lower, strict=True)], True
    while upper and not upper[-1]:
        upper.pop()
    if len(upper) > limits().columns:
        raise refused("too_many_columns", value=str(len(upper)), expected=str(limits().columns))
    if any(is_foreign(each) for each in upper):
        raise refused("encoding_unknown", value=shown(guess(", ".join(upper))) or "")
    twice = [each for each, count in Counter(n for n in upper if n).items() if count > 1]
    if twice:
        raise refused("duplicate_column", value=shown("、".join(twice)) or "")
    taken = set(upper)
    for place, each in enumerate(upper):
        if not each:
            fresh = f"column_{place + 1}"
            upper[place] = fresh if fresh not in taken else f"{fresh}_"
    return Heading(at + merged, tuple(upper), merged)


def _clean(cell: str | None) -> str:
    """A name on one line."""
    return " ".join((cell or "").replace("\0", "").split())


def _completes(upper: Sequence[str], below: Sequence[str | None]) -> bool:
    """Is the row below the second half of a heading with merged cells?"""
    low = [(cell or "").strip() for cell in below]
    cells = [cell for cell in low if cell]
    if not cells or any(_is_value(cell) for cell in cells):
        return False
    gaps = [at for at, cell in enumerate(low) if cell and (at >= len(upper) or not upper[at])]
    covered = [at for at, cell in enumerate(low) if not cell and at < len(upper) and upper[at]]
    return bool(gaps) and bool(covered)
