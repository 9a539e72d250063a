import math
from datetime import date

import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, box

from gis.errors import KernelInputError
from gis.screening.findings import NO_LEGAL_BASIS, STRAIGHT, worst
from gis.screening.inputs import PreparedLayer
from gis.screening.judge import judge
from layers.rulemodel import Unless
from tests.screening.making import (
    LAW_DATE,
    SQUARE,
    TEXT,
    judged,
    pack,
    rule,
    severities,
    things,
    verdicts,
    zones,
)

NAN = float("nan")


def test_a_point_is_judged_by_its_distance_and_the_sum_of_both_errors() -> None:
    points = [Point(x, 50) for x in (31, 30, 29, -29, -30, -31)]
    found = judged(things(points, 20.0), zones([SQUARE], 10.0), rule())
    assert verdicts(found) == ["conflict", "edge", "edge", "edge", "edge", "clear"]


def test_a_mere_touch_is_edge_and_said_to_be_on_the_boundary() -> None:
    found = judged(things([Point(0, 50), Point(1, 50)]), zones([SQUARE]), rule())
    assert verdicts(found) == ["edge", "conflict"]
    assert found.findings(0)[0].on_boundary
    assert not found.findings(1)[0].on_boundary


def test_a_seam_between_two_zones_is_no_boundary() -> None:
    found = judged(things([Point(100, 50)], 20.0), zones([SQUARE, box(100, 0, 200, 100)]), rule())
    assert verdicts(found) == ["conflict"]
    assert {zone.verdict for zone in found.findings(0)[0].zones} == {"conflict"}


def test_a_distance_is_a_limit_like_a_boundary() -> None:
    points = [Point(-x, 50) for x in (470, 490, 500, 510, 530)]
    near = rule("dwithin", distance_m=500, statutory=True)
    assert verdicts(judged(things(points, 20.0), zones([SQUARE]), near)) == [
        "conflict",
        "edge",
        "edge",
        "edge",
        "clear",
    ]
    assert verdicts(judged(things([Point(-500, 50)]), zones([SQUARE]), near)) == ["edge"]


def test_upstream_falls_back_to_straight_distance_and_says_so() -> None:
    found = judged(
        things([Point(-50, 50)]),
        zones([SQUARE]),
        rule("upstream_within", distance_m=100, statutory=False, severity="review"),
    )
    assert found.verdict(0) == "conflict"
    assert STRAIGHT[0] in found.findings(0)[0].notes


def test_a_filter_that_fails_makes_the_rule_inapplicable() -> None:
    found = judged(
        things([Point(50, 50)], kind=["old"]), zones([SQUARE]), rule(subject_where={"kind": "new"})
    )
    assert verdicts(found) == ["clear"]
    cleared = found.cleared(0)[0]
    assert (cleared.code, cleared.names) == ("not_applicable", ("kind",))


def test_a_missing_attribute_makes_hits_unknown_and_leaves_the_rest_clear() -> None:
    points = [Point(50, 50), Point(0, 50), Point(900, 50)]
    found = judged(things(points), zones([SQUARE]), rule(subject_where={"kind": "new"}))
    assert verdicts(found) == ["unknown", "unknown", "clear"]
    finding = found.findings(0)[0]
    assert finding.missing == ("kind",)
    assert not finding.applies
    assert finding.zones[0].verdict == "unknown"


def test_a_zone_that_may_count_makes_its_hits_unknown_and_no_others() -> None:
    layer = zones([SQUARE, box(200, 0, 300, 100), box(400, 0, 500, 100)], grade=["1", None, "2"])
    points = [Point(x, 50) for x in (50, 250, 195, 450)]
    found = judged(things(points, 10.0), layer, rule(zone_where={"grade": ["1"]}))
    assert verdicts(found) == ["conflict", "unknown", "unknown", "clear"]
    assert found.findings(1)[0].missing == ("zones.grade",)


def test_a_sure_conflict_stands_where_another_zone_only_may_count() -> None:
    layer = zones([SQUARE, SQUARE], grade=["1", None])
    found = judged(things([Point(50, 50)]), layer, rule(zone_where={"grade": ["1"]}))
    assert verdicts(found) == ["conflict"]
    assert [zone.verdict for zone in found.findings(0)[0].zones] == ["conflict", "unknown"]


