"""River networks by hand, with answers that can be read off, and against networkx."""

import itertools
from typing import Any

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, Point

from gis.errors import KernelInputError
from gis.kernel.downstream import Downstream, downstream, ways
from gis.kernel.network import AGAINST, NOT_KNOWN, WITH, Network, build_network
from gis.kernel.places import find_places

MAIN = LineString([(0, 0), (1000, 0), (2000, 0)])
INF = float("inf")


def objects(values: Any) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def network(*reaches: Any, flow: Any = WITH, accuracy_m: Any = 0.0, join_m: float = 1.0) -> Network:
    return build_network(objects(reaches), flow=flow, accuracy_m=accuracy_m, join_m=join_m)


def measured(
    net: Network, one: Any, other: Any, *, error: float = 0.0, snap: float = 50.0, limit: float = 1e6
) -> Downstream:
    """From the points ``one`` down to the points ``other``, pair by pair."""
    one, other = (objects([Point(p) for p in points]) for points in (one, other))
    a = find_places(net, one, np.full(len(one), error), snap)
    b = find_places(net, other, np.full(len(other), error), snap)
    assert a.on.all() and b.on.all()
    pairs = np.arange(len(one)), np.arange(len(one))
    return downstream(net, a, b, pairs, limit)


def bounds(net: Network, one: Any, other: Any, **options: Any) -> tuple[float, float]:
    found = measured(net, [one], [other], **options)
    return float(found.least[0]), float(found.most[0])


def test_water_flows_along_a_line_as_it_is_digitised() -> None:
    net = network(MAIN)
    assert bounds(net, (300, 0), (1700, 0)) == (1400, 1400)
    assert bounds(net, (1700, 0), (300, 0)) == (INF, INF)
    assert bounds(net, (300, 20), (1700, -30)) == (1400, 1400)


def test_a_reversed_reach_flows_the_other_way() -> None:
    net = network(MAIN, LineString([(3000, 0), (2000, 0)]), flow=[WITH, AGAINST])
    assert bounds(net, (500, 0), (2500, 0)) == pytest.approx((2000, 2000))
    assert bounds(network(MAIN, flow=AGAINST), (1700, 0), (300, 0)) == (1400, 1400)


def test_a_line_of_unknown_flow_is_possible_both_ways_and_certain_in_none() -> None:
    net = network(MAIN, flow=NOT_KNOWN)
    assert bounds(net, (300, 0), (1700, 0)) == (1400, INF)
    assert bounds(net, (1700, 0), (300, 0)) == (1400, INF)
    mixed = network(MAIN, LineString([(2000, 0), (3000, 0)]), flow=[NOT_KNOWN, WITH])
    assert bounds(mixed, (500, 0), (2500, 0)) == (2000, INF)
    assert bounds(mixed, (2500, 0), (500, 0)) == (INF, INF)


def test_both_arms_of_a_confluence_lead_down_and_not_into_each_other() -> None:
    net = network(
        LineString([(0, 100), (1000, 0)]),
        LineString([(0, -100), (1000, 0)]),
        LineString([(1000, 0), (2000, 0)]),
    )
    arm = float(np.hypot(1000, 100))
    assert bounds(net, (0, 100), (1500, 0)) == pytest.approx((arm + 500, arm + 500))
    assert bounds(net, (0, -100), (1500, 0)) == pytest.approx((arm + 500, arm + 500))
    assert bounds(net, (0, 100), (0, -100)) == (INF, INF)


def test_a_point_on_a_junction_is_on_all_lines_that_meet_there() -> None:
    net = network(
        LineString([(0, 100), (1000, 0)]),
        LineString([(0, -100), (1000, 0)]),
        LineString([(1000, 0), (2000, 0)]),
    )
    arm = float(np.hypot(1000, 100))
    assert bounds(net, (0, 100), (1000, 0)) == pytest.approx((arm, arm))
    assert bounds(net, (0, -100), (1000, 0)) == pytest.approx((arm, arm))
    assert bounds(net, (1000, 0), (1500, 0)) == pytest.approx((500, 500))
    assert bounds(net, (1000, 0), (1000, 0)) == (0, 0)


