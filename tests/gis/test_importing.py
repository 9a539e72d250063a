"""Files come in whole or not at all; every row is accounted for; position errors add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from sqlalchemy import Engine, text

from gis.db import connect
from gis.errors import ImportRefused, NotFound
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition
from tests.gis.conftest import content

Load = Callable[..., ImportResult]
HEADER = "code,name,kind,depth,lon,lat\n"
SOURCE = SourceInfo("survey", accuracy_m=10)


def test_each_refused_row_is_kept_with_its_reason(load: Load, store: Engine) -> None:
    result = load(
        "wells",
        HEADER + "1,好,dug,1,120,29\n2,坏类,pond,1,120,29\n3,坏数,dug,深,120,29\n,无码,dug,1,120,29\n"
        "1,重复,dug,1,120,29\n6,负,dug,-1,120,29\n7,无点,dug,1,,\n8,无穷,dug,1,inf,29\n",
    )
    assert (result.total, result.good, result.bad) == (8, 1, 7)
    with connect(store) as conn:
        found = conn.execute(
            text("SELECT row_no, field, code, row->>'name' FROM core.rejects ORDER BY row_no")
        ).all()
        run = conn.execute(text("SELECT total, good, bad, rev FROM core.import_runs")).one()
    assert [tuple(row) for row in found] == [
        (2, "kind", "unknown_code", "坏类"),
        (3, "depth", "wrong_type", "坏数"),
        (4, "code", "required_missing", "无码"),
        (5, "code", "duplicate_uid", "重复"),
        (6, "depth", "out_of_range", "负"),
        (7, "geom", "geometry_missing", "无点"),
        (8, "lon", "coordinate_not_finite", "无穷"),
    ]
    assert tuple(run) == (8, 1, 7, 1)


def test_a_place_beyond_the_district_is_refused_unless_it_is_to_be_kept(load: Load, store: Engine) -> None:
    rows = HEADER + "1,,dug,1,120,29\n2,,dug,1,0,0\n"
    result = load("wells", rows)
    assert (result.good, result.bad) == (1, 1)
    assert [(i.row, i.code, i.severity) for i in result.issues] == [(1, "outside_extent", "error")]
    result = load("wells", rows, outside="keep")
    assert (result.good, result.bad) == (2, 0)
    assert [(i.row, i.code, i.severity) for i in result.issues] == [(1, "outside_extent", "warning")]
    assert len(content(store, "wells")) == 2


@pytest.mark.parametrize(
    ("wkt", "code"),
    [
        ("POLYGON((120 29,120.1 29.1,120.1 29.1,120 29))", "zero_area"),
        ("POLYGON EMPTY", "geometry_empty"),
        ("POINT(120 29)", "geometry_type"),
        ("", "geometry_missing"),
    ],
)
def test_an_unacceptable_geometry_is_refused_by_name(load: Load, wkt: str, code: str) -> None:
    result = load("pads", f'code,wkt\nA,"{wkt}"\n')
    assert [issue.code for issue in result.issues] == [code]
    assert (result.total, result.bad) == (1, 1)


def test_a_single_polygon_becomes_a_multipolygon_with_its_vertices(load: Load, store: Engine) -> None:
    load("pads", 'code,wkt\nA,"POLYGON((120 29,120.1 29,120.1 29.1,120 29))"\n')
    assert content(store, "pads")[0][1] == "MULTIPOLYGON(((120 29,120.1 29,120.1 29.1,120 29)))"


def test_position_errors_of_source_and_transformation_add_up(load: Load, store: Engine) -> None:
    load("wells", HEADER + "1,,dug,1,120,29\n", crs="EPSG:4326", accuracy_m=10)
    assert content(store, "wells")[0][0]["accuracy_m"] == 11.0  # type: ignore[index]


def test_an_unknown_position_error_stays_unknown(load: Load, store: Engine) -> None:
    load("wells", HEADER + "1,,dug,1,120,29\n", accuracy_m=None)
    assert content(store, "wells")[0][0]["accuracy_m"] is None  # type: ignore[index]


def test_a_file_without_a_crs_is_refused(load: Load, store: Engine) -> None:
    with pytest.raises(ImportRefused, match="does not state its coordinate reference system"):
        load("wells", "code,x,y\n1,12345,67890\n", crs="auto")
    assert content(store, "wells") == []


def test_a_crs_with_only_a_ballpark_transformation_is_refused(load: Load) -> None:
    with pytest.raises(ImportRefused, match="no public parameters"):
        load("wells", HEADER + "1,,dug,1,20500000,3200000\n", crs="EPSG:2401")


def test_projected_coordinates_land_where_they_should(load: Load, store: Engine) -> None:
    load("wells", HEADER + "1,,dug,1,504584.557,3196856.730\n", crs="EPSG:4549")
    point = shapely.from_wkt(str(content(store, "wells")[0][1]))
    assert (point.x, point.y) == pytest.approx((120.047, 28.888), abs=1e-8)


@pytest.mark.parametrize("ending", ["geojson", "gpkg", "fgb", "shp"])
def test_vector_files_keep_types_nulls_and_coordinates(
    store: Engine, small_map: MapDefinition, tmp_path: Path, ending: str
) -> None:
    frame = gpd.GeoDataFrame(
        {"code": ["1", "2"], "name": ["甲井", None], "kind": ["dug", None], "depth": [3.25, None]},
        geometry=gpd.points_from_xy([120.0123456, 120.5], [28.9, 29.0]),
        crs=4490,
    )
    path = tmp_path / f"wells.{ending}"
    frame.to_file(path, encoding="utf-8") if ending == "shp" else frame.to_file(path)
    crs = "EPSG:4490" if ending == "geojson" else "auto"
    result = import_file(store, small_map, "wells", path, ImportOptions(SOURCE, crs=crs))
    assert (result.good, result.bad) == (2, 0)
    first, second = content(store, "wells")
    assert (first[0]["name"], first[0]["depth"], first[1]) == ("甲井", 3.25, "POINT(120.0123456 28.9)")  # type: ignore[index]
    assert (second[0]["name"], second[0]["kind"], second[0]["depth"]) == (None, None, None)  # type: ignore[index]


def test_columns_are_found_by_their_titles_or_as_mapped(load: Load, store: Engine) -> None:
    load("wells", "编码,井名,深度,经度,纬度\n1,甲,2,120,29\n", mapping={"name": "井名"})
    row = content(store, "wells")[0][0]
    assert (row["uid"], row["name"], row["depth"]) == ("1", "甲", 2)  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "wells.gpkg",
            b'<OGRVRTDataSource><OGRVRTLayer name="x"/></OGRVRTDataSource>',
            "no GeoPackage by its content",
        ),
        (
            "wells.geojson",
            b'{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline"}',
            "is not GeoJSON",
        ),
        ("wells.geojson", b'{"type": "FeatureCollection", "features": [', "not valid JSON"),
        ("wells.txt", b"hello", "holds no rows"),
        ("wells.csv", b"", "holds no rows"),
        ("wells.csv", b"code\xff\xfe\n1", "is not text"),
    ],
)
def test_a_disguised_or_broken_file_is_refused_in_words(
    store: Engine, small_map: MapDefinition, tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ImportRefused, match=message) as caught:
        import_file(store, small_map, "wells", path, ImportOptions(SOURCE, crs="EPSG:4490"))
    assert any("一" <= letter <= "鿿" for letter in caught.value.text("zh"))
    assert content(store, "wells") == []


def test_a_missing_file_column_or_layer_is_named(load: Load, store: Engine, small_map: MapDefinition) -> None:
    with pytest.raises(ImportRefused, match="has no column nom; it has code"):
        load("wells", HEADER + "1,,dug,1,120,29\n", mapping={"name": "nom"})
    with pytest.raises(ImportRefused, match="There is no file"):
        import_file(store, small_map, "wells", Path("nowhere.csv"), ImportOptions(SOURCE))
    with pytest.raises(NotFound, match="'weels'"):
        import_file(store, small_map, "weels", Path("nowhere.csv"), ImportOptions(SOURCE))


def test_geojson_is_wgs84_and_a_features_point_keeps_its_place(
    store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    path = tmp_path / "w.geojson"
    feature = {
        "type": "Feature",
        "properties": {"code": "1", "depth": 2},
        "geometry": {"type": "Point", "coordinates": [120.047, 28.888, 55.0]},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    result = import_file(store, small_map, "wells", path, ImportOptions(SOURCE))
    assert "frames agree within 1 m" in str(result.transformation)
    assert content(store, "wells")[0][1] == "POINT(120.047 28.888)"
