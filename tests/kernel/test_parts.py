"""The parts of a site: disjoint, complete, and right at every place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import KernelInputError
from gis.kernel import (
    CLEAR,
    CONFLICT,
    EDGE,
    UNKNOWN,
    Parts,
    ZoneSet,
    combine,
    reassigned,
    size,
    size_of,
    split,
    throughout,
    uncovered,
)
from gis.kernel.reach import ARC_ERROR_M, arc_error_m, quad_segs
from tests.kernel.strategies import ACCURACIES, DISTANCES, POLYGONS, SITES, placed, zone_lists

SQUARE = shapely.box(0, 0, 10, 10)
quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def four(parts: Parts) -> list[Any]:
    return [parts.conflict, parts.unknown, parts.edge, parts.clear]


def assert_divides(site: Any, parts: Parts) -> None:
    """The parts do not overlap and sum to the site, within 1e-9 or 1 mm2 (lines: 1 um)."""
    whole = size([site])[0]
    tolerance = max(1e-9 * whole, 1e-6)
    assert abs(parts.sizes.sum() - whole) <= tolerance
    assert abs(size(four(parts)).sum() - whole) <= tolerance
    for i, one in enumerate(four(parts)):
        assert one.is_valid
        for other in four(parts)[:i]:
            shared = shapely.intersection(one, other)
            assert (shared.area if site.area else shared.length) <= tolerance


def limit(place: Any, zones: Any, accuracy: Any, error: float, distance: float) -> tuple[bool, bool]:
    """From first principles: whether a place is surely, and whether it is possibly, within the distance."""
    total = np.asarray(accuracy) + error
    gap = shapely.distance(place, zones)
    possibly = bool((distance - gap >= -total).any())
    union = shapely.union_all(zones)
    own = np.where(gap == 0, shapely.distance(place, shapely.boundary(zones)), -gap)
    surely = bool((own + distance > total).any())
    if shapely.intersects(place, union) and len(set(accuracy)) == 1:
        surely |= bool(shapely.distance(place, shapely.boundary(union)) + distance > total[0])
    return surely, possibly


@quick
@given(SITES, zone_lists(), ACCURACIES, DISTANCES, st.booleans())
def test_parts_are_disjoint_and_make_up_the_site(
    site: Any, zones: Any, error: float, distance: float, outside: bool
) -> None:
    site, geoms = placed(site), placed(zones[0])
    assert_divides(site, split(site, error, ZoneSet.prepare(geoms, zones[1]), distance, outside=outside))


@quick
@given(POLYGONS, st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 2.0]))
def test_a_site_that_equals_its_zone_or_covers_it_divides_too(
    site: Any, error: float, distance: float
) -> None:
    site = placed(site)
    for zone in (site, shapely.envelope(site), shapely.buffer(site, 0.5), shapely.convex_hull(site)):
        assert_divides(site, split(site, error, ZoneSet.prepare([zone], 0.0), distance))
        assert_divides(zone, split(zone, error, ZoneSet.prepare([site], 0.0), distance))


@quick
@given(POLYGONS, zone_lists(), ACCURACIES, DISTANCES)
def test_every_place_is_in_the_part_that_its_distance_says(
    site: Any, zones: Any, error: float, distance: float
) -> None:
    geoms, accuracy = np.array(zones[0], dtype=object), zones[1]
    parts = split(site, error, ZoneSet.prepare(geoms, accuracy), distance)
    x0, y0, x1, y1 = site.bounds
    grid = shapely.points(*(g.ravel() for g in np.meshgrid(np.linspace(x0, x1, 9), np.linspace(y0, y1, 9))))
    arc = 2 * arc_error_m(max(accuracy) + error + distance) + 1e-6
    for place in grid[shapely.contains_properly(site, grid)]:
        surely, possibly = limit(place, geoms, accuracy, error, distance)
        if shapely.distance(place, parts.conflict) == 0 and shapely.distance(place, parts.edge) > 1e-9:
            assert surely or len(set(accuracy)) > 1
        if shapely.distance(place, parts.clear) == 0 and shapely.distance(place, parts.edge) > 1e-9:
            assert not possibly
        if not limit(place, geoms, accuracy, error + arc, distance)[1]:
            assert shapely.distance(place, parts.clear) < 1e-9
        if limit(place, geoms, accuracy, error + arc, distance)[0]:
            assert shapely.distance(place, parts.conflict) < 1e-9


@quick
@given(SITES, zone_lists(), ACCURACIES, DISTANCES)
def test_parts_do_not_depend_on_where_the_plane_has_its_origin(
    site: Any, zones: Any, error: float, distance: float
) -> None:
    here = split(site, error, ZoneSet.prepare(zones[0], zones[1]), distance)
    there = split(placed(site), error, ZoneSet.prepare(placed(zones[0]), zones[1]), distance)
    assert there.sizes == pytest.approx(here.sizes, rel=1e-9, abs=1e-6)
    assert there.verdict == here.verdict


@quick
@given(SITES, zone_lists(), ACCURACIES, st.sampled_from([0.1, 2.0, 30.0]), DISTANCES)
def test_a_larger_error_only_grows_the_edge(
    site: Any, zones: Any, error: float, more: float, distance: float
) -> None:
    prepared = ZoneSet.prepare(zones[0], zones[1])
    fine, coarse = split(site, error, prepared, distance), split(site, error + more, prepared, distance)
    for now, then in ((coarse.conflict, fine.conflict), (coarse.clear, fine.clear), (fine.edge, coarse.edge)):
        beyond = shapely.difference(now, then if site.area else then.buffer(1e-6))
        assert size([beyond])[0] <= 1e-6 + ARC_ERROR_M * now.length * (more < 1)


@quick
@given(SITES, st.lists(st.tuples(zone_lists(), ACCURACIES, DISTANCES), max_size=4))
def test_combined_parts_divide_the_site_and_the_worst_verdict_wins(site: Any, rules: Any) -> None:
    site = placed(site)
    found = [split(site, e, ZoneSet.prepare(placed(z), a), d) for (z, a), e, d in rules]
    found.append(uncovered(site, placed(shapely.box(3, -50, 9, 50))))
    together = combine(site, found)
    assert_divides(site, together)
    conflict = shapely.union_all([shapely.buffer(part.conflict, 1e-6) for part in found])
    assert size([together.conflict])[0] == pytest.approx(size([site & conflict])[0], abs=1e-3)
    assert together.verdict == max(part.verdict for part in found)


@quick
@given(SITES, POLYGONS, ACCURACIES, DISTANCES)
def test_a_seam_between_zones_is_no_boundary(site: Any, zone: Any, error: float, distance: float) -> None:
    x0, y0, x1, y1 = zone.bounds
    west = shapely.intersection(zone, shapely.box(x0, y0, (x0 + x1) / 2, y1))
    east = shapely.intersection(zone, shapely.box((x0 + x1) / 2, y0, x1, y1))
    seamed = split(site, error, ZoneSet.prepare([west, east], 0.5), distance)
    whole = split(site, error, ZoneSet.prepare([zone], 0.5), distance)
    assert seamed.sizes == pytest.approx(whole.sizes, abs=2 * ARC_ERROR_M * site.length)


def test_a_site_half_inside_has_an_edge_as_wide_as_the_error_on_both_sides() -> None:
    parts = split(shapely.box(5, 2, 15, 8), 0.5, ZoneSet.prepare([SQUARE], 0.5))
    assert parts.sizes.tolist() == pytest.approx([24, 0, 12, 24], abs=12 * ARC_ERROR_M)
    assert parts.verdict == CONFLICT and not parts.on_boundary


def test_a_mere_touch_is_edge_and_on_boundary() -> None:
    parts = split(shapely.box(10, 0, 20, 10), 0.0, ZoneSet.prepare([SQUARE], 0.0))
    assert parts.sizes.tolist() == [0, 0, 0, 100]
    assert parts.verdict == EDGE and parts.on_boundary


def test_a_touch_along_vertices_that_only_one_side_has_is_no_conflict() -> None:
    slope = shapely.LineString([(500_000.1, 3_200_000.3), (500_730.7, 3_200_411.9)])
    middle = slope.interpolate(1 / 3, normalized=True)
    (ax, ay), (bx, by) = slope.coords
    zone = shapely.Polygon([(ax, ay), (bx, by), (bx, by + 300)])
    site = shapely.Polygon([(ax, ay), (bx, by - 300), (bx, by), (middle.x, middle.y)])
    parts = split(site, 0.0, ZoneSet.prepare([zone], 0.0))
    assert parts.verdict == EDGE and parts.on_boundary


def test_a_line_along_the_boundary_is_edge() -> None:
    line = shapely.LineString([(0, 10), (10, 10), (20, 10)])
    parts = split(line, 0.0, ZoneSet.prepare([SQUARE], 0.0))
    assert parts.sizes.tolist() == [0, 0, 10, 10]
    assert parts.verdict == EDGE and parts.on_boundary


def test_a_site_just_as_far_as_the_distance_touches() -> None:
    zones = ZoneSet.prepare([SQUARE], 0.0)
    assert split(shapely.box(510, 0, 520, 10), 0.0, zones, 500.0).verdict == EDGE
    assert split(shapely.box(510.001, 0, 520, 10), 0.0, zones, 500.0).verdict == CLEAR
    assert split(shapely.box(509.999, 0, 520, 10), 0.0, zones, 500.0).verdict == CONFLICT


def test_the_error_eats_a_small_zone_whole() -> None:
    parts = split(shapely.box(-50, -50, 60, 60), 1.0, ZoneSet.prepare([SQUARE], 20.0))
    assert parts.conflict.is_empty and parts.verdict == EDGE


def test_an_error_smaller_than_the_distance_leaves_a_conflict_around_even_a_point() -> None:
    site = shapely.box(-100, -100, 100, 100)
    parts = split(site, 10.0, ZoneSet.prepare([shapely.Point(0, 0)], 20.0), 50.0)
    assert parts.sizes[0] == pytest.approx(np.pi * 20**2, rel=1e-3) and parts.sizes[0] <= np.pi * 20**2
    assert parts.sizes[3] == pytest.approx(200**2 - np.pi * 80**2, rel=1e-3)


def test_a_coarse_zone_further_off_is_not_masked_by_a_fine_one_near_by() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.box(100, 0, 110, 10)], [1.0, 60.0])
    parts = split(shapely.box(14, 4, 16, 6), 0.0, zones)
    assert parts.verdict == CLEAR
    assert split(shapely.box(44, 4, 46, 6), 0.0, zones).verdict == EDGE


def test_a_place_safe_inside_a_fine_zone_stays_in_conflict_whatever_a_coarse_one_allows() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.box(0, 0, 30, 10)], [1.0, 60.0])
    assert split(shapely.box(4, 4, 6, 6), 0.0, zones).sizes.tolist() == pytest.approx([4, 0, 0, 0])


def test_a_zone_that_cannot_reach_the_site_changes_nothing() -> None:
    """Though the coarsest zone widens the search, an outline counts by its own accuracy only."""
    rng = np.random.default_rng(11)
    for _ in range(60):
        site = shapely.box(*(corner := rng.uniform(-30, 30, 2)), *(corner + rng.uniform(5, 20, 2)))
        near = [shapely.Point(rng.uniform(-20, 20, 2)).buffer(rng.uniform(10, 60)) for _ in range(3)]
        distance, error = rng.choice([0.0, 15.0]), rng.choice([0.0, 1.0])
        # One that is certain and ends 25 m away, and one that may be 500 m off its place, 2 km away.
        x, y = site.bounds[2] + distance + 25.0, site.bounds[1]
        beside, coarse = shapely.box(x, y, x + 9, y + 9), shapely.box(x + 2000, y, x + 2009, y + 9)
        alone = split(site, error, ZoneSet.prepare(near, [0.5, 1.0, 2.0]), distance)
        among = split(
            site, error, ZoneSet.prepare([*near, beside, coarse], [0.5, 1.0, 2.0, 3.0, 500.0]), distance
        )
        np.testing.assert_allclose(among.sizes, alone.sizes, atol=1e-6)
        assert among.on_boundary == alone.on_boundary


def test_a_site_deep_in_one_zone_is_a_conflict_wherever_others_end() -> None:
    held, crossing = shapely.box(0, 0, 100, 100), shapely.box(50, -10, 150, 55)
    site = shapely.box(40, 40, 60, 60)
    for accuracy in (1.0, [5.0, 30.0], [5.0, 60.0]):
        found = split(site, 2.0, ZoneSet.prepare([held, crossing], accuracy))
        np.testing.assert_allclose(found.sizes, [400, 0, 0, 0])
    # Its own outline nearer than its error, and no other zone to hold the site: in doubt.
    assert split(site, 2.0, ZoneSet.prepare([held, crossing], [50.0, 60.0])).sizes[0] == 0


def test_an_unknown_accuracy_of_the_site_makes_all_of_it_unknown() -> None:
    for unknown in (None, np.nan):
        parts = split(SQUARE, unknown, ZoneSet.prepare([shapely.box(1000, 0, 1001, 1)], 1.0))
        assert parts.sizes.tolist() == [0, 100, 0, 0] and parts.verdict == UNKNOWN


def test_a_zone_of_unknown_accuracy_leaves_only_the_conflicts_of_the_others() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.box(5, 0, 20, 10)], [1.0, np.nan])
    parts = split(shapely.box(2, 2, 12, 8), 0.0, zones)
    assert parts.sizes.tolist() == pytest.approx([7 * 6, 3 * 6, 0, 0], abs=6 * ARC_ERROR_M)


def test_without_zones_or_with_empty_ones_all_is_clear_even_of_unknown_accuracy() -> None:
    for zones in (ZoneSet.prepare([], None), ZoneSet.prepare([shapely.Polygon()], None)):
        assert split(SQUARE, None, zones, 10.0).verdict == CLEAR


def test_outside_turns_conflict_and_clear_round() -> None:
    zones = ZoneSet.prepare([SQUARE], 0.0)
    parts = split(shapely.box(5, 0, 20, 10), 1.0, zones, outside=True)
    assert parts.sizes.tolist() == pytest.approx([90, 0, 28, 32], abs=30 * ARC_ERROR_M)
    assert split(shapely.Point(20, 5), 1.0, zones, outside=True).verdict == CONFLICT
    assert split(SQUARE, 1.0, ZoneSet.prepare([], None), outside=True).verdict == CONFLICT


def test_points_of_a_multipoint_are_divided_one_by_one() -> None:
    site = shapely.MultiPoint([(5, 5), (10.5, 5), (30, 5), (40, 5)])
    parts = split(site, 0.5, ZoneSet.prepare([SQUARE], 0.5))
    assert parts.sizes.tolist() == [1, 0, 1, 2]
    assert parts.conflict.equals(shapely.Point(5, 5))


def test_points_outside_a_coverage_are_unknown_and_combine() -> None:
    site = shapely.MultiPoint([(5, 5), (15, 5), (25, 5)])
    parts = combine(
        site, [split(site, 0.0, ZoneSet.prepare([SQUARE], 0.0)), uncovered(site, shapely.box(0, 0, 20, 20))]
    )
    assert parts.sizes.tolist() == [1, 1, 0, 1]


def test_what_is_outside_the_coverage_is_unknown_unless_in_conflict() -> None:
    site = shapely.box(5, 0, 25, 10)
    rule = split(site, 0.0, ZoneSet.prepare([SQUARE], 0.0))
    covered = shapely.box(8, 0, 20, 10)
    assert combine(site, [rule, uncovered(site, covered)]).sizes.tolist() == pytest.approx([50, 50, 0, 100])
    assert combine(site, [rule, uncovered(site, None)]).sizes.tolist() == pytest.approx([50, 0, 0, 150])


@pytest.mark.parametrize(("place", "code"), [(0, CONFLICT), (1, UNKNOWN), (2, EDGE), (3, CLEAR)])
@pytest.mark.parametrize("site", [SQUARE, SQUARE.boundary, shapely.MultiPoint([[0, 0], [3, 4]])])
def test_a_site_of_one_verdict_throughout_is_that_part_and_no_other(site: Any, place: int, code: int) -> None:
    parts = throughout(site, code)
    assert four(parts)[place].equals(site)
    assert [part.is_empty for part in four(parts)] == [i != place for i in range(4)]
    whole = {"Polygon": 100.0, "LineString": 40.0, "MultiPoint": 2.0}[site.geom_type]
    assert list(parts.amounts) == [whole if i == place else 0.0 for i in range(4)]
    assert parts.verdict == code and not parts.on_boundary


def test_an_empty_site_is_clear_throughout_and_has_no_size() -> None:
    assert throughout(shapely.Polygon(), CONFLICT).verdict == CLEAR
    assert [size_of(geom) for geom in (shapely.Polygon(), shapely.Point(1, 1))] == [0.0, 0.0]


@quick
@given(POLYGONS, st.lists(POLYGONS, min_size=1, max_size=3))
def test_what_one_rule_leaves_open_everywhere_is_open_but_where_others_conflict(
    site: Any, zones: list[Any]
) -> None:
    divided = [split(site, 0.0, ZoneSet.prepare([zone], 0.0)) for zone in zones]
    parts = combine(site, [*divided, throughout(site, UNKNOWN)])
    held = shapely.intersection(site, shapely.union_all(zones)).area
    # A part of no width is a touch, which goes to the edge of its own division and is unknown here.
    assert parts.amounts == pytest.approx((held, site.area - held, 0.0, 0.0), abs=1e-4)
    assert_divides(site, parts)


def test_nothing_to_combine_is_clear() -> None:
    assert combine(SQUARE, []).verdict == CLEAR


def test_an_empty_site_has_empty_parts() -> None:
    parts = split(shapely.Polygon(), 1.0, ZoneSet.prepare([SQUARE], 1.0))
    assert parts.sizes.tolist() == [0, 0, 0, 0] and parts.verdict == CLEAR


def test_a_site_of_mixed_kinds_an_invalid_one_and_negative_numbers_are_refused() -> None:
    zones = ZoneSet.prepare([SQUARE], 1.0)
    mixed = shapely.GeometryCollection([shapely.Point(0, 0), SQUARE])
    with pytest.raises(KernelInputError, match="mixes"):
        split(mixed, 1.0, zones)
    with pytest.raises(KernelInputError, match=r"subject\[0\] is invalid"):
        split(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), 1.0, zones)
    with pytest.raises(KernelInputError, match="distance_m"):
        split(SQUARE, 1.0, zones, -1.0)


@pytest.mark.parametrize("radius", [0.0005, 1.0, 50.0, 200.0, 12_000.0])
def test_arcs_are_as_exact_as_stated(radius: float) -> None:
    drawn = shapely.Point(0, 0).buffer(radius, quad_segs=quad_segs(radius))
    inscribed = radius - shapely.distance(shapely.Point(0, 0), drawn.exterior)
    stated = max(ARC_ERROR_M, 4.8e-6 * radius)
    assert inscribed <= stated and arc_error_m(radius) <= stated * 1.01


@quick
@given(
    SITES,
    zone_lists(),
    DISTANCES,
    st.sampled_from([CONFLICT, UNKNOWN, EDGE, CLEAR]),
    st.sets(st.integers(0, 3)),
)
def test_reassigned_verdicts_go_to_one_and_the_others_stay(
    site: Any, zones: Any, distance: float, target: int, sources: set[int]
) -> None:
    codes = (CONFLICT, UNKNOWN, EDGE, CLEAR)
    before = split(site, 1.0, ZoneSet.prepare(*zones), distance)
    after = reassigned(site, before, [codes[i] for i in sources], target)
    assert_divides(site, after)
    tolerance = max(1e-9 * size_of(site), 1e-6)
    wanted = np.zeros(4)
    for place, amount in enumerate(before.amounts):
        wanted[codes.index(target) if place in sources else place] += amount
    assert np.abs(after.sizes - wanted).max() <= tolerance


def test_a_strip_along_the_union_of_even_zones_divides_a_site_that_enters_them_at_a_seam() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.box(10, 0, 20, 10)], 1.0)
    parts = split(shapely.box(5, 5, 15, 20), 0.0, zones)
    assert parts.sizes == pytest.approx([40, 0, 20, 90], abs=0.1)  # what is in doubt gains
    apart = split(shapely.MultiPolygon([shapely.box(3, 3, 5, 5), shapely.box(3, 20, 5, 22)]), 0.0, zones)
    assert apart.sizes == pytest.approx([4, 0, 0, 4])


def test_a_site_within_the_distance_of_one_place_is_a_conflict_and_one_a_little_larger_is_not() -> None:
    zones = ZoneSet.prepare([shapely.Point(0, 0)], 5.0)
    assert split(shapely.box(-20, -20, 20, 20), 1.0, zones, 40.0).verdict == CONFLICT
    assert split(shapely.box(-20, -20, 20, 20), 1.0, zones, 40.0).amounts[1:] == (0.0, 0.0, 0.0)
    assert split(shapely.box(-26, -26, 26, 26), 1.0, zones, 40.0).amounts[2] > 0
