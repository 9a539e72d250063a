"""What is kept ready of points says what their rows say: the same pages and counts, with it and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from gis.access import PUBLIC, Role, Scope
from gis.axes import CRS84
from gis.db import connect
from gis.features import ItemQuery, Page, find_layer, items, parse_sort, prepare_items
from gis.features.grid import box_of
from gis.features.ready import count_ready
from gis.features.standing import standing_of
from gis.filters import BBox, bbox_of
from gis.importing import ImportResult
from gis.revisions import head
from gis.settings import MapDefinition

Load = Callable[..., ImportResult]
SIDE = 2.0**-8
ROWS, BOXES = 600, 3_000


def table(xy: NDArray[np.float64]) -> str:
    lines = [f"W{i},n{i},{x!r},{y!r}" for i, (x, y) in enumerate(xy.tolist())]
    return "\n".join(["code,name,lon,lat", *lines, "Wnone,nowhere,119.9,29.05"]) + "\n"


@pytest.fixture
def places() -> NDArray[np.float64]:
    """Points in some bands; many on lines and corners of the grid, and several at one place."""
    rng = np.random.default_rng(11)
    xy = np.column_stack([119.9 + rng.normal(0, 0.01, ROWS), 29.05 + rng.normal(0, 0.01, ROWS)])
    xy[:200] = np.round(xy[:200] / SIDE) * SIDE
    xy[200:260] = xy[0]
    return xy


@pytest.fixture
def ready(
    load: Load, store: Engine, small_map: MapDefinition, places: NDArray[np.float64],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Connection]:  # fmt: skip
    """A connection of the public to wells of which features are kept ready; one has no place."""
    monkeypatch.setattr("gis.features.preparing.READY_FROM_ROWS", 1)
    load("wells", table(places))
    with connect(store, write=True) as conn:  # which an import into this layer would refuse
        conn.execute(text("UPDATE layer.wells SET geom = NULL, geom_web = NULL WHERE uid = 'Wnone'"))
    assert prepare_items(store, small_map).left == ()
    with connect(store, scope=PUBLIC) as conn:
        yield conn


def boxes(places: NDArray[np.float64]) -> Iterator[BBox]:
    """Boxes at random, with sides through points and along the grid, without width, empty, and the world."""
    rng = np.random.default_rng(5)
    for i in range(BOXES):
        ends = rng.uniform(places.min(0) - 0.01, places.max(0) + 0.01, (2, 2))
        if i % 3 == 1:
            ends = places[rng.integers(0, len(places), 2)]
        if i % 3 == 2:
            ends = np.round(ends / SIDE) * SIDE
        (west, south), (east, north) = ends.min(0), ends.max(0)
        yield bbox_of([west, south, east, north], CRS84)
    for numbers in ([-180, -90, 180, 90], [0, 0, 1, 1], [119.9, -90, 119.9, 90], [170, -20, -170, 20]):
        yield bbox_of(numbers, CRS84)
    yield bbox_of([100, 20, -170, 40], CRS84)  # across the antimeridian, all of it


def test_counts_of_any_box_are_those_of_a_plain_count(
    ready: Connection, small_map: MapDefinition, places: NDArray[np.float64]
) -> None:
    wells, rev = find_layer(small_map, "wells"), head(ready)
    held = standing_of(ready, wells, rev).ready
    assert held is not None and held.is_current and held.placeless == 1
    stored = np.array(
        ready.execute(text("SELECT ST_X(geom), ST_Y(geom) FROM now.wells WHERE geom IS NOT NULL")).all()
    )
    for number, bbox in enumerate(boxes(places)):
        box = box_of(ItemQuery(limit=1, rev=rev, bbox=bbox), small_map.district)
        if box is None:
            assert bbox.west > bbox.east
            continue
        low, high = (box.west, box.south), (box.east, box.north)
        wanted = 1 + int(((stored >= low) & (stored <= high)).all(axis=1).sum())
        assert count_ready(ready, held, box) == wanted, bbox
        if number % 60 == 0 or number >= BOXES:  # and the plain one is PostGIS's own
            sides = f"{box.west!r}, {box.south!r}, {box.east!r}, {box.north!r}"
            shape = f"ST_Intersects(geom, ST_MakeEnvelope({sides}, 4490))"
            plain = ready.scalar(text(f"SELECT count(*) FROM now.wells WHERE {shape} OR geom IS NULL"))
            assert plain == wanted, bbox


def followed(
    conn: Connection,
    definition: MapDefinition,
    bbox: BBox,
    limit: int,
    *,
    as_text: bool,
    rev: int | None = None,
) -> tuple[list[Page], list[Page]]:
    """The pages of a box from first to last, and from the last one back."""
    wells, rev = find_layer(definition, "wells"), rev or head(conn)

    def page(**place: Any) -> Page:
        query = ItemQuery(limit=limit, rev=rev, bbox=bbox, as_text=as_text, **place)
        return items(conn, definition, wells, query)

    there = [page()]
    while there[-1].next_after is not None:
        there.append(page(after=there[-1].next_after))
    back = [there[-1]]
    while back[-1].previous_before is not None:
        back.append(page(before=back[-1].previous_before))
    return there, back[::-1]


def said(page: Page) -> list[bytes]:
    if page.texts is not None:
        assert not page.features
        return list(page.texts)
    return [orjson.dumps(feature) for feature in page.features]


@pytest.mark.parametrize(
    "numbers", [[119.88, 29.03, 119.92, 29.07], [-180, -90, 180, 90], [0, 0, 1, 1], [100, 20, -170, 40]]
)
def test_pages_are_the_same_bytes_there_and_back(
    ready: Connection, small_map: MapDefinition, numbers: list[float]
) -> None:
    bbox = bbox_of(numbers, CRS84)
    kept, kept_back = followed(ready, small_map, bbox, 70, as_text=True)
    live, live_back = followed(ready, small_map, bbox, 70, as_text=False)
    assert all(page.texts is not None for page in kept) and all(page.texts is None for page in live)
    assert [said(page) for page in kept] == [said(page) for page in live]
    assert [said(page) for page in kept_back] == [said(page) for page in live_back] == list(map(said, kept))
    assert [page.matched for page in kept] == [page.matched for page in live]
    assert sum(page.returned for page in kept) == kept[0].matched
    ids = [orjson.loads(each)["id"] for page in kept for each in said(page)]
    assert len(set(ids)) == len(ids) and ids[-1] == "Wnone"


def test_an_offset_leaves_out_the_same_rows(ready: Connection, small_map: MapDefinition) -> None:
    wells = find_layer(small_map, "wells")
    asked = {"limit": 10, "offset": 333, "bbox": bbox_of([119, 28, 121, 30], CRS84)}
    kept, live = (items(ready, small_map, wells, ItemQuery(**asked, as_text=way)) for way in (True, False))
    assert said(kept) == said(live) and kept.texts is not None
    assert (kept.previous_before, kept.next_after) == (live.previous_before, live.next_after)


def test_a_new_revision_is_never_answered_from_an_old_text(
    ready: Connection, store: Engine, small_map: MapDefinition, load: Load, places: NDArray[np.float64]
) -> None:
    wells, old = find_layer(small_map, "wells"), head(ready)
    everywhere = bbox_of([-180, -90, 180, 90], CRS84)

    def asked(rev: int | None, *, as_text: bool = True) -> Page:
        with connect(store, scope=PUBLIC) as conn:
            query = ItemQuery(limit=1000, rev=rev, bbox=everywhere, as_text=as_text)
            return items(conn, small_map, wells, query)

    before = asked(old)
    moved = places[40:].copy()
    moved[:50, 0] += 0.05
    load("wells", table(moved), mode="replace", allow_large_close=True)
    stale = asked(None)  # some of the rows have a text, others have none yet
    assert stale.matched == ROWS - 40 + 1 == stale.returned
    assert said(stale) == said(asked(None, as_text=False)) != said(before)
    assert said(asked(old)) == said(before)
    prepare_items(store, small_map)
    fresh = asked(None)
    assert (said(fresh), fresh.matched) == (said(stale), stale.matched)
    assert said(asked(old)) == said(before) == said(asked(old, as_text=False))
    with connect(store) as conn:
        held = standing_of(conn, wells).ready
        assert held is not None and held.is_current and held.placeless == 0
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE core.sources SET name = name || '!'"))
    assert asked(None).texts is None  # each text names its source
    prepare_items(store, small_map)
    renamed = asked(None)
    assert renamed.texts is not None and b"!" in next(iter(renamed.texts))


def test_what_a_text_does_not_say_is_read_from_the_rows(ready: Connection, small_map: MapDefinition) -> None:
    wells = find_layer(small_map, "wells")
    bbox = bbox_of([119, 28, 121, 30], CRS84)
    for chosen in ({"properties": ("name",)}, {"geometry": False}):
        page = items(ready, small_map, wells, ItemQuery(limit=5, bbox=bbox, as_text=True, **chosen))
        assert page.texts is None and page.matched == ROWS + 1
    for asked in ({"filters": {"name": ["n1", "n7", "n300"]}}, {"sort": parse_sort("-name", wells)}):
        kept, live = (
            items(ready, small_map, wells, ItemQuery(limit=5, as_text=way, **asked)) for way in (True, False)
        )
        assert kept.texts is not None and said(kept) == said(live) and kept.matched == live.matched
        assert kept.next_after == live.next_after


def test_who_is_limited_to_areas_has_no_ready_text(ready: Connection, store: Engine) -> None:
    counted = text("SELECT count(*) FROM core.item_rows")
    assert ready.scalar(counted) == ROWS + 1
    with connect(store, scope=Scope(Role.VIEWER, areas=("330702",))) as conn:
        assert conn.scalar(counted) == 0


def test_an_older_revision_is_the_newest_with_what_has_changed_turned_back(
    ready: Connection, store: Engine, small_map: MapDefinition, load: Load, places: NDArray[np.float64],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Page by page, there and back, where rows have moved, come and gone."""
    old = head(ready)
    moved = np.concatenate([places[40:], places[:30] + 0.02])
    moved[::7] += 0.003
    load("wells", table(moved), mode="replace", allow_large_close=True)
    prepare_items(store, small_map)
    with connect(store, scope=PUBLIC) as conn:
        for numbers in (
            [119.88, 29.03, 119.92, 29.07],
            [-180, -90, 180, 90],
            [119.9, 29.05, 119.9001, 29.06],
        ):
            bbox = bbox_of(numbers, CRS84)
            live, live_back = followed(conn, small_map, bbox, 70, as_text=False, rev=old)
            for most in (0, 2_000):  # from rows, and out of what is ready
                monkeypatch.setattr("gis.features.earlier._MOST_CHANGES", most)
                kept, kept_back = followed(conn, small_map, bbox, 70, as_text=True, rev=old)
                assert [said(page) for page in kept] == [said(page) for page in live], (numbers, most)
                assert [said(page) for page in kept_back] == [said(page) for page in live_back]
                assert [page.matched for page in kept] == [page.matched for page in live]
