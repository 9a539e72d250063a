"""What a column is called and which field that means: the name itself, its unit, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from layers.headings import Unit, fold, load_headings, load_units, unit_key
from layers.model import Field, Layer, Text

__all__ = ["OWN", "ROW_FIELDS", "SHARED", "Heading", "Match", "Wording", "is_system", "match", "targets"]

# How sure a name is: one of the layer's own (field name, title, alias), or one of the shared vocabulary.
OWN, SHARED = 2, 1

# What a row may state of itself beside the fields. Their names are reserved, so no definition makes them.
ROW_FIELDS: tuple[Field, ...] = tuple(
    Field.model_construct(name=name, title=Text(zh=zh, en=en), type=kind, unit=unit)
    for name, zh, en, kind, unit in (
        ("accuracy_m", "位置误差上限", "Bound of the position error", "number", "m"),
        ("is_indicative", "仅示意", "Indicative only", "boolean", None),
        ("valid_from", "有效期起", "Valid from", "date", None),
        ("valid_to", "有效期止", "Valid to", "date", None),
    )
)

_BRACKETS = re.compile(r"[（(\[【〔<]([^（()\[\]【】〔〕<>）]*(?:\(A\))?)[）)\]】〕>]", re.IGNORECASE)
_UNIT_WORD = re.compile(r"^(?:计量)?单位\s*[:：]?\s*|^units?\s*[:：]\s*", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s_/:：,，、\-—]+")


@dataclass(frozen=True)
class Heading:
    """A column's name taken apart.

    ``whole`` is all of it and ``core`` what is left without unit and remarks, both folded; ``unit_text`` is
    what stands where a unit stands, ``unit`` that unit when it is known.
    """

    column: str
    whole: str
    core: str
    unit_text: str | None = None
    unit: Unit | None = None

    @classmethod
    def of(cls, column: str) -> Heading:
        """The heading ``column``; "面积（亩）", "area_mu", "COD/mg/L" and "面积 单位:公顷" carry a unit."""
        return _heading(column)


@cache
def _heading(column: str) -> Heading:
    units, noise = load_units(), {fold(word) for word in load_headings().noise}
    unit_text: str | None = None
    unit: Unit | None = None
    rest = column.strip().strip("*＊").strip()
    for found in list(_BRACKETS.finditer(rest)):
        words = _UNIT_WORD.sub("", found[1].strip())
        known = units.get(unit_key(words))
        if known is not None or words != found[1].strip():
            unit, unit_text = known, words
        elif fold(words) not in noise:
            continue
        rest = rest.replace(found[0], " ")
    if unit_text is None:
        rest, unit_text, unit = _trailing_unit(rest)
    return Heading(column, fold(column), fold(rest), unit_text, unit)


def _trailing_unit(text: str) -> tuple[str, str | None, Unit | None]:
    """``text`` without the unit that ends it behind a separator; the longest such ending counts."""
    for found in _SEPARATOR.finditer(text):
        words = _UNIT_WORD.sub("", text[found.end() :].strip())
        # An underscore stands for the stroke in names of database columns: flow_m3_d.
        known = load_units().get(unit_key(words)) or load_units().get(unit_key(words.replace("_", "/")))
        if known is not None and found.start() > 0:
            return text[: found.start()], words, known
    return text, None, None


@dataclass(frozen=True)
class Wording:
    """One thing that a field is called, and how sure that is."""

    text: str
    sure: int
    why_zh: str
    why_en: str


def targets(layer: Layer) -> Iterator[Field]:
    """What columns can be mapped to: the fields of ``layer``, then what a row states of itself."""
    yield from layer.fields
    yield from ROW_FIELDS


def wordings(layer: Layer, field: Field) -> Iterator[Wording]:
    """All names of ``field``, the surest first."""
    yield Wording(field.name, OWN, "字段名", "the field's name")
    yield Wording(field.title.zh, OWN, "中文名称", "its Chinese title")
    yield Wording(field.title.en, OWN, "英文名称", "its English title")
    for alias in field.aliases:
        yield Wording(alias, OWN, "图层定义的别名", "an alias in the layer's definition")
    headings = load_headings()
    for meaning in headings.meanings:
        named = field.name in meaning.fields or (field.format is not None and field.format in meaning.formats)
        if named and (not meaning.roles or layer.role in meaning.roles):
            for name in meaning.names:
                yield Wording(name, SHARED, "通用词表", "the shared vocabulary")
    suffixes: tuple[str, ...] = ()
    if field.name == layer.names.label:
        suffixes = headings.label_suffixes
    elif layer.key == (field.name,):
        suffixes = headings.key_suffixes
    for suffix in suffixes:
        for title in (layer.title.zh, layer.title.en):
            yield Wording(f"{title} {suffix}", SHARED, "图层名加后缀", "the layer's title with a suffix")


def hints(field: Field) -> Iterator[str]:
    """Names that a column of ``field`` may have and that columns of other meanings have too."""
    for meaning in load_headings().meanings:
        if field.name in meaning.fields or (field.format is not None and field.format in meaning.formats):
            yield from meaning.hints


@dataclass(frozen=True)
class Match:
    """A column whose name says which field it is. ``sure`` is `OWN` or `SHARED`.

    ``factor_from`` is the unit that the values have to be converted from; None when they need not be.
    """

    column: str
    field: str
    sure: int
    factor_from: Unit | None
    wording: Wording


def match(layer: Layer, field: Field, heading: Heading) -> Match | None:
    """How surely the name alone says that the column is ``field``; None when it does not.

    A heading whose unit is unknown, or does not convert to the field's, is no match.
    """
    best: Match | None = None
    wanted = load_units().get(unit_key(field.unit)) if field.unit else None
    for wording in wordings(layer, field):
        convert = None
        if fold(wording.text) != heading.whole:
            if heading.unit_text is None and fold(wording.text) == heading.core:
                pass
            elif heading.unit_text is None or not _same_core(field, wording.text, heading):
                continue
            elif wanted is None or heading.unit is None or heading.unit.dimension != wanted.dimension:
                continue
            elif heading.unit.to(wanted) != 1:
                convert = heading.unit
        if best is None or wording.sure > best.sure:
            best = Match(heading.column, field.name, wording.sure, convert, wording)
    return best


def _same_core(field: Field, wording: str, heading: Heading) -> bool:
    """Whether the names agree without their units: area_ha and area_mu, 面积（公顷） and 面积."""
    return heading.core in (fold(wording), Heading.of(wording).core if field.unit else fold(wording))


def is_system(layer: Layer, column: str) -> bool:
    """Whether ``column`` names the store's bookkeeping or a right, and no field of ``layer``."""
    folded = fold(column)
    if any(folded == fold(field.name) for field in targets(layer)):
        return False
    return folded in _system()


@cache
def _system() -> frozenset[str]:
    return frozenset(fold(name) for name in load_headings().system)
