from typing import Any

import numpy as np
import pytest
import shapely
from shapely import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, box

from gis.kernel import Parts
from gis.kernel.parts import combine
from tests.screening.making import SQUARE, judged, rule, things, verdicts, zones

NAN = float("nan")
SITE = box(50, 0, 150, 100)


def parts_of(site: Any, layer: Any, *rules: Any, accuracy_m: float = 0.0, group: str | None = None) -> Parts:
    found = judged(things([site], accuracy_m), layer, *rules).parts(0, group)
    assert found is not None
    return found


def assert_divides(parts: Parts, site: Any) -> None:
    """The four parts do not overlap and make up the site: within 1 mm2 or 1e-9 of it, lines within 1 um."""
    pieces = [parts.conflict, parts.unknown, parts.edge, parts.clear]
    area = shapely.get_dimensions(site) == 2
    measure = shapely.area if area else shapely.length
    allowed = max(1e-6, 1e-9 * measure(site))
    assert abs(parts.sizes.sum() - measure(site)) <= allowed
    assert measure(shapely.union_all(pieces)) == pytest.approx(measure(site), abs=10 * allowed)
    for i, one in enumerate(pieces):
        for other in pieces[:i]:
            assert measure(shapely.intersection(one, other)) <= 10 * allowed


def test_a_parcel_is_divided_by_place() -> None:
    parts = parts_of(SITE, zones([SQUARE]), rule())
    assert parts.sizes.tolist() == [5000, 0, 0, 5000]
    assert_divides(parts, SITE)


def test_the_error_makes_a_band_of_edge_along_the_boundary() -> None:
    zone = box(-1000, -1000, 100, 1000)
    parts = parts_of(SITE, zones([zone], 5.0), rule(), accuracy_m=10.0)
    assert parts.sizes.tolist() == pytest.approx([3500, 0, 3000, 3500], abs=2)
    assert_divides(parts, SITE)


def test_what_is_not_covered_is_unknown_except_the_conflict() -> None:
    layer = zones([SQUARE], coverage=box(-500, -500, 500, 50))
    parts = parts_of(SITE, layer, rule())
    assert parts.sizes.tolist() == pytest.approx([5000, 2500, 0, 2500])
    found = judged(things([SITE]), layer, rule()).findings(0)[0]
    assert (found.verdict, found.missing) == ("conflict", ("coverage",))


def test_a_parcel_half_outside_the_coverage_is_never_clear() -> None:
    layer = zones([box(5000, 0, 5100, 100)], coverage=box(-500, -500, 100, 500))
    found = judged(things([SITE]), layer, rule())
    assert verdicts(found) == ["unknown"]
    parts = found.parts(0)
    assert parts is not None and parts.sizes.tolist() == pytest.approx([0, 5000, 0, 5000])


def test_a_parcel_drawn_along_the_rim_of_the_coverage_is_covered() -> None:
    rim = shapely.affinity.rotate(box(0, 0, 1000.3, 700.7), 17, origin=(0, 0))
    x, y = shapely.get_coordinates(rim)[0]
    corner = shapely.affinity.rotate(box(0, 0, 100.1, 50.2), 17, origin=(0, 0))
    assert verdicts(judged(things([corner]), zones([], coverage=rim), rule())) == ["clear"]
    assert np.isfinite([x, y]).all()


def test_lying_outside_is_a_conflict_only_where_the_layer_is_covered() -> None:
    layer = zones([SQUARE], coverage=box(-500, -500, 500, 50))
    parts = parts_of(SITE, layer, rule("area_share_outside"))
    assert parts.sizes.tolist() == pytest.approx([2500, 2500, 0, 5000])
    assert_divides(parts, SITE)


def test_a_zone_that_may_count_makes_its_part_unknown() -> None:
    layer = zones([box(0, 0, 75, 100), box(0, 0, 100, 100)], grade=["1", None])
    parts = parts_of(SITE, layer, rule(zone_where={"grade": "1"}))
    assert parts.sizes.tolist() == pytest.approx([2500, 2500, 0, 5000])


