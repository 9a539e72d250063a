"""All that the fields of a layer are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from gis.importing.mapping.heading import Heading
from layers.headings import Meaning, fold, load_headings
from layers.model import Field, Layer, Text

__all__ = ["NAME", "OWN", "ROW_FIELDS", "SHARED", "Book", "Wording", "is_system", "targets"]

# How sure a name is: the field's name, another of the layer's own words (title, alias), or a shared one.
NAME, OWN, SHARED = 3, 2, 1

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


@dataclass(frozen=True)
class Wording:
    """One thing that a field is called, and how sure that is.

    ``whole`` and ``core`` are the text folded, with and without the unit in it (area_mu: areamu, area).
    """

    text: str
    sure: int
    why_zh: str
    why_en: str
    whole: str
    core: str

    @classmethod
    def of(cls, text: str, sure: int, why_zh: str, why_en: str, *, unit: bool) -> Wording:
        """The wording ``text``; only that of a field with a ``unit`` may have one in it."""
        return cls(text, sure, why_zh, why_en, fold(text), Heading.of(text).core if unit else fold(text))


def targets(layer: Layer) -> Iterator[Field]:
    """What columns can be mapped to: the fields of ``layer``, then what a row states of itself."""
    yield from layer.fields
    yield from ROW_FIELDS


class Book:
    """The wordings of each target of a layer, the surest first, and the hints; made once a file."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.targets = tuple(targets(layer))
        self._wordings = {field.name: tuple(_wordings(layer, field)) for field in self.targets}
        self._hints = {
            field.name: (
                *(hint for meaning in _meanings(layer, field) for hint in meaning.hints),
                *_suffixes(layer, field),
            )
            for field in self.targets
        }

    def wordings(self, field: Field) -> tuple[Wording, ...]:
        """All names of ``field``, the surest first."""
        return self._wordings[field.name]

    def hints(self, field: Field) -> tuple[str, ...]:
        """Names that a column of ``field`` may have, and that columns of other meanings have too."""
        return self._hints[field.name]

    def in_full(self, field: Field, heading: Heading) -> bool:
        """Whether the whole heading is a name of the field, so that no part of it is a unit or a remark."""
        return any(wording.whole == heading.whole for wording in self.wordings(field))


def _meanings(layer: Layer, field: Field) -> Iterator[Meaning]:
    for meaning in load_headings().meanings:
        named = field.name in meaning.fields or (field.format is not None and field.format in meaning.formats)
        if named and (not meaning.roles or layer.role in meaning.roles):
            yield meaning


def _wordings(layer: Layer, field: Field) -> Iterator[Wording]:
    unit = field.unit is not None
    yield Wording.of(field.name, NAME, "字段名", "the field's name", unit=unit)
    yield Wording.of(field.title.zh, OWN, "中文名称", "its Chinese title", unit=unit)
    yield Wording.of(field.title.en, OWN, "英文名称", "its English title", unit=unit)
    for alias in field.aliases:
        yield Wording.of(alias, OWN, "图层定义的别名", "an alias in the layer's definition", unit=unit)
    for meaning in _meanings(layer, field):
        for name in meaning.names:
            yield Wording.of(name, SHARED, "通用词表", "the shared vocabulary", unit=unit)
    for suffix in _suffixes(layer, field):
        for title in (layer.title.zh, layer.title.en):
            why = "the layer's title with a suffix"
            yield Wording.of(f"{title} {suffix}", SHARED, "图层名加后缀", why, unit=unit)


def _suffixes(layer: Layer, field: Field) -> tuple[str, ...]:
    """What makes, behind the layer's title, a name of the field (企业名称); alone it is only a hint."""
    if field.name == layer.names.label:
        return load_headings().label_suffixes
    return load_headings().key_suffixes if layer.key == (field.name,) else ()


def is_system(layer: Layer, column: str) -> bool:
    """Whether ``column`` names the store's bookkeeping or a right, and no field of ``layer``."""
    folded = fold(column)
    if any(folded == fold(field.name) for field in targets(layer)):
        return False
    return folded in _system()


@cache
def _system() -> frozenset[str]:
    return frozenset(fold(name) for name in load_headings().system)
