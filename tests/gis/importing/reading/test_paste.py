"""Pasted geometry: WKT, EWKT, WKB in hexadecimal, pairs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.importing.reading.formats.paste import parse_geometries
from gis.importing.reading.limits import Limits, limits_set
from tests.gis.importing.reading.texts import assert_whole, damaged, found, reason, take, wkt

SQUARE = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))"


def nested(depth: int) -> shapely.Geometry:
    shape: shapely.Geometry = shapely.Point(1, 2)
    for _ in range(depth):
        shape = shapely.GeometryCollection([shape])
    return shape


def test_one_geometry_a_line_or_over_several(tmp_path: Path) -> None:
    content = f"# 地块\nPOINT Z (120.5 29.25 3);\n\n{SQUARE.lower()}\nPOLYGON ((0 0,\n 4 0,\n 4 4, 0 0))\n"
    content += "120.5,29.25\n"
    reading = take("wkt", content, tmp_path)
    assert wkt(reading) == [
        "POINT (120.5 29.25)",
        SQUARE,
        "POLYGON ((0 0, 4 0, 4 4, 0 0))",
        "POINT (120.5 29.25)",
    ]
    assert found(reading) == [] and reading.header.declared_crs is None and reading.header.format == "wkt"


def test_the_srid_is_the_declared_crs_when_all_agree(tmp_path: Path) -> None:
    assert (
        take("wkt", f"SRID=4549;{SQUARE}\nSRID=4549;POINT(1 2)", tmp_path).header.declared_crs == "EPSG:4549"
    )
    assert take("wkt", f"SRID=4549;{SQUARE}\nSRID=4490;POINT(1 2)", tmp_path).header.declared_crs is None
    point = shapely.set_srid(shapely.Point(1, 2, 3), 4528)
    reading = take("wkb", shapely.to_wkb(point, hex=True, include_srid=True), tmp_path)
    assert (reading.header.declared_crs, reading.header.format) == ("EPSG:4528", "wkb")
    assert wkt(reading) == ["POINT (1 2)"]


@pytest.mark.parametrize(
    "text, code",
    [
        ("POINT(x y)", "wkt_unreadable"),
        ("POINT(1 2", "wkt_unreadable"),
        ("CIRCLE(1 2)", "wkt_unreadable"),
        ("somewhere", "wkt_unreadable"),
        ("0101000000", "wkt_unreadable"),
        ("POINT(nan 2)", "coordinate_not_finite"),
        ("LINESTRING(0 0, 1e999 0)", "coordinate_not_finite"),
        ("POLYGON((0 0,1 1,0 0))", "zero_area"),
        ("GEOMETRYCOLLECTION(" * 90 + "POINT(1 1)" + ")" * 90, "too_deep"),
        (nested(90).wkb_hex, "too_deep"),
    ],
)
def test_a_text_that_is_no_geometry_refuses_its_row(tmp_path: Path, text: str, code: str) -> None:
    reading = take("wkt", f"POINT(1 2)\n{text}\nPOINT(3 4)", tmp_path)
    assert found(reading) == [(1, "error", code)] and wkt(reading)[1] is None and reading.header.rows == 3


def test_what_is_mended(tmp_path: Path) -> None:
    reading = take(
        "wkt",
        f"POLYGON((0 0,4 0,4 4,0 4))\nGEOMETRYCOLLECTION({SQUARE},MULTIPOLYGON(((9 9,8 9,8 8,9 9))))",
        tmp_path,
    )
    assert found(reading) == [(0, "repair", "ring_closed"), (1, "repair", "collection_flattened")]
    assert reading.issues[0].original == "POLYGON((0 0,4 0,4 4,0 4))"
    assert wkt(reading) == [SQUARE, "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)), ((9 9, 8 9, 8 8, 9 9)))"]


def test_empty_ones(tmp_path: Path) -> None:
    assert wkt(take("wkt", "POINT EMPTY\nPOLYGON EMPTY", tmp_path)) == [None, "POLYGON EMPTY"]
    assert reason("wkt", "# nothing\n\n", tmp_path) == "empty_file"


def test_vertices_are_bounded(tmp_path: Path) -> None:
    line = "LINESTRING(" + ",".join(f"{i} 0" for i in range(101)) + ")"
    with limits_set(Limits(vertices=100)):
        assert found(take("wkt", line, tmp_path)) == [(0, "error", "too_many_vertices")]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(-90, 90)),
        min_size=1,
        max_size=8,
    )
)
def test_hexadecimal_there_and_back(points: list[tuple[float, float]]) -> None:
    held = [shapely.Point(p).wkb for p in points]
    found = parse_geometries([wkb.hex().upper() for wkb in held])
    assert found.wkb == held and not found.faults


@pytest.mark.parametrize("seed", range(3))
def test_damaged_texts_are_refused_or_add_up(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    content = f"SRID=4490;{SQUARE}\nPOINT(1 2)\n{shapely.Point(1, 2).wkb_hex}\n120°1′2″,29°3′4″\n".encode()
    for _ in range(40):
        assert_whole("wkt", damaged(content, source), tmp_path)
