"""The whole demonstration, as PostGIS alone judges it: each rule on each subject, and the conflicts layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from gis.revisions import head
from gis.screening.inputs import PreparedLayer
from gis.screening.judge import judge
from gis.screening.rows import LayerRows, read_rows
from gis.screening.snapshot import as_subjects, enabled_rules, take_snapshot, zone_layers
from gis.settings import MapDefinition
from layers.rulemodel import RulePack
from tests.screening.oracle.asking import Oracle
from tests.screening.oracle.comparing import Comparison, compare
from tests.screening.oracle.words import BY_RULE, SUBJECTS, TODAY, ZONES


def oracle_of(conn: Connection, law_date: date) -> Oracle:
    oracle = Oracle(conn, law_date)
    for layer in ZONES:
        oracle.take_zones(layer)
    for layer in SUBJECTS:
        oracle.take_subjects(layer)
    oracle.take_rivers("rivers", 50.0)
    return oracle


def every_rule(definition: MapDefinition) -> list[RulePack]:
    """The packs with the rules that are off in this district turned on."""
    return [
        pack.model_copy(update={"rules": tuple(r.model_copy(update={"enabled": True}) for r in pack.rules)})
        for pack in definition.packs.values()
    ]


def rows_in_force(conn: Connection, definition: MapDefinition, law_date: date) -> Iterator[LayerRows]:
    for layer in SUBJECTS:
        rows = read_rows(conn, definition, definition.layers[layer], head(conn))
        yield rows.take(np.flatnonzero(rows.in_force(law_date)))


def zones_of(conn: Connection, definition: MapDefinition, law_date: date) -> dict[str, PreparedLayer]:
    layers = zone_layers(rule for pack in definition.packs.values() for rule in pack.rules)
    return dict(take_snapshot(conn, definition, head(conn), law_date, layers).prepared)


def test_each_rule_is_written_in_sql(definition: MapDefinition) -> None:
    rules = [rule for pack in definition.packs.values() for rule in pack.rules]
    assert {name: set(asks[0].subjects.split()) for name, asks in BY_RULE.items()} == {
        rule.id: set(rule.subjects) for rule in rules
    }
    assert len(rules) == 80


# On the earlier day the zones of the old environmental functions were in force, and no deadline had passed.
EARLIER = pytest.param(date(2019, 6, 1), marks=pytest.mark.long)


@pytest.mark.parametrize("law_date", [TODAY, EARLIER], ids=str)
def test_judge_and_oracle_agree_on_the_whole_demonstration(
    demonstration: Connection, definition: MapDefinition, law_date: date
) -> None:
    oracle, found = oracle_of(demonstration, law_date), Comparison()
    zones = zones_of(demonstration, definition, law_date)
    for rows in rows_in_force(demonstration, definition, law_date):
        judgement = judge(as_subjects(rows), zones, every_rule(definition), law_date)
        compare(oracle, BY_RULE, judgement, found)
    assert found.differing == []
    assert found.within_tolerance == []
    assert len(found.rules_in_conflict()) > 70
    assert min(found.by_verdict()[verdict] for verdict in ("conflict", "unknown", "edge", "clear")) > 100


def test_the_conflicts_layer_holds_the_pairs_that_the_oracle_finds(
    demonstration: Connection, definition: MapDefinition
) -> None:
    law_date = demonstration.execute(text("SELECT max(law_date) FROM layer.conflicts")).scalar_one()
    oracle = oracle_of(demonstration, law_date)
    enabled = [rule.id for rule in enabled_rules(definition)]
    wanted: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for rows in rows_in_force(demonstration, definition, law_date):
        coarse = set(rows.uids[rows.accuracy_m > definition.district.coarse_position_m])
        for rule in enabled:
            (ask, *_) = BY_RULE[rule]
            if rows.layer.id not in ask.subjects.split() or not ask.ground.is_met:
                continue
            for (subject, zone), verdict in oracle.pairs(BY_RULE[rule], rows.layer.id).items():
                at = (ask.zones, zone) if subject not in coarse or verdict == "conflict" else ("", "")
                wanted[rows.layer.id, subject, verdict, *at].add(rule)
    held: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    others = {rule for rule, asks in BY_RULE.items() if not asks[0].ground.is_met}
    for row in demonstration.execute(text("SELECT * FROM layer.conflicts WHERE rev_to IS NULL")).mappings():
        key = (row["subject_layer"], row["subject_uid"], row["verdict"])
        held[*key, row["zone_layer"] or "", row["zone_uid"] or ""] |= set(row["rules"].split()) - others
    held = {key: rules for key, rules in held.items() if rules}
    assert held == wanted
    assert sum(key[2] == "conflict" for key in held) > 100
