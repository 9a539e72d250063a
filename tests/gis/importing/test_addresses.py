"""Rows without coordinates stand where the store knows them to be, with a bound that holds, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from sqlalchemy import Connection, Engine, create_engine

from gis.crs import transformation
from gis.db import connect
from gis.importing import ImportOptions, SourceInfo, import_file
from gis.importing.addresses import place_unlocated
from gis.importing.gazetteer import load_gazetteer
from gis.importing.issues import Issue, issue_words
from gis.settings import MapDefinition
from gis.sync import sync
from layers.district import Places, load_district
from layers.registry import load_layers
from tests.conftest import Databases

DATA = Path(__file__).parents[3] / "data"
NAMES = ("counties", "townships", "admin_codes", "enterprises", "pollution_sources", "parks")
KNOWN = """ent_id,name,uscc,address,lon,lat,accuracy_m
K1,甲公司,91330784704222681N,浙江省金华市金东区孝顺镇正涵北街１号,119.8,29.2,20
K2,乙公司,91110000802100433B,金东区傅村镇华丰路2号,119.85,29.25,20
K3,丙公司,91330200144056844T,金东区曹宅镇大道3号,119.7,29.15,20
K4,丙公司分厂,91330200144056844T,金东区曹宅镇大道3号,119.9,29.15,20
K5,远公司,913307020000000018,金东区,119.7,29.1,12000
K6,未知公司,,金东区岭下镇老街6号,119.75,29.05,
"""
Place = Callable[..., tuple[list[object], list[float], list[Issue]]]


@pytest.fixture(scope="module")
def definition() -> MapDefinition:
    """The shipped district with the layers that hold places and those that ask for them."""
    layers = load_layers()
    return MapDefinition(load_district(), {name: layers[name] for name in NAMES}, {})


@pytest.fixture(scope="module")
def places(
    databases: Databases, definition: MapDefinition, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A store with the open counties, seats and codes, and six known enterprises."""
    engine = create_engine(databases.url(name := databases.create()))
    sync(engine, definition)
    known = tmp_path_factory.mktemp("known") / "known.csv"
    known.write_text(KNOWN, encoding="utf-8")
    for layer, path, source in (
        ("counties", DATA / "counties.geojson", SourceInfo("counties", accuracy_m=500.0)),
        ("townships", DATA / "townships.csv", SourceInfo("seats")),
        ("admin_codes", DATA / "admin_codes.csv", SourceInfo("codes")),
        ("enterprises", known, SourceInfo("known")),
    ):
        result = import_file(engine, definition, layer, path, ImportOptions(source, crs="EPSG:4490"))
        assert result.bad == 0
    yield engine
    engine.dispose()
    databases.drop(name)


@pytest.fixture
def place(places: Engine, definition: MapDefinition) -> Iterator[Place]:
    """place(rows, layer="enterprises"): geometry, bounds and issues."""
    with connect(places) as conn:
        yield lambda rows, layer="enterprises", by=definition: _place(conn, by, layer, rows)


def _place(
    conn: Connection, definition: MapDefinition, layer: str, rows: list[dict[str, str]]
) -> tuple[list[object], list[float], list[Issue]]:
    frame = pd.DataFrame(rows, index=pd.RangeIndex(10, 10 + len(rows)))
    geometry, accuracy, issues = place_unlocated(conn, definition, definition.layers[layer], frame)
    return geometry.tolist(), accuracy.tolist(), issues


def seat(conn: Connection, definition: MapDefinition, name: str) -> shapely.Point:
    (spot,) = load_gazetteer(conn, definition).township(name)
    assert spot.point is not None
    return spot.point


def test_a_township_gives_its_seat_and_the_districts_bound(
    place: Place, places: Engine, definition: MapDefinition
) -> None:
    geometry, bounds, issues = place(
        [{"township": "孝顺镇"}, {"township": "孝顺"}, {"county": "金东区", "township": "金东区孝顺镇"}]
    )
    with connect(places) as conn:
        expected = seat(conn, definition, "孝顺镇")
    assert geometry == [expected] * 3
    assert bounds == [12000.0] * 3
    assert {(i.field, i.value, i.code, i.severity) for i in issues} == {
        ("geom", "孝顺镇（±12000 m）", "placed_by_township", "repair")
    }
    assert [(i.row, i.original) for i in issues] == [
        (10, "孝顺镇"),
        (11, "孝顺"),
        (12, "金东区 金东区孝顺镇"),
    ]


