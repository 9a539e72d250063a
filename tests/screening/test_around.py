"""What is measured once of one subject and the zones around it is what is measured of each pair."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.kernel import CONFLICT, ZoneSet, margin_inside, signed_margin, split
from gis.kernel.arrays import TOUCH_M
from gis.kernel.reach import Reach
from gis.screening.around import Around
from gis.screening.ground import near_pairs
from tests.kernel import shapes
from tests.screening.test_alone import sites
from tests.screening.test_judge_properties import FEW, SEEDS, World


@FEW
@given(SEEDS, st.sampled_from([0.0, 15.0, 300.0]), st.sampled_from([0.0, 40.0, 300.0]))
def test_the_zones_around_a_subject_are_those_of_its_pairs(seed: int, accuracy: float, reach: float) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    zones = ZoneSet.prepare(world.layer.geoms, world.layer.accuracy_m, max_vertices=16)
    for site in sites(rng, world):
        around = Around(site, accuracy, zones, reach)
        _, near, gap = near_pairs(np.array([site], dtype=object), np.array([accuracy]), zones, reach)
        assert around.near[0].tolist() == near.tolist()
        assert around.near[1].tolist() == gap.tolist()
        for zone, geometry in enumerate(zones.geoms):
            error = np.nan_to_num(accuracy + zones.accuracy_m[zone])
            deep = around.is_deep_in(zone, float(error))
            area = shapely.get_dimensions(geometry) == 2 and shapely.get_num_geometries(site) == 1
            away = shapely.distance(site, shapely.boundary(geometry))
            assert deep == (area and shapely.intersects(geometry, site) and away > error)
            if deep:
                one = ZoneSet.prepare([geometry], zones.accuracy_m[zone])
                assert np.isnan(zones.accuracy_m[zone]) or split(site, accuracy, one).verdict == CONFLICT


@FEW
@given(SEEDS)
def test_a_margin_inside_is_the_signed_margin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    zones = ZoneSet.prepare(world.layer.geoms, world.layer.accuracy_m)
    for site in sites(rng, world):
        met = zones.geoms[shapely.intersects(zones.geoms, site)]
        if not (shapely.get_dimensions(met) == 2).any():
            continue
        assert zones.union.is_whole or margin_inside(site, zones) is None
        zones.union.whole()
        quick, whole = margin_inside(site, zones), signed_margin([site], zones)
        if quick is None:
            assert abs(whole.margin_m[0]) <= TOUCH_M
            continue
        for name in ("margin_m", "zone", "error_zone_accuracy_m", "on_boundary"):
            np.testing.assert_array_equal(getattr(quick, name), getattr(whole, name))


def test_limits_that_do_not_come_near_a_site_change_nothing_where_they_are_not_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(7)
    blobs = shapes.blobs(rng, 8, 900.0, 200.0, 60)
    zones = ZoneSet.prepare(blobs, 5.0)
    asked, held = 0, 0
    for _ in range(14):
        at = np.array([shapes.EAST, shapes.NORTH]) + rng.uniform(0, 900, 2)
        site = shapes.blob(rng, *at, rng.uniform(20, 150), 20)
        reach = Reach.around(site, 2.0, zones, 100.0)
        quick = split(site, 2.0, zones, 100.0)
        with monkeypatch.context() as patched:
            patched.setattr(Reach, "holds_all", lambda _self: False)
            drawn = split(site, 2.0, zones, 100.0)
        assert [g.wkb for g in quick.geoms] == [g.wkb for g in drawn.geoms]
        assert quick.sizes.tolist() == drawn.sizes.tolist()
        asked += 1
        held += reach.holds_all()
    assert 3 < held < asked - 3
