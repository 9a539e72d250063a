"""Shapefiles as they come: told in GBK, without their parts, cut, counted wrongly."""

from __future__ import annotations

import datetime
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import shapely

from gis.importing.reading import Limits, ReadOptions
from gis.importing.reading.spool import GEOM
from tests.gis.importing.reading.makers import (
    NAMES,
    coordinates,
    copy_tree,
    frame,
    patched,
    reason,
    shapefile,
    table,
    write,
)

RECORD = 8 + 20  # a point's record in the .shp


@pytest.fixture(scope="module")
def utf8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shapefile(tmp_path_factory.mktemp("utf8") / "s").parent


@pytest.fixture(scope="module")
def gbk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    held = frame()
    held["name"] = [name.replace("𠮷㐂", "吉利") for name in held["name"]]
    return shapefile(tmp_path_factory.mktemp("gbk") / "s", held, encoding="GBK").parent


def test_every_value_and_bit(utf8: Path) -> None:
    header, rows, reading = table(utf8 / "a.shp")
    held = frame()
    assert (header.format, header.encoding, header.declared_crs) == ("shapefile", "UTF-8", "EPSG:4490")
    assert header.columns == ("code", "name", "note", "size", "count", "since")
    assert (header.rows, header.rows_claimed, reading.issues) == (12, 12, [])
    assert coordinates(rows) == [(point.x, point.y) for point in held.geometry]
    assert rows["code"].to_pylist() == [f"{i:04d}" for i in range(12)]  # leading zeros stay
    assert rows["name"].to_pylist() == held["name"].to_list()
    assert rows["note"].to_pylist() == [None if i % 3 == 0 else f"n{i}" for i in range(12)]
    assert rows["count"].to_pylist() == [10**12 + i for i in range(12)]
    assert rows["size"].to_pylist()[0] is None
    assert rows["size"].to_pylist()[1] == pytest.approx(1 / 3, abs=1e-14)
    assert rows["since"].to_pylist()[4] == datetime.date(2024, 1, 5)


@pytest.mark.parametrize(
    "cpg, driver, repaired",
    [
        (b"GBK", 0, 0),
        (b"936", 0, 0),
        (None, 0x4D, 0),
        (None, 0, 9),
        (None, 0x57, 9),
        (b"UTF-8", 0, 9),
        (b"ISO-8859-1", 0x57, 9),
        (b"nonsense", 0, 9),
    ],
)
def test_gbk_whatever_is_said_of_it(
    tmp_path: Path, gbk: Path, cpg: bytes | None, driver: int, repaired: int
) -> None:
    def change(folder: Path) -> None:
        (folder / "a.cpg").unlink()
        if cpg is not None:
            (folder / "a.cpg").write_bytes(cpg)
        dbf = folder / "a.dbf"
        dbf.write_bytes(patched(dbf.read_bytes(), 29, bytes([driver])))

    header, rows, reading = table(copy_tree(gbk, tmp_path / "s", change))
    assert header.encoding == "GB18030"
    assert rows["name"].to_pylist()[:2] == [NAMES[0], "吉利化工"]
    # One for each row whose text is more than ASCII; every fourth is not.
    assert Counter(i.code for i in reading.issues) == ({"encoding_detected": repaired} if repaired else {})
    assert len({i.row for i in reading.issues}) == repaired


def test_utf8_that_is_said_to_be_gbk(tmp_path: Path, utf8: Path) -> None:
    _, rows, reading = table(copy_tree(utf8, tmp_path / "s", lambda f: (f / "a.cpg").write_bytes(b"GBK")))
    assert rows["name"].to_pylist() == frame()["name"].to_list()
    assert {i.code for i in reading.issues} == {"encoding_detected"}


def test_the_uploader_may_say_the_encoding(tmp_path: Path, utf8: Path) -> None:
    _, rows, _ = table(utf8 / "a.shp", ReadOptions(encoding="latin-1"))
    assert rows["name"].to_pylist()[0] == NAMES[0].encode().decode("latin-1")


