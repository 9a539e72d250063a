import pytest

from gis.screening.fixtures import check_pack, outcome_of
from layers.registry import load_layers
from layers.rulemodel import Expectation, Fixture, RulePack
from layers.rulepacks import load_packs

PACKS = load_packs([], load_layers())
CASES = [(pack, fixture) for pack in PACKS.values() for fixture in pack.fixtures]


@pytest.mark.parametrize(("pack", "fixture"), CASES, ids=[f"{f.rule}: {f.note}" for _, f in CASES])
def test_a_fixture_gets_the_verdict_it_states(pack: RulePack, fixture: Fixture) -> None:
    assert outcome_of(pack, fixture) == fixture.expect


def test_the_check_tells_what_each_rule_shows_and_what_is_wrong() -> None:
    pack = PACKS["cn-zhejiang"]
    few = [f for f in pack.fixtures if f.rule in ("OF-05", "RV-05")]
    wrong = few[0].model_copy(update={"expect": Expectation(verdict="clear")})
    rules = tuple(pack.rule(rule) for rule in ("OF-05", "RV-05", "PK-02"))
    checks = check_pack(pack.model_copy(update={"rules": rules, "fixtures": (wrong, *few[1:])}))
    assert [check.rule.id for check in checks] == ["OF-05", "RV-05", "PK-02"]
    assert {check.rule.id: check.lacking for check in checks}["PK-02"] == ("conflict", "clear")
    (bad,) = [check for check in checks if check.wrong]
    assert (bad.rule.id, bad.wrong[0].found) == (wrong.rule, few[0].expect)
    off = checks[1]
    assert not off.rule.enabled and off.lacking == ("conflict",) * (bad is off)
