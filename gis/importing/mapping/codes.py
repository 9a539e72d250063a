"""Words of a code list into its codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from layers.headings import fold
from layers.model import CodeValue, Field

__all__ = ["FALSE", "TRUE", "boolean_of", "code_of", "half_width", "translations"]

# Full-width forms of ASCII, and the ideographic space. Not NFKC, which makes 102 of 10² and 1 of ①.
_HALF = {0xFF00 + i: 0x20 + i for i in range(1, 0x5F)} | {0x3000: 0x20, 0x00A0: 0x20}

# The written forms of a boolean that need no remark, and further words for it, which count as a repair.
TRUE, FALSE = frozenset({"true", "1", "yes", "是", "t", "y"}), frozenset({"false", "0", "no", "否", "f", "n"})
_ALSO_TRUE = frozenset({"有", "已", "对", "√", "✓", "✔", "☑", "on", "真", "是的"})
_ALSO_FALSE = frozenset({"无", "没有", "未", "错", "×", "✗", "✘", "☒", "off", "假", "不是"})


def half_width(text: str) -> str:
    """``text`` with full-width letters, digits and marks in half width."""
    return text.translate(_HALF)


def translations(field: Field) -> Mapping[str, str]:
    """Folded word -> code, for each code of ``field``: the code, its labels and its aliases.

    A word that stands for two codes stands for none.
    """
    return _translations(field.code_list)


@cache
def _translations(codes: tuple[CodeValue, ...]) -> Mapping[str, str]:
    words: dict[str, str] = {}
    doubtful: set[str] = set()
    for value in codes:
        for word in {fold(w) for w in (value.code, value.zh, value.en, *value.aliases)} - {""}:
            if words.setdefault(word, value.code) != value.code:
                doubtful.add(word)
    # A code is itself, whatever else is called so.
    own = {fold(value.code): value.code for value in codes}
    return MappingProxyType({word: code for word, code in words.items() if word not in doubtful} | own)


def code_of(text: str, words: Mapping[str, str]) -> str | None:
    """The code that ``text`` means: by word, or by a code and its label together ("1 一类工业")."""
    plain = half_width(text)
    for form in (plain, re.sub(r"\.0+$", "", plain)):
        found = words.get(fold(form))
        if found is not None:
            return found
    parts = [p for p in re.split(r"[\s:;|/()\[\]【】-]+", plain) if fold(p)]
    named = {words.get(fold(p)) for p in parts}
    return named.pop() if len(parts) > 1 and len(named) == 1 else None


def boolean_of(text: str) -> tuple[bool, bool] | None:
    """Its value, and whether the word is one that needs a remark; None when it is no boolean."""
    word = text.strip().lower()
    plain = half_width(word).removesuffix(".0")
    if plain in TRUE | FALSE:
        return plain in TRUE, plain != word.removesuffix(".0")
    if plain in _ALSO_TRUE | _ALSO_FALSE:
        return plain in _ALSO_TRUE, True
    return None
