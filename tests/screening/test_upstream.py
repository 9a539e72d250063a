"""Rules about lying upstream, judged along a network; all in metres of one plane."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import LineString, Point, box

from gis.screening.findings import NO_ACCURACY, NO_NETWORK, NOT_COVERED, NOT_ON_IT, STRAIGHT, ZONE_NOT_ON_IT
from gis.screening.inputs import ZoneLayer
from gis.screening.judge import judge
from gis.screening.judgement import Judgement
from gis.screening.sentences import say
from gis.screening.wording import met_of
from layers.rulemodel import UpstreamWithin
from layers.waters import NetworkReading
from tests.screening.making import EVERYWHERE, LAW_DATE, pack, rule, severities, things, verdicts, zones

RIVER = LineString([(0, 0), (10_000, 0)])
INTAKE = Point(5000, 0)
BASE = rule("upstream_within", distance_m=1000, statutory=False, severity="review")
WITHIN = UpstreamWithin(op="upstream_within", distance_m=1000, statutory=False, network="rivers")
UPSTREAM = BASE.model_copy(update={"predicate": WITHIN})


def rivers(lines: Any, accuracy_m: Any = 0.0, *, coverage: Any = EVERYWHERE, **attributes: Any) -> ZoneLayer:
    layer = zones(lines, accuracy_m, coverage=coverage, **attributes)
    reading = NetworkReading(flow="flow", join_m=1.0, snap_m=50.0)
    return replace(layer, layer_id="rivers", network=reading)


def judged(
    points: Any,
    network: ZoneLayer | None,
    intakes: ZoneLayer | None = None,
    *,
    accuracy_m: Any = 0.0,
    **options: Any,
) -> Judgement:
    layers = {"zones": intakes or zones([INTAKE])}
    if network is not None:
        layers["rivers"] = network
    return judge(things(points, accuracy_m), layers, [pack(UPSTREAM)], LAW_DATE, **options)


def along(*metres: float, aside: float = 0.0) -> list[Point]:
    """Points so far along the river."""
    return [Point(x, aside) for x in metres]


def test_above_is_a_conflict_below_is_clear_and_the_limit_lies_along_the_river() -> None:
    found = judged(along(3900, 4100, 4900, 5100, 5900, aside=30), rivers([RIVER]))
    assert verdicts(found) == ["clear", "conflict", "conflict", "clear", "clear"]
    zone = found.findings(1)[0].zones[0]
    assert (zone.along_m, zone.river, zone.limit_m, zone.margin_m) == (900, "Zone 0", 1000, 100)
    assert zone.distance_m == pytest.approx(float(np.hypot(900, 30)))
    assert shapely.equals(zone.witness, LineString([(4100, 0), (5000, 0)]))
    assert found.findings(1)[0].notes == ()


def test_the_errors_of_point_zone_and_line_make_the_band_of_doubt() -> None:
    points = along(3960, 3980, 4000, 4020, 4040, 4960, 4980, 5020, 5040)
    network, intakes = rivers([RIVER], 5.0), zones([INTAKE], 10.0)
    found = judged(points, network, intakes, accuracy_m=10.0)
    # 10 + 10 + 2 x 5: each of the two may lie elsewhere against the line.
    words = ["clear", "edge", "edge", "edge", "conflict", "conflict", "edge", "edge", "clear"]
    assert verdicts(found) == words
    assert found.findings(1)[0].error_m == 30


def test_a_subject_between_two_rivers_is_in_doubt_within_its_error() -> None:
    network = rivers([RIVER, LineString([(0, 60), (10_000, 60)])])
    assert verdicts(judged(along(4500, aside=29), network)) == ["conflict"]
    assert verdicts(judged(along(4500, aside=29), network, accuracy_m=5.0)) == ["edge"]
    assert verdicts(judged(along(4500, aside=31), network)) == ["clear"]


def test_water_that_is_lost_before_the_zone_leaves_it_unknown() -> None:
    broken = rivers([LineString([(0, 0), (4500, 0)]), LineString([(4600, 0), (10_000, 0)])])
    found = judged(along(4200, 4700, 3000), broken)
    assert verdicts(found) == ["unknown", "conflict", "clear"]
    assert found.findings(0)[0].missing == ("network",)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (None, NO_NETWORK),
        (rivers([RIVER], coverage=None), NOT_COVERED),
        (rivers([RIVER], coverage=box(4800, -1000, 9000, 1000)), NOT_COVERED),
        (rivers([LineString([(0, 500), (9000, 500)])]), NOT_ON_IT),
        (rivers([RIVER], np.nan), NO_ACCURACY),
        (rivers([]), NOT_ON_IT),
    ],
)
def test_what_cannot_be_placed_is_judged_by_straight_distance_and_says_so(network: Any, reason: int) -> None:
    found = judged(along(5500), network)
    assert verdicts(found) == ["conflict"]
    assert found.findings(0)[0].notes == (STRAIGHT[reason],)
    assert found.findings(0)[0].zones[0].along_m is None


def test_a_zone_off_the_network_is_compared_by_straight_distance() -> None:
    layer = zones([Point(5000, 400), INTAKE])
    found = judged(along(5500, 8000), rivers([RIVER]), layer)
    assert verdicts(found) == ["conflict", "clear"]
    finding = found.findings(0)[0]
    assert [zone.uid for zone in finding.zones] == ["z0"]
    assert finding.notes == (STRAIGHT[ZONE_NOT_ON_IT],)


def test_a_network_that_may_not_be_seen_is_not_followed() -> None:
    found = judged(along(5500), rivers([RIVER]), no_access={"rivers"})
    assert found.findings(0)[0].notes == (STRAIGHT[NO_NETWORK],)


def test_coverage_accuracy_and_filters_of_the_zones_count_as_elsewhere() -> None:
    network = rivers([RIVER])
    bare = judged(along(4500, 6000), network, zones([INTAKE], coverage=box(-9000, -9000, 6500, 9000)))
    assert verdicts(bare) == ["conflict", "unknown"]
    assert bare.findings(1)[0].missing == ("coverage",)
    unbounded = judged(along(4500, 6000), network, zones([INTAKE, Point(4600, 0)], [np.nan, 0.0]))
    assert verdicts(unbounded) == ["conflict", "unknown"]
    assert unbounded.findings(1)[0].missing == ("zones.accuracy_m",)
    filtered = UPSTREAM.model_copy(update={"zone_where": {"in_use": True}})
    layers = {"zones": zones([INTAKE], in_use=[None]), "rivers": network}
    maybe = judge(things(along(4500, 6000)), layers, [pack(filtered)], LAW_DATE)
    assert verdicts(maybe) == ["unknown", "clear"]
    assert maybe.findings(0)[0].missing == ("zones.in_use",)
    silent = judged(along(4500, 9000), network, accuracy_m=np.nan)
    assert [silent.findings(row)[0].missing for row in range(2)] == [("accuracy_m",)] * 2


def test_an_indicative_zone_caps_the_severity_unless_an_official_one_says_the_same() -> None:
    layer = zones([INTAKE, Point(5200, 0)], indicative=[True, False])
    binding = WITHIN.model_copy(update={"statutory": True})
    strict = UPSTREAM.model_copy(update={"severity": "prohibited", "predicate": binding})
    layers = {"zones": layer, "rivers": rivers([RIVER])}
    found = judge(things(along(4100, 4800)), layers, [pack(strict)], LAW_DATE)
    assert severities(found) == ["review", "prohibited"]


def test_lines_and_polygons_keep_straight_distance() -> None:
    found = judged([box(5500, -10, 5600, 10), Point(5500, 0)], rivers([RIVER]))
    assert verdicts(found) == ["conflict", "clear"]


def test_the_sentence_tells_the_way() -> None:
    found = judged(along(4100), rivers([RIVER])).findings(0)[0]
    told = say(
        found.rule,
        found.verdict,
        met_of(found),
        margin_m=found.margin_m,
        error_m=None,
        on_boundary=False,
        missing=[],
    )
    assert told.en.startswith("Lies 900 m upstream along “Zone 0” of “Zone 0” (limit 1,000 m, operational")
    assert told.zh.startswith("位于“Zone 0”上游，沿“Zone 0” 900 m（限值 1,000 m，运营参数")


def test_a_line_that_is_too_coarse_is_not_followed() -> None:
    network = rivers([LineString([(0, 20), (10_000, 20)]), RIVER], [60.0, 10.0])
    fine = replace(network, network=NetworkReading(join_m=1.0, snap_m=50.0, max_error_m=50.0))
    assert verdicts(judged(along(4500, 5500), network)) == ["edge", "clear"]
    found = judged(along(4500, 5500), fine)
    assert verdicts(found) == ["conflict", "clear"]
    assert found.findings(0)[0].zones[0].river == "Zone 1"
    coarse = replace(rivers([RIVER], np.nan), network=NetworkReading(max_error_m=50.0))
    assert judged(along(4500), coarse).findings(0)[0].notes == (STRAIGHT[NOT_ON_IT],)
