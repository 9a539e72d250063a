"""Bringing the ledger up to date piece by piece is the same as judging everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import shapely
from sqlalchemy import text

from gis.db import connect
from gis.revisions import head
from gis.screening import onrecord, touched
from gis.screening.conflicts import refresh
from tests.ledger.world import RULES, World, hashed, pack_of


@pytest.fixture(autouse=True)
def _few_are_worth_ending_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds are small; so that rows end before they are judged in them too."""
    monkeypatch.setattr(onrecord, "WORTH_ENDING", 1)


def _check(world: World, edits: list[str]) -> bool:
    """Update, then judge everything: that must change nothing. Tells whether the update was a partial one."""
    done = refresh(world.engine, world.definition, law_date=world.law_date)
    updated, open_ = world.ledger(), world.uncovered()
    refresh(world.engine, world.definition, law_date=world.law_date, full=True)
    full = world.ledger()
    differ = {uid for uid in updated.keys() | full.keys() if updated.get(uid) != full.get(uid)}
    shown = [(uid, updated.get(uid), full.get(uid)) for uid in sorted(differ)[:3]]
    assert not differ, f"after {edits}: {len(differ)} rows, such as {shown}"
    now_open = world.uncovered()
    other = [
        (key, open_.get(key), now_open.get(key))
        for key in sorted(open_.keys() | now_open.keys())
        if open_.get(key) != now_open.get(key)
    ]
    assert not other, f"after {edits}: {other[:5]}"
    return not done.full


def _run(world: World, steps: int) -> int:
    """Edit and check; how many updates were partial."""
    _check(world, [])
    partial = 0
    for _ in range(steps):
        edits = [world.edit() for _ in range(int(world.rng.choice([1, 1, 1, 2, 3])))]
        partial += _check(world, edits)
    return partial


def test_updates_after_random_edits_equal_judging_everything(new_world: Callable[[int], World]) -> None:
    assert _run(new_world(20260815), 14) == 14


def test_a_severity_alone_is_written_anew_without_judging(new_world: Callable[[int], World]) -> None:
    world = new_world(11)
    refresh(world.engine, world.definition, law_date=world.law_date)
    before = world.ledger()
    alone = {uid for uid, row in before.items() if row["rules"] == "PK-04" and "||" not in uid}
    milder = tuple(
        hashed(rule.model_copy(update={"severity": "restricted"})) if rule.id == "PK-04" else rule
        for rule in RULES
    )
    changed = replace(world.definition, packs={"test": pack_of(milder)})
    done = refresh(world.engine, changed, law_date=world.law_date)
    after = world.ledger()
    assert len(alone) > 10 and done.subjects < len(alone)
    assert {after[uid]["severity_if_official"] for uid in alone} == {"restricted"}
    capped = {uid for uid in alone if before[uid]["is_indicative"]}
    assert capped and {after[uid]["severity"] for uid in capped} == {"review"}
    assert {after[uid]["severity"] for uid in alone - capped} == {"restricted"}
    assert refresh(world.engine, changed, law_date=world.law_date, full=True).change.is_empty


def _rough(world: World, layer: str, count: int) -> dict[str, dict[str, Any]]:
    """Zones of one accuracy with long outlines, in place of those that there are."""
    world.write(layer, dict.fromkeys(world.uids(layer)))
    rows = {}
    for number in range(count):
        x, y = world.rng.uniform((500_500.0, 3_210_500.0), (505_500.0, 3_215_500.0))
        disc = shapely.MultiPolygon([shapely.buffer(shapely.Point(x, y), 900.0, quad_segs=64)])
        lasting = {"accuracy_m": 0.5, "valid_from": None, "valid_to": None, "geom": disc}
        rows[f"{layer}{number}"] = {**world.row(layer), **lasting}
    world.write(layer, rows)
    return rows


