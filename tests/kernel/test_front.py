"""The lines chosen for a site decide its places as all lines do."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from gis.kernel.boundary import outlines
from gis.kernel.front import front_of, is_held
from tests.kernel import shapes


@pytest.mark.parametrize("radius", [3.0, 40.0, 400.0])
@pytest.mark.parametrize("side", [1.0, 30.0, 300.0])
def test_few_lines_give_each_place_of_the_site_the_answer_of_all(radius: float, side: float) -> None:
    rng = np.random.default_rng(31)
    lines, _ = outlines(np.array(shapes.blobs(rng, 25, 2000.0, 300.0, 900), dtype=object))
    fewer = 0
    for east, north in np.array([shapes.EAST, shapes.NORTH]) + rng.uniform(0, 2000, (12, 2)):
        site = shapes.blob(rng, east, north, side, 20)
        front = front_of(site, lines, radius)
        places = shapely.points(np.array([east, north]) + rng.uniform(-1.5 * side, 1.5 * side, (300, 2)))
        places = places[shapely.intersects(site, places)]
        by_all = shapely.dwithin(shapely.union_all(lines), places, radius)
        by_front = shapely.dwithin(shapely.union_all(front), places, radius)
        assert (by_all == by_front).all()
        fewer += len(front) < len(lines) / 4
    assert fewer >= 6


def test_a_line_or_a_very_narrow_site_has_a_front_too() -> None:
    lines, _ = outlines(np.array([shapely.box(0, 0, 100, 100).segmentize(1)], dtype=object))
    level = shapely.LineString([(10, 110), (60, 110)])
    assert 0 < len(front_of(level, lines, 20.0)) < len(lines)
    assert len(front_of(shapely.LineString([(10, 500), (60, 500)]), lines, 20.0)) == 0


@pytest.mark.parametrize("radius", [1.0, 6.0])
def test_among_scattered_dashes_none_is_missed_that_is_nearest_to_a_corner_of_a_cell(radius: float) -> None:
    rng = np.random.default_rng(32)
    start = rng.uniform(0, 100, (1500, 2))
    dashes = shapely.linestrings(np.stack([start, start + rng.uniform(-0.2, 0.2, start.shape)], axis=1))
    site = shapely.box(20, 20, 80, 80)
    places = shapely.points(rng.uniform(20, 80, (20_000, 2)))
    by_all = shapely.STRtree(dashes).query_nearest(places, return_distance=True, all_matches=False)[1]
    front = front_of(site, dashes, radius)
    by_front = shapely.STRtree(front).query_nearest(places, return_distance=True, all_matches=False)[1]
    assert (by_front[by_all <= radius] == by_all[by_all <= radius]).all()
    assert len(front) < len(dashes)


def test_a_site_is_held_only_where_each_place_of_it_is_in_a_zone_or_within_the_radius() -> None:
    rng = np.random.default_rng(33)
    zones = np.array(shapes.blobs(rng, 5, 900.0, 200.0, 300), dtype=object)
    lines, _ = outlines(zones)
    east, north = shapes.EAST, shapes.NORTH
    told = []
    for _ in range(60):
        site = shapes.blob(rng, *(np.array([east, north]) + rng.uniform(0, 900, 2)), rng.uniform(20, 150), 20)
        radius = float(rng.uniform(31, 90))
        near = lines[shapely.dwithin(lines, site, radius + 1)]
        bodies = zones[shapely.intersects(zones, shapely.box(*site.bounds))]
        if not len(near):
            continue
        held = is_held(site, bodies, near, radius)
        corners = shapely.points(shapely.get_coordinates(site))
        places = shapely.points(rng.uniform(site.bounds[:2], site.bounds[2:], (500, 2)))
        places = np.concatenate([corners, places[shapely.intersects(site, places)]])
        away = shapely.STRtree(lines).query_nearest(places, return_distance=True, all_matches=False)[1]
        inside = np.zeros(len(places), dtype=bool)
        inside[shapely.STRtree(zones).query(places, predicate="intersects")[0]] = True
        assert not held or (inside | (away < radius)).all()
        told.append(held)
    assert 10 < sum(told) < len(told) - 10
