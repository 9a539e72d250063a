"""Attributes that a table decides where nobody stated them."""

import itertools
from typing import Any

import pytest
from shapely import Point

from gis.screening.judge import judge
from gis.screening.judgement import Judgement
from layers.rulemodel import Rule, Table
from tests.screening.making import LAW_DATE, SQUARE, TEXT, pack, rule, things, verdicts, zones

BANNED = rule(tables=("fuels",), subject_where={"banned": True, "kind": ("new", "expand")})
WORDS = {"zh": "文", "en": "text", "confidence": "S"}
ROWS: list[dict[str, Any]] = [
    {"code": "oil", "subject": {"fuel": "oil"}},
    {"code": "coal", "zone": {"category": "II"}, "subject": {"fuel": "coal", "size": {"<": 20}}},
    {"code": "all-coal", "zone": {"category": ("III", "IV")}, "subject": {"fuel": "coal"}},
    {"code": "read", "confidence": "M"},
]


def table(rows: list[dict[str, Any]] = ROWS, *, complete: bool) -> Table:
    given = [WORDS | row for row in rows]
    return Table.model_validate({"title": TEXT, "decides": "banned", "complete": complete, "rows": given})


def judged(
    columns: dict[str, list[Any]], category: str | None, *, complete: bool = True, by: Rule = BANNED
) -> Judgement:
    """Subjects in the middle of one zone of a category."""
    places = [Point(50, 50)] * len(next(iter(columns.values())))
    given = pack(by).model_copy(update={"tables": {"fuels": table(complete=complete)}})
    return judge(
        things(places, **columns), {"zones": zones([SQUARE], category=[category])}, [given], LAW_DATE
    )


def _row(row: dict[str, Any], fuel: str | None, size: int | None, category: str | None) -> bool | None:
    """Whether a row of the table holds, in three values, written without the filters."""
    zone = row.get("zone", {}).get("category")
    wanted = [(fuel, {row["subject"]["fuel"]})]
    wanted += [(category, {zone} if isinstance(zone, str) else set(zone))] if zone else []
    said = [None if value is None else value in values for value, values in wanted]
    if "size" in row["subject"]:
        said.append(None if size is None else size < 20)
    return False if False in said else None if None in said else True


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("category", ["I", "II", "III", None])
def test_a_table_decides_what_nobody_stated_and_nothing_else(category: str | None, complete: bool) -> None:
    cases = list(
        itertools.product(
            [True, False, None], ["new", "rebuild", None], ["oil", "coal", "gas", None], [5, 50, None]
        )
    )
    stated, kind, fuel, size = (list(column) for column in zip(*cases, strict=True))
    found = verdicts(
        judged({"banned": stated, "kind": kind, "fuel": fuel, "size": size}, category, complete=complete)
    )
    for (banned, works, burns, tonnes), verdict in zip(cases, found, strict=True):
        if banned is None:
            held = [_row(row, burns, tonnes, category) for row in ROWS[:3]]
            banned = True if True in held else None if None in held or not complete else False
        kinds = None if works is None else works == "new"
        wanted = "clear" if False in (banned, kinds) else "unknown" if None in (banned, kinds) else "conflict"
        assert verdict == wanted, (banned, works, burns, tonnes, category)


def test_what_is_missing_is_the_attribute_and_the_first_thing_that_would_decide_it() -> None:
    silent: dict[str, list[Any]] = {
        "banned": [None] * 3,
        "kind": ["new", "new", None],
        "fuel": [None, "coal", "oil"],
    }
    found = judged(silent, "II")
    assert [found.findings(row)[0].missing for row in range(3)] == [
        ("banned", "fuel"),
        ("banned", "size"),
        ("kind",),
    ]
    open_ = judged({"banned": [None], "kind": ["new"], "fuel": ["coal"]}, None)
    assert open_.findings(0)[0].missing == ("zones.category", "banned", "size")


@pytest.mark.parametrize("complete", [True, False])
def test_a_row_that_surely_holds_leaves_nothing_open(complete: bool) -> None:
    rows = [ROWS[0], {"code": "small", "subject": {"size": {"<": 20}}}]
    fuels = table(rows, complete=complete)
    given = pack(BANNED).model_copy(update={"tables": {"fuels": fuels}})
    inside, beside = Point(50, 50), Point(102, 50)
    subjects = things([inside, beside], 5.0, kind=["new"] * 2, fuel=["oil"] * 2, size=[None] * 2)
    found = judge(subjects, {"zones": zones([SQUARE], category=["I"])}, [given], LAW_DATE)
    assert verdicts(found) == ["conflict", "edge"]


def test_a_finding_by_a_table_says_by_which_row() -> None:
    found = judged({"banned": [None, True], "kind": ["new"] * 2, "fuel": ["oil", "gas"]}, "I")
    assert [[note.en for note in found.findings(row)[0].notes] for row in (0, 1)] == [
        ["By a table: text"],
        [],
    ]


def test_a_table_that_settles_a_rule_names_what_it_looked_at() -> None:
    found = judged({"banned": [None], "kind": ["new"], "fuel": ["gas"]}, "III")
    cleared = found.cleared(0)[0]
    assert (cleared.code, cleared.names) == ("not_applicable", ("fuel",))


def test_a_zone_filter_of_the_rule_and_one_of_a_row_both_count() -> None:
    only = BANNED.model_copy(update={"zone_where": {"category": ("II", "III")}})
    columns: dict[str, list[Any]] = {"banned": [None], "kind": ["new"], "fuel": ["coal"], "size": [5]}
    assert [verdicts(judged(columns, c, by=only)) for c in ("II", "III", "IV")] == [
        ["conflict"],
        ["conflict"],
        ["clear"],
    ]
    oil: dict[str, list[Any]] = {"banned": [None], "kind": ["new"], "fuel": ["oil"]}
    assert verdicts(judged(oil, "IV", by=only)) == ["clear"]