def test_outside_the_coverage_only_a_conflict_is_known() -> None:
    layer = zones([SQUARE], coverage=box(-1000, -1000, 60, 1000))
    points = [Point(50, 50), Point(80, 50), Point(500, 50), Point(-500, 50)]
    found = judged(things(points), layer, rule())
    assert verdicts(found) == ["conflict", "conflict", "unknown", "clear"]
    assert found.findings(2)[0].missing == ("coverage",)


def test_a_point_whose_error_reaches_past_the_coverage_is_not_surely_clear() -> None:
    layer = zones([SQUARE], coverage=box(-1000, -1000, 1000, 1000))
    points = [Point(x, 50) for x in (979, 981, 1100)]
    assert verdicts(judged(things(points, 20.0), layer, rule())) == ["clear", "unknown", "unknown"]


def test_the_distance_of_a_rule_must_lie_in_the_coverage_too() -> None:
    layer = zones([SQUARE], coverage=box(-1000, -1000, 1000, 1000))
    near = rule("dwithin", distance_m=300, statutory=True)
    assert verdicts(judged(things([Point(699, 50), Point(701, 50)]), layer, near)) == ["clear", "unknown"]


def test_an_edge_outside_the_coverage_is_unknown() -> None:
    layer = zones([SQUARE], coverage=box(-1000, -1000, 50, 1000))
    assert verdicts(judged(things([Point(100, 50)], 5.0), layer, rule())) == ["unknown"]


def test_a_coverage_never_stated_counts_as_nowhere() -> None:
    found = judged(things([Point(50, 50), Point(900, 50)]), zones([SQUARE], coverage=None), rule())
    assert verdicts(found) == ["conflict", "unknown"]


def test_a_layer_that_was_not_given_counts_as_nowhere_covered() -> None:
    found = judge(things([Point(50, 50)]), {}, [pack(rule())], LAW_DATE)
    assert found.findings(0)[0].missing == ("coverage",)


def test_a_layer_that_may_not_be_seen_is_unknown_and_shows_nothing() -> None:
    subjects = things([Point(50, 50), box(0, 0, 10, 10), Point(50, 50)], kind=["new", "new", "old"])
    found = judged(subjects, zones([SQUARE]), rule(subject_where={"kind": "new"}), no_access={"zones"})
    assert verdicts(found) == ["unknown", "unknown", "clear"]
    finding = found.findings(1)[0]
    assert finding.missing == ("access",)
    assert finding.zones == ()
    assert finding.parts is not None and finding.parts.sizes.tolist() == [0, 100, 0, 0]


def test_an_unknown_accuracy_of_the_subject_makes_it_unknown() -> None:
    subjects = things([Point(50, 50), Point(9e5, 0), box(40, 40, 60, 60)], NAN)
    found = judged(subjects, zones([SQUARE]), rule())
    assert verdicts(found) == ["unknown"] * 3
    assert all(found.findings(row)[0].missing == ("accuracy_m",) for row in range(3))


def test_an_unknown_accuracy_of_a_zone_leaves_only_the_conflicts_of_others() -> None:
    layer = zones([SQUARE, box(500, 0, 600, 100)], [0.0, NAN])
    shapes = [Point(50, 50), Point(550, 50), Point(300, 50), box(40, 40, 60, 60), box(540, 40, 560, 60)]
    found = judged(things(shapes), layer, rule())
    assert verdicts(found) == ["conflict", "unknown", "unknown", "conflict", "unknown"]
    assert found.findings(1)[0].missing == ("zones.accuracy_m",)
    assert found.findings(4)[0].missing == ("zones.accuracy_m",)


def test_an_exception_counts_only_when_it_is_known_to_hold() -> None:
    spared = rule(unless=(Unless(where={"national": True}, note=TEXT),))
    points = [Point(50, 50)] * 3
    found = judged(things(points, national=[True, False, None]), zones([SQUARE]), spared)
    assert verdicts(found) == ["clear", "conflict", "conflict"]
    assert (found.cleared(0)[0].code, found.cleared(0)[0].reason) == ("exempt", TEXT)


def test_an_indicative_zone_keeps_the_verdict_and_caps_the_severity() -> None:
    found = judged(things([Point(50, 50)]), zones([SQUARE], indicative=True), rule())
    finding = found.findings(0)[0]
    assert (finding.verdict, finding.severity, finding.severity_if_official) == (
        "conflict",
        "review",
        "prohibited",
    )


