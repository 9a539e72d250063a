"""Which encoding is the text of a DBF in? The bytes decide; .cpg and language driver only where they agree.

Half of the Shapefiles that travel in China say nothing, or say UTF-8 or Latin-1 and are GBK.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable

__all__ = ["codec_of", "detect", "language_driver"]

# Language driver identifiers of dBASE that still occur; 0 and 0x57 ("ANSI") say nothing.
_DRIVERS = {0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "big5", 0x78: "big5", 0x13: "cp932", 0x7B: "cp932",
            0x4E: "cp949", 0x79: "cp949", 0x03: "cp1252", 0x01: "cp437", 0x02: "cp850", 0xC8: "cp1250",
            0xC9: "cp1251"}  # fmt: skip
_CHINESE = {"gbk", "gb2312", "gb18030", "cp936", "936", "hz"}
_PAGES = {"65001": "utf-8", "936": "gb18030", "950": "big5", "54936": "gb18030", "1252": "cp1252",
          "88591": "latin-1", "ansi 1252": "cp1252", "big5": "big5", "ansi 936": "gb18030"}  # fmt: skip


def codec_of(name: str | None) -> str | None:
    """Python's name for an encoding as a .cpg or a person writes it; None for one that is not known.

    GBK, GB 2312 and CP936 are read as GB18030, which holds them all.
    """
    if name is None or not name.strip():
        return None
    text = name.strip().strip("\ufeff\x00").lower()
    text = _PAGES.get(text, text)
    try:
        found = codecs.lookup(text if not text.isdigit() else f"cp{text}").name
    except (LookupError, ValueError):
        return None
    if found in _CHINESE:
        return "gb18030"
    return {"utf-8-sig": "utf-8", "iso8859-1": "latin-1"}.get(found, found)


def language_driver(number: int) -> str | None:
    """The encoding that byte 29 of the header names; None where it names none."""
    return _DRIVERS.get(number)


def detect(declared: str | None, blocks: Iterable[bytes]) -> str:
    """The encoding of the lines in ``blocks``, each of a column's width, filled up with blanks.

    UTF-8 when all fit and read as what people write; else GB18030 when all fit; else what is declared,
    when all fit; else that in which fewest do not. Text of nothing but ASCII is what is declared, else
    UTF-8. A line without a blank at its end may end in half a character.
    """
    held = [block for block in blocks if not block.isascii()]
    if not held:
        return declared or "utf-8"
    misfits = {codec: _misfits(codec, held) for codec in ("utf-8", "gb18030")}
    if misfits["utf-8"] == 0:
        # Two bytes of GBK may pass for a letter of UTF-8, Cyrillic say, but not for a Chinese character.
        if not _chinese("utf-8", held) and misfits["gb18030"] == 0 and _chinese("gb18030", held):
            return "gb18030"
        return "utf-8"
    fits = declared is not None and declared not in misfits and _misfits(declared, held) == 0
    if fits and (misfits["gb18030"] or declared in ("big5", "cp932", "cp949")):
        return str(declared)
    return min(("gb18030", "utf-8"), key=lambda codec: misfits[codec])


def _misfits(codec: str, held: list[bytes]) -> int:
    """How many lines are not in ``codec``."""
    found = 0
    for block in held:
        try:
            block.decode(codec)
        except UnicodeDecodeError:
            found += sum(not _fits(codec, line) for line in block.split(b"\n"))
    return found


def _fits(codec: str, line: bytes) -> bool:
    value = line.rstrip(b" ")
    try:
        value.decode(codec)
    except UnicodeDecodeError as error:
        return len(value) == len(line) and error.start >= len(value) - 3
    return True


def _chinese(codec: str, held: list[bytes]) -> bool:
    """Is most of what is not ASCII a Chinese character?"""
    text = "".join(block[:20_000].decode(codec, errors="ignore") for block in held[:50])
    foreign = [letter for letter in text if letter > "\x7f"]
    return sum("\u4e00" <= letter <= "\u9fff" for letter in foreign) * 2 > len(foreign)
