"""Areas, lengths, distances, directions and witnesses of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from gis.errors import KernelInputError
from gis.kernel import ZoneSet, bearing, distance, overlap, sharing, size, split, witness
from tests.kernel import shapes

SQUARE = shapely.box(0, 0, 10, 10)


@pytest.mark.parametrize("scale", [1.0, 300.0, 10_000.0])
def test_edges_shared_at_a_slant_lose_no_area(scale: float) -> None:
    # A plain floating-point overlay gets a few of these wrong by the whole area, without an error.
    subjects, others, true = shapes.slanted_pairs(np.random.default_rng(3), 3000, scale)
    pairs = np.arange(len(subjects))
    found = overlap(subjects, ZoneSet.prepare(others, 0.0), pairs, pairs)
    assert np.abs(found - true).max() <= max(1e-9 * true.max(), 1e-6)


def test_a_pair_that_a_floating_point_overlay_gets_wrong_is_divided_rightly() -> None:
    site = shapely.Polygon([(127.5, -169.25), (-134.25, -10.5), (-125.5, 105.5), (135.5, 171.5)])
    zone = shapely.affinity.scale(site, 0.5, 0.5, origin=(127.5, -169.25))
    moved = shapely.affinity.rotate(zone, 17.0, origin=(0, 0))
    parts = split(shapely.affinity.rotate(site, 17.0, origin=(0, 0)), 0.0, ZoneSet.prepare([moved], 0.0))
    assert parts.sizes[0] == pytest.approx(site.area / 4, rel=1e-9)


def test_the_area_of_a_subject_is_in_square_metres_and_of_a_line_in_metres() -> None:
    subjects = [shapely.box(5, 5, 15, 15), shapely.LineString([(5, 5), (25, 5)]), shapely.Point(5, 5), SQUARE]
    zones = ZoneSet.prepare([SQUARE], 0.0)
    assert overlap(subjects, zones, range(4), [0] * 4).tolist() == pytest.approx([25, 5, 0, 100])


def test_a_subject_wholly_inside_has_its_own_area_to_the_last_digit() -> None:
    subject = shapes.blob(np.random.default_rng(1), 500, 500, 37.0, 40)
    zones = ZoneSet.prepare([shapely.box(0, 0, 1000, 1000)], 0.0)
    assert overlap([subject], zones, [0], [0])[0] == subject.area


def test_a_line_along_a_cut_edge_counts_once() -> None:
    zone = shapely.box(0, 0, 100, 100).segmentize(1.0)
    zones = ZoneSet.prepare([zone], 0.0, max_vertices=8)
    edges = [shapely.boundary(piece) for piece in zones.pieces.geoms]
    inside = [shapely.intersection(edge, shapely.box(1, 1, 99, 99)) for edge in edges[::7]]
    lines = [line for line in shapely.get_parts(inside) if line.length > 5]
    assert len(lines) > 5
    index = np.arange(len(lines))
    assert overlap(lines, zones, index, np.zeros(len(lines), int)) == pytest.approx(
        [line.length for line in lines]
    )


def test_two_lines_share_the_stretch_they_run_together() -> None:
    river = ZoneSet.prepare([shapely.LineString([(0, 0), (10, 0), (10, 10)])], 0.0)
    assert overlap([shapely.LineString([(4, 0), (10, 0), (10, 3), (20, 3)])], river, [0], [0])[0] == 9


def test_pairs_that_do_not_meet_and_empty_subjects_share_nothing() -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.Polygon()], 0.0)
    assert overlap([shapely.box(20, 0, 30, 10), shapely.Polygon()], zones, [0, 1, 0], [0, 0, 1]).tolist() == [
        0,
        0,
        0,
    ]


def test_bearing_is_clockwise_from_grid_north_and_none_where_they_meet() -> None:
    zones = ZoneSet.prepare([SQUARE], 0.0)
    around = [(5, -5), (-5, 5), (5, 15), (15, 5), (15, 15), (5, 5)]
    found = bearing(shapely.points(around), zones, range(6), [0] * 6)
    assert found.tolist() == pytest.approx([0, 90, 180, 270, 225, np.nan], nan_ok=True)


def test_distance_is_to_the_nearest_edge_and_zero_inside() -> None:
    ring = shapely.box(-50, -50, 50, 50) - shapely.box(-40, -40, 40, 40)
    zones = ZoneSet.prepare([ring, SQUARE], 0.0, max_vertices=8)
    assert distance(
        shapely.points([(0, 0), (0, 0), (60, 0), (45, 0)]), zones, range(4), [0, 1, 0, 0]
    ).tolist() == [40, 0, 10, 0]


def test_a_witness_is_the_shared_geometry_or_the_shortest_line() -> None:
    zones = ZoneSet.prepare([SQUARE], 0.0)
    overlapping, line, spot = witness(
        [shapely.box(5, 5, 15, 15), shapely.box(20, 0, 30, 10), shapely.Point(3, 3)],
        zones,
        [0, 1, 2],
        [0, 0, 0],
    )
    assert overlapping.equals(shapely.box(5, 5, 10, 10))
    assert line.length == 10 and line.coords[0][0] == 20 and line.coords[1][0] == 10
    assert spot.equals(shapely.Point(3, 3))


@pytest.mark.parametrize(
    "subject",
    [
        shapely.box(5, 5, 15, 15),
        shapely.box(2, 2, 3, 3),
        shapely.box(10, 0, 12, 10),
        shapely.MultiPolygon([shapely.box(1, 1, 2, 2), shapely.box(30, 1, 32, 2)]),
        shapely.LineString([(5, 5), (25, 5)]),
        shapely.MultiLineString([[(5, 5), (8, 5)], [(25, 5), (28, 5)]]),
    ],
)
def test_what_is_shared_is_witness_and_overlap(subject: Any) -> None:
    zones = ZoneSet.prepare([SQUARE, shapely.box(-50, -50, 50, 50)], 0.0, max_vertices=8)
    for zone in (0, 1):
        shown, amount = sharing(subject, zones, zone)
        assert shown.equals(witness([subject], zones, [0], [zone])[0])
        assert amount == pytest.approx(overlap([subject], zones, [0], [zone])[0], abs=1e-9)
        # By the engine's own overlay: a part outside is not shown, though it meets no outline either.
        assert shown.equals(subject.intersection(zones.geoms[zone]))


def test_a_witness_a_rounding_step_away_is_a_point() -> None:
    slanted = shapely.Polygon(
        [
            (461847.8880123394, 3165740.4379810016),
            (462137.5814338296, 3165501.6221953304),
            (461753.9189374134, 3165331.3366666758),
        ]
    )
    near = shapely.Point(462054.90228981, 3165569.780749419)
    assert 0 < near.distance(slanted) < 1e-9 and shapely.shortest_line(near, slanted).length == 0
    (shown,) = witness([near], ZoneSet.prepare([slanted], 0.0), [0], [0])
    assert shown.equals(near)


def test_a_pair_that_names_an_empty_geometry_has_no_distance() -> None:
    with pytest.raises(KernelInputError, match="empty geometry"):
        distance([shapely.Point()], ZoneSet.prepare([SQUARE], 0.0), [0], [0])


def test_size_is_area_length_or_nothing() -> None:
    assert size([SQUARE, SQUARE.exterior, shapely.Point(0, 0), shapely.Polygon()]).tolist() == [100, 40, 0, 0]
