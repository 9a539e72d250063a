"""Rules whose distance differs by subject or zone, rules about being far, and rules without any place."""

import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point

from gis.kernel import CLEAR
from gis.screening.inputs import ZoneLayer
from gis.screening.judgement import Judgement
from tests.screening.making import SQUARE, judged, objects, rule, severities, things, verdicts, zones

STATED = rule("dwithin_stated", attribute="distance", at_most_m=1000, statutory=True)
BY_LEVEL = rule("dwithin_by", attribute="level", distances_m={"a": 10, "b": 50}, statutory=True)
FAR = rule("not_dwithin", distance_m=200, statutory=False, severity="notice")
ALONE = rule("attribute", subject_where={"listed": False})
ONE = zones([SQUARE])


def beside(*metres: float) -> list[Any]:
    """Points so far east of the square."""
    return [Point(100 + d, 50) for d in metres]


def levels(*values: str | None, **more: Any) -> ZoneLayer:
    """One square for each level, all in the same place."""
    return zones([SQUARE] * len(values), level=values, **more)


def test_each_subject_is_held_to_the_distance_it_states() -> None:
    subjects = things(beside(40, 40, 40, 900), distance=[50.0, 30.0, 0.0, 1000.0])
    assert verdicts(judged(subjects, ONE, STATED)) == ["conflict", "clear", "clear", "conflict"]


def test_a_distance_that_nobody_stated_is_unknown_as_far_as_it_could_reach() -> None:
    found = judged(things(beside(40, 999, 1001), distance=[None] * 3), ONE, STATED)
    assert verdicts(found) == ["unknown", "unknown", "clear"]
    finding = found.findings(0)[0]
    assert finding.missing == ("distance",)
    assert [(zone.limit_m, zone.margin_m) for zone in finding.zones] == [(None, None)]
    assert finding.zones[0].distance_m == pytest.approx(40)


def test_one_that_states_its_distance_and_one_that_does_not_are_judged_apart() -> None:
    found = judged(things(beside(40, 40), distance=[30.0, None]), ONE, STATED)
    assert verdicts(found) == ["clear", "unknown"]
    assert [found.cleared(0)[0].code, found.outcomes[0].applicable.names(1)] == ["not_met", ("distance",)]


def test_an_unstated_distance_counts_the_errors_and_what_has_none() -> None:
    assert verdicts(judged(things(beside(1009), 10, distance=[None]), ONE, STATED)) == ["unknown"]
    assert verdicts(judged(things(beside(1009), distance=[None]), zones([SQUARE], 10), STATED)) == ["unknown"]
    found = judged(things(beside(5000), distance=[None]), zones([SQUARE], math.nan), STATED)
    assert verdicts(found) == ["unknown"]
    found = judged(things([*beside(40), None], math.nan, distance=[None] * 2), ONE, STATED)
    assert [finding.missing for finding in (found.findings(0)[0], found.findings(1)[0])] == [
        ("accuracy_m", "distance"),
        ("geometry", "distance"),
    ]


def test_an_unstated_distance_counts_the_error_of_each_zone_by_itself() -> None:
    coarse = shapely.box(-5100, 0, -5000, 100)
    world = zones([SQUARE, coarse], [1.0, 500.0])
    places = [*beside(1000.5, 1009), Point(-6400, 50), Point(-6700, 50), Point(-3600, 50)]
    found = judged(things(places, distance=objects([None] * 5)), world, STATED)
    assert verdicts(found) == ["unknown", "clear", "unknown", "clear", "unknown"]
    between = judged(things([Point(-3450, 50)], distance=objects([None])), world, STATED)
    assert verdicts(between) == ["clear"]
    farther = zones([SQUARE, shapely.box(1500, 0, 1600, 100)], [1.0, 1000.0])
    assert verdicts(judged(things(beside(-1500), distance=[None]), farther, STATED)) == ["clear"]
    # The nearest is too exact to be near enough, a coarser one behind it is not.
    assert verdicts(
        judged(
            things([Point(-1200, 50)], distance=[None]),
            zones([SQUARE, shapely.box(300, 0, 400, 100)], [1.0, 600.0]),
            STATED,
        )
    ) == ["unknown"]


