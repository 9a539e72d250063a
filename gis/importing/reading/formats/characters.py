"""In which encoding is a text file, and which of its lines are not in it?

UTF-8 when the bytes allow it, by byte-order mark UTF-16 or UTF-32, else GB18030 when all lines allow it and
the result reads as Chinese. A file of both is read in the encoding of most lines; the others are marked,
never guessed: bytes that do not belong come out as lone surrogates (PEP 383), which `is_foreign` finds and
`guess` puts into words.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from gis.importing.issues import refused

__all__ = ["Coding", "byte_chunks", "coding_of", "guess", "is_foreign", "text_lines"]

CHUNK = 4 << 20
_LONGEST_LINE = 64 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {"utf-8": "UTF-8", "gb18030": "GB18030"}
_NO_FILES = ("idna", "punycode", "unicode_escape", "raw_unicode_escape")
_FOREIGN = re.compile("[\ud800-\udfff]")
_LONE_RETURN = re.compile(r"(?<=\r)(?!\n|$)")  # ends a line too
_THREE_BYTES = re.compile(rb"[\xe2-\xef][\x80-\xbf][\x80-\xbf]")


@dataclass(frozen=True)
class Coding:
    """``codec`` is Python's name; ``skip`` the length of the mark; ``mixed`` that some lines do not fit."""

    codec: str
    skip: int = 0
    mixed: bool = False

    @property
    def name(self) -> str:
        """The encoding as people write it."""
        return _NAMES.get(self.codec, self.codec.upper())


def coding_of(path: Path, said: str | None = None) -> Coding:
    """The encoding of the file; ``said`` is what the uploader says, and then holds.

    Raises refused("encoding_unknown") for a name that is no text encoding, and for broken UTF-16 or UTF-32.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    skip, marked = next(((len(bom), codec) for bom, codec in _BOMS if head.startswith(bom)), (0, None))
    if said is not None:
        return _as_said(path, said, skip, marked)
    if marked is not None and marked != "utf-8":
        return _whole(path, Coding(marked, skip))
    silent = _utf16_without_mark(head)
    if silent is not None and _decodes(path, silent):
        return Coding(silent)
    if _decodes(path, "utf-8"):
        return Coding("utf-8", skip)
    return Coding(*_by_lines(path, skip))


def _as_said(path: Path, said: str, skip: int, marked: str | None) -> Coding:
    try:
        info = codecs.lookup(said)
        codec = info.name
        if codec in ("gbk", "gb2312", "cp936"):
            codec = "gb18030"  # the same characters and more
        if not info._is_text_encoding or codec in (
            "idna",
            "punycode",
            "unicode_escape",
            "raw_unicode_escape",
        ):
            raise LookupError(said)
        if codec in ("utf-8-sig", "utf-16", "utf-32"):
            codec = marked or codec.removesuffix("-sig")
    except LookupError as error:
        raise refused("encoding_unknown", value=said) from error
    skip = skip if codec == marked else 0
    if codec.startswith(("utf-16", "utf-32")):
        return _whole(path, Coding(codec, skip))
    return Coding(codec, skip, mixed=not _decodes(path, codec))


def _whole(path: Path, coding: Coding) -> Coding:
    """An encoding of more than one byte a character, which no line can leave alone."""
    if not _decodes(path, coding.codec):
        raise refused("encoding_unknown", value=coding.name)
    return coding


def _utf16_without_mark(head: bytes) -> str | None:
    """Every second byte of ASCII text in UTF-16 is zero; line ends and separators are enough of it."""
    if len(head) < 8 or b"\0" not in head:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    most = len(head) // 8
    if odd > most and even <= odd // 16:
        return "utf-16-le"
    return "utf-16-be" if even > most and odd <= even // 16 else None


def _decodes(path: Path, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _by_lines(path: Path, skip: int) -> tuple[str, int, bool]:
    """The encoding that most lines of a file are in which is not UTF-8 throughout."""
    utf8 = chinese = neither = 0
    sample: list[str] = []
    with path.open("rb") as file:
        file.seek(skip)
        while line := file.readline(_LONGEST_LINE):
            if line.isascii():
                continue
            if _is_utf8(line):
                utf8 += 1
                continue
            try:
                text = line.decode("gb18030")
            except UnicodeDecodeError:
                neither += 1
                continue
            chinese += 1
            if len(sample) < 200:
                sample.append(text[:4000])
    if skip == 0 and chinese > utf8 and _reads_as_chinese("".join(sample)):
        return "gb18030", 0, utf8 + neither > 0
    return "utf-8", skip, True


def _is_utf8(line: bytes) -> bool:
    """UTF-8 for sure: two-byte sequences alone may as well be GB18030 (联通)."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return _THREE_BYTES.search(line) is not None


def _reads_as_chinese(text: str) -> bool:
    """Are most characters among the usual ones? UTF-8 read as GB18030 gives rare ones (鏉窞)."""
    strange = [c for c in text if ord(c) > 127][:4000]
    usual = 0
    for character in strange:
        try:
            usual += 0xA1 <= character.encode("gb2312")[0] <= 0xD7
        except UnicodeEncodeError:
            continue
    return usual * 5 >= len(strange) * 3


def text_lines(path: Path, coding: Coding) -> Generator[str, None, None]:
    """The lines of the file with their ends, as `csv.reader` wants them; foreign bytes as lone surrogates.

    Close it: a refusal keeps what it came through, and with it the file.
    """
    if not coding.mixed:
        with path.open("rb") as file:
            file.seek(coding.skip)
            with io.TextIOWrapper(file, encoding=coding.codec, errors="surrogateescape", newline="") as text:
                yield from text
        return
    with path.open("rb") as file:
        file.seek(coding.skip)
        for line in file:
            yield from _LONE_RETURN.split(_decoded(line, coding))


def _decoded(line: bytes, coding: Coding) -> str:
    """A line of a file of two encodings; all that is not ASCII is foreign in a line of the other."""
    try:
        if coding.codec != "gb18030" or line.isascii() or not _is_utf8(line):
            return line.decode(coding.codec)
    except UnicodeDecodeError:
        pass
    return line.decode("ascii", "surrogateescape")


def byte_chunks(path: Path, coding: Coding) -> Generator[bytes, None, None]:
    """The file as UTF-8 some megabytes at a time, without the mark; what cannot be decoded stays as it is.

    Close it, as `text_lines`.
    """
    with path.open("rb") as file:
        file.seek(coding.skip)
        if coding.codec == "utf-8":
            while chunk := file.read(CHUNK):
                yield chunk
            return
        with io.TextIOWrapper(file, encoding=coding.codec, errors="surrogateescape", newline="") as text:
            while part := text.read(CHUNK // 2):
                yield part.encode("utf-8", "surrogateescape")


def is_foreign(text: str) -> bool:
    """Does the text hold bytes of another encoding, or half a character?"""
    return _FOREIGN.search(text) is not None


def guess(text: str) -> str:
    """What a text with foreign bytes may have meant, in characters that can be shown."""
    raw = text.encode("utf-8", "surrogateescape") if not re.search("[\ud800-\udc7f]", text) else b""
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec) if raw else text.encode("utf-8", "replace").decode()
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")