def test_half_a_character_at_the_end_of_a_full_field(tmp_path: Path, utf8: Path) -> None:
    def change(folder: Path) -> None:
        dbf = folder / "a.dbf"
        raw = dbf.read_bytes()
        width = raw[32 + 32 + 16]
        name = "长" * (width // 3) + "长"
        dbf.write_bytes(patched(raw, raw.index(NAMES[0].encode()), name.encode()[:width]))

    _, rows, reading = table(copy_tree(utf8, tmp_path / "s", change))
    assert set(rows["name"].to_pylist()[0]) == {"长"}
    assert [(i.row, i.code, i.severity) for i in reading.issues] == [(0, "text_cut", "warning")]


def test_one_value_in_another_encoding(tmp_path: Path, utf8: Path) -> None:
    def change(folder: Path) -> None:
        dbf = folder / "a.dbf"
        raw = dbf.read_bytes()
        other = "金华江上".encode("gbk").ljust(len(NAMES[0].encode()))
        dbf.write_bytes(patched(raw, raw.index(NAMES[0].encode()), other))

    _, rows, reading = table(copy_tree(utf8, tmp_path / "s", change))
    assert rows["name"].to_pylist()[0] == "金华江上"
    assert [(i.row, i.field, i.code) for i in reading.issues] == [(0, "name", "encoding_detected")]


@pytest.mark.parametrize("part", ["a.shx", "a.prj", "a.cpg"])
def test_parts_that_can_be_done_without(tmp_path: Path, utf8: Path, part: str) -> None:
    header, rows, reading = table(copy_tree(utf8, tmp_path / "s", lambda f: (f / part).unlink()))
    assert coordinates(rows) == [(point.x, point.y) for point in frame().geometry]
    assert rows["name"].to_pylist() == frame()["name"].to_list()
    assert header.declared_crs == (None if part == "a.prj" else "EPSG:4490")
    assert reading.issues == []


def test_an_index_of_another_file(tmp_path: Path, utf8: Path) -> None:
    def change(folder: Path) -> None:
        shx = folder / "a.shx"
        shx.write_bytes(shx.read_bytes()[:100] + struct.pack(">ii", 50, 7) * 12)

    _, rows, _ = table(copy_tree(utf8, tmp_path / "s", change))
    assert coordinates(rows)[11] == (frame().geometry[11].x, frame().geometry[11].y)


def _resize(name: str, keep: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(keep((folder / name).read_bytes()))

    return change


@pytest.mark.parametrize(
    "change, code",
    [
        (lambda f: (f / "a.dbf").unlink(), "dbf_missing"),
        (_resize("a.dbf", lambda raw: b""), "dbf_unreadable"),
        (_resize("a.dbf", lambda raw: raw[:20]), "dbf_unreadable"),
        (_resize("a.dbf", lambda raw: patched(raw, 10, b"\x01\x00")), "dbf_unreadable"),
        (_resize("a.dbf", lambda raw: patched(raw, 4, b"\xff\xff\xff\x7f")), "dbf_count_mismatch"),
        (_resize("a.dbf", lambda raw: patched(raw, 4, b"\x0b\x00\x00\x00")), "dbf_count_mismatch"),
        (_resize("a.dbf", lambda raw: raw[:-200]), "dbf_count_mismatch"),
        (_resize("a.shp", lambda raw: raw[:-RECORD]), "shp_truncated"),
        (_resize("a.shp", lambda raw: raw[:-7]), "shp_truncated"),
        (_resize("a.shp", lambda raw: raw[:60]), "shp_truncated"),
        (_resize("a.shp", lambda raw: patched(raw, 32, b"\x63\x00\x00\x00")), "not_a_shapefile"),
    ],
)
def test_what_cannot_be_taken(tmp_path: Path, utf8: Path, change: Callable[[Path], None], code: str) -> None:
    folder = copy_tree(utf8, tmp_path / "s", change)
    assert reason(folder / "a.shp") == code
    (folder / "a.shx").unlink()
    assert reason(folder / "a.shp") == code


def test_deleted_rows_are_counted(tmp_path: Path, utf8: Path) -> None:
    def change(folder: Path) -> None:
        dbf = folder / "a.dbf"
        raw = dbf.read_bytes()
        start, length = struct.unpack_from("<HH", raw, 8)
        for row in (3, 7):
            raw = patched(raw, start + row * length, b"*")
        dbf.write_bytes(raw)

    header, rows, reading = table(copy_tree(utf8, tmp_path / "s", change))
    assert header.rows == rows.num_rows == 12
    assert rows["code"].to_pylist()[3] == "0003"  # still there, to be shown with its reason
    assert [(i.row, i.code, i.severity) for i in reading.issues] == [
        (3, "deleted_rows_skipped", "error"),
        (7, "deleted_rows_skipped", "error"),
    ]


def test_null_shapes_are_null(tmp_path: Path) -> None:
    shape = [None if i in (2, 5) else shapely.Point(i, i) for i in range(12)]
    _, rows, reading = table(shapefile(tmp_path / "s", frame(geometry=shape)))
    assert [i for i, at in enumerate(coordinates(rows)) if at is None] == [2, 5]
    assert reading.issues == []  # whether a layer needs a place is for the checks to say


HOLED = shapely.Polygon(
    [(0, 0), (0, 10), (10, 10), (10, 0)], [[(1, 1), (2, 1), (2, 2), (1, 2)], [(5, 5), (8, 5), (8, 8), (5, 8)]]
)
ISLAND = shapely.Polygon([(6, 6), (6, 7), (7, 7), (7, 6)])


@pytest.mark.parametrize(
    "shape",
    [
        HOLED,
        shapely.MultiPolygon([HOLED, ISLAND]),
        shapely.MultiPolygon([ISLAND, shapely.Polygon([(20, 0), (20, 1), (21, 1)])]),
        shapely.LineString([(0, 0), (1, 1), (2, 0)]),
        shapely.MultiLineString([[(0, 0), (1, 1)], [(5, 5), (6, 6), (7, 5)]]),
        shapely.MultiPoint([(0, 0), (1, 1)]),
        shapely.from_wkt("POINT Z (1 2 3)"),
        shapely.from_wkt("POLYGON Z ((0 0 1, 0 1 1, 1 1 1, 0 0 1))"),
        shapely.from_wkt("LINESTRING M (0 0 1, 0 1 1)"),
    ],
)
def test_shapes_of_all_kinds(tmp_path: Path, shape: shapely.Geometry) -> None:
    _, rows, reading = table(shapefile(tmp_path / "s", frame(3, geometry=[shape] * 3)))
    for wkb in rows.column(GEOM).to_pylist():
        found = shapely.from_wkb(wkb)
        assert not found.has_z and shapely.equals(found, shapely.force_2d(shape))
        assert found.is_valid and found.geom_type == shape.geom_type
    assert reading.issues == []


def test_rings_drawn_the_wrong_way_round(tmp_path: Path) -> None:
    shp = shapefile(tmp_path / "s", frame(1, geometry=[HOLED]))
    raw = shp.read_bytes()
    parts, points = struct.unpack_from("<ii", raw, 100 + 8 + 36)
    at = 100 + 8 + 44 + 4 * parts
    # All points backwards: each ring turns, and stands at another place.
    turned = b"".join(raw[at + 16 * i : at + 16 * i + 16] for i in reversed(range(points)))
    sizes = [0, *(len(ring.coords) for ring in reversed(HOLED.interiors))]
    starts = [sum(sizes[: n + 1]) for n in range(parts)]
    raw = patched(raw, 100 + 8 + 44, struct.pack(f"<{parts}i", *starts) + turned)
    shp.write_bytes(raw)
    _, rows, _ = table(shp)
    found = shapely.from_wkb(rows.column(GEOM)[0].as_py())
    assert found.is_valid and found.area == HOLED.area


@pytest.mark.parametrize(
    "at, value, code",
    [
        (36, 2**31 - 1, "geometry_unreadable"),  # numParts
        (36, -5, "geometry_unreadable"),
        (40, 2**31 - 1, "geometry_unreadable"),  # numPoints
        (40, 2, "zero_area"),
        (44, 77, "geometry_unreadable"),  # the first part's beginning
        (0, 3, "geometry_unreadable"),  # another shape type
    ],
)
def test_a_record_that_lies(tmp_path: Path, at: int, value: int, code: str) -> None:
    square = shapely.Polygon([(0, 0), (0, 1), (1, 1), (1, 0)])
    shp = shapefile(tmp_path / "s", frame(3, geometry=[square] * 3))
    shp.write_bytes(patched(shp.read_bytes(), 100 + 8 + at, struct.pack("<i", value)))
    header, rows, reading = table(shp)
    assert header.rows == 3
    assert [wkb is None for wkb in rows.column(GEOM).to_pylist()] == [True, False, False]
    assert [(i.row, i.code, i.severity) for i in reading.issues] == [(0, code, "error")]


def test_a_ring_that_is_not_closed(tmp_path: Path) -> None:
    square = shapely.Polygon([(0, 0), (0, 1), (1, 1), (1, 0)])
    shp = shapefile(tmp_path / "s", frame(1, geometry=[square]))
    shp.write_bytes(patched(shp.read_bytes(), 100 + 8 + 40, struct.pack("<i", 4)))  # of its five points
    _, rows, reading = table(shp)
    assert shapely.from_wkb(rows.column(GEOM)[0].as_py()).equals(square)
    [issue] = reading.issues
    assert (issue.code, issue.severity) == ("ring_closed", "repair")
    assert issue.original is not None and bytes.fromhex(issue.original)[9:13] == struct.pack("<I", 4)


def test_more_vertices_than_the_limit(tmp_path: Path) -> None:
    ring = shapely.Point(0, 0).buffer(1, quad_segs=100)
    shp = shapefile(tmp_path / "s", frame(2, geometry=[ring, shapely.Point(0, 0).buffer(1)]))
    from gis.importing.reading import read_file

    with read_file(shp, limits=Limits(vertices=200)) as reading:
        assert [(i.row, i.code) for i in reading.issues] == [(0, "too_many_vertices")]


def test_columns_that_hold_what_they_should_not(tmp_path: Path, utf8: Path) -> None:
    def change(folder: Path) -> None:
        dbf = folder / "a.dbf"
        raw = dbf.read_bytes()
        raw = raw.replace(b"20240103", b"20240230")  # no such day
        at = raw.index(str(10**12 + 4).encode())
        raw = patched(raw, at, b"*" * 13)  # a number that did not fit
        dbf.write_bytes(raw)

    _, rows, _ = table(copy_tree(utf8, tmp_path / "s", change))
    assert rows["since"].to_pylist()[2:4] == ["20240230", "20240104"]  # for the checks to refuse by row
    assert rows["count"].to_pylist()[4] is None
    assert rows["count"].to_pylist()[5] == 10**12 + 5


def test_several_in_a_folder(tmp_path: Path, utf8: Path) -> None:
    folder = copy_tree(utf8, tmp_path / "s", lambda f: None)
    write(frame(), folder / "b.shp")
    assert reason(folder) == "several_layers"
    _, rows, _ = table(folder / "b.shp")
    assert rows.num_rows == 12
    (tmp_path / "empty").mkdir()
    assert reason(tmp_path / "empty") == "no_shapefile"
