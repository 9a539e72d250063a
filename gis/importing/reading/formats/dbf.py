"""The attribute table of a Shapefile, decoded here: every value as its bytes say, not as a header claims.

Layout after "Data File Header Structure for the dBASE Version 7 Table File" (dBase, Inc.) and its elders.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.issues import Issue, refused
from gis.importing.reading.columns import clip, decoded
from gis.importing.reading.formats.codepages import codec_of, detect, language_driver
from gis.importing.reading.limits import limits

__all__ = ["Field", "Table", "open_table"]

_CHUNK = 65_536
_BLANK, _DELETED = 0x20, 0x2A
_Bytes = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


@dataclass(frozen=True)
class Field:
    """A column: its name's bytes, its dBASE type letter, and where its bytes stand in a record."""

    raw_name: bytes
    letter: str
    start: int
    width: int
    decimals: int


@dataclass
class Table:
    """The records of a DBF: ``rows`` that the file holds, ``claimed`` by its header.

    After `settle`: ``codec`` of the text, ``declared`` what was said of it, ``names`` and ``kinds`` of the
    columns.
    """

    fields: list[Field]
    records: _Bytes
    claimed: int
    driver: int
    codec: str = "utf-8"
    declared: str | None = None
    names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Whole records in the file."""
        return len(self.records)

    def settle(self, said: str | None, page: str | None) -> None:
        """Find the encoding and the type of each column, once, over all records.

        ``said`` is what the uploader says and holds; ``page`` the text of the .cpg.
        """
        self.declared = codec_of(page) if page is not None else language_driver(self.driver)
        texts = [f for f in self.fields if f.letter not in "NFDLIO"]
        self.codec = codec_of(said) or detect(self.declared, self._text_bytes(texts))
        self.names = _unique([_name(f.raw_name, self.codec) for f in self.fields])
        self.kinds = [self._kind(f) for f in self.fields]

    def deleted(self, start: int, stop: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of the records are marked as deleted."""
        return np.asarray(self.records[start:stop, 0] == _DELETED)

    def columns(self, start: int, stop: int) -> tuple[list[pa.Array], list[Issue]]:
        """The values of the records, a column at a time, and what was wrong with them."""
        block = np.ascontiguousarray(self.records[start:stop])
        columns: list[pa.Array] = []
        issues: list[Issue] = []
        foreign = np.zeros(stop - start, dtype=bool)
        for held, name, kind in zip(self.fields, self.names, self.kinds, strict=True):
            raw = _cut(block, held)
            if kind == "text":
                column, found = self._decoded(raw, name, start)
                issues += found
                foreign |= (raw >= 0x80).any(axis=1)
                if held.letter in _NOTHING:  # another value made text of the column; these still say nothing
                    empty = pc.match_substring_regex(column, _NOTHING[held.letter])
                    column = pc.if_else(empty, pa.scalar(None, pa.string()), column)
            else:
                column = _KINDS[kind](raw)
            columns.append(column)
        return columns, issues + self._detections(foreign, start, {i.row for i in issues})

    def _detections(
        self, foreign: np.ndarray[tuple[int], np.dtype[np.bool_]], start: int, told: set[int]
    ) -> list[Issue]:
        """A repair for each row whose text was read otherwise than declared; ASCII reads alike in all."""
        if self.codec == self.declared or (self.declared is None and self.codec == "utf-8"):
            return []
        rows = (start + np.flatnonzero(foreign)).tolist()
        name = self.codec.upper()
        return [Issue(row, None, name, "encoding_detected", "repair") for row in rows if row not in told]

    def _text_bytes(self, texts: list[Field]) -> Iterator[bytes]:
        """The names, and each column's values that are more than ASCII, as lines filled up with blanks."""
        yield b"\n".join(held.raw_name + b" " * (len(held.raw_name) < 9) for held in self.fields)
        for start in range(0, self.rows, _CHUNK):
            block = np.ascontiguousarray(self.records[start : start + _CHUNK])
            for held in texts:
                raw = _cut(block, held)
                raw = raw[(raw >= 0x80).any(axis=1)]
                if len(raw):
                    yield _lines(raw)

    def _kind(self, held: Field) -> str:
        """The narrowest type that all values of a column have; text if need be."""
        if held.letter in "IO":
            return {"I": "long", "O": "double"}[held.letter] if held.width in (4, 8) else "text"
        tries = _TRIES.get(held.letter, ())
        for kind in ("float",) if held.letter in "NF" and held.decimals else tries:
            if all(
                _fits(kind, _cut(np.ascontiguousarray(self.records[s : s + _CHUNK]), held))
                for s in range(0, self.rows, _CHUNK)
            ):
                return kind
        return "text"

    def _decoded(self, raw: _Bytes, name: str, start: int) -> tuple[pa.Array, list[Issue]]:
        """Text without the blanks that fill it up; a value of blanks is null."""
        codec = "utf-8" if not (raw >= 0x80).any() else self.codec
        try:
            if codec == "utf-8":
                text = _as_binary(raw).cast(pa.string())
            elif (raw == 0x0A).any():
                return self._one_by_one(raw, name, start)
            else:
                text = pa.array(_lines(raw).decode(codec).split("\n"), pa.string())
        except (pa.ArrowInvalid, UnicodeDecodeError):
            return self._one_by_one(raw, name, start)
        if len(text) != len(raw) or pc.any(pc.greater(pc.utf8_length(text), limits().text_chars)).as_py():
            return self._one_by_one(raw, name, start)
        text = pc.utf8_rtrim(text, characters=" ")
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text), []

    def _one_by_one(self, raw: _Bytes, name: str, start: int) -> tuple[pa.Array, list[Issue]]:
        values: list[str | None] = []
        issues: list[Issue] = []
        for row, line in enumerate(raw, start):
            value = line.tobytes().rstrip(b" ")
            text, issue = self._value(value, len(value) == raw.shape[1], name, row)
            values.append(text or None)
            if issue is not None:
                issues.append(issue)
        return pa.array(values, pa.string()), issues

    def _value(self, value: bytes, full: bool, name: str, row: int) -> tuple[str | None, Issue | None]:
        try:
            return value.decode(self.codec), None
        except UnicodeDecodeError as error:
            # A writer that counts bytes cuts the last character of a value that fills its place.
            if full and error.start >= len(value) - 3:
                text = value[: error.start].decode(self.codec)
                return text, Issue(row, name, clip(text), "text_cut", "warning", value[error.start :].hex())
        return decoded(value, name, row)


