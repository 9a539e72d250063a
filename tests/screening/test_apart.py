"""How far a site alone is from the zones of its questions is what plain shapely measures, found at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given

from gis.kernel.gaps import Gaps
from gis.screening import apart
from gis.screening.apart import Apart, Few
from gis.screening.inputs import PreparedLayer, Selection
from gis.screening.judge import judge
from tests.screening.making import LAW_DATE, pack, rule, things, zones
from tests.screening.test_alone import RULES
from tests.screening.test_judge_properties import FEW, SEEDS, World, blob

WHERE: tuple[dict[str, Any], ...] = ({}, {"grade": "1"}, {"grade": "2"}, {"grade": "3"})


def few_of(selections: list[Selection]) -> Few:
    return Few(each.both for each in selections)


@FEW
@given(SEEDS)
def test_gaps_and_nearest_zones_are_those_that_shapely_measures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    accuracy = rng.choice([1.0, 20.0], len(world.layer.geoms))
    layer = PreparedLayer(replace(world.layer, accuracy_m=accuracy))
    selections = [layer.select(where, LAW_DATE) for where in WHERE]
    few = few_of(selections)
    for site in (*(blob(rng, 900, 30) for _ in range(8)), shapely.LineString(rng.uniform(-900, 900, (3, 2)))):
        alone, others = Apart(few), Apart()
        for each in selections:
            away = shapely.distance(site, each.both.geoms)
            if not len(away):
                assert alone.gap(site, 0, each)[0] == np.inf
                continue
            far, zone, part = alone.nearest_zone(site, each.both, meets=bool((away == 0).any()))
            assert far == pytest.approx(away.min(), abs=1e-9)
            assert away[zone] == away.min()
            assert shapely.distance(site, part) == far
            if far > 0:
                assert alone.gap(site, 0, each) == others.gap(site, 0, each)
                assert alone.gap(site, 0, each) == (far, each.both.accuracy_m[zone])


def test_which_of_zones_as_near_decides_is_what_an_index_tells() -> None:
    """Their errors differ, so the same one must decide whether a site is judged alone or among others."""
    layer = PreparedLayer(zones([shapely.box(0, 0, 10, 10), shapely.box(30, 0, 40, 10)], [20.0, 1.0]))
    every, site = layer.select({}, LAW_DATE), shapely.box(15, 0, 25, 10)
    alone, others = Apart(few_of([every])), Apart()
    assert alone.gap(site, 0, every) == others.gap(site, 0, every)
    assert alone.gap(site, 0, every)[0] == 5.0
    assert alone.nearest_zone(site, every.both, False) == others.nearest_zone(site, every.both, False)


def test_zones_with_many_vertices_are_left_to_their_index() -> None:
    round_ = shapely.Point(0, 0).buffer(100, quad_segs=apart.MOST_VERTICES // 4 + 1)
    layer = PreparedLayer(zones([round_, shapely.box(300, 0, 310, 10)], 1.0, grade=["1", "2"]))
    selections = [layer.select(where, LAW_DATE) for where in WHERE[:3]]
    few, site = few_of(selections), shapely.box(200, 0, 210, 10)
    assert few.sets == (selections[2].both,)
    assert [Apart(few).gap(site, 0, each)[0] for each in selections] == pytest.approx([90.0, 100.0, 90.0])


def test_a_site_alone_is_measured_for_all_questions_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at all where only verdicts are wanted, or where there are several subjects."""
    asked: list[Any] = []
    nearest = Gaps.nearest
    monkeypatch.setattr(Gaps, "nearest", lambda gaps, site: asked.append(site) or nearest(gaps, site))
    layer = replace(
        zones([shapely.box(0, 0, 9, 9), shapely.box(20, 0, 29, 9)], grade=["1", "2"]), coverage=None
    )
    given = {"zones": PreparedLayer(layer)}, [pack(*RULES, rule(id="D-01"))], LAW_DATE
    site = shapely.box(5000, 0, 5010, 10)
    margins = {f.rule.id: f.margin_m for f in judge(things([site], 1.0), *given).findings(0)}
    assert asked == [site]
    assert margins["A-01"] == -shapely.distance(site, layer.geoms[0])
    assert margins["D-01"] == -shapely.distance(site, layer.geoms[1])
    judge(things([site], 1.0), *given, facts=False)
    judge(things([site, site], 1.0), *given)
    assert asked == [site]
