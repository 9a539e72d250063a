"""Bringing the ledger up to date piece by piece is the same as judging everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gis.screening.conflicts import refresh
from tests.ledger.world import RULES, World, hashed, pack_of


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


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_updates_in_many_worlds_equal_judging_everything(
    new_world: Callable[[int], World], seed: int
) -> None:
    assert _run(new_world(seed), 60) == 60
