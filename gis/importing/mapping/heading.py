"""A column's name taken apart: what it names, and the unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from layers.headings import Unit, fold, load_headings, load_units, unit_key

__all__ = ["Heading"]

_BRACKETS = re.compile(r"[（(\[【〔<]([^（()\[\]【】〔〕<>）]*(?:\(A\))?)[）)\]】〕>]", re.IGNORECASE)
_UNIT_WORD = re.compile(r"^(?:计量)?单位\s*[:：]?\s*|^units?\s*[:：]\s*", re.IGNORECASE)
_LONGEST_UNIT = 24
_STATED = re.compile(r"[\s,，;；]*(?:计量)?单位\s*[:：]\s*(\S+)\s*$")
_SEPARATOR = re.compile(r"[\s_/:：,，、\-—]+")


@dataclass(frozen=True)
class Heading:
    """A column's name taken apart.

    ``whole`` is all of it and ``core`` what is left without unit and remarks, both folded; ``unit_text`` is
    what stands where a unit stands, ``unit`` that unit when it is known. ``remark`` is what else stands in
    brackets, which may be a unit that nobody knows.
    """

    column: str
    whole: str
    core: str
    unit_text: str | None = None
    unit: Unit | None = None
    remark: str | None = None

    @classmethod
    def of(cls, column: str) -> Heading:
        """The heading ``column``; "面积（亩）", "area_mu", "COD/mg/L" and "面积 单位:公顷" carry a unit."""
        return _heading(column)


@cache
def _heading(column: str) -> Heading:
    units, noise = load_units(), {fold(word) for word in load_headings().noise}
    unit_text: str | None = None
    unit: Unit | None = None
    remark: str | None = None
    rest = column.strip().strip("*＊").strip()
    for found in list(_BRACKETS.finditer(rest)):
        words = _UNIT_WORD.sub("", found[1].strip())
        known = units.get(unit_key(words))
        if known is not None or words != found[1].strip():
            unit, unit_text = known, words
        elif fold(words) not in noise:
            remark = words or None
            continue
        rest = rest.replace(found[0], " ")
    if unit_text is None:
        rest, unit_text, unit = _trailing_unit(rest)
    return Heading(column, fold(column), fold(rest), unit_text, unit, remark)


def _trailing_unit(text: str) -> tuple[str, str | None, Unit | None]:
    """``text`` without the unit that ends it behind a separator; the longest such ending counts."""
    stated = _STATED.search(text)
    if stated is not None:
        return text[: stated.start()], stated[1], load_units().get(unit_key(stated[1]))
    for found in _SEPARATOR.finditer(text, max(0, len(text) - _LONGEST_UNIT)):
        words = text[found.end() :].strip()
        # An underscore stands for the stroke in names of database columns: flow_m3_d.
        known = load_units().get(unit_key(words)) or load_units().get(unit_key(words.replace("_", "/")))
        if known is not None and fold(text[: found.start()]):
            return text[: found.start()], words, known
    return text, None, None
