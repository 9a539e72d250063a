"""What holds for any zones and subjects; verdicts are compared with distances that plain shapely measures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point

from gis.screening.inputs import ZoneLayer
from layers.rulemodel import Rule
from tests.screening.making import judged, rule, things, verdicts, zones

RULES = {
    "intersects": rule(zone_where={"grade": "1"}),
    "dwithin": rule("dwithin", distance_m=60, statutory=True, zone_where={"grade": "1"}),
    "disjoint": rule("disjoint", zone_where={"grade": "1"}),
}
OUTSIDE = rule("area_share_outside", zone_where={"grade": "1"})
SEEDS = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=15, deadline=None)
FEW = settings(max_examples=6, deadline=None)
WORSE = ("clear", "edge", "unknown", "conflict")


def blob(rng: np.random.Generator, reach: float, radius: float) -> shapely.Polygon:
    """A star-shaped polygon, now and then with a hole."""
    corners = int(rng.integers(4, 12))
    angle = (np.arange(corners) + rng.uniform(0, 0.8, corners)) * 2 * np.pi / corners
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(0.5, 1, (len(angle), 1))
    shape = shapely.Polygon(rng.uniform(-reach, reach, 2) + radius * around)
    return shape if rng.random() < 0.6 else shape.difference(shape.centroid.buffer(radius / 6))


@dataclass(frozen=True)
class World:
    """Zones of one accuracy with a coverage; ``union`` per grade: sure, perhaps."""

    layer: ZoneLayer
    accuracy: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "World":
        shapes = [blob(rng, 500, rng.uniform(50, 300)) for _ in range(int(rng.integers(1, 7)))]
        grades = [str(g) if g else None for g in rng.choice(["1", "1", "2", ""], len(shapes))]
        accuracy = float(rng.choice([0.0, 3.0, 25.0]))
        coverage = None if rng.random() < 0.1 else shapely.box(-700, -700, rng.uniform(0, 700), 700)
        return cls(zones(shapes, accuracy, coverage=coverage, grade=grades), accuracy)

    def union(self, grade: str | None) -> Any:
        chosen = [g == grade for g in self.layer.attributes["grade"]]
        return shapely.union_all(self.layer.geoms[chosen])

    def moved(self, by: Any) -> "World":
        def move(geometry: Any) -> Any:
            return None if geometry is None else shapely.transform(geometry, lambda xy: xy + by)

        layer = zones(
            [move(g) for g in self.layer.geoms],
            self.layer.accuracy_m,
            coverage=move(self.layer.coverage),
            grade=self.layer.attributes["grade"],
        )
        return World(layer, self.accuracy)


def signed(place: Point, area: Any) -> float:
    """Distance to an area, negative inside, infinite when there is none."""
    if area.is_empty:
        return float("inf")
    return -place.distance(area.boundary) if area.contains(place) else place.distance(area)


def expected(place: Point, accuracy: float, world: World, wanted: Rule) -> tuple[str, float]:
    """The verdict on a place by the semantics as written, and how near it is to another verdict (metres)."""
    reach = wanted.predicate.reach_m
    error = accuracy + world.accuracy
    sure, perhaps = (signed(place, world.union(grade)) - reach for grade in ("1", None))
    cover = world.layer.coverage
    depth = -float("inf") if cover is None else -signed(place, cover) - accuracy - reach
    near = min(abs(abs(sure) - error), abs(abs(perhaps) - error), abs(depth))
    by_zone = "conflict" if sure < -error else "clear" if sure > error else "edge"
    if wanted.predicate.op in ("disjoint", "area_share_outside"):
        by_zone = {"conflict": "clear", "clear": "conflict", "edge": "edge"}[by_zone]
        settled = by_zone == "clear"
    else:
        settled = by_zone == "conflict"
    if not settled and (perhaps <= error or depth <= 0):
        return "unknown", near
    return by_zone, near


@pytest.mark.parametrize("op", RULES)
@QUICK
@given(SEEDS)
def test_points_get_the_verdict_that_plain_distances_give(op: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    places = [Point(xy) for xy in rng.uniform(-800, 800, (60, 2))]
    accuracy = rng.choice([0.0, 5.0, 40.0, 300.0], len(places))
    found = verdicts(judged(things(places, accuracy), world.layer, RULES[op]))
    for place, error, verdict in zip(places, accuracy, found, strict=True):
        wanted, near = expected(place, float(error), world, RULES[op])
        assert verdict == wanted or near < 1e-6, (place.wkt, error)


@pytest.mark.parametrize("op", ["intersects", "dwithin", "outside"])
@QUICK
@given(SEEDS)
def test_each_place_of_a_parcel_is_in_the_part_of_its_verdict(op: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    world, wanted = World.draw(rng), RULES.get(op, OUTSIDE)
    site, accuracy = blob(rng, 400, 250), float(rng.choice([0.0, 15.0]))
    found = judged(things([site], accuracy), world.layer, wanted)
    parts = found.parts(0)
    assert parts is not None
    assert parts.sizes.sum() == pytest.approx(site.area, rel=1e-9, abs=1e-6)
    assert found.verdict(0) == next(
        (name for name, size in zip(reversed(WORSE), parts.sizes, strict=True) if size > 0), "clear"
    )
    x0, y0, x1, y1 = site.bounds
    for place in (Point(xy) for xy in rng.uniform((x0, y0), (x1, y1), (60, 2))):
        verdict, near = expected(place, accuracy, world, wanted)
        if site.contains(place) and near > 0.05:
            assert getattr(parts, verdict).distance(place) == 0, (place.wkt, verdict)


def mixed(rng: np.random.Generator) -> list[Any]:
    points = [Point(rng.uniform(-500, 500, 2)) for _ in range(8)]
    lines = [shapely.LineString(rng.uniform(-500, 500, (3, 2))) for _ in range(2)]
    return [*points, *lines, blob(rng, 400, 80), blob(rng, 400, 80)]


ALL_RULES = [
    *(wanted.model_copy(update={"id": f"P-{i}"}) for i, wanted in enumerate(RULES.values())),
    rule("count_gt", id="P-7", n=1, zone_where={"grade": "1"}),
    rule("area_share", id="P-8", min_share=0.2, zone_where={"grade": "1"}),
    OUTSIDE.model_copy(update={"id": "P-9"}),
]


def table(world: World, shapes: list[Any], accuracy: Any) -> list[list[str]]:
    """Verdicts by rule and subject."""
    found = judged(things(shapes, accuracy), world.layer, *ALL_RULES)
    words = np.array(WORSE)
    return [words[outcome.answer.code].tolist() for outcome in found.outcomes]


@FEW
@given(SEEDS)
def test_moving_everything_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world, shapes = World.draw(rng), mixed(rng)
    by = np.array([520_000.0, 3_210_000.0])
    moved = [shapely.transform(shape, lambda xy: xy + by) for shape in shapes]
    accuracy = rng.choice([0.0, 7.3], len(shapes))
    assert table(world, shapes, accuracy) == table(world.moved(by), moved, accuracy)


@FEW
@given(SEEDS)
def test_a_larger_error_never_settles_what_was_open(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world, shapes = World.draw(rng), mixed(rng)
    fine = rng.choice([0.0, 4.0, 30.0], len(shapes))
    coarse = fine + rng.uniform(0, 50, len(shapes))
    may_become = {
        "clear": {"clear", "edge", "unknown"},
        "conflict": {"conflict", "edge", "unknown"},
        "edge": {"edge", "unknown"},
        "unknown": {"unknown"},
    }
    for wanted, before, after in zip(
        ALL_RULES, table(world, shapes, fine), table(world, shapes, coarse), strict=True
    ):
        for shape, old, new in zip(shapes, before, after, strict=True):
            assert new in may_become[old], (wanted.predicate.op, shape.wkt)


@FEW
@given(SEEDS)
def test_the_order_of_the_zones_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world, shapes = World.draw(rng), mixed(rng)
    order = rng.permutation(len(world.layer.geoms))
    shuffled = zones(
        list(world.layer.geoms[order]),
        world.layer.accuracy_m[order],
        coverage=world.layer.coverage,
        grade=list(world.layer.attributes["grade"][order]),
    )
    assert table(world, shapes, 5.0) == table(World(shuffled, world.accuracy), shapes, 5.0)


@QUICK
@given(SEEDS)
def test_the_facts_of_pairs_are_those_of_plain_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world, shapes = World.draw(rng), mixed(rng)
    found = judged(things(shapes, 3.0), world.layer, RULES["dwithin"])
    hits = found.outcomes[0].hits
    for i in range(len(hits)):
        shape, zone = shapes[hits.subject[i]], world.layer.geoms[hits.zone[i]]
        assert hits.distance_m[i] == pytest.approx(shape.distance(zone), abs=1e-9)
        shared = shape.intersection(zone)
        size = {0: 0.0, 1: shared.length, 2: shared.area}[int(hits.dimension[i])]
        assert hits.overlap[i] == pytest.approx(size, rel=1e-9, abs=1e-6)
        assert hits.witness[i].distance(shape) < 1e-6
        assert hits.witness[i].distance(zone) < 1e-6
