"""A site judged alone takes the short ways; it gets the very answer that it gets on the long one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.kernel import Parts, ZoneSet, depth_within, side_of
from gis.screening import case, ground
from gis.screening.findings import worst
from gis.screening.inputs import PreparedLayer
from gis.screening.judge import judge
from gis.screening.judgement import Judgement
from tests.screening.making import LAW_DATE, pack, rule, things, verdicts, zones
from tests.screening.test_judge_properties import FEW, SEEDS, World, blob

RULES = (
    rule(id="A-01", zone_where={"grade": "1"}),
    rule(id="A-02", zone_where={"grade": "1"}, subject_where={"big": True}),
    rule(id="A-03", subject_where={"big": False}),
    rule("dwithin", id="B-01", distance_m=60, statutory=True, zone_where={"grade": "1"}),
    rule("dwithin", id="B-02", distance_m=0, statutory=True),
    rule("area_share", id="B-03", min_share=0.2),
    rule("area_share", id="B-04", min_area_m2=1e9),
    rule("area_share_outside", id="C-01", min_share=0.3),
    rule("count_gt", id="C-02", n=1),
    rule("disjoint", id="C-03", zone_where={"grade": "2"}),
    rule("dwithin_by", id="C-04", attribute="grade", distances_m={"1": 40, "2": 90}, statutory=True),
    rule("dwithin_stated", id="C-05", attribute="reach", at_most_m=300, statutory=True),
)


def sites(rng: np.random.Generator, world: World) -> list[Any]:
    """Parcels with and without holes, lines, points; near and far, on rims of zones and of the coverage."""
    zone = world.layer.geoms[0]
    rim = shapely.get_coordinates(zone)[0]
    found: list[Any] = [blob(rng, 900, rng.uniform(5, 200)) for _ in range(6)]
    found += [
        shapely.LineString(rng.uniform(-900, 900, (4, 2))),
        shapely.MultiPoint(rng.uniform(-900, 900, (3, 2))),
    ]
    found += [shapely.Point(xy) for xy in (*rng.uniform(-900, 900, (4, 2)), rim)]
    found += [
        zone,
        zone.boundary if zone.geom_type == "Polygon" else zone,
        shapely.box(*(rim - 5), *(rim + 5)),
    ]
    found += [
        shapely.box(-705, -20, -695, 20),
        shapely.box(5000, 5000, 5040, 5020),
        shapely.Point(5000, 5000),
    ]
    return found


@contextmanager
def the_long_way() -> Iterator[None]:
    """No shortcut for few subjects; those for one alone are not taken when another is judged beside it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(case, "FEW", 0)
        patched.setattr(ground, "FEW", 0)
        yield


def told(judged: Judgement) -> list[Any]:
    """All that a record is written from, but for numbers and the geometry of parts."""
    findings = [
        (f.rule.id, f.verdict, f.severity, f.missing, f.applies, f.on_boundary, f.zones and [
            (z.uid, z.verdict, z.severity, z.on_boundary, z.witness.geom_type) for z in f.zones
        ])
        for f in judged.findings(0)
    ]  # fmt: skip
    cleared = [(c.rule.id, c.code, c.names) for c in judged.cleared(0)]
    return [
        findings,
        cleared,
        [worst(own) for own in judged.themes(judged.findings(0)).values()],
    ]


def numbers(judged: Judgement) -> list[float | None]:
    found = []
    for f in judged.findings(0):
        found += [f.margin_m, f.error_m]
        for z in f.zones:
            found += [z.overlap_m2, z.overlap_m, z.share, z.distance_m, z.bearing_deg, z.margin_m, z.error_m]
            found += shapely.get_coordinates(z.witness).ravel().tolist()
    return found


def divisions(judged: Judgement) -> list[Parts]:
    every = [f.parts for f in judged.findings(0)] + [judged.parts(0, g) for g in (None, *judged.groups())]
    return [parts for parts in every if parts is not None]


