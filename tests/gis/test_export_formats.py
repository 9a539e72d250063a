"""Each format as other programs read it: the same rows, fields, values and places as in the store."""

from __future__ import annotations

import csv
import json
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import shapely
from sqlalchemy import Engine

from gis.errors import ExportRefused
from gis.export import ExportResult, WriteOptions, export_layer
from gis.settings import MapDefinition
from tests.gis.kit import LAYERS, PLACES, kit, kit_map, put, sample

__all__ = ["kit", "kit_map"]

Export = Callable[..., ExportResult]
BOM = b"\xef\xbb\xbf"


@pytest.fixture
def export(kit: Engine, kit_map: MapDefinition, tmp_path: Path) -> Export:
    """Puts rows (the sample, if none are given) into a layer and exports it: export("spots", "a.gpkg")."""

    def run(layer: str, name: str, rows: list[dict[str, Any]] | None = None, **given: Any) -> ExportResult:
        put(kit, layer, sample(layer) if rows is None else rows)
        return export_layer(kit, kit_map, LAYERS[layer], tmp_path / name, **given)

    return run


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a byte order mark."""
    raw = path.read_bytes()
    assert raw.startswith(BOM)
    return list(csv.DictReader(raw.decode("utf-8-sig").splitlines(keepends=True)))


def by_ogr(path: Path) -> list[dict[str, Any]]:
    """The rows of a file as the machine's own GDAL, another than the one that wrote it, reads them."""
    copy = path.with_name(f"{path.name}-read.gpkg")
    copy.unlink(missing_ok=True)
    subprocess.run(["ogr2ogr", "-f", "GPKG", str(copy), str(path)], capture_output=True, check=True)
    meta, rows = pyogrio.read_arrow(copy)
    found = rows.to_pylist()
    for row in found:
        row["geom"] = shapely.from_wkb(row.get(meta["geometry_name"]))
    return sorted(found, key=lambda row: str(row["code"]))


@pytest.mark.parametrize("layer", ["spots", "sites", "ways", "shapes"])
@pytest.mark.parametrize("ending", ["gpkg", "fgb", "geojson", "kml"])
def test_another_gdal_reads_the_same(export: Export, layer: str, ending: str) -> None:
    rows = by_ogr(export(layer, f"a.{ending}", options=WriteOptions(decimals=17)).path)
    given = sorted(sample(layer), key=lambda row: str(row["code"]))
    assert [row["code"] for row in rows] == [row["code"] for row in given]
    assert [row["Name" if ending == "kml" else "name"] for row in rows] == [row.get("name") for row in given]
    assert [row["geom"].wkb for row in rows] == [row["geom"].wkb for row in given]
    if ending != "kml":
        assert [row["whole_number"] for row in rows] == [-(2**63), None, 2**63 - 1]
        assert [row["ratio"] for row in rows] == [1e-300, None, 0.1 + 0.2]
        assert [row["is_on"] for row in rows] == [False, None, True]
        assert str(rows[2]["moment"]).startswith("2020-01-02 03:04:05.678")


