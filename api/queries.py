"""The parameters that say which items are wanted, in which order, and what of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.concurrency import run_in_threadpool

from api.deps import BBoxDep, CrsDep, IntervalDep, LayerDep, StateDep, property_filters
from gis.axes import CRS84, named
from gis.cql2 import LANGUAGES, Filter, check_language, parse_filter
from gis.features import (
    ItemQuery,
    Place,
    SortKey,
    chosen_properties,
    parse_sort,
    read_place,
    write_place,
)

__all__ = ["FilterDep", "ItemQueryDep", "Paging", "PropertiesDep", "Selection", "SkipGeometryDep"]

DEFAULT_LIMIT = 100


async def _filter(
    state: StateDep,
    text: Annotated[
        str | None, Query(alias="filter", description="Items for which this is true, in CQL2")
    ] = None,
    language: Annotated[
        str,
        Query(
            alias="filter-lang",
            description="Language of filter",
            json_schema_extra={"enum": list(LANGUAGES)},
        ),
    ] = LANGUAGES[0],
    crs: Annotated[
        str | None,
        Query(
            alias="filter-crs",
            description="CRS of the geometries in filter, one of the collection's",
            json_schema_extra={"format": "uri"},
        ),
    ] = None,
) -> Filter | None:
    used = CRS84 if crs is None else named(crs, state.definition.district)
    check_language(language)
    if text is None:
        return None
    return await run_in_threadpool(parse_filter, text, language, used)


FilterDep = Annotated[Filter | None, Depends(_filter)]


async def _properties(
    layer: LayerDep,
    wanted: Annotated[
        str | None,
        Query(
            alias="properties",
            description="Names of the properties wanted, with commas; without it all",
            json_schema_extra={"x-list": True},
        ),
    ] = None,
    unwanted: Annotated[
        str | None,
        Query(
            alias="exclude-properties",
            description="Names of properties that are not wanted, with commas",
            json_schema_extra={"x-list": True},
        ),
    ] = None,
) -> tuple[str, ...] | None:
    return chosen_properties(layer, None if wanted is None else _names(wanted), _names(unwanted or ""))


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


PropertiesDep = Annotated[tuple[str, ...] | None, Depends(_properties)]


async def _skip_geometry(
    skip: Annotated[bool, Query(alias="skipGeometry", description="Leave geometries away")] = False,
) -> bool:
    return skip


SkipGeometryDep = Annotated[bool, Depends(_skip_geometry)]


async def _sort(
    layer: LayerDep,
    sortby: Annotated[
        str | None,
        Query(
            description="Properties to sort by, with commas; - in front of one sorts it downwards",
            json_schema_extra={"x-list": True},
        ),
    ] = None,
) -> tuple[SortKey, ...]:
    return () if sortby is None else parse_sort(sortby, layer)


@dataclass(frozen=True)
class Paging:
    """How many items, from where; ``page`` is the text that links carry."""

    limit: int | None
    offset: int
    page: str | None
    count: bool


async def _paging(
    state: StateDep,
    limit: Annotated[
        int | None,
        Query(
            ge=1,
            description="Items a page; more than the maximum is cut to it. A file without limit holds all",
            json_schema_extra={"default": DEFAULT_LIMIT, "x-maximum": True},
        ),
    ] = None,
    offset: Annotated[
        int, Query(ge=0, le=10**9, description="Items to leave out; links page without it")
    ] = 0,
    page: Annotated[
        str | None, Query(max_length=4096, description="A place in the list; set by links")
    ] = None,
    count: Annotated[
        bool, Query(description="false: leave numberMatched out, which saves most of the time")
    ] = True,
) -> Paging:
    return Paging(None if limit is None else min(limit, state.settings.max_features), offset, page, count)


@dataclass(frozen=True)
class Selection:
    """All that a request says about the items that it wants, but the revision and the place in the list."""

    layer: str
    query: ItemQuery
    paging: Paging

    def about(self, revision: int) -> str:
        """What a list shows at ``revision``: a place in it opens no other list."""
        q = self.query
        parts: list[Any] = [self.layer, revision, q.bbox, q.interval, sorted(q.filters.items()), q.sort]
        parts.append("points in a box by the grid")  # the order, where no other is asked for
        parts.append(None if q.filter is None else q.filter.canonical)
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    def read_page(self, revision: int) -> tuple[Place | None, Place | None]:
        """The places after and before which the page lies; QueryError when ``page`` is not of this list."""
        if self.paging.page is None:
            return None, None
        place, back = read_place(self.paging.page, self.about(revision))
        return (None, place) if back else (place, None)

    def write_page(self, place: Place, revision: int, *, back: bool) -> str:
        """The text for ``page`` that opens the page before or behind ``place``."""
        return write_place(place, self.about(revision), back=back)


async def _selection(
    request: Request,
    layer: LayerDep,
    bbox: BBoxDep,
    interval: IntervalDep,
    crs: CrsDep,
    found: FilterDep,
    sort: Annotated[tuple[SortKey, ...], Depends(_sort)],
    properties: PropertiesDep,
    skip_geometry: SkipGeometryDep,
    paging: Annotated[Paging, Depends(_paging)],
) -> Selection:
    query = ItemQuery(
        limit=paging.limit or DEFAULT_LIMIT,
        bbox=bbox,
        interval=interval,
        filters=property_filters(request),
        filter=found,
        sort=sort,
        offset=paging.offset,
        crs=crs,
        properties=properties,
        geometry=not skip_geometry,
        count=paging.count,
    )
    return Selection(layer.id, query, paging)


ItemQueryDep = Annotated[Selection, Depends(_selection)]