def test_another_outline_is_followed_where_it_differs(new_world: Callable[[int], World]) -> None:
    world = new_world(40)
    world.write("dots", {f"x{n}": {**world.row("dots"), "accuracy_m": 1.0} for n in range(300)})
    rows = {layer: _rough(world, layer, 5) for layer in ("areas", "belts")}
    refresh(world.engine, world.definition, law_date=world.law_date)
    judged = 0
    for turn in range(10):
        layer = ("areas", "belts")[turn % 2]
        uid, row = list(rows[layer].items())[turn // 2]
        zone = row["geom"]
        place = shapely.line_interpolate_point(zone.geoms[0].exterior, world.rng.uniform(), normalized=True)
        change = shapely.difference if turn % 4 < 2 else shapely.union
        shape = change(zone, shapely.buffer(place, world.rng.uniform(150.0, 700.0)))
        row["geom"] = shapely.MultiPolygon(list(shapely.get_parts(shape)))
        world.write(layer, {uid: row})
        judged += refresh(world.engine, world.definition, law_date=world.law_date).subjects
        _check(world, [f"{layer} {uid}"])
    assert 50 < judged < 10 * 120


def _rows_about(world: World, uid: str) -> list[tuple[Any, ...]]:
    """Number, first and last revision, and margin of all rows there ever were about a zone."""
    query = text(
        "SELECT row_id, rev_from, rev_to, margin_m FROM layer.conflicts WHERE zone_uid = :u ORDER BY 1"
    )
    with connect(world.engine) as conn:
        return [tuple(row) for row in conn.execute(query, {"u": uid})]


def _zone_among_many(world: World) -> tuple[str, dict[str, Any]]:
    world.write("dots", {f"x{n}": {**world.row("dots"), "accuracy_m": 1.0} for n in range(300)})
    uid, row = next(iter(_rough(world, "areas", 1).items()))
    refresh(world.engine, world.definition, law_date=world.law_date)
    return uid, row


def test_rows_about_a_zone_that_moved_are_history(new_world: Callable[[int], World]) -> None:
    world = new_world(41)
    uid, row = _zone_among_many(world)
    before = _rows_about(world, uid)
    row["geom"] = shapely.affinity.translate(row["geom"], 20.0, 0.0)
    world.write("areas", {uid: row})
    done = refresh(world.engine, world.definition, law_date=world.law_date)
    after = _rows_about(world, uid)
    now = {number: last for number, _, last, _ in after}
    assert len(before) > 10 and {now[number] for number, _, last, _ in before if last is None} == {
        done.change.rev
    }
    assert done.change.changed + done.change.closed >= len(before)
    _check(world, ["moved"])


def test_rows_that_ended_ahead_and_stay_as_they_were_go_on(
    new_world: Callable[[int], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world(42)
    uid, row = _zone_among_many(world)
    monkeypatch.setattr(touched, "differing_lines", lambda one, other: None)  # "it is another all around"
    before = _rows_about(world, uid)
    with connect(world.engine) as conn:
        newest = head(conn)
    denser = shapely.segmentize(row["geom"].geoms[0], 40.0)  # more vertices in the same place
    row["geom"] = shapely.MultiPolygon([denser])
    world.write("areas", {uid: row})
    done = refresh(world.engine, world.definition, law_date=world.law_date)
    assert len(before) > 10 and done.subjects > 10 and done.change.is_empty and done.change.rev is None
    assert _rows_about(world, uid) == before
    with connect(world.engine) as conn:
        assert head(conn) == newest + 1  # that of the zone
    corner = shapely.box(*shapely.bounds(row["geom"])[:2], *shapely.centroid(row["geom"]).coords[0])
    row["geom"] = shapely.MultiPolygon([shapely.difference(row["geom"].geoms[0], corner)])
    world.write("areas", {uid: row})
    done = refresh(world.engine, world.definition, law_date=world.law_date)
    kept = set(_rows_about(world, uid)) & set(before)
    assert kept and done.change.changed + done.change.closed > 0
    _check(world, ["without a corner"])


def test_what_fails_while_the_ledger_is_asked_leaves_it_as_it_was(
    new_world: Callable[[int], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world(43)
    uid, row = _zone_among_many(world)
    row["geom"] = shapely.affinity.translate(row["geom"], 20.0, 0.0)
    world.write("areas", {uid: row})
    before = world.ledger()

    def fail(*args: object) -> None:
        raise ValueError("lost on the way")

    for step in ("_add_known", "_margins", "_end_ahead", "_open_rules"):
        with monkeypatch.context() as broken:
            broken.setattr(onrecord, step, fail)
            with pytest.raises(ValueError, match="lost on the way"):
                refresh(world.engine, world.definition, law_date=world.law_date)
        assert world.ledger() == before, step
    _check(world, ["moved"])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_updates_in_many_worlds_equal_judging_everything(
    new_world: Callable[[int], World], seed: int
) -> None:
    assert _run(new_world(seed), 60) == 60
