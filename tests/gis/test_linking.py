"""Rows of several sources that mean one enterprise: linked, compared, decided about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shapely
from sqlalchemy import Engine, create_engine, text

from gis import linking
from gis.db import connect
from gis.errors import NotFound, QueryError
from gis.importing import ImportOptions, SourceInfo, import_file
from gis.intake import take_in
from gis.linking.candidates import core_name
from gis.settings import MapDefinition
from gis.sync import sync
from layers.district import load_district
from layers.registry import load_layers
from tests.conftest import Databases

HEAD = "ent_id,name,uscc,permit_class,address,lon,lat\n"
REGISTER = HEAD + (
    "E1,浙江永康五金有限公司,91330784704222681N,simplified,永康市东城街道金山路1号,120.0470,28.8880\n"
    "E2,永康市华丰杯业有限公司,,key,永康市芝英镇工业区,120.1200,28.9100\n"
    "E3,永康市恒泰电器厂,,,永康市象珠镇,120.1500,28.9900\n"
)
PERMITS = HEAD + (
    "P1,永康五金有限公司,91330784704222681N,key,永康市东城街道金山路1号,120.0530,28.8920\n"
    "P2,永康华丰杯业（有限公司）,,key,永康市芝英镇工业区,120.1204,28.9102\n"
    "P9,武义县宏达门业有限公司,,key,武义县,119.8200,28.9000\n"
)


@pytest.fixture(scope="module")
def definition() -> MapDefinition:
    layers = load_layers()
    return MapDefinition(
        load_district(), {name: layers[name] for name in ("enterprises", "disagreements")}, {}
    )


@pytest.fixture
def store(databases: Databases, definition: MapDefinition) -> Iterator[Engine]:
    def build(url: str) -> None:
        engine = create_engine(url)
        sync(engine, definition)
        engine.dispose()

    name = databases.create(databases.template("linking", build))
    engine = create_engine(databases.url(name))
    yield engine
    engine.dispose()
    databases.drop(name)


@pytest.fixture
def load(store: Engine, definition: MapDefinition, tmp_path: Path) -> Callable[[str, str], None]:
    def run(source: str, rows: str) -> None:
        path = tmp_path / f"{source}.csv"
        path.write_text(rows, encoding="utf-8")
        info = SourceInfo(source, f"{source}库", bureau=f"{source}局", accuracy_m=20.0)
        import_file(store, definition, "enterprises", path, ImportOptions(info, crs="EPSG:4490"))

    return run


@pytest.fixture
def loaded(load: Callable[[str, str], None]) -> None:
    load("登记", REGISTER)
    load("许可", PERMITS)


def disagreements(store: Engine) -> list[tuple[object, ...]]:
    query = (
        "SELECT about, attribute, uid_shown, uid_other, value_shown, value_other, owner, round(metres) "
        "FROM layer.disagreements WHERE rev_to IS NULL ORDER BY uid"
    )
    with connect(store) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


@pytest.mark.usefixtures("loaded")
def test_rows_with_one_code_are_one_thing(store: Engine, definition: MapDefinition) -> None:
    layer = definition.layers["enterprises"]
    with connect(store) as conn:
        found = linking.thing(conn, definition, layer, "E1")
        assert found.uids == ("E1", "P1")
        # Without a stated precedence the newest statement is shown: that of the permits.
        assert [claim.value for claim in found.fields["permit_class"]] == ["key", "simplified"]
        assert [claim.bureau for claim in found.fields["permit_class"]] == ["许可局", "登记局"]
        assert found.places[1].value == pytest.approx(
            {"lon": 120.047, "lat": 28.888, "accuracy_m": 20.0}, abs=1e-5
        )
        assert linking.thing(conn, definition, layer, "E2").uids == ("E2",)
        with pytest.raises(NotFound, match="no row 'E7'"):
            linking.thing(conn, definition, layer, "E7")


@pytest.mark.usefixtures("loaded")
def test_disagreements_are_rows_with_owner_and_metres(store: Engine, definition: MapDefinition) -> None:
    change = linking.refresh(store, definition)
    assert change.added == 3
    assert disagreements(store) == [
        ("attribute", "name", "P1", "E1", "永康五金有限公司", "浙江永康五金有限公司", "登记局", None),
        ("attribute", "permit_class", "P1", "E1", "key", "simplified", "登记局", None),
        # By an independent engine: see the next lines.
        ("place", None, "P1", "E1", None, None, "登记局", 734.0),
    ]
    with connect(store) as conn:
        sphere = conn.scalar(
            text(
                "SELECT ST_Distance(a.geom::geography, b.geom::geography) "
                "FROM layer.enterprises a, layer.enterprises b WHERE a.uid = 'E1' AND b.uid = 'P1'"
            )
        )
        line = conn.scalar(text("SELECT ST_AsText(geom) FROM layer.disagreements WHERE about = 'place'"))
    assert sphere == pytest.approx(734, abs=1)
    assert shapely.length(shapely.from_wkt(line)) > 0
    assert linking.refresh(store, definition).rev is None


@pytest.mark.usefixtures("loaded")
def test_a_corrected_source_ends_the_disagreement(
    store: Engine, definition: MapDefinition, load: Callable[[str, str], None]
) -> None:
    linking.refresh(store, definition)
    with store.begin() as conn:
        conn.execute(text("UPDATE layer.disagreements SET since = '2026-01-05'"))
    load(
        "许可",
        PERMITS.replace("120.0530,28.8920", "120.0471,28.8881").replace("P1,永康五金", "P1,永康市五金"),
    )
    change = linking.refresh(store, definition)
    assert (change.added, change.changed, change.closed) == (0, 2, 1)  # the place ends; two rows move
    assert [row[:2] for row in disagreements(store)] == [("attribute", "name"), ("attribute", "permit_class")]
    with connect(store) as conn:
        days = conn.scalars(text("SELECT DISTINCT since::text FROM layer.disagreements WHERE rev_to IS NULL"))
        assert days.all() == ["2026-01-05"], "the age of a disagreement survives a change of its values"


@pytest.mark.usefixtures("loaded")
def test_candidates_are_ranked_and_decided_by_a_person(store: Engine, definition: MapDefinition) -> None:
    layer = definition.layers["enterprises"]
    with connect(store, write=True) as conn:
        (found,) = linking.candidates(conn, definition, layer)
        assert (found.uid_a, found.uid_b) == ("E2", "P2")
        assert found.score > 0.9
        assert found.metres == pytest.approx(45, abs=1)
        number = linking.decide(
            conn, definition, layer, ("P2", "E2"), same=True, who="li", evidence=found.as_dict()
        )
        assert linking.candidates(conn, definition, layer) == []
        assert linking.thing(conn, definition, layer, "P2").uids == ("P2", "E2")
        assert linking.undo(conn, number, who="wang").uid_a == "E2"
        assert linking.thing(conn, definition, layer, "P2").uids == ("P2",)
        assert [c.uid_b for c in linking.candidates(conn, definition, layer)] == ["P2"]
        history = linking.list_decisions(conn, undone=True)
        assert [(d.who, d.undone_by) for d in history] == [("li", "wang")]
        with pytest.raises(NotFound, match="no standing decision"):
            linking.undo(conn, number, who="wang")


@pytest.mark.usefixtures("loaded")
def test_a_person_may_part_what_a_code_joins(store: Engine, definition: MapDefinition) -> None:
    layer = definition.layers["enterprises"]
    linking.refresh(store, definition)
    with connect(store, write=True) as conn:
        linking.decide(conn, definition, layer, ("E1", "P1"), same=False, who="li")
        assert linking.thing(conn, definition, layer, "E1").uids == ("E1",)
        with pytest.raises(QueryError):
            linking.decide(conn, definition, layer, ("E1", "E1"), same=True, who="li")
        with pytest.raises(NotFound):
            linking.decide(conn, definition, layer, ("E1", "nobody"), same=True, who="li")
    assert linking.refresh(store, definition).closed == 3
    assert disagreements(store) == []


def test_a_key_that_another_source_holds_is_kept_apart(
    store: Engine, definition: MapDefinition, load: Callable[[str, str], None]
) -> None:
    load("登记", REGISTER)
    load("监测", HEAD + "E2,永康市华丰杯业有限公司,,simplified,,120.1201,28.9101\n")
    load("监测", HEAD + "E2,永康市华丰杯业有限公司,,registration,,120.1201,28.9101\n")
    with connect(store) as conn:
        rows = conn.execute(
            text(
                "SELECT uid, permit_class FROM layer.enterprises "
                "WHERE rev_to IS NULL AND uid LIKE 'E2%' ORDER BY 1"
            )
        ).all()
        assert [tuple(row) for row in rows] == [("E2", "key"), ("E2@监测", "registration")]
        assert linking.thing(conn, definition, definition.layers["enterprises"], "E2").uids == (
            "E2",
            "E2@监测",
        )


def test_the_precedence_of_a_field_decides_what_is_shown(
    store: Engine, definition: MapDefinition, load: Callable[[str, str], None]
) -> None:
    layer = definition.layers["enterprises"]
    assert layer.linking is not None
    order = {"permit_class": ("许可局", "*"), "default": ("登记", "*"), "geom": ("*", "许可")}
    ranked = layer.model_copy(update={"linking": layer.linking.model_copy(update={"precedence": order})})
    load("许可", PERMITS)
    load("登记", REGISTER)
    with connect(store) as conn:
        found = linking.thing(conn, definition, ranked, "E1")
    assert found.fields["permit_class"][0].source == "许可"
    assert found.fields["name"][0].source == "登记"
    assert found.places[0].source == "登记"


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("浙江省永康市华丰杯业有限公司", "华丰杯业"),
        ("华丰杯业（集团）股份有限公司", "华丰杯业"),
        ("ＨＦ Cup Co., Ltd.", "hfcup"),
        ("永康市", "永康市"),
        (None, ""),
    ],
)
def test_the_core_of_a_name(name: str | None, core: str) -> None:
    assert core_name(name) == core


def test_what_is_taken_in_is_compared_at_once(
    store: Engine, definition: MapDefinition, load: Callable[[str, str], None], tmp_path: Path
) -> None:
    load("登记", REGISTER)
    path = tmp_path / "permits.csv"
    path.write_text(PERMITS, encoding="utf-8")
    info = SourceInfo("许可", "许可库", bureau="许可局", accuracy_m=20.0)
    take_in(store, definition, "enterprises", path, ImportOptions(info, crs="EPSG:4490"))
    assert len(disagreements(store)) == 3
    take_in(store, definition, "enterprises", path, ImportOptions(info, crs="EPSG:4490"))
    with connect(store) as conn:
        assert conn.scalar(text("SELECT count(*) FROM core.revisions")) == 3
