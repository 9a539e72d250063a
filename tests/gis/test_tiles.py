"""What vector tiles hold, decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mapbox_vector_tile
import pytest
from sqlalchemy import Engine

from gis.db import connect
from gis.errors import NotFound
from gis.features import ItemQuery, find_layer, items
from gis.filters import parse_bbox
from gis.importing import ImportResult
from gis.settings import MapDefinition
from gis.tiles import tile_at, vector_tile

Load = Callable[..., ImportResult]
Render = Callable[..., list[dict[str, Any]]]

# Zoom, row and column of the tile around 119.9 E 29.05 N.
Z8 = (8, 106, 213)


@pytest.fixture
def features(store: Engine, small_map: MapDefinition) -> Render:
    """The decoded features of a tile: features("wells", z, y, x, rev=None)."""

    def run(
        layer: str, z: int, y: int, x: int, rev: int | None = None, **filters: list[str]
    ) -> list[dict[str, Any]]:
        with connect(store) as conn:
            body = vector_tile(conn, small_map, find_layer(small_map, layer), tile_at(z, y, x), rev, filters)
        if not body:
            return []
        decoded = mapbox_vector_tile.decode(body)
        assert list(decoded) == [layer]
        assert decoded[layer]["extent"] == 4096
        return list(decoded[layer]["features"])

    return run


def test_a_single_row_has_uid_label_and_class(load: Load, features: Render) -> None:
    load("wells", "code,name,kind,lon,lat\nW1,东井,dug,119.9,29.05\n")
    (found,) = features("wells", *Z8)
    assert found["properties"] == {
        "uid": "W1", "label": "东井", "kind": "dug", "n": 1,
        "is_indicative": False, "is_demonstration": False,
    }  # fmt: skip
    assert found["geometry"]["type"] == "Point"


def test_rows_at_one_place_are_one_feature_that_opens_by_its_bbox(
    load: Load, features: Render, store: Engine, small_map: MapDefinition
) -> None:
    rows = "".join(f"W{i},n{i},{'bored' if i else 'dug'},119.9,29.05\n" for i in range(24))
    load("wells", "code,name,kind,lon,lat\n" + rows + "X,alone,bored,119.95,29.05\n")
    alone, many = features("wells", *Z8)
    assert alone["properties"]["uid"] == "X"
    assert "uid" not in many["properties"] and "label" not in many["properties"]
    assert (many["properties"]["n"], many["properties"]["kind"]) == (24, "dug")
    bbox = parse_bbox(many["properties"]["bbox"])
    with connect(store) as conn:
        page = items(conn, small_map, find_layer(small_map, "wells"), ItemQuery(limit=100, bbox=bbox))
    assert page.matched == 24


def test_a_filter_keeps_rows_before_they_are_put_together(load: Load, features: Render) -> None:
    load("wells", "code,name,kind,lon,lat\nW1,a,dug,119.9,29.05\nW2,b,bored,119.9,29.05\n")
    (found,) = features("wells", *Z8, kind=["bored"])
    assert (found["properties"]["uid"], found["properties"]["n"]) == ("W2", 1)


def test_very_many_rows_are_summed_on_a_grid_and_none_is_lost(load: Load, features: Render) -> None:
    rows = "".join(
        f"W{i},,dug,{119.5 + (i % 80) * 0.011:.4f},{28.4 + (i // 80) * 0.011:.4f}\n" for i in range(4800)
    )
    load("wells", "code,name,kind,lon,lat\n" + rows)
    near = [f for f in features("wells", 7, 53, 106) if 0 <= f["geometry"]["coordinates"][0] < 4096]
    assert sum(f["properties"]["n"] for f in near) == 4800
    assert len(near) < 1200


def test_areas_keep_their_shape_and_tiny_lower_zooms_lose_nothing_but_detail(
    load: Load, features: Render
) -> None:
    load(
        "pads", 'code,strict,wkt\nP1,true,"MULTIPOLYGON(((119.8 29,120 29,120 29.2,119.8 29.2,119.8 29)))"\n'
    )
    (found,) = features("pads", *Z8)
    assert found["properties"]["uid"] == "P1" and found["properties"]["n"] == 1
    assert found["geometry"]["type"] == "Polygon"


def test_tiles_as_of_a_revision_and_in_an_order_of_their_own(load: Load, features: Render) -> None:
    load("wells", "code,lon,lat\nB,119.9,29.05\nA,119.95,29.05\n")
    before = features("wells", *Z8)
    load("wells", "code,lon,lat\nA,119.96,29.05\nB,119.9,29.06\n", source="later")
    assert features("wells", *Z8, rev=1) == before
    assert [f["properties"]["uid"] for f in before] == ["A", "B"]
    assert features("wells", *Z8) != before


@pytest.mark.parametrize(("z", "y", "x"), [(3, 9, 9), (23, 0, 0), (0, 1, 0), (-1, 0, 0), (5, -1, 3)])
def test_a_tile_outside_the_matrix_does_not_exist(z: int, y: int, x: int) -> None:
    with pytest.raises(NotFound, match="WebMercatorQuad"):
        tile_at(z, y, x)


def test_nothing_there_is_an_empty_tile(features: Render) -> None:
    assert features("wells", *Z8) == []
