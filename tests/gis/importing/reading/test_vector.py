"""GeoPackage, FlatGeobuf, GeoParquet and DXF: every value and bit, and the faults of each."""

from __future__ import annotations

import datetime
import math
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from gis.importing.reading import Limits, ReadOptions, read_file
from gis.importing.reading.curves import straight
from gis.importing.reading.spool import GEOM
from tests.gis.importing.reading.makers import coordinates, frame, patched, reason, table, write

SQUARE = shapely.Polygon([(0, 0), (1, 0), (1, 1), (0, 1)])
# A circle of radius 1 about (0, 0) as a CURVEPOLYGON of one CIRCULARSTRING.
CIRCLE = struct.pack("<BIIBII10d", 1, 10, 1, 1, 8, 5, 1, 0, 0, 1, -1, 0, 0, -1, 1, 0)


def _parquet(held: gpd.GeoDataFrame, path: Path) -> Path:
    held.to_parquet(path, row_group_size=5)
    return path


WRITERS: dict[str, Callable[[gpd.GeoDataFrame, Path], Path]] = {
    "gpkg": lambda held, folder: write(held, folder / "a.gpkg"),
    "flatgeobuf": lambda held, folder: write(held, folder / "a.fgb", SPATIAL_INDEX="NO"),
    "geoparquet": lambda held, folder: _parquet(held, folder / "a.parquet"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_value_and_bit(tmp_path: Path, kind: str) -> None:
    held = frame(20)
    header, rows, reading = table(WRITERS[kind](held, tmp_path).rename(tmp_path / "renamed.bin"))
    assert (header.format, header.declared_crs) == (kind, "EPSG:4490")
    assert (header.rows, header.rows_claimed, reading.issues) == (20, 20, [])
    assert header.columns == ("code", "name", "note", "size", "count", "since")
    assert rows.column(0).to_pylist() == list(range(20))
    assert coordinates(rows) == [(point.x, point.y) for point in held.geometry]
    dates = [
        d if kind != "flatgeobuf" else datetime.datetime.combine(d, datetime.time()) for d in held["since"]
    ]
    assert rows["since"].to_pylist() == dates  # FlatGeobuf knows no date without a time
    for column in ("code", "name", "note", "count"):
        assert rows[column].to_pylist() == [v if v == v else None for v in held[column]]
    assert rows["size"].to_pylist() == [None if math.isnan(v) else v for v in held["size"]]
    assert [str(rows.schema.field(n).type) for n in header.columns] == [
        "string", "string", "string", "double", "int64",
        "timestamp[ms]" if kind == "flatgeobuf" else "date32[day]",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
def test_shapes_of_all_kinds(tmp_path: Path, kind: str) -> None:
    shapes = [
        None,
        shapely.Point(1, 2),
        SQUARE,
        shapely.MultiLineString([[(0, 0), (1, 1)], [(5, 5), (6, 6)]]),
        shapely.GeometryCollection([shapely.Point(0, 0), SQUARE]),
        shapely.MultiPolygon([SQUARE]),
    ]
    _, rows, reading = table(WRITERS[kind](frame(6, geometry=shapes), tmp_path))
    found = [None if wkb is None else shapely.from_wkb(wkb) for wkb in rows.column(GEOM).to_pylist()]
    assert reading.issues == []
    for shape, read in zip(shapes, found, strict=True):
        assert (shape is None) == (read is None)
        assert shape is None or shapely.force_2d(shape).normalize() == read.normalize()
        assert shape is None or not read.has_z


@pytest.mark.parametrize("kind", WRITERS)
def test_heights_are_dropped(tmp_path: Path, kind: str) -> None:
    shapes = [shapely.force_3d(SQUARE, 7.0), shapely.from_wkt("POLYGON Z EMPTY")]
    _, rows, reading = table(WRITERS[kind](frame(2, geometry=shapes), tmp_path))
    found = shapely.from_wkb(rows.column(GEOM).to_pylist())
    assert reading.issues == [] and not shapely.has_z(found).any()
    assert shapely.equals_exact(found[0], SQUARE)


def test_a_null_among_shapes_moves_none_of_them(tmp_path: Path) -> None:
    shapes = [None if i % 3 == 1 else shapely.box(i, 0, i + 1, 1) for i in range(9)]
    _, rows, _ = table(WRITERS["flatgeobuf"](frame(9, geometry=shapes), tmp_path))
    found = shapely.from_wkb(rows.column(GEOM).to_pylist())
    assert [None if shape is None else shape.bounds[0] for shape in found] == [
        None if i % 3 == 1 else i for i in range(9)
    ]


@pytest.mark.parametrize("kind", WRITERS)
def test_cut_short(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](frame(2000), tmp_path)
    raw = path.read_bytes()
    for share in (0.2, 0.6, 0.95):
        path.write_bytes(raw[: int(len(raw) * share)])
        assert reason(path) in ("gpkg_unreadable", "file_unreadable", "row_count_mismatch")


@pytest.mark.parametrize("kind", WRITERS)
def test_more_vertices_than_the_limit(tmp_path: Path, kind: str) -> None:
    round_, wide = (shapely.Point(0, 0).buffer(1, quad_segs=n) for n in (8, 100))
    path = WRITERS[kind](frame(3, geometry=[round_, wide, round_]), tmp_path)
    with read_file(path, limits=Limits(vertices=200)) as reading:
        assert [(i.row, i.code, i.value) for i in reading.issues] == [(1, "too_many_vertices", "401")]
        assert reading.header.rows == 3


def test_too_many_columns(tmp_path: Path) -> None:
    path = _parquet(frame().assign(**{f"c{i}": i for i in range(30)}), tmp_path / "a.parquet")
    assert reason(path, limits=Limits(columns=20)) == "too_many_columns"


# --- GeoPackage -------------------------------------------------------------------------------------------


def _changed(path: Path, *statements: str, values: tuple[object, ...] = ()) -> Path:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            # The triggers of the spatial index call functions that plain SQLite lacks.
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                database.execute(f'DROP TRIGGER "{name}"')
            database.execute(statement, values if "?" in statement else ())
        database.commit()
    return path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write(frame(), tmp_path / "a.gpkg", layer="排口")


def _blob(wkb: bytes) -> bytes:
    return b"GP\x00\x01" + struct.pack("<i", 4490) + wkb


@pytest.mark.parametrize("srs", [-1, 0])
def test_an_undefined_srs_is_none(package: Path, srs: int) -> None:
    _changed(
        package,
        f"UPDATE gpkg_geometry_columns SET srs_id = {srs}",
        f"UPDATE gpkg_contents SET srs_id = {srs}",
    )
    header, rows, _ = table(package)
    assert header.declared_crs is None and rows.num_rows == 12


def test_layers_tables_and_views(package: Path) -> None:
    write(frame(3), package, layer="第二层")
    assert reason(package) == "several_layers"
    header, _, _ = table(package, ReadOptions(member="第二层"))
    assert (header.member, set(header.members), header.rows) == ("第二层", {"排口", "第二层"}, 3)
    assert reason(package, ReadOptions(member="无")) == "member_missing"


def test_a_view_that_would_load_a_library_is_left_alone(package: Path, tmp_path: Path) -> None:
    _changed(
        package,
        "CREATE VIEW trap AS SELECT load_extension('/tmp/onemap_evil.so') AS fid",
        "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('trap', 'features', 'trap')",
        "CREATE TRIGGER bite AFTER INSERT ON 排口 BEGIN SELECT load_extension('x'); END",
    )
    header, rows, _ = table(package)
    assert (header.member, rows.num_rows) == ("排口", 12)


def test_a_blob_that_is_no_geometry(package: Path) -> None:
    _changed(package, "UPDATE 排口 SET geom = ? WHERE fid IN (3, 7)", values=(b"junk, no geometry",))
    _changed(package, "UPDATE 排口 SET geom = NULL WHERE fid = 5")
    header, rows, reading = table(package)
    assert header.rows == 12
    assert [i for i, at in enumerate(coordinates(rows)) if at is None] == [2, 4, 6]
    assert sorted((i.row, i.code) for i in reading.issues) == [
        (2, "geometry_unreadable"),
        (6, "geometry_unreadable"),
    ]


def test_text_that_is_not_utf8(package: Path) -> None:
    _changed(package, "UPDATE 排口 SET name = CAST(? AS TEXT) WHERE fid = 2", values=("金华".encode("gbk"),))
    _changed(package, "UPDATE 排口 SET name = CAST(? AS TEXT) WHERE fid = 4", values=(b"\xff\xff\xff",))
    _, rows, reading = table(package)
    assert rows["name"].to_pylist()[1] == "金华"
    assert rows["name"].to_pylist()[3] is None
    assert sorted((i.row, i.field, i.code) for i in reading.issues) == [
        (1, "name", "encoding_detected"),
        (3, "name", "bad_text"),
    ]


def test_a_curve_is_made_straight(package: Path) -> None:
    _changed(package, "UPDATE 排口 SET geom = ? WHERE fid = 1", values=(_blob(CIRCLE),))
    _, rows, reading = table(package)
    found = shapely.from_wkb(rows.column(GEOM)[0].as_py())
    assert found.geom_type == "Polygon" and found.is_valid
    assert abs(found.area - math.pi) < 0.01
    [issue] = reading.issues
    assert (issue.row, issue.code, issue.severity, issue.value) == (
        0,
        "curve_linearised",
        "repair",
        "CurvePolygon",
    )
    assert issue.original == CIRCLE.hex()


def test_what_is_no_geopackage(tmp_path: Path) -> None:
    plain = tmp_path / "a.gpkg"
    _changed(plain, "CREATE TABLE a (x)", "INSERT INTO a VALUES (1)")
    assert reason(plain) == "not_a_gpkg"


def test_damage_within(package: Path) -> None:
    raw = package.read_bytes()
    with closing(sqlite3.connect(package)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = '排口'").fetchone()
    size = struct.unpack_from(">H", raw, 16)[0]
    package.write_bytes(patched(raw, (root - 1) * size, bytes(range(256)) * 4))
    assert reason(package) == "gpkg_unreadable"


def test_a_journal_beside_it_is_not_replayed(package: Path) -> None:
    with closing(sqlite3.connect(package)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    _, rows, _ = table(package)
    assert rows.num_rows == 12


def test_names_that_are_sql(tmp_path: Path) -> None:
    name = 'a"; DROP TABLE x; --'
    held = frame().rename(columns={"note": 'select"; --'})
    header, rows, _ = table(write(held, tmp_path / "a.gpkg", layer=name))
    assert (header.member, rows.num_rows) == (name, 12)
    assert 'select"; --' in header.columns


# --- GeoParquet -------------------------------------------------------------------------------------------


def test_parquet_that_is_not_geo(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1]}), path)
    assert coordinates(table(path)[1]) == [None]  # a register, which has no place
    pq.write_table(pa.table({"x": [b"\x01"]}), path)
    assert reason(path) == "not_a_geoparquet"
    whole = pq.read_table(_parquet(frame(), path))
    pq.write_table(whole.replace_schema_metadata({"geo": "{}"}), path)
    assert reason(path) == "not_a_geoparquet"


def test_columns_of_other_types(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    extra = {
        "small": pa.array([1, None], pa.int8()),
        "big": pa.array([2**64 - 1, 0], pa.uint64()),
        "tag": pa.array(["甲", "甲"]).dictionary_encode(),
        "parts": pa.array([["a", "b"], None]),
        "raw": pa.array([b"\x01\xff", None]),
        "flag": pa.array([True, None]),
    }
    whole = pq.read_table(_parquet(frame(2), path))
    for name, column in extra.items():
        whole = whole.append_column(name, column)
    pq.write_table(whole, path)
    _, rows, reading = table(path)
    assert reading.issues == []
    assert {n: rows[n].to_pylist() for n in extra} == {
        "small": [1, None],
        "big": [str(2**64 - 1), "0"],
        "tag": ["甲", "甲"],
        "parts": ['["a","b"]', None],
        "raw": ["01ff", None],
        "flag": [True, None],
    }


# --- DXF --------------------------------------------------------------------------------------------------


def _dxf(page: str, text: bytes) -> bytes:
    head = f"0\nSECTION\n2\nHEADER\n9\n$ACADVER\n1\nAC1015\n9\n$DWGCODEPAGE\n3\n{page}\n0\nENDSEC\n"
    body = b"0\nSECTION\n2\nENTITIES\n0\nTEXT\n8\n" + text + b"\n10\n120.5\n20\n29.5\n40\n1\n1\n" + text
    return head.encode() + body + b"\n0\nPOINT\n8\n0\n10\n120.1\n20\n29.1\n0\nENDSEC\n0\nEOF\n"


@pytest.mark.parametrize(
    "page, encoding, repaired",
    [("ANSI_936", "gbk", 0), ("ANSI_1252", "gbk", 1), ("ANSI_1252", "utf-8", 0)],
)
def test_drawings(tmp_path: Path, page: str, encoding: str, repaired: int) -> None:
    path = tmp_path / "a.dxf"
    path.write_bytes(_dxf(page, "界址点".encode(encoding)))
    header, rows, reading = table(path)
    assert (header.format, header.declared_crs, header.rows) == ("dxf", None, 2)
    assert rows["Layer"].to_pylist() == ["界址点", "0"]
    assert rows["Text"].to_pylist() == ["界址点", None]
    assert coordinates(rows) == [(120.5, 29.5), (120.1, 29.1)]
    assert len({i.row for i in reading.issues}) == repaired


# --- Curves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wkb, wkt",
    [
        (struct.pack("<BIIBII4dBII6d", 1, 9, 2, 1, 2, 2, 0, 0, 1, 0, 1, 8, 3, 1, 0, 2, 0, 3, 0),
         "LINESTRING (0 0, 1 0, 2 0, 3 0)"),  # an arc on a straight line
        (struct.pack("<BII", 1, 15, 1) + SQUARE.wkb, f"MULTIPOLYGON ({str(SQUARE)[8:]})"),
        (struct.pack("<BIIBIII8d", 1, 16, 1, 1, 17, 1, 4, 0, 0, 1, 0, 1, 1, 0, 0),
         "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))"),
        (struct.pack(">BIIBI3d", 0, 1007, 1, 0, 1001, 1, 2, 3), "GEOMETRYCOLLECTION (POINT (1 2))"),
    ],
)  # fmt: skip
def test_straight(wkb: bytes, wkt: str) -> None:
    assert shapely.equals_exact(straight(wkb), shapely.from_wkt(wkt))


def test_arcs_turn_the_way_they_are_drawn() -> None:
    for sign in (1, -1):  # the upper half of the circle, from the left and from the right
        arc = struct.pack("<BII6d", 1, 8, 3, -sign, 0, 0, 1, sign, 0)
        points = shapely.get_coordinates(straight(arc))
        assert (points[:, 1] > -1e-12).all() and abs(points[len(points) // 2] - [0, 1]).max() < 1e-12
        assert abs(shapely.length(straight(arc)) - math.pi) < 0.001


@pytest.mark.parametrize(
    "wkb", [b"", b"\x01", CIRCLE[:-3], b"\x01\x0a\x00\x00\x00\xff\xff\xff\xff", b"\x01" * 200]
)
def test_what_is_no_whole_geometry(wkb: bytes) -> None:
    with pytest.raises(ValueError):
        straight(wkb)