def test_a_notice_stays_a_notice_on_an_indicative_zone() -> None:
    found = judged(things([Point(50, 50)]), zones([SQUARE], indicative=True), rule(severity="notice"))
    assert found.findings(0)[0].severity == "notice"


@pytest.mark.parametrize("shape", [Point(50, 50), box(40, 40, 60, 60), LineString([(40, 40), (60, 60)])])
def test_a_verdict_that_official_zones_alone_would_give_is_not_capped(shape: shapely.Geometry) -> None:
    official_too = zones([SQUARE, SQUARE], indicative=[True, False])
    assert judged(things([shape]), official_too, rule()).findings(0)[0].severity == "prohibited"
    only_edge = zones([SQUARE, box(50, -900, 900, 900)], 15.0, indicative=[True, False])
    finding = judged(things([shape]), only_edge, rule()).findings(0)[0]
    assert (finding.verdict, finding.severity) == ("conflict", "review")


def test_what_is_unknown_for_lack_of_coverage_is_not_capped_by_zones_far_off() -> None:
    layer = zones([SQUARE], indicative=True, coverage=None)
    found = judged(things([Point(900, 900), box(900, 900, 910, 910)]), layer, rule())
    assert severities(found) == ["prohibited", "prohibited"]


def test_without_a_legal_basis_on_the_date_the_severity_is_capped_and_the_finding_says_so() -> None:
    young = pack(rule(), since=date(2027, 1, 1))
    finding = judge(things([Point(50, 50)]), {"zones": zones([SQUARE])}, [young], LAW_DATE).findings(0)[0]
    assert (finding.verdict, finding.severity, finding.severity_if_official) == (
        "conflict",
        "review",
        "review",
    )
    assert finding.citations == ()
    assert NO_LEGAL_BASIS in finding.notes


def test_disjoint_finds_what_lies_in_no_zone() -> None:
    points = [Point(x, 50) for x in (-30, -10, 10, 50)]
    shapes = [box(-60, 45, west, 55) for west in (-30, -10, 10, 30)]
    nowhere = rule("disjoint")
    assert verdicts(judged(things(points, 20.0), zones([SQUARE]), nowhere)) == [
        "conflict",
        "edge",
        "edge",
        "clear",
    ]
    assert verdicts(judged(things(shapes, 20.0), zones([SQUARE]), nowhere)) == [
        "conflict",
        "edge",
        "edge",
        "clear",
    ]


@pytest.mark.parametrize("op", ["disjoint", "area_share_outside"])
def test_absence_of_zones_means_nothing_where_the_layer_is_not_covered(op: str) -> None:
    layer = zones([SQUARE], coverage=box(-500, -500, 500, 500))
    shapes = [Point(300, 50), Point(900, 50), box(300, 0, 310, 10), box(900, 0, 910, 10), box(40, 40, 60, 60)]
    found = judged(things(shapes), layer, rule(op))
    assert verdicts(found) == ["conflict", "unknown", "conflict", "unknown", "clear"]
    inside_unstated = judged(
        things([Point(50, 50), box(40, 40, 60, 60)]), zones([SQUARE], coverage=None), rule(op)
    )
    assert verdicts(inside_unstated) == ["clear", "clear"]


@pytest.mark.parametrize("op", ["disjoint", "area_share_outside"])
def test_a_zone_that_may_count_makes_its_inside_unknown_for_absence(op: str) -> None:
    layer = zones([SQUARE, box(200, 0, 300, 100)], grade=["1", None])
    shapes = [
        Point(250, 50),
        Point(150, 50),
        box(240, 40, 260, 60),
        box(140, 40, 160, 60),
        box(40, 40, 60, 60),
    ]
    found = judged(things(shapes), layer, rule(op, zone_where={"grade": ["1"]}))
    assert verdicts(found) == ["unknown", "conflict", "unknown", "conflict", "clear"]
    assert found.findings(0)[0].missing == found.findings(2)[0].missing == ("zones.grade",)


def test_a_subject_in_no_zone_is_shown_the_nearest_one() -> None:
    found = judged(things([Point(-300, 50)]), zones([SQUARE, box(500, 0, 600, 100)]), rule("disjoint"))
    zone = found.findings(0)[0].zones[0]
    assert (zone.uid, zone.distance_m, zone.bearing_deg) == ("z0", 300.0, 90.0)


