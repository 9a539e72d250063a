"""Irregular shapes as nature and planners draw them: blobs, river reaches, seamless partitions. In metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import shapely
from shapely import LineString, Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

__all__ = ["between", "blob", "gathered", "inside", "partition", "reach", "wander"]


def blob(
    centre: Point,
    radius: float,
    rng: Random,
    *,
    stretch: float = 1.0,
    rough: float = 0.28,
    turn: float = 0.0,
) -> BaseGeometry:
    """A smooth closed shape around ``centre``: a stretched ring whose radius swings by some harmonics.

    ``radius`` is the mean one in metres, ``stretch`` the ratio of the axes, ``turn`` degrees from east.
    """
    waves = [(k, rough * rng.uniform(0.5, 1.0) / k, rng.uniform(0, math.tau)) for k in range(2, 7)]
    ring = []
    for i in range(60):
        angle = math.tau * i / 60
        r = radius * (1 + sum(a * math.cos(k * angle + phase) for k, a, phase in waves))
        ring.append((r * math.cos(angle) * math.sqrt(stretch), r * math.sin(angle) / math.sqrt(stretch)))
    turned = shapely.affinity.rotate(shapely.Polygon(ring), turn, origin=(0, 0))
    return shapely.affinity.translate(turned, centre.x, centre.y)


def gathered(
    centre: Point, radius: float, rng: Random, *, lobes: int = 5, holes: int = 1, stretch: float = 1.4
) -> BaseGeometry:
    """Overlapping blobs around ``centre`` with holes in them, as a hill range with villages left out."""
    turn = rng.uniform(0, 180)
    shape = blob(centre, radius, rng, stretch=stretch, turn=turn)
    for i in range(lobes):
        angle = math.tau * i / lobes + rng.uniform(-0.4, 0.4)
        away = radius * rng.uniform(0.8, 1.25)
        at = Point(centre.x + away * math.cos(angle), centre.y + away * math.sin(angle))
        shape = shape.union(blob(at, radius * rng.uniform(0.25, 0.5), rng, stretch=rng.uniform(1, 1.8)))
    for _ in range(holes):
        at = Point(centre.x + rng.uniform(-0.45, 0.45) * radius, centre.y + rng.uniform(-0.45, 0.45) * radius)
        shape = shape.difference(blob(at, radius * rng.uniform(0.08, 0.14), rng))
    return shape.simplify(6)


def wander(start: Point, heading: float, length: float, rng: Random, *, step: float = 180.0) -> BaseGeometry:
    """A winding line from ``start``, ``heading`` in degrees from east."""
    at, course = (start.x, start.y), math.radians(heading)
    line = [at]
    for _ in range(max(2, round(length / step))):
        course += rng.gauss(0, 0.28)
        at = (at[0] + step * math.cos(course), at[1] + step * math.sin(course))
        line.append(at)
    return LineString(line)


def _stretch(line: BaseGeometry, start: float, end: float) -> LineString:
    return LineString(substring(LineString(line.coords), start, end).coords)


def reach(line: BaseGeometry, start: float, end: float, width: float, rng: Random) -> BaseGeometry:
    """The land within about ``width`` of a line from ``start`` to ``end`` along it; the width swings."""
    course = _stretch(line, max(0.0, start), min(line.length, end))
    steps = max(2, math.ceil(course.length / max(60.0, width / 2)))
    phase, slow = rng.uniform(0, math.tau), rng.uniform(0.25, 0.5)
    parts = []
    for i in range(steps):
        piece = _stretch(course, course.length * i / steps, course.length * (i + 1) / steps)
        half = width * (1 + 0.25 * math.sin(phase + slow * i) + 0.06 * rng.uniform(-1, 1))
        parts.append(piece.buffer(half, quad_segs=6))
    return shapely.union_all(parts).simplify(min(8.0, width / 10))


def _rough_edge(edge: BaseGeometry, seeds: BaseGeometry, rng: Random, depth: int) -> BaseGeometry:
    """The edge with its midpoints pushed aside, again and again; ends stay where they are.

    A push is at most a third of the way to the nearest seed, so that no edge runs past one.
    """
    line = [(float(x), float(y)) for x, y in edge.coords]
    for level in range(depth):
        finer = [line[0]]
        for (x0, y0), (x1, y1) in pairwise(line):
            middle = Point((x0 + x1) / 2, (y0 + y1) / 2)
            length = math.hypot(x1 - x0, y1 - y0)
            far = min(0.26 * length / (1 + 0.3 * level), seeds.distance(middle) / 3)
            push = rng.uniform(-1, 1) * far / length
            finer += [(middle.x - push * (y1 - y0), middle.y + push * (x1 - x0)), (x1, y1)]
        line = finer
    return LineString(line)


def partition(
    area: BaseGeometry, seeds: Sequence[Point], rng: Random, *, depth: int = 4
) -> list[BaseGeometry]:
    """``area`` cut into one piece for each seed, without gap or overlap; pieces share their seams' vertices.

    Cells of the Voronoi diagram with roughened edges. A sliver that two rough edges cut off goes to the
    nearest seed.
    """
    if not all(area.contains(seed) for seed in seeds):
        raise ValueError("a seed lies outside the area")
    points = shapely.MultiPoint(list(seeds))
    cells = shapely.voronoi_polygons(points, extend_to=area.envelope, only_edges=True)
    edges = sorted(shapely.get_parts(cells), key=lambda edge: (edge.bounds, edge.length))
    rough = [_rough_edge(edge, points, rng, depth) for edge in edges]
    noded = shapely.union_all([area.boundary, *rough])
    faces = [f for f in shapely.get_parts(shapely.polygonize([noded])) if area.covers(f.point_on_surface())]
    owned: list[list[BaseGeometry]] = [[] for _ in seeds]
    for face in faces:
        at = face.point_on_surface()
        owner = next(
            (i for i, seed in enumerate(seeds) if face.covers(seed)),
            min(range(len(seeds)), key=lambda i: (seeds[i].distance(at), i)),
        )
        owned[owner].append(face)
    return [shapely.coverage_union_all(pieces) for pieces in owned]


def inside(area: BaseGeometry, rng: Random, *, margin: float = 0.0) -> Point:
    """A random point of ``area``, at least ``margin`` metres from its boundary."""
    room = area.buffer(-margin) if margin else area
    if room.is_empty:
        raise ValueError(f"no room {margin} m inside an area of {area.area:.0f} m2")
    west, south, east, north = room.bounds
    while True:
        point = Point(rng.uniform(west, east), rng.uniform(south, north))
        if room.contains(point):
            return point


def between(area: BaseGeometry, near: float, far: float, rng: Random) -> Point:
    """A random point outside ``area``, from ``near`` to ``far`` metres away from it."""
    return inside(area.buffer(far).difference(area.buffer(near)), rng)