@FEW
@given(SEEDS, st.sampled_from([0.0, 15.0, 300.0, float("nan")]), st.sampled_from([None, True]))
def test_the_short_way_gives_the_answer_of_the_long_one(seed: int, accuracy: float, big: bool | None) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    indicative = rng.random(len(world.layer.geoms)) < 0.4
    layer = PreparedLayer(replace(world.layer, is_indicative=indicative))
    for site in sites(rng, world):
        subject = things([site], accuracy, big=[big])
        short = judge(subject, {"zones": layer}, [pack(*RULES)], LAW_DATE)
        with the_long_way():
            beside = things([site, shapely.Point(0, 0)], accuracy, big=[big, big])
            long = judge(beside, {"zones": layer}, [pack(*RULES)], LAW_DATE)
        assert told(short) == told(long), site.wkt
        for one, other in zip(numbers(short), numbers(long), strict=True):
            assert one == other or one == pytest.approx(other, rel=1e-9, abs=1e-6), site.wkt
        # The same places; vertices that an overlay leaves along a straight edge may differ.
        for mine, theirs in zip(divisions(short), divisions(long), strict=True):
            np.testing.assert_allclose(mine.sizes, theirs.sizes, rtol=1e-9, atol=1e-6)
            for ours, others in zip(mine.geoms, theirs.geoms, strict=True):
                assert ours.is_empty == others.is_empty
                assert ours.is_empty or shapely.hausdorff_distance(ours, others) < 1e-6


@FEW
@given(SEEDS, st.sampled_from([0.0, 15.0, float("nan")]))
def test_verdicts_are_the_same_without_the_facts(seed: int, accuracy: float) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    layer = PreparedLayer(world.layer)
    for site in sites(rng, world):
        subject = things([site], accuracy)
        whole, bare = (
            judge(subject, {"zones": layer}, [pack(*RULES)], LAW_DATE, facts=facts) for facts in (True, False)
        )
        findings = [
            [(f.rule.id, f.verdict, f.severity, f.missing) for f in judged.findings(0)]
            for judged in (whole, bare)
        ]
        assert findings[0] == findings[1], site.wkt
        assert verdicts(whole) == verdicts(bare) == [worst(whole.findings(0))[0]]


