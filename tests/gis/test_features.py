"""Pages of features, single ones, filters and search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest
from pyproj import Transformer
from sqlalchemy import Engine, create_engine

from gis.db import connect
from gis.errors import NotFound, QueryError
from gis.features import ItemQuery, Page, district_box, find_layer, item, items, layer_facts, search
from gis.filters import parse_bbox, parse_interval
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition
from gis.sync import sync
from tests.conftest import Databases

Load = Callable[..., ImportResult]

WELLS = """code,name,kind,depth,lon,lat,valid_from,valid_to
W1,东井,dug,4.5,120.05,29.05,2020-01-01,
W2,西井,bored,80,119.55,29.05,,2019-12-31
W3,,dug,,120.05,29.05,,
W4,South well,bored,33.25,119.8,28.6,2010-01-01,2015-06-30
"""


@pytest.fixture(scope="module")
def wells(
    databases: Databases, small_map: MapDefinition, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A store with the four wells, for tests that only read."""
    path = tmp_path_factory.mktemp("wells") / "wells.csv"
    path.write_text(WELLS, encoding="utf-8")
    name = databases.create()
    engine = create_engine(databases.url(name))
    sync(engine, small_map)
    options = ImportOptions(SourceInfo("survey", accuracy_m=10.0), crs="EPSG:4490")
    import_file(engine, small_map, "wells", path, options)
    yield engine
    engine.dispose()
    databases.drop(name)


def pages(engine: Engine, definition: MapDefinition, **query: Any) -> Page:
    with connect(engine) as conn:
        layer = find_layer(definition, "wells")
        return items(conn, definition, layer, ItemQuery(**{"limit": 100, **query}))


@pytest.fixture
def page(wells: Engine, small_map: MapDefinition) -> Callable[..., Page]:
    """Runs a query on the four wells: page(bbox=parse_bbox(...), filters={...})."""
    return partial(pages, wells, small_map)


def uids(page: Page) -> list[str]:
    return [feature["id"] for feature in page.features]


def test_a_feature_carries_its_fields_its_row_and_lonlat(page: Callable[..., Page]) -> None:
    feature = orjson.loads(orjson.dumps(page().features[0]))
    assert feature["geometry"] == {"type": "Point", "coordinates": [120.05, 29.05]}
    assert feature["properties"] == {
        "uid": "W1", "code": "W1", "name": "东井", "kind": "dug", "depth": 4.5, "accuracy_m": 10.0,
        "is_indicative": False, "is_demonstration": False, "source": "survey",
        "valid_from": "2020-01-01", "valid_to": None, "rev_from": 1,
    }  # fmt: skip


def test_pages_follow_each_other_without_gap_or_repeat_while_others_write(
    load: Load, store: Engine, small_map: MapDefinition
) -> None:
    page = partial(pages, store, small_map)
    load("wells", WELLS)
    first = page(limit=2)
    load("wells", "code,name,lon,lat\nW2,changed,119.5,29\nW9,new,119.6,29\n")
    second = page(limit=2, after=first.next_after, rev=first.rev)
    assert uids(first) + uids(second) == ["W1", "W2", "W3", "W4"]
    assert (first.matched, second.matched, second.next_after) == (4, 4, None)
    back = page(limit=2, before=second.previous_before, rev=first.rev)
    assert (uids(back), back.previous_before) == (uids(first), None)


@pytest.mark.parametrize(
    ("bbox", "found"),
    [
        ("120,29,120.1,29.1", ["W1", "W3"]),
        ("120.05,29.05,120.05,29.05", ["W1", "W3"]),
        ("119.8,28.6,120.05,29.05", ["W4", "W1", "W3"]),
        ("100,20,-170,40", ["W4", "W2", "W1", "W3"]),
        ("121,30,-170,40", []),
        ("-180,-90,180,90", ["W4", "W2", "W1", "W3"]),
    ],
)
def test_a_bbox_finds_what_it_touches(page: Callable[..., Page], bbox: str, found: list[str]) -> None:
    answer = page(bbox=parse_bbox(bbox))
    assert (uids(answer), answer.matched) == (found, len(found))


@pytest.mark.parametrize(
    "bbox", ["1,2,3", "a,b,c,d", "1,2,nan,4", "0,30,1,20", "-1e308,0,1,1", "0,-91,1,1", ""]
)
def test_a_bbox_that_is_none_is_refused(bbox: str) -> None:
    with pytest.raises(QueryError, match="bbox"):
        parse_bbox(bbox)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"kind": ["dug"]}, ["W1", "W3"]),
        ({"kind": ["dug", "bored"], "depth": ["33.25"]}, ["W4"]),
        ({"name": ["x' OR '1'='1"]}, []),
        ({"source": ["survey"], "is_demonstration": ["false"]}, ["W1", "W2", "W3", "W4"]),
        ({"is_indicative": ["true"]}, []),
        ({"uid": ["W2"]}, ["W2"]),
    ],
)
def test_filters_compare_values_of_the_field_type(
    page: Callable[..., Page], filters: dict[str, list[str]], found: list[str]
) -> None:
    answer = page(filters=filters)
    assert (uids(answer), answer.matched) == (found, len(found))


