"""Areas that pairs of polygons share: summed over their edges, against overlays and lattices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from gis.kernel import ZoneSet, intersecting, overlap, shared
from gis.kernel.shared import shared_area
from gis.kernel.strips import INSIDE, OUTLINE, OUTSIDE, Strips
from tests.kernel import shapes


def array(*geoms: shapely.Geometry) -> np.ndarray:
    return np.array(geoms, dtype=object)


def each_pair(ones: Any, others: Any) -> Any:
    rows = np.arange(len(ones))
    return shared_area(array(*ones), array(*others), rows, rows)


def patches(rng: shapes.Rng, count: int) -> tuple[Any, Any]:
    """Unions of unit squares, bool[count, 6, 6], as polygons: with holes, in parts, touching at corners."""
    filled = rng.random((count, 6, 6)) < rng.uniform(0.2, 0.9, (count, 1, 1))
    filled[:, 0, 0] = True
    squares = [shapely.box(x, y, x + 1, y + 1) for x, y in np.ndindex(6, 6)]
    return filled, array(*(shapely.union_all(array(*squares)[cells.reshape(-1)]) for cells in filled))


def laid(patch: Any, by: Any, angle: float, size: float) -> Any:
    """A patch moved on its lattice, which is then turned, stretched and taken to a plane's coordinates."""
    matrix = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return shapely.transform(patch, lambda xy: (xy + by) @ matrix + [shapes.EAST, shapes.NORTH])


def check_patches(seed: int, count: int) -> None:
    """Areas of pairs of patches are the squares that both have, whichever way the lattice lies."""
    rng = np.random.default_rng(seed)
    filled, patch = patches(rng, count)
    i, j = rng.integers(0, count, (2, 4 * count))
    shift = rng.integers(-6, 7, (len(i), 2))
    both = np.zeros(len(i))
    for pair, (x, y) in enumerate(shift.tolist()):
        moved = np.zeros((18, 18), dtype=bool)
        moved[6 + x : 12 + x, 6 + y : 12 + y] = filled[j[pair]]
        both[pair] = (moved[6:12, 6:12] & filled[i[pair]]).sum()
    size = 10 ** rng.uniform(0, 3)
    angle = rng.choice([0.0, 0.25, rng.random(), rng.random()], len(i)) * 2 * np.pi
    ones = [laid(patch[row], (0, 0), turn, size) for row, turn in zip(i, angle, strict=True)]
    others = [laid(patch[row], by, turn, size) for row, by, turn in zip(j, shift, angle, strict=True)]
    off = np.abs(each_pair(ones, others) - both * size**2)
    # Coordinates carry half a nanometre, along at most 84 sides of a square.
    assert off.max() <= 84 * 5e-10 * size, off.max()
    assert (both == 0).sum() > count / 20 and (both > 5).sum() > count / 4


def test_areas_of_patches_on_one_lattice_are_whole_numbers_of_its_squares() -> None:
    check_patches(51, 150)


@pytest.mark.long
def test_areas_of_very_many_patches_on_one_lattice_are_whole_numbers_of_its_squares() -> None:
    for seed in range(100):
        check_patches(1000 + seed, 150)


def check_against_a_grid(seed: int, width: float, count: int) -> None:
    """Areas of rough shapes, frames, parts and slivers are those of an overlay on a grid."""
    rng = np.random.default_rng(seed)
    subjects = shapes.subject_mix(rng, width)
    subjects = subjects[shapely.get_dimensions(subjects) == 2]
    zones = shapes.zone_mix(rng, width)
    i, j = shapely.STRtree(zones).query(subjects)
    some = rng.permutation(len(i))[:count]
    i, j = i[some], j[some]
    origin = np.array([shapes.EAST, shapes.NORTH])
    ours, theirs = (shapely.transform(geoms, lambda xy: xy - origin) for geoms in (subjects, zones))
    grid = shapely.area(shapely.intersection(ours[i], theirs[j], grid_size=2.0**-34))
    off = np.abs(shared_area(subjects, zones, i, j) - grid)
    assert (off <= np.maximum(1e-9 * grid, 1e-6)).all(), off.max()
    assert (grid == 0).sum() > count / 50 and (grid > 1000).sum() > count / 10


def test_areas_are_those_of_an_overlay_on_a_grid() -> None:
    check_against_a_grid(52, 3000.0, 2500)


