"""The boundary-point text of Chinese land administration."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pyproj import CRS

from gis.importing.reading.formats.boundary_points import declared_crs
from tests.gis.importing.reading.texts import assert_whole, damaged, found, good, reason, rows, take, wkt

STATED = """[属性描述]
格式版本号=1.01版本
坐标系=2000国家大地坐标系
几度分带=3
投影类型=高斯克吕格
计量单位=米
带号=40
精度=0.001
转换参数=0,0,0,0,0,0,0
[地块坐标]
"""
SQUARE = [
    "J1,1,3213400.5,40512300.5",
    "J2,1,3213400.5,40512340.5",
    "J3,1,3213440.5,40512340.5",
    "J4,1,3213440.5,40512300.5",
]
CLOSED = [*SQUARE, "J1,1,3213400.5,40512300.5"]
HOLE = [
    "K1,2,3213410.5,40512310.5",
    "K2,2,3213410.5,40512320.5",
    "K3,2,3213420.5,40512320.5",
    "K1,2,3213410.5,40512310.5",
]
APART = [line.replace(",1,32134", ",2,32139") for line in CLOSED]


def parcel(points: list[str], count: int | None = None, kind: str = "面", number: str = "1") -> str:
    stated = len(points) if count is None else count
    return f"{stated},0.16,{number},地块{number},{kind},,工业用地,,@\n" + "\n".join(points) + "\n"


def test_x_is_the_northing(tmp_path: Path) -> None:
    for codec in ("utf-8", "utf-8-sig", "gbk"):
        reading = take("boundary-points", (STATED + parcel(CLOSED)).encode(codec), tmp_path)
        assert wkt(reading) == [
            "POLYGON ((40512300.5 3213400.5, 40512340.5 3213400.5, 40512340.5 3213440.5, "
            "40512300.5 3213440.5, 40512300.5 3213400.5))"
        ]
        assert reading.header.declared_crs == "EPSG:4528"
        assert found(reading) == []
    assert rows(reading) == [
        {
            "界址点数": "5",
            "地块面积": "0.16",
            "地块编号": "1",
            "地块名称": "地块1",
            "图形属性": "面",
            "图幅号": None,
            "地块用途": "工业用地",
            "地块代码": None,
        }
    ]


def test_rings_parts_points_and_lines(tmp_path: Path) -> None:
    content = (
        STATED
        + parcel(CLOSED + HOLE)
        + parcel(CLOSED + APART)
        + parcel(SQUARE[:1], kind="点")
        + parcel(SQUARE, kind="线")
    )
    shapes = wkt(take("boundary-points", content, tmp_path))
    assert [str(shape).partition(" (")[0] for shape in shapes] == [
        "POLYGON",
        "MULTIPOLYGON",
        "POINT",
        "LINESTRING",
    ]
    assert str(shapes[0]).count("), (") == 1


def test_a_ring_that_is_not_closed(tmp_path: Path) -> None:
    for count in (4, None):
        reading = take("boundary-points", STATED + parcel(SQUARE, count), tmp_path)
        assert found(reading) == [(0, "repair", "ring_closed")]
    assert found(take("boundary-points", STATED + parcel(CLOSED, 4), tmp_path)) == []


@pytest.mark.parametrize(
    "points, count, code",
    [
        (CLOSED, 9, "point_count_wrong"),
        (CLOSED[:-2], 5, "point_count_wrong"),
        (["J1,1,3213400.5,4051230o.5", *CLOSED[1:]], 5, "boundary_line_malformed"),
        (["J1,1,3213400.5", *CLOSED[1:]], 5, "boundary_line_malformed"),
        (["J1,1,3213400.5,", *CLOSED[1:]], 5, "boundary_line_malformed"),
        (["J1,,3213400.5,40512300.5", *CLOSED[1:]], 5, "boundary_line_malformed"),
        (["J1,1,NaN,40512300.5", *CLOSED[1:]], 5, "coordinate_not_finite"),
        (["J1,1,1e999,40512300.5", *CLOSED[1:]], 5, "coordinate_not_finite"),
        (CLOSED[:2], 2, "zero_area"),
    ],
)
def test_a_faulty_parcel_is_refused_alone(tmp_path: Path, points: list[str], count: int, code: str) -> None:
    reading = take(
        "boundary-points", STATED + parcel(CLOSED) + parcel(points, count) + parcel(CLOSED), tmp_path
    )
    assert found(reading) == [(1, "error", code)] and good(reading) == 2 and reading.header.rows == 3


def test_a_file_without_parcels(tmp_path: Path) -> None:
    for content in (STATED, "[属性描述]\n坐标系=2000\n", "a,b\n1,2\n"):
        assert reason("boundary-points", content, tmp_path) == "boundary_points_missing"


@pytest.mark.parametrize(
    "datum, width, zone, easting, code, name",
    [
        ("2000国家大地坐标系", "3", "40", 40512300.0, 4528, "CGCS2000 / 3-degree Gauss-Kruger zone 40"),
        ("CGCS2000", "3", "40", 512300.0, 4549, "CGCS2000 / 3-degree Gauss-Kruger CM 120E"),
        ("2000国家大地坐标系", "3度分带", "", 40512300.0, 4528, "CGCS2000 / 3-degree Gauss-Kruger zone 40"),
        ("2000国家大地坐标系", "", "", 39512300.0, 4527, "CGCS2000 / 3-degree Gauss-Kruger zone 39"),
        ("2000", "6", "20", 20512300.0, 4498, "CGCS2000 / Gauss-Kruger zone 20"),
        ("2000", "6", "20", 512300.0, 4509, "CGCS2000 / Gauss-Kruger CM 117E"),
        ("80国家大地坐标系", "3", "40", 40512300.0, 2364, "Xian 1980 / 3-degree Gauss-Kruger zone 40"),
        ("西安80", "6", "20", 512300.0, 2345, "Xian 1980 / Gauss-Kruger CM 117E"),
        ("北京54坐标系", "3", "40", 512300.0, 2437, "Beijing 1954 / 3-degree Gauss-Kruger CM 120E"),
        ("1954北京坐标系", "6", "20", 20512300.0, 21420, "Beijing 1954 / Gauss-Kruger zone 20"),
    ],
)
def test_a_crs_that_the_attributes_determine(
    datum: str, width: str, zone: str, easting: float, code: int, name: str
) -> None:
    stated = {"坐标系": datum, "几度分带": width, "带号": zone}
    assert declared_crs(stated, easting, easting + 100) == f"EPSG:{code}"
    assert CRS.from_epsg(code).name == name


@pytest.mark.parametrize(
    "stated, easting",
    [
        ({}, 40512300.0),
        ({"坐标系": "地方坐标系", "几度分带": "3", "带号": "40"}, 40512300.0),
        ({"坐标系": "2000", "几度分带": "3"}, 512300.0),
        ({"坐标系": "2000", "几度分带": "3", "带号": "39"}, 40512300.0),
        ({"坐标系": "2000", "几度分带": "3", "带号": "70"}, 512300.0),
        ({"坐标系": "2000", "几度分带": "3", "带号": "40", "投影类型": "墨卡托"}, 40512300.0),
        ({"坐标系": "2000", "几度分带": "3", "带号": "40", "计量单位": "度"}, 40512300.0),
        ({"坐标系": "2000", "几度分带": "3", "带号": "40"}, float("inf")),
    ],
)
def test_a_crs_that_they_do_not(stated: dict[str, str], easting: float) -> None:
    assert declared_crs(stated, easting, easting) is None


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_refused_or_add_up(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    content = (STATED + parcel(CLOSED + HOLE) + parcel(SQUARE)).encode("gbk" if seed % 2 else "utf-8")
    for _ in range(30):
        assert_whole("boundary-points", damaged(content, source), tmp_path)