@pytest.mark.parametrize(
    "filters",
    [{"depht": ["1"]}, {"depth": ["deep"]}, {"kind": ["drilled"]}, {"name": ["a\0b"]}, {"geom": ["x"]}],
)
def test_a_filter_that_cannot_be_understood_is_refused_not_ignored(
    page: Callable[..., Page], filters: dict[str, list[str]]
) -> None:
    with pytest.raises(QueryError):
        page(filters=filters)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2012-05-01", ["W2", "W3", "W4"]),
        ("2020-01-01/..", ["W1", "W3"]),
        ("../2009-12-31", ["W2", "W3"]),
        ("2015-06-30T10:00:00Z/2019-12-31", ["W2", "W3", "W4"]),
    ],
)
def test_datetime_means_the_time_in_law(page: Callable[..., Page], text: str, found: list[str]) -> None:
    assert uids(page(interval=parse_interval(text))) == found


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "2020-01-02/2020-01-01", "a/b/c", ""])
def test_a_datetime_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse_interval(text)


def test_one_item_as_of_a_revision(load: Load, store: Engine, small_map: MapDefinition) -> None:
    load("wells", WELLS)
    load("wells", "code,name,lon,lat\nW1,later,120.1,29.1\n")
    layer = find_layer(small_map, "wells")
    with connect(store) as conn:
        assert item(conn, small_map, layer, "W1", rev=1)["properties"]["name"] == "东井"
        assert item(conn, small_map, layer, "W1", rev=2)["properties"]["name"] == "later"
        for uid in ("W7", "1' OR '1'='1", "a\0"):
            with pytest.raises(NotFound):
                item(conn, small_map, layer, uid, rev=2)


def test_facts_count_what_lives_at_a_revision(load: Load, store: Engine, small_map: MapDefinition) -> None:
    load("wells", WELLS)
    load("wells", "code,name,lon,lat\nW9,new,119.1,29.2\n", source="other")
    with connect(store) as conn:
        before, now = (layer_facts(conn, small_map, rev) for rev in (1, 2))
    assert (before["wells"].count, before["wells"].last_revision) == (4, 1)
    assert now["wells"].count == 5
    assert now["wells"].extent == pytest.approx((119.1, 28.6, 120.05, 29.2), abs=1e-7)
    assert (now["pads"].count, now["pads"].extent, now["pads"].last_revision) == (0, None, 0)


def test_search_finds_labels_and_uids_and_gives_a_point(
    load: Load, store: Engine, small_map: MapDefinition
) -> None:
    load("wells", WELLS)
    with connect(store) as conn:
        assert [hit.uid for hit in search(conn, small_map, "井")] == ["W1", "W2"]
        (south,) = search(conn, small_map, "SOUTH")
        assert (south.layer, south.label, south.point) == ("wells", "South well", (119.8, 28.6))
        assert [hit.uid for hit in search(conn, small_map, "W3")] == ["W3"]
        assert search(conn, small_map, "%") == []
        with pytest.raises(QueryError):
            search(conn, small_map, "  ")


@pytest.mark.parametrize("storage", [4490, 4549])
def test_the_district_has_a_box_in_the_crs_of_the_store(small_map: MapDefinition, storage: int) -> None:
    district = small_map.district.model_copy(update={"storage_crs": storage})
    told = district_box(replace(small_map, district=district))
    # The parallels bend on the plane: PROJ follows them with places of its own.
    way = Transformer.from_crs(4490, storage, always_xy=True)
    assert told == pytest.approx(way.transform_bounds(*district.extent, densify_pts=200), abs=0.5)
    (west, south, _, north), middle = district.extent, sum(district.extent[::2]) / 2
    for place in ((west, north), (middle, south), (middle, north)):
        x, y = way.transform(*place)
        assert told[0] <= x <= told[2] and told[1] <= y <= told[3]


def test_a_layers_boxes_hold_what_items_say(wells: Engine, small_map: MapDefinition) -> None:
    with connect(wells) as conn:
        facts = layer_facts(conn, small_map, 10**9)["wells"]
    assert facts.extent == facts.stored_extent == (119.55, 28.6, 120.05, 29.05)
