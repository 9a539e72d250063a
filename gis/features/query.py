"""Which rows of a layer are wanted, in which order, and what of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, true

from gis.axes import CRS84, NamedCrs
from gis.cql2 import Filter, filter_condition
from gis.errors import QueryError
from gis.features.places import Place
from gis.features.sorting import SortKey
from gis.filters import BBox, Interval, bbox_condition, interval_condition, property_condition
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["ItemQuery", "chosen_properties", "condition", "property_fields"]


@dataclass(frozen=True)
class ItemQuery:
    """Which rows of a layer, and in which CRS their geometry is wanted.

    Attributes
    ----------
    limit : int or None
        Most rows of a page; None for all, which `gis.features.select_items` gives and no page does.
    rev : int or None
        The revision; None is the newest.
    filters : mapping
        Properties and the values that they may have, as text.
    filter : Filter or None
        In CQL2.
    after, before : Place or None
        The last row of the page before this one, or the first row of the page behind it.
    properties : sequence of str or None
        Those wanted, in the layer's order; None for all.
    geometry, count : bool
        Whether the geometry, and the exact number of matching rows, are wanted.
    as_text : bool
        Features may come as the text that is to be sent, to which nothing can be added.
    """

    limit: int | None
    rev: int | None = None
    bbox: BBox | None = None
    interval: Interval | None = None
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    filter: Filter | None = None
    sort: tuple[SortKey, ...] = ()
    after: Place | None = None
    before: Place | None = None
    offset: int = 0
    crs: NamedCrs = CRS84
    properties: tuple[str, ...] | None = None
    geometry: bool = True
    count: bool = True
    as_text: bool = False


def condition(
    definition: MapDefinition, layer: Layer, table: FromClause, query: ItemQuery, rev: int | None
) -> ColumnElement[bool]:
    """All conditions of ``query`` together; the caller joins ``table`` with ``core.sources``.

    Raises
    ------
    QueryError
        For a property the layer does not have, a value that its type cannot read, a filter that does not fit.
    """
    conditions: list[ColumnElement[bool]] = [alive(table, rev)]
    if query.bbox is not None:
        conditions.append(bbox_condition(table, query.bbox, definition.district))
    if query.interval is not None:
        conditions.append(interval_condition(table, query.interval))
    conditions += [property_condition(layer, table, name, values) for name, values in query.filters.items()]
    if query.filter is not None:
        conditions.append(filter_condition(query.filter, layer, table, definition.district))
    return and_(true(), *conditions)


def property_fields(layer: Layer, chosen: Sequence[str] | None = None) -> dict[str, str]:
    """The properties of a feature in their order, each with its type; only those ``chosen``, when given."""
    of_row = {
        "accuracy_m": "number",
        "is_indicative": "boolean",
        "is_demonstration": "boolean",
        "source": "text",
        "valid_from": "date",
        "valid_to": "date",
        "rev_from": "integer",
    }
    fields = {"uid": "text", **{field.name: field.type for field in layer.fields}, **of_row}
    return fields if chosen is None else {name: kind for name, kind in fields.items() if name in chosen}


def chosen_properties(
    layer: Layer, wanted: Sequence[str] | None, unwanted: Sequence[str] = ()
) -> tuple[str, ...] | None:
    """The properties in ``wanted`` (None: all) but not in ``unwanted``; None when nothing was chosen.

    Raises QueryError for a name that features of ``layer`` do not have.
    """
    if wanted is None and not unwanted:
        return None
    known: dict[str, Any] = property_fields(layer)
    for name in (*(wanted or ()), *unwanted):
        if name not in known:
            raise QueryError(
                f"Items of {layer.id} have no property {name[:80]!r}.",
                f"图层 {layer.id} 的要素没有属性“{name[:80]}”。",
                remedy_en=f"Properties: {', '.join(known)}.",
                remedy_zh=f"可用属性：{'、'.join(known)}。",
            )
    return tuple(name for name in known if (wanted is None or name in wanted) and name not in unwanted)
