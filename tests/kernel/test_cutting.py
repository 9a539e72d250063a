"""Cut zones are the same zones: no fact changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from gis.errors import KernelInputError
from gis.kernel import (
    ZoneSet,
    classify_points,
    cut,
    intersecting,
    overlap,
    points_in_zones,
    signed_margin,
    split,
    within,
)
from tests.kernel import shapes


@pytest.fixture(scope="module")
def zones() -> np.ndarray[Any, Any]:
    return shapes.zone_mix(np.random.default_rng(5), 3000.0)


@pytest.fixture(scope="module")
def subjects() -> np.ndarray[Any, Any]:
    return shapes.subject_mix(np.random.default_rng(6), 3000.0)[::16]


def test_pieces_are_small_valid_and_add_up_to_their_zones(zones: np.ndarray[Any, Any]) -> None:
    pieces = cut(zones, 16)
    area = np.bincount(pieces.owner, shapely.area(pieces.geoms), minlength=len(zones))
    assert shapely.is_valid(pieces.geoms).all()
    assert shapely.get_num_coordinates(pieces.geoms).max() <= 16
    assert np.abs(area / shapely.area(zones) - 1).max() < 1e-9
    assert (np.diff(pieces.owner) >= 0).all()


def test_pieces_of_one_zone_do_not_overlap(zones: np.ndarray[Any, Any]) -> None:
    biggest = zones[np.argmax(shapely.get_num_coordinates(zones))]
    pieces = cut([biggest], 64).geoms
    a, b = shapely.STRtree(pieces).query(pieces, predicate="intersects")
    other = a < b
    shared = shapely.area(shapely.intersection(pieces[a[other]], pieces[b[other]]))
    assert len(shared) > 10 and shared.max() < 1e-6


def test_a_piece_that_fills_its_box_is_whole_and_a_slanted_one_is_not() -> None:
    square = shapely.box(0, 0, 10, 10)
    pieces = cut([square, shapely.Polygon([(0, 5), (5, 0), (10, 5), (5, 10)])], 8)
    assert pieces.whole.tolist() == [True, False]


def test_a_line_is_split_at_its_own_vertices_only() -> None:
    line = shapely.LineString(np.c_[np.arange(100.0), np.sin(np.arange(100.0))])
    pieces = cut([line], 10)
    assert len(pieces) == 11
    assert shapely.line_merge(shapely.multilinestrings(pieces.geoms)).equals(line)


def test_empty_zones_leave_no_piece_and_points_pass() -> None:
    pieces = cut([shapely.Polygon(), shapely.MultiPoint([(0, 0), (1, 1)]), shapely.GeometryCollection()], 8)
    assert pieces.owner.tolist() == [1, 1]
    assert shapely.get_type_id(pieces.geoms).tolist() == [0, 0]


def test_vertices_that_no_cut_can_divide_stay_together() -> None:
    star = [
        shapely.Polygon([(0, 0), (np.cos(a), np.sin(a)), (np.cos(a + 0.1), np.sin(a + 0.1))])
        for a in np.arange(0, 6, 0.2)
    ]
    zone = shapely.MultiPolygon(star)
    assert zone.is_valid
    pieces = cut([zone, shapely.box(0, 0, 1, 1).buffer(1e-9, quad_segs=64)], 8)
    assert shapely.area(pieces.geoms[pieces.owner == 0]).sum() == pytest.approx(zone.area, rel=1e-9)


def test_an_invalid_zone_is_refused_with_index_and_reason() -> None:
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    with pytest.raises(KernelInputError, match=r"geoms\[1\] is invalid: Self-intersection"):
        cut([shapely.box(0, 0, 1, 1), bow])


@pytest.mark.parametrize("max_vertices", [8, 96])
def test_cutting_changes_no_fact(
    zones: np.ndarray[Any, Any], subjects: np.ndarray[Any, Any], max_vertices: int
) -> None:
    some = zones[::3]
    pieces = ZoneSet.prepare(some, 2.0, max_vertices=max_vertices)
    uncut = ZoneSet.prepare(some, 2.0, max_vertices=10**9)
    s, z = intersecting(subjects, uncut)
    xy = shapes.vertices_of(np.random.default_rng(7), list(some), 400)
    for fact, tolerance in facts(subjects, s, z, xy):
        for ours, plain in zip(fact(pieces), fact(uncut), strict=True):
            assert ours.shape == plain.shape
            assert np.allclose(ours, plain, rtol=1e-9, atol=tolerance, equal_nan=True)


def facts(subjects: Any, s: Any, z: Any, xy: Any) -> list[Any]:
    """Pairs, counts, areas, distances, margins, verdicts: each as arrays, with the tolerance of its unit."""

    def verdicts(zones: ZoneSet) -> Any:
        found = classify_points(xy, 1.0, zones, 20.0)
        return found.verdict, found.margin_m, found.error_m

    def parts(zones: ZoneSet) -> Any:
        sites = [subject for subject in subjects[::5] if subject.geom_type != "Point"]
        return (np.array([split(site, 3.0, zones, 10.0).sizes for site in sites]),)

    return [
        (lambda zones: intersecting(subjects, zones), 0.0),
        (lambda zones: points_in_zones(xy, zones), 0.0),
        (lambda zones: (overlap(subjects, zones, s, z),), 1e-6),
        (lambda zones: within(subjects, zones, 77.7), 1e-6),
        (lambda zones: (signed_margin(subjects, zones).margin_m,), 1e-6),
        (verdicts, 1e-6),
        (parts, 1e-6),
    ]
