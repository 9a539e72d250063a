"""A first page that is asked for at once is the page that is asked for in turn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from gis.access import PUBLIC, Role, Scope
from gis.awaited import line_to
from gis.axes import CRS84
from gis.db import connect
from gis.features import (
    ItemQuery,
    Page,
    Standing,
    find_layer,
    form_seen,
    items,
    page_at_once,
    parse_sort,
    prepare_items,
)
from gis.features.places import Place
from gis.features.standing import standing_of
from gis.filters import bbox_of
from gis.importing import ImportResult
from gis.settings import MapDefinition
from tests.gis.test_ready_items import boxes, places, ready, said, table
from tests.loops import on_a_loop

__all__ = ["places", "ready"]  # fixtures

Load = Callable[..., ImportResult]
AtOnce = Callable[..., tuple[Standing, Page] | None]


@pytest.fixture
def at_once(store: Engine, small_map: MapDefinition) -> AtOnce:
    """The page of wells that an event loop asks for, for the public or another scope."""
    line, wells = line_to(store, lambda _name, _change: None), find_layer(small_map, "wells")

    def ask(query: ItemQuery, scope: Scope = PUBLIC) -> tuple[Standing, Page] | None:
        form = form_seen(scope, wells)
        return on_a_loop(page_at_once(line, scope, form, small_map, wells, query))

    return ask


def test_it_is_the_same_page(
    ready: Connection, at_once: AtOnce, small_map: MapDefinition, places: NDArray[np.float64]
) -> None:
    wells = find_layer(small_map, "wells")
    standing, found = standing_of(ready, wells), 0
    for number, bbox in enumerate(boxes(places)):
        if number % 50 and number < 3_000:
            continue
        for limit, count in ((1, True), (40, False), (1_000, True)):
            query = ItemQuery(limit=limit, bbox=bbox, as_text=True, count=count)
            told = at_once(query)
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
    ready: Connection, at_once: AtOnce, small_map: MapDefinition, places: NDArray[np.float64],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    wells = find_layer(small_map, "wells")
    monkeypatch.setattr("gis.features.at_once.blocks_wanted", lambda _: 2)
    x = float(places[0][0])
    for numbers in ([x, 29, x + 0.0005, 29.1], [119.8, 29, 120, 29.1]):
        query = ItemQuery(limit=300, bbox=bbox_of(numbers, CRS84), as_text=True)
        told = at_once(query)
        assert told is not None
        page = items(ready, small_map, wells, query)
        assert (said(told[1]), told[1].next_after) == (said(page), page.next_after)


def test_else_it_is_asked_for_in_turn(
    ready: Connection, at_once: AtOnce, store: Engine, small_map: MapDefinition, load: Load,
    places: NDArray[np.float64],
) -> None:  # fmt: skip
    wells = find_layer(small_map, "wells")
    bbox = bbox_of([119, 28, 121, 30], CRS84)
    plain = ItemQuery(limit=10, bbox=bbox, as_text=True)
    assert at_once(plain) is not None
    for other in (
        ItemQuery(limit=10, bbox=bbox),
        ItemQuery(limit=2_001, bbox=bbox, as_text=True),
        ItemQuery(limit=10, as_text=True),
        ItemQuery(limit=10, bbox=bbox, as_text=True, offset=1),
        ItemQuery(limit=10, bbox=bbox, as_text=True, after=Place(1, (1, 1))),
        ItemQuery(limit=10, bbox=bbox, as_text=True, geometry=False),
        ItemQuery(limit=10, bbox=bbox, as_text=True, filters={"name": ["n1"]}),
        ItemQuery(limit=10, bbox=bbox, as_text=True, sort=parse_sort("name", wells)),
        ItemQuery(limit=10, bbox=bbox_of([-180, -90, 180, 90], CRS84), as_text=True),
    ):
        assert at_once(other) is None, other
    assert at_once(plain, Scope(Role.VIEWER, areas=("330702",))) is None
    load("wells", table(places[40:]), mode="replace", allow_large_close=True)  # what is ready is old
    assert at_once(plain) is None
    prepare_items(store, small_map)
    told = at_once(plain)
    with connect(store, scope=PUBLIC) as conn:
        assert told is not None and said(told[1]) == said(items(conn, small_map, wells, plain))
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE core.sources SET name = name || '!'"))
    assert at_once(plain) is None
