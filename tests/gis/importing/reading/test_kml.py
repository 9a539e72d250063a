"""KML: Placemarks of all kinds, with their data, and documents that would harm."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gis.importing.reading.limits import Limits, limits_set
from tests.gis.importing.reading.texts import assert_whole, damaged, found, good, reason, rows, take, wkt

SPACE = ' xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"'


def kml(*placemarks: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>', space: str = SPACE) -> str:
    return f"{head}<kml{space}><Document>{''.join(placemarks)}</Document></kml>"


def mark(geometry: str = "", more: str = "<name>站</name>") -> str:
    return f"<Placemark>{more}{geometry}</Placemark>"


def point(text: str = "120.5,29.25,7") -> str:
    return f"<Point><coordinates>{text}</coordinates></Point>"


def ring(text: str) -> str:
    return f"<LinearRing><coordinates>{text}</coordinates></LinearRing>"


def area(outer: str, *inner: str) -> str:
    holes = "".join(f"<innerBoundaryIs>{ring(each)}</innerBoundaryIs>" for each in inner)
    return f"<Polygon><outerBoundaryIs>{ring(outer)}</outerBoundaryIs>{holes}</Polygon>"


SQUARE = "0,0 4,0 4,4 0,4 0,0"


def test_geometries(tmp_path: Path) -> None:
    reading = take(
        "kml",
        kml(
            mark(point()),
            mark("<LineString><extrude>1</extrude><coordinates>\n 1,2,3\n 4,5,6 </coordinates></LineString>"),
            mark(area(SQUARE, "1,1 2,1 2,2 1,1")),
            mark(
                f"<MultiGeometry>{point('1,2')}<MultiGeometry>{point('3,4')}</MultiGeometry></MultiGeometry>"
            ),
            mark(f"<MultiGeometry>{point('1,2')}{area(SQUARE)}</MultiGeometry>"),
            mark(),
            mark(point("120.5, 29.25, 0")),
        ),
        tmp_path,
    )
    assert wkt(reading) == [
        "POINT (120.5 29.25)",
        "LINESTRING (1 2, 4 5)",
        "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
        "MULTIPOINT ((1 2), (3 4))",
        "GEOMETRYCOLLECTION (POINT (1 2), POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0)))",
        None,
        "POINT (120.5 29.25)",
    ]
    assert found(reading) == [] and reading.header.declared_crs == "OGC:CRS84"


def test_attributes(tmp_path: Path) -> None:
    data = (
        "<name>甲 &amp; 乙</name><description><![CDATA[<b>x</b>]]></description>"
        "<TimeStamp><when>2024-05-01</when></TimeStamp>"
        '<ExtendedData><Data name="code"><displayName>c</displayName><value>007</value></Data>'
        '<Data name="name"><value>丙</value></Data><SchemaData schemaUrl="http://127.0.0.1/x">'
        '<SimpleData name="depth">3.5</SimpleData></SchemaData></ExtendedData>'
    )
    folder = f"<Folder><name>水</name><Folder><name>井</name>{mark(point(), data)}</Folder></Folder>"
    reading = take("kml", kml("<name>文档</name>", folder, mark(point())), tmp_path)
    assert rows(reading)[0] == {
        "name": "甲 & 乙",
        "description": "<b>x</b>",
        "when": "2024-05-01",
        "code": "007",
        "name_2": "丙",
        "depth": "3.5",
        "folder": "水/井",
    }
    assert rows(reading)[1]["folder"] is None


@pytest.mark.parametrize(
    "geometry, code",
    [
        (point(""), "bad_position"),
        ("<Point/>", "bad_position"),
        (point("120.5"), "bad_position"),
        (point("120.5,"), "bad_position"),
        (point("x,y"), "bad_position"),
        (point("120°5′,29"), "bad_position"),
        (point("1,2 3,4"), "bad_position"),
        (point("1_0,2"), "bad_position"),
        (point("nan,29"), "coordinate_not_finite"),
        (point("1e999,29"), "coordinate_not_finite"),
        ("<LineString><coordinates>1,2</coordinates></LineString>", "bad_position"),
        ("<Polygon/>", "bad_position"),
        ("<MultiGeometry/>", "bad_position"),
        (area("0,0 1,0 0,0"), "zero_area"),
        (area(SQUARE, ""), "bad_position"),
    ],
)
def test_a_faulty_geometry_refuses_its_row(tmp_path: Path, geometry: str, code: str) -> None:
    reading = take("kml", kml(mark(point()), mark(geometry), mark(point())), tmp_path)
    assert found(reading) == [(1, "error", code)] and wkt(reading)[1] is None and reading.header.rows == 3


def test_an_open_ring_is_closed(tmp_path: Path) -> None:
    reading = take("kml", kml(mark(area("0,0 4,0 4,4 0,4"))), tmp_path)
    assert found(reading) == [(0, "repair", "ring_closed")] and reading.issues[0].original
    assert wkt(reading) == ["POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))"]


@pytest.mark.parametrize("space", ["", ' xmlns="http://earth.google.com/kml/2.1"'])
def test_any_namespace(tmp_path: Path, space: str) -> None:
    assert good(take("kml", kml(mark(point()), space=space), tmp_path)) == 1


def test_a_namespace_prefix(tmp_path: Path) -> None:
    content = kml(mark(point()), space=SPACE.replace("xmlns=", "xmlns:k="), head="")
    content = content.replace("</", "</k:").replace("<", "<k:").replace("<k:/k:", "</k:")
    assert wkt(take("kml", content, tmp_path)) == ["POINT (120.5 29.25)"]


def test_encodings(tmp_path: Path) -> None:
    declared = '<?xml version="1.0" encoding="{}"?>'
    for codec in ("gb2312", "GBK", "utf-16", "gb18030"):
        reading = take("kml", kml(mark(point()), head=declared.format(codec)).encode(codec), tmp_path)
        assert rows(reading)[0]["name"] == "站" and found(reading) == []
    lying = take("kml", kml(*[mark(point(), "<name>金华江</name>")] * 2).encode("gb18030"), tmp_path)
    assert found(lying) == [(0, "repair", "encoding_detected"), (1, "repair", "encoding_detected")]
    assert rows(lying)[0]["name"] == "金华江"


LAUGHS = '<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "content, code",
    [
        (kml(mark(point()), head=LAUGHS), "xml_entity"),
        (kml(mark(point()), head='<!DOCTYPE kml SYSTEM "http://127.0.0.1/x.dtd">'), "xml_entity"),
        (kml(mark(point(), "<name>&b;</name>")), "not_xml"),
        (kml(mark(point()))[:-20], "not_xml"),
        (kml(mark(point())) + "<kml/>", "not_xml"),
        (kml(mark(point())).replace("</Point>", "</point>"), "not_xml"),
        ("<kml>" + "<Folder>" * 5000, "too_deep"),
        (kml(mark("<MultiGeometry>" * 70 + "</MultiGeometry>" * 70)), "too_deep"),
        (kml(), "empty_file"),
        (kml("<NetworkLink><Link><href>http://127.0.0.1/</href></Link></NetworkLink>"), "empty_file"),
        ("<html><body/></html>", "not_kml"),
        (kml(mark(point()), head='<?xml version="1.0" encoding="klingon"?>'), "encoding_unknown"),
    ],
)
def test_a_document_that_is_refused(tmp_path: Path, content: str, code: str) -> None:
    assert reason("kml", content, tmp_path) == code


def test_vertices_are_bounded(tmp_path: Path) -> None:
    text = " ".join(f"{i},{i * i}" for i in range(150)) + " 0,0"
    with limits_set(Limits(vertices=150)):
        reading = take(
            "kml", kml(mark(area(text)), mark(f"<MultiGeometry>{area(text)}</MultiGeometry>")), tmp_path
        )
    assert found(reading) == [(0, "error", "too_many_vertices"), (1, "error", "too_many_vertices")]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_documents_are_refused_or_add_up(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    content = kml(mark(point()), mark(area(SQUARE)), mark(area("0,0 4,0 4,4"))).encode()
    for _ in range(40):
        assert_whole("kml", damaged(content, source), tmp_path)
