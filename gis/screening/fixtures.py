"""Run the fixtures of a rule pack: places with the verdict they must get, and what they show of each rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from gis.screening.inputs import Subjects, ZoneLayer
from gis.screening.judge import judge
from layers.rulemodel import Expectation, Fixture, FixtureZone, Rule, RulePack, Verdict

__all__ = ["RuleCheck", "Wrong", "check_pack", "outcome_of"]


@dataclass(frozen=True)
class Wrong:
    """A fixture that did not get the verdict it states."""

    fixture: Fixture
    found: Expectation


@dataclass(frozen=True)
class RuleCheck:
    """What the fixtures of one rule show.

    ``shown`` are the verdicts of those that got what they state.
    """

    rule: Rule
    fixtures: int
    shown: tuple[Verdict, ...]
    wrong: tuple[Wrong, ...]

    @property
    def lacking(self) -> tuple[Verdict, ...]:
        """The verdicts that every rule must show and this one does not."""
        return tuple(verdict for verdict in _MUST_SHOW if verdict not in self.shown)


_ALL: tuple[Verdict, ...] = ("conflict", "clear", "edge", "unknown")
_MUST_SHOW: tuple[Verdict, ...] = ("conflict", "clear")


def check_pack(pack: RulePack) -> list[RuleCheck]:
    """Run all fixtures of a pack; one entry a rule, in the order of the pack, also for rules that are off."""
    found: dict[str, list[tuple[Fixture, Expectation]]] = {rule.id: [] for rule in pack.rules}
    for fixture in pack.fixtures:
        found[fixture.rule].append((fixture, outcome_of(pack, fixture)))
    return [_checked(rule, found[rule.id]) for rule in pack.rules]


def _checked(rule: Rule, found: list[tuple[Fixture, Expectation]]) -> RuleCheck:
    right = {outcome.verdict for fixture, outcome in found if outcome == fixture.expect}
    wrong = tuple(Wrong(fixture, outcome) for fixture, outcome in found if outcome != fixture.expect)
    return RuleCheck(rule, len(found), tuple(v for v in _ALL if v in right), wrong)


def outcome_of(pack: RulePack, fixture: Fixture) -> Expectation:
    """Return what the judge says of a fixture's subject; equal to ``fixture.expect`` when all is well.

    A rule that is off is judged like one that is on. The fixture's plane is taken as the
    measuring plane (metres). Raises KernelInputError for an invalid zone.
    """
    assert fixture.law_date is not None and fixture.subject.layer is not None
    rule = pack.rule(fixture.rule).model_copy(update={"enabled": True})
    subject = fixture.subject
    subjects = Subjects(
        layer_id=subject.layer or "",
        kinds=frozenset({fixture.subject.layer}),
        uids=_objects(["subject"]),
        geoms=_objects([shapely.from_wkt(subject.wkt) if subject.wkt else None]),
        accuracy_m=np.array([subject.accuracy_m]),
        attributes={name: _objects([value]) for name, value in subject.attributes.items()},
    )
    zones = {}
    if rule.zone_layer:
        zones[rule.zone_layer] = _layer(fixture.zones, rule.zone_layer, fixture.coverage)
    network = getattr(rule.predicate, "network", None)
    if fixture.network and network:
        rivers = _layer(fixture.network, network, fixture.coverage)
        zones[network] = replace(rivers, network=fixture.reading)
    found = judge(subjects, zones, [pack.model_copy(update={"rules": (rule,)})], fixture.law_date)
    findings = found.findings(0)
    if not findings:
        return Expectation(verdict="clear")
    return Expectation(
        verdict=findings[0].verdict, severity=findings[0].severity, missing=findings[0].missing
    )


def _layer(zones: Sequence[FixtureZone], layer_id: str, coverage: str | None) -> ZoneLayer:
    names = dict.fromkeys(name for zone in zones for name in zone.attributes)
    covered = coverage not in (None, "none")
    return ZoneLayer(
        layer_id=layer_id,
        uids=_objects([f"zone-{i}" for i in range(len(zones))]),
        names=_objects([None] * len(zones)),
        geoms=_objects([shapely.from_wkt(str(zone.wkt)) for zone in zones]),
        accuracy_m=np.array([zone.accuracy_m for zone in zones], dtype=np.float64),
        is_indicative=np.array([zone.is_indicative for zone in zones], dtype=bool),
        attributes={name: _objects([zone.attributes.get(name) for zone in zones]) for name in names},
        coverage=shapely.from_wkt(str(coverage)) if covered else None,
    )


def _objects(values: list[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
