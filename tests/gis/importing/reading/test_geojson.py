"""GeoJSON and sequences of it: strict where the standard is, row by row where a row is at fault."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.importing.reading.formats.features import Splitter, depth_of
from gis.importing.reading.limits import Limits, limits_set
from gis.importing.reading.spool import GEOM
from tests.gis.importing.reading.texts import assert_whole, column, damaged, found, reason, rows, take, wkt

RING = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def point(x: Any = 120.5, y: Any = 29.25, *more: Any) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [x, y, *more]}


def area(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def collection(*features: Any, **members: Any) -> str:
    return json.dumps(
        {"type": "FeatureCollection", **members, "features": list(features)}, ensure_ascii=False
    )


def test_rows_keep_digits_bits_and_order(tmp_path: Path) -> None:
    content = collection(
        feature(point(), code=913301000000000001, long=12345678901234567890123, share=0.1, name="𠮷㐂"),
        feature(point(1, 2, 3), code=7, long=5, share=3, more={"a": [1, "二"]}),
        feature(None, name=None),
    )
    reading = take("geojson", content, tmp_path)
    assert reading.header.columns == ("code", "long", "share", "name", "more")
    assert column(reading, "code") == [913301000000000001, 7, None]
    assert column(reading, "long") == ["12345678901234567890123", "5", None]
    assert column(reading, "share") == [0.1, 3.0, None]
    assert column(reading, "more") == [None, '{"a":[1,"二"]}', None]
    assert wkt(reading) == ["POINT (120.5 29.25)", "POINT (1 2)", None]
    assert reading.header.declared_crs == "OGC:CRS84" and found(reading) == []


def test_columns_of_a_later_batch_widen_the_earlier(tmp_path: Path) -> None:
    features = [feature(point(), n=i, big=2**53 + i, when=i) for i in range(16_500)]
    features[-1] = feature(point(), n=0.5, big=0.5, when="später", late=True)
    reading = take("geojson", collection(*features), tmp_path)
    assert column(reading, "n")[-2:] == [16_498.0, 0.5]
    assert column(reading, "big")[0] == str(2**53) and column(reading, "big")[-1] == "0.5"
    assert column(reading, "when")[-2:] == ["16498", "später"]
    assert column(reading, "late") == [None] * 16_499 + [True]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(-90, 90)),
        min_size=1,
        max_size=20,
    )
)
def test_coordinates_are_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, float]]
) -> None:
    reading = take(
        "geojson", collection(*(feature(point(x, y)) for x, y in points)), tmp_path_factory.mktemp("p")
    )
    wkb = [value for batch in reading.batches() for value in batch.column(GEOM).to_pylist()]
    assert [struct.unpack("<dd", value[5:]) for value in wkb] == points


@pytest.mark.parametrize(
    "geometry, code",
    [
        (point(1), None),
        ({"type": "Point", "coordinates": [1]}, "bad_position"),
        (point("1", "2"), "bad_position"),
        (point(None, 2), "bad_position"),
        (point(True, 2), "bad_position"),
        ({"type": "Point", "coordinates": {"x": 1}}, "bad_position"),
        ({"type": "Point"}, "bad_position"),
        (area([[0, 0], [1, 0], None, [0, 0]]), "bad_position"),
        (area([[0, 0], [1, "0"], [1, 1], [0, 0]]), "bad_position"),
        (area([[0, 0], [1, True], [1, 1], [0, 0]]), "bad_position"),
        (area([[0, 0], [1], [1, 1], [0, 0]]), "bad_position"),
        (area([[0, 0], [1, 0], [0, 0]]), "zero_area"),
        (area([[0, 0], [1, 0]]), "zero_area"),
        (area([[0, 0], [0, 0], [0, 0], [0, 0]]), "zero_area"),
        ({"type": "LineString", "coordinates": [[0, 0]]}, "bad_position"),
        ({"type": "Circle", "coordinates": [0, 0]}, "feature_malformed"),
        ("POINT(1 2)", "feature_malformed"),
        ({"type": "GeometryCollection"}, "bad_position"),
    ],
)
def test_a_faulty_geometry_refuses_its_row_only(tmp_path: Path, geometry: Any, code: str | None) -> None:
    reading = take(
        "geojson", collection(feature(point(), n=1), feature(geometry, n=2), feature(None, n=3)), tmp_path
    )
    assert found(reading) == ([] if code is None else [(1, "error", code)])
    assert column(reading, "n") == [1, 2, 3]
    assert (wkt(reading)[1] is None) == (code is not None)


def test_numbers_beyond_bounds(tmp_path: Path) -> None:
    content = collection(feature(point(9.5)), feature(area(RING)), feature(point(), n=7.5))
    content = content.replace("9.5", "1e400").replace("[2, 2]", "[-1e999, 2]").replace("7.5", "1e310")
    reading = take("geojson", content, tmp_path)
    assert found(reading) == [
        (0, "error", "coordinate_not_finite"),
        (1, "error", "coordinate_not_finite"),
        (2, "error", "number_overflow"),
    ]


def test_an_open_ring_is_closed_and_its_original_kept(tmp_path: Path) -> None:
    two = {"type": "MultiPolygon", "coordinates": [[RING], [[[5, 5], [6, 5], [6, 6]]]]}
    reading = take("geojson", collection(feature(area(RING[:-1])), feature(two)), tmp_path)
    assert found(reading) == [(0, "repair", "ring_closed"), (1, "repair", "ring_closed")]
    assert wkt(reading)[0] == "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
    original = bytes.fromhex(reading.issues[0].original or "")
    assert struct.unpack("<BIII", original[:13]) == (1, 3, 1, 4)


def test_collections(tmp_path: Path) -> None:
    def gathered(*parts: Any) -> dict[str, Any]:
        return {"type": "GeometryCollection", "geometries": list(parts)}

    nested = point()
    for _ in range(40):
        nested = gathered(nested)
    reading = take(
        "geojson",
        collection(
            feature(gathered(area(RING), gathered({"type": "MultiPolygon", "coordinates": [[RING]]}))),
            feature(gathered(area(RING), point())),
            feature(nested),
            feature({"type": "MultiPolygon", "coordinates": []}),
            feature({"type": "Point", "coordinates": []}),
            feature({"type": "MultiPoint", "coordinates": [[1, 2], [3, 4, 5]]}),
        ),
        tmp_path,
    )
    assert found(reading) == [(0, "repair", "collection_flattened"), (2, "error", "too_deep")]
    shapes = wkt(reading)
    assert (
        shapes[0] is not None and shapes[0].startswith("MULTIPOLYGON (((0 0") and shapes[0].count("(0 0") == 2
    )
    assert shapes[1] is not None and shapes[1].startswith("GEOMETRYCOLLECTION")
    assert shapes[2:] == [None, "MULTIPOLYGON EMPTY", None, "MULTIPOINT ((1 2), (3 4))"]


def test_holes_and_winding_stay(tmp_path: Path) -> None:
    hole = [[1, 1], [1.5, 1], [1.5, 1.5], [1, 1]]
    reading = take("geojson", collection(feature(area(RING[::-1], hole))), tmp_path)
    assert wkt(reading) == ["POLYGON ((0 0, 0 2, 2 2, 2 0, 0 0), (1 1, 1.5 1, 1.5 1.5, 1 1))"]


@pytest.mark.parametrize(
    "crs, declared",
    [
        (None, "OGC:CRS84"),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}, "OGC:CRS84"),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4549"}}, "EPSG:4549"),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG:9.9:3857"}}, "EPSG:3857"),
        ({"type": "name", "properties": {"name": "EPSG:999999"}}, "EPSG:999999"),
        ({"type": "EPSG", "properties": {"code": 4490}}, "EPSG:4490"),
    ],
)
def test_the_crs_that_is_stated_is_passed_on(tmp_path: Path, crs: Any, declared: str) -> None:
    assert take("geojson", collection(feature(point()), crs=crs), tmp_path).header.declared_crs == declared


@pytest.mark.parametrize(
    "content, code",
    [
        ("", "empty_file"),
        (" \n", "empty_file"),
        (collection(), "empty_file"),
        (collection(feature(point())).replace("120.5", "NaN"), "not_json"),
        (collection(feature(point())).replace("120.5", "-Infinity"), "not_json"),
        (collection(feature(point()))[:-40], "not_json"),
        (collection(feature(point()))[:-1], "not_json"),
        (collection(feature(point()), feature(point())).replace("}, {", "} {"), "not_json"),
        (collection(feature(point()), feature(point())).replace("}, {", "},, {"), "not_json"),
        (collection(feature(point())) + "]", "not_json"),
        (collection(feature(point(), a=1)).replace("1}", "1,}"), "not_json"),
        ('{"type": "Topology", "objects": {"a": {"type": "GeometryCollection"}}}', "not_geojson"),
        ('{"type": "FeatureCollection", "features": [1, null]}', "not_geojson"),
        ('{"type": "FeatureCollection"}', "not_geojson"),
        ('{"features": [{"attributes": {"a": 1}, "geometry": {"x": 1, "y": 2}}]}', "not_geojson"),
        ('{"type": "FeatureCollection", "features": [{"a": 1}]}', "not_geojson"),
        (collection(feature(point(), a=1)).replace("1", "[" * 20_000 + "]" * 20_000, 1), "too_deep"),
        ('{"type": "FeatureCollection", "features": [' + '{"a":' * 5_000, "too_deep"),
        (collection(crs={"type": "link", "properties": {"href": "http://127.0.0.1/"}}), "crs_unknown"),
        (collection(feature(point()), crs=4326), "crs_unknown"),
        (collection(feature(point(), **{f"c{i}": i for i in range(1001)})), "too_many_columns"),
    ],
)
def test_a_file_that_is_no_geojson_is_refused(tmp_path: Path, content: str, code: str) -> None:
    assert reason("geojson", content, tmp_path) == code


def test_a_single_feature_and_a_bare_geometry_are_rows(tmp_path: Path) -> None:
    assert column(take("geojson", json.dumps(feature(point(), n=1)), tmp_path), "n") == [1]
    assert wkt(take("geojson", "\ufeff" + json.dumps(point()), tmp_path)) == ["POINT (120.5 29.25)"]


def test_another_encoding_is_told_for_each_row_with_its_characters(tmp_path: Path) -> None:
    names = ["金华江", "plain", "婺城区"]
    content = collection(*(feature(point(), name=name) for name in names))
    for codec, name in (("gb18030", "GB18030"), ("utf-16", "UTF-16-LE")):
        reading = take("geojson", content.encode(codec), tmp_path)
        assert reading.header.encoding == name
        assert column(reading, "name") == names
        assert found(reading) == [(0, "repair", "encoding_detected"), (2, "repair", "encoding_detected")]


def test_single_rows_in_another_encoding_are_refused(tmp_path: Path) -> None:
    first, second = collection(feature(point(), name="金华江")), feature(None, name="婺城")
    other = json.dumps(second, ensure_ascii=False).encode("gb18030")
    reading = take("geojson", first.encode()[:-2] + b"," + other + b"\n]}", tmp_path)
    assert found(reading) == [(1, "error", "encoding")] and "婺城" in (reading.issues[0].value or "")


def test_texts_that_cannot_be_stored(tmp_path: Path) -> None:
    texts = ["a@b", "c#", "x" * 10_001, "x" * 10_000]
    content = collection(*(feature(None, name=text) for text in texts))
    content = content.replace("@", "\\u0000").replace("#", "\\ud800")
    reading = take("geojson", content, tmp_path)
    assert found(reading) == [
        (0, "error", "bad_text"),
        (1, "error", "bad_text"),
        (2, "error", "value_too_long"),
    ]
    assert column(reading, "name") == [None, None, None, "x" * 10_000]


def test_the_id_of_a_feature_is_a_column_unless_a_property_has_that_name(tmp_path: Path) -> None:
    one, two = {**feature(None, n=1), "id": "a7"}, {**feature(None, id=3), "id": 9}
    assert rows(take("geojson", collection(one), tmp_path)) == [{"n": 1, "id": "a7"}]
    assert rows(take("geojson", collection(two), tmp_path)) == [{"id": 3}]


def test_names_that_cannot_be_stored(tmp_path: Path) -> None:
    content = (
        collection(feature(None, **{"a@": 1, "": 2, "b#": 3})).replace("@", "\\u0000").replace("#", "\\ud800")
    )
    assert take("geojson", content, tmp_path).header.columns == ("a", "column", "b?")


def test_vertices_are_bounded(tmp_path: Path) -> None:
    ring = [[i, i * i] for i in range(150)] + [[0, 0]]
    many = {"type": "MultiPoint", "coordinates": ring}
    content = collection(feature(area(ring)), feature(area(RING)), feature(many))
    with limits_set(Limits(vertices=150)):
        reading = take("geojson", content, tmp_path)
    assert found(reading) == [(0, "error", "too_many_vertices"), (2, "error", "too_many_vertices")]


@pytest.mark.parametrize("separator, end", [("\n", ""), ("\r\n", "\r\n"), ("\n\n", "\n"), ("\n\x1e", "\n")])
def test_sequences(tmp_path: Path, separator: str, end: str) -> None:
    records = [json.dumps(feature(point(i, i), n=i)) for i in range(4)]
    records[1], records[2] = (
        records[1][:30],
        json.dumps(feature(point(), deep=json.loads("[" * 80 + "]" * 80))),
    )
    content = ("\x1e" if "\x1e" in separator else "") + separator.join(records) + end
    reading = take("geojson", content, tmp_path)
    assert reading.header.format == "geojsonseq" and reading.header.rows == 4
    assert found(reading) == [(1, "error", "feature_malformed"), (2, "error", "too_deep")]
    assert [row.get("n") for row in rows(reading)] == [0, None, None, 3]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=6), JSON, max_size=4), max_size=6),
    st.integers(1, 40),
    st.booleans(),
)
def test_a_document_is_cut_where_its_features_end(features: list[Any], step: int, spaced: bool) -> None:
    document = {"name": 'a"[{\\', "features": features, "after": [{"features": [1]}]}
    text = json.dumps(document, ensure_ascii=False, indent=2 if spaced else None).encode(
        "utf-8", "surrogatepass"
    )
    splitter = Splitter()
    cut = [part for part, _ in splitter.split(text[i : i + step] for i in range(0, len(text), step))]
    assert [json.loads(part or b"") for part in cut] == features
    assert json.loads(bytes(splitter.rest)) == {**document, "features": [{} for _ in features]}
    assert splitter.done and not splitter.after


def test_depth_counts_brackets_outside_of_strings() -> None:
    assert depth_of(b'{"a": ["[[[[[[[[", {"b\\"[": []}]}') == 4
    assert depth_of(b"[" * 30 + b"]" * 30) == 30


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_refused_or_add_up(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    shapes = (point(), area(RING), area(RING[:-1]), None)
    content = collection(*(feature(shape, n=1, name="金华") for shape in shapes)).encode()
    for _ in range(40):
        assert_whole("geojson", damaged(content, source), tmp_path)
