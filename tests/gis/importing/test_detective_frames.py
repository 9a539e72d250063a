"""The frames by every name that users and files give them."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from gis.errors import CrsError
from gis.importing.detective.frames import catalogue, frame_of, modern_name
from tests.gis.importing.places import DISTRICT, in_frame, spread

DATUM = 'DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]]'
UNITS = 'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]'


def esri(meridian: float, easting: float, *, name: str = "x", datum: str = DATUM) -> str:
    """A projection as ESRI's programs write it into a .prj."""
    return (
        f'PROJCS["{name}",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",{datum},{UNITS}],'
        f'PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",{easting}],PARAMETER["False_Northing",0.0],'
        f'PARAMETER["Central_Meridian",{meridian}],PARAMETER["Scale_Factor",1.0],'
        'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )


@pytest.mark.parametrize(
    ("frame", "xy"),
    [
        ("EPSG:4549", (504584.557, 3196856.730)),
        ("EPSG:4528", (40504584.557, 3196856.730)),
        ("EPSG:4549 swapped", (3196856.730, 504584.557)),
        ("EPSG:4528 swapped", (3196856.730, 40504584.557)),
        ("CRS84", (120.047, 28.888)),
        ("EPSG:4490 swapped", (28.888, 120.047)),
    ],
)
def test_the_published_check_value_is_found_in_every_form(frame: str, xy: tuple[float, float]) -> None:
    point = np.array([xy])
    assert frame_of(frame).to_lonlat(point, DISTRICT)[0] == pytest.approx((120.047, 28.888), abs=2e-8)
    assert frame_of(frame).move_to(4490, DISTRICT).xy(point)[0] == pytest.approx((120.047, 28.888), abs=2e-8)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("EPSG:4549", "EPSG:4549"), ("epsg:4549", "EPSG:4549"), ("4549", "EPSG:4549"),
        ("urn:ogc:def:crs:EPSG::3857", "EPSG:3857"), ("urn:ogc:def:crs:OGC:1.3:CRS84", "CRS84"),
        ("http://www.opengis.net/def/crs/EPSG/0/4490", "EPSG:4490"),
        ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "CRS84"), ("OGC:CRS84", "CRS84"), ("WGS84", "CRS84"),
        ("CGCS2000", "EPSG:4490"), ("gcj02", "GCJ-02"), ("GCJ_02", "GCJ-02"), ("火星坐标", "GCJ-02"),
        ("bd09", "BD-09"), ("BD09LL", "BD-09"), ("百度坐标", "BD-09"),
        ("EPSG:4549 swapped", "EPSG:4549 swapped"),
        ("GCJ-02 swapped", "GCJ-02 swapped"), ("EPSG:4509", "EPSG:4548"),
        (esri(120.0, 500000.0, name="CGCS2000_3_Degree_GK_CM_120E"), "EPSG:4549"),
        (esri(120.0, 40500000.0, name="CGCS2000_3_Degree_GK_Zone_40"), "EPSG:4528"),
        (esri(117.0, 20500000.0, name="CGCS2000_GK_Zone_20"), "EPSG:4498"),
        (esri(123.0, 500000.0, name="人工命名"), "EPSG:4550"),
        (esri(120.0, 500000.0, datum='DATUM["D_CGCS_2000",SPHEROID["CGCS_2000",6378137,298.257222101]]'),
         "EPSG:4549"),
        (f'GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",{DATUM},{UNITS}]', "EPSG:4490"),
    ],
)  # fmt: skip
def test_a_frame_is_known_by_its_many_names(given: str, name: str) -> None:
    assert frame_of(given).name == name
    assert frame_of(frame_of(given).name) == frame_of(given)


def test_a_towns_own_meridian_is_exact_although_it_has_no_code() -> None:
    frame = frame_of(esri(119.5, 500000.0))
    assert frame.move_to(4490, DISTRICT).accuracy_m == 0.0
    points = spread(20)
    there = pyproj.Transformer.from_pipeline("+proj=tmerc +lon_0=119.5 +x_0=500000 +ellps=GRS80")
    xy = np.column_stack(there.transform(*points.T))
    assert frame.move_to(4490, DISTRICT).xy(xy) == pytest.approx(points, abs=1e-9)