@pytest.mark.long
def test_very_many_areas_are_those_of_an_overlay_on_a_grid() -> None:
    for seed in range(12):
        check_against_a_grid(2000 + seed, 3000.0, 8_000)


def test_an_area_does_not_depend_on_what_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(53)
    ones, others = (
        array(*shapes.blobs(rng, 60, 800.0, 150.0, 60)),
        array(*shapes.blobs(rng, 40, 800.0, 300.0, 90)),
    )
    i, j = shapely.STRtree(others).query(ones)
    together = shared_area(ones, others, i, j)
    assert (together > 0).sum() > 100
    back = shared_area(others, ones, j, i)
    assert np.abs(back - together).max() < 1e-7
    monkeypatch.setattr(shared, "MOST_EDGES", 1000)
    monkeypatch.setattr(shared, "MOST_TERMS", 400)
    assert (shared_area(ones, others, i, j) == together).all()
    turned = rng.permutation(len(i))
    assert (shared_area(ones, others, i[turned], j[turned]) == together[turned]).all()


def test_outlines_that_touch_or_miss_by_rounding_share_none_or_all() -> None:
    site = shapely.transform(shapely.box(0, 0, 100, 70), lambda xy: xy @ [[0.8, 0.6], [-0.6, 0.8]] + 5e5)
    beside = shapely.affinity.translate(site, 80, 60)
    corner = shapely.affinity.translate(site, 80 - 42, 60 + 56)
    grown = shapely.transform(site, lambda xy: xy + np.spacing(xy))
    zones = array(site, beside, corner, grown, shapely.affinity.translate(site, 500, 0))
    found = overlap([site], ZoneSet.prepare(zones, 0.0), np.zeros(5, int), np.arange(5))
    assert found[:3].tolist() == [site.area, 0.0, 0.0] and found[4] == 0.0
    assert found[3] == pytest.approx(site.area, abs=1e-6)


def test_a_subject_of_very_many_vertices_is_measured_in_parts() -> None:
    rng = np.random.default_rng(54)
    subject = shapes.blob(rng, shapes.EAST, shapes.NORTH, 2000.0, 9000, 3)
    zones = array(*shapes.blobs(rng, 12, 2000.0, 900.0, 3000), subject, subject.buffer(10))
    every = np.arange(len(zones))
    found = overlap([subject], ZoneSet.prepare(zones, 0.0), np.zeros(len(zones), int), every)
    whole = shapely.area(shapely.intersection(subject, zones, grid_size=2.0**-20))
    assert found == pytest.approx(whole, rel=1e-8, abs=1e-2)
    assert found[-2:].tolist() == [subject.area, subject.area]


def test_areas_of_many_are_those_of_each_zone_whole() -> None:
    rng = np.random.default_rng(41)
    zones = shapes.zone_mix(rng, 3000.0)[::5]
    subjects = array(*shapes.blobs(rng, 120, 3000.0, 150.0, 40), *shapes.tiles(rng, 120, 3000.0, 100.0))
    prepared = ZoneSet.prepare(zones, 0.0, max_vertices=32)
    assert prepared.strips(10**6) is not None
    s, z = intersecting(subjects, prepared)
    assert set(zip(s.tolist(), z.tolist(), strict=True)) == {
        (int(a), int(b)) for b, a in shapely.STRtree(subjects).query(zones, "intersects").T
    }
    area = overlap(subjects, prepared, s, z)
    whole = shapely.area(shapely.intersection(subjects[s], zones[z], grid_size=2.0**-20))
    assert np.abs(area - whole).max() < 0.01
    twice = overlap(subjects, prepared, np.r_[s, s[::-1]], np.r_[z, z[::-1]])
    assert (twice == np.r_[area, area[::-1]]).all()


def test_a_box_is_held_inside_outside_or_not_known() -> None:
    zone = shapely.Polygon(shapely.box(0, 0, 1000, 1000).exterior, [shapely.box(400, 400, 600, 600).exterior])
    strips = Strips.of(array(zone))
    boxes = np.array(
        [
            [150, 50, 350, 350],
            [510, 450, 590, 550],
            [350, 450, 450, 550],
            [990, 5, 1010, 9],
            [2000, 0, 2001, 1],
        ],
        dtype=float,
    )
    held = strips.hold(boxes, np.zeros(len(boxes), dtype=np.int64))
    assert held.tolist() == [INSIDE, OUTSIDE, OUTLINE, OUTLINE, OUTLINE]