def test_counting_counts_zones_and_neither_parts_nor_errors() -> None:
    halves = [box(0, 0, 50, 100), box(50, 0, 100, 100)]
    shapes = [box(40, 40, 60, 60), box(10, 40, 20, 60), box(28, 40, 48, 60), Point(45, 50), Point(50, 50)]
    several = rule("count_gt", n=1)
    found = judged(things(shapes, 5.0), zones(halves), several)
    assert verdicts(found) == ["conflict", "clear", "edge", "edge", "edge"]
    one = zones([MultiPolygon([box(0, 0, 49, 100), box(51, 0, 100, 100)])])
    assert verdicts(judged(things([box(40, 40, 60, 60)]), one, several)) == ["clear"]


def test_counting_is_unknown_when_a_zone_only_may_count() -> None:
    layer = zones([box(0, 0, 50, 100), box(50, 0, 100, 100)], grade=["1", None])
    several = rule("count_gt", n=1, zone_where={"grade": ["1"]})
    found = judged(things([box(40, 40, 60, 60), box(10, 40, 20, 60)]), layer, several)
    assert verdicts(found) == ["unknown", "clear"]
    assert found.findings(0)[0].missing == ("zones.grade",)


def test_counting_is_unknown_when_an_accuracy_is() -> None:
    layer = zones([box(0, 0, 50, 100), box(500, 0, 600, 100)], [0.0, NAN])
    found = judged(things([Point(20, 50), Point(900, 50)]), layer, rule("count_gt", n=1))
    assert verdicts(found) == ["unknown", "clear"]
    assert found.findings(0)[0].missing == ("zones.accuracy_m",)


def test_what_cannot_be_placed_is_unknown() -> None:
    bow_tie = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    mixed = shapely.GeometryCollection([Point(0, 0), SQUARE])
    found = judged(things([None, Point(), bow_tie, mixed, Point(50, 50)]), zones([SQUARE]), rule())
    assert verdicts(found) == ["unknown"] * 4 + ["conflict"]
    assert all(found.findings(row)[0].missing == ("geometry",) for row in range(4))
    assert all(found.parts(row) is None for row in range(5))


def test_the_facts_of_a_hit_are_those_of_plain_geometry() -> None:
    subjects = things([Point(-30, 90), Point(50, 50), box(80, 80, 120, 120)], 5.0)
    found = judged(subjects, zones([SQUARE], 2.0), rule("dwithin", distance_m=100, statutory=True))
    apart, inside, overlapping = (found.findings(row)[0].zones[0] for row in range(3))
    assert (apart.distance_m, apart.bearing_deg, apart.margin_m, apart.error_m) == (30.0, 90.0, 70.0, 7.0)
    assert apart.overlap_m2 is None and apart.share is None
    assert shapely.equals(apart.witness, LineString([(-30, 90), (0, 90)]))
    assert (inside.distance_m, inside.bearing_deg, inside.margin_m) == (0.0, None, 150.0)
    assert shapely.equals(inside.witness, Point(50, 50))
    assert (overlapping.overlap_m2, overlapping.share) == (pytest.approx(400), pytest.approx(0.25))
    assert shapely.equals(overlapping.witness, box(80, 80, 100, 100))


def test_a_point_a_rounding_step_off_an_edge_has_no_direction() -> None:
    slanted = shapely.Polygon(
        [
            (461847.8880123394, 3165740.4379810016),
            (462137.5814338296, 3165501.6221953304),
            (461753.9189374134, 3165331.3366666758),
        ]
    )
    near = Point(462054.90228981, 3165569.780749419)
    everywhere = shapely.box(4e5, 3e6, 5e5, 3.3e6)
    found = judged(things([near], 1.0), zones([slanted], coverage=everywhere), rule())
    fact = found.findings(0)[0].zones[0]
    assert (fact.verdict, fact.bearing_deg) == ("edge", None)
    assert 0 < fact.distance_m < 1e-9 and fact.witness.equals(near)


def test_each_zone_has_the_verdict_it_would_give_by_itself() -> None:
    inner, outer = box(40, 40, 60, 60), SQUARE
    for shape in (Point(58, 50), box(57, 49, 58, 51)):
        finding = judged(things([shape], 5.0), zones([inner, outer]), rule()).findings(0)[0]
        assert finding.verdict == "conflict"
        assert [zone.verdict for zone in finding.zones] == ["edge", "conflict"]


