"""The order of rows: by properties, then by the row's number, so that no two rows stand at one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, UnaryExpression, and_, bindparam, collate, false, or_

from gis.errors import QueryError
from gis.features.places import Place
from gis.filters import column_of, filterable
from layers.model import Layer

__all__ = ["MAX_KEYS", "SortKey", "behind", "in_order", "parse_sort", "sort_columns", "sortable"]

MAX_KEYS = 8


@dataclass(frozen=True)
class SortKey:
    """A property to sort by; rows without a value come last, or with ``descending`` first."""

    name: str
    descending: bool = False

    @property
    def text(self) -> str:
        """As the parameter ``sortby`` writes it."""
        return ("-" if self.descending else "") + self.name


def sortable(layer: Layer) -> Sequence[str]:
    """The names of the properties that rows of ``layer`` can be sorted by."""
    return tuple(filterable(layer))


def parse_sort(text: str, layer: Layer) -> tuple[SortKey, ...]:
    """The keys that ``text`` names: ``-name,+kind``. A space is a plus, which addresses write so.

    Raises QueryError for an unknown or repeated name, and for more than 8 of them.
    """
    keys = tuple(_key(part) for part in text.split(","))
    names = [key.name for key in keys]
    for name in names:
        if name not in sortable(layer):
            listed = ", ".join(sortable(layer))
            raise QueryError(
                f"Items of {layer.id} cannot be sorted by {name[:80]!r}.",
                f"图层 {layer.id} 不能按“{name[:80]}”排序。",
                remedy_en=f"Sortable: {listed}.",
                remedy_zh=f"可用：{listed}。",
            )
    if len(set(names)) < len(names) or len(names) > MAX_KEYS:
        raise QueryError(
            f"sortby names a property twice, or more than {MAX_KEYS}.",
            f"sortby 重复了属性，或超过 {MAX_KEYS} 个。",
        )
    return keys


def _key(part: str) -> SortKey:
    bare = part.strip()
    return SortKey(bare.lstrip("+-").strip(), bare.startswith("-"))


def sort_columns(layer: Layer, table: FromClause, sort: Sequence[SortKey]) -> list[ColumnElement[Any]]:
    """The expressions that ``sort`` compares; texts by their code points, on every database alike."""
    fields = filterable(layer)
    columns = [(column_of(table, key.name), fields[key.name].type) for key in sort]
    return [collate(column, "C") if kind in ("text", "enum") else column for column, kind in columns]


def in_order(
    columns: Sequence[ColumnElement[Any]], sort: Sequence[SortKey], row_id: ColumnElement[int], *, back: bool
) -> list[UnaryExpression[Any]]:
    """What ORDER BY holds; ``back`` turns everything round."""
    ordered = [
        column.desc().nulls_first() if key.descending != back else column.asc().nulls_last()
        for column, key in zip(columns, sort, strict=True)
    ]
    return [*ordered, row_id.desc() if back else row_id.asc()]


def behind(
    columns: Sequence[ColumnElement[Any]],
    sort: Sequence[SortKey],
    row_id: ColumnElement[int],
    place: Place,
    *,
    back: bool,
) -> ColumnElement[bool]:
    """Rows that stand behind ``place`` in the order, or with ``back`` before it."""
    beyond: ColumnElement[bool] = row_id < place.row_id if back else row_id > place.row_id
    steps = list(zip(columns, sort, place.values, strict=True))
    for column, key, value in reversed(steps):
        further, same = _further(column, value, descending=key.descending != back)
        beyond = or_(further, and_(same, beyond))
    return beyond


def _further(
    column: ColumnElement[Any], value: Any, *, descending: bool
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Whether a row lies further than ``value`` in one column, and whether it lies level with it."""
    if value is None:
        return (column.is_not(None) if descending else false()), column.is_(None)
    bound = bindparam(None, value, type_=column.type)
    if descending:
        return column < bound, column == bound
    return or_(column > bound, column.is_(None)), column == bound