def test_an_unstated_distance_must_lie_in_the_coverage() -> None:
    covered = zones([SQUARE], coverage=shapely.box(-5000, -5000, 5000, 5000))
    found = judged(things(beside(3500, 4200), distance=[None, None]), covered, STATED)
    assert verdicts(found) == ["clear", "unknown"]
    assert found.findings(1)[0].missing == ("coverage", "distance")


def test_an_unstated_distance_makes_the_whole_of_a_parcel_unknown_and_keeps_the_cap() -> None:
    parcel = shapely.box(150, 0, 400, 100)
    found = judged(things([parcel], distance=[None]), zones([SQUARE], indicative=True), STATED)
    parts = found.parts(0)
    assert parts is not None and parts.sizes.tolist() == [0, parcel.area, 0, 0]
    assert (verdicts(found), severities(found)) == (["unknown"], ["review"])
    official = zones([SQUARE, SQUARE], indicative=[True, False])
    assert severities(judged(things([parcel], distance=[None]), official, STATED)) == ["prohibited"]


def test_each_zone_keeps_subjects_at_the_distance_of_its_kind() -> None:
    assert verdicts(judged(things(beside(5, 40, 60)), levels("a"), BY_LEVEL)) == [
        "conflict",
        "clear",
        "clear",
    ]
    found = judged(things(beside(5, 40, 60)), levels("a", "b"), BY_LEVEL)
    assert verdicts(found) == ["conflict", "conflict", "clear"]
    assert [zone.limit_m for zone in found.findings(0)[0].zones] == [10, 50]
    assert found.findings(0)[0].margin_m == pytest.approx(45)


def test_a_kind_that_has_no_distance_does_not_count_and_a_missing_one_may_have_the_largest() -> None:
    assert verdicts(judged(things(beside(5)), levels("c"), BY_LEVEL)) == ["clear"]
    found = judged(things(beside(5, 40, 60)), levels(None), BY_LEVEL)
    assert verdicts(found) == ["unknown", "unknown", "clear"]
    finding = found.findings(0)[0]
    assert finding.missing == ("zones.level",)
    assert [(zone.uid, zone.verdict, zone.limit_m) for zone in finding.zones] == [("z0", "unknown", 50)]


def test_the_parts_of_a_parcel_are_the_worst_of_all_distances() -> None:
    parcel = shapely.box(100, 0, 300, 100)
    found = judged(things([parcel]), levels("a", None), BY_LEVEL)
    parts = found.parts(0)
    assert parts is not None
    # Quarters of a circle lie beyond neither end: the parcel is as high as the square.
    assert parts.sizes == pytest.approx([1000, 4000, 0, 15000], rel=1e-3)
    assert (found.verdict(0), found.findings(0)[0].missing) == ("conflict", ("zones.level",))


def test_a_verdict_by_kind_that_rests_on_indicative_zones_is_capped() -> None:
    subjects = things(beside(5, 40))
    found = judged(subjects, levels("a", "b", indicative=[False, True]), BY_LEVEL)
    assert severities(found) == ["prohibited", "review"]


def test_far_from_every_zone_is_the_conflict() -> None:
    found = judged(things(beside(-10, 199, 201)), ONE, FAR)
    assert verdicts(found) == ["clear", "clear", "conflict"]
    finding = found.findings(2)[0]
    assert [zone.uid for zone in finding.zones] == ["z0"]
    assert finding.zones[0].margin_m == pytest.approx(-1)
    assert verdicts(judged(things(beside(195), 10), ONE, FAR)) == ["edge"]


def test_far_from_every_zone_means_nothing_where_one_may_lie_outside_the_coverage() -> None:
    covered = zones([SQUARE], coverage=shapely.box(-1000, -1000, 1000, 1000))
    found = judged(things(beside(400, 750, 50)), covered, FAR)
    assert verdicts(found) == ["conflict", "unknown", "clear"]
    assert found.findings(1)[0].missing == ("coverage",)