def test_findings_come_worst_first() -> None:
    layer = zones([SQUARE], grade=["1"])
    rules = [
        rule(id="A-01", severity="notice"),
        rule(id="A-02", subject_where={"kind": "new"}),
        rule("dwithin", id="B-01", distance_m=10, statutory=True),
        rule("disjoint", id="B-02"),
    ]
    found = judged(things([Point(95, 50)], 7.0), layer, *rules)
    assert [(f.rule.id, f.verdict) for f in found.findings(0)] == [
        ("B-01", "conflict"),
        ("A-02", "unknown"),
        ("B-02", "edge"),
        ("A-01", "edge"),
    ]
    assert found.groups() == ("A", "B")
    assert (found.verdict(0), worst(found.findings(0))) == ("conflict", ("conflict", "prohibited"))
    themes = found.themes(found.findings(0))
    assert {name: [f.rule.id for f in own] for name, own in themes.items()} == {
        "A": ["A-02", "A-01"], "B": ["B-01", "B-02"],
    }  # fmt: skip
    assert worst(themes["A"]) == ("unknown", "prohibited")


def test_where_nothing_is_found_all_is_clear_and_the_themes_are_told() -> None:
    found = judged(things([Point(500, 500)]), zones([SQUARE]), rule(id="A-01"), rule(id="B-01"))
    assert found.findings(0) == [] and worst([]) == ("clear", None)
    assert found.themes([]) == {"A": [], "B": []}


def test_only_rules_for_the_kinds_of_the_subject_are_applied() -> None:
    rules = [rule(id="A-01"), rule(id="A-02", subjects=("others",)), rule(id="A-03", enabled=False)]
    found = judged(things([Point(50, 50)]), zones([SQUARE]), *rules)
    assert [o.rule.id for o in found.outcomes] == ["A-01"]
    assert judged(things([Point(50, 50)]), zones([SQUARE]), rules[0], only=["B-01"]).outcomes == ()


def test_no_subjects_and_no_zones_are_answered() -> None:
    assert verdicts(judged(things([]), zones([SQUARE]), rule())) == []
    found = judged(things([Point(0, 0), SQUARE]), zones([]), rule(), rule("disjoint", id="T-02"))
    assert [f.rule.id for f in found.findings(0)] == ["T-02"]
    assert found.cleared(1)[0].code == "no_zones"
    assert found.findings(1)[0].zones == ()


def test_an_invalid_zone_is_refused_by_name() -> None:
    bow_tie = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    with pytest.raises(KernelInputError, match=r"zones\[1\]"):
        judged(things([Point(0, 0)]), zones([SQUARE, bow_tie]), rule())


def test_a_prepared_layer_gives_the_same_answer_again() -> None:
    layer = PreparedLayer(zones([SQUARE], grade=["1"]))
    for _ in range(2):
        found = judge(
            things([Point(50, 50)]), {"zones": layer}, [pack(rule(zone_where={"grade": "1"}))], LAW_DATE
        )
        assert verdicts(found) == ["conflict"]
    assert layer.select({"grade": "1"}, LAW_DATE) is layer.select({"grade": ("1",)}, LAW_DATE)


def test_points_and_polygons_of_one_batch_do_not_disturb_each_other() -> None:
    shapes = [
        Point(50, 50),
        box(40, 40, 60, 60),
        Point(500, 50),
        box(500, 0, 510, 10),
        LineString([(-50, 50), (50, 50)]),
    ]
    layer = zones([SQUARE], 1.0)
    together = judged(things(shapes, 1.0), layer, rule())
    alone = [judged(things([shape], 1.0), layer, rule()) for shape in shapes]
    assert verdicts(together) == [found.verdict(0) for found in alone]
    for row, found in enumerate(alone):
        ours = [(z.uid, z.distance_m, z.share) for f in together.findings(row) for z in f.zones]
        assert ours == [(z.uid, z.distance_m, z.share) for f in found.findings(0) for z in f.zones]


def test_a_number_that_is_not_known_is_none_and_not_nan() -> None:
    zone = judged(things([Point(50, 50)], NAN), zones([SQUARE]), rule()).findings(0)[0].zones[0]
    assert zone.error_m is None
    values = [zone.distance_m, zone.margin_m, zone.share, zone.bearing_deg]
    assert not any(isinstance(v, float) and math.isnan(v) for v in values)
