"""Which field a column's name means, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from gis.importing.mapping.heading import Heading
from layers.headings import Unit, fold, load_headings, load_units, unit_key
from layers.model import Field, Layer, Text

__all__ = [
    "OWN",
    "ROW_FIELDS",
    "SHARED",
    "Match",
    "Wording",
    "certain",
    "hints",
    "is_system",
    "match",
    "targets",
    "wordings",
]

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

    @property
    def rank(self) -> tuple[int, bool]:
        """A name of the layer's own before one of the vocabulary, its own unit before a conversion."""
        return self.sure, self.factor_from is None


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


def certain(
    layer: Layer, columns: Sequence[str], taken: Mapping[str, str], *, cut: bool = False
) -> dict[str, list[Match]]:
    """Field -> the columns whose names alone say that they are it, the surest first.

    A column that is as surely another field's belongs to neither. Fields in ``taken`` are left out. With
    ``cut`` a name of ten bytes may be a longer one cut short, as DBF does, when only one field is called so.
    """
    found: dict[str, list[Match]] = {}
    open_targets = [target for target in targets(layer) if target.name not in taken]
    for column in columns:
        heading = Heading.of(column)
        named = [m for m in (match(layer, target, heading) for target in open_targets) if m is not None]
        if not named and cut:
            named = _cut_short(layer, column)
            named = [m for m in named if len(named) == 1 and m.field not in taken]
        leading = [m for m in named if m.rank == max(m.rank for m in named)]
        if len(leading) == 1:
            found.setdefault(leading[0].field, []).append(leading[0])
    return {name: sorted(matches, key=lambda m: m.rank, reverse=True) for name, matches in found.items()}


_DBF_BYTES = 10


def _cut_short(layer: Layer, column: str) -> list[Match]:
    """The fields whose name or Chinese title is ``column`` when cut at ten bytes, in UTF-8 or GBK."""
    return [
        Match(
            column,
            target.name,
            SHARED,
            None,
            Wording(name, SHARED, "被截为 10 字节的名称", "a name cut short"),
        )
        for target in layer.fields
        for name in (target.name, target.title.zh)
        if any(_cut(name, codec).lower() == column.lower() != name.lower() for codec in ("utf-8", "gb18030"))
    ]


def _cut(name: str, codec: str) -> str:
    return name.encode(codec)[:_DBF_BYTES].decode(codec, "ignore")


def is_system(layer: Layer, column: str) -> bool:
    """Whether ``column`` names the store's bookkeeping or a right, and no field of ``layer``."""
    folded = fold(column)
    if any(folded == fold(field.name) for field in targets(layer)):
        return False
    return folded in _system()


@cache
def _system() -> frozenset[str]:
    return frozenset(fold(name) for name in load_headings().system)