def test_a_parcel_or_line_is_far_only_as_a_whole() -> None:
    reaching, beyond = shapely.box(290, 0, 900, 100), shapely.LineString([(310, 50), (900, 50)])
    found = judged(things([reaching, beyond]), ONE, FAR)
    assert verdicts(found) == ["clear", "conflict"]
    parts = found.parts(1)
    assert parts is not None and parts.sizes.tolist() == [590, 0, 0, 0]


def test_attributes_alone_decide_wherever_the_subject_lies() -> None:
    places = [Point(0, 0), None, shapely.box(0, 0, 10, 10), Point(1, 1)]
    found = judged(things(places, math.nan, listed=[False, False, None, True]), ONE, ALONE)
    assert verdicts(found) == ["conflict", "conflict", "unknown", "clear"]
    assert found.findings(2)[0].missing == ("listed",)
    parts = found.parts(2)
    assert parts is not None and parts.sizes.tolist() == [0, 100, 0, 0]
    assert (found.cleared(3)[0].code, found.cleared(3)[0].names) == ("not_applicable", ("listed",))


SEEDS = st.integers(0, 2**32 - 1)


def _plain(place: Any, world: ZoneLayer, distance: dict[str | None, float]) -> tuple[str, float]:
    """The verdict by plain distances, and how near the place is to another one, without errors."""
    gaps = [
        (place.distance(g), level) for g, level in zip(world.geoms, world.attributes["level"], strict=True)
    ]
    margins = [(distance.get(level, -math.inf) - gap, level) for gap, level in gaps]
    near = min(abs(margin) for margin, _ in margins)
    if any(margin > 0 and level for margin, level in margins):
        return "conflict", near
    return ("unknown" if any(margin > 0 for margin, _ in margins) else "clear"), near


def _world(rng: np.random.Generator) -> ZoneLayer:
    shapes = [Point(rng.uniform(-300, 300, 2)).buffer(rng.uniform(5, 60)) for _ in range(6)]
    return zones(shapes, level=[str(v) if v else None for v in rng.choice(["a", "b", "c", ""], 6)])


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_distances_by_kind_are_those_of_plain_geometry(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = _world(rng)
    places = [Point(xy) for xy in rng.uniform(-400, 400, (50, 2))]
    places += [shapely.LineString(rng.uniform(-400, 400, (2, 2))) for _ in range(4)]
    places += [Point(xy).buffer(20) for xy in rng.uniform(-400, 400, (4, 2))]
    found = verdicts(judged(things(places), world, BY_LEVEL))
    for place, verdict in zip(places, found, strict=True):
        wanted, near = _plain(place, world, {"a": 10.0, "b": 50.0, None: 50.0})
        assert verdict == wanted or near < 0.05, place.wkt


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_stated_distances_are_those_of_plain_geometry(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = _world(rng)
    places = [Point(xy) for xy in rng.uniform(-1500, 1500, (60, 2))]
    stated = [float(v) if v >= 0 else None for v in rng.choice([-1, 0, 20, 100, 900], len(places))]
    found = judged(things(places, distance=stated), world, STATED)
    for row, (place, limit) in enumerate(zip(places, stated, strict=True)):
        gap = min(place.distance(g) for g in world.geoms)
        wanted = ("unknown" if gap < 1000 else "clear") if limit is None else None
        if wanted is None:
            wanted = "conflict" if gap < (limit or 0) or gap == 0 else "clear"
        assert found.verdict(row) == wanted or abs(gap - (limit or 1000)) < 1e-6, place.wkt


def test_a_batch_of_silent_subjects_makes_one_pair_each() -> None:
    rng = np.random.default_rng(5)
    many = zones([Point(xy).buffer(5) for xy in rng.uniform(-500, 500, (80, 2))])
    places = [Point(xy) for xy in rng.uniform(-500, 500, (300, 2))]
    found: Judgement = judged(things(places, distance=objects([None] * 300)), many, STATED)
    outcome = found.outcomes[0]
    assert (outcome.answer.code != CLEAR).all()
    assert outcome.hits.subject.tolist() == list(range(300))
    nearest = [min(place.distance(g) for g in many.geoms) for place in places]
    assert outcome.hits.distance_m == pytest.approx(nearest)
