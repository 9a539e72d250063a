"""What the store offers the detective: outlines of areas, seats, and codes of known places."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
import shapely
from sqlalchemy import Engine, create_engine, insert

from gis.db import connect
from gis.importing.detective import Known, load_evidence
from gis.settings import MapDefinition
from gis.sync import sync
from gis.tables import table_for
from tests.conftest import Databases
from tests.gis.importing.places import (
    DATA,
    DISTRICT,
    counties,
    map_of_places,
    reading_of,
    seats,
    spread,
)


@pytest.fixture(scope="module")
def definition() -> MapDefinition:
    return map_of_places()


@pytest.fixture(scope="module")
def places_store(databases: Databases, definition: MapDefinition) -> Iterator[Engine]:
    """A store with the counties, townships and codes of the open data, and three wells."""

    def build(url: str) -> None:
        engine = create_engine(url)
        sync(engine, definition)
        _fill(engine, definition)
        engine.dispose()

    name = databases.create(databases.template("detective", build))
    engine = create_engine(databases.url(name))
    yield engine
    engine.dispose()
    databases.drop(name)


def _fill(engine: Engine, definition: MapDefinition) -> None:
    with (DATA / "admin_codes.csv").open(encoding="utf-8") as file:
        register = [row for row in csv.DictReader(file) if row["level"] != "city"]
    rows: dict[str, list[dict[str, object]]] = {
        "counties": [
            {"uid": a.code, "adcode": a.code, "name": a.name, "geom": a.shape, "accuracy_m": a.accuracy_m}
            for a in counties()
        ],
        "townships": [
            {
                "uid": s.code,
                "adcode": s.code,
                "name": s.name,
                "county": s.county,
                "geom": shapely.Point(s.lon, s.lat),
            }
            for s in seats()
        ],
        "admin_codes": [
            {
                "uid": r["adcode"],
                "adcode": r["adcode"],
                "name": r["name"],
                "level": r["level"],
                "county": r["county"],
            }
            for r in register
        ],
        "wells": [
            {"uid": code, "code": code, "geom": shapely.Point(lon, lat), "accuracy_m": 25.0}
            for code, lon, lat in (
                ("HZ000000", 120.0, 29.0),
                ("HZ000001", 120.1, 28.9),
                ("HZ000002", 119.7, 29.2),
            )
        ],
    }
    with engine.begin() as conn:
        for name, held in rows.items():
            table = table_for(definition.layers[name], 4490)
            for row in held:
                if "geom" in row:
                    row["geom"] = f"SRID=4490;{row['geom']}"
            conn.execute(insert(table), [{"source_id": 1, "rev_from": 1, **row} for row in held])
        old = {"uid": "HZ000009", "code": "HZ000009", "geom": "SRID=4490;POINT (119 28)", "source_id": 1}
        conn.execute(insert(table_for(definition.layers["wells"], 4490)), {**old, "rev_from": 1, "rev_to": 2})


def test_the_store_offers_its_areas_seats_and_codes(places_store: Engine, definition: MapDefinition) -> None:
    columns = {"编号": ["HZ000000", "hz000001", "HZ000009", None], "lon": [120.0, 120.1, 119.0, 119.1]}
    reading = reading_of(spread(4), columns)
    with connect(places_store) as conn:
        held = load_evidence(conn, definition, definition.layers["wells"], reading)
        bare = load_evidence(conn, definition)
    assert {a.name: a.code for a in held.areas}["永康市"] == "330784"
    assert {a.accuracy_m for a in held.areas} == {500.0}
    assert next(s for s in held.seats if s.name == "傅村镇").county == "金东区"
    assert held.parents["傅村镇"] == "金东区"
    assert held.known is not None
    assert (held.known.column, held.known.accuracy_m) == ("编号", 25.0)
    assert held.known.place("hz000001") == pytest.approx((120.1, 28.9))
    assert held.known.place("HZ000009") is None  # registered once, but no longer
    assert bare.known is None
    assert bare.extent == DISTRICT
    assert len(bare.areas) == len(counties())


def test_a_layer_without_rows_or_key_offers_no_codes(places_store: Engine, definition: MapDefinition) -> None:
    with connect(places_store) as conn:
        reading = reading_of(spread(2), {"code": ["A", "B"]})
        assert load_evidence(conn, definition, definition.layers["pads"], reading).known is None
        assert load_evidence(conn, definition, definition.layers["wells"], reading).known is None


def test_known_codes_are_looked_up_as_written_or_in_capitals() -> None:
    known = Known("code", {"A1": (120.0, 29.0)}, None)
    assert known.place("a1") == known.place("A1") == (120.0, 29.0)