def test_a_tributary_may_end_in_the_middle_of_a_reach_and_near_it() -> None:
    for end in (0.0, 0.8):
        net = network(MAIN, LineString([(700, 500), (700, end)]))
        assert bounds(net, (700, 400), (1500, 0)) == pytest.approx((1200, 1200), abs=1.0)
        assert bounds(net, (600, 0), (700, 400)) == (INF, INF)
        assert bounds(net, (600, 0), (1500, 0)) == (900, 900)


def test_a_gap_joins_within_the_tolerance_and_not_beyond_it() -> None:
    near = network(MAIN, LineString([(2000.9, 0), (3000, 0)]))
    assert bounds(near, (1500, 0), (2500, 0)) == pytest.approx((1000, 1000), abs=1.0)
    far = network(MAIN, LineString([(2040, 0), (3000, 0)]))
    found = measured(far, [(1500, 0)], [(2500, 0)])
    assert found.least[0] == INF
    assert found.open_m[0] == pytest.approx(1000)


def test_where_water_is_lost_is_told_for_those_above_it_only() -> None:
    net = network(MAIN, LineString([(2040, 0), (3000, 0)]))
    found = measured(net, [(2500, 0), (1500, 0)], [(1500, 0), (500, 0)])
    assert found.open_m.tolist() == [500 + 1500, 500 + 1500]


def test_the_shorter_arm_of_a_braid_counts() -> None:
    net = network(
        LineString([(0, 0), (1000, 0)]),
        LineString([(1000, 0), (1500, 0), (2000, 0)]),
        LineString([(1000, 0), (1500, 800), (2000, 0)]),
        LineString([(2000, 0), (3000, 0)]),
    )
    long_arm = 2 * float(np.hypot(500, 800))
    assert bounds(net, (500, 0), (2500, 0)) == pytest.approx((2000, 2000))
    assert bounds(net, (500, 0), (1500, 800)) == pytest.approx((500 + long_arm / 2, 500 + long_arm / 2))
    assert bounds(net, (1500, 0), (1500, 800)) == (INF, INF)


def test_a_loop_is_gone_round() -> None:
    ring = LineString([(0, 0), (1000, 0), (1000, 1000), (0, 1000), (0, 0)])
    net = network(ring)
    assert bounds(net, (500, 0), (0, 500)) == (3000, 3000)
    assert bounds(net, (0, 500), (500, 0)) == (1000, 1000)


def test_the_parts_of_a_multi_part_reach_join_like_reaches() -> None:
    net = network(MultiLineString([[(0, 0), (1000, 0)], [(1000, 0), (2000, 0)], [(5000, 0), (6000, 0)]]))
    assert bounds(net, (300, 0), (1700, 0)) == (1400, 1400)
    assert bounds(net, (300, 0), (5500, 0)) == (INF, INF)
    assert net.reach.tolist() == [0, 0, 0]


def test_lines_that_cross_are_joined_possibly_and_not_certainly() -> None:
    net = network(MAIN, LineString([(700, 500), (700, -500)]))
    assert bounds(net, (700, 400), (1500, 0)) == (1200, INF)
    assert bounds(net, (300, 0), (1500, 0)) == (1200, 1200)
    overshoot = network(MAIN, LineString([(700, 500), (700, -0.5)]))
    assert bounds(overshoot, (700, 400), (1500, 0)) == pytest.approx((1200, 1200), abs=1.0)


def test_an_empty_network_holds_nothing() -> None:
    for net in (network(), network(LineString(), MultiLineString()), network(LineString([(0, 0), (0, 0)]))):
        places = find_places(net, objects([Point(0, 0)]), np.zeros(1), 50.0)
        assert not places.on.any()
    assert not find_places(network(MAIN), objects([]), np.empty(0), 50.0).on.any()


def test_what_is_far_from_every_line_is_not_on_the_network() -> None:
    net = network(MAIN, accuracy_m=10.0)
    points = objects([Point(500, y) for y in (49, 61, 79, 81)])
    assert find_places(net, points, np.full(4, 20.0), 50.0).on.tolist() == [True, True, True, False]


