"""Lattice shapes turned by any angle: shared edges are then shared only but for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from gis.kernel import ZoneSet, classify_points, signed_margin, size, split
from gis.kernel.reach import ARC_ERROR_M
from tests.kernel import shapes

Turn = Any


def lattice(rng: shapes.Rng, count: int) -> list[Any]:
    """Rectangles and frames on a lattice of metres."""
    found = []
    for _ in range(count):
        x, y, w, h = rng.integers((0, 0, 1, 1), (10, 10, 7, 7))
        box = shapely.box(x, y, x + w, y + h)
        found.append(box if rng.random() < 0.7 else shapely.box(x - 2, y - 2, x + w + 2, y + h + 2) - box)
    return found


def turned(rng: shapes.Rng) -> tuple[Turn, float]:
    """A turn by a random angle with a stretch, to where a plane has its coordinates; and the stretch."""
    angle, stretch = rng.uniform(0, 2 * np.pi), 10 ** rng.uniform(0, 2)
    matrix = stretch * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return lambda xy: xy @ matrix + np.array([shapes.EAST, shapes.NORTH]), stretch


def plain_margin(places: Any, zones: Any) -> Any:
    union = shapely.union_all(zones)
    away = shapely.distance(places, shapely.boundary(union))
    return np.where(shapely.intersects(union, places), away, -away)


def test_margins_of_turned_shapes_are_those_of_the_lattice() -> None:
    rng = np.random.default_rng(41)
    places = shapely.points(
        np.stack(np.meshgrid(np.arange(-1, 18) + 0.3, np.arange(-1, 18) + 0.4), -1).reshape(-1, 2)
    )
    for _ in range(60):
        zones = lattice(rng, 5)
        turn, stretch = turned(rng)
        there = ZoneSet.prepare(shapely.transform(zones, turn), 0.0)
        found = signed_margin(shapely.transform(places, turn), there).margin_m
        assert found == pytest.approx(plain_margin(places, zones) * stretch, abs=2e-3)


def check_division(rng: shapes.Rng) -> None:
    """The parts of a turned site sum up to it, and its places have the verdict of their part."""
    zones, site = lattice(rng, int(rng.integers(1, 5))), lattice(rng, 1)[0]
    if rng.random() < 0.3:
        site = shapely.LineString(rng.permutation([(0, 0), (12, 0), (12, 12), (3, 7), (0, 12)]).astype(float))
    if rng.random() < 0.2:
        zones.append(shapely.LineString(rng.integers(0, 12, (2, 2)) + rng.random((2, 2))))
    turn, stretch = turned(rng)
    accuracy = rng.choice([0.0, 0.2, 0.5, 2.0], len(zones)) * stretch
    error, distance = rng.choice([0.0, 0.3, 3.0]) * stretch, rng.choice([0.0, 1.0, 4.0]) * stretch
    prepared = ZoneSet.prepare(shapely.transform(zones, turn), accuracy, max_vertices=16)
    moved = shapely.transform(site, turn)
    parts = split(moved, error, prepared, distance)
    whole = size([moved])[0]
    assert parts.sizes.sum() == pytest.approx(whole, rel=1e-9, abs=1e-6)
    assert size(parts.geoms).sum() == pytest.approx(whole, rel=1e-9, abs=1e-6)
    assert shapely.is_valid(parts.geoms).all()
    places = shapely.points(rng.uniform(moved.bounds[:2], moved.bounds[2:], (40, 2)))
    places = places[shapely.contains_properly(moved, places)]
    if site.geom_type == "LineString":
        places = shapely.line_interpolate_point(moved, rng.uniform(0, moved.length, 40))
    found = classify_points(shapely.get_coordinates(places), error, prepared, distance)
    away = np.stack([np.nan_to_num(shapely.distance(places, g), nan=np.inf) for g in parts.geoms], axis=1)
    part = np.array([3, 2, 1, 0])[np.argmin(away, axis=1)]
    drawn = 4e-3 * stretch + 2 * ARC_ERROR_M
    near = np.abs(np.abs(found.margin_m) - found.error_m) < drawn
    # The margin told is that of the deciding zone; a place may lie on the very rim of another's error.
    for zone, bound in zip(shapely.transform(zones, turn), accuracy, strict=True):
        rim = shapely.distance(places, zone) - distance - error - bound
        near |= np.abs(rim) < drawn
    assert ((part == found.verdict) | near | (np.sort(away, axis=1)[:, 1] < 1e-6)).all()


def test_places_of_turned_sites_have_the_verdict_of_their_part() -> None:
    rng = np.random.default_rng(42)
    for _ in range(60):
        check_division(rng)


@pytest.mark.long
def test_places_of_very_many_turned_sites_have_the_verdict_of_their_part() -> None:
    rng = np.random.default_rng(43)
    for _ in range(5000):
        check_division(rng)
