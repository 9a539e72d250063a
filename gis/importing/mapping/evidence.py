"""What the values of a column say about the field that it may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from gis.importing.forms import FORMATS
from gis.importing.mapping.codes import boolean_of, code_of, half_width, translations
from gis.importing.mapping.dates import day_of_number, read_date
from gis.importing.mapping.quantities import number_of
from gis.importing.values import texts as as_texts
from layers.headings import load_headings
from layers.model import Field

__all__ = ["Evidence", "Sampled", "evidence_of", "sampled"]

_LOOKED_AT = 60  # distinct values that each pair of a field and a column is judged by
_AT_FIRST = 10  # when none of the first ones suits, the others are not looked at
# Formats that hardly anything else has by chance; five digits may be many things.
_TELLING = frozenset({"uscc", "permit_code", "outfall_code"})


@dataclass(frozen=True)
class Sampled:
    """A column's sample: its distinct texts (at most sixty), and the share of values that are distinct."""

    words: tuple[str, ...]
    distinct: float
    native: str  # "text", "number", "boolean", "time"


@dataclass(frozen=True)
class Evidence:
    """``fit``: the share of values that suit the field; ``telling``: whether that is unlikely by chance."""

    fit: float
    telling: bool
    why_zh: str
    why_en: str


def sampled(column: pa.ChunkedArray) -> Sampled:
    """The sample of one column. A column without values has no words."""
    array = column.combine_chunks()
    kind = array.type
    texts = as_texts(array).drop_null()
    words = texts.unique()
    native = (
        "boolean" if pa.types.is_boolean(kind)
        else "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind)
        else "time" if pa.types.is_temporal(kind)
        else "text"
    )  # fmt: skip
    distinct = len(words) / len(texts) if len(texts) else 0.0
    return Sampled(tuple(words.slice(0, _LOOKED_AT).to_pylist()), distinct, native)


def evidence_of(field: Field, sample: Sampled, *, key: bool) -> Evidence | None:
    """How well the values suit ``field``; None when there are none to judge by."""
    if not sample.words:
        return None
    test, telling, zh, en = _test(field)
    if test is None:
        return _of_text(field, sample, key)
    fit = sum(map(test, sample.words[:_AT_FIRST])) / len(sample.words[:_AT_FIRST])
    if fit > 0:
        fit = sum(map(test, sample.words)) / len(sample.words)
    many = len(sample.words) >= 3 or field.type in ("enum", "boolean")
    share = f"{fit:.0%}"
    return Evidence(fit, telling and many, f"抽样的值 {share} {zh}", f"{share} of the sampled values {en}")


def _test(field: Field) -> tuple[Callable[[str], bool] | None, bool, str, str]:
    if field.format is not None:
        form = FORMATS[field.format][1]
        return (
            lambda text: form(half_width(text).replace(" ", "").upper()),
            field.format in _TELLING,
            f"符合{field.title.zh}的格式",
            f"have the form of {field.title.en.lower()}",
        )
    if field.type == "enum":
        words = translations(field)
        return lambda text: code_of(text, words) is not None, True, "在代码表中", "are in the code list"
    if field.type == "boolean":
        return lambda text: boolean_of(text) is not None, False, "是“是/否”", "are yes or no"
    if field.type in ("integer", "number"):
        return lambda text: _is_number(field, text), False, "是范围内的数值", "are numbers within the range"
    if field.type in ("date", "datetime"):
        return _is_date, True, "是日期", "are dates"
    return None, False, "", ""


def _is_number(field: Field, text: str) -> bool:
    found = number_of(text, field.unit)
    if found is None:
        return False
    number = float(found.text)
    return (field.min is None or number >= field.min) and (field.max is None or number <= field.max)


def _is_date(text: str) -> bool:
    try:
        return bool(day_of_number(float(text)) if text.isdigit() else read_date(text))
    except ValueError:
        return False


def _of_text(field: Field, sample: Sampled, key: bool) -> Evidence | None:
    """A pattern of the definition, the usual shape of such words (…镇), or uniqueness for a key."""
    pattern = field.pattern or _shape(field.name)
    if pattern is not None:
        fit = sum(re.search(pattern, text) is not None for text in sample.words) / len(sample.words)
        return Evidence(
            fit, fit > 0.5, f"抽样的值 {fit:.0%} 形如{field.title.zh}",
            f"{fit:.0%} of the sampled values look like one",
        )  # fmt: skip
    if key:
        return Evidence(
            sample.distinct, False, f"抽样的值 {sample.distinct:.0%} 互不相同",
            f"{sample.distinct:.0%} of the sampled values are distinct",
        )  # fmt: skip
    return Evidence(0.2, False, "值不是文字", "the values are no words") if sample.native != "text" else None


@cache
def _shape(name: str) -> str | None:
    """The regular expression that the vocabulary gives for values of a field of this name."""
    return next((m.shape for m in load_headings().meanings if name in m.fields and m.shape), None)