@pytest.mark.parametrize(
    "name",
    [
        "EPSG:999999", "nonsense", "", "http://169.254.1.1/crs", "file:///etc/passwd",
        "+proj=longlat +ellps=GRS80",
        'LOCAL_CS["mine",UNIT["m",1]]', "PROJCS[", "urn:ogc:def:crs:EPSG::0", "NONE:1",
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused(name: str) -> None:
    with pytest.raises(CrsError):
        frame_of(name)


def test_every_code_of_the_old_datums_is_known_as_one() -> None:
    known = set(pyproj.get_codes("EPSG", "CRS"))
    wanted = [
        c
        for c in (*range(2401, 2443), *range(21413, 21464), *range(2327, 2391), 4214, 4610, 4555)
        if str(c) in known
    ]
    assert len(wanted) > 120
    for code in wanted:
        frame = frame_of(f"EPSG:{code}")
        assert frame.old_datum is not None, code
        assert frame.old_datum[1] in ("Beijing 1954", "Xian 1980")


@pytest.mark.parametrize(
    ("spheroid", "datum"),
    [
        ('DATUM["D_Beijing_1954",SPHEROID["Krasovsky_1940",6378245.0,298.3]]', "Beijing 1954"),
        ('DATUM["Unknown_local",SPHEROID["Krassowsky",6378245.0,298.3]]', "Beijing 1954"),
        ('DATUM["D_Xian_1980",SPHEROID["Xian_1980",6378140.0,298.257]]', "Xian 1980"),
    ],
)
def test_an_old_datum_is_known_by_its_ellipsoid_under_any_name(spheroid: str, datum: str) -> None:
    frame = frame_of(esri(120.0, 40500000.0, datum=spheroid))
    assert frame.old_datum is not None
    assert frame.old_datum[1] == datum
    assert modern_name(frame) == "EPSG:4528"


def test_the_catalogue_holds_every_frame_of_the_district_once() -> None:
    names = [frame.name for frame in catalogue(DISTRICT)]
    assert len(names) == len(set(names))
    codes = "4548 4549 4550 4527 4528 4529 4498 4499 32650 32651 3857 2437 2385 2416 2364 21420 2334"
    assert {"CRS84", "GCJ-02", "BD-09", *(f"EPSG:{code}" for code in codes.split())} <= set(names)


@pytest.mark.parametrize("name", [f.name for f in catalogue(DISTRICT)])
def test_there_and_back_in_every_frame_of_the_catalogue(name: str) -> None:
    points = spread(50)
    for form in (name, f"{name} swapped"):
        frame, given = frame_of(form), in_frame(points, form)
        assert frame.to_lonlat(given, DISTRICT) == pytest.approx(points, abs=1e-9)
        box = frame.box(DISTRICT)
        assert ((given >= box[:2]) & (given <= box[2:])).all()


@given(st.floats(118.6, 121.4), st.floats(28.1, 30.1))
def test_swapping_twice_is_no_swap(lon: float, lat: float) -> None:
    point = np.array([[lon, lat]])
    once = frame_of("CRS84 swapped").to_lonlat(point, DISTRICT)
    assert np.array_equal(once, point[:, ::-1])
    assert np.array_equal(frame_of("CRS84 swapped").to_lonlat(once, DISTRICT), point)


def test_postgis_agrees_about_the_planes(postgis: Engine) -> None:
    points = spread(12)
    with postgis.connect() as conn:
        for name in ("EPSG:4549", "EPSG:4528", "EPSG:4548", "EPSG:4498", "EPSG:32650", "EPSG:3857"):
            code = int(name.removeprefix("EPSG:"))
            base = 4326 if code in (32650, 3857) else 4490
            rows = conn.execute(
                text(
                    "SELECT ST_X(g), ST_Y(g) "
                    "FROM unnest(CAST(:x AS float8[]), CAST(:y AS float8[])) AS p(x, y), "
                    "ST_Transform(ST_Point(p.x, p.y, CAST(:base AS int)), CAST(:code AS int)) AS g"
                ),
                {"x": points[:, 0].tolist(), "y": points[:, 1].tolist(), "base": base, "code": code},
            ).all()
            planar = np.array([tuple(row) for row in rows])
            # 1e-9 degrees are a tenth of a millimetre
            assert frame_of(name).move_to(4490, DISTRICT).xy(planar) == pytest.approx(points, abs=1e-9)