def open_table(path: Path) -> Table:
    """The table, its records mapped, not loaded.

    Raises
    ------
    ImportRefused
        dbf_unreadable; too_many_columns.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(65_536)
    if len(head) < 33:
        raise refused("dbf_unreadable", value=f"{size} B")
    claimed, start, length = struct.unpack_from("<IHH", head, 4)
    if not 33 <= start <= size or length < 1 or start > len(head):
        raise refused("dbf_unreadable", value=f"{start}/{length}")
    fields = _fields(head, start)
    if sum(held.width for held in fields) + 1 > length:
        raise refused("dbf_unreadable", value=f"{length} < {sum(held.width for held in fields) + 1}")
    if len(fields) > limits().columns:
        raise refused("too_many_columns", value=str(len(fields)), expected=str(limits().columns))
    whole = (size - start) // length
    shape = (whole, length)
    records = np.memmap(path, np.uint8, "r", start, shape) if whole else np.zeros((0, length), dtype=np.uint8)
    return Table(fields, records, claimed, head[29])


def _fields(head: bytes, end: int) -> list[Field]:
    fields: list[Field] = []
    at, start = 32, 1
    while at + 32 <= end and head[at] != 0x0D:
        name = head[at : at + 11].split(b"\x00")[0].rstrip(b" ")
        letter = chr(head[at + 11]).upper()
        width, decimals = head[at + 16], head[at + 17]
        if letter == "C" and decimals:  # the way of Clipper and FoxPro to long texts
            width, decimals = width + 256 * decimals, 0
        fields.append(Field(name, letter, start, width, decimals))
        start += width
        at += 32
    return fields


def _name(raw: bytes, codec: str) -> str:
    """A column's name; the last character of one that fills its ten bytes may be cut."""
    for name in (codec, "utf-8", "gb18030"):
        try:
            return raw.decode(name).strip()
        except UnicodeDecodeError as error:
            if error.start >= len(raw) - 3 and len(raw) >= 9:
                return raw[: error.start].decode(name).strip()
    return raw.decode("latin-1").strip()