def test_an_error_that_is_not_known_keeps_off_the_network() -> None:
    other = LineString([(0, 500), (2000, 500)])
    net = network(MAIN, other, accuracy_m=[0.0, np.nan])
    points = objects([Point(500, 0), Point(500, 500), Point(500, 240)])
    places = find_places(net, points, np.array([0.0, 0.0, 20.0]), 250.0)
    assert places.on.tolist() == [True, False, False]
    assert places.unbounded.tolist() == [False, True, True]
    unknown = find_places(net, points[:1], np.array([np.nan]), 50.0)
    assert not unknown.on[0] and unknown.unbounded[0]


def test_the_error_widens_the_distance_by_itself_on_each_side() -> None:
    net = network(MAIN, accuracy_m=5.0)
    assert bounds(net, (300, 0), (1700, 0), error=20.0) == (1350, 1450)
    many = network(LineString([(x, 0) for x in range(0, 2001, 10)]), accuracy_m=5.0)
    assert bounds(many, (300, 0), (1700, 0), error=20.0) == pytest.approx((1350, 1450))
    halves = network(LineString([(0, 0), (320, 0)]), LineString([(320, 0), (2000, 0)]), accuracy_m=5.0)
    assert bounds(halves, (300, 0), (1700, 0), error=20.0) == pytest.approx((1350, 1450))


def test_a_point_between_two_rivers_may_belong_to_either() -> None:
    net = network(MAIN, LineString([(0, 60), (2000, 60)]))
    assert bounds(net, (300, 29), (1700, 0)) == (1400, 1400)
    assert bounds(net, (300, 29), (1700, 0), error=5.0)[1] == INF
    assert bounds(net, (300, 29), (1700, 0), error=5.0)[0] == pytest.approx(1390)


def test_which_side_of_the_intake_is_open_within_the_error() -> None:
    net = network(MAIN)
    least, most = bounds(net, (1010, 0), (1000, 0), error=10.0)
    assert (least, most) == (0, INF)
    assert bounds(net, (1030, 0), (1000, 0), error=10.0) == (INF, INF)


def test_the_way_is_a_line_from_place_to_place() -> None:
    net = network(MAIN, LineString([(700, 500), (700, 0)]))
    points = objects([Point(700, 400), Point(1500, 0), Point(300, 0), Point(1500, 0)])
    at = find_places(net, points, np.zeros(4), 50.0).at
    way, straight, none = ways(net, at[[0, 2, 1]], at[[1, 3, 0]])
    assert way.equals(LineString([(700, 400), (700, 0), (1500, 0)]))
    assert straight.equals(LineString([(300, 0), (1500, 0)]))
    assert none is None


def test_what_is_no_line_is_refused_by_its_number() -> None:
    with pytest.raises(KernelInputError, match=r"reaches\[1\]"):
        network(MAIN, Point(0, 0))
    with pytest.raises(KernelInputError, match="flow"):
        network(MAIN, flow=2)


STEPS = [(1, 0), (0, 1), (-1, 0), (0, -1)]


@st.composite
def lattices(draw: st.DrawFn) -> list[tuple[list[tuple[int, int]], int]]:
    """Reaches along a grid of 100 m, each with its flow; none meets itself."""
    reaches = []
    for _ in range(draw(st.integers(1, 7))):
        at = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
        path = [at]
        for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5)):
            new = (path[-1][0] + step[0], path[-1][1] + step[1])
            if new in path:
                break
            path.append(new)
        if len(path) > 1:
            reaches.append((path, draw(st.sampled_from([WITH, WITH, AGAINST, NOT_KNOWN]))))
    return reaches


def oracle(
    reaches: list[tuple[list[tuple[int, int]], int]],
) -> tuple[nx.DiGraph, nx.DiGraph, dict[Any, list[Any]]]:
    """Certain and possible ways, grid step by grid step, and which vertices are at a place of the grid."""
    certain, possible = nx.DiGraph(), nx.DiGraph()
    here: dict[Any, list[Any]] = {}
    for i, (path, flow) in enumerate(reaches):
        for k, place in enumerate(path):
            here.setdefault(place, []).append((i, k))
            certain.add_node((i, k))
            possible.add_node((i, k))
        for k in range(len(path) - 1):
            down, up = ((i, k), (i, k + 1)), ((i, k + 1), (i, k))
            for edge, wanted in ((down, WITH), (up, AGAINST)):
                if flow in (wanted, NOT_KNOWN):
                    possible.add_edge(*edge, weight=100.0)
                if flow == wanted:
                    certain.add_edge(*edge, weight=100.0)
    for vertices in here.values():
        for a, b in itertools.permutations(vertices, 2):
            possible.add_edge(a, b, weight=0.0)
            if any(k in (0, len(reaches[i][0]) - 1) for i, k in (a, b)):
                certain.add_edge(a, b, weight=0.0)
    return certain, possible, here