def test_a_name_that_is_no_place_of_its_own_is_placed_as_the_district_says(place: Place) -> None:
    geometry, bounds, _ = place(
        [{"township": "鞋塘办事处"}, {"township": "孝顺镇"}, {"address": "金东区鞋塘办事处工业区"}]
    )
    assert geometry[0] == geometry[1] == geometry[2]
    assert bounds == [12000.0] * 3


def test_without_a_stated_bound_a_seat_places_nothing(place: Place, definition: MapDefinition) -> None:
    bare = definition.district.model_copy(update={"places": Places()})
    geometry, bounds, issues = place([{"township": "孝顺镇"}], by=MapDefinition(bare, definition.layers, {}))
    # The register still says which county it lies in, and that county's bound holds.
    assert geometry[0] is not None
    assert bounds[0] > 12000
    assert [i.code for i in issues] == ["placed_by_county"]


def test_a_county_gives_an_inner_point_and_reaches_its_farthest_corner(
    place: Place, places: Engine, definition: MapDefinition
) -> None:
    geometry, bounds, issues = place(
        [{"county": "永康市"}, {"county": "永康"}, {"address": "浙江省金华市永康市某处"}]
    )
    assert geometry[0] == geometry[1] == geometry[2]
    assert [i.code for i in issues] == ["placed_by_county"] * 3
    district = definition.district
    with connect(places) as conn:
        wkb = conn.exec_driver_sql(
            "SELECT ST_AsBinary(geom) FROM layer.counties WHERE name = '永康市' AND rev_to IS NULL"
        ).scalar_one()
    county = shapely.from_wkb(bytes(wkb))
    assert county.contains(geometry[0])
    plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    outline, point = plane.geometries(np.array([county.boundary, geometry[0]], dtype=object))
    farthest = shapely.hausdorff_distance(shapely.segmentize(outline, 50), point)
    assert farthest + 500 <= bounds[0] <= farthest + 501


def test_a_township_without_a_seat_falls_back_to_its_county(place: Place) -> None:
    geometry, bounds, issues = place([{"township": "东孝街道"}, {"county": "金东区"}])
    assert [i.code for i in issues] == ["placed_by_county"] * 2
    assert geometry[0] == geometry[1]
    assert bounds[0] == bounds[1]


def test_an_unknown_township_is_placed_by_its_county_or_not_at_all(place: Place) -> None:
    geometry, bounds, issues = place(
        [{"township": "虚无镇", "county": "金东区"}, {"township": "虚无镇"}, {"county": "虚无县"}, {}]
    )
    assert [(i.row, i.code) for i in issues] == [(10, "placed_by_county")]
    assert geometry[1:] == [None, None, None]
    assert np.isnan(bounds[1:]).all()


def test_a_name_of_two_townships_asks_for_the_county(
    place: Place, places: Engine, definition: MapDefinition
) -> None:
    with connect(places) as conn:
        gazetteer = load_gazetteer(conn, definition)
    name, (first, *_) = next((n, s) for n, s in sorted(gazetteer.townships.items()) if len(s) > 1)
    geometry, bounds, issues = place([{"township": name}, {"township": name, "county": str(first.county)}])
    assert geometry[0] is None
    assert np.isnan(bounds[0])
    assert (issues[0].code, issues[0].severity, issues[0].row) == ("place_ambiguous", "error", 10)
    assert str(first.county) in str(issues[0].value)
    assert issues[1].severity == "repair"


@pytest.mark.parametrize(
    "row",
    [
        {"township": "孝顺镇", "county": "永康市"},
        {"county": "金东区", "address": "永康市东城街道某路"},
        {"county": "永康市", "address": "孝顺镇正涵街"},
    ],
)
def test_names_that_contradict_each_other_place_nothing(place: Place, row: dict[str, str]) -> None:
    geometry, _, issues = place([row])
    assert geometry == [None]
    assert [(i.code, i.severity) for i in issues] == [("place_contradicts", "error")]


