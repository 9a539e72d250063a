"""Delimited text: delimiters, encodings, headings, coordinates, and faults of single rows."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.importing.issues import FILE
from tests.gis.importing.reading.texts import (
    assert_whole,
    column,
    damaged,
    found,
    good,
    reason,
    rows,
    take,
    wkt,
)

HEAD = "编码,名称,经度,纬度\n"
BODY = "".join(f"00{i},金华站{i},120.{i},29.{i}\n" for i in range(1, 6))


def test_everything_stays_text_and_points_come_from_the_named_columns(tmp_path: Path) -> None:
    reading = take("csv", HEAD + BODY, tmp_path)
    assert reading.header.columns == ("编码", "名称", "经度", "纬度")
    assert (reading.header.x, reading.header.y, reading.header.coordinate_unit) == ("经度", "纬度", "native")
    assert column(reading, "编码") == ["001", "002", "003", "004", "005"]
    assert wkt(reading)[0] == "POINT (120.1 29.1)"
    assert found(reading) == [] and reading.header.declared_crs is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，", "；"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiters_encodings_and_line_ends(tmp_path: Path, delimiter: str, codec: str, newline: str) -> None:
    content = (HEAD + BODY).replace(",", delimiter).replace("\n", newline).encode(codec)
    reading = take("csv", content, tmp_path)
    assert column(reading, "名称") == [f"金华站{i}" for i in range(1, 6)]
    assert good(reading) == 5 and None not in wkt(reading)


def test_old_line_ends_blank_rows_and_a_line_that_names_the_separator(tmp_path: Path) -> None:
    assert column(take("csv", (HEAD + BODY).replace("\n", "\r"), tmp_path), "编码")[-1] == "005"
    blank = take("csv", HEAD + "\n" + BODY + ",,,\n  , ,,\n\n", tmp_path)
    assert blank.header.rows == good(blank) == 5
    named = take("csv", "sep=;\r\n" + (HEAD + BODY).replace(",", ";"), tmp_path)
    assert named.header.rows == 5 and found(named) == []


def test_rows_of_another_encoding_are_refused_alone(tmp_path: Path) -> None:
    lines = (HEAD + BODY).splitlines(keepends=True)
    for main, other in (("utf-8", "gb18030"), ("gb18030", "utf-8")):
        content = b"".join(line.encode(other if at == 3 else main) for at, line in enumerate(lines))
        reading = take("csv", content, tmp_path)
        assert found(reading) == [(2, "error", "encoding")]
        assert "金华站3" in (reading.issues[0].value or "")
        assert column(reading, "名称") == ["金华站1", "金华站2", None, "金华站4", "金华站5"]
    torn = (HEAD + BODY).encode().replace("站2".encode(), "站2".encode()[:-2])
    assert found(take("csv", torn, tmp_path)) == [(1, "error", "encoding")]


def test_an_encoding_that_is_said_holds(tmp_path: Path) -> None:
    assert column(take("csv", "a,b\né,1\n".encode("latin-1"), tmp_path, encoding="latin-1"), "a") == ["é"]
    assert reason("csv", HEAD + BODY, tmp_path, encoding="klingon") == "encoding_unknown"
    assert reason("csv", HEAD + BODY, tmp_path, encoding="base64") == "encoding_unknown"


@pytest.mark.parametrize("quoted", ["", '"六,六"'])
def test_rows_with_too_few_or_many_cells(tmp_path: Path, quoted: str) -> None:
    content = HEAD + BODY + f"006,{quoted},120.6\n007,x,120.7,29.7,多\n008,{quoted},120.8,29.8,,\n"
    reading = take("csv", content, tmp_path)
    assert found(reading) == [(5, "error", "wrong_field_count"), (6, "error", "wrong_field_count")]
    assert reading.header.rows == 8 and wkt(reading)[5:] == [None, None, "POINT (120.8 29.8)"]


def test_quotes(tmp_path: Path) -> None:
    content = HEAD + '1,"a, ""b""\nc",120,29\n2,5" 管,120,29\n3,"x"y,120,29\n4,d,120,29\n'
    reading = take("csv", content, tmp_path)
    assert column(reading, "名称") == ['a, "b"\nc', '5" 管', None, "d"]
    assert found(reading) == [(2, "error", "quote_misplaced")]


@pytest.mark.parametrize(
    "content",
    [
        HEAD + '1,"开,120,29\n' + BODY,
        HEAD + BODY + '6,"开,120,29\n',
        HEAD + '1,"开,120,29\n2,合",120,29\n' + BODY,
        HEAD + '1,"开,120,29\n2,"合",120,29\n' + BODY,
        '编码,"名称,经度,纬度\n' + BODY,
    ],
)
def test_a_quote_left_open_refuses_the_file(tmp_path: Path, content: str) -> None:
    assert reason("csv", content, tmp_path) in ("unclosed_quote", "column_missing")


@pytest.mark.parametrize(
    "content, code",
    [
        ("", "empty_file"),
        ("\n \n", "empty_file"),
        (HEAD, "empty_file"),
        (HEAD + ",,,\n", "empty_file"),
        (BODY, "column_missing"),
        ("编码,名称,经度\n1,a,120\n", "column_missing"),
        ("编码,名称,Y坐标\n1,a,120\n", "column_missing"),
        ("code,lat\n1,29\n", "column_missing"),
        ("编码,名称,名称,纬度\n1,a,b,29\n", "duplicate_column"),
        ("a,企业经度,企业纬度,排口经度,排口纬度\n1,120,29,120,29\n", "coordinate_columns_unclear"),
        (",".join(f"c{i}" for i in range(1001)) + "\n" + "1," * 1000 + "1\n", "too_many_columns"),
        ("\x89PNG\r\n\x1a\n" + "\0\1\2\3" * 400, "not_text"),
    ],
)
def test_a_table_that_cannot_be_taken(tmp_path: Path, content: str, code: str) -> None:
    assert reason("csv", content, tmp_path) == code


@pytest.mark.parametrize(
    "head, x, y",
    [
        ("lon,lat", "lon", "lat"),
        ("LNG,LAT", "LNG", "LAT"),
        ("Longitude,Latitude", "Longitude", "Latitude"),
        ("经度(°),纬度(°)", "经度(°)", "纬度(°)"),
        ("东经,北纬", "东经", "北纬"),
        ("排放口经度,排放口纬度", "排放口经度", "排放口纬度"),
        ("center_lng,center_lat", "center_lng", "center_lat"),
        ("JD,WD", "JD", "WD"),
        ("x,y", "x", "y"),
        ("X坐标,Y坐标", "X坐标", "Y坐标"),
        ("POINT_X,POINT_Y", "POINT_X", "POINT_Y"),
        ("easting,northing", "easting", "northing"),
        ("横坐标,纵坐标", "横坐标", "纵坐标"),
        ("纵坐标X,横坐标Y", "横坐标Y", "纵坐标X"),
        ("X(北),Y(东)", "Y(东)", "X(北)"),
        ("纬度,经度", "经度", "纬度"),
        ("lon_wgs84,lon,lat", "lon", "lat"),
        ("a,b", None, None),
        ("x,b", None, None),
    ],
)
def test_columns_of_coordinates_by_name(tmp_path: Path, head: str, x: str | None, y: str | None) -> None:
    body = ",".join(str(100 + i) for i in range(head.count(",") + 1))
    header = take("csv", f"code,{head}\na,{body}\n", tmp_path).header
    assert (header.x, header.y) == (x, y)


def test_columns_that_are_said_win(tmp_path: Path) -> None:
    content = "code,lon,lat,东,北\n1,120,29,500,300\n"
    assert wkt(take("csv", content, tmp_path, x="东", y="北")) == ["POINT (500 300)"]
    assert reason("csv", content, tmp_path, x="东", y="南") == "column_missing"
    assert reason("csv", content, tmp_path, x="东") == "column_missing"


def test_degrees_minutes_seconds_and_full_width_digits(tmp_path: Path) -> None:
    content = HEAD + "1,a,120°09′18″,29°12′3″\n2,b,１２０．５,29.5\n3,c,120.5,29.5\n"
    reading = take("csv", content, tmp_path)
    assert found(reading) == [(0, "repair", "coordinate_parsed"), (1, "repair", "coordinate_parsed")]
    assert reading.issues[0].original == "120°09′18″, 29°12′3″"
    assert (reading.issues[1].field, reading.issues[1].value) == ("经度", "120.5")
    assert reading.header.coordinate_unit == "dms"
    assert column(reading, "经度")[0] == "120°09′18″"
    parts = take(
        "csv",
        "n,经度（度）,经度（分）,经度（秒）,纬度（度）,纬度（分）,纬度（秒）\n1,120,9,18,29,12,\n",
        tmp_path,
    )
    assert wkt(parts) == ["POINT (120.155 29.2)"]


def test_faulty_coordinates_refuse_their_rows(tmp_path: Path) -> None:
    values = ["东经120", "—", "NaN", "1e309", '"120,155"', "#N/A", "N30°1′1″", ""]
    reading = take("csv", HEAD + "".join(f"{i},a,{v},29\n" for i, v in enumerate(values)), tmp_path)
    assert [code for _, _, code in sorted(found(reading))] == [
        "coordinate_not_number", "coordinate_not_number", "coordinate_not_finite", "coordinate_not_finite",
        "coordinate_not_number", "error_cell", "coordinate_wrong_axis",
    ]  # fmt: skip
    assert wkt(reading) == [None] * 8 and good(reading) == 1


def test_one_column_of_both(tmp_path: Path) -> None:
    assert wkt(take("csv", 'code,坐标\n1,"120.1,29.2"\n', tmp_path)) == ["POINT (120.1 29.2)"]
    assert wkt(take("csv", "code;latlng\n1;29.2,120.1\n", tmp_path)) == ["POINT (120.1 29.2)"]
    assert take("csv", "code,位置,location\n1,村口,河边\n", tmp_path).header.x is None


def test_geometry_as_text(tmp_path: Path) -> None:
    content = 'code,geom\n1,"SRID=4490;POINT Z (1 2 3)"\n2,"POLYGON((0 0,1 0,1 1))"\n3,POINT(x)\n4,\n'
    reading = take("csv", content, tmp_path)
    assert (reading.header.wkt, reading.header.declared_crs) == ("geom", "EPSG:4490")
    assert reading.header.columns == ("code",)
    assert wkt(reading) == ["POINT (1 2)", "POLYGON ((0 0, 1 0, 1 1, 0 0))", None, None]
    assert sorted(found(reading)) == [(1, "repair", "ring_closed"), (2, "error", "wkt_unreadable")]


def test_a_heading_below_titles(tmp_path: Path) -> None:
    reading = take("csv", "金华市监测站一览表,,,\n2024年,,,\n" + HEAD + BODY, tmp_path)
    assert found(reading) == [(FILE, "repair", "header_found")] and reading.header.rows == 5
    joined = take("csv", "编码,名称,坐标,\n,,经度,纬度\n" + BODY, tmp_path)
    assert joined.header.columns == ("编码", "名称", "经度", "纬度") and joined.header.rows == 5
    assert found(joined) == [(FILE, "repair", "header_found")]


def test_values_that_cannot_be_stored(tmp_path: Path) -> None:
    content = (
        HEAD + "1,a\0b,120,29\n2," + "长" * 10_001 + ",120,29\n3," + "x" * 3_000_000 + ",120,29\n" + BODY
    )
    reading = take("csv", content, tmp_path)
    assert sorted(found(reading)) == [
        (0, "error", "bad_text"), (1, "error", "value_too_long"), (2, "error", "value_too_long"),
    ]  # fmt: skip
    assert good(reading) == 5


def test_many_blocks_keep_their_order(tmp_path: Path) -> None:
    count = 200_000
    lines = [f"{i:06},站{i},120.5,29.5,{'x' * 12}\n" for i in range(count)]
    lines[150_000] = "150000,短\n"
    reading = take("csv", "编码,名称,经度,纬度,备注\n" + "".join(lines), tmp_path)
    assert reading.header.rows == count and found(reading) == [(150_000, "error", "wrong_field_count")]
    at = 0
    for batch in reading.batches():
        assert batch.column(2)[0].as_py() == f"{at:06}"
        at += batch.num_rows


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TEXT, TEXT, st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=12),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_writer_writes_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[str, str, float, float]],
    delimiter: str,
    quoting: int,
) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerows(
        [("code", "name", "lon", "lat"), *((f"c{a}", b, repr(x), repr(y)) for a, b, x, y in records)]
    )
    reading = take("csv", written.getvalue(), tmp_path_factory.mktemp("csv"))
    assert [(r["code"], r["name"] or "") for r in rows(reading)] == [(f"c{a}", b) for a, b, _, _ in records]
    assert [r["lon"] for r in rows(reading)] == [repr(x) for _, _, x, _ in records]
    assert found(reading) == []


@pytest.mark.parametrize("seed", range(4))
def test_damaged_tables_are_refused_or_add_up(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    content = (HEAD + BODY + '6,"a, ""b""",120°9′18″,29.5\n').encode("gb18030" if seed % 2 else "utf-8")
    for _ in range(40):
        assert_whole("csv", damaged(content, source), tmp_path)
