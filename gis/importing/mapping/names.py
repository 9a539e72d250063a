"""Which field a column's name means, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gis.importing.mapping.heading import Heading
from gis.importing.mapping.wording import OWN, SHARED, Book, Wording
from layers.headings import Unit, load_units, unit_key
from layers.model import Field

__all__ = ["Match", "certain", "match"]


@dataclass(frozen=True)
class Match:
    """A column whose name says which field it is, by the wording that says so.

    ``factor_from`` is the unit that the values have to be converted from; None when they need not be.
    """

    column: str
    field: str
    factor_from: Unit | None
    wording: Wording

    @property
    def rank(self) -> tuple[int, bool]:
        """What two fields of one column are compared by: the surer name, then the unit of the field."""
        return self.wording.sure, self.factor_from is None

    @property
    def standing(self) -> tuple[bool, bool]:
        """What two columns of one field are compared by: the layer's own words are all alike."""
        return self.wording.sure >= OWN, self.factor_from is None


def match(book: Book, field: Field, heading: Heading) -> Match | None:
    """How surely the name alone says that the column is ``field``; None when it does not.

    A heading whose unit is unknown, or does not convert to the field's, is no match.
    """
    if not heading.core:
        return None
    wanted = load_units().get(unit_key(field.unit)) if field.unit else None
    for wording in book.wordings(field):
        if wording.whole == heading.whole:
            return Match(heading.column, field.name, None, wording)
        if heading.unit_text is None:
            if wording.whole == heading.core:
                return Match(heading.column, field.name, None, wording)
        elif heading.core in (wording.whole, wording.core) and _converts(heading.unit, wanted):
            return Match(
                heading.column, field.name, None if heading.unit == wanted else heading.unit, wording
            )
    return None


def _converts(source: Unit | None, wanted: Unit | None) -> bool:
    return source is not None and wanted is not None and source.dimension == wanted.dimension


def certain(
    book: Book, columns: Sequence[str], taken: Mapping[str, str], *, cut: bool = False
) -> dict[str, list[Match]]:
    """Field -> the columns whose names alone say that they are it, the surest first.

    A column that is as surely another field's belongs to neither. Fields in ``taken`` are left out, with the
    columns that would be theirs. With ``cut`` a name of ten bytes may be a longer one cut short, as DBF does,
    when only one field is called so.
    """
    found: dict[str, list[Match]] = {}
    for column in columns:
        heading = Heading.of(column)
        named = [m for m in (match(book, target, heading) for target in book.targets) if m is not None]
        if not named and cut:
            named = _cut_short(book, column)
        leading = [m for m in named if m.rank == max(m.rank for m in named)]
        if len(leading) == 1 and leading[0].field not in taken:
            found.setdefault(leading[0].field, []).append(leading[0])
    return {name: sorted(matches, key=lambda m: m.rank, reverse=True) for name, matches in found.items()}


_DBF_BYTES = 10


def _cut_short(book: Book, column: str) -> list[Match]:
    """The fields whose name or Chinese title is ``column`` when cut at ten bytes, in UTF-8 or GBK."""
    why = ("被截为 10 字节的名称", "a name cut short")
    return [
        Match(column, target.name, None, Wording.of(name, SHARED, *why, unit=False))
        for target in book.layer.fields
        for name in (target.name, target.title.zh)
        if any(_cut(name, codec).lower() == column.lower() != name.lower() for codec in ("utf-8", "gb18030"))
    ]


def _cut(name: str, codec: str) -> str:
    return name.encode(codec)[:_DBF_BYTES].decode(codec, "ignore")