def test_the_same_address_is_the_same_place_within_a_site(place: Place) -> None:
    geometry, bounds, issues = place([{"address": "浙江省金华市 金东区孝顺镇正涵北街1号"}])
    assert shapely.get_coordinates(geometry[0]).tolist() == [[119.8, 29.2]]
    assert bounds == [520.0]
    assert [i.code for i in issues] == ["placed_by_address"]


def test_the_same_enterprise_is_where_it_is_and_its_sources_are_near(place: Place) -> None:
    geometry, bounds, _ = place([{"uscc": "91110000802100433B", "township": "孝顺镇"}])
    assert shapely.get_coordinates(geometry[0]).tolist() == [[119.85, 29.25]]
    assert bounds == [20.0]


def test_an_address_without_a_house_number_is_no_address(place: Place) -> None:
    _, bounds, issues = place([{"address": "金东区"}, {"address": "金东区岭下镇老街6号"}])
    # The second is known without a bound of its error, which is no knowledge of its place.
    assert [i.code for i in issues] == ["placed_by_county", "placed_by_township"]
    assert bounds[1] == 12000


def test_places_that_cannot_be_one_place_say_nothing(place: Place) -> None:
    _, bounds, issues = place([{"uscc": "91330200144056844T", "address": "金东区曹宅镇大道3号"}])
    assert [i.code for i in issues] == ["placed_by_township"]
    assert bounds == [12000.0]


def test_a_coarsely_known_place_is_not_passed_on(place: Place) -> None:
    geometry, _, issues = place([{"uscc": "913307020000000018"}])
    assert geometry == [None]
    assert issues == []


def test_a_layer_of_polygons_and_no_rows_are_given_no_places(place: Place, definition: MapDefinition) -> None:
    assert place([]) == ([], [], [])
    assert place([{"county": "永康市"}], layer="counties")[0] == [None]


def test_every_finding_has_words() -> None:
    codes = (
        "placed_by_address",
        "placed_by_township",
        "placed_by_county",
        "place_ambiguous",
        "place_contradicts",
    )
    assert [issue_words()[code].severity for code in codes] == ["repair"] * 3 + ["error"] * 2


def test_an_import_places_its_rows_once_and_for_all(
    places: Engine, definition: MapDefinition, tmp_path: Path
) -> None:
    path = tmp_path / "园区.csv"
    path.write_text(
        "园区编号,名称,所属乡镇,所属县（市、区）,占地面积（公顷）\n"
        "P1,甲园,孝顺镇,金东区,10\nP2,乙园,虚无镇,永康市,20\nP3,丙园,虚无镇,,30\nP4,丁园,孝顺镇,永康市,40\n",
        encoding="utf-8",
    )
    options = ImportOptions(SourceInfo("parks", accuracy_m=5.0), mapping={"park_id": "园区编号"})
    first = import_file(places, definition, "parks", path, options)
    assert (first.total, first.good, first.bad, first.change.added) == (4, 2, 2, 2)
    reasons = {(i.row, i.code) for i in first.issues if i.severity == "error"}
    assert reasons == {(2, "geometry_missing"), (3, "place_contradicts")}
    with connect(places) as conn:
        rows = conn.exec_driver_sql(
            "SELECT park_id, area_mu, accuracy_m FROM layer.parks WHERE rev_to IS NULL ORDER BY park_id"
        ).all()
    assert [tuple(row)[:2] for row in rows] == [("P1", 150.0), ("P2", 300.0)]
    assert rows[0].accuracy_m == 12000.0 < rows[1].accuracy_m
    path.write_text(path.read_text(encoding="utf-8") + "P5,戊园,孝顺镇,金东区,50\n", encoding="utf-8")
    again = import_file(places, definition, "parks", path, options)
    assert (again.change.added, again.change.changed, again.change.unchanged) == (1, 0, 2)
