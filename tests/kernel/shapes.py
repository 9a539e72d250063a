"""Seeded shapes for the kernel's tests, some smooth and some as awkward as real data gets.

All are in metres near (500000, 3200000), where a transverse Mercator plane has its coordinates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

EAST, NORTH = 500_000.0, 3_200_000.0

Rng = np.random.Generator


def ring(
    rng: Rng, east: float, north: float, radius: float, vertices: int, rough: float = 0.3
) -> np.ndarray[Any, Any]:
    """A closed outline around a place that never crosses itself, rough at every scale."""
    waves = np.arange(vertices // 2 + 1)
    strength = np.where(waves > 1, rough * np.maximum(waves, 1) ** -1.15, 0.0)
    noise = np.fft.irfft(strength * np.exp(2j * np.pi * rng.random(len(waves))), vertices) * vertices / 2
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    away = radius * np.exp(np.clip(noise, -1.2, 1.2))
    return np.c_[east + away * np.cos(angle), north + away * np.sin(angle)]


def blob(
    rng: Rng, east: float, north: float, radius: float, vertices: int, holes: int = 0
) -> shapely.Polygon:
    """A rough polygon with small holes around its centre."""
    shell = ring(rng, east, north, radius, vertices)
    turns = 2 * np.pi * np.arange(holes) / max(holes, 1)
    inner = [
        ring(rng, east + 0.13 * radius * np.cos(a), north + 0.13 * radius * np.sin(a), 0.05 * radius, 12, 0.2)
        for a in turns
    ]
    return shapely.Polygon(shell, inner)


def blobs(rng: Rng, count: int, width: float, radius: float, vertices: int) -> list[shapely.Polygon]:
    """Rough polygons scattered over a square, some with holes."""
    return [
        blob(
            rng,
            EAST + rng.uniform(0, width),
            NORTH + rng.uniform(0, width),
            radius * rng.uniform(0.3, 2.0),
            int(rng.integers(12, vertices)),
            int(rng.choice([0, 0, 1, 3])),
        )
        for _ in range(count)
    ]


def tiles(rng: Rng, count: int, width: float, step: float) -> list[shapely.Polygon]:
    """Rectangles on a lattice: shared edges and corners, edges that overlap in part, twins."""
    cells = int(width // step)
    corners = rng.integers(0, cells, (count, 2)) * step
    sides = rng.integers(1, 4, (count, 2)) * step
    return [
        shapely.box(EAST + x, NORTH + y, EAST + x + w, NORTH + y + h)
        for (x, y), (w, h) in zip(corners.tolist(), sides.tolist(), strict=True)
    ]


def framed(rng: Rng, count: int, width: float, step: float) -> list[shapely.Polygon]:
    """Lattice rectangles with a lattice hole; another tile may fill the hole exactly."""
    outer = tiles(rng, count, width, 3 * step)
    return [
        shapely.Polygon(
            t.exterior.coords,
            [
                shapely.box(
                    t.bounds[0] + step, t.bounds[1] + step, t.bounds[0] + 2 * step, t.bounds[1] + 2 * step
                ).exterior.coords
            ],
        )
        for t in outer
    ]


def slivers(rng: Rng, count: int, width: float) -> list[shapely.Polygon]:
    """Triangles hundreds of metres long and a millimetre to a decimetre wide, at any angle."""
    found = []
    for _ in range(count):
        x, y = EAST + rng.uniform(0, width), NORTH + rng.uniform(0, width)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(100, 800)
        dx, dy = length * np.cos(angle), length * np.sin(angle)
        thin = 10 ** rng.uniform(-3, -1)
        found.append(
            shapely.Polygon(
                [(x, y), (x + dx, y + dy), (x + dx - thin * dy / length, y + dy + thin * dx / length)]
            )
        )
    return found


def multiples(rng: Rng, count: int, width: float, step: float) -> list[shapely.MultiPolygon]:
    """Multipolygons of rough parts far apart, and of lattice parts that touch at one corner."""
    found = []
    for _ in range(count):
        x, y = (
            EAST + float(rng.integers(0, width // step)) * step,
            NORTH + float(rng.integers(0, width // step)) * step,
        )
        corner = [
            shapely.box(x, y, x + step, y + step),
            shapely.box(x + step, y + step, x + 2 * step, y + 2 * step),
        ]
        far = [blob(rng, x + 8 * step, y, step, 30), blob(rng, x, y + 8 * step, step, 60, 1)]
        found.append(shapely.MultiPolygon(corner + far))
    return found


def lines(rng: Rng, count: int, width: float, step: float) -> list[shapely.LineString]:
    """Random walks, and walks along the lattice that run on the edges of tiles."""
    walks = []
    for i in range(count):
        start = np.array([EAST, NORTH]) + rng.integers(0, int(width // step), 2) * step
        if i % 2:
            steps = rng.choice([-1, 1], (12, 1)) * np.eye(2)[rng.integers(0, 2, 12)] * step
            walk = start + np.r_[[[0, 0]], np.cumsum(steps, axis=0)]
            line = shapely.LineString(walk)
            walks.append(line if line.is_simple else shapely.LineString(walk[:2]))
        else:
            walks.append(shapely.LineString(start + np.cumsum(rng.normal(0, step, (20, 2)), axis=0)))
    return walks


def vertices_of(rng: Rng, zones: list[Any], count: int) -> np.ndarray[Any, Any]:
    """Points that are vertices of the zones, and points in the middle of their edges."""
    xy = shapely.get_coordinates(zones)
    at = rng.integers(0, len(xy) - 1, count)
    return np.r_[xy[at[: count // 2]], (xy[at[count // 2 :]] + xy[at[count // 2 :] + 1]) / 2]


def zone_mix(rng: Rng, width: float = 5000.0) -> np.ndarray[Any, Any]:
    """About 190 zones of every kind."""
    kinds = [
        *blobs(rng, 60, width, 500.0, 400),
        *blobs(rng, 3, width, 1500.0, 6000),
        *tiles(rng, 60, width, 100.0),
        *framed(rng, 20, width, 100.0),
        *slivers(rng, 30, width),
        *multiples(rng, 15, width, 100.0),
    ]
    return np.array(kinds, dtype=object)


def subject_mix(rng: Rng, width: float = 5000.0) -> np.ndarray[Any, Any]:
    """About 1,900 subjects of every kind."""
    kinds = [
        *blobs(rng, 900, width, 60.0, 60),
        *tiles(rng, 400, width, 100.0),
        *framed(rng, 60, width, 100.0),
        *slivers(rng, 100, width),
        *multiples(rng, 60, width, 100.0),
        *lines(rng, 200, width, 100.0),
        *shapely.points(np.array([EAST, NORTH]) + rng.uniform(0, width, (200, 2))),
    ]
    return np.array(kinds, dtype=object)


def slanted_pairs(rng: Rng, count: int, scale: float) -> tuple[list[Any], list[Any], np.ndarray[Any, Any]]:
    """Pairs of rectangles with edges on common slanted lines, and the area that each pair truly shares.

    They are laid on a lattice, where the shared area is a whole number, and then turned and stretched.
    """
    first, second, shared = [], [], np.empty(count)
    for i in range(count):
        one, other = (
            shapely.box(x, y, x + w, y + h) for x, y, w, h in rng.integers((0, 0, 1, 1), 10, (2, 4))
        )
        angle, stretch = rng.uniform(0, 2 * np.pi), scale * rng.uniform(1, 2)
        turn = stretch * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        first.append(shapely.transform(one, lambda xy, turn=turn: xy @ turn))
        second.append(shapely.transform(other, lambda xy, turn=turn: xy @ turn))
        shared[i] = shapely.intersection(one, other).area * stretch**2
    return first, second, shared
