"""Threads: a zone has one thread at a time, and what is prepared is never shared."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import shapely

from gis.kernel import ZoneSet, classify_points, intersecting, overlap, points_in_zones, within
from gis.kernel.prepared import PreparedCopies
from gis.kernel.threads import WORTH_SHARING, each_zone, in_shares
from tests.kernel import shapes


@pytest.fixture(scope="module")
def geoms() -> np.ndarray[Any, Any]:
    return shapes.zone_mix(np.random.default_rng(21), 3000.0)[::4]


@pytest.fixture(scope="module")
def xy() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(22)
    return np.array([shapes.EAST, shapes.NORTH]) + rng.uniform(0, 3000, (20_000, 2))


def test_each_zone_is_given_to_one_thread_and_results_keep_the_order() -> None:
    worked: dict[int, list[int]] = {}
    together, begun = threading.Barrier(2, timeout=60), itertools.count()

    def work(zone: int) -> int:
        if next(begun) < 2:
            together.wait()  # else one thread may have done all before another begins
        worked.setdefault(zone, []).append(threading.get_ident())
        return zone * 10

    zones = np.arange(50)[::-1].copy()
    assert each_zone(work, zones, np.full(50, WORTH_SHARING), 4) == [z * 10 for z in zones.tolist()]
    assert all(len(threads) == 1 for threads in worked.values())
    assert len({threads[0] for threads in worked.values()}) > 1


def test_little_work_stays_in_the_callers_thread() -> None:
    assert set(each_zone(lambda _: threading.get_ident(), np.arange(5), np.ones(5, int), 2)) == {
        threading.get_ident()
    }


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        each_zone(lambda zone: 1 // zone, np.arange(3), np.full(3, WORTH_SHARING), 2)


def test_shares_are_joined_in_order_and_a_group_stays_in_one() -> None:
    group = np.sort(np.random.default_rng(0).integers(0, 40, WORTH_SHARING))
    seen: list[set[int]] = []

    def work(numbers: Any, groups: Any) -> Any:
        seen.append(set(groups.tolist()))
        return numbers * 2

    numbers = np.arange(WORTH_SHARING)
    assert (in_shares(work, numbers, group, group=group, threads=3) == numbers * 2).all()
    assert len(seen) > 3 and sum(len(s) for s in seen) == len(set(group.tolist()))


def test_a_copy_that_is_lent_is_not_lent_again() -> None:
    copies = PreparedCopies(np.array([shapely.box(0, 0, 1, 1), shapely.box(0, 0, 2, 2)], dtype=object))
    with copies.lend(np.array([0])) as mine, copies.lend(np.array([1, 0])) as other:
        assert mine[0] is not other[1] and other[0].area == 4
        assert shapely.is_prepared(mine).all() and shapely.is_prepared(other).all()
    with (
        copies.lend(np.array([0, 1])) as again,
        copies.take(np.array([1, 0])).lend(np.array([1])) as elsewhere,
    ):
        assert again[0] is mine[0] and again[1] is other[0] and elsewhere[0] is not mine[0]


def test_a_copy_comes_back_when_its_user_fails() -> None:
    copies = PreparedCopies(np.array([shapely.box(0, 0, 1, 1)], dtype=object))
    with pytest.raises(RuntimeError), copies.lend(np.array([0])) as mine:
        raise RuntimeError
    with copies.lend(np.array([0])) as again:
        assert again[0] is mine[0]


def test_callers_geometry_is_never_prepared(geoms: Any, xy: Any) -> None:
    zones = ZoneSet.prepare(geoms, 1.0)
    points_in_zones(xy, zones)
    s, z = intersecting(geoms, zones)
    overlap(geoms, zones, s, z)
    within(geoms, zones, 10.0)
    classify_points(xy[:50], 1.0, zones)
    assert not shapely.is_prepared(geoms).any() and not shapely.is_prepared(zones.geoms).any()
    assert (
        not shapely.is_prepared(zones.pieces.geoms).any()
        and not shapely.is_prepared(zones.union.whole().lines).any()
    )


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_answers_do_not_depend_on_the_number_of_threads(geoms: Any, xy: Any, threads: int) -> None:
    zones = ZoneSet.prepare(geoms, 1.0)
    p, z = points_in_zones(xy, zones, threads=threads)
    assert (len(p), int(p.sum()), int(z.sum())) == (
        len(p),
        *(int(c.sum()) for c in points_in_zones(xy, zones, threads=1)),
    )
    s, z = intersecting(geoms, zones, threads=threads)
    assert (overlap(geoms, zones, s, z, threads=threads) == overlap(geoms, zones, s, z, threads=1)).all()


def test_many_callers_may_ask_one_zone_set_at_once(geoms: Any, xy: Any) -> None:
    zones = ZoneSet.prepare(geoms, 1.0)
    subjects = shapes.subject_mix(np.random.default_rng(23), 3000.0)[::20]

    def ask(turn: int) -> tuple[int, int, float]:
        points = (
            points_in_zones(xy[turn % 3 :: 3], zones)[0] if turn % 2 else points_in_zones(xy[:1], zones)[0]
        )
        s, z = intersecting(subjects, zones)
        return (
            turn % 2 and turn % 3,
            len(points) * (turn % 2),
            float(overlap(subjects, zones, s, z, check=False).sum()),
        )

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(18)))
    assert len({answer[2] for answer in answers}) == 1
    alone = {i: len(points_in_zones(xy[i::3], zones)[0]) for i in range(3)}
    assert all(count == alone[turn % 3] for turn, (_, count, _) in enumerate(answers) if turn % 2)