def _unique(names: list[str]) -> list[str]:
    """The names, with _2, _3 ... on those that stand more than once or are empty."""
    made: list[str] = []
    for name in names:
        base, number = name or "field", 2
        new = base
        while new in made:
            new, number = f"{base}_{number}", number + 1
        made.append(new)
    return made


def _lines(raw: _Bytes) -> bytes:
    """The values one to a line."""
    return np.concatenate([raw, np.full((len(raw), 1), 0x0A, np.uint8)], axis=1).tobytes()[:-1]


def _cut(block: _Bytes, held: Field) -> _Bytes:
    """The bytes of a column; what follows a NUL is not the value's."""
    raw = block[:, held.start : held.start + held.width]
    if held.letter not in "IO" and (raw == 0).any():
        raw = np.where(np.logical_or.accumulate(raw == 0, axis=1), np.uint8(_BLANK), raw)
    return raw


# --- Values -----------------------------------------------------------------------------------------------


def _as_binary(raw: _Bytes) -> pa.Array:
    width = raw.shape[1]
    if width == 0:
        return pa.array([b""] * len(raw), pa.binary())
    buffer = pa.py_buffer(np.ascontiguousarray(raw))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(raw), [None, buffer]).cast(pa.binary())


def _words(raw: _Bytes) -> pa.Array:
    """Trimmed ASCII, null where there is nothing, or asterisks, which stand for a number that did not fit."""
    text = pc.ascii_trim(_as_binary(raw).cast(pa.string()), characters=" \t\r\n")
    empty = pc.match_substring_regex(text, r"^[*?]*$")
    return pc.if_else(empty, pa.scalar(None, pa.string()), text)


# How a date and a truth value are written that there is not.
_NOTHING = {"D": r"^[0\-/ ]*$", "L": r"^\?$"}


def _int(raw: _Bytes) -> pa.Array:
    return pc.utf8_ltrim(_words(raw), characters="+").cast(pa.int64())


def _float(raw: _Bytes) -> pa.Array:
    return pc.utf8_ltrim(_words(raw), characters="+").cast(pa.float64())


def _date(raw: _Bytes) -> pa.Array:
    text = _words(raw)
    text = pc.if_else(pc.match_substring_regex(text, r"^[0\-/ ]*$"), pa.scalar(None, pa.string()), text)
    if pc.any(pc.not_equal(pc.utf8_length(text), 8)).as_py():
        raise pa.ArrowInvalid("a date of other than 8 digits")
    parts = [pc.utf8_slice_codeunits(text, a, b) for a, b in ((0, 4), (4, 6), (6, 8))]
    joined = pc.binary_join_element_wise(*parts, "-")
    return joined.cast(pa.date32())


def _bool(raw: _Bytes) -> pa.Array:
    text = pc.utf8_upper(_words(raw))
    yes, no = (pc.is_in(text, pa.array(letters)) for letters in (["Y", "T", "1"], ["N", "F", "0"]))
    if not pc.all(pc.or_(pc.or_(yes, no), pc.is_null(text))).as_py():
        raise pa.ArrowInvalid("neither true nor false")
    return pc.if_else(pc.is_null(text), pa.scalar(None, pa.bool_()), yes)


def _long(raw: _Bytes) -> pa.Array:
    return pa.array(np.ascontiguousarray(raw).view("<i4").ravel().astype(np.int64))


def _double(raw: _Bytes) -> pa.Array:
    return pa.array(np.ascontiguousarray(raw).view("<f8").ravel())


_KINDS: dict[str, Callable[[_Bytes], pa.Array]] = {
    "int": _int,
    "float": _float,
    "date": _date,
    "bool": _bool,
    "long": _long,
    "double": _double,
}


# What to try for each type letter.
_TRIES = {"N": ("int", "float"), "F": ("int", "float"), "D": ("date",), "L": ("bool",)}


def _fits(kind: str, raw: _Bytes) -> bool:
    try:
        _KINDS[kind](raw)
    except pa.ArrowInvalid:
        return False
    return True
