"""A first page that is asked for at once is the page that is asked for in turn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from gis.access import PUBLIC, Role, Scope
from gis.axes import CRS84
from gis.bounds import READS, companion
from gis.db import connect, scoped
from gis.features import ItemQuery, find_layer, items, page_at_once, parse_sort, prepare_items
from gis.features.places import Place
from gis.features.standing import standing_of
from gis.filters import bbox_of
from gis.importing import ImportResult
from gis.settings import MapDefinition
from tests.gis.test_ready_items import boxes, places, ready, said, table

__all__ = ["places", "ready"]  # fixtures

Load = Callable[..., ImportResult]


@pytest.fixture
def reader(store: Engine) -> Engine:
    return scoped(companion(store, READS, "reads"), PUBLIC)


def test_it_is_the_same_page(
    ready: Connection, reader: Engine, small_map: MapDefinition, places: NDArray[np.float64]
) -> None:
    wells = find_layer(small_map, "wells")
    standing, found = standing_of(ready, wells), 0
    for number, bbox in enumerate(boxes(places)):
        if number % 50 and number < 3_000:
            continue
        for limit, count in ((1, True), (40, False), (1_000, True)):
            query = ItemQuery(limit=limit, bbox=bbox, as_text=True, count=count)
            told = page_at_once(reader, small_map, wells, query)
            if told is None:  # of the world and what has more bands than are asked for unseen
                assert bbox.north - bbox.south > 3 or bbox.west > bbox.east
                continue
            page, found = items(ready, small_map, wells, query), found + 1
            assert told[0] == standing and said(told[1]) == said(page)
            assert (told[1].matched, told[1].next_after, told[1].previous_before, told[1].returned) == (
                page.matched, page.next_after, page.previous_before, page.returned
            )  # fmt: skip
    assert found > 150


def test_few_of_many_blocks_are_asked_for_again(
    ready: Connection, reader: Engine, small_map: MapDefinition, places: NDArray[np.float64],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    wells = find_layer(small_map, "wells")
    monkeypatch.setattr("gis.features.at_once.blocks_wanted", lambda _: 2)
    x = float(places[0][0])
    for numbers in ([x, 29, x + 0.0005, 29.1], [119.8, 29, 120, 29.1]):
        query = ItemQuery(limit=300, bbox=bbox_of(numbers, CRS84), as_text=True)
        told = page_at_once(reader, small_map, wells, query)
        assert told is not None
        page = items(ready, small_map, wells, query)
        assert (said(told[1]), told[1].next_after) == (said(page), page.next_after)


def test_else_it_is_asked_for_in_turn(
    ready: Connection, reader: Engine, store: Engine, small_map: MapDefinition, load: Load,
    places: NDArray[np.float64],
) -> None:  # fmt: skip
    wells = find_layer(small_map, "wells")
    bbox = bbox_of([119, 28, 121, 30], CRS84)
    plain = ItemQuery(limit=10, bbox=bbox, as_text=True)
    assert page_at_once(reader, small_map, wells, plain) is not None
    for other in (
        ItemQuery(limit=10, bbox=bbox),
        ItemQuery(limit=10, as_text=True),
        ItemQuery(limit=10, bbox=bbox, as_text=True, offset=1),
        ItemQuery(limit=10, bbox=bbox, as_text=True, after=Place(1, (1, 1))),
        ItemQuery(limit=10, bbox=bbox, as_text=True, geometry=False),
        ItemQuery(limit=10, bbox=bbox, as_text=True, filters={"name": ["n1"]}),
        ItemQuery(limit=10, bbox=bbox, as_text=True, sort=parse_sort("name", wells)),
        ItemQuery(limit=10, bbox=bbox_of([-180, -90, 180, 90], CRS84), as_text=True),
    ):
        assert page_at_once(reader, small_map, wells, other) is None, other
    limited = scoped(reader, Scope(Role.VIEWER, areas=("330702",)))
    assert page_at_once(limited, small_map, wells, plain) is None
    load("wells", table(places[40:]), mode="replace", allow_large_close=True)  # what is ready is old
    assert page_at_once(reader, small_map, wells, plain) is None
    prepare_items(store, small_map)
    told = page_at_once(reader, small_map, wells, plain)
    with connect(store, scope=PUBLIC) as conn:
        assert told is not None and said(told[1]) == said(items(conn, small_map, wells, plain))
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE core.sources SET name = name || '!'"))
    assert page_at_once(reader, small_map, wells, plain) is None
