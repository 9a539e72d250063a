import pytest

from gis.screening.fixtures import outcome_of
from layers.registry import load_layers
from layers.rulemodel import Fixture, RulePack
from layers.rulepacks import load_packs

PACKS = load_packs([], load_layers())
CASES = [(pack, fixture) for pack in PACKS.values() for fixture in pack.fixtures]


@pytest.mark.parametrize(("pack", "fixture"), CASES, ids=[f"{f.rule}: {f.note}" for _, f in CASES])
def test_a_fixture_gets_the_verdict_it_states(pack: RulePack, fixture: Fixture) -> None:
    assert outcome_of(pack, fixture) == fixture.expect
