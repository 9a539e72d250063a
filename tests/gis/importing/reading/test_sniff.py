"""Formats are told by content; the name only chooses the words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gis.errors import ImportRefused
from gis.importing.reading.sniff import sniff
from tests.gis.importing.reading.makers import png

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
VRT = b'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>PG:dbname=x</SrcDataSource></OGRVRTLayer>'
BOUNDARY = (
    "[属性描述]\r\n坐标系=2000国家大地坐标系\r\n[地块坐标]\r\n4,0.5,1,地块,面,,,,@\r\nJ1,1,321.1,405.2\r\n"
)


@pytest.mark.parametrize(
    "content, kind",
    [
        (b'{"type":"FeatureCollection","features":[]}', "geojson"),
        (b'\xef\xbb\xbf \n{"type":"Feature"}', "geojson"),
        ('{"type":"FeatureCollection","name":"金华'.encode()[:-1], "geojson"),  # cut within a character
        (b'{"type":"Topology"}', "geojson"),  # whose reader refuses it in its words
        (b'{"type":"Feature"}\n{"type":"Feature"}\n', "geojsonseq"),
        (b'\x1e{"type":"Feature"}\n', "geojsonseq"),
        (b'<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"/>', "kml"),
        (b"<!DOCTYPE kml [<!ENTITY a 'b'>]><kml/>", "kml"),
        (BOUNDARY.encode("gb18030"), "boundary-points"),
        (BOUNDARY.encode("utf-8-sig"), "boundary-points"),
        (b"  0\r\nSECTION\r\n  2\r\nHEADER\r\n", "dxf"),
        (b"999\nmade by hand\n0\nSECTION\n", "dxf"),
        (b"AutoCAD Binary DXF\r\n\x1a\x00\x00", "dxf"),
        (b"POINT (120.1 29.1)", "wkt"),
        (b"SRID=4490;MULTIPOLYGON Z (((0 0 1,1 0 1,1 1 1,0 0 1)))", "wkt"),
        (b"0101000000000000000000F03F0000000000000040", "wkb"),
        (b"code,lon,lat\n1,120.1,29.1\n", "csv"),
        ("编码;名称\n1;站\n".encode("gb18030"), "csv"),
        ("编码\t名称\n".encode("utf-16"), "csv"),
        (b"point,x,y\nPOINT,1,2\n", "csv"),
        (b"code,name\n1,a\x00b\n" + b"2,plain text and more\n" * 5, "csv"),
        ("编码,名称\n1,甲\n".encode() + "2,乙厂\n".encode("gb18030"), "csv"),
        (b"fgb\x03fgb\x00", "flatgeobuf"),
        (b"PAR1....", "geoparquet"),
        (b"SQLite format 3\x00", "gpkg"),
        (b"PK\x03\x04", "zip"),
    ],
)
def test_content_decides(tmp_path: Path, content: bytes, kind: str) -> None:
    for name in ("a", "a.json", "a.shx"):
        path = tmp_path / name
        path.write_bytes(content)
        assert sniff(path, name) == kind


@pytest.mark.parametrize(
    "name, content, code",
    [
        ("a.csv", b"", "empty_file"),
        ("a.csv", b"\xef\xbb\xbf \r\n", "empty_file"),
        ("a.csv", png(), "not_text"),
        ("a.geojson", png(), "not_text"),
        ("a.png", png(), "unknown_format"),
        ("a.zip", b"Rar!\x1a\x07\x01\x00", "zip_unreadable"),
        ("a.zip", b"7z\xbc\xaf\x27\x1c", "zip_unreadable"),
        ("a.rar", b"Rar!\x1a\x07\x01\x00", "unknown_format"),
        ("a.gpkg", VRT, "not_a_gpkg"),
        ("a.shp", VRT, "not_a_shapefile"),
        ("a.kml", VRT, "not_kml"),
        ("a.csv", VRT, "unknown_format"),
        ("a.gpkg", b"a text, no more\n", "not_a_gpkg"),
        ("a.fgb", b"a text, no more\n", "not_a_flatgeobuf"),
        ("a.xlsx", OLE + bytes(600), "old_xls"),
        (
            "a.xlsx",
            OLE + "EncryptedPackage".encode("utf-16-le"),
            "file_encrypted",
        ),
        ("a.xlsx", png(), "not_xlsx"),
        ("a.json", b"[1, 2, 3]", "not_geojson"),
        ("a.dwg", b"AC1027" + bytes(50), "unknown_format"),
    ],
)
def test_the_name_chooses_the_words(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImportRefused) as told:
        sniff(path, name)
    assert told.value.reason == code
    assert told.value.zh and told.value.remedy_zh