def test_a_zone_that_may_count_makes_its_part_of_lying_outside_unknown() -> None:
    layer = zones([box(0, 0, 75, 100), box(0, 0, 100, 100)], grade=["1", None])
    parts = parts_of(SITE, layer, rule("area_share_outside", zone_where={"grade": "1"}))
    assert parts.sizes.tolist() == pytest.approx([5000, 2500, 0, 2500])


def test_a_zone_without_known_accuracy_makes_the_rest_unknown() -> None:
    parts = parts_of(SITE, zones([box(0, 0, 75, 100), SQUARE], [0.0, NAN]), rule())
    assert parts.sizes.tolist() == pytest.approx([2500, 7500, 0, 0])


def test_a_missing_attribute_turns_the_met_part_to_unknown() -> None:
    parts = parts_of(SITE, zones([SQUARE]), rule(subject_where={"kind": "new"}))
    assert parts.sizes.tolist() == [0, 5000, 0, 5000]


def test_parcels_that_share_an_edge_or_a_corner_with_a_zone_merely_touch() -> None:
    line = LineString([(100, 0), (100, 90)])
    shapes = [box(100, 0, 200, 100), box(100, 100, 200, 200), box(100.001, 0, 200, 100), line]
    found = judged(things(shapes), zones([SQUARE]), rule())
    assert verdicts(found) == ["edge", "edge", "clear", "edge"]
    assert [found.findings(row)[0].on_boundary for row in (0, 1)] == [True, True]
    parts = found.parts(0)
    assert parts is not None and parts.sizes.tolist() == [0, 0, 0, 10000]


def test_a_parcel_that_crosses_a_boundary_does_not_merely_touch() -> None:
    finding = judged(things([SITE], 2.0), zones([SQUARE]), rule()).findings(0)[0]
    assert not finding.on_boundary
    assert finding.margin_m == 0.0


def test_a_corner_outside_the_coverage_is_unknown_however_small() -> None:
    far = zones([box(500, 0, 600, 100)], coverage=box(0, -50, 150, 150))
    tip = shapely.Polygon([(50, 0), (150.02, 50), (50, 100)])
    along = shapely.Polygon([(50, 0), (150, 0), (150, 100)])
    assert verdicts(judged(things([tip, along]), far, rule())) == ["unknown", "clear"]


@pytest.mark.parametrize(
    ("overlap", "error", "verdict"),
    [
        (12.0, 0.0, "conflict"),
        (8.0, 0.0, "clear"),
        (12.0, 5.0, "edge"),
        (18.0, 5.0, "conflict"),
        (4.0, 5.0, "clear"),
    ],
)
def test_an_area_share_compares_what_is_sure_and_what_is_possible(
    overlap: float, error: float, verdict: str
) -> None:
    zone = box(-1000, -1000, 50 + overlap, 1000)
    found = judged(things([SITE], error), zones([zone]), rule("area_share", min_share=0.1))
    assert verdicts(found) == [verdict]


def test_an_area_share_has_an_absolute_threshold_too() -> None:
    sliver = zones([box(0, 0, 50.0099, 100)])
    assert verdicts(judged(things([SITE]), sliver, rule("area_share", min_area_m2=1.0))) == ["clear"]
    assert verdicts(judged(things([SITE]), sliver, rule("area_share", min_area_m2=0.9))) == ["conflict"]


def test_a_sliver_under_the_threshold_takes_the_verdict_of_the_rule() -> None:
    sliver = zones([box(0, 0, 50.005, 100), box(149, 0, 160, 100)], [0.0, 2.0])
    assert verdicts(judged(things([SITE]), sliver, rule("area_share", min_area_m2=1.0))) == ["edge"]
    parts = parts_of(SITE, sliver, rule("area_share", min_area_m2=1.0))
    assert parts.sizes[0] == 0
    assert_divides(parts, SITE)
    clear = parts_of(SITE, zones([box(0, 0, 50.005, 100)]), rule("area_share", min_area_m2=1.0))
    assert clear.sizes.tolist() == [0, 0, 0, 10000]


def test_an_area_share_is_unknown_when_the_unknown_part_may_exceed_it() -> None:
    layer = zones([], coverage=box(0, 0, 100, 100))
    assert verdicts(judged(things([SITE]), layer, rule("area_share", min_share=0.4))) == ["unknown"]
    assert verdicts(judged(things([SITE]), layer, rule("area_share", min_share=0.6))) == ["clear"]


