"""The oracle itself: what it says where the answer is plain, and whether it notices a judge that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import LineString, Point, box
from sqlalchemy import Connection

from gis.screening.inputs import Subjects
from gis.screening.judge import judge
from gis.screening.snapshot import as_subjects
from gis.settings import MapDefinition
from layers.rulemodel import DWithin, RulePack
from tests.screening.oracle.asking import Oracle
from tests.screening.oracle.comparing import Comparison, compare
from tests.screening.oracle.test_demo import oracle_of, rows_in_force, zones_of
from tests.screening.oracle.words import BY_RULE, TODAY

CORNER = np.array([500_000.0, 3_200_000.0])
ZONE, NEXT = box(0, 0, 100, 100), box(100, 0, 200, 100)
COVER = box(-1000, -1000, 1000, 1000)


def at(shape: Any) -> bytes:
    return bytes(shapely.transform(shape, lambda xy: xy + CORNER).wkb)


# Two zones of grade I side by side, exact to 1 m, in a coverage: what DW-01 says of an outfall.
PLAIN = {
    "inside": (Point(50, 50), 5.0, "conflict"),
    "inside by just the error": (Point(50, 6), 5.0, "edge"),
    "inside by a little more": (Point(50, 6.01), 5.0, "conflict"),
    "on the seam": (Point(100, 50), 5.0, "conflict"),
    "on the boundary": (Point(50, 0), 0.0, "edge"),
    "outside within the error": (Point(50, -6), 5.0, "edge"),
    "outside beyond it": (Point(50, -6.01), 5.0, "clear"),
    "of unknown accuracy": (Point(50, 50), None, "unknown"),
    "outside the coverage": (Point(1500, 0), 5.0, "unknown"),
    "too near to the rim of the coverage": (Point(995, 0), 5.0, "unknown"),
    "a line across": (LineString([(50, -50), (50, 50)]), 5.0, "conflict"),
    "a line along the outline": (LineString([(0, -1), (200, -1)]), 0.0, "edge"),
    "a parcel that enters less than the error": (box(20, -50, 80, 5), 5.0, "edge"),
    "a parcel that enters more": (box(20, -50, 80, 6.5), 5.0, "conflict"),
    "a parcel around both": (box(-50, -50, 250, 150), 5.0, "conflict"),
    "a parcel with them in its hole": (box(-50, -50, 250, 150) - box(-20, -20, 220, 120), 5.0, "clear"),
}  # fmt: skip


def test_the_oracle_says_what_is_plain(demonstration: Connection) -> None:
    oracle = Oracle(demonstration, TODAY)
    zones = [
        {"uid": str(n), "place": at(z), "accuracy": 1.0, "grade": "1"} for n, z in enumerate((ZONE, NEXT))
    ]
    oracle.make_zones("water_source_zones", zones, at(COVER))
    subjects = [{"uid": name, "place": at(g), "accuracy": error} for name, (g, error, _) in PLAIN.items()]
    oracle.make_subjects("outfalls", subjects)
    found = oracle.verdicts(BY_RULE["DW-01"], "outfalls")
    assert {name: found.get(name, "clear") for name in PLAIN} == {
        name: v for name, (_, _, v) in PLAIN.items()
    }


def changed(pack: RulePack, wrong: str, **update: Any) -> RulePack:
    """The pack with one rule changed."""
    rules = tuple(r.model_copy(update=update) if r.id == wrong else r for r in pack.rules)
    return pack.model_copy(update={"rules": rules})


WRONG_RULES: dict[str, dict[str, Any]] = {
    "DW-05": {"zone_where": {"grade": ("1",)}},
    "DW-11": {"subject_where": {}},
    "RL-02": {"unless": ()},
    "RL-08": {"predicate": DWithin(op="dwithin", distance_m=80, statutory=False)},
    "NR-02": {"zone_where": {"control": ("general",)}},
    "HF-01": {"unless": ()},
    "ZC-06": {"subject_where": {"industry_tier": ("tier3", "tier2"), "kind": ("new",)}},
}


@pytest.mark.parametrize("wrong", WRONG_RULES)
def test_the_oracle_notices_a_wrong_rule(
    demonstration: Connection, definition: MapDefinition, wrong: str
) -> None:
    packs = [changed(pack, wrong, **WRONG_RULES[wrong]) for pack in definition.packs.values()]
    found = compared(demonstration, definition, packs, lambda subjects: subjects, only={wrong})
    assert {row[0] for row in found.differing} == {wrong}


FORGETTING: dict[str, Callable[[Subjects], Subjects]] = {
    "the error": lambda subjects: replace(subjects, accuracy_m=np.zeros(len(subjects))),
    "attributes": lambda subjects: replace(subjects, attributes={}),
    "where it is": lambda subjects: replace(subjects, geoms=np.roll(subjects.geoms, 1)),
}


@pytest.mark.parametrize("forgotten", FORGETTING)
def test_the_oracle_notices_a_judge_that_forgets(
    demonstration: Connection, definition: MapDefinition, forgotten: str
) -> None:
    packs = list(definition.packs.values())
    found = compared(
        demonstration, definition, packs, FORGETTING[forgotten], only={"RL-08", "HF-04", "DW-05"}
    )
    assert found.differing


def compared(
    conn: Connection, definition: MapDefinition, packs: list[RulePack],
    change: Callable[[Subjects], Subjects], only: set[str],
) -> Comparison:  # fmt: skip
    oracle, found = oracle_of(conn, TODAY), Comparison()
    zones = zones_of(conn, definition, TODAY)
    for rows in rows_in_force(conn, definition, TODAY):
        judgement = judge(change(as_subjects(rows)), zones, packs, TODAY, only=only)
        compare(oracle, only, judgement, found)
    return found