@settings(max_examples=60, deadline=None)
@given(lattices(), st.data())
def test_distances_agree_with_networkx(reaches: list[Any], data: st.DataObject) -> None:
    if not reaches:
        return
    certain, possible, here = oracle(reaches)
    net = network(
        *[LineString(np.array(path) * 100.0) for path, _ in reaches], flow=[flow for _, flow in reaches]
    )
    places = sorted(here)
    one = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=6))
    other = data.draw(st.lists(st.sampled_from(places), min_size=len(one), max_size=len(one)))
    found = measured(net, np.array(one) * 100.0, np.array(other) * 100.0, snap=1.0)
    for i, (a, b) in enumerate(zip(one, other, strict=True)):
        # A crossing leaves open which of its lines a point is on.
        ways_ = [
            [nx.single_source_dijkstra_path_length(graph, u).get(v, INF) for u in here[a] for v in here[b]]
            for graph in (possible, certain)
        ]
        assert found.least[i] == pytest.approx(min(ways_[0])), (a, b)
        assert found.most[i] == pytest.approx(max(ways_[1])), (a, b)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_true_place_within_the_error_is_left_out(seed: int) -> None:
    draw = np.random.default_rng(seed)
    vertices = draw.uniform(0, 1000, (9, 2))
    net = network(
        LineString(vertices[:4]),
        LineString(vertices[3:6]),
        LineString(vertices[[6, 7, 3]]),
        LineString(vertices[[8, 4]]),
    )
    error = 60.0
    middle = draw.uniform(0, 1000, (2, 2))
    a, b = ([tuple(p)] for p in middle)
    least, most = bounds(net, a[0], b[0], error=error, snap=2000.0)
    angle, far = draw.uniform(0, 2 * np.pi, (2, 200)), error * np.sqrt(draw.uniform(0, 1, (2, 200)))
    shift = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * far[..., None]
    moved = measured(net, middle[0] + shift[0], middle[1] + shift[1], snap=2000.0)
    assert (moved.least >= least - 1e-6).all()
    assert (moved.most <= most + 1e-6).all()


def test_the_way_is_as_long_as_the_distance() -> None:
    draw = np.random.default_rng(5)
    hubs = draw.uniform(0, 5000, (40, 2))
    net = network(*[LineString(hubs[draw.choice(40, 3, replace=False)]) for _ in range(60)])
    points = objects(list(shapely.points(draw.uniform(0, 5000, (60, 2)))))
    places = find_places(net, points, np.zeros(60), 1e4)
    pairs = np.arange(30), np.arange(30, 60)
    found = downstream(net, places, places, pairs, 1e9)
    lines = ways(net, places.at[:30], places.at[30:])
    reached = np.isfinite(found.nearest)
    assert reached.sum() > 5
    assert [line is not None for line in lines] == (found.nearest > 0).tolist() if reached.all() else True
    for line, metres in zip(lines[reached], found.nearest[reached], strict=True):
        assert line.length == pytest.approx(metres)


def test_searching_upwards_from_a_few_places_gives_the_same() -> None:
    draw = np.random.default_rng(7)
    hubs = draw.uniform(0, 5000, (40, 2))
    flow = draw.choice([WITH, WITH, AGAINST, NOT_KNOWN], 60)
    net = network(*[LineString(hubs[draw.choice(40, 3, replace=False)]) for _ in range(60)], flow=flow)
    places = find_places(
        net, objects(list(shapely.points(draw.uniform(0, 5000, (80, 2))))), np.full(80, 9.0), 1e4
    )
    pairs = np.arange(80), np.repeat([3, 50], 40)
    down = downstream(net, places, places, pairs, 4000.0)
    up = downstream(net, places, places, pairs, 4000.0, outlets=False)
    for name in ("nearest", "least", "most"):
        np.testing.assert_allclose(getattr(up, name), getattr(down, name))
    assert np.isfinite(down.nearest).sum() > 10
    assert np.isinf(up.open_m).all()
