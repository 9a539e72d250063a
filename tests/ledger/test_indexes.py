"""The indexes of conflicts: fewer than of other layers, in old stores too, and tiles hold what they held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyproj
import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, inspect, select, text

import gis
from gis import tables
from gis.applying import compare_staged
from gis.crs import WEB_MERCATOR, transformation
from gis.db import connect
from gis.importing.stage import Stage
from gis.screening.conflicts import conflicts_layer, refresh
from gis.sync import sync
from gis.tiles import tile_at
from gis.tiles.matrix import MATRIX_SETS
from gis.tiles.rows import inside
from tests.ledger.world import World, definition_of

# Beyond 180 degrees too, where buffers of tiles reach.
WORLD = pyproj.Transformer.from_pipeline(
    "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=webmerc +over"
)


@pytest.mark.parametrize("crs", [4490, 4549])
def test_places_of_conflicts_have_one_index_where_degrees_tell_them_in_the_web_too(crs: int) -> None:
    layers = definition_of().layers
    names = {index.name for index in tables.table_for(layers["conflicts"], crs).indexes}
    assert "ix_conflicts_geom" in names and "uq_conflicts_current_uid" not in names
    assert ("ix_conflicts_geom_web" in names) == (crs == 4549)
    assert "ix_dots_geom_web" in {index.name for index in tables.table_for(layers["dots"], crs).indexes}


@given(st.data())
def test_the_square_in_degrees_holds_that_in_the_web(data: st.DataObject) -> None:
    matrix = data.draw(st.sampled_from(list(MATRIX_SETS.values())))
    z = data.draw(st.sampled_from(list(matrix.zooms)))
    x, y = (data.draw(st.integers(0, count(z) - 1)) for count in (matrix.columns, matrix.rows))
    numbers = tile_at(z, y, x, matrix).numbers
    degrees, web = (
        [float(numbers[f"{name}_{side}"]) for side in ("west", "south", "east", "north")]
        for name in ("degrees", "web")
    )
    (west, east), (south, north) = WORLD.transform(degrees[::2], degrees[1::2])
    assert west < web[0] and south < web[1] and east > web[2] and north > web[3]
    assert degrees[2] - degrees[0] < 1.01 * (web[2] - web[0]) / 111_319.49 + 1e-8


def test_a_tile_finds_the_conflicts_that_lie_in_it(new_world: Callable[[int], World]) -> None:
    world = new_world(11)
    refresh(world.engine, world.definition, law_date=world.law_date)
    layer = conflicts_layer(world.definition)
    t = tables.table_for(layer, world.definition.district.storage_crs)
    with connect(world.engine) as conn:
        # The world is some kilometres wide: from one tile to many of them.
        for z in (9, 13, 15):
            found: dict[tuple[int, int], set[str]] = {}
            for uid, *ends in conn.execute(text(_ENDS)):
                for tile in _tiles_of(z, *ends):
                    found.setdefault(tile, set()).add(uid)
            for (x, y), uids in found.items():
                query = select(t.c.uid).where(t.c.rev_to.is_(None), inside(layer, t))
                got = set(conn.scalars(query, tile_at(z, y, x).numbers))
                assert uids <= got, (z, y, x)
        assert found and "conflicts.geom && ST_MakeEnvelope" in str(query)


_ENDS = (
    "SELECT uid, ST_XMin(geom_web), ST_YMin(geom_web), ST_XMax(geom_web), ST_YMax(geom_web) "
    "FROM layer.conflicts WHERE rev_to IS NULL AND geom_web IS NOT NULL"
)


def _tiles_of(z: int, west: float, south: float, east: float, north: float) -> set[tuple[int, int]]:
    """Columns and rows of the corners of a box in EPSG:3857."""
    half = 20037508.342789244

    def place(x: float, y: float) -> tuple[int, int]:
        side = 2 * half / 2**z
        return int((x + half) // side), int((half - y) // side)

    return {place(x, y) for x in (west, east) for y in (south, north)}


def _indexes(engine: Engine) -> dict[str, str]:
    with connect(engine) as conn:
        rows = conn.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'layer'"))
        return {str(name): str(definition) for name, definition in rows}


def test_an_older_store_loses_indexes_and_gets_them_back(new_world: Callable[[int], World]) -> None:
    world = new_world(12)
    now = _indexes(world.engine)
    config = Config()
    config.set_main_option("script_location", str(Path(gis.__file__).parent / "migrations"))
    with connect(world.engine, write=True) as conn:
        config.attributes["connection"] = conn
        command.downgrade(config, "0016")
        assert "ix_conflicts_subject_uid" not in {
            index["name"] for index in inspect(conn).get_indexes("conflicts", "layer")
        }
        # What the program of before would make now.
        conn.execute(text("CREATE INDEX ix_conflicts_geom_web ON layer.conflicts USING gist (geom_web)"))
        conn.execute(
            text("CREATE UNIQUE INDEX uq_conflicts_current_uid ON layer.conflicts (uid) WHERE rev_to IS NULL")
        )
        conn.execute(
            text(
                "CREATE INDEX ix_conflicts_subject_uid ON layer.conflicts (subject_uid) WHERE rev_to IS NULL"
            )
        )
    assert sync(world.engine, world.definition).applied == ["conflicts: added index ix_conflicts_subject_uid"]
    assert _indexes(world.engine) == now


def test_a_uid_that_is_staged_twice_is_refused(new_world: Callable[[int], World]) -> None:
    world = new_world(13)
    refresh(world.engine, world.definition, law_date=world.law_date)
    layer, district = conflicts_layer(world.definition), world.definition.district
    table = tables.table_for(layer, district.storage_crs)
    to_web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
    with connect(world.engine, write=True) as conn:
        stage = Stage(conn, layer, table, to_web)
        without = {"uid", "row_id", "rev_from", "rev_to"}
        names = [column.name for column in table.columns if column.name not in without]
        listed = ", ".join(names)
        conn.execute(
            text(
                f"INSERT INTO {stage.name} (uid, {listed}) SELECT 'twin', {listed} FROM layer.conflicts "
                "WHERE rev_to IS NULL LIMIT 2"
            )
        )
        with pytest.raises(AssertionError, match="twin"):
            compare_staged(conn, table, stage.table, mode="upsert", source_id=None)