@pytest.mark.parametrize(("inside", "verdict"), [(96, "clear"), (94, "conflict")])
def test_an_area_share_outside_allows_for_a_rim(inside: float, verdict: str) -> None:
    zone = box(50, 0, 50 + inside, 100)
    found = judged(things([SITE]), zones([zone]), rule("area_share_outside", min_share=0.05))
    assert verdicts(found) == [verdict]


def test_area_shares_of_points_and_lines_go_by_inside_and_outside() -> None:
    lines = [LineString([(50, 50), (east, 50)]) for east in (99, 101)]
    shapes = [Point(50, 50), Point(500, 50), *lines]
    inside = judged(things(shapes), zones([SQUARE]), rule("area_share", min_share=0.99))
    outside = judged(things(shapes), zones([SQUARE]), rule("area_share_outside", min_share=0.99))
    assert verdicts(inside) == ["conflict", "clear", "conflict", "conflict"]
    assert verdicts(outside) == ["clear", "conflict", "clear", "conflict"]


def test_a_rule_about_the_whole_site_gives_the_whole_site_its_verdict() -> None:
    halves = zones([box(0, 0, 100, 100), box(100, 0, 200, 100)])
    parts = parts_of(SITE, halves, rule("count_gt", n=1))
    assert parts.sizes.tolist() == [10000, 0, 0, 0]


def test_lines_are_divided_by_length() -> None:
    line = LineString([(50, 50), (150, 50)])
    parts = parts_of(line, zones([SQUARE], 10.0), rule())
    assert parts.sizes.tolist() == pytest.approx([40, 0, 20, 40], abs=0.02)
    assert_divides(parts, line)
    facts = judged(things([line]), zones([SQUARE]), rule()).findings(0)[0].zones[0]
    assert (facts.overlap_m, facts.overlap_m2, facts.share) == (pytest.approx(50), None, pytest.approx(0.5))


def test_multi_parts_are_one_subject() -> None:
    two = MultiPolygon([box(40, 40, 60, 60), box(300, 0, 320, 20)])
    lines = MultiLineString([[(40, 40), (60, 40)], [(300, 0), (320, 0)]])
    points = MultiPoint([(50, 50), (300, 0)])
    found = judged(things([two, lines, points]), zones([SQUARE]), rule())
    assert verdicts(found) == ["conflict"] * 3
    sizes = [parts.sizes.tolist() for row in range(3) if (parts := found.parts(row))]
    assert sizes == [[400, 0, 0, 400], [20, 0, 0, 20], [1, 0, 0, 1]]


def test_a_site_far_from_all_zones_has_one_clear_part() -> None:
    far = box(5000, 0, 5100, 100)
    found = judged(things([far]), zones([SQUARE]), rule())
    assert found.findings(0) == []
    parts = found.parts(0)
    assert parts is not None and parts.sizes.tolist() == [0, 0, 0, 10000]


def test_themes_and_the_site_take_the_worst_verdict_of_each_place() -> None:
    layer = zones([box(0, 0, 75, 100), box(70, 0, 125, 100)], grade=["1", "2"])
    rules = [
        rule(id="A-01", zone_where={"grade": "1"}),
        rule(id="A-02", zone_where={"grade": "2"}, subject_where={"kind": "new"}),
        rule("dwithin", id="B-01", zone_where={"grade": "2"}, distance_m=5, statutory=True),
    ]
    theme_a = parts_of(SITE, layer, *rules, group="A")
    theme_b = parts_of(SITE, layer, *rules, group="B")
    site = parts_of(SITE, layer, *rules)
    assert theme_a.sizes.tolist() == pytest.approx([2500, 5000, 0, 2500])
    assert theme_b.sizes[0] == pytest.approx(6500, abs=1)
    assert site.sizes.tolist() == pytest.approx([8000, 0, 0, 2000], abs=1)
    for parts in (theme_a, theme_b, site):
        assert_divides(parts, SITE)
    again = combine(SITE, [theme_a, theme_b])
    assert again.sizes == pytest.approx(site.sizes, abs=1e-6)
