"""Random subjects in drawn worlds: 10,000 in the long run, a few hundred in each."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from gis.revisions import head
from gis.screening.inputs import PreparedLayer
from gis.screening.judge import judge
from gis.screening.rows import read_rows
from gis.settings import MapDefinition
from tests.screening.oracle.asking import Oracle
from tests.screening.oracle.comparing import Comparison, compare
from tests.screening.oracle.test_demo import every_rule
from tests.screening.oracle.words import BY_RULE, SUBJECTS, TODAY, ZONES
from tests.screening.oracle.worlds import World, draw_world


def world_of(conn: Connection, definition: MapDefinition, seed: int, count: int) -> World:
    held = {name: read_rows(conn, definition, definition.layers[name], head(conn)) for name in ZONES}
    return draw_world(seed, count, held, [definition.layers[name] for name in SUBJECTS], TODAY)


def compared(conn: Connection, definition: MapDefinition, world: World) -> Comparison:
    oracle, found = Oracle(conn, TODAY), Comparison()
    world.tell(oracle)
    zones = {name: PreparedLayer(world.for_judge(name)) for name in ZONES}
    for layer in SUBJECTS:
        judgement = judge(world.subjects_for_judge(layer), zones, every_rule(definition), TODAY)
        compare(oracle, BY_RULE, judgement, found)
    return found


def test_judge_and_oracle_agree_on_random_subjects(
    demonstration: Connection, definition: MapDefinition
) -> None:
    found = compared(demonstration, definition, world_of(demonstration, definition, 20, 240))
    assert found.differing == []
    assert found.by_verdict()["conflict"] > 200 and found.by_verdict()["edge"] > 20


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 20))
def test_judge_and_oracle_agree_on_ten_thousand_random_subjects(
    demonstration: Connection, definition: MapDefinition, seed: int
) -> None:
    found = compared(demonstration, definition, world_of(demonstration, definition, seed, 1000))
    assert found.differing == []
    assert found.by_verdict()["conflict"] > 700 and found.by_verdict()["edge"] > 70
    assert len(found.rules_in_conflict()) > 60
    # Places on the very limit, as far as the drawing of arcs tells: a handful, not a habit.
    assert len(found.within_tolerance) < 0.005 * found.agreed.total()
