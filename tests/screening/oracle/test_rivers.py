"""Outfalls upstream of intakes along drawn rivers: tributaries, lines digitised against the flow, ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import Connection

from gis.screening.findings import VERDICTS
from gis.screening.inputs import Subjects, ZoneLayer
from gis.screening.judge import judge
from gis.settings import MapDefinition
from tests.screening.making import objects
from tests.screening.oracle.asking import Oracle
from tests.screening.oracle.words import BY_RULE, TODAY
from tests.screening.oracle.worlds import EVERYWHERE

LINE_ERROR_M, INTAKE_ERROR_M = 3.0, 4.0
BEND_M = 150.0
"""How far places on the river may be off where a point lies in a bend; nearer to a limit than this the drawn
bounds of the judge, which allow for bends, and the oracle's, which do not, may differ."""


def wandering(rng: np.random.Generator, start: Any, way: Any, steps: int) -> Any:
    """A line that wanders along ``way``, float64[steps + 1, 2]."""
    turns = rng.normal(0, 0.25, steps)
    angle = np.arctan2(way[1], way[0]) + np.cumsum(turns) * 0.5
    moves = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(150, 450, (steps, 1))
    return np.concatenate([[start], start + np.cumsum(moves, axis=0)])


def draw_rivers(rng: np.random.Generator) -> list[shapely.LineString]:
    """Rivers that meet at ends only: what crosses is a possible way to the judge and none to the oracle."""
    while True:
        rivers = _draw_rivers(rng)
        ends = shapely.multipoints([p for r in rivers for p in (r.coords[0], r.coords[-1])]).buffer(1.0)
        inner = [river.difference(ends) for river in rivers]
        if sum(a.intersects(b) for a in inner for b in inner) == len(rivers):
            return rivers


def _draw_rivers(rng: np.random.Generator) -> list[shapely.LineString]:
    """A river in two lines with tributaries that meet it at a vertex or in between; one ends in a field."""
    main = wandering(rng, np.array([500_000.0, 3_220_000.0]), (0.1, -1.0), 50)
    rivers = [shapely.LineString(main[:26]), shapely.LineString(main[25:])]
    for at in (8, 17, 31, 40):
        mouth = main[at] if rng.random() < 0.5 else (main[at] + main[at + 1]) / 2
        rivers.append(shapely.LineString(wandering(rng, mouth, (rng.choice([-1, 1]), 0.2), 14)[::-1]))
    stray = wandering(rng, main[20] + np.array([900.0, 2000.0]), (1.0, 0.3), 10)
    return [*rivers, shapely.LineString(stray)]


def beside(rng: np.random.Generator, rivers: list[shapely.LineString], count: int, off: float) -> list[Any]:
    """Points on the rivers or as far as ``off`` beside them."""
    places = []
    for _ in range(count):
        line = rivers[int(rng.integers(len(rivers)))]
        spot = line.interpolate(rng.uniform(0.02, 0.98), normalized=True)
        places.append(shapely.Point(np.array(spot.coords[0]) + rng.uniform(-off, off, 2)))
    return places


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 22))])
def test_upstream_is_what_a_walk_down_the_river_says(
    demonstration: Connection, definition: MapDefinition, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rivers = draw_rivers(rng)
    intakes, outfalls = beside(rng, rivers[:4], 5, 5.0), beside(rng, rivers, 60, 40.0)
    error = rng.choice([0.0, 5.0, 15.0], len(outfalls))
    oracle = Oracle(demonstration, TODAY)
    oracle.make_rivers([line.wkb for line in rivers], LINE_ERROR_M, EVERYWHERE.wkb)
    oracle.make_zones(
        "water_intakes",
        [{"uid": f"z{n}", "place": p.wkb, "accuracy": INTAKE_ERROR_M} for n, p in enumerate(intakes)],
        EVERYWHERE.wkb,
    )
    oracle.make_subjects(
        "outfalls",
        [
            {"uid": f"s{n}", "place": p.wkb, "accuracy": float(e)}
            for n, (p, e) in enumerate(zip(outfalls, error, strict=True))
        ],
    )
    theirs = [oracle.verdicts(BY_RULE["DW-14"], "outfalls", slack) for slack in (0.0, BEND_M)]
    ours = judged(definition, rng, rivers, intakes, outfalls, error)
    plain = {uid for uid in ours if theirs[0].get(uid, "clear") == theirs[1].get(uid, "clear")}
    assert {uid: theirs[0].get(uid, "clear") for uid in plain} == {uid: ours[uid] for uid in plain}
    counts = Counter(ours[uid] for uid in plain)
    assert counts["conflict"] > 3 and counts["clear"] > 10


def judged(
    definition: MapDefinition, rng: np.random.Generator, rivers: list[Any], intakes: list[Any],
    outfalls: list[Any], error: Any,
) -> dict[str, str]:  # fmt: skip
    """The judge's verdicts of DW-14; some of the rivers are digitised against the flow, and say so."""
    against = rng.random(len(rivers)) < 0.4
    lines = [line.reverse() if turned else line for line, turned in zip(rivers, against, strict=True)]
    flow = {"flow": ["against" if turned else "with" for turned in against]}
    zones = {
        "rivers": layer(definition, "rivers", lines, LINE_ERROR_M, flow),
        "water_intakes": layer(definition, "water_intakes", intakes, INTAKE_ERROR_M, {}),
    }
    uids = objects([f"s{n}" for n in range(len(outfalls))])
    subjects = Subjects("outfalls", frozenset({"outfalls"}), uids, objects(outfalls), error, {})
    judgement = judge(subjects, zones, definition.packs.values(), TODAY, only={"DW-14"})
    return {uid: VERDICTS[code] for uid, code in zip(uids, judgement.outcomes[0].answer.code, strict=True)}


def layer(
    definition: MapDefinition, name: str, places: list[Any], error: float, attributes: dict[str, list[Any]]
) -> ZoneLayer:
    """A layer of zones that is complete everywhere."""
    uids = objects([f"z{n}" for n in range(len(places))])
    return ZoneLayer(
        name, uids, uids, objects(places), np.full(len(places), error), np.zeros(len(places), dtype=bool),
        {key: objects(values) for key, values in attributes.items()}, EVERYWHERE,
        definition.layers[name].network,
    )  # fmt: skip