def test_a_corner_tells_the_verdict_without_an_overlay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none tells, as of a site that is all within the errors of the rim, the overlay is made."""
    layer = replace(zones([shapely.box(0, 0, 100, 100)], 5.0), coverage=None)
    rules = [pack(rule(id="A-01"), rule("dwithin", id="B-01", distance_m=60, statutory=True))]

    def told(site: shapely.Geometry, facts: bool) -> list[tuple[str, str, tuple[str, ...]]]:
        judged = judge(things([site], 5.0), {"zones": PreparedLayer(layer)}, rules, LAW_DATE, facts=facts)
        return [(f.rule.id, f.verdict, f.missing) for f in judged.findings(0)]

    half_in, at_the_rim = shapely.box(50, 50, 250, 60), shapely.box(94, 40, 106, 50)
    both = [("A-01", "conflict", ("coverage",)), ("B-01", "conflict", ("coverage",))]
    assert told(half_in, True) == both
    assert told(at_the_rim, True) == told(at_the_rim, False) != both
    monkeypatch.setattr(ground, "split", lambda *_args, **_keywords: pytest.fail("an overlay was made"))
    assert told(half_in, False) == both


def test_a_site_of_parts_on_both_sides_of_a_rim_is_not_within_it() -> None:
    """Neither part comes near the outline, so its distance alone would not tell."""
    coverage = ZoneSet.prepare([shapely.box(0, 0, 100, 100)], 0.0)
    inside, outside = shapely.box(45, 45, 55, 55), shapely.box(500, 45, 510, 55)
    assert depth_within(inside, coverage) == 45.0
    assert depth_within(outside, coverage) == -400.0
    both = shapely.union(inside, outside)
    assert depth_within(both, coverage) == 0.0
    assert (side_of(inside, coverage), side_of(outside, coverage), side_of(both, coverage)) == (
        45,
        -400,
        None,
    )
    layer = replace(zones([shapely.box(900, 900, 910, 910)], 0.0), coverage=coverage.geoms[0])
    for subject in (things([both], 1.0), things([both, inside], 1.0)):
        judged = judge(subject, {"zones": layer}, [pack(rule())], LAW_DATE)
        assert [(f.verdict, f.missing) for f in judged.findings(0)] == [("unknown", ("coverage",))]


@FEW
@given(SEEDS)
def test_a_depth_that_is_not_measured_to_the_end_is_a_bound_beyond_what_is_asked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    coverage = ZoneSet.prepare([shapely.Point(0, 0).buffer(600, quad_segs=3)], 0.0)
    one, other = shapely.box(-9, -9, 9, 9), shapely.box(5000, 0, 5010, 9)
    for site in (blob(rng, 900, 30), blob(rng, 900, 5), one, other, shapely.union(one, other)):
        exact = depth_within(site, coverage)
        inside, outside = rng.uniform(0, 400, 2)
        told = side_of(site, coverage, inside_m=inside, outside_m=outside)
        told = exact if told is None else told
        assert told == exact or inside < told < exact or exact < told < -outside
        assert told != exact or site not in (one, other)


@pytest.mark.parametrize(
    ("site", "within"),
    [
        (shapely.box(45, 45, 55, 55), True),
        (shapely.box(500, 45, 510, 55), False),
        (shapely.box(5000, 45, 5010, 55), False),  # farther than any rule looks
        (shapely.box(10, 10, 40, 40), None),  # around the hole
        (shapely.box(100 - 1e-4, 45, 110, 55), None),
        (shapely.box(100 + 1e-4, 45, 110, 55), None),  # in the seam
        (shapely.LineString([(90, 50), (110, 50)]), None),
    ],
)
def test_the_judge_tells_of_a_coverage_what_predicates_would(
    site: shapely.Geometry, within: bool | None
) -> None:
    """Only where its outline is elsewhere: there the one cannot be told from the other."""
    coverage = shapely.box(0, 0, 100, 100).difference(shapely.box(20, 20, 25, 25))
    layer = replace(zones([shapely.box(900, 900, 910, 910)], 0.0), coverage=coverage)
    judged = judge(things([site], 1.0), {"zones": layer}, [pack(rule())], LAW_DATE)
    assert list(judged.within.values()) == ([] if within is None else [within])
    if within is not None:
        assert within is shapely.covers(coverage, site).item() is shapely.intersects(coverage, site).item()


def test_what_is_kept_of_one_site_is_not_given_to_another() -> None:
    """The docket goes by attributes with their types, by kinds, law and packs; never by the place."""
    rules = (
        rule(id="A-01", subject_where={"big": True}),
        rule(id="A-02", subject_where={"big": 1}),
        rule(id="A-03", unless=({"where": {"big": True}, "note": {"zh": "免", "en": "exempt"}},)),
    )
    zones = PreparedLayer(World.draw(np.random.default_rng(1)).layer)
    packs, zone = [pack(*rules)], zones.source.geoms[0]

    def open_for(big: Any, day: date = LAW_DATE) -> list[str]:
        judged = judge(things([zone.representative_point()], 0.0, big=[big]), {"zones": zones}, packs, day)
        return sorted(f.rule.id for f in judged.findings(0))

    for _ in range(2):
        assert open_for(True) == ["A-01"]
        assert open_for(1) == ["A-02", "A-03"]
        assert open_for(False) == ["A-03"]
        assert open_for(None) == ["A-01", "A-02", "A-03"]
    before = judge(things([zone], 0.0, big=[True]), {"zones": zones}, packs, date(1900, 1, 1)).findings(0)
    assert [f.has_basis for f in before] == [False]
