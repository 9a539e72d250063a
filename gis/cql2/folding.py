"""Texts compared without case or accents, in the database and by its own Unicode tables.

CASEI: full case folding (Unicode, 5.18) is, but for two letters, the lower case of the full upper case: upper
case takes together what one letter is in several forms (σ ς, ß ss), lower case makes it stable. By hand, the
dotless ı is kept apart from i, and the capital ẞ taken for ss.

ACCENTI: canonical decomposition, nonspacing marks removed but for the voicing marks of Japanese (21-065,
implementation guidance and /rec/accent-insensitive-comparison), and composed again.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Text, collate, func, literal, literal_column

__all__ = ["without_accents", "without_case"]

_ICU = "und-x-icu"
_DOTLESS, _STAND_IN = "ı", "\ue000"
_KEPT_MARKS = {0x3099, 0x309A}


def without_case(text: ColumnElement[Any]) -> ColumnElement[str]:
    """``text`` with its case folded; null stays null."""
    kept = func.replace(text, literal(_DOTLESS, Text), literal(_STAND_IN, Text))
    kept = func.replace(kept, literal("ẞ", Text), literal("ss", Text))
    folded = func.lower(collate(func.upper(collate(kept, _ICU)), _ICU))
    folded = func.replace(folded, literal("ς", Text), literal("σ", Text))  # lower case at the end of a word
    # With a collation of its own, since that of ICU could be compared with nothing else.
    return collate(func.replace(folded, literal(_STAND_IN, Text), literal(_DOTLESS, Text), type_=Text), "C")


def without_accents(text: ColumnElement[Any]) -> ColumnElement[str]:
    """``text`` without accents; null stays null."""
    parts = func.normalize(text, literal_column("NFD"))
    bare = func.regexp_replace(parts, literal(_marks(), Text), literal("", Text), literal("g", Text))
    return func.normalize(bare, literal_column("NFC"), type_=Text)


@cache
def _marks() -> str:
    """A regular expression for nonspacing marks, of all planes."""
    points = [
        point
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) == "Mn" and point not in _KEPT_MARKS
    ]
    spans: list[list[int]] = []
    for point in points:
        if spans and spans[-1][1] == point - 1:
            spans[-1][1] = point
        else:
            spans.append([point, point])
    return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in spans) + "]"