def test_a_geoparquet_keeps_every_type_and_says_what_it_is(export: Export) -> None:
    path = export("sites", "a.parquet").path
    file = pq.ParquetFile(path)
    geo = json.loads(file.metadata.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"], column["encoding"]) == ("1.1.0", "geometry", "WKB")
    assert column["geometry_types"] == ["MultiPolygon"]
    assert pyproj.CRS.from_json_dict(column["crs"]).to_epsg() == 4490
    assert column["bbox"] == shapely.total_bounds(PLACES["sites"]).tolist()
    rows = {row["code"]: row for row in file.read().to_pylist()}
    assert (rows["A1"]["whole_number"], rows["A1"]["day"]) == (2**63 - 1, date(2020, 2, 29))
    assert rows["A1"]["moment"] == datetime(2020, 1, 2, 3, 4, 5, 678000, UTC)
    assert rows["007"]["moment"] is None and rows["007"]["is_on"] is None
    frame = gpd.read_parquet(path).set_index("code")
    assert [frame.geometry[row["code"]].wkb for row in sample("sites")] == [g.wkb for g in PLACES["sites"]]


def test_an_empty_text_is_not_no_text(export: Export) -> None:
    rows = [{"code": "1", "name": "", "geom": PLACES["spots"][0]}, {"code": "2", "geom": PLACES["spots"][0]}]
    for ending in ("gpkg", "fgb", "geojson", "kml"):
        found = [
            row.get("name", row.get("Name")) for row in by_ogr(export("spots", f"a.{ending}", rows).path)
        ]
        assert found == ["", None], ending
    assert pq.read_table(export("spots", "a.parquet", rows).path)["name"].to_pylist() == ["", None]
    lines = export("spots", "a.csv", rows).path.read_text("utf-8-sig").splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ['""', ""]


@pytest.mark.parametrize("ending", ["gpkg", "fgb", "geojson", "parquet"])
def test_times_keep_their_last_digit(export: Export, ending: str) -> None:
    moment = datetime(2020, 1, 2, 3, 4, 5, 678901, UTC)
    rows = [{"code": "1", "moment": moment, "geom": PLACES["spots"][0]}]
    path = export("spots", f"a.{ending}", rows).path
    if ending == "geojson":
        value = json.loads(path.read_bytes())["features"][0]["properties"]["moment"]
    else:
        (value,) = (gpd.read_parquet(path) if ending == "parquet" else gpd.read_file(path))["moment"]
    assert (value if isinstance(value, datetime) else datetime.fromisoformat(value)) == moment


def test_a_register_has_no_place_in_any_format(export: Export) -> None:
    for ending in ("gpkg", "fgb", "geojson"):
        rows = by_ogr(export("papers", f"a.{ending}").path)
        assert [row["geom"] for row in rows] == [None, None, None]
        assert [row["code"] for row in rows] == ["-1", "007", "A1"]
    assert b"geo" not in (pq.ParquetFile(export("papers", "a.parquet").path).metadata.metadata or {})
    assert "wkt" not in table(export("papers", "a.csv").path)[0]


# --- GeoJSON, KML -----------------------------------------------------------------------------------------


def test_geojson_has_the_stated_decimals_and_turns_rings_to_the_right(export: Export) -> None:
    ring = shapely.from_wkt("MULTIPOLYGON(((120.123456789 29, 120 30, 121 30, 120.123456789 29)))")
    path = export("sites", "a.geojson", [{"code": "1", "geom": ring}]).path
    found = json.loads(path.read_bytes())
    assert found["onemap"] == {"layer": "sites", "revision": 1, "frame": "EPSG:4490", "decimals": 7}
    (feature,) = found["features"]
    assert feature["id"] == "1" and "crs" not in found
    coordinates = feature["geometry"]["coordinates"][0][0]
    assert coordinates == [[120.1234568, 29.0], [121.0, 30.0], [120.0, 30.0], [120.1234568, 29.0]]
    (feature,) = json.loads(export("sites", "b.geojson", options=WriteOptions(2)).path.read_bytes())[
        "features"
    ][2:]
    assert feature["geometry"]["coordinates"][0][0][0] == [119.7, 29.1]


def test_kml_is_styled_by_class_and_valid(export: Export) -> None:
    root = ElementTree.parse(export("sites", "a.kml").path).getroot()
    space = {"k": "http://www.opengis.net/kml/2.2"}
    colours = [s.findtext("k:PolyStyle/k:color", None, space) for s in root.iterfind(".//k:Style", space)]
    assert colours == ["800000aa", "8000aa00", "80885522"]
    marks = root.findall(".//k:Placemark", space)
    assert [m.findtext("k:styleUrl", None, space) for m in marks] == ["#s0", "#s1", "#s2"]
    assert [m.findtext("k:name", None, space) for m in marks] == [r.get("name") for r in sample("sites")]
    names = [data.get("name") for data in marks[2].iterfind(".//k:SimpleData", space)]
    assert names == ["uid", "code", "accuracy_m", "is_indicative", "is_demonstration", "source", "rev_from"]


def test_a_kmz_holds_the_kml(export: Export) -> None:
    path = export("spots", "a.kmz").path
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["doc.kml"]
        assert archive.read("doc.kml") == export("spots", "a.kml").path.read_bytes()


# --- Shapefile --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb18030"])
def test_a_shapefile_is_read_by_another_gdal_with_its_table_of_names(export: Export, encoding: str) -> None:
    rows = [{"code": "1", "name": "东阳井" * 12, "whole_number": 10**17, "whole_numbers": 2, "is_on": True}]
    rows[0] |= {
        "day": date(2020, 2, 29),
        "moment": datetime(2020, 1, 2, 3, 4, 5, 678901, UTC),
        "ratio": 123.456,
    }
    rows.append({"code": "2"})
    rows = [{**row, "geom": shape} for row, shape in zip(rows, PLACES["sites"], strict=False)]
    result = export("sites", "a.shp", rows, options=WriteOptions(encoding=encoding))
    names = {part.name for part in result.files}
    assert names == {"a.shp", "a.shx", "a.dbf", "a.prj", "a.cpg", "a.fields.csv"}
    first, second = by_ogr(result.path)
    short = {row["field"]: row["short"] for row in table(result.path.with_name("a.fields.csv"))}
    assert (short["whole_number"], short["whole_numbers"]) == ("whole_numb", "whole_num1")
    assert all(len(name.encode()) <= 10 for name in short.values()) and len(set(short.values())) == len(short)
    told = {field: first[name] for field, name in short.items()}
    assert (told["name"], told["whole_number"], told["whole_numbers"]) == ("东阳井" * 12, 10**17, 2)
    assert (told["day"], told["ratio"]) == (date(2020, 2, 29), 123.456)
    assert told["moment"] == "2020-01-02T03:04:05.678901+00:00"
    assert {second[short[name]] for name in ("name", "ratio", "day", "moment")} == {None}
    assert first["geom"].equals(PLACES["sites"][0])
    assert (first["code"], result.beside) == ("1", 0)
    held = result.path.with_suffix(".dbf").read_bytes()
    assert (
        "东阳井".encode(encoding) in held and result.path.with_suffix(".cpg").read_text() == encoding.upper()
    )


def test_a_zip_is_a_shapefile(export: Export) -> None:
    result = export("spots", "a.zip")
    with zipfile.ZipFile(result.path) as archive:
        names = set(archive.namelist())
    parts = {f"spots.{end}" for end in ("shp", "shx", "dbf", "prj", "cpg", "fields.csv", "beside.csv")}
    assert names == parts and result.beside > 0
    found = gpd.read_file(result.path)
    assert len(found) == 3 and found.crs.to_epsg() == 4490


def test_what_an_earlier_file_left_beside_does_not_stay(export: Export, tmp_path: Path) -> None:
    long = [{"code": "1", "name": "长" * 200, "geom": PLACES["spots"][0]}]
    assert export("spots", "a.shp", long).beside == 1
    assert export("spots", "a.shp", [{**long[0], "name": "短"}]).beside == 0
    assert not (tmp_path / "a.beside.csv").exists()


def test_shapes_of_one_kind_fit_into_a_shapefile_though_the_layer_allows_all(export: Export) -> None:
    rows = [{"code": str(n), "geom": shape} for n, shape in enumerate(PLACES["sites"])]
    assert len(by_ogr(export("shapes", "a.shp", rows).path)) == 3


# --- Spreadsheets -----------------------------------------------------------------------------------------


def test_a_workbook_has_typed_cells_no_formulas_and_a_sheet_of_fields(export: Export) -> None:
    result = export("spots", "a.xlsx")
    book = openpyxl.load_workbook(result.path)
    assert book.sheetnames == ["spots", "fields"]
    sheet = book["spots"]
    head = [cell.value for cell in sheet[1]]
    assert head[:3] == ["uid", "code", "name"] and head[-2:] == ["lon", "lat"]
    rows = [dict(zip(head, row, strict=True)) for row in sheet.iter_rows(min_row=2)]
    assert [row["name"].value for row in rows] == [sample("spots")[0]["name"], "'=cmd|' /C calc'!A0", None]
    assert {cell.data_type for row in rows for cell in row.values()} <= {"s", "n", "b", "d"}
    assert rows[0]["day"].value == datetime(2020, 2, 29) and rows[0]["day"].is_date
    assert (rows[0]["is_on"].value, rows[0]["ratio"].value) == (True, 0.1 + 0.2)
    assert (rows[0]["whole_number"].value, rows[1]["code"].value) == (str(2**63 - 1), "'-1")
    assert rows[2]["code"].value == "007" and rows[1]["day"].value == "0001-01-01"
    assert rows[0]["moment"].value == "2020-01-02T03:04:05.678000+00:00"
    assert (rows[2]["lon"].value, rows[2]["lat"].value) == (119.12345678901234, 1 / 3)
    fields = {row[0]: row[1:] for row in book["fields"].iter_rows(min_row=2, values_only=True)}
    assert fields["ratio"] == ("数值", "Ratio", "mg/L", "number", None) and fields["lon"][-1] == "EPSG:4326"


def test_a_csv_keeps_every_bit_of_a_place(export: Export) -> None:
    rows = table(export("spots", "a.csv").path)
    assert [(float(row["lon"]), float(row["lat"])) for row in rows] == [(p.x, p.y) for p in PLACES["spots"]]
    assert np.signbit(float(rows[1]["lat"]))
    areas = table(export("sites", "b.csv").path)
    assert [shapely.from_wkt(row["wkt"]).wkb for row in areas] == [g.wkb for g in PLACES["sites"]]
    assert [row["code"] for row in areas] == ["A1", "'-1", "007"]


# --- Choice -----------------------------------------------------------------------------------------------


def test_filters_choose_rows(export: Export, kit: Engine, kit_map: MapDefinition, tmp_path: Path) -> None:
    export("spots", "a.csv")
    path = tmp_path / "b.csv"
    export_layer(kit, kit_map, LAYERS["spots"], path, filters={"kind": ["a"], "source": ["survey"]})
    assert [row["code"] for row in table(path)] == ["A1"]


def test_a_format_is_refused_in_words_when_it_cannot_hold_the_rows(export: Export) -> None:
    with pytest.raises(ExportRefused, match="FlatGeobuf file cannot hold a row without a place"):
        export("spots", "a.fgb", [{"code": "1"}])
    with pytest.raises(ExportRefused, match="utf-8, gbk or gb18030"):
        raise_with_remedy(lambda: export("spots", "a.shp", options=WriteOptions(encoding="latin1")))


def raise_with_remedy(call: Callable[[], object]) -> None:
    """Call, and put the remedy into the message of what is raised."""
    try:
        call()
    except ExportRefused as error:
        raise ExportRefused(error.text()) from error


def test_a_flatgeobuf_file_of_many_rows_has_no_index(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sample("spots")
    for most, indexed in ((len(rows), True), (len(rows) - 1, False)):
        monkeypatch.setattr("gis.export.ogr.INDEXED_ROWS", most)
        path = export("spots", f"{most}.fgb", rows).path
        assert pyogrio.read_info(path)["capabilities"]["fast_spatial_filter"] is indexed
        assert {row["code"] for row in by_ogr(path)} == {row["code"] for row in rows}
